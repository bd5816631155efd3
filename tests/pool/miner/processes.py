"""Processes that are not the test's own children, found in /proc: whose they are, when they have ended."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

WAIT_SECONDS = 20


def session_members(session: int) -> list[int]:
    """The living processes of a session: also those whose parent has died."""
    return [pid for pid, its_session in _living() if its_session == session]


def with_environment(name: str, value: str) -> list[int]:
    """The living processes that inherited a variable with this value."""
    wanted = f"{name}={value}".encode()
    found = []
    for pid, _ in _living():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if wanted in environment.split(b"\0"):
            found.append(pid)
    return found


async def all_ended(pids: list[int]) -> None:
    """Wait for processes that are not ours to wait for."""
    loop = asyncio.get_running_loop()
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ended = asyncio.Event()
        loop.add_reader(handle, ended.set)
        try:
            await asyncio.wait_for(ended.wait(), WAIT_SECONDS)
        finally:
            loop.remove_reader(handle)
            os.close(handle)


def _living() -> Iterator[tuple[int, int]]:
    """Process and session ids."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # behind the name, which may hold anything: state, parent, group, session
            state, _, _, session, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state not in "ZX":
            yield int(folder.name), int(session)
