"""[shell] The demo's composition: a devnode and miners as child processes, the pool itself in this one.

Everything is real but the difficulty: the node is Bitcoin Core's consensus engine on regtest with a target
stricter than its bits, so that a block takes this machine a few seconds instead of nothing.
"""

import asyncio
import contextlib
import logging
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from config.loading import load
from config.problems import SettingsError
from pool.app import Application, CannotStart, stop_on_signals
from pool.demo.display import Display, block_text, summary_text
from pool.demo.payday import PaidLine, Payday, PaydayFailed, paid_text
from pool.demo.snapshot import BlockLine, MinerLine, Snapshot
from pool.demo.worker_tally import DemoTally
from pool.gateway.block_files import FoundBlock
from pool.gateway.outcome import Outcome, told
from pool.node.endpoint import NodeEndpoint
from pool.node.rpc import NodeError, NodeRpc
from pool.node.verdicts import SubmitVerdict
from pool.supervisor import ENTRY, ChildKeeper, accountant_command, end_with_parent
from stratum.work.byteorder import from_displayed
from stratum.work.transaction import Output

KEY = bytes(31) + b"\x01"
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
# The key is the number 1 and the address the generator point's, as in BIP 173: worth nothing on regtest.

BLOCK_DIFFICULTY = 0.001
# 4.3 million hashes: some seconds of one core.

SHARE_DIFFICULTY = 0.00005

FIRST_BLOCKS = 104
# Coinbases ripen after 100: the rest gives the demo's transactions something to spend.

START_SECONDS = 30.0
SHOW_SECONDS = 0.5
FEE_SATS = 5_000

_SETTINGS = """\
coin: bitcoin
network: regtest
data_directory: pool
payout:
  scheme: pplns
  address: {address}
  minimum_sats: 1000
  wallet: {{fallback_fee_sats_per_vbyte: 2, interval_minutes: 10080}}
coinbase: {{tag: /engineroom demo/}}
nodes:
  - {{name: devnode, url: "http://127.0.0.1:{rpc_port}", cookie_file: node/.cookie}}
trust_stricter_target: true
stratum:
  share_interval_seconds: 2
  listeners:
    - {{address: 127.0.0.1, port: 0, difficulty: {{start: {difficulty}, minimum: 0.000001}}}}
metrics: {{port: {metrics_port}}}
drain_seconds: 0
log: {{level: error}}
"""


class DemoFailed(Exception):
    """One line that says what did not work."""


async def run_demo(*, blocks: int, miners: int, metrics_port: int) -> int:
    """Run until so many blocks were accepted (0: until Ctrl-C); gives the exit code. Raises DemoFailed."""
    metrics_port = _port_for_metrics(metrics_port)
    logging.getLogger("engineroom").setLevel(logging.CRITICAL)  # the display tells what happens
    with tempfile.TemporaryDirectory(prefix="engineroom-demo-", ignore_cleanup_errors=True) as text:
        folder = Path(text)
        async with _devnode(folder) as rpc_port:
            rpc = _node_rpc(folder, rpc_port)
            try:
                await _put_something_into_the_mempool(rpc)
                own_address = await rpc.call("getnewaddress", result=str)
                settings_file = folder / "engineroom.yaml"
                settings_file.write_text(
                    _SETTINGS.format(
                        address=own_address,
                        rpc_port=rpc_port,
                        difficulty=f"{SHARE_DIFFICULTY:f}",
                        metrics_port=metrics_port,
                    )
                )
                return await _mine(folder, settings_file, rpc, blocks, miners)
            except NodeError as error:
                raise DemoFailed(f"the embedded node refused what the demo asked of it: {error}") from error
            finally:
                await rpc.close()


