"""Processes that look on while something is measured, so that they wait for nothing but the machine."""

import asyncio
import sys
from types import ModuleType


class Beside:
    """A module's `main` in a process of its own while `async with` lasts. It ends with its standard input;
    `said` is what it printed."""

    def __init__(self, module: ModuleType, *arguments: object) -> None:
        self.said = ""
        self._command = (sys.executable, "-m", module.__name__, *map(str, arguments))

    async def __aenter__(self) -> "Beside":
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        said, _ = await self._process.communicate(b"")  # ends its standard input
        if self._process.returncode:
            raise RuntimeError(f"{self._command[2]} has failed")
        self.said = said.decode()
