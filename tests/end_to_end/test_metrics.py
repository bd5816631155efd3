"""What Prometheus sees of a running product: the pool on a node, a miner, and its metrics over HTTP."""

import asyncio
import os
import re
import signal
from pathlib import Path
from typing import Any

from pool.accounting.sources import epochs_on_disk
from pool.gateway.readings import SUM
from pool.instruments.following import Follower, Mark
from pool.instruments.gateway_metrics import GATEWAY_METRICS
from pool.spool.records import Instrument
from tests.end_to_end.nodes import make_node
from tests.harness.hand_miner import HandMiner
from tests.harness.http import Samples, fetch, fetch_json, samples, value
from tests.harness.pool_process import RunningPool

REGTEST_TARGET = 0x7FFFFF << 232  # bits 207fffff: every second hash is a block
DEADLINE_SECONDS = 30.0
METRICS_OF_A_GATEWAY = [metric.name for metric in GATEWAY_METRICS]
METRICS_ON = re.compile(r"metrics on http://127\.0\.0\.1:(\d+)/metrics")


async def metrics_port(pool: RunningPool, *, times: int = 1) -> int:
    """Of the accountant that was started last, `times` in all."""
    match = METRICS_ON.search(await pool.says("metrics on", times=times))
    assert match is not None
    return int(match[1])


async def metrics_where(port: int, name: str, least: float, **labels: str) -> Samples:
    """The page, once a sample has reached a value."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            _, page = await fetch(port, "/metrics")
            found = samples(page)
            if (value(found, name, **labels) or 0.0) >= least:
                return found
            await asyncio.sleep(0.1)


async def test_a_share_a_refusal_and_a_block_show_in_the_metrics(tmp_path: Path) -> None:
    async with make_node("devnode", tmp_path) as node:
        await node.mine(1)
        async with RunningPool(tmp_path, [node], accountant=True) as pool:
            port = await metrics_port(pool)
            miner = await HandMiner.connect(pool.port, pool.user, pool.algorithm)
            job = await miner.next_job()
            assert await miner.submit(job, miner.find(job, min(job.target, REGTEST_TARGET))) is None
            found = await metrics_where(port, "engineroom_blocks", 1, state="accepted")
            await miner.close()
        assert measured_in(pool.data_directory / "spool") <= set(METRICS_OF_A_GATEWAY), (
            "else it is shown nowhere"
        )
    one = {"gateway": "0"}
    assert value(found, "engineroom_shares_accepted_total", **one) == 1
    assert value(found, "engineroom_block_outcomes_total", outcome="accepted", **one) == 1
    assert value(found, "engineroom_shares_rejected_total", reason="duplicate", **one) == 0, "from the start"
    assert value(found, "engineroom_node_height", node="node", **one) == 2
    assert (value(found, "engineroom_pool_hashrate_hashes_per_second", window="1m") or 0) > 0


def measured_in(spool: Path) -> set[str]:
    """The names of all that gateways have measured; of histograms without the ending of their sums."""
    marks = [Mark(one.name, one.epoch, 0) for one in epochs_on_disk(spool, None)]
    frames = [one.frame for passage in Follower(spool, marks).poll() for one in passage.deliveries]
    found = {
        record.name.removesuffix(SUM)
        for frame in frames
        for record in frame.records
        if isinstance(record, Instrument)
    }
    assert "has_work" in found
    return found


async def test_a_pool_is_ready_once_it_has_node_job_spool_and_database_and_says_what_is_missing(
    tmp_path: Path,
) -> None:
    async with make_node("devnode", tmp_path) as node:
        await node.mine(1)
        async with RunningPool(tmp_path, [node], accountant=True) as pool:
            port = await metrics_port(pool)
            assert await fetch_json(port, "/healthz") == (200, {"status": "alive"})
            await until_ready(port, 200)
            await node.stop()
            answer = await until_ready(port, 503)
    assert answer["status"] == "not ready"
    assert answer["checks"]["node"] == {"ok": False, "cause": "no node supplies work"}
    assert answer["checks"]["database"] == {"ok": True}


async def until_ready(port: int, status: int) -> Any:
    """What `/readyz` says once it has this status."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            found, body = await fetch_json(port, "/readyz")
            if found == status:
                return body
            await asyncio.sleep(0.1)


async def test_counts_go_on_when_the_accountant_is_started_anew_and_windows_are_remembered(
    tmp_path: Path,
) -> None:
    async with make_node("devnode", tmp_path) as node:
        await node.mine(1)
        async with RunningPool(tmp_path, [node], accountant=True) as pool:
            port = await metrics_port(pool)
            miner = await HandMiner.connect(pool.port, pool.user, pool.algorithm)
            job = await miner.next_job()
            assert await miner.submit(job, miner.find(job, min(job.target, REGTEST_TARGET))) is None
            before = await metrics_where(port, "engineroom_shares_applied_total", 1)
            before = await metrics_where(port, "engineroom_shares_accepted_total", 1, gateway="0")
            os.kill(accountant_of(pool.pid), signal.SIGTERM)
            port = await metrics_port(pool, times=2)
            after = await metrics_where(port, "engineroom_database_up", 1)
            await miner.close()
    assert value(after, "engineroom_shares_accepted_total", gateway="0") == 1
    assert value(after, "engineroom_shares_applied_total") == 0, "that one is the accountant's own"
    rate = "engineroom_pool_hashrate_hashes_per_second"
    was, now = value(before, rate, window="24h") or 0, value(after, rate, window="24h") or 0
    assert 0 < now < was


def accountant_of(pid: int) -> int:
    """The pool's only child."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)
