"""What a running pool writes to stderr: JSON, of both processes; and a block with everything in it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.nodes import make_node
from tests.end_to_end.test_mining import mined_by_our_miner
from tests.harness.pool_process import RunningPool


async def block_of_a_running_pool(kind: str, directory: Path) -> tuple[RunningPool, list[dict[str, Any]]]:
    """The pool after a block and its end, and its log, each line of it read as JSON."""
    async with make_node(kind, directory) as node:
        await node.mine(1)
        async with RunningPool(directory, [node], accountant=True, log="{format: json}") as pool:
            await pool.says('"accounts_opened"')
            await mined_by_our_miner(pool)
            await pool.says('"block_found"')
            assert await pool.stop() == 0
    return pool, [json.loads(line) for line in pool.lines]


@pytest.mark.parametrize("kind", ["devnode", "litecoind"])
async def test_every_line_is_an_object_and_a_block_is_one_with_everything_in_it(
    kind: str, tmp_path: Path
) -> None:
    pool, lines = await block_of_a_running_pool(kind, tmp_path)
    assert {line["process"] for line in lines} == {"gateway", "accountant"}
    assert {"at", "level", "event", "logger"} <= set.intersection(*(set(line) for line in lines))
    assert lines[-1]["event"] == "pool_stopped"

    found = next(line for line in lines if line["event"] == "block_found")
    short = f"{pool.address[:6]}…{pool.address[-6:]}"
    assert (found["level"], found["outcome"], found["height"]) == ("info", "accepted", 2)
    assert (found["user"], found["account"], found["worker"]) == (f"{short}.rig", short, "rig")
    assert found["reward_sats"] == 50 * 100_000_000, "regtest's subsidy until its first halving"
    assert found["transactions"] == 1
    assert list(found["verdicts"].values()) == ["accepted"]
    assert found["hash_difficulty"] >= found["network_difficulty"] > 0
    assert 0 <= found["verdict_ms"] < 20_000
    assert not any(pool.address in line for line in pool.lines), "no address is in the log whole"
