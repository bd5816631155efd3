"""[shell] Keeps the accountant's process alive: starts it, starts it again when it dies, ends it last.

A report or a rebuild must never stall a share, so the accountant is a process of its own. Its death costs
nothing: the spool grows until it is back. Where it says that a person is needed (exit code 2: the settings;
3: another accountant, a newer database, a damaged ledger) it is only asked again now and then, since that may
have been mended.
"""

import asyncio
import contextlib
import ctypes
import functools
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pool.logs.events import LogEvent
from pool.logs.log import Log

SETTINGS_REFUSED, NEEDS_A_PERSON = 2, 3
PR_SET_PDEATHSIG = 1  # linux/prctl.h

ENTRY = (sys.executable, "-P", "-m", "pool.entry")
# -P: a folder named pool in the working directory is not what is meant, and its code is not to be run.

log = Log("engineroom.supervisor")


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Pauses before a child is started again, which double, and how long it may take to end.

    One that was alive for `healthy_seconds` has done its work: its death is a new one, and the pause starts
    small again.
    """

    first_pause_seconds: float = 1.0
    longest_pause_seconds: float = 30.0
    healthy_seconds: float = 60.0
    stop_seconds: float = 30.0

    def after(self, pause_seconds: float, lived_seconds: float, code: int | None) -> float:
        """The pause after this death, `pause_seconds` the one before it; 0 before the first."""
        if code in (SETTINGS_REFUSED, NEEDS_A_PERSON):
            return self.longest_pause_seconds
        if not pause_seconds or lived_seconds >= self.healthy_seconds:
            return self.first_pause_seconds
        return min(2 * pause_seconds, self.longest_pause_seconds)


def accountant_command(settings_file: Path) -> list[str]:
    """How the accountant of these settings is started."""
    return [*ENTRY, "accountant", "-c", str(settings_file)]


class ChildKeeper:
    """One child process, kept alive until `stop`."""

    def __init__(self, name: str, command: Sequence[str], patience: Patience | None = None) -> None:
        self._name = name
        self._command = command
        self._patience = patience or Patience()
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._starting = asyncio.Lock()
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def run(self) -> None:
        """Until `stop`; logs every death, raises nothing for one."""
        loop = asyncio.get_running_loop()
        pause = 0.0
        while not self._stopping.is_set():
            started_at = loop.time()
            code = await self._run_once()
            if self._stopping.is_set():
                return
            pause = self._patience.after(pause, loop.time() - started_at, code)
            log.error(LogEvent.CHILD_ENDED, child=self._name, how=_told(code), pause_seconds=pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def stop(self) -> None:
        """End it, and let it finish what it is at; `run` returns then."""
        self._stopping.set()
        async with self._starting:  # one that is being started must not be missed
            process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        seconds = self._patience.stop_seconds
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            log.error(LogEvent.CHILD_KILLED, child=self._name, stop_seconds=seconds)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _run_once(self) -> int | None:
        """The exit code; None where it could not even be started."""
        async with self._starting:
            if self._stopping.is_set():
                return None
            self.starts += 1
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the supervisor, which ends its child in time
                    preexec_fn=functools.partial(end_with_parent, os.getpid()),
                )
            except OSError as error:
                log.error(LogEvent.CHILD_START_FAILED, child=self._name, error=error)
                return None
        return await self._process.wait()


def _told(code: int | None) -> str:
    if code is None:
        return "not started"
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


_LIBC = ctypes.CDLL(None)  # found here: between fork and exec another thread may hold the loader's lock


def end_with_parent(parent: int | None = None) -> None:
    """In a child, before it is a program: SIGTERM for it when its parent dies, however that dies.

    `parent` is the parent's process id, for a parent that was dead before this could be asked for.
    """
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent is not None and os.getppid() != parent:
        os._exit(0)
