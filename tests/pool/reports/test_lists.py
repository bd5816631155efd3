"""What the lists say of accounts that the pool's own appliers have filled; sums by hand."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pool.accounting import blocks as block_states
from pool.accounting import journal_entries
from pool.reports.accounts import accounts
from pool.reports.balance import PendingPayee, balance
from pool.reports.blocks import blocks
from pool.reports.payments import holds, payments
from pool.reports.sources import sources
from tests.pool.accounting.building import (
    ALICE,
    BOB,
    CAROL,
    HOUR_US,
    NOW_US,
    SECOND_US,
    Accounts,
    accounts_in,
)
from tests.pool.storage.places import Place

DAY_SECONDS = 86_400


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with Place.lent(tmp_path, server) as lent:
        yield lent


@pytest.fixture
async def made(place: Place) -> AsyncIterator[Accounts]:
    async with accounts_in(place.directory, place.url) as accounts:
        yield accounts


async def test_accounts_show_speed_immature_balance_and_paid(made: Accounts) -> None:
    await made.work(ALICE, 3 * DAY_SECONDS, seconds_ago=60)
    await made.work(ALICE, 4 * DAY_SECONDS, seconds_ago=3_600, worker="other")
    await made.work(BOB, 2**70 * DAY_SECONDS, seconds_ago=7_200)
    await made.work(BOB, 10**25, seconds_ago=DAY_SECONDS + 60)
    await made.earn(ALICE, 500_000)
    await made.pay({ALICE: 200_000}, fee_sats=1_500)
    await made.pay({ALICE: 100_000}, is_confirmed=False)
    unripe = await made.block(ALICE, reward_sats=70_000)
    await made.settle(unripe, {ALICE: 40_000, CAROL: 30_000})
    async with made.database.reading() as reader:
        lines = await accounts(reader, NOW_US)
    seen = [(one.account, one.last_seen_us, one.hashes_per_second) for one in lines]
    assert seen == [
        (BOB, NOW_US - (DAY_SECONDS + 60) * SECOND_US, 2.0**70),  # seen last as the builder says it
        (ALICE, NOW_US - 60 * SECOND_US, 7.0 * DAY_SECONDS / 3_600),  # who came an hour ago
        (CAROL, None, 0.0),
    ]
    money = {one.account: (one.immature_sats, one.balance_sats, one.paid_sats) for one in lines}
    # Alice: 500,000 − 200,000 − 100,000 is left; 1,500 of the 200,000 went to miners of other pools
    assert money == {BOB: (0, 0, 0), ALICE: (40_000, 200_000, 198_500), CAROL: (30_000, 0, 0)}


async def test_what_a_coinbase_paid_counts_once_however_often_the_block_came_back(made: Accounts) -> None:
    block = await made.block(ALICE, reward_sats=1_000)
    body = journal_entries.BlockSettled(
        hash=block,
        transition=1,
        round=1,
        scheme="pplns",
        from_slot=0,
        through_slot=10,
        statement_hash="bb" * 32,
        credits=(
            journal_entries.Credit(account="@mined", credit_kind="block", sats=-1_000),
            journal_entries.Credit(account=ALICE, credit_kind="credit", sats=1_000),
            journal_entries.Credit(account=ALICE, credit_kind="coinbase", sats=-900),
            journal_entries.Credit(account="@paid", credit_kind="coinbase", sats=900),
        ),
    )
    await made.changes.make(body, NOW_US)

    async def alice() -> tuple[int, int, int]:
        async with made.database.reading() as reader:
            (line,) = await accounts(reader, NOW_US)
        return line.immature_sats, line.balance_sats, line.paid_sats

    assert await alice() == (100, 0, 900)
    await made.go(block, block_states.ORPHANED)
    assert await alice() == (0, 0, 0)
    await made.go(block, block_states.ACCEPTED)
    await made.mature(block)
    assert await alice() == (0, 100, 900)


async def test_an_adopted_send_counts_as_paid(made: Accounts) -> None:
    await made.earn(ALICE, 500_000)
    payee = journal_entries.PlannedPayee(account=ALICE, address=ALICE, sats=120_000)
    body = journal_entries.Adopted(entry=None, txid="ee" * 32, payees=(payee,), reason="by hand")
    await made.changes.make(body, NOW_US)
    async with made.database.reading() as reader:
        (line,) = await accounts(reader, NOW_US)
    assert (line.balance_sats, line.paid_sats) == (380_000, 120_000)


async def test_a_balance_has_payee_minimum_pending_change_holds_and_rows(made: Accounts) -> None:
    block = await made.earn(ALICE, 500_000)
    number = await made.pay({ALICE: 200_000}, is_confirmed=False)
    for address, minimum_sats in ((BOB, 20_000), (CAROL, None)):
        change = journal_entries.PayeeChanged(
            account=ALICE,
            address=address,
            minimum_sats=minimum_sats,
            requested_us=made.now_us,
            effective_us=made.now_us + HOUR_US,
            proof="operator: asked",
        )
        await made.changes.make(change, made.now_us)
        if address == BOB:
            await made.later(hours=1)
    hold = journal_entries.HoldPlaced(scope=ALICE, hold_kind="operator", reason="a court says so")
    await made.changes.make(hold, made.now_us)
    async with made.database.reading() as reader:
        found = await balance(reader, ALICE, 100_000, 20)
        newest = await balance(reader, ALICE, 100_000, 1)
        assert await balance(reader, BOB, 100_000, 20) is None
    assert found is not None
    assert newest is not None
    sums = (found.immature_sats, found.balance_sats, found.on_its_way_sats, found.paid_sats)
    assert sums == (0, 300_000, 200_000, 0)
    assert (found.payee, found.minimum_sats, found.is_pools_minimum) == (BOB, 20_000, False)
    assert found.pending == PendingPayee(
        address=CAROL, minimum_sats=None, requested_us=NOW_US + HOUR_US, effective_us=NOW_US + 2 * HOUR_US
    )
    assert found.holds == ("a court says so",)
    assert [(row.kind, row.pot, row.sats, row.block_hash, row.payment_id) for row in found.rows] == [
        ("payment", "balance", -200_000, None, number),
        ("matured", "balance", 500_000, block, None),
        ("matured", "immature", -500_000, block, None),
        ("credit", "immature", 500_000, block, None),
    ]
    assert newest.rows == found.rows[:1]


async def test_blocks_are_listed_newest_first_with_state_and_finder(made: Accounts) -> None:
    first = await made.earn(ALICE, 500_000)
    made.now_us += SECOND_US
    second = await made.block(None, reward_sats=600_000, height=840_000)
    await made.go(second, block_states.ORPHANED)
    async with made.database.reading() as reader:
        found = await blocks(reader, 10)
        assert await blocks(reader, 1) == found[:1]
    lines = [(one.hash, one.state, one.finder, one.reward_sats, one.is_settled) for one in found]
    assert lines == [
        (second, "orphaned", None, 600_000, False),
        (first, "mature", ALICE, 500_000, True),
    ]
    assert found[0].height == 840_000
    assert found[0].reason == "the chain says so"


async def test_payments_are_listed_newest_first_with_their_attempts(made: Accounts) -> None:
    await made.earn(ALICE, 500_000)
    await made.pay({ALICE: 200_000}, fee_sats=1_500)
    await made.pay({ALICE: 100_000}, is_confirmed=False)
    aside = journal_entries.PaymentSetAside(payment_id=2, reason="the wallet is locked")
    await made.changes.make(aside, NOW_US)
    async with made.database.reading() as reader:
        found = await payments(reader, 10)
        assert await payments(reader, 1) == found[:1]
    lines = [(one.id, one.state, one.payees, one.sats, one.fee_sats, one.reason) for one in found]
    assert lines == [
        (2, "set_aside", 1, 100_000, 0, "the wallet is locked"),
        (1, "confirmed", 1, 200_000, 1_500, None),
    ]
    assert found[1].txid == found[1].attempts[0].txid
    assert [one.attempts[0].is_confirmed for one in found] == [False, True]


async def test_only_holds_that_stand_are_listed(made: Accounts) -> None:
    for scope in ("all", ALICE):
        hold = journal_entries.HoldPlaced(scope=scope, hold_kind="operator", reason="stop")
        await made.changes.make(hold, NOW_US)
    release = journal_entries.HoldReleased(scope="all", hold_kind="operator", reason="go on")
    await made.changes.make(release, NOW_US)
    async with made.database.reading() as reader:
        assert [(one.scope, one.kind, one.reason) for one in await holds(reader)] == [
            (ALICE, "operator", "stop")
        ]


async def test_a_source_shows_how_far_behind_it_is_and_what_stops_it(made: Accounts) -> None:
    await made.source(mark=17, state="stopped", trouble="a bad checksum")
    async with made.database.reading() as reader:
        (line,) = await sources(reader, NOW_US + 90 * SECOND_US)
        (early,) = await sources(reader, NOW_US - 90 * SECOND_US)
    assert (line.mark, line.state, line.lag_seconds, line.trouble) == (17, "stopped", 90, "a bad checksum")
    assert early.lag_seconds == 0  # the clock was set back
