"""`engineroom demo` as a person starts it: a whole pool, a block, and nothing left behind."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.pool.miner.processes import all_ended, with_environment

BLOCK_SECONDS = 60  # 4.3 million hashes on average: some seconds, with bad luck some more
START_SECONDS = 30
END_SECONDS = 20


@asynccontextmanager
async def demo(directory: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Its children and theirs are known by the TMPDIR that they inherit."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pool.entry", "demo", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(directory)},
    )
    try:
        yield process
    finally:
        for pid in with_environment("TMPDIR", str(directory)):
            os.kill(pid, signal.SIGKILL)
        await process.wait()


async def test_it_finds_a_block_that_the_node_accepts_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with demo(tmp_path, "--blocks", "1") as process:
        output, _ = await asyncio.wait_for(process.communicate(), BLOCK_SECONDS)
        text = output.decode()
        assert process.returncode == 0, text
        await all_ended(with_environment("TMPDIR", str(tmp_path)))
    # 104 blocks are there before; four of their coinbases are ripe, and each is spent for a fee of 5,000
    found = re.search(r"block 105 ([0-9a-f]{8})….{8}: 50\.00020000, 5 transactions, devnode: accepted", text)
    assert found is not None, text
    assert re.search(rf"hash {found[1]}[0-9a-f]{{56}}$", text, re.MULTILINE)
    assert re.search(r"^\d+ s: 2 miners, .*; blocks: 1$", text, re.MULTILINE)
    assert "Traceback" not in text
    assert os.listdir(tmp_path) == []


async def test_ctrl_c_ends_it_with_0_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with demo(tmp_path, "--miners", "1") as process:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        assert line.startswith(b"pool on stratum+tcp://127.0.0.1:"), line
        process.send_signal(signal.SIGINT)
        rest, _ = await asyncio.wait_for(process.communicate(), END_SECONDS)
        assert process.returncode == 0, rest.decode()
        await all_ended(with_environment("TMPDIR", str(tmp_path)))
    assert b"Traceback" not in rest
    assert os.listdir(tmp_path) == []


async def test_killed_outright_it_takes_its_node_and_its_miners_with_it(tmp_path: Path) -> None:
    async with demo(tmp_path) as process:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        assert line.startswith(b"pool on stratum+tcp://127.0.0.1:"), line
        process.kill()
        await process.wait()
        await all_ended(with_environment("TMPDIR", str(tmp_path)))
        assert with_environment("TMPDIR", str(tmp_path)) == []
