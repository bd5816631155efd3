"""`engineroom run` as a process of its own, for tests. Ten lines to use:

async with RunningPool(tmp_path, [node], difficulty="{start: 1, minimum: 1}") as pool:
    miner = await HandMiner.connect(pool.port, pool.user)
    await pool.says("no node is left")      # waits for a line of its log
    assert await pool.stop() == 0           # SIGTERM
"""

import asyncio
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.devnode import RunningDevnode
from tests.harness.litecoind import RealNode

START_SECONDS = 20.0
SAY_SECONDS = 30.0
PAYOUT_ADDRESSES = {
    "bitcoin": "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",  # the generator point, as in BIP 173
    "litecoin": "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3",  # the same program
}
LISTENING = re.compile(r'listening on 127\.0\.0\.1:(\d+)|"pool_listening".*"port":(\d+)')
ALGORITHMS = {"bitcoin": "sha256d", "litecoin": "scrypt"}
EASY_DIFFICULTIES = {  # about 43,000 and 66 hashes a share: a second or less
    "bitcoin": "{start: 0.00001, minimum: 0.000001}",
    "litecoin": "{start: 0.001, minimum: 0.000001}",
}
Node = RealNode | RunningDevnode


class RunningPool:
    """One process on a free port; `lines` holds all that it has logged."""

    def __init__(
        self,
        directory: Path,
        nodes: Sequence[Node],
        *,
        difficulty: str | None = None,
        stratum_extra: str = "",
        payout: str | None = None,
        drain_seconds: float = 0,
        accountant: bool = False,
        log: str = "{format: console}",
    ) -> None:
        self.coin = nodes[0].coin
        self.algorithm = ALGORITHMS[self.coin]
        self.address = PAYOUT_ADDRESSES[self.coin]
        self.user = f"{self.address}.rig"
        self.settings_file = directory / "engineroom.yaml"
        self.data_directory = directory / "pool-data"
        self.lines: list[str] = []
        self._accountant = "--accountant" if accountant else "--no-accountant"
        self.entry: tuple[str, ...] = ("pool.entry",)  # a module, and what it is told before the command
        self.port = 0
        self._more = asyncio.Condition()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        difficulty = difficulty or EASY_DIFFICULTIES[self.coin]
        payout = payout or f"{{scheme: pplns, address: {self.address}}}"
        self.settings_file.write_text(
            settings_text(nodes, payout, difficulty)
            + stratum_extra
            + f"drain_seconds: {drain_seconds}\nlog: {log}\n"
        )

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *self.entry, "run", self._accountant),
            *("-c", str(self.settings_file)),
            stderr=asyncio.subprocess.PIPE,
        )
        self._reader = asyncio.create_task(self._read())
        line = await self.says("listening", START_SECONDS)
        match = LISTENING.search(line)
        assert match is not None, line
        self.port = int(match[1] or match[2])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.stop()
        if self._reader is not None:
            await self._reader
        if error is not None:
            print("\n".join(["--- the pool's log", *self.lines]))  # noqa: T201

    async def says(self, text: str, seconds: float = SAY_SECONDS, *, times: int = 1) -> str:
        """Wait until so many lines of the log hold this text; gives the last of them."""

        def found() -> list[str]:
            return [line for line in self.lines if text in line]

        async with asyncio.timeout(seconds), self._more:
            await self._more.wait_for(lambda: len(found()) >= times or self._has_ended())
        assert len(found()) >= times, f"never said {text!r}:\n" + "\n".join(self.lines)
        return found()[times - 1]

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Gives the exit code, in twenty seconds at most."""
        self.signal(number)
        return await self.wait()

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def wait(self) -> int:
        """The exit code of a pool that ends by itself."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), START_SECONDS)

    def _has_ended(self) -> bool:
        return self._reader is not None and self._reader.done()

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.lines.append(line.decode().rstrip())
            async with self._more:
                self._more.notify_all()
        async with self._more:
            self._more.notify_all()


def settings_text(nodes: Sequence[Node], payout: str, difficulty: str) -> str:
    """Settings for these nodes on regtest, on a free port of 127.0.0.1."""
    entries = "".join(
        f"  - {{name: {node.name}, url: 'http://127.0.0.1:{node.rpc_port}', "
        "user: u, password_file: password}\n"
        for node in nodes
    )
    return f"""\
coin: {nodes[0].coin}
network: regtest
data_directory: pool-data
payout: {payout}
metrics: {{port: 0}}
nodes:
{entries}stratum:
  listeners:
    - {{address: 127.0.0.1, port: 0, difficulty: {difficulty}}}
"""