async def _mine(folder: Path, settings_file: Path, rpc: NodeRpc, blocks: int, miners: int) -> int:
    stop = stop_on_signals()
    try:
        settings = load(settings_file)
        accountant = ChildKeeper("accountant", accountant_command(settings_file))
        tally = DemoTally()
        application = Application(settings, accountant, tally)
        with Display() as display:
            demo = Demo(application, tally, display, blocks)
            payday = Payday(Path(settings.data_directory), rpc, ADDRESS, display.say)
            port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            pool_task = asyncio.create_task(application.run(stop, lambda bound: port.set_result(bound[0][1])))
            waits: list[asyncio.Future[Any]] = [pool_task, port]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if pool_task.done():
                pool_task.result()
            display.say(f"pool on stratum+tcp://127.0.0.1:{port.result()}, node and pool data in {folder}")
            display.say(f"metrics on http://127.0.0.1:{settings.metrics.port}/metrics")
            showing = asyncio.create_task(demo.show_until(pool_task))
            async with _miners(port.result(), miners):
                await demo.enough_or(pool_task)
            if not pool_task.done():
                await _pay(demo, payday, stop, pool_task)
            await showing
    except PaydayFailed as error:
        raise DemoFailed(str(error)) from error
    except (CannotStart, SettingsError) as error:
        # Not the operator's settings: all that he chooses is where the demo's folder is.
        raise DemoFailed(f"the pool cannot start in {folder} (TMPDIR says where): {error}") from error
    return demo.conclude()


async def _pay(demo: "Demo", payday: Payday, stop: asyncio.Event, pool_task: "asyncio.Task[None]") -> None:
    """The miners are paid, and that is the end. Ctrl-C before: nobody is, and nothing is wrong with that."""
    paying = asyncio.create_task(payday.run())
    try:
        await asyncio.wait([paying, pool_task], return_when=asyncio.FIRST_COMPLETED)
        if paying.done():
            demo.paid += paying.result()
    finally:
        paying.cancel()
        stop.set()


