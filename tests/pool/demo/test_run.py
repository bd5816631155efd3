"""`engineroom demo` as a person starts it: a whole pool, a block, and nothing left behind."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

import aiohttp
from rich.console import Console

from config.loading import load
from pool.app import Application
from pool.demo.display import Display
from pool.demo.run import Demo
from pool.demo.worker_tally import DemoTally
from pool.gateway.block_files import FoundBlock
from pool.gateway.outcome import Outcome
from pool.node.verdicts import Judgement, SubmitVerdict
from tests.harness.http import fetch, samples, value
from tests.pool.miner.processes import all_ended, with_environment

# 4.3 million hashes on average: some seconds, with bad luck or on a busy machine many more; then a payday
BLOCK_SECONDS = 600
START_SECONDS = 30
END_SECONDS = 20


@asynccontextmanager
async def demo(directory: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Its children and theirs are known by the TMPDIR that they inherit."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pool.entry", "demo", "--metrics-port", "0", *arguments),
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


async def test_it_finds_a_block_pays_the_miners_for_it_and_leaves_nothing_behind(short_path: Path) -> None:
    async with demo(short_path, "--blocks", "1") as process:
        output, _ = await asyncio.wait_for(process.communicate(), BLOCK_SECONDS)
        text = output.decode()
        assert process.returncode == 0, text
        await all_ended(with_environment("TMPDIR", str(short_path)))
    # 104 blocks are there before; four of their coinbases are ripe, and each is spent for a fee of 5,000
    found = re.search(r"block 105 ([0-9a-f]{8})….{8}: 50\.00020000, 5 transactions, devnode: accepted", text)
    assert found is not None, text
    assert re.search(rf"hash {found[1]}[0-9a-f]{{56}}$", text, re.MULTILINE)
    assert re.search(r"^\d+ s: [12] miners, .*; blocks: \d$", text, re.MULTILINE)
    # 50.0002 in all, less what went to miners; a second block in the same second may have joined it
    assert re.search(
        r"payment 1: \d+\.\d{8} to [12] miners, fee 0\.0000\d{4}, confirmed$", text, re.MULTILINE
    ), text
    assert re.search(r"transaction [0-9a-f]{64}$", text, re.MULTILINE)
    assert "Traceback" not in text
    assert os.listdir(short_path) == []


async def test_a_folder_that_no_pool_can_run_in_is_one_line(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * 100)  # a Unix socket's path may have 107 bytes (unix(7))
    directory.mkdir()
    async with demo(directory, "--blocks", "1") as process:
        output, _ = await asyncio.wait_for(process.communicate(), START_SECONDS)
        await all_ended(with_environment("TMPDIR", str(directory)))
    (line,) = output.decode().splitlines()
    assert process.returncode == 1
    assert line.startswith(f"engineroom: the pool cannot start in {directory}/")
    assert "TMPDIR" in line
    assert os.listdir(directory) == []


async def test_metrics_are_where_it_says_and_show_its_miners(short_path: Path) -> None:
    async with demo(short_path, "--miners", "2") as process:
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        told = re.fullmatch(rb"metrics on http://127\.0\.0\.1:(\d+)/metrics\n", line)
        assert told is not None, line
        async with asyncio.timeout(START_SECONDS):
            while await connected(int(told[1])) != 2:
                await asyncio.sleep(0.1)
        process.send_signal(signal.SIGINT)
        rest, _ = await asyncio.wait_for(process.communicate(), END_SECONDS)
    assert process.returncode == 0, rest.decode()


async def connected(port: int) -> float | None:
    """Miners by the metrics page; None while there is none."""
    try:
        _, page = await fetch(port, "/metrics")
    except aiohttp.ClientConnectorError:
        return None
    labels = {"gateway": "0", "port": "0", "firmware": "engineroom"}
    return value(samples(page), "engineroom_connections", **labels)


async def test_a_metrics_port_that_is_taken_is_one_line_that_says_what_to_do(short_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with demo(short_path, "--metrics-port", str(port)) as process:
            output, _ = await asyncio.wait_for(process.communicate(), START_SECONDS)
    (line,) = output.decode().splitlines()
    assert process.returncode == 1
    assert line.startswith(
        f"engineroom: cannot show metrics on 127.0.0.1 port {port}: Address already in use; "
    )
    assert "--metrics-port" in line
    assert os.listdir(short_path) == []


SETTINGS = """\
coin: bitcoin
network: regtest
data_directory: pool
payout: {scheme: solo}
nodes:
  - {name: devnode, url: "http://127.0.0.1:9", cookie_file: cookie}
