"""`engineroom mine` against a pool of prepared answers: what it counts, how it comes back, how it ends."""

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pool.miner.run import MinerOptions, run_miner
from tests.harness.litecoind import free_ports
from tests.pool.miner.processes import all_ended, session_members
from tests.pool.miner.scripted_pool import Refusal, ScriptedPool

USER = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig"
WAIT_SECONDS = 20
LOW = Refusal(23, "low difficulty")


async def mine(url: str, said: list[str] | None = None, **options: Any) -> int:
    """Run it in this process, to its end."""
    say = said.append if said is not None else None
    async with asyncio.timeout(WAIT_SECONDS):
        return await run_miner(MinerOptions(url=url, user=USER, **options), say)


async def test_it_ends_with_0_after_so_many_accepted_shares() -> None:
    said: list[str] = []
    async with ScriptedPool() as pool:
        assert await mine(pool.url, said, shares=4) == 0
        user, job, extranonce2, ntime, nonce, _version_bits = await pool.asked("mining.submit")
    assert (user, job, ntime) == (USER, "65a1", "662300a0")
    assert (len(extranonce2), len(nonce)) == (16, 8)
    assert said[0] == f"connected to 127.0.0.1 port {pool.port}"
    assert "new work 65a1" in said
    assert said[-1].startswith("done: 4 shares accepted, rejected: none; ")
    assert pool.connections == 1
    assert multiprocessing.active_children() == []


async def test_refused_shares_are_told_and_counted_by_reason_and_do_not_count_as_accepted() -> None:
    said: list[str] = []
    async with ScriptedPool() as pool:
        pool.verdicts = [LOW, Refusal(21, "stale"), LOW]
        assert await mine(pool.url, said, shares=1) == 0
    assert said.count("share rejected: low difficulty") == 2
    assert said[-1].startswith("done: 1 shares accepted, rejected: 2 × low difficulty, 1 × stale; ")


async def test_it_comes_back_after_a_lost_connection_and_goes_on_counting() -> None:
    said: list[str] = []
    async with ScriptedPool() as pool:
        pool.verdicts = [LOW] * 1000  # so that it does not end before the connection is cut
        mining = asyncio.create_task(mine(pool.url, said, shares=1))
        await pool.asked("mining.authorize")
        await pool.asked("mining.submit")
        pool.verdicts.clear()
        pool.drop()
        await pool.asked("mining.authorize")
        assert await mining == 0
        assert pool.connections == 2
    assert "connection lost" in said
    assert said[-1].startswith("done: 1 shares accepted, rejected: ")


async def test_a_share_goes_out_with_version_bits_inside_the_granted_mask_or_with_none() -> None:
    async with ScriptedPool() as pool:
        assert await mine(pool.url, [], shares=1) == 0
        assert await pool.asked("mining.configure")
        version_bits = (await pool.asked("mining.submit"))[5]
        assert int(version_bits, 16) & ~0x1FFFE000 == 0
        assert int(version_bits, 16) != 0  # honest version rolling rolls
        assert await mine(pool.url, [], shares=1, version_rolling=False, suggest_difficulty=0.25) == 0
        assert await pool.asked("mining.suggest_difficulty") == [0.25]
        while len(params := await pool.asked("mining.submit")) != 5:
            assert len(params) == 6  # of the first run


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:3333",
        "stratum+tcp://127.0.0.1",
        "stratum+tcp://:3333",
        "stratum+tcp://127.0.0.1:70000",
        "stratum+tcp://[::1",
        "http://127.0.0.1:3333",
        "",
    ],
)
async def test_an_address_that_is_none_is_one_line_that_says_how_to_write_one(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await mine(url) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"engineroom mine: {url!r} is not a pool's address; write stratum+tcp://HOST:PORT\n"


async def test_a_pool_that_is_not_there_at_the_start_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    [port] = free_ports(1)
    assert await mine(f"stratum+tcp://127.0.0.1:{port}") == 1
    err = capsys.readouterr().err
    assert err.startswith(f"engineroom mine: cannot connect to stratum+tcp://127.0.0.1:{port}: ")
    assert err.endswith("; is the pool running there?\n")
    assert err.count("\n") == 1


async def test_a_refused_login_is_one_line_and_not_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    async with ScriptedPool() as pool:
        pool.answers["mining.authorize"] = Refusal(24, "this is no address of bitcoin regtest")
        assert await mine(pool.url, []) == 1
        assert pool.connections == 1
    err = capsys.readouterr().err
    assert err == (
        f"engineroom mine: the pool refuses authorize for {USER}: this is no address of bitcoin regtest\n"
    )


async def test_an_unknown_algorithm_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert await mine("stratum+tcp://127.0.0.1:1", algorithm="x11") == 1
    err = capsys.readouterr().err
    assert err == "engineroom mine: there is no algorithm 'x11'; choose sha256d or scrypt\n"


# ---------------------------------------------------------------------------- as a process


@asynccontextmanager
async def mining_process(url: str, output: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Two workers, in a session of their own, which is how they are found again."""
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pool.entry", "mine", "--url", url, "--user", USER, "--threads", "2"),
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for pid in session_members(process.pid):
            os.kill(pid, signal.SIGKILL)
        await process.wait()


def is_worker(pid: int) -> bool:
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()


async def both_workers_have_submitted(pool: ScriptedPool) -> None:
    """Each has its own stretch of the extranonces: even numbers the one, odd ones the other."""
    seen: set[int] = set()
    while seen != {0, 1}:
        extranonce2 = (await pool.asked("mining.submit"))[2]
        seen.add(int(extranonce2[:2], 16) % 2)


async def test_the_workers_end_when_the_miner_is_killed(tmp_path: Path) -> None:
    async with ScriptedPool() as pool, mining_process(pool.url, tmp_path / "out") as process:
        await both_workers_have_submitted(pool)
        others = [pid for pid in session_members(process.pid) if pid != process.pid]
        assert sum(map(is_worker, others)) == 2
        process.kill()
        await process.wait()
        await all_ended(others)
        assert session_members(process.pid) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_0_and_the_total(number: signal.Signals, tmp_path: Path) -> None:
    async with ScriptedPool() as pool, mining_process(pool.url, tmp_path / "out") as process:
        await both_workers_have_submitted(pool)
        os.killpg(process.pid, number) if number is signal.SIGINT else process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), WAIT_SECONDS) == 0
        await all_ended(session_members(process.pid))
    [*_, last] = (output := (tmp_path / "out").read_text()).splitlines()
    assert "done: " in last
    assert "shares accepted, rejected: none" in last
    assert "Traceback" not in output


async def test_a_killed_worker_ends_it_with_one_line(tmp_path: Path) -> None:
    async with ScriptedPool() as pool, mining_process(pool.url, tmp_path / "out") as process:
        await both_workers_have_submitted(pool)
        worker = next(pid for pid in session_members(process.pid) if is_worker(pid))
        os.kill(worker, signal.SIGKILL)
        assert await asyncio.wait_for(process.wait(), WAIT_SECONDS) == 1
        await all_ended(session_members(process.pid))
    output = (tmp_path / "out").read_text()
    assert output.endswith("engineroom mine: a worker process was killed; is the machine out of memory?\n")
    assert "Traceback" not in output
