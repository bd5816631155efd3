"""Every expression of every dashboard, asked of a real Prometheus that scrapes a running pool: each shows it.

What is counted from 0 says nothing while it is 0, so everything happens once. The pool has a node, and one
that is away but for a moment. Its miner finds three blocks: the first one's payment is confirmed, the second
one's is under way, the third is immature. Shares are refused, late and stale; a stranger's name is refused, a
connection is turned away, the database is locked for a while, an account is on hold.
The farm has four machines: one of which too much is refused, one that is well, one that is paused, one cut.
"""

import asyncio
import contextlib
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.grafana.build import FOLDER
from pool.accounting.control import ask
from pool.accounting.ledger import OPERATOR
from pool.farm.pause_file import PauseFile
from pool.farm.pauses import Pause, begun
from pool.miner.client import Job
from pool.storage.opening import ACCOUNTS_FILE
from tests.deploy.grafana import dashboard_expressions
from tests.deploy.promql import Expression
from tests.harness.devnode import RunningDevnode
from tests.harness.hand_miner import HandMiner, HandShare
from tests.harness.litecoind import free_ports
from tests.harness.pool_process import RunningPool
from tests.harness.prometheus import Prometheus, Sample

ALERTS = Path(__file__).parents[2] / "deploy/prometheus/alerts.yml"
REGTEST_TARGET = 0x7FFFFF << 232  # bits 207fffff: every share of this pool is a block
CHOSEN = {"window": "1m"}
LOOK_SECONDS = 0.1
RIPE_BLOCKS = 101
PATIENCE_SECONDS = 20.0
PAYOUT = """{{scheme: pplns, address: {address}, minimum_sats: 1000,
  wallet: {{fallback_fee_sats_per_vbyte: 2, interval_minutes: 10080}}}}"""
MORE = """\
template_refresh_seconds: 1
accounting: {slot_seconds: 1}
farm:
  name_pattern: '(?P<hall>[a-z]+)-(?P<row>[0-9]+)'
  expected_terahashes: 1e-8
  power: {currency: CNY, price_per_kwh: 0.5, joules_per_terahash: 1000, coin_price: 2350}
"""
MOST_CONNECTIONS = 6
REFUSED_SHARES = 12  # eight are needed before a machine is called rejecting


class Watched:
    """A pool, its node, and the Prometheus that watches it."""

    def __init__(
        self, node: RunningDevnode, away: RunningDevnode, pool: RunningPool, prometheus: Prometheus
    ) -> None:
        self.node = node
        self.away = away  # not running
        self.pool = pool
        self.prometheus = prometheus

    async def find_block(self, miner: HandMiner) -> None:
        """On a tip that was not mined on yet; sent in twice, so that the second one is refused."""
        job = await self.job(miner)
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

    async def job(self, miner: HandMiner) -> Job:
        """On the node's tip."""
        return await miner.next_job(previous_hash_hex=await self.node.rpc("getbestblockhash"))

    async def deliver(self, miner: HandMiner) -> tuple[Job, HandShare]:
        """A share, which may come too late once or twice: others find blocks meanwhile."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                job = await self.job(miner)
                share = miner.find(job, min(job.target, REGTEST_TARGET))
                if await miner.submit(job, share) is None:
                    return job, share

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
        settings = running.settings_file.read_text()
        for old, new in {
            "metrics: {port: 0}": f"metrics: {{port: {metrics_port}, workers_limit: 3, groups_limit: 4}}",
            "stratum:\n": f"stratum:\n  maximum_connections_per_address: {MOST_CONNECTIONS}\n",
        }.items():
            settings = settings.replace(old, new)
        running.settings_file.write_text(settings)
        prometheus = Prometheus(directory, [f"127.0.0.1:{metrics_port}"], rule_files=[ALERTS])
        async with running as pool, prometheus:
            await prometheus.wait_for("engineroom_wallet_balance_sats", seconds=PATIENCE_SECONDS)
            yield Watched(node, absent, pool, prometheus)


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


async def farm_lives(pool: Watched) -> list[HandMiner]:
    """A machine that is rejected again and again, and one that is paused; they stay connected."""
    machines = [
        await HandMiner.connect(pool.pool.port, f"{pool.pool.address}.{name}", pool.pool.algorithm)
        for name in ("a-2", "a-3", "a-4")
    ]
    for machine in machines:
        job, share = await pool.deliver(machine)
        if machine is machines[0]:
            for _ in range(REFUSED_SHARES):
                assert await machine.submit(job, share) is not None
    # one that is paused before its first share is known was off by itself, and saves nothing
    await pool.shows('sum(engineroom_farm_machines) == 4 and sum(engineroom_farm_machines{state="new"}) == 0')
    now_us = time.time_ns() // 1000
    PauseFile(pool.pool.data_directory).change(lambda pauses: begun(pauses, Pause("a/row-3", now_us)))
    await pool.shows('engineroom_farm_machines{state="rejecting"} == 1')
    await pool.shows('engineroom_farm_machines{state="paused"} == 1')
    return machines


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


async def be_turned_away(port: int) -> None:
    """One more comes from an address than may."""
    come = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS)]
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(come[-1][0].read(), PATIENCE_SECONDS) == b""
    for _, writer in come:
        writer.close()


async def be_late(pool: Watched, miner: HandMiner) -> None:
    """A share comes just after the next block, and one long after."""
    [before] = await pool.prometheus.query("engineroom_shares_late_total")
    newest = await pool.job(miner)
    async with asyncio.timeout(PATIENCE_SECONDS):
        code: int | None = -1
        while code is not None:  # on a busy machine it may be too late at once
            job = newest
            share = miner.find(job, min(job.target, REGTEST_TARGET))
            [tip] = await pool.node.mine(1)
            newest = await miner.next_job(previous_hash_hex=tip)
            code = await miner.submit(job, share)
        while await miner.submit(job, miner.find(job, min(job.target, REGTEST_TARGET))) is None:
            await asyncio.sleep(LOOK_SECONDS)  # until the grace is over
    await pool.shows(f"engineroom_shares_late_total > {before.value}")


async def fail_over(pool: Watched) -> None:
    """The node that is away comes with one block more, and goes again."""
    home = pool.node
    async with pool.away as away:
        for height in range(1, await home.rpc("getblockcount") + 1):
            block = await home.rpc("getblock", await home.rpc("getblockhash", height), 0)
            await away.rpc("submitblock", block)
        [newest] = await away.mine(1)
        await pool.pool.says("work comes from node away now")
        await home.rpc("submitblock", await away.rpc("getblock", newest, 0))
    await pool.pool.says("work comes from node home now")


async def the_operator_intervenes(pool: Watched) -> None:
    """An account is given something, which it is owed from now on, and is on hold."""
    directory, account, why = pool.pool.data_directory, pool.pool.address, "it was forgotten"
    await ask(directory, "correct", account=account, against=OPERATOR, sats=5_000, reason=why)
    await ask(directory, "hold", scope=account, reason=why)


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another program writes to it."""
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