stratum:
  listeners: [{address: 127.0.0.1, port: 0}]
"""


def found(height: int) -> FoundBlock:
    return FoundBlock(
        network="bitcoin regtest",
        block_hash=f"{height:064x}",
        height=height,
        reward_sats=5_000_000_000,
        transactions=1,
        job_id="1",
        user="u",
        account="u",
        worker="",
        found_at=1_700_000_000.0,
        crosses_time_edge=False,
    )


class Stage:
    """A demo of a pool that does not run, to be told of blocks."""

    def __init__(self, directory: Path, wanted: int) -> None:
        (directory / "engineroom.yaml").write_text(SETTINGS)
        self.application = Application(load(directory / "engineroom.yaml"))
        self.paper = StringIO()
        display = Display(Console(file=self.paper, width=80, force_terminal=False))
        self.demo = Demo(self.application, DemoTally(), display, wanted)

    def settle(self, height: int, outcome: Outcome, judgement: Judgement, text: str) -> None:
        verdict = SubmitVerdict("devnode", judgement, text)
        self.application.block_settled(found(height), outcome, [verdict])


async def test_only_accepted_blocks_are_counted_and_a_side_branch_does_not_fail_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, wanted=2)
    stage.settle(105, Outcome.ACCEPTED, Judgement.ACCEPTED, "accepted")
    stage.settle(105, Outcome.SIDE_BRANCH, Judgement.SIDE_BRANCH, "inconclusive: on a side branch")
    assert len(stage.demo.snapshot().blocks) == 1
    assert not stage.demo.enough.is_set()
    assert f"block 105 {105:064x} on a side branch: node devnode: inconclusive" in stage.paper.getvalue()
    stage.settle(106, Outcome.ACCEPTED, Judgement.ACCEPTED, "accepted")
    assert stage.demo.enough.is_set()
    assert stage.demo.conclude() == 0
    assert "; blocks: 2\n" in stage.paper.getvalue()


async def test_a_refused_block_fails_it_and_says_why(tmp_path: Path) -> None:
    stage = Stage(tmp_path, wanted=1)
    stage.settle(105, Outcome.REFUSED, Judgement.REFUSED, "bad-cb-amount")
    assert not stage.demo.enough.is_set()
    stage.settle(105, Outcome.ACCEPTED, Judgement.ACCEPTED, "accepted")
    assert stage.demo.conclude() == 1
    assert f"block 105 {105:064x} refused: node devnode: bad-cb-amount" in stage.paper.getvalue()


async def test_ctrl_c_ends_it_with_0_and_leaves_nothing_behind(short_path: Path) -> None:
    async with demo(short_path, "--miners", "1") as process:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        assert line.startswith(b"pool on stratum+tcp://127.0.0.1:"), line
        process.send_signal(signal.SIGINT)
        rest, _ = await asyncio.wait_for(process.communicate(), END_SECONDS)
        assert process.returncode == 0, rest.decode()
        await all_ended(with_environment("TMPDIR", str(short_path)))
    assert b"Traceback" not in rest
    assert os.listdir(short_path) == []


async def test_killed_outright_it_takes_its_node_and_its_miners_with_it(short_path: Path) -> None:
    async with demo(short_path) as process:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        assert line.startswith(b"pool on stratum+tcp://127.0.0.1:"), line
        process.kill()
        await process.wait()
        await all_ended(with_environment("TMPDIR", str(short_path)))
        assert with_environment("TMPDIR", str(short_path)) == []
