"""Starts dying_accountant.py's process, follows its steps, kills it. Ten lines to use:

accountant = SteppedAccountant(settings_file)
await accountant.start(at="before append payment_signed")
await accountant.tells_more(0)                  # waits until it has told more than so many steps
if accountant.stands is not None:               # the step at which it stands still now
    await accountant.kill()                     # SIGKILL, or go_on()
await accountant.start()                        # the next one stands nowhere
assert await accountant.stop() == 0             # SIGTERM

They are forked from one server, which has imported everything once: a start takes a tenth of a second.
"""

import asyncio
import multiprocessing
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness import dying_accountant

END_SECONDS = 60.0
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([dying_accountant.__name__])


class SteppedAccountant:
    """One process after another on the same settings; `steps` and `log` are of all of them."""

    def __init__(self, settings_file: Path) -> None:
        self.settings_file = settings_file
        self.log_file = settings_file.with_name("accountant.log")
        self.steps: list[str] = []
        self.stands: str | None = None
        self._process: multiprocessing.context.ForkServerProcess | None = None
        self._is_stopping = False
        self._more = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_running:
            await self.kill()
        if error is not None:
            print("--- the accountant\n", *self.steps[-20:], self.log, sep="\n")  # noqa: T201

    async def start(
        self, *, at: str | None = None, at_number: int | None = None, dies_after: float | None = None
    ) -> None:
        """`at` names a step to stand at, `at_number` counts them; `dies_after` so many seconds it is killed,
        wherever it is."""
        ours, theirs = SERVER.Pipe()
        self._connection = ours
        self._ended = asyncio.Event()
        self._is_stopping = False
        arguments = (self.settings_file, self.log_file, theirs, at, at_number, dies_after)
        self._process = SERVER.Process(target=dying_accountant.main, args=arguments)
        self._process.start()
        theirs.close()
        asyncio.get_running_loop().add_reader(ours.fileno(), self._read)

    @property
    def is_running(self) -> bool:
        return self._process is not None and not self._ended.is_set()

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    async def tells_more(self, seen: int) -> None:
        """Wait until it has told more than so many steps, or has ended."""
        while len(self.steps) <= seen and self.is_running:
            self._more.clear()
            await self._more.wait()

    def go_on(self) -> None:
        """Let it make the rest of its steps."""
        self.stands = None
        self._connection.send(None)

    async def stop(self) -> int:
        """SIGTERM; gives the exit code. It stands nowhere on the way to its end."""
        assert self._process is not None
        self._is_stopping = True
        if self.stands is not None:
            self.go_on()
        self._process.terminate()
        return await self.ended()

    async def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        await self.ended()

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        process, self._process = self._process, None
        assert process is not None
        await asyncio.wait_for(self._ended.wait(), END_SECONDS)
        # Its pipe is closed: it is as good as gone. Not in a thread, since each start of another process asks
        # for the ends of all of them, and only one may read an exit code.
        process.join()
        code = process.exitcode
        process.close()
        self.stands = None
        assert code is not None
        return code

    def _read(self) -> None:
        try:
            while self._connection.poll():
                name, is_standing = self._connection.recv()
                self.steps.append(name)
                if is_standing and self._is_stopping:
                    self._connection.send(None)
                elif is_standing:  # one thread of it: the others may go on
                    self.stands = name
        except (EOFError, ConnectionError):
            asyncio.get_running_loop().remove_reader(self._connection.fileno())
            self._connection.close()
            self._ended.set()
        self._more.set()
