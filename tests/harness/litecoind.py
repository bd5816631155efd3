"""Real full nodes on regtest, for tests: start, stop, kill, start again. Ten lines to use:

    async with Litecoind(tmp_path) as node:
        await node.mine(101)
        assert await node.rpc("getblockcount") == 101
        endpoint = node.endpoint()          # for the code under test
        await node.kill()                   # or stop(): by RPC, so that the chain is on disk
        await node.start()                  # same data directory, same ports

`real_node(tmp_path)` is Bitcoin Core where BITCOIND names its binary, else Litecoin Core.
"""

import asyncio
import contextlib
import os
import socket
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from pool.node.endpoint import NodeEndpoint
from pool.node.rpc import NodeError, NodeRpc

START_SECONDS = 30.0
STOP_SECONDS = 30.0

MWEB_OFF = "-vbparams=mweb:4102444800:9223372036854775807"
# Starts in 2100: measured to keep MWEB 'defined' for good. mweb:0:1 does not keep it away.

MWEB_HEIGHT = 432


class RealNode:
    """One node process; the subclasses say which binary and with which arguments."""

    coin: ClassVar[str]

    def __init__(
        self,
        directory: Path,
        *,
        name: str = "node",
        blocknotify: str | None = None,
        extra_arguments: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.directory = directory / name
        self.rpc_port, self.p2p_port, self.onion_port, self.zmq_port = free_ports(4)
        self._blocknotify = blocknotify
        self._extra_arguments = extra_arguments
        self._rpc = NodeRpc(self.endpoint())
        self._process: asyncio.subprocess.Process | None = None
        self._peer: socket.socket | None = None

    def arguments(self) -> list[str]:
        raise AssertionError("a subclass says how its node is started")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(f"--- {self.name}: end of debug.log\n{self.log_tail()}")  # noqa: T201
        await self.kill()
        await self._rpc.close()

    def endpoint(self, *, longpoll: bool = False, zmq: bool = False) -> NodeEndpoint:
        return NodeEndpoint(
            name=self.name,
            url=f"http://127.0.0.1:{self.rpc_port}",
            user="u",
            password=lambda: "p",
            longpoll=longpoll,
            zmq_hashblock=f"tcp://127.0.0.1:{self.zmq_port}" if zmq else None,
        )

    async def rpc(self, method: str, *params: object) -> Any:
        """Any answer, numbers exact: Decimal where they have a fraction."""
        return await self._rpc.call(method, *params, result=Any, timeout_seconds=60)

    async def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            *self.arguments(),
            *([f"-blocknotify={self._blocknotify}"] if self._blocknotify else []),
            *self._extra_arguments,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(START_SECONDS):
            while not await self._answers():
                assert self._process.returncode is None, f"the node has ended:\n{self.log_tail()}"
                await asyncio.sleep(0.05)
        self._connect_peer()

    async def stop(self) -> None:
        """By RPC: the chain is on disk afterwards."""
        await self.rpc("stop")
        await self._wait_for_end()

    async def kill(self) -> None:
        """SIGKILL: a young chain is back at height 0 afterwards, unless `flush` was called before."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        await self._wait_for_end()

    async def flush(self) -> None:
        """Writes the chain to disk (gettxoutsetinfo does), so that a kill keeps the height."""
        await self.rpc("gettxoutsetinfo")

    async def mine(self, blocks: int, address: str | None = None) -> list[str]:
        """Blocks by the node itself, to an address of its wallet unless told; their hashes in hex."""
        hashes: list[str] = await self.rpc("generatetoaddress", blocks, address or await self.address())
        return hashes

    async def address(self, kind: str = "bech32") -> str:
        """A fresh address of the node's wallet, which is made when first needed."""
        if not await self.rpc("listwallets"):
            # the last one is load_on_startup: the wallet is there again after a restart
            await self.rpc("createwallet", "tests", False, False, "", False, None, True)
        address: str = await self.rpc("getnewaddress", "", kind)
        return address

    async def send(self, amount: str, kind: str = "bech32") -> str:
        """A transaction in the mempool: the wallet pays itself. The coins need 101 blocks first."""
        txid: str = await self.rpc("sendtoaddress", await self.address(kind), Decimal(amount))
        return txid

    def log_tail(self) -> str:
        log = self.directory / "regtest" / "debug.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else "(no debug.log)"

    async def _answers(self) -> bool:
        try:
            await self.rpc("getblockcount")
        except NodeError:  # no listener yet, or -28 while it warms up
            return False
        return True

    async def _wait_for_end(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None
        if self._process is not None:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
            self._process = None

    def _connect_peer(self) -> None:
        """A node without a peer gives no templates (-9); a connection that says nothing is peer enough."""


class Litecoind(RealNode):
    """Litecoin Core of the Debian package: scrypt, segwit, taproot; with `mweb`, MWEB from block 432 on."""

    coin = "litecoin"
    # /usr/bin/litecoind is a wrapper that writes into the home directory
    binary = os.environ.get("LITECOIND", "/usr/lib/litecoin/litecoind")

    def __init__(
        self,
        directory: Path,
        *,
        name: str = "litecoind",
        mweb: bool = False,
        blocknotify: str | None = None,
        extra_arguments: tuple[str, ...] = (),
    ) -> None:
        vbparams = () if mweb else (MWEB_OFF,)
        super().__init__(
            directory, name=name, blocknotify=blocknotify, extra_arguments=(*vbparams, *extra_arguments)
        )

    def arguments(self) -> list[str]:
        return [
            self.binary,
            *_common_arguments(self),
            "-listen=1",
            f"-bind=127.0.0.1:{self.p2p_port}",
            f"-bind=127.0.0.1:{self.onion_port}=onion",  # else it is 19444, for every node on the machine
            "-dns=0",
            "-upnp=0",
            "-listenonion=0",
            "-peertimeout=99999999",  # the default drops the silent peer after 60 s
            "-maxtipage=1000000000",
            "-keypool=10",  # a wallet in 0.08 s instead of 3.3 s
        ]

    async def activate_mweb(self) -> None:
        """Height 432 with a peg-in in it: from here on templates hold a HogEx and an `mweb` (3 s).

        At 432 there are no templates at all until a peg-in waits in the mempool.
        """
        await self.mine(MWEB_HEIGHT - 1)
        await self.send("1", "mweb")
        await self.mine(1)

    def _connect_peer(self) -> None:
        self._peer = socket.create_connection(("127.0.0.1", self.p2p_port))


class BitcoinCore(RealNode):
    """Bitcoin Core 0.22 or later: sha256d, segwit, taproot, ZMQ. Templates on regtest need no peer."""

    coin = "bitcoin"

    def __init__(
        self,
        directory: Path,
        *,
        name: str = "bitcoind",
        blocknotify: str | None = None,
        extra_arguments: tuple[str, ...] = (),
    ) -> None:
        super().__init__(directory, name=name, blocknotify=blocknotify, extra_arguments=extra_arguments)

    def arguments(self) -> list[str]:
        return [
            os.environ["BITCOIND"],
            *_common_arguments(self),
            "-listen=0",
            "-connect=0",
            "-natpmp=0",
            f"-zmqpubhashblock=tcp://127.0.0.1:{self.zmq_port}",
        ]


def real_node(directory: Path, *, name: str = "node", blocknotify: str | None = None) -> RealNode:
    kind = BitcoinCore if os.environ.get("BITCOIND") else Litecoind
    return kind(directory, name=name, blocknotify=blocknotify)


def _common_arguments(node: RealNode) -> list[str]:
    return [
        "-regtest",
        f"-datadir={node.directory}",
        "-server=1",
        "-dnsseed=0",
        "-discover=0",
        "-rpcbind=127.0.0.1",
        "-rpcallowip=127.0.0.1",
        f"-rpcport={node.rpc_port}",
        "-rpcuser=u",
        "-rpcpassword=p",
        "-rpcworkqueue=64",
        "-rpcthreads=8",
        "-fallbackfee=0.0002",
        "-printtoconsole=0",
        "-dbcache=16",
    ]


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now; each is held until the last is chosen, so that no two are the same."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
