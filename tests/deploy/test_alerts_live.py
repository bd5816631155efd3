"""The alerts that we ship, in a real Prometheus that scrapes a running pool: each rule can be evaluated."""

from pathlib import Path

from tests.deploy.test_dashboards_live import watched
from tests.harness.hand_miner import HandMiner


async def test_a_pool_that_has_found_a_block_tells_of_it_and_of_the_node_that_is_away(tmp_path: Path) -> None:
    """Its other node is away from the start, which is told after a minute; until then it is pending."""
    async with watched(tmp_path) as pool:
        user = f"{pool.pool.address}.a-1"
        miner = await HandMiner.connect(pool.pool.port, user, pool.pool.algorithm)
        # It has watched for some scrapes: `increase` makes one of two samples more than it was.
        await pool.shows('count_over_time(engineroom_block_outcomes_total{outcome="accepted"}[1m]) > 5')
        await pool.find_block(miner)
        await pool.shows('ALERTS{alertname="EngineroomBlockFound", alertstate="firing"}')
        await pool.prometheus.wait_for_rules()
        await miner.close()
        found = {(one.labels["alertname"], one.state): one for one in await pool.prometheus.alerts()}
        # On a busy machine the loops are late as well, for as long as it is busy.
        assert found.keys() - {("EngineroomNodeDown", "firing"), ("EngineroomLoopStalls", "pending")} == {
            ("EngineroomWatchdog", "firing"),
            ("EngineroomBlockFound", "firing"),
            ("EngineroomNodeDown", "pending"),
        }
        summary = found["EngineroomNodeDown", "pending"].annotations["summary"]
        assert summary == "Node away cannot supply work: unreachable"
        block = found["EngineroomBlockFound", "firing"].annotations["summary"]
        assert block == "A block was found and accepted"
