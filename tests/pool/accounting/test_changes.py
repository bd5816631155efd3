"""Changes: in the journal, then in the database, once and in order, whatever ends in between."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pool.accounting import changes, journal_entries, policy_changes
from pool.accounting.changes import Changes, position
from pool.accounting.journal import Journal
from pool.accounting.journal_entries import Body
from pool.accounting.names import Names
from pool.storage.database import Reader
from tests.pool.accounting.building import ALICE, BOB, NOW_US, Accounts, accounts_in

pytestmark = pytest.mark.usefixtures("either_database")


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Accounts]:
    async with accounts_in(tmp_path) as accounts:
        yield accounts


def correction(sats: int, account: str = ALICE) -> journal_entries.Correction:
    return journal_entries.Correction(
        account=account, against="@operator", pot="balance", sats=sats, reason="a test"
    )


async def held(made: Accounts) -> int:
    async with made.database.reading() as reader:
        return (await position(reader)).number


async def test_a_change_is_in_the_journal_and_in_the_database(made: Accounts) -> None:
    assert await made.changes.make(correction(5), NOW_US) == 1
    assert made.entries() == [correction(5)]
    assert (await made.balances())[ALICE] == 5
    async with made.database.reading() as reader:
        found = await position(reader)
    assert (found.number, found.hash) == (1, made.journal.last_hash)


async def test_an_empty_database_is_at_the_beginning(made: Accounts) -> None:
    async with made.database.reading() as reader:
        assert await position(reader) == changes.Position(0, "0" * 64)


async def test_an_entry_without_its_rows_is_applied_once_by_whoever_comes_next(made: Accounts) -> None:
    made.journal.append(correction(5), NOW_US)  # killed after the append
    again = Changes(made.journal, made.database, Names())
    assert await again.catch_up() == 1
    assert await again.catch_up() == 0
    assert (await made.balances())[ALICE] == 5


async def test_a_decision_sees_what_was_appended_and_not_yet_applied(made: Accounts) -> None:
    made.journal.append(correction(5), NOW_US)

    async def choose(reader: Reader) -> Body | None:
        row = await reader.row("SELECT COUNT(*) FROM ledger WHERE kind = 'correction'")
        assert row is not None
        return correction(7) if row[0] == 2 else None  # two rows: ALICE's and the operator's

    assert await made.changes.decide(choose, NOW_US) == 2
    assert (await made.balances())[ALICE] == 12


async def test_a_decision_for_nothing_leaves_nothing(made: Accounts) -> None:
    async def choose(reader: Reader) -> Body | None:
        return None

    assert await made.changes.decide(choose, NOW_US) is None
    assert made.entries() == []


async def test_an_applied_entry_changes_nothing_when_it_is_applied_again(made: Accounts) -> None:
    body = journal_entries.HoldPlaced(scope="all", hold_kind="operator", reason="stop")
    await made.changes.make(body, NOW_US)
    [entry] = made.journal.entries()
    async with made.database.writing() as writer:
        await changes.apply(writer, made.names, entry)
    async with made.database.reading() as reader:
        assert len(await policy_changes.holds(reader)) == 1


async def test_a_transaction_that_fails_leaves_the_entry_for_the_next_change(made: Accounts) -> None:
    """A change of a block that is nowhere cannot be applied: the row comes, and it can."""
    body = journal_entries.BlockChanged(
        hash="ab" * 32, height=5, transition=1, from_state="candidate", to_state="accepted", reason="x"
    )
    with pytest.raises(LookupError):
        await made.changes.make(body, NOW_US)
    assert (made.journal.last_number, await held(made)) == (1, 0)
    with pytest.raises(LookupError):
        await made.changes.make(correction(5), NOW_US)  # in order: nothing passes the entry before it
    assert made.journal.last_number == 1
    assert ALICE not in await made.balances()


async def test_changes_made_at_once_keep_the_order_of_the_journal(made: Accounts) -> None:
    async def hold(number: int) -> int:
        body = journal_entries.HoldPlaced(scope=f"payment:{number}", hold_kind="operator", reason="x")
        return await made.changes.make(body, NOW_US)

    numbers = await asyncio.gather(*(hold(number) for number in range(20)))
    assert sorted(numbers) == list(range(1, 21))
    async with made.database.reading() as reader:
        scopes = [scope for scope, *_ in await policy_changes.holds(reader)]
    written = [body.scope for body in made.entries() if isinstance(body, journal_entries.HoldPlaced)]
    assert scopes == written
    assert [f"payment:{numbers.index(n)}" for n in range(1, 21)] == written


async def test_of_two_decisions_at_once_the_second_sees_the_first(made: Accounts) -> None:
    """Both would take what is there; there is enough for one."""
    await made.changes.make(correction(10), NOW_US)

    async def take(reader: Reader) -> Body | None:
        row = await reader.row(
            "SELECT sats FROM balance JOIN account ON account.id = account_id WHERE name = ?", ALICE
        )
        return correction(-10) if row is not None and row[0] >= 10 else None

    taken = await asyncio.gather(*(made.changes.decide(take, NOW_US) for _ in range(5)))
    assert sum(number is not None for number in taken) == 1
    assert (await made.balances()).get(ALICE, 0) == 0


class GatedJournal:
    """A journal on a disk that takes its time."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.is_writing = threading.Event()
        self.gate = threading.Event()
        self.entries = journal.entries

    @property
    def last_number(self) -> int:
        return self._journal.last_number

    def append(self, body: Body, at_us: int) -> int:
        self.is_writing.set()
        assert self.gate.wait(10)
        return self._journal.append(body, at_us)


async def test_an_append_whose_task_is_cancelled_is_whole_before_anybody_decides(made: Accounts) -> None:
    """The disk writes on: a decision without that entry would pay out the same balance again."""
    await made.changes.make(correction(10), NOW_US)
    journal = GatedJournal(made.journal)
    slow = Changes(journal, made.database, made.names)  # type: ignore[arg-type]

    async def take(reader: Reader) -> Body | None:
        row = await reader.row(
            "SELECT sats FROM balance JOIN account ON account.id = account_id WHERE name = ?", ALICE
        )
        return correction(-10) if row is not None and row[0] >= 10 else None

    first = asyncio.create_task(slow.decide(take, NOW_US))
    await asyncio.to_thread(journal.is_writing.wait, 10)
    first.cancel()
    second = asyncio.create_task(slow.decide(take, NOW_US))
    done, _ = await asyncio.wait([second], timeout=0.05)
    assert not done
    journal.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second is None
    assert (await made.balances()).get(ALICE, 0) == 0


async def test_a_killed_process_at_any_point_leaves_the_same_rows(tmp_path: Path) -> None:
    """Killed before an append, between it and its rows, and after: then the rest is done."""
    bodies = [correction(5), correction(7, BOB), correction(-2)]
    for appended in range(len(bodies) + 1):
        for applied in range(appended + 1):
            directory = tmp_path / f"{appended}-{applied}"
            directory.mkdir()
            async with accounts_in(directory) as made:
                for body in bodies[:applied]:
                    await made.changes.make(body, NOW_US)
                for body in bodies[applied:appended]:
                    made.journal.append(body, NOW_US)
                again = Changes(made.journal, made.database, Names())
                assert await again.catch_up() == appended - applied
                for body in bodies[appended:]:
                    await again.make(body, NOW_US)
                assert await made.balances() == {ALICE: 3, BOB: 7, "@operator": -10}