class Demo:
    """Gathers what the display shows, and says when enough blocks are accepted.

    A block on a side branch neither counts nor fails the demo: in a burst of blocks a sibling of our own is
    nothing unusual.
    """

    def __init__(self, application: Application, tally: DemoTally, display: Display, blocks: int) -> None:
        self._application = application
        self._tally = tally
        self._display = display
        self.enough = asyncio.Event()
        self.paid: list[PaidLine] = []
        self._wanted = blocks
        self._blocks: list[BlockLine] = []
        self._refused = 0
        self._started_at = time.monotonic()
        application.on_block = self._block_settled

    async def enough_or(self, pool_task: "asyncio.Task[None]") -> None:
        """Until enough blocks are accepted, or the pool has ended."""
        waiting = asyncio.create_task(self.enough.wait())
        await asyncio.wait([waiting, pool_task], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    async def show_until(self, pool_task: "asyncio.Task[None]") -> None:
        """Draw until the pool has ended; a failure of the pool is raised."""
        while not pool_task.done():
            self._display.show(self.snapshot())
            await asyncio.wait([pool_task], timeout=SHOW_SECONDS)
        self._display.show(self.snapshot())
        pool_task.result()

    def snapshot(self) -> Snapshot:
        """The state now."""
        elapsed = max(time.monotonic() - self._started_at, 0.001)
        template = self._application.work.template
        return Snapshot(
            elapsed_seconds=elapsed,
            height=template.height - 1 if template is not None else 0,
            network_difficulty=BLOCK_DIFFICULTY,
            connections=len(self._application.server),
            miners=tuple(
                MinerLine(
                    name=name.rpartition(".")[2],
                    accepted=tally.accepted,
                    refused=tally.refused,
                    difficulty=tally.difficulty,
                    hashes_per_second=tally.work / elapsed,
                )
                for name, tally in sorted(self._tally.workers.items())
            ),
            blocks=tuple(self._blocks),
        )

    def conclude(self) -> int:
        """The last lines; 0 where no block was refused and enough were accepted."""
        self._display.say(summary_text(self.snapshot()))
        for block in self._blocks:
            self._display.say(f"  {block_text(block)}\n    hash {block.block_hash}")
        for paid in self.paid:
            self._display.say(f"  {paid_text(paid)}\n    transaction {paid.txid}")
        return 0 if not self._refused and len(self._blocks) >= self._wanted else 1

    def _block_settled(self, found: FoundBlock, outcome: Outcome, verdicts: Sequence[SubmitVerdict]) -> None:
        if outcome is not Outcome.ACCEPTED:
            self._refused += outcome is Outcome.REFUSED
            self._display.say(f"block {found.height} {found.block_hash} {outcome.value}: {told(verdicts)}")
            return
        self._blocks.append(
            BlockLine(
                height=found.height,
                block_hash=found.block_hash,
                reward_sats=found.reward_sats,
                transactions=found.transactions,
                verdict="; ".join(f"{verdict.node}: {verdict.text}" for verdict in verdicts),
                elapsed_seconds=time.monotonic() - self._started_at,
            )
        )
        if self._wanted and len(self._blocks) >= self._wanted:
            self.enough.set()


@contextlib.asynccontextmanager
async def _devnode(folder: Path) -> AsyncIterator[int]:
    """A devnode on a free port; gives the port."""
    rpc_port = _free_port()
    process = await asyncio.create_subprocess_exec(
        *(*ENTRY, "devnode", "--datadir", str(folder / "node")),
        *("--rpc-port", str(rpc_port), "--target-difficulty", f"{BLOCK_DIFFICULTY:f}"),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us: the node goes last
        preexec_fn=end_with_parent,
    )
    try:
        if process.stdout is None or not await asyncio.wait_for(process.stdout.readline(), START_SECONDS):
            raise DemoFailed("the embedded node did not start; its message is above")
        yield rpc_port
    except TimeoutError as error:
        raise DemoFailed(f"the embedded node did not start within {START_SECONDS:.0f} s") from error
    finally:
        await _end(process)


@contextlib.asynccontextmanager
async def _miners(port: int, count: int) -> AsyncIterator[None]:
    processes = [
        await asyncio.create_subprocess_exec(
            *(*ENTRY, "mine", "--url", f"stratum+tcp://127.0.0.1:{port}"),
            *("--user", f"{miner_address(number)}.miner{number + 1}"),
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        for number in range(count)
    ]
    try:
        yield
    finally:
        await asyncio.gather(*(_end(process) for process in processes))


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 5)
    except TimeoutError:
        process.kill()
        await process.wait()


async def _put_something_into_the_mempool(rpc: NodeRpc) -> None:
    """Four transactions, so that the demo's block is not an empty one."""
    from pool.devnode.spending import Key, Spendable, spend  # here: it needs the demo extra

    key = Key(KEY)
    hashes = await rpc.call("generatetoaddress", FIRST_BLOCKS, ADDRESS, result=list[str])
    for block_hash in hashes[: FIRST_BLOCKS - 100]:
        block = await rpc.call("getblock", block_hash, result=dict[str, object])
        transactions = block["tx"]
        if not isinstance(transactions, list):
            raise DemoFailed("the embedded node gave a block without transactions")
        coin = Spendable(from_displayed(transactions[0]), 0, 5_000_000_000)
        raw = spend(key, coin, [Output(value_sats=coin.value_sats - FEE_SATS, script=key.script)])
        await rpc.call("sendrawtransaction", raw.hex(), result=str)


def _node_rpc(folder: Path, rpc_port: int) -> NodeRpc:
    cookie = folder / "node" / ".cookie"
    return NodeRpc(NodeEndpoint(name="devnode", url=f"http://127.0.0.1:{rpc_port}", cookie_file=cookie))


def miner_address(number: int) -> str:
    """Each miner mines for an address of its own: of the keys 2, 3, …, worth as little as key 1."""
    from pool.devnode.addresses import key_hash_address  # here: it needs the demo extra
    from pool.devnode.spending import Key

    return key_hash_address(Key(bytes(31) + bytes((number + 2,))).public_hash)


def _port_for_metrics(wanted: int) -> int:
    """The port, found free; any that is free for 0. Raises DemoFailed."""
    try:
        return _free_port(wanted)
    except OSError as error:
        raise DemoFailed(
            f"cannot show metrics on 127.0.0.1 port {wanted}: {error.strerror}; "
            "name another with --metrics-port, or 0 for any that is free"
        ) from error


def _free_port(wanted: int = 0) -> int:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the last demo's connections do not count
        sock.bind(("127.0.0.1", wanted))
        port: int = sock.getsockname()[1]
        return port
