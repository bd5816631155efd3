"""A program with an HTTP API as a child of the test: started, waited for, ended, its log told.

Prometheus and Alertmanager are such programs; both say at `/-/ready` whether they are.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from tests.harness.litecoind import free_ports

START_SECONDS = 30.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 0.05


class ServerProcess:
    """One program on a free port of 127.0.0.1; `start` is the subclass's."""

    name = ""  # what messages call it

    def __init__(self, directory: Path) -> None:
        """The directory is made at the start."""
        self.directory = directory
        [self.port] = free_ports(1)
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None

    def command(self) -> tuple[str, ...]:
        """What to run; the directory is there."""
        raise NotImplementedError

    def working_directory(self) -> Path | None:
        """Where to run it; None for the test's own."""
        return None

    async def __aenter__(self) -> Self:
        self.directory.mkdir()
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL"),  # it ends even with tests that are killed
                *self.command(),
                cwd=self.working_directory(),
                stdout=log,
                stderr=log,
            )
        self._http = aiohttp.ClientSession(f"http://127.0.0.1:{self.port}")
        try:
            await self.until(self._is_ready, START_SECONDS, lambda: f"not ready:\n{self._log_tail()}")
        except BaseException:
            await self.ended()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.ended()
        if error is not None:
            print(f"--- {self.name}: end of its log\n{self._log_tail()}")  # noqa: T201

    async def until(
        self, condition: Callable[[], Awaitable[bool]], seconds: float, otherwise: Callable[[], str]
    ) -> None:
        """Looks again and again: it tells nobody of what it does."""
        try:
            async with asyncio.timeout(seconds):
                while not await condition():
                    self.must_be_running()
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise AssertionError(f"{self.name}: after {seconds:g} seconds {otherwise()}") from None

    @property
    def client(self) -> aiohttp.ClientSession:
        """For its API."""
        assert self._http is not None, "use it as a context manager"
        return self._http

    def must_be_running(self) -> None:
        assert self._process is not None
        assert self._process.returncode is None, f"{self.name} has ended:\n{self._log_tail()}"

    async def ended(self) -> None:
        """Its data are the test's, and of no use afterwards: it is killed."""
        if self._http is not None:
            await self._http.close()
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)

    async def _is_ready(self) -> bool:
        try:
            async with self.client.get("/-/ready") as response:
                return response.status == 200
        except aiohttp.ClientConnectorError:  # no listener yet
            return False

    @property
    def _log(self) -> Path:
        return self.directory / "log"

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]
