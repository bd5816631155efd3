"""Every expression of every dashboard, asked of a real Prometheus that scrapes a running pool: each has data.

The pool has a node, and one that is not there. Its miner finds three blocks: the first one's payment is
confirmed, the second one's is under way, the third is immature. A share is refused, and a stranger's name.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.grafana.build import FOLDER
from pool.accounting.control import ask
from pool.instruments.farm_metrics import FARM_METRICS
from pool.instruments.reference import exposed_name
from tests.deploy.grafana import dashboard_expressions
from tests.deploy.promql import Expression, metric_names
from tests.harness.devnode import RunningDevnode
from tests.harness.hand_miner import HandMiner
from tests.harness.litecoind import free_ports
from tests.harness.pool_process import RunningPool
from tests.harness.prometheus import Prometheus, Sample

# The farm's metrics have names and no figures yet: expressions of them only have to be PromQL. With the first
# figure this set goes, and what is told by it.
NOT_EXPOSED_YET = {exposed_name(metric) for metric in FARM_METRICS}

ALERTS = Path(__file__).parents[2] / "deploy/prometheus/alerts.yml"
REGTEST_TARGET = 0x7FFFFF << 232  # bits 207fffff: every share of this pool is a block
CHOSEN = {"window": "1m"}
LOOK_SECONDS = 0.1
RIPE_BLOCKS = 101
PATIENCE_SECONDS = 20.0
PAYOUT = """{{scheme: pplns, address: {address}, minimum_sats: 1000,
  wallet: {{fallback_fee_sats_per_vbyte: 2, interval_minutes: 10080}}}}"""
MORE = "template_refresh_seconds: 1\naccounting: {slot_seconds: 1}\n"


class Watched:
    """A pool, its node, and the Prometheus that watches it."""

    def __init__(self, node: RunningDevnode, pool: RunningPool, prometheus: Prometheus) -> None:
        self.node = node
        self.pool = pool
        self.prometheus = prometheus

    async def find_block(self, miner: HandMiner) -> None:
        """On a tip that was not mined on yet; sent in twice, so that the second one is refused."""
        job = await miner.next_job(previous_hash_hex=await self.node.rpc("getbestblockhash"))
        share = miner.find(job, min(job.target, REGTEST_TARGET))
        assert await miner.submit(job, share) is None
        assert await miner.submit(job, share) is not None
        await miner.next_job(previous_hash_hex=share.block_hash)

    async def pay(self) -> None:
        """Once there is something to pay; the payment is under way then."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (await ask(self.pool.data_directory, "payouts_run"))["payment_ids"]:
                await asyncio.sleep(LOOK_SECONDS)
            while not await self.node.rpc("getrawmempool"):
                await asyncio.sleep(LOOK_SECONDS)

    async def shows(self, expression: str) -> None:
        await self.prometheus.wait_for(expression, seconds=PATIENCE_SECONDS)


@asynccontextmanager
async def watched(directory: Path) -> AsyncIterator[Watched]:
    (directory / "password").write_text("p")
    [metrics_port] = free_ports(1)
    async with RunningDevnode(directory, name="home") as node:
        await node.mine(1)
        absent = RunningDevnode(directory, name="away")  # never started
        address = await node.rpc("getnewaddress")
        running = RunningPool(
            directory,
            [node, absent],
            payout=PAYOUT.format(address=address),
            stratum_extra=MORE,
            accountant=True,
        )
        metrics = f"metrics: {{port: {metrics_port}}}"
        settings = running.settings_file.read_text()
        running.settings_file.write_text(settings.replace("metrics: {port: 0}", metrics))
        prometheus = Prometheus(directory, [f"127.0.0.1:{metrics_port}"], rule_files=[ALERTS])
        async with running as pool, prometheus:
            await prometheus.wait_for("engineroom_wallet_balance_sats", seconds=PATIENCE_SECONDS)
            yield Watched(node, pool, prometheus)


async def be_refused(port: int) -> None:
    """A stranger whose name is no address comes and goes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number, words in enumerate(
        (b'"mining.subscribe", "params": []', b'"mining.authorize", "params": ["me", "x"]')
    ):
        writer.write(b'{"id": %d, "method": %b}\n' % (number, words))
    assert await asyncio.wait_for(reader.readuntil(b"User must be an address"), PATIENCE_SECONDS)
    writer.close()
    await writer.wait_closed()


async def live_through(pool: Watched, miner: HandMiner) -> None:
    """Everything that a dashboard shows happens, after Prometheus has seen it not happen."""
    await be_refused(pool.pool.port)
    await pool.find_block(miner)
    await pool.node.mine(1)
    await pool.find_block(miner)
    await pool.node.mine(RIPE_BLOCKS - 2)  # the first is ripe now, the second with the blocks that confirm
    await pool.pay()
    await pool.node.mine(6)
    await pool.pay()
    await pool.find_block(miner)
    await pool.shows('engineroom_payments{state="confirmed"} == 1')
    await pool.shows('engineroom_payments{state="broadcast"} == 1')
    await pool.shows("engineroom_immature_owed_sats > 0")


def all_expressions() -> list[Expression]:
    return [one for path in sorted(FOLDER.glob("*.json")) for one in dashboard_expressions(path, CHOSEN)]


def asks_for_the_farm(expression: Expression) -> bool:
    return not metric_names(expression.text).isdisjoint(NOT_EXPOSED_YET)


def has_a_number(samples: list[Sample]) -> bool:
    return any(not math.isnan(sample.value) for sample in samples)


async def test_every_expression_of_every_dashboard_has_data_once_it_all_has_happened(tmp_path: Path) -> None:
    async with watched(tmp_path) as pool:
        miner = await HandMiner.connect(pool.pool.port, pool.pool.user, pool.pool.algorithm)
        await live_through(pool, miner)
        asked = [one for one in all_expressions() if not asks_for_the_farm(one)]
        answers = await asyncio.gather(
            *(pool.prometheus.wait_for(one.text, has_a_number) for one in asked), return_exceptions=True
        )
        await miner.close()
        silent = [
            f"{one.where}: {answer}"
            for one, answer in zip(asked, answers, strict=True)
            if isinstance(answer, BaseException)
        ]
        assert not silent, "\n".join(silent)
        for one in filter(asks_for_the_farm, all_expressions()):
            assert await pool.prometheus.query(one.text) == [], f"{one.where} has data: see NOT_EXPOSED_YET"
