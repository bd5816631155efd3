"""The accountant as a process of its own, for tests. Ten lines to use:

async with RunningAccountant(pool.settings_file) as accountant:     # `engineroom accountant -c FILE`
    await accountant.says("is mature")      # waits for a line of its log
    await accountant.kill()                 # SIGKILL
    await accountant.start()
    assert await accountant.stop() == 0     # SIGTERM
"""

import asyncio
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from pool.supervisor import accountant_command, end_with_parent

SAY_SECONDS = 30.0
END_SECONDS = 20.0


class RunningAccountant:
    """One process after another on the same settings; `log` holds what all of them have logged."""

    def __init__(self, settings_file: Path) -> None:
        self.settings_file = settings_file
        self.log: list[str] = []
        self._more = asyncio.Condition()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_running:
            await (self.stop() if error is None else self.kill())
        if error is not None:
            print("\n".join(["--- the accountant's log", *self.log]))  # noqa: T201

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *accountant_command(self.settings_file),
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=end_with_parent,
        )
        self._reader = asyncio.create_task(self._read(self._process))

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def says(self, text: str, seconds: float = SAY_SECONDS, *, after: int = 0) -> int:
        """Wait for a line of the log with this text, past so many; the number of lines through it."""

        def found() -> int:
            return next((n for n, line in enumerate(self.log[after:], after + 1) if text in line), 0)

        async with asyncio.timeout(seconds), self._more:
            await self._more.wait_for(lambda: found() or not self.is_running)
        assert found(), f"never said {text!r}:\n" + "\n".join(self.log)
        return found()

    async def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        assert self._process is not None
        self._process.terminate()
        return await self.ended()

    async def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await self.ended()

    async def ended(self) -> int:
        """Wait until it has ended and all that it said is read."""
        assert self._process is not None
        assert self._reader is not None
        code = await asyncio.wait_for(self._process.wait(), END_SECONDS)
        await self._reader
        return code

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self.log.append(line.decode().rstrip())
            async with self._more:
                self._more.notify_all()
        async with self._more:
            self._more.notify_all()
