"""`engineroom COMMAND` as a process that is expected to end: its code, stdout and stderr."""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

PATIENCE_SECONDS = 60.0


class Ended(msgspec.Struct, frozen=True):
    """How a command ended."""

    code: int
    out: str
    err: str


async def engineroom(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> Ended:
    """Run it to its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pool.entry", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        env={**os.environ, **environment},
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return Ended(process.returncode or 0, out.decode(), err.decode())
