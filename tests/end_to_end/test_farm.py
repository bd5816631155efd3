"""`engineroom farm` against a running product: as a table, of a group, as JSON, and where nobody answers."""

import asyncio
import json
from pathlib import Path

from tests.end_to_end.nodes import make_node
from tests.end_to_end.test_metrics import REGTEST_TARGET, metrics_port, metrics_where
from tests.harness.command import engineroom
from tests.harness.hand_miner import HandMiner
from tests.harness.pool_process import RunningPool

PATIENCE_SECONDS = 60.0
FARM = """
farm:
  inventory: machines.csv
  power: {currency: CNY, price_per_kwh: 0.5, coin_price: 700000}
"""
# A share takes 43,000 hashes: at 1,000 a second one in 43 seconds, and minutes until it is missed.
INVENTORY = """\
name,group,model,expected_ths,watts
rig,hall-a/rack-1,S19,0.000000001,3250
spare,hall-a/rack-2,S19,104,3250
"""


async def test_the_farm_is_shown_as_a_table_of_a_group_and_as_json(tmp_path: Path) -> None:
    (tmp_path / "machines.csv").write_text(INVENTORY)
    async with make_node("devnode", tmp_path) as node:
        await node.mine(1)
        pool = RunningPool(tmp_path, [node], accountant=True, stratum_extra=FARM)
        command = ("farm", "-c", pool.settings_file)
        async with pool:
            port = await metrics_port(pool)
            miner = await HandMiner.connect(pool.port, pool.user, pool.algorithm)
            job = await miner.next_job()
            assert await miner.submit(job, miner.find(job, min(job.target, REGTEST_TARGET))) is None
            machine = {"account": pool.address, "worker": "rig", "group": "hall-a/rack-1"}
            await metrics_where(port, "engineroom_worker_last_share_timestamp_seconds", 1, **machine)
            table = await engineroom(*command)
            of_group = await engineroom(*command, "--group", "hall-a/rack-1/", "--json")
            unknown = await engineroom(*command, "--group", "hall-b")
            present = await engineroom("farm", "forget", "rig", "-c", pool.settings_file)
            await miner.close()
            old = await HandMiner.connect(pool.port, f"{pool.address}.old", pool.algorithm)
            await metrics_where(port, "engineroom_farm_machines", 2, state="new")
            await old.close()
            async with asyncio.timeout(PATIENCE_SECONDS):
                while '"connections": 1' in (await engineroom(*command, "--json")).out:
                    pass  # the frames that say so are read within a second
            forgotten = await engineroom("farm", "forget", "old", "-c", pool.settings_file)
            left = await engineroom(*command)
        nobody = await engineroom(*command)
    assert (table.code, table.err) == (0, "")
    lines = table.out.splitlines()
    assert lines[0].startswith("2 machines: 1 ok, 1 new; ")
    assert any(line.split()[:3] == ["spare", "hall-a/rack-2", "new"] for line in lines)
    assert any(line.startswith("profit a day") for line in lines)
    report = json.loads(of_group.out)
    assert report["group"] == "hall-a/rack-1"
    [machine_line] = report["machines"]
    assert (machine_line["name"], machine_line["connections"], machine_line["model"]) == ("rig", 1, "S19")
    assert machine_line["measured"] > 0
    assert (unknown.code, unknown.out) == (1, "")
    assert unknown.err.strip().count("\n") == 0
    assert "no machine is in 'hall-b'; the nearest: hall-a" in unknown.err
    assert (present.code, present.out) == (1, "")
    assert "'rig' is in the inventory: take it out there, and start the pool again" in present.err
    assert (forgotten.code, forgotten.err) == (0, "")
    assert forgotten.out == "old is forgotten; if it comes again, it is a new machine\n"
    assert left.out.startswith("2 machines: ")
    assert (nobody.code, nobody.out) == (1, "")
    assert nobody.err.strip().count("\n") == 0
    assert "Traceback" not in nobody.err
