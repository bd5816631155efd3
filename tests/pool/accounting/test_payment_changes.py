"""What each entry about a payment writes, and the ledger's part of each state: there and back ends right."""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payouts.payment import PaymentState
from payouts.transaction import Outpoint, Spent
from pool.accounting import ledger, payment_changes
from pool.accounting.journal_entries import (
    Body,
    FeeShare,
    PaymentAbandoned,
    PaymentBroadcast,
    PaymentConfirmed,
    PaymentPlanned,
    PaymentReopened,
    PaymentSetAside,
    PaymentSigned,
    PlannedPayee,
    SpentOutput,
)
from pool.accounting.ledger import MINED, NETWORK, OPERATOR, PAID, PAYING
from pool.accounting.payment_changes import Payment
from tests.pool.accounting.building import ALICE, BOB, CAROL, NOW_US, Accounts, accounts_in

pytestmark = pytest.mark.usefixtures("either_database")

PLANNED = PaymentPlanned(
    payment_id=1,
    fee_payer="payees",
    payees=(
        PlannedPayee(account=BOB, address=CAROL, sats=300),
        PlannedPayee(account=ALICE, address=ALICE, sats=200),
    ),
)
ABANDONED = PaymentAbandoned(payment_id=1, conflicting_txid="cc" * 32, reason="100 deep")
ASIDE = PaymentSetAside(payment_id=1, reason="a conflict")
REOPENED = PaymentReopened(payment_id=1, to_state="broadcast", reason="the chain says so")


def txid(attempt: int) -> str:
    return f"{attempt:064x}"


def signed(attempt: int, fee_sats: int, *shares: tuple[str, int]) -> PaymentSigned:
    return PaymentSigned(
        payment_id=1,
        attempt=attempt,
        txid=txid(attempt),
        raw="0a" * attempt,
        inputs=(SpentOutput(txid="dd" * 32, output=3, sats=900),),
        fee_sats=fee_sats,
        weight=561,
        fee_shares=tuple(FeeShare(account=account, sats=sats) for account, sats in shares),
    )


FIRST = signed(1, 10, (BOB, 6), (ALICE, 4))
SECOND = signed(2, 25)


def broadcast(attempt: int, height: int = 100) -> PaymentBroadcast:
    return PaymentBroadcast(payment_id=1, attempt=attempt, txid=txid(attempt), height=height)


def confirmed(attempt: int) -> PaymentConfirmed:
    return PaymentConfirmed(
        payment_id=1, attempt=attempt, txid=txid(attempt), block_hash="bb" * 32, height=101
    )


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Accounts]:
    async with accounts_in(tmp_path) as accounts:
        await accounts.earn(ALICE, 200)
        await accounts.earn(BOB, 350)
        yield accounts


async def make(made: Accounts, *bodies: Body) -> None:
    for body in bodies:
        made.now_us += 1
        await made.changes.make(body, made.now_us)


async def payment(made: Accounts) -> Payment:
    async with made.database.reading() as reader:
        found = await payment_changes.find(reader, 1)
    assert found is not None
    return found


async def test_a_planned_payment_has_its_items_in_order_and_their_balances(made: Accounts) -> None:
    await make(made, PLANNED)
    found = await payment(made)
    assert (found.state, found.sats, found.attempts) == (PaymentState.PLANNED, 500, ())
    assert [(one.account, one.address, one.sats, one.fee_sats) for one in found.items] == [
        (BOB, CAROL, 300, 0),
        (ALICE, ALICE, 200, 0),
    ]
    assert await made.balances() == {MINED: -550, PAYING: 500, BOB: 50}


async def test_an_attempt_is_stored_with_all_that_sending_it_again_needs(made: Accounts) -> None:
    await make(made, PLANNED, FIRST)
    found = await payment(made)
    assert found.state is PaymentState.SIGNED
    (attempt,) = found.attempts
    assert (attempt.txid, attempt.raw, attempt.fee_sats, attempt.broadcast_height) == (
        txid(1),
        b"\x0a",
        10,
        None,
    )
    assert attempt.inputs == (Spent(Outpoint("dd" * 32, 3), 900),)
    assert [one.fee_sats for one in found.items] == [6, 4]
    assert await made.balances() == {MINED: -550, PAYING: 500, BOB: 50}


async def test_the_first_height_of_a_broadcast_stands(made: Accounts) -> None:
    await make(made, PLANNED, FIRST, broadcast(1, 100), broadcast(1, 105))
    assert (await payment(made)).attempts[0].broadcast_height == 100


async def test_confirmed_money_is_paid_and_the_fee_is_the_networks(made: Accounts) -> None:
    await make(made, PLANNED, FIRST, broadcast(1), confirmed(1))
    assert await made.balances() == {MINED: -550, BOB: 50, PAID: 490, NETWORK: 10}


