"""At start: a database that is as old as the journal, older, of another history, or newer than it."""

import logging
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from payouts.wallet import WalletSend
from pool.accounting import journal_entries, policy_changes
from pool.accounting.changes import Changes
from pool.accounting.directories import JOURNAL
from pool.accounting.journal import Journal
from pool.accounting.journal_entries import Body
from pool.accounting.matching import HistoriesDiffer, Matching
from pool.accounting.policy_changes import RESTORED
from pool.storage.backup import backup
from pool.storage.backup import restore as copy_back
from pool.storage.database import Database, Writer
from pool.storage.opening import ACCOUNTS_FILE, open_database
from tests.pool.accounting.building import ALICE, BOB, NOW_US, Accounts, accounts_in
from tests.pool.accounting.scripted_wallet import ScriptedWallet

TXID = "ee" * 32


class Killed(Exception):
    pass


class MortalJournal:
    """Ends the process at the nth append: before the line is written, or after."""

    def __init__(self, journal: Journal, steps: int) -> None:
        self._journal = journal
        self._left = steps
        self.entries = journal.entries

    @property
    def last_number(self) -> int:
        return self._journal.last_number

    def append(self, body: Body, at_us: int) -> int:
        self._step()
        number = self._journal.append(body, at_us)
        self._step()
        return number

    def _step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Killed


class MortalDatabase:
    """Ends the process at a transaction."""

    def __init__(self, database: Database, transactions: int) -> None:
        self._left = transactions
        self._database = database
        self.reading = database.reading

    def writing(self) -> AbstractAsyncContextManager[Writer]:
        self._left -= 1
        if self._left < 0:
            raise Killed
        return self._database.writing()


def matching(made: Accounts) -> Matching:
    return Matching(made.journal, made.database, made.changes)


async def holds(made: Accounts) -> list[tuple[str, str]]:
    async with made.database.reading() as reader:
        return [(scope, kind) for scope, kind, *_ in await policy_changes.holds(reader)]


def sent(txid: str = TXID, confirmations: int = 1) -> WalletSend:
    return WalletSend(txid=txid, sats=5, confirmations=confirmations, addresses=("somebody",))


@pytest.fixture
async def directory(tmp_path: Path) -> Path:
    """Accounts with some history, closed; `backup` is the database in the middle of it."""
    async with accounts_in(tmp_path) as made:
        await made.earn(ALICE, 500_000)
        await backup(made.database, tmp_path / "backup")
        await made.earn(BOB, 300_000)
        await made.pay({ALICE: 200_000}, fee_sats=100)
    return tmp_path


@pytest.fixture
async def restored(directory: Path) -> AsyncIterator[Accounts]:
    """Yesterday's backup beside today's journal."""
    restore(directory)
    async with accounts_in(directory) as made:
        yield made


def restore(directory: Path) -> None:
    for file in directory.glob(ACCOUNTS_FILE + "-*"):
        file.unlink()
    shutil.copy(directory / "backup", directory / ACCOUNTS_FILE)


async def test_a_database_as_old_as_the_journal_is_left_as_it_is(directory: Path) -> None:
    async with accounts_in(directory) as made:
        before = (await made.balances(), made.journal.last_number)
        await matching(made).begin(NOW_US)
        assert (await made.balances(), made.journal.last_number) == before
        assert await holds(made) == []


async def test_the_last_entry_that_a_crash_left_over_is_applied_and_nothing_is_held(directory: Path) -> None:
    async with accounts_in(directory) as made:
        body = journal_entries.Correction(
            account=BOB, against="@operator", pot="balance", sats=5, reason="a slip"
        )
        made.journal.append(body, NOW_US)
        await matching(made).begin(NOW_US)
        assert (await made.balances())[BOB] == 300_005
        assert await holds(made) == []


async def test_an_older_database_is_brought_up_to_the_journal_and_payouts_are_held(
    directory: Path, restored: Accounts
) -> None:
    assert (await restored.balances())[ALICE] == 500_000  # it has forgotten the payment
    before = restored.journal.last_number
    await matching(restored).begin(NOW_US)
    balances = await restored.balances()
    assert (balances[ALICE], balances[BOB]) == (300_000, 300_000)
    assert await holds(restored) == [("all", RESTORED)]
    hold, fact = restored.entries()[before:]
    assert isinstance(hold, journal_entries.HoldPlaced)
    # earn: appeared accepted, settled, mature: 3; the payment: planned, signed, broadcast, confirmed: 4
    assert hold.reason == "the database had forgotten 7 journal entries"
    assert isinstance(fact, journal_entries.Restored)
    assert fact.database_number == 3


@pytest.mark.parametrize("steps", range(5))
async def test_a_crash_on_the_way_back_ends_with_the_hold_all_the_same(
    restored: Accounts, steps: int
) -> None:
    """Killed around either append (four steps), or behind both; at the next start it is gone on with."""
    journal = MortalJournal(restored.journal, steps)
    dying = Changes(journal, restored.database, restored.names)  # type: ignore[arg-type]
    try:
        await Matching(journal, restored.database, dying).begin(NOW_US)  # type: ignore[arg-type]
    except Killed:
        assert steps < 4
    await matching(restored).begin(NOW_US)
    assert (await restored.balances())[ALICE] == 300_000
    assert set(await holds(restored)) == {("all", RESTORED)}


@pytest.mark.parametrize("transactions", range(10))
async def test_a_crash_between_two_entries_that_are_written_again_leaves_the_hold(
    restored: Accounts, transactions: int
) -> None:
    """Seven were forgotten, two are added: after eight the database looks like an ordinary crash's."""
    database = MortalDatabase(restored.database, transactions)
    dying = Changes(restored.journal, database, restored.names)  # type: ignore[arg-type]
    try:
        await Matching(restored.journal, restored.database, dying).begin(NOW_US)
    except Killed:
        assert transactions < 9
    await matching(restored).begin(NOW_US)
    assert (await restored.balances())[ALICE] == 300_000
    assert await holds(restored) == [("all", RESTORED)]


