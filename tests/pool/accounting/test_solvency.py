"""Sums before a payment: what is there covers what is owed, or it is said which rows are in the way."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pool.accounting import blocks, journal_entries, solvency
from pool.accounting.ledger import OPERATOR
from pool.accounting.solvency import Solvency
from tests.pool.accounting.building import ALICE, BOB, CAROL, HOUR_US, NOW_US, Accounts, accounts_in

pytestmark = pytest.mark.usefixtures("either_database")


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Accounts]:
    async with accounts_in(tmp_path) as accounts:
        yield accounts


async def report(made: Accounts, reserve_sats: int = 0) -> Solvency:
    async with made.database.reading() as reader:
        return await solvency.report(reader, reserve_sats)


async def test_nothing_is_owed_at_the_beginning(made: Accounts) -> None:
    found = await report(made)
    assert (found.mined_sats, found.owed_mature_sats, found.breaches) == (0, 0, ())


async def test_mature_and_immature_money_are_told_apart(made: Accounts) -> None:
    await made.earn(ALICE, 500)
    block = await made.block(BOB, reward_sats=300)
    await made.settle(block, {BOB: 200, OPERATOR: 100})
    await made.pay({ALICE: 120}, fee_sats=20)
    found = await report(made)
    assert (found.mined_sats, found.paid_sats, found.network_fee_sats, found.operator_sats) == (
        800,
        100,
        20,
        100,
    )
    assert (found.owed_mature_sats, found.owed_immature_sats) == (380, 200)
    assert found.breaches == ()
    await made.go(block, blocks.ORPHANED)
    found = await report(made)
    assert (found.mined_sats, found.owed_immature_sats, found.breaches) == (500, 0, ())


async def test_what_is_on_its_way_is_neither_owed_nor_paid(made: Accounts) -> None:
    await made.earn(ALICE, 500)
    await made.pay({ALICE: 120}, is_confirmed=False)
    found = await report(made)
    assert (found.on_its_way_sats, found.owed_mature_sats, found.paid_sats) == (120, 380, 0)
    assert found.breaches == ()


async def test_a_mature_block_that_was_paid_out_and_is_orphaned_is_a_breach_that_names_the_account(
    made: Accounts,
) -> None:
    block = await made.earn(ALICE, 500)
    await made.earn(BOB, 300)
    await made.pay({ALICE: 500})
    await made.go(block, blocks.ORPHANED)
    found = await report(made)
    # mined 300, paid 500
    assert found.breaches == (
        "mined − paid − fees is -200 sats, less than the 300 sats that are owed",
        f"account {ALICE} has been paid 500 sats more than it is owed",
    )


async def test_bought_work_is_owed_before_it_is_mined_as_far_as_the_reserve_goes(made: Accounts) -> None:
    body = journal_entries.Correction(
        account=ALICE, against=OPERATOR, pot="balance", sats=1_000, reason="as PPS buys"
    )
    await made.changes.make(body, NOW_US)
    assert (await report(made, reserve_sats=1_000)).breaches == ()
    first, *_, last = (await report(made, reserve_sats=999)).breaches
    assert first == (
        "mined − paid − fees is 0 sats with a reserve of 999 sats, less than the 1000 sats that are owed"
    )
    assert last == "the operator's own account is at -1000 sats"


async def test_fees_that_the_pool_bears_are_nobodys_loss(made: Accounts) -> None:
    """No operator's money was earned, and a payment of 500 cost 20 that no payee bore."""
    await made.earn(ALICE, 800)
    bodies: list[journal_entries.Body] = [
        journal_entries.PaymentPlanned(
            payment_id=1,
            fee_payer="pool",
            payees=(journal_entries.PlannedPayee(account=ALICE, address=ALICE, sats=500),),
        ),
        journal_entries.PaymentSigned(
            payment_id=1, attempt=1, txid="aa" * 32, raw="00", inputs=(), fee_sats=20, weight=4
        ),
        journal_entries.PaymentBroadcast(payment_id=1, attempt=1, txid="aa" * 32, height=9),
        journal_entries.PaymentConfirmed(
            payment_id=1, attempt=1, txid="aa" * 32, block_hash="bb" * 32, height=10
        ),
    ]
    for body in bodies:
        await made.changes.make(body, NOW_US)
    found = await report(made)
    assert (found.operator_sats, found.owed_mature_sats) == (-20, 300)
    assert found.breaches == ()


async def test_who_is_due_is_listed_by_name_with_payee_and_minimum_in_effect(made: Accounts) -> None:
    await made.earn(ALICE, 500)
    await made.earn(BOB, 300)
    await made.earn(CAROL, 100)
    await made.pay({CAROL: 100})
    body = journal_entries.PayeeChanged(
        account=ALICE,
        address=CAROL,
        minimum_sats=7,
        requested_us=NOW_US,
        effective_us=NOW_US + HOUR_US,
        proof="op",
    )
    await made.changes.make(body, NOW_US)
    await made.later(hours=1)
    async with made.database.reading() as reader:
        found = await solvency.due(reader, 100_000)
    assert found == sorted(
        [solvency.Due(ALICE, CAROL, 500, 7), solvency.Due(BOB, BOB, 300, 100_000)],
        key=lambda due: due.account,
    )


async def test_a_day_counts_what_was_planned_in_it_and_not_given_up(made: Accounts) -> None:
    await made.earn(ALICE, 1_000)
    await made.pay({ALICE: 100})
    await made.later(hours=1)
    number = await made.pay({ALICE: 200}, is_confirmed=False)
    async with made.database.reading() as reader:
        assert await solvency.paid_since(reader, NOW_US) == 300
        assert await solvency.paid_since(reader, NOW_US + 1) == 200
    body = journal_entries.PaymentAbandoned(payment_id=number, conflicting_txid=None, reason="x")
    await made.changes.make(body, NOW_US)
    async with made.database.reading() as reader:
        assert await solvency.paid_since(reader, NOW_US) == 100


async def test_carry_over_that_a_young_block_has_paid_is_owed_no_more(made: Accounts) -> None:
    first = await made.block(ALICE, reward_sats=1_000)
    await made.settle(first, {ALICE: 900, BOB: 100}, paid={ALICE: 900})
    await made.mature(first)
    second = await made.block(ALICE, reward_sats=1_000)
    await made.settle(second, {ALICE: 900, BOB: 100}, paid={ALICE: 800, BOB: 200})
    found = await report(made)
    assert found.breaches == ()
    assert (found.owed_mature_sats, found.owed_immature_sats) == (0, 100)  # bob's are paid, alice lacks 100


async def test_what_a_coinbase_has_advanced_is_no_breach(made: Accounts) -> None:
    block = await made.block(ALICE, reward_sats=1_000)
    await made.settle(block, {ALICE: 750, BOB: 250}, paid={ALICE: 1_000})
    assert (await report(made)).breaches == ()