async def test_what_a_bump_adds_to_the_fee_is_the_operators_loss(made: Accounts) -> None:
    await make(made, PLANNED, FIRST, broadcast(1), SECOND, broadcast(2), confirmed(2))
    found = await payment(made)
    assert [attempt.is_counted for attempt in found.attempts] == [False, True]
    assert [one.fee_sats for one in found.items] == [6, 4]  # the payees bear what they bore
    assert await made.balances() == {MINED: -550, BOB: 50, PAID: 490, NETWORK: 25, OPERATOR: -15}


async def test_the_other_attempt_may_be_the_one_after_all(made: Accounts) -> None:
    await make(made, PLANNED, FIRST, broadcast(1), SECOND, broadcast(2), confirmed(2))
    await make(made, REOPENED)
    assert await made.balances() == {MINED: -550, BOB: 50, PAYING: 500}
    assert [attempt.is_counted for attempt in (await payment(made)).attempts] == [False, False]
    await make(made, confirmed(1))
    assert await made.balances() == {MINED: -550, BOB: 50, PAID: 490, NETWORK: 10}


async def test_an_abandoned_payment_is_owed_again_and_may_come_back(made: Accounts) -> None:
    await make(made, PLANNED, FIRST, broadcast(1), ASIDE)
    assert await made.balances() == {MINED: -550, BOB: 50, PAYING: 500}
    assert (await payment(made)).reason == "a conflict"
    await make(made, ABANDONED)
    assert await made.balances() == {MINED: -550, ALICE: 200, BOB: 350}
    await make(made, REOPENED, confirmed(1))
    assert await made.balances() == {MINED: -550, BOB: 50, PAID: 490, NETWORK: 10}


async def test_numbers_go_on_above_the_highest(made: Accounts) -> None:
    async with made.database.reading() as reader:
        assert await payment_changes.next_id(reader) == 1
    await make(made, PLANNED)
    async with made.database.reading() as reader:
        assert await payment_changes.next_id(reader) == 2
        assert await payment_changes.ids(reader, PaymentState.PLANNED) == [1]
        assert await payment_changes.ids(reader, PaymentState.SIGNED) == []
        assert await payment_changes.find(reader, 2) is None


async def test_an_entry_about_a_payment_that_is_not_there_is_a_clear_error(made: Accounts) -> None:
    with pytest.raises(LookupError, match="is about payment 1, which is not there"):
        await make(made, ABANDONED)


NEXT: dict[PaymentState, tuple[Body, ...]] = {
    PaymentState.BROADCAST: (confirmed(1), confirmed(2), ASIDE, ABANDONED),
    PaymentState.CONFIRMED: (REOPENED,),
    PaymentState.SET_ASIDE: (REOPENED, ABANDONED),
    PaymentState.ABANDONED: (REOPENED,),
}


@settings(max_examples=15)
@given(st.lists(st.integers(0, 3), max_size=8))
async def test_whatever_way_a_payment_goes_its_rows_are_those_of_its_state(
    tmp_path_factory: pytest.TempPathFactory, picks: list[int]
) -> None:
    async with accounts_in(tmp_path_factory.mktemp("way")) as made:
        await made.earn(ALICE, 200)
        await made.earn(BOB, 350)
        await make(made, PLANNED, FIRST, broadcast(1), SECOND, broadcast(2))
        for pick in picks:
            choices = NEXT[(await payment(made)).state]
            await make(made, choices[pick % len(choices)])
        found = await payment(made)
        counted = [attempt.fee_sats for attempt in found.attempts if attempt.is_counted]
        expected = {MINED: -550, ALICE: 0, BOB: 50, PAYING: 500, PAID: 0, NETWORK: 0, OPERATOR: 0}
        if found.state is PaymentState.ABANDONED:
            expected |= {ALICE: 200, BOB: 350, PAYING: 0}
        if found.state is PaymentState.CONFIRMED:
            expected |= {PAYING: 0, PAID: 490, NETWORK: counted[0], OPERATOR: 10 - counted[0]}
        assert await made.balances() == {name: sats for name, sats in expected.items() if sats}
        async with made.database.reading() as reader:
            assert await ledger.faults(reader) == []
            keys = await reader.rows("SELECT entry_key FROM ledger WHERE payment_id = 1 ORDER BY id")
        numbers = [int(key.rpartition(":")[2]) for (key,) in keys]
        assert all(before <= after for before, after in pairwise(numbers))


async def test_an_entry_has_the_time_of_its_journal_line(made: Accounts) -> None:
    await make(made, PLANNED, FIRST)
    found = await payment(made)
    assert (found.created_us, found.changed_us) == (NOW_US + 1, NOW_US + 2)
