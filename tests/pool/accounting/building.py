"""Accounts to test with: a real database and journal, filled by the appliers that the pool runs.

async with accounts_in(tmp_path) as made:
    await made.work(ALICE, 2**40)
    block = await made.block(ALICE, reward_sats=312_500_000)
    await made.settle(block, {ALICE: 312_500_000})
    await made.mature(block)
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from pathlib import Path

from pool.accounting import blocks, journal_entries, ledger, policy_changes
from pool.accounting.changes import Changes
from pool.accounting.directories import JOURNAL
from pool.accounting.journal import Journal
from pool.accounting.names import Names
from pool.storage.database import Database
from pool.storage.opening import open_database
from pool.storage.work import columns
from tests.pool.accounting.kept import url_of

# All of the generator point's key, secret 1 (BIP 173's example key), on bitcoin's regtest.
SECRET = bytes(31) + b"\x01"
ALICE = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"  # p2wpkh
BOB = "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r"  # p2pkh
CAROL = "2NAUYAHhujozruyzpsFRP63mbrdaU5wnEpN"  # p2sh-p2wpkh
DAVE = (
    "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry"  # p2wsh (BIP 173): signs nothing here
)
ERIN = "bcrt1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqc8gma6"  # p2tr, BIP 350's example program
MAINNET = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
NOW_US = 1_800_000_000 * SECOND_US  # 2027-01-15 08:00:00 UTC
SLOT_SECONDS = 10
EPOCH = "00112233445566aa"
SOURCE = "gateway-0"
TARGET = f"{2**236 - 1:064x}"


class Accounts:
    """The accounts of one data directory, with a clock that stands where it is put."""

    def __init__(self, directory: Path, database: Database, journal: Journal) -> None:
        self.directory = directory
        self.database = database
        self.journal = journal
        self.names = Names()
        self.changes = Changes(journal, database, self.names)
        self.now_us = NOW_US
        self._made = 0

    async def work(self, account: str, work: int, *, seconds_ago: int = 60, worker: str = "rig") -> None:
        """Work in one slot, by a worker that was last seen then."""
        at_us = self.now_us - seconds_ago * SECOND_US
        slot = at_us // SECOND_US // SLOT_SECONDS * SLOT_SECONDS
        async with self.database.writing() as writer:
            number = await self.names.account(writer, account, at_us)
            device = await self.names.worker(writer, number, worker, "cgminer/4", at_us)
            await writer.execute("UPDATE worker SET last_seen_us = ? WHERE id = ?", at_us, device)
            await writer.execute(
                "UPDATE worker SET first_seen_us = ? WHERE id = ? AND first_seen_us > ?", at_us, device, at_us
            )
            await writer.execute(
                "INSERT INTO slot_account (slot, seconds, account_id, rate_id, shares, work_high, work_low) "
                "VALUES (?, ?, ?, 0, 1, ?, ?) ON CONFLICT (slot, seconds, account_id, rate_id) DO UPDATE SET "
                "work_high = slot_account.work_high + excluded.work_high, "
                "work_low = slot_account.work_low + excluded.work_low",
                *(slot, SLOT_SECONDS, number, *columns(work)),
            )

    async def source(self, *, mark: int = 0, state: str = "live", trouble: str | None = None) -> None:
        """The one gateway's spool, counted up to a frame just now."""
        async with self.database.writing() as writer:
            await writer.execute(
                "INSERT INTO source (name, epoch, mark, at_us, state, trouble) VALUES (?, ?, ?, ?, ?, ?)",
                *(SOURCE, EPOCH, mark, self.now_us, state, trouble),
            )

    async def block(
        self,
        finder: str | None,
        *,
        reward_sats: int,
        height: int = 0,
        worker: str = "rig",
        plan_id: str | None = None,
        coinbase: str = "0100",
    ) -> str:
        """A block that the chain has accepted; its hash."""
        self._made += 1
        block_hash = sha256(b"block %d" % self._made).hexdigest()
        facts = journal_entries.BlockFacts(
            previous_hash="aa" * 32,
            source=SOURCE,
            epoch=EPOCH,
            frame=self._made,
            found_us=self.now_us,
            slot=self.now_us // SECOND_US // SLOT_SECONDS * SLOT_SECONDS,
            account=finder,
            worker=worker,
            job_id="0001",
            plan_id=plan_id,
            coinbase=coinbase,
            network_target=TARGET,
            reward_sats=reward_sats,
        )
        await self._transition(block_hash, height or self._made, "", blocks.ACCEPTED, facts)
        return block_hash

    async def settle(
        self,
        block_hash: str,
        earned: Mapping[str, int],
        *,
        paid: Mapping[str, int] | None = None,
        statement_hash: str = "bb" * 32,
    ) -> None:
        """Divide a block's reward; `paid` is what its coinbase has paid of it."""
        row = await self._row(block_hash)
        parts = [
            journal_entries.Credit(account=account, credit_kind="credit", sats=sats)
            for account, sats in earned.items()
        ]
        mined = journal_entries.Credit(account=ledger.MINED, credit_kind="block", sats=-sum(earned.values()))
        if paid:
            parts += [
                journal_entries.Credit(account=account, credit_kind="coinbase", sats=-sats)
                for account, sats in (paid | {ledger.PAID: -sum(paid.values())}).items()
            ]
        await self.changes.make(
            journal_entries.BlockSettled(
                hash=block_hash,
                transition=row.transition,
                round=row.slot,
                scheme="pplns",
                from_slot=row.slot - 100,
                through_slot=row.slot,
                statement_hash=statement_hash,
                credits=(mined, *parts),
            ),
            self.now_us,
        )

    async def mature(self, block_hash: str) -> None:
        await self.go(block_hash, blocks.MATURE)

    async def go(self, block_hash: str, state: str) -> None:
        """The block changes its state."""
        row = await self._row(block_hash)
        await self._transition(block_hash, row.height, row.state, state, None)

    async def earn(self, account: str, sats: int) -> str:
        """A mature block that is one account's alone."""
        block_hash = await self.block(account, reward_sats=sats)
        await self.settle(block_hash, {account: sats})
        await self.mature(block_hash)
        return block_hash

    async def pay(self, payees: Mapping[str, int], *, fee_sats: int = 0, is_confirmed: bool = True) -> int:
        """A payment that the payees bear the fee of, the first of them all of it; its number."""
        async with self.database.reading() as reader:
            row = await reader.row("SELECT COALESCE(MAX(id), 0) + 1 FROM payment")
        assert row is not None
        number, txid = int(row[0]), sha256(b"payment %d" % row[0]).hexdigest()
        parts = tuple(
            journal_entries.PlannedPayee(account=account, address=account, sats=sats)
            for account, sats in payees.items()
        )
        bodies: list[journal_entries.Body] = [
            journal_entries.PaymentPlanned(payment_id=number, fee_payer="payees", payees=parts),
            journal_entries.PaymentSigned(
                payment_id=number,
                attempt=1,
                txid=txid,
                raw="0200",
                inputs=(journal_entries.SpentOutput(txid="cc" * 32, output=0, sats=10**9),),
                fee_sats=fee_sats,
                weight=561,
                fee_shares=(journal_entries.FeeShare(account=parts[0].account, sats=fee_sats),),
            ),
            journal_entries.PaymentBroadcast(payment_id=number, attempt=1, txid=txid, height=900),
        ]
        if is_confirmed:
            bodies.append(
                journal_entries.PaymentConfirmed(
                    payment_id=number, attempt=1, txid=txid, block_hash="dd" * 32, height=901
                )
            )
        for body in bodies:
            await self.changes.make(body, self.now_us)
        return number

    async def later(self, hours: int) -> None:
        """Time passes, and payee changes take effect."""
        self.now_us += hours * HOUR_US
        async with self.database.writing() as writer:
            await policy_changes.take_effect(writer, self.now_us)

    async def balances(self) -> dict[str, int]:
        """Both pots together, by name; no zeros."""
        async with self.database.reading() as reader:
            rows = await reader.rows(
                "SELECT account.name, SUM(sats) FROM balance JOIN account ON account.id = balance.account_id "
                "GROUP BY account.name"
            )
        return {name: sats for name, sats in rows if sats}

    def entries(self) -> list[journal_entries.Body]:
        """What the journal says, in order."""
        return [entry.body for entry in self.journal.entries()]

    async def _row(self, block_hash: str) -> blocks.Block:
        async with self.database.reading() as reader:
            found = await blocks.find(reader, block_hash)
        assert found is not None
        return found

    async def _transition(
        self,
        block_hash: str,
        height: int,
        from_state: str,
        to_state: str,
        facts: journal_entries.BlockFacts | None,
    ) -> None:
        async with self.database.reading() as reader:
            number = await blocks.next_transition(reader)
        await self.changes.make(
            journal_entries.BlockChanged(
                hash=block_hash,
                height=height,
                transition=number,
                from_state=from_state,
                to_state=to_state,
                reason="the chain says so",
                facts=facts,
            ),
            self.now_us,
        )


@contextlib.asynccontextmanager
async def accounts_in(directory: Path, url: str | None = None) -> AsyncIterator[Accounts]:
    """The accounts, opened to be written; made where there are none. `url` is PostgreSQL's."""
    place = url_of(directory) if url is None else url
    database = await open_database(place, directory, holder="a test", now_us=NOW_US)
    try:
        with Journal.open(directory / JOURNAL) as journal:
            made = Accounts(directory, database, journal)
            async with database.writing() as writer:
                await made.names.system(writer, NOW_US)
            yield made
    finally:
        await database.close()
