"""A devnode as a process of its own, for tests. Ten lines to use:

async with RunningDevnode(tmp_path) as node:
    await node.mine(101)
    assert await node.rpc("getblockcount") == 101
    endpoint = node.endpoint()          # for the code under test
    await node.kill()                   # or stop()
    await node.start()                  # same data directory, same ports
"""

import asyncio
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pool.devnode.spending import Key, Spendable, spend
from pool.node.endpoint import NodeEndpoint
from pool.node.rpc import NodeRpc
from stratum.work.byteorder import from_displayed
from stratum.work.transaction import Output
from tests.harness.litecoind import free_ports

START_SECONDS = 20.0
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


class RunningDevnode:
    """One process, and a key of its own whose coins it can spend."""

    coin = "bitcoin"

    def __init__(
        self,
        directory: Path,
        *,
        name: str = "devnode",
        target_difficulty: float | None = None,
        has_password: bool = True,
    ) -> None:
        self.name = name
        self.directory = directory / name
        self.rpc_port, zmq_port = free_ports(2)
        self.zmq_address = f"tcp://127.0.0.1:{zmq_port}"
        self.key = Key(bytes(31) + b"\x01")
        self._target_difficulty = target_difficulty
        self._has_password = has_password  # without one it writes a cookie
        self._rpc = NodeRpc(self.endpoint())
        self._process: asyncio.subprocess.Process | None = None
        self._next_ripe = 1

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            await self.stop()
        await self._rpc.close()

    def endpoint(self) -> NodeEndpoint:
        return NodeEndpoint(
            name=self.name,
            url=f"http://127.0.0.1:{self.rpc_port}",
            user="u" if self._has_password else None,
            password=(lambda: "p") if self._has_password else None,
            cookie_file=None if self._has_password else self.directory / ".cookie",
            zmq_hashblock=self.zmq_address,
        )

    def arguments(self) -> list[str]:
        arguments = ["--datadir", str(self.directory), "--rpc-port", str(self.rpc_port)]
        arguments += ["--zmq-hashblock", self.zmq_address]
        if self._has_password:
            arguments += ["--user", "u", "--password", "p"]
        if self._target_difficulty is not None:
            arguments += ["--target-difficulty", str(self._target_difficulty)]
        return arguments

    async def start(self) -> str:
        """Start and wait for the line that says it is ready; gives that line."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pool.entry", "devnode", *self.arguments(), stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), START_SECONDS)
        assert line.startswith(b"devnode ready"), line
        return line.decode()

    async def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        assert self._process is not None
        self._process.terminate()
        return await self.ended()

    async def ended(self) -> int:
        """Wait until it has ended by itself; gives the exit code."""
        process, self._process = self._process, None
        assert process is not None
        return await asyncio.wait_for(process.wait(), START_SECONDS)

    async def kill(self) -> None:
        """SIGKILL."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        await process.wait()

    async def rpc(self, method: str, *params: Any) -> Any:
        """Any method; raises RpcError for an error answer."""
        return await self._rpc.call(method, *params, result=Any, timeout_seconds=30)

    async def mine(self, count: int, address: str = ADDRESS) -> list[str]:
        hashes: list[str] = await self.rpc("generatetoaddress", count, address)
        return hashes

    async def address(self) -> str:
        return ADDRESS

    async def send(self, fee_sats: int = 10_000) -> str:
        """Put a signed transaction into the mempool that spends the oldest coinbase of this key not spent
        yet."""
        block = await self.rpc("getblock", await self.rpc("getblockhash", self._next_ripe))
        self._next_ripe += 1
        coin = Spendable(from_displayed(block["tx"][0]), 0, 50 * 100_000_000)
        raw = spend(self.key, coin, [Output(coin.value_sats - fee_sats, self.key.script)])
        return str(await self.rpc("sendrawtransaction", raw.hex()))