async def test_a_second_restore_holds_again_after_the_first_hold_was_released(directory: Path) -> None:
    for _ in range(2):
        restore(directory)
        async with accounts_in(directory) as made:
            await matching(made).begin(NOW_US)
            assert ("all", RESTORED) in await holds(made)
            found = await matching(made).look(ScriptedWallet(), NOW_US)
            assert found is not None
            assert not found.must_hold
            assert await holds(made) == []


async def test_the_hold_ends_when_every_send_has_its_payment(
    restored: Accounts, caplog: pytest.LogCaptureFixture
) -> None:
    begun = matching(restored)
    await begun.begin(NOW_US)
    wallet = ScriptedWallet()
    async with restored.database.reading() as reader:
        [(txid,)] = await reader.rows("SELECT txid FROM attempt")
    wallet.sends = (sent(txid), sent())
    with caplog.at_level(logging.ERROR):
        found = await begun.look(wallet, NOW_US)
    assert found is not None
    assert found.wallet_txids == (TXID,)
    assert await holds(restored) == [("all", RESTORED)]
    named = [record.message for record in caplog.records if TXID in record.message]
    assert named == [f"the wallet sent {TXID}, which matches no payment: `engineroom payouts adopt {TXID}`"]
    caplog.clear()
    await begun.look(wallet, NOW_US)
    assert not [record for record in caplog.records if TXID in record.message]  # named once

    body = journal_entries.Adopted(entry=None, txid=TXID, payees=(), reason="a purchase")
    await restored.changes.make(body, NOW_US)
    await begun.look(wallet, NOW_US)
    assert await holds(restored) == []
    assert isinstance(restored.entries()[-1], journal_entries.HoldReleased)
    assert await begun.look(wallet, NOW_US) is None  # nothing to look for any more


async def test_a_send_that_the_chain_excludes_needs_no_payment(restored: Accounts) -> None:
    begun = matching(restored)
    await begun.begin(NOW_US)
    wallet = ScriptedWallet()
    wallet.sends = (sent(confirmations=-1),)
    await begun.look(wallet, NOW_US)
    assert await holds(restored) == []


async def test_the_hold_stands_while_the_wallet_cannot_be_asked(restored: Accounts) -> None:
    begun = matching(restored)
    await begun.begin(NOW_US)
    wallet = ScriptedWallet()
    wallet.is_gone = True
    assert await begun.look(wallet, NOW_US) is None
    assert await holds(restored) == [("all", RESTORED)]


async def test_a_send_of_before_is_asked_for_only_after_a_restore(directory: Path) -> None:
    async with accounts_in(directory) as made:
        begun = matching(made)
        await begun.begin(NOW_US)
        wallet = ScriptedWallet()
        wallet.sends = (sent(),)
        assert await begun.look(wallet, NOW_US) is None
        assert not wallet.calls


async def test_a_journal_of_another_history_is_refused(directory: Path) -> None:
    """As long as the right one, with another last entry."""
    async with accounts_in(directory) as made:
        count = made.journal.last_number
    shutil.rmtree(directory / JOURNAL)
    with Journal.open(directory / JOURNAL) as journal:
        for number in range(count):
            body = journal_entries.HoldPlaced(scope=f"payment:{number}", hold_kind="x", reason="x")
            journal.append(body, NOW_US)
    async with accounts_in(directory) as made:
        before = await made.balances()
        with pytest.raises(HistoriesDiffer, match="they are of two histories"):
            await matching(made).begin(NOW_US)
        assert await made.balances() == before
        assert made.journal.last_number == count


async def test_a_journal_that_is_behind_or_lost_is_refused(directory: Path) -> None:
    shutil.rmtree(directory / JOURNAL)
    async with accounts_in(directory) as made:
        with pytest.raises(HistoriesDiffer, match="journal ends at 0"):
            await matching(made).begin(NOW_US)
        assert made.journal.last_number == 0


async def test_what_restore_has_filled_is_held_also_where_the_journal_knows_no_more(tmp_path: Path) -> None:
    """Backup and journal of the same moment: only the wallet could know more."""
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
    async with accounts_in(old) as made:
        await made.earn(ALICE, 500_000)
        await backup(made.database, tmp_path / "evening.db")
    shutil.copytree(old / JOURNAL, new / JOURNAL)
    database = await open_database(None, new, holder="restore", now_us=NOW_US)
    await copy_back(tmp_path / "evening.db", database)
    await database.close()
    async with accounts_in(new) as made:
        dying = MortalDatabase(
            made.database, 1
        )  # the hold is written, that it was asked for is not forgotten
        changes = Changes(made.journal, dying, made.names)  # type: ignore[arg-type]
        with pytest.raises(Killed):
            await Matching(made.journal, dying, changes).begin(NOW_US)  # type: ignore[arg-type]
    async with accounts_in(new) as made:
        await matching(made).begin(NOW_US)
        assert await holds(made) == [("all", RESTORED)]
        assert len([one for one in made.entries() if isinstance(one, journal_entries.HoldPlaced)]) == 1
        wallet = ScriptedWallet()
        wallet.sends = (sent(),)
        await matching(made).look(wallet, NOW_US)
        assert await holds(made) == [("all", RESTORED)]
        wallet.sends = ()
        await matching(made).look(wallet, NOW_US)
        assert await holds(made) == []
    async with accounts_in(new) as made:
        await matching(made).begin(NOW_US)
        assert await holds(made) == [], "it is asked for once"
