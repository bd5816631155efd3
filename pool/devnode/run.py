"""[shell] Starting and ending a devnode: options in, RPC and signals up, one line when it is ready."""

import asyncio
import math
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import zmq
from aiohttp import web

from pool.devnode.kernel import CannotOpen
from pool.devnode.keys import UnreadableWallet
from pool.devnode.methods import Methods
from pool.devnode.node import Devnode
from pool.devnode.server import Credentials, application
from pool.devnode.signals import HashblockPublisher
from pool.devnode.template import REGTEST_BITS
from stratum.work.difficulty import SHA256D_DIFFICULTY_1, target_from_bits, target_from_difficulty


class DevnodeOptions(msgspec.Struct, frozen=True):
    """What the command line asks for. Without user and password a cookie file is written."""

    datadir: Path
    rpc_port: int = 18443
    rpc_bind: str = "127.0.0.1"
    zmq_address: str | None = None
    user: str | None = None
    password: str | None = None
    target_difficulty: float | None = None


class CannotRun(Exception):
    """One line that says why the devnode cannot start, and what to do."""


async def run_devnode(options: DevnodeOptions, ready: Callable[[str], None]) -> None:
    """Run until SIGTERM, SIGINT or the RPC `stop`. Raises CannotRun."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    target = _target(options)
    try:
        node = await Devnode.open(options.datadir)
    except (CannotOpen, UnreadableWallet, OSError) as error:
        raise CannotRun(str(error)) from error
    publisher: HashblockPublisher | None = None
    credentials: Credentials | None = None
    runner: web.AppRunner | None = None
    try:
        if options.zmq_address is not None:
            publisher = _publisher(options.zmq_address)
            node.on_tip = publisher.publish
        credentials = Credentials(options.datadir, options.user, options.password)
        methods = Methods(node, target, stop.set)
        runner = web.AppRunner(application(methods, credentials), shutdown_timeout=0.5)
        await _serve(runner, options)
        ready(
            f"devnode ready: regtest, height {node.ledger.height}, "
            f"RPC on http://{options.rpc_bind}:{options.rpc_port}, data in {options.datadir}"
        )
        await stop.wait()
    finally:
        if runner is not None:
            await runner.cleanup()
        if publisher is not None:
            publisher.close()
        if credentials is not None:
            credentials.remove()
        await node.close()


def _target(options: DevnodeOptions) -> int | None:
    if options.target_difficulty is None:
        return None
    if not 0 < options.target_difficulty < math.inf:  # a NaN is not either
        raise CannotRun(f"the target difficulty must be above 0 and finite, not {options.target_difficulty}")
    easiest = target_from_bits(REGTEST_BITS)
    return min(target_from_difficulty(options.target_difficulty, SHA256D_DIFFICULTY_1), easiest)


def _publisher(address: str) -> HashblockPublisher:
    try:
        return HashblockPublisher(address)
    except zmq.ZMQError as error:
        raise CannotRun(
            f"cannot publish on {address}: {str(error).lower()}; choose another address"
        ) from error


async def _serve(runner: web.AppRunner, options: DevnodeOptions) -> None:
    await runner.setup()
    try:
        await web.TCPSite(runner, options.rpc_bind, options.rpc_port).start()
    except OSError as error:
        raise CannotRun(
            f"cannot listen on {options.rpc_bind} port {options.rpc_port}: "
            f"{(error.strerror or str(error)).lower()}; choose another port"
        ) from error