ZERO_HERE = {
    # a gateway raises one where its disk or the clock fails
    'sum(engineroom_alarm{gateway=~".*"})',
    'max by (gateway, alarm) (engineroom_alarm{gateway=~".*"})',
    # every share of this pool is a block: no round takes work, and there is no luck
    "engineroom_round_effort_ratio",
    "engineroom_last_round_effort_ratio",
    "engineroom_luck_p_value",
    # a spool whose frames are damaged waits for a person
    'engineroom_sources_stopped{gateway=~".*"}',
}
"""Expressions that show nothing but 0 after all this, and why. They have to have data as well."""
ZERO_FOR_A_MINUTE = {
    # what pauses save is added up once a minute, which is longer than all this takes
    "engineroom_pause_saved_30_days",
    "engineroom_pause_unspent_kwh_30_days",
}
"""Expressions that show 0 for so long, and something then."""


def all_expressions() -> list[Expression]:
    return [one for path in sorted(FOLDER.glob("*.json")) for one in dashboard_expressions(path, CHOSEN)]


def shows_something(samples: list[Sample]) -> bool:
    return any(sample.value != 0 and not math.isnan(sample.value) for sample in samples)


def is_zero(samples: list[Sample]) -> bool:
    """So that what begins to show something is taken from the list."""
    return bool(samples) and all(sample.value == 0 for sample in samples)


def expected_of(expression: str) -> Callable[[list[Sample]], bool]:
    if expression in ZERO_FOR_A_MINUTE:
        return bool
    return is_zero if expression in ZERO_HERE else shows_something


async def test_every_expression_of_every_dashboard_has_data_once_it_all_has_happened(tmp_path: Path) -> None:
    async with watched(tmp_path) as pool:
        user = f"{pool.pool.address}.a-1"
        miner = await HandMiner.connect(pool.pool.port, user, pool.pool.algorithm)
        await live_through(pool, miner)
        machines = await farm_lives(pool)
        await be_turned_away(pool.pool.port)
        await be_late(pool, miner)
        with locked(pool.pool.data_directory / ACCOUNTS_FILE):
            await fail_over(pool)
            await pool.shows("engineroom_database_errors_total > 0")
        await the_operator_intervenes(pool)
        await pool.node.send()
        asked = all_expressions()
        answers = await asyncio.gather(
            *(pool.prometheus.wait_for(one.text, expected_of(one.text)) for one in asked),
            return_exceptions=True,
        )
        assert {one.text for one in asked} >= ZERO_HERE | ZERO_FOR_A_MINUTE
        for one in (miner, *machines):
            await one.close()
        silent = [
            f"{one.where}: {answer}"
            for one, answer in zip(asked, answers, strict=True)
            if isinstance(answer, BaseException)
        ]
        assert not silent, "\n".join(silent)
