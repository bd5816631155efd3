"""A whole set of books by the settings: intake with prices, rewards, statements, keeper; without a node."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from config.payout_schema import PayoutSettings, PpsSettings, WindowSettings
from config.schema import AccountingSettings, NodeSettings, Settings
from pool.accounting import assembly, blocks
from pool.accounting.agreements import Since, agreement_of
from pool.accounting.bought import priced_slot
from pool.accounting.intake import Horizon
from pool.accounting.journal import Journal
from pool.accounting.journal_entries import BlockChanged, BlockFacts
from pool.accounting.keeping import Keeper, Kept
from pool.accounting.pricing import Pricing
from pool.accounting.rewards import Rewards
from pool.accounting.rollup import rolled_slot
from pool.accounting.statements import Statements
from pool.audit.keys import open_signing_key
from pool.storage.database import Database, Reader
from pool.storage.opening import open_database
from stratum.work.coin import network
from tests.pool.accounting.kept import url_of
from tests.pool.accounting.mined import Books, us


def settings_of(directory: Path, *, accounting: dict[str, Any] | None = None, **payout: Any) -> Settings:
    for name, section in (("window", WindowSettings), ("pps", PpsSettings)):
        if name in payout:
            payout[name] = section(**payout[name])
    return Settings(
        coin="bitcoin",
        network="regtest",
        data_directory=str(directory),
        database=url_of(directory),
        payout=PayoutSettings(**payout),
        accounting=AccountingSettings(**(accounting or {})),
        nodes=(NodeSettings(name="node", url="http://127.0.0.1:1", cookie_file="cookie"),),
    )


class Pool(Books):
    """Books with everything that follows from work."""

    def __init__(
        self, agreed: Sequence[tuple[float, Settings]], database: Database, journal: Journal
    ) -> None:
        """`agreed` is (seconds after START, settings), the oldest first; the last ones are in force."""
        settings = agreed[-1][1]
        super().__init__(Path(settings.data_directory), database, journal)
        self.settings = settings
        past = assembly.Past(tuple(Since(us(since), agreement_of(one)) for since, one in agreed))
        self.pricing = Pricing(assembly.price_rules(settings, past), self.names, database, self.changes)

        async def horizon(reader: Reader) -> Horizon:
            round_slot = -1
            if settings.payout.scheme == "proportional":
                row = await reader.row("SELECT COALESCE(MAX(through_slot), -1) FROM settlement")
                round_slot = -1 if row is None else int(row[0])
            return Horizon(
                priced_slot=await priced_slot(reader),
                round_slot=round_slot,
                rolled_slot=await rolled_slot(reader),
            )

        self.new_intake(prices=self.pricing, horizon=horizon)
        self.key = open_signing_key(self.directory)
        statements = Statements(self.directory, assembly.statement_rules(settings, past), self.key)
        coin = network(settings.coin, settings.network)
        self.rewards = Rewards(
            database, self.changes, statements, assembly.reward_rules(settings, coin, past)
        )
        self.keeper = Keeper(
            self.directory,
            self.spool,
            self.archive,
            database,
            self.intake,
            self.key,
            assembly.keep_rules(settings, past),
        )

    async def count(self, at: float) -> None:
        """Everything that is durable, and what was bought by then."""
        await self.intake.apply_all(us(at))
        await self.pricing.pay_complete_slots(self.database, us(at))

    async def judge(self, tag: int, to_state: str, at: float) -> None:
        """A change of the block whose candidate had this tag."""
        block_hash = f"{tag:02x}" * 32

        async def choose(reader: Reader) -> BlockChanged:
            block = await blocks.find(reader, block_hash)
            assert block is not None
            return BlockChanged(
                hash=block_hash,
                height=block.height,
                transition=await blocks.next_transition(reader),
                from_state=block.state,
                to_state=to_state,
                reason="the test says so",
                facts=await self._facts(reader, block) if block.transition == 0 else None,
            )

        await self.changes.decide(choose, us(at))

    async def _facts(self, reader: Reader, block: blocks.Block) -> BlockFacts:
        found = await reader.row(
            "SELECT source.name, source.epoch, account.name FROM block LEFT JOIN source "
            "ON source.id = source_id LEFT JOIN account ON account.id = account_id WHERE hash = ?",
            block.hash,
        )
        assert found is not None
        return BlockFacts(
            previous_hash=block.previous_hash,
            source=found[0] or "",
            epoch=found[1] or "",
            frame=block.frame or 0,
            found_us=block.found_us,
            slot=block.slot,
            account=found[2],
            worker=block.worker,
            job_id=block.job_id,
            plan_id=block.plan_id,
            coinbase=block.coinbase.hex(),
            network_target=block.network_target,
            reward_sats=block.reward_sats,
            payee=None if block.payee is None else block.payee.hex(),
        )

    async def settle(self, at: float) -> int:
        joined = await self.rewards.join_orphans(us(at))
        return joined + await self.rewards.settle_due(us(at), self.intake.caught_up)

    async def keep(self, at: float) -> list[Kept]:
        """Until a step does nothing."""
        steps = [await self.keeper.keep(us(at))]
        while steps[-1] != Kept(archived=0, digests=0, deleted=0, plans=0, is_rolled=False):
            steps.append(await self.keeper.keep(us(at)))
        return steps

    async def owed(self, pot: str = "immature") -> dict[str, int]:
        rows = await self.rows(
            "SELECT account.name, sats FROM balance JOIN account ON account.id = account_id "
            "WHERE pot = ? AND sats <> 0",
            pot,
        )
        return dict(rows)


@asynccontextmanager
async def pool_of(settings: Settings, *later: tuple[float, Settings]) -> AsyncIterator[Pool]:
    """Opened, and closed again. `later` settings are agreed on so many seconds after START."""
    directory = Path(settings.data_directory)
    with Journal.open(directory / "journal") as journal:
        database = await open_database(settings.database, directory, holder="test", now_us=us(0))
        try:
            async with database.writing() as writer:
                await writer.execute(
                    "INSERT INTO meta (key, value) VALUES ('network', 'bitcoin regtest'), "
                    "('slot_seconds', '10') ON CONFLICT (key) DO NOTHING"
                )
            made = Pool([(0, settings), *later], database, journal)
            async with database.writing() as writer:
                await made.names.system(writer, 0)
            yield made
        finally:
            await database.close()
