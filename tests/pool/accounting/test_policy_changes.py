"""What people decide, as rows: payees that change later, holds, gaps, adoptions and corrections."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pool.accounting import policy_changes
from pool.accounting.journal_entries import (
    Adopted,
    Body,
    Correction,
    GapAccepted,
    HoldPlaced,
    HoldReleased,
    PayeeChanged,
    PlannedPayee,
    Restored,
)
from pool.accounting.ledger import MINED, OPERATOR, PAID
from tests.pool.accounting.building import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    EPOCH,
    HOUR_US,
    NOW_US,
    SOURCE,
    Accounts,
    accounts_in,
)

pytestmark = pytest.mark.usefixtures("either_database")


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Accounts]:
    async with accounts_in(tmp_path) as accounts:
        yield accounts


async def make(made: Accounts, *bodies: Body) -> None:
    for body in bodies:
        await made.changes.make(body, made.now_us)


def payee(address: str, hours: int, minimum_sats: int | None = None) -> PayeeChanged:
    return PayeeChanged(
        account=ALICE,
        address=address,
        minimum_sats=minimum_sats,
        requested_us=NOW_US,
        effective_us=NOW_US + hours * HOUR_US,
        proof="the operator",
    )


async def in_effect(made: Accounts) -> list[tuple[str, int | None]]:
    async with made.database.reading() as reader:
        return [(a, m) for a, m in await reader.rows("SELECT address, minimum_sats FROM payee")]


async def wishes(made: Accounts) -> list[tuple[str, str]]:
    async with made.database.reading() as reader:
        return [(a, s) for a, s in await reader.rows("SELECT address, state FROM payee_change ORDER BY id")]


async def test_a_payee_change_takes_effect_when_its_time_has_come_and_not_before(made: Accounts) -> None:
    await make(made, payee(BOB, hours=48, minimum_sats=5))
    await made.later(hours=47)
    assert await in_effect(made) == []
    await made.later(hours=1)
    assert await in_effect(made) == [(BOB, 5)]
    assert await wishes(made) == [(BOB, "in effect")]


async def test_a_wish_whose_time_had_come_is_in_effect_when_a_newer_one_is_read_right_behind_it(
    made: Accounts,
) -> None:
    """As in a restored database: nobody looked between the two entries."""
    await make(made, payee(BOB, hours=48))
    made.now_us += 48 * HOUR_US
    await make(made, payee(CAROL, hours=96))
    assert await in_effect(made) == [(BOB, None)]
    assert await wishes(made) == [(BOB, "in effect"), (CAROL, "waiting")]


async def test_a_newer_wish_replaces_one_that_waits_and_not_one_in_effect(made: Accounts) -> None:
    await make(made, payee(BOB, hours=1))
    await made.later(hours=1)
    await make(made, payee(CAROL, hours=3), payee(DAVE, hours=5))
    await made.later(hours=3)
    assert await in_effect(made) == [(BOB, None)]
    await made.later(hours=2)
    assert await in_effect(made) == [(DAVE, None)]
    assert await wishes(made) == [(BOB, "in effect"), (CAROL, "replaced"), (DAVE, "in effect")]


async def test_taking_effect_again_changes_nothing(made: Accounts) -> None:
    await make(made, payee(BOB, hours=0))
    async with made.database.writing() as writer:
        assert await policy_changes.take_effect(writer, NOW_US) == 1
        assert await policy_changes.take_effect(writer, NOW_US) == 0


async def test_a_hold_stands_until_it_is_released_and_others_stay(made: Accounts) -> None:
    await make(
        made,
        HoldPlaced(scope="all", hold_kind="operator", reason="stop"),
        HoldPlaced(scope="all", hold_kind="restored", reason="a backup"),
        HoldPlaced(scope=ALICE, hold_kind="operator", reason="a court"),
        HoldReleased(scope="all", hold_kind="operator", reason="go on"),
    )
    async with made.database.reading() as reader:
        found = await policy_changes.holds(reader)
    assert found == [("all", "restored", "a backup", NOW_US), (ALICE, "operator", "a court", NOW_US)]


async def source(made: Accounts) -> tuple[int, str, str | None]:
    async with made.database.reading() as reader:
        row = await reader.row("SELECT mark, state, trouble FROM source")
    assert row is not None
    return row[0], row[1], row[2]


def gap(first: int, last: int) -> GapAccepted:
    return GapAccepted(source=SOURCE, epoch=EPOCH, first_frame=first, last_frame=last, reason="lost")


async def test_a_source_that_stands_at_a_gap_goes_on_behind_it(made: Accounts) -> None:
    await made.source(mark=4, state="stopped", trouble="frame 5 is missing")
    await make(made, gap(5, 9))
    assert await source(made) == (9, "live", None)


async def test_a_gap_that_a_restored_database_has_not_come_to_is_remembered_and_not_jumped_to(
    made: Accounts,
) -> None:
    await made.source(mark=2)
    await make(made, gap(5, 9))
    assert await source(made) == (2, "live", None)
    async with made.database.reading() as reader:
        assert await reader.rows("SELECT first_frame, last_frame FROM accepted_gap") == [(5, 9)]


async def test_a_gap_that_a_source_is_past_leaves_it(made: Accounts) -> None:
    await made.source(mark=12)
    await make(made, gap(5, 9))
    assert await source(made) == (12, "live", None)


async def test_a_gap_with_nothing_behind_it_ends_the_source(made: Accounts) -> None:
    await made.source(mark=4, state="stopped", trouble="the segment is gone")
    await make(made, gap(5, 4))
    assert await source(made) == (4, "closed", None)


async def test_an_adopted_send_is_taken_from_those_whom_it_was_for(made: Accounts) -> None:
    await made.earn(ALICE, 500)
    await make(
        made,
        Adopted(
            entry=None,
            txid="ee" * 32,
            payees=(PlannedPayee(account=ALICE, address=BOB, sats=200),),
            reason="by hand",
        ),
    )
    assert await made.balances() == {MINED: -500, ALICE: 300, PAID: 200}


async def test_a_send_that_was_nobodys_and_an_adopted_entry_move_no_money(made: Accounts) -> None:
    await made.earn(ALICE, 500)
    before = await made.balances()
    await make(
        made,
        Adopted(entry=None, txid="ee" * 32, payees=(), reason="a purchase"),
        Adopted(entry=7, txid=None, payees=(), reason="looked at it"),
        Restored(database_number=1, database_hash="aa" * 32, reason="a backup"),
    )
    assert await made.balances() == before


async def test_a_correction_moves_money_once_and_has_its_reason(made: Accounts) -> None:
    body = Correction(account=ALICE, against="", pot="balance", sats=-30, reason="a slip")
    await make(made, body, body)
    assert await made.balances() == {ALICE: -60, OPERATOR: 60}  # two entries, two corrections
    async with made.database.reading() as reader:
        rows = await reader.rows("SELECT DISTINCT entry_key, kind, reason FROM ledger ORDER BY entry_key")
    assert rows == [("correction:1", "correction", "a slip"), ("correction:2", "correction", "a slip")]
