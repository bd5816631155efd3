"""A journal that is gone for good: another is begun behind the database, and nothing is paid unmatched."""

import shutil
from pathlib import Path

import pytest

from payouts.wallet import WalletSend
from pool.accounting import policy_changes
from pool.accounting.adoption import Adoption
from pool.accounting.changes import position
from pool.accounting.control import Refused
from pool.accounting.directories import JOURNAL
from pool.accounting.journal import Journal
from pool.accounting.journal_entries import JournalBegun
from pool.accounting.journal_reading import JournalError, read_entries
from pool.accounting.lost_journal import begin_journal
from pool.accounting.matching import HistoriesDiffer, Matching
from pool.accounting.rebuild import rebuild
from pool.accounting.requests import AdoptRequest
from pool.storage.backup import backup
from pool.storage.opening import ACCOUNTS_FILE, open_database
from stratum.work.coin import network
from tests.pool.accounting.building import ALICE, BOB, NOW_US, Accounts, accounts_in
from tests.pool.accounting.journals import HOLD
from tests.pool.accounting.pool_of import settings_of
from tests.pool.accounting.test_operations import SendingWallet

STRANGE = "ee" * 32


@pytest.fixture
async def directory(tmp_path: Path) -> Path:
    """Accounts with a payment, whose journal is gone; `backup` is the database before the payment."""
    async with accounts_in(tmp_path) as made:
        await made.earn(ALICE, 500_000)
        await made.earn(BOB, 300_000)
        await backup(made.database, tmp_path / "backup")
        await made.pay({ALICE: 200_000})
    (tmp_path / JOURNAL).rename(tmp_path / "lost")
    return tmp_path


async def begin(directory: Path, reason: str = "its disk is gone") -> int:
    database = await open_database(None, directory, holder="a command", now_us=NOW_US)
    try:
        return await begin_journal(directory, database, reason, NOW_US)
    finally:
        await database.close()


async def holds(made: Accounts) -> list[tuple[str, str, str]]:
    async with made.database.reading() as reader:
        found = await policy_changes.holds(reader)
    return [(scope, kind, reason) for scope, kind, reason, _ in found]


def sent(txid: str, *addresses: str, sats: int = 200_000) -> WalletSend:
    return WalletSend(txid=txid, sats=sats, confirmations=6, addresses=addresses)


async def test_without_its_journal_a_database_is_not_gone_on_with(directory: Path) -> None:
    async with accounts_in(directory) as made:
        with pytest.raises(HistoriesDiffer, match="the journal ends at 0"):
            await Matching(made.journal, made.database, made.changes).begin(NOW_US)


async def test_a_new_journal_follows_the_database_and_holds_payouts_until_all_is_matched(
    directory: Path,
) -> None:
    last = len(list(read_entries(directory / "lost")))
    assert await begin(directory) == last + 1
    async with accounts_in(directory) as made:
        before = await made.balances()
        matching = Matching(made.journal, made.database, made.changes)
        await matching.begin(NOW_US)
        assert await holds(made) == [("all", "restored", "the journal was lost: its disk is gone")]
        assert [type(one) for one in made.entries()] == [JournalBegun]
        async with made.database.reading() as reader:
            [(own,)] = await reader.rows("SELECT txid FROM attempt")
        wallet = SendingWallet(sent(own, ALICE), sent(STRANGE, BOB, sats=100_000))
        found = await matching.look(wallet, NOW_US)  # type: ignore[arg-type]
        assert found is not None
        assert found.wallet_txids == (STRANGE,)  # what the lost journal may have known of
        adoption = Adoption(
            made.database,
            made.changes,
            network("bitcoin", "regtest"),
            wallet,  # type: ignore[arg-type]
            matching,
        )
        result = await adoption.adopt(AdoptRequest(what=STRANGE, reason="it was bob's"), NOW_US)
        assert result.is_released
        assert await holds(made) == []
        after = await made.balances()
        # 100,000 to bob, and the 100 sats that sending it has cost the operator
        assert after[BOB] == before[BOB] - 100_000
        assert (after["@operator"], after["@network"]) == (-100, 100)


async def test_it_goes_on_and_is_read_from_any_entry(directory: Path) -> None:
    number = await begin(directory)
    with Journal.open(directory / JOURNAL, rotate_bytes=400) as journal:
        for step in range(1, 8):
            assert journal.append(HOLD, NOW_US) == number + step
    with Journal.open(directory / JOURNAL) as journal:
        assert (journal.last_number, len(list(journal.entries()))) == (number + 7, 8)
        for after in (0, number - 1, number, number + 3, number + 7):
            expected = [n for n in range(number, number + 8) if n > after]
            assert [one.number for one in journal.entries(after)] == expected


async def test_a_crash_after_the_line_and_before_the_database_is_rolled_forward(directory: Path) -> None:
    database = await open_database(None, directory, holder="a command", now_us=NOW_US)
    async with database.reading() as reader:
        held = await position(reader)
    await database.close()
    with Journal.begin(directory / JOURNAL, held.number, held.hash) as journal:
        journal.append(JournalBegun(reason="its disk is gone"), NOW_US)
    async with accounts_in(directory) as made:
        await Matching(made.journal, made.database, made.changes).begin(NOW_US)
        assert [kind for _, kind, _ in await holds(made)] == ["restored"]


async def test_a_journal_that_is_there_is_not_begun_again(directory: Path, tmp_path: Path) -> None:
    await begin(directory)
    with pytest.raises(JournalError, match="move it away first"):
        await begin(directory)
    (tmp_path / "fresh").mkdir()
    with pytest.raises(Refused, match="the next start begins one by itself"):
        await begin(tmp_path / "fresh")
    with pytest.raises(Refused, match="a reason"):
        await begin(directory, reason=" ")


async def test_a_backup_from_before_the_new_journal_is_refused(directory: Path) -> None:
    await begin(directory)
    shutil.copy(directory / "backup", directory / ACCOUNTS_FILE)
    async with accounts_in(directory) as made:
        with pytest.raises(HistoriesDiffer, match="restore a newer backup"):
            await Matching(made.journal, made.database, made.changes).begin(NOW_US)


async def test_accounts_are_not_counted_again_from_half_a_journal(directory: Path) -> None:
    await begin(directory)
    with pytest.raises(JournalError, match="begun anew with entry"):
        await rebuild(settings_of(directory), lambda line: None, lambda done, total: None)
