"""Payments from balances to the chain: once each, whatever the wallet, the node and the chain do."""

from pathlib import Path

import pytest

from payouts.payment import PaymentState, Rules
from payouts.wallet import Balances, WalletUnavailable
from pool.accounting import blocks, journal_entries, ledger
from pool.accounting.holding import hold_everything
from pool.accounting.ledger import NETWORK, OPERATOR, PAID, PAYING
from pool.accounting.payer import Payer
from tests.pool.accounting.building import ALICE, BOB, CAROL, DAVE, HOUR_US
from tests.pool.accounting.paying import PayingPool, hold, paying_in, release
from tests.pool.accounting.scripted_wallet import ScriptedWallet

pytestmark = pytest.mark.usefixtures("either_database")

# One input and two outputs (payee, change) to witness key hashes: 141 virtual bytes by hand in
# tests/payouts/test_composition.py, so 141 sats at 1,000 sats per 1,000 virtual bytes.
ONE_PAYEE_FEE_SATS = 141
# The weight of that, 562, and room for longer counts and a longer signature (payouts/bump.py: 16 + 4):
# 582 units are 146 virtual bytes, at 5 sats each.
BUMPED_FEE_SATS = 730
REFUSED = "the node would not take it: scriptpubkey"


# ---------------------------------------------------------------------- the way of a payment


async def test_a_balance_goes_from_owed_to_confirmed_and_the_books_follow(pool: PayingPool) -> None:
    outcome = await pool.pay()
    assert (outcome.payment_id, outcome.reason) == (1, None)
    assert await pool.state(1) is PaymentState.SIGNED
    assert not pool.wallet.handed  # signed and stored; nothing was sent yet
    assert pool.wallet.locked == set(pool.wallet.signed[0].inputs)
    assert await pool.made.balances() == {ledger.MINED: -500_000, PAYING: 500_000}

    await pool.watch()
    assert await pool.state(1) is PaymentState.BROADCAST
    assert len(pool.wallet.mempool) == 1

    pool.wallet.mine(5)
    await pool.watch()
    assert await pool.state(1) is PaymentState.BROADCAST  # confirmed is 6 deep
    pool.wallet.mine()
    await pool.watch()
    assert await pool.state(1) is PaymentState.CONFIRMED
    # the payee bears the fee: 500,000 - 141 arrive
    assert pool.wallet.received() == {ALICE: 500_000 - ONE_PAYEE_FEE_SATS}
    assert await pool.made.balances() == {
        ledger.MINED: -500_000,
        PAID: 500_000 - ONE_PAYEE_FEE_SATS,
        NETWORK: ONE_PAYEE_FEE_SATS,
    }
    assert await pool.faults() == []


async def test_the_operator_bears_the_fee_where_the_settings_say_so(pool: PayingPool) -> None:
    pool.settle_for(fee_paid_by="pool")
    await pool.send()
    pool.wallet.mine(6)
    await pool.watch()
    assert pool.wallet.received() == {ALICE: 500_000}
    assert (await pool.made.balances())[OPERATOR] == -ONE_PAYEE_FEE_SATS
    assert (await pool.made.balances())[PAID] == 500_000
    assert await pool.faults() == []  # a debt of the operator's to the wallet, and nobody's loss


async def test_each_step_is_in_the_journal(pool: PayingPool) -> None:
    before = len(pool.made.entries())
    await pool.send()
    pool.wallet.mine(6)
    await pool.watch()
    kinds = [type(body).__name__ for body in pool.made.entries()[before:]]
    assert kinds == ["PaymentPlanned", "PaymentSigned", "PaymentBroadcast", "PaymentConfirmed"]
    signed = pool.made.entries()[before + 1]
    assert isinstance(signed, journal_entries.PaymentSigned)
    assert bytes.fromhex(signed.raw) == pool.wallet.signed[0].raw


async def test_nobody_is_paid_twice_for_the_same_balance(pool: PayingPool) -> None:
    await pool.send()
    outcome = await pool.pay()
    assert (outcome.payment_id, outcome.reason) == (None, "nobody's balance has reached its minimum")
    assert len(pool.wallet.signed) == 1


async def test_one_payment_pays_all_who_are_due_and_leaves_small_balances(pool: PayingPool) -> None:
    await pool.made.earn(BOB, 100_000)
    await pool.made.earn(CAROL, 99_999)
    await pool.send()
    pool.wallet.mine(6)
    assert set(pool.wallet.received()) == {ALICE, BOB}
    assert await pool.owed(CAROL) == 99_999


async def test_an_immature_credit_is_not_paid(pool: PayingPool) -> None:
    block = await pool.made.block(BOB, reward_sats=400_000)
    await pool.made.settle(block, {BOB: 400_000})
    await pool.send()
    pool.wallet.mine(6)
    assert set(pool.wallet.received()) == {ALICE}


async def test_a_payee_change_in_effect_pays_the_new_address_and_one_that_waits_does_not(
    pool: PayingPool,
) -> None:
    await pool.made.earn(BOB, 300_000)
    now_us = pool.made.now_us
    for account, hours in ((ALICE, 1), (BOB, 3)):
        body = journal_entries.PayeeChanged(
            account=account,
            address=DAVE,
            minimum_sats=None,
            requested_us=now_us,
            effective_us=now_us + hours * HOUR_US,
            proof="the operator",
        )
        await pool.made.changes.make(body, now_us)
    await pool.made.later(hours=2)
    await pool.send()
    pool.wallet.mine(6)
    assert set(pool.wallet.received()) == {DAVE, BOB}
    (payment,) = await pool.payments()
    assert [(item.account, item.address) for item in payment.items] == [(ALICE, DAVE), (BOB, BOB)]


async def test_a_payee_that_is_the_wallet_itself_is_paid_once_and_not_again(pool: PayingPool) -> None:
    pool.wallet.own.add(ALICE)
    number = await pool.send()
    pool.wallet.mine(6)
    await pool.watch()
    assert await pool.state(number) is PaymentState.CONFIRMED
    assert (await pool.pay()).payment_id is None
    assert await pool.owed(ALICE) == 0
    # what it paid itself it can spend: only the fee has left
    assert (await pool.wallet.balances()).trusted_sats == 1_000_000 - ONE_PAYEE_FEE_SATS
    assert await pool.faults() == []


# ---------------------------------------------------------------------- what forbids a payment


async def test_a_hold_on_everything_stops_planning(pool: PayingPool) -> None:
    await hold(pool, "all")
    assert (await pool.pay()).reason == "payouts are on hold: stop"
    assert await pool.payments() == []
    await release(pool, "all")
    assert (await pool.pay()).payment_id == 1


async def test_an_account_on_hold_is_left_out_and_the_others_are_paid(pool: PayingPool) -> None:
    await pool.made.earn(BOB, 300_000)
    await hold(pool, ALICE)
    await pool.send()
    pool.wallet.mine(6)
    assert set(pool.wallet.received()) == {BOB}
    assert await pool.owed(ALICE) == 500_000


async def test_a_hold_that_comes_while_a_payment_is_composed_is_heeded(pool: PayingPool) -> None:
    pool.wallet.meanwhile["change"] = hold(pool, ALICE)
    outcome = await pool.pay()
    assert outcome.reason == "a balance or a hold has changed meanwhile; it is tried again"
    assert await pool.payments() == []


async def test_a_balance_that_is_taken_back_while_a_payment_is_composed_is_not_paid(
    tmp_path: Path,
) -> None:
    async with paying_in(tmp_path) as pool:
        block = await pool.made.earn(ALICE, 500_000)
        pool.wallet.fund(1_000_000)
        pool.wallet.meanwhile["change"] = pool.made.go(block, blocks.ORPHANED)
        outcome = await pool.pay()
        assert outcome.reason == "a balance or a hold has changed meanwhile; it is tried again"
        assert await pool.payments() == []


async def test_a_wallet_poorer_than_what_is_owed_pays_nobody_and_says_both_sums(tmp_path: Path) -> None:
    async with paying_in(tmp_path) as pool:
        await pool.made.earn(ALICE, 500_000)
        await pool.made.earn(BOB, 50_000)  # below the minimum, and owed all the same
        pool.wallet.fund(549_999)
        outcome = await pool.pay()
        assert outcome.reason is not None
        assert "the wallet holds 549999 sats, 550000 are owed and mature" in outcome.reason
        assert await pool.payments() == []
        [(scope, kind, reason)] = await pool.holds()
        assert (scope, kind, reason) == ("all", "wallet", outcome.reason)
        assert reason.endswith(f"owed most: {ALICE} 500000, {BOB} 50000")
        await pool.pay()
        assert len([one for one in pool.made.entries() if isinstance(one, journal_entries.HoldPlaced)]) == 1
        pool.wallet.fund(1)
        assert (await pool.pay()).payment_id == 1  # it ends by itself
        assert await pool.holds() == []


async def test_a_hold_by_somebody_stands_whatever_the_wallet_holds(tmp_path: Path) -> None:
    async with paying_in(tmp_path) as pool:
        await pool.made.earn(ALICE, 500_000)
        await pool.pay()
        await hold_everything(pool.made.changes, "operator", "a weekend", pool.made.now_us)
        pool.wallet.fund(500_000)
        assert (await pool.pay()).reason == "payouts are on hold: a weekend"
        assert {kind for _, kind, _ in await pool.holds()} == {"wallet", "operator"}


async def test_a_breach_of_solvency_holds_payouts_and_names_the_rows(pool: PayingPool) -> None:
    """Somebody was paid more than they were owed: their account is below zero, and money is missing."""
    await pool.made.earn(BOB, 100_000)
    await pool.made.pay({BOB: 350_000})
    outcome = await pool.pay()
    assert outcome.payment_id is None
    [(scope, kind, reason)] = await pool.holds()
    assert (scope, kind) == ("all", "solvency")
    # mined 600,000, paid 350,000: 250,000 are left for the 500,000 that ALICE is owed
    assert "mined − paid − fees is 250000 sats, less than the 500000 sats that are owed" in reason
    assert f"account {BOB} has been paid 250000 sats more than it is owed" in reason
    await pool.pay()
    assert len(await pool.holds()) == 1  # once, however often it is looked at
    assert not pool.wallet.signed


async def test_a_ledger_that_contradicts_itself_holds_payouts_and_names_the_account(
    pool: PayingPool,
) -> None:
    async with pool.made.database.writing() as writer:
        await writer.execute(
            "UPDATE balance SET sats = sats + 7 WHERE account_id = (SELECT id FROM account WHERE name = ?) "
            "AND pot = 'balance'",
            ALICE,
        )
    outcome = await pool.pay()
    assert outcome.payment_id is None
    [(_, kind, reason)] = await pool.holds()
    assert kind == "solvency"
    assert f"{ALICE}: the balance is 500007 sats, its rows sum to 500000" in reason


async def test_nothing_new_is_paid_while_a_mature_block_is_off_the_best_chain(pool: PayingPool) -> None:
    pool.payer.is_in_doubt = True
    outcome = await pool.pay()
    assert (
        outcome.reason == "no node has shown yet that all mature blocks are on its best chain: payments wait"
    )
    assert await pool.payments() == []


async def test_a_daily_limit_lets_no_more_pass_in_a_day(pool: PayingPool) -> None:
    pool.settle_for(daily_limit_sats=600_000)
    await pool.send()
    await pool.made.earn(BOB, 150_000)
    pool.wallet.fund(1_000_000)
    outcome = await pool.pay()
    assert outcome.payment_id is None
    # 600,000 - 500,000 are left today
    assert outcome.left_out == ((BOB, 150_000, "the daily limit leaves 100000 sats for now"),)
    await pool.made.later(hours=24)
    assert (await pool.pay()).payment_id is None  # the first was planned just 24 hours ago
    pool.made.now_us += 1
    assert (await pool.pay()).payment_id == 2


async def test_no_rate_and_no_fallback_is_said_and_a_fallback_pays(pool: PayingPool) -> None:
    pool.wallet.estimate = None
    outcome = await pool.pay()
    assert outcome.payment_id is None
    assert outcome.reason is not None
    assert "fallback_fee_sats_per_vbyte" in outcome.reason
    pool.settle_for(fallback_sats_per_kvb=5_000)
    await pool.send()
    assert (await pool.payment(1)).attempts[0].fee_sats == 5 * ONE_PAYEE_FEE_SATS


async def test_one_address_that_cannot_be_paid_stops_nobody_else(pool: PayingPool) -> None:
    await pool.made.earn(BOB, 300_000)
    pool.wallet.unpayable.add(ALICE)
    outcome = await pool.pay()
    assert outcome.left_out == ((ALICE, 500_000, f"the node cannot pay to {ALICE}"),)
    await pool.watch()
    pool.wallet.mine(6)
    assert set(pool.wallet.received()) == {BOB}
    assert await pool.owed(ALICE) == 500_000


async def test_coins_that_are_not_deep_enough_are_not_spent(tmp_path: Path) -> None:
    async with paying_in(tmp_path) as pool:
        await pool.made.earn(ALICE, 500_000)
        pool.wallet.fund(1_000_000, confirmations=5)
        outcome = await pool.pay()
        assert outcome.reason is not None
        assert "the wallet's spendable coins hold 0 sats" in outcome.reason
        pool.wallet.mine()
        assert (await pool.pay()).payment_id == 1


# ---------------------------------------------------------------------- planned and not signed


async def test_a_locked_wallet_leaves_the_payment_planned_and_it_is_signed_once_it_opens(
    pool: PayingPool,
) -> None:
    pool.wallet.is_locked = True
    outcome = await pool.pay()
    assert (outcome.payment_id, outcome.reason) == (1, "the wallet is locked and no passphrase is set")
    await pool.made.earn(BOB, 300_000)
    pool.wallet.fund(1_000_000)
    second = await pool.pay()  # planned → signed is serial
    assert second.payment_id is None
    assert second.reason == (
        "payment 1 is planned and not signed yet: the wallet is locked and no passphrase is set"
    )
    await pool.watch()
    assert await pool.state(1) is PaymentState.PLANNED
    pool.wallet.is_locked = False
    await pool.watch()
    assert await pool.state(1) is PaymentState.BROADCAST
    assert (await pool.pay()).payment_id == 2


async def test_trying_a_locked_wallet_again_and_again_uses_up_no_keys(pool: PayingPool) -> None:
    pool.wallet.is_locked = True
    await pool.pay()
    for _ in range(5):
        await pool.watch()
    assert pool.wallet.calls.count("change") == 1
    pool.wallet.is_locked = False
    await pool.watch()
    await pool.made.earn(BOB, 300_000)
    pool.wallet.fund(1_000_000)
    await pool.send()
    changes = {address for one in pool.wallet.signed for address, _ in one.outputs if "change" in address}
    assert len(changes) == 2  # and no address is used twice


async def test_a_transaction_that_the_node_would_not_take_is_not_stored(pool: PayingPool) -> None:
    pool.wallet.rejection = "min relay fee not met"
    outcome = await pool.pay()
    assert outcome.reason == "the node would not take it: min relay fee not met"
    assert (await pool.payment(1)).attempts == ()
    assert await pool.state(1) is PaymentState.ABANDONED
    assert await pool.owed(ALICE) == 500_000
    pool.wallet.rejection = None
    assert await pool.send() == 2
    assert await pool.faults() == []


async def test_an_output_that_the_node_refuses_is_found_and_the_others_are_paid(pool: PayingPool) -> None:
    for account in (BOB, CAROL):
        await pool.made.earn(account, 300_000)
    pool.wallet.fund(1_000_000)
    pool.wallet.refused.add(BOB)
    outcome = await pool.pay()
    assert outcome.payment_id == 2, "the first one was refused as a whole"
    assert outcome.left_out == ((BOB, 300_000, f"the node refuses a payment to {BOB}: {REFUSED}"),)
    assert await pool.state(1) is PaymentState.ABANDONED
    await pool.watch()
    pool.wallet.mine(6)
    assert set(pool.wallet.received()) == {ALICE, CAROL}
    assert await pool.owed(BOB) == 300_000
    assert pool.wallet.locked <= set(pool.wallet.signed[-1].inputs), "what was tried out has locked nothing"
    assert await pool.faults() == []


async def test_whoever_was_refused_is_tried_again_after_a_day(pool: PayingPool) -> None:
    await pool.made.earn(BOB, 300_000)
    pool.wallet.fund(1_000_000)
    pool.wallet.refused.add(BOB)
    await pool.send()
    pool.wallet.refused.clear()
    assert (await pool.pay()).payment_id is None
    pool.made.now_us += 86_400 * 1_000_000
    assert (await pool.pay()).payment_id is not None


async def test_where_nothing_at_all_is_taken_nobody_is_blamed(pool: PayingPool) -> None:
    await pool.made.earn(BOB, 300_000)
    pool.wallet.rejection = "bad-txns-premature-spend-of-coinbase"
    assert (await pool.pay()).left_out == ()
    pool.wallet.rejection = None
    await pool.send()
    pool.wallet.mine(6)
    assert set(pool.wallet.received()) == {ALICE, BOB}


async def test_a_payment_that_a_crash_left_planned_is_signed_after_the_restart(pool: PayingPool) -> None:
    pool.wallet.is_gone = True
    body = journal_entries.PaymentPlanned(
        payment_id=1,
        fee_payer="payees",
        payees=(journal_entries.PlannedPayee(account=ALICE, address=ALICE, sats=500_000),),
    )
    pool.made.journal.append(body, pool.made.now_us)  # killed before the database had it
    await pool.restart()
    assert await pool.state(1) is PaymentState.PLANNED
    pool.wallet.is_gone = False
    await pool.watch()
    assert await pool.state(1) is PaymentState.BROADCAST
    pool.wallet.mine(6)
    await pool.watch()
    assert pool.wallet.received() == {ALICE: 500_000 - ONE_PAYEE_FEE_SATS}
    assert len(pool.wallet.signed) == 1


async def test_a_planned_payment_waits_while_everything_is_on_hold(pool: PayingPool) -> None:
    pool.wallet.is_locked = True
    await pool.pay()
    pool.wallet.is_locked = False
    await hold(pool, "all")
    await pool.restart()
    await pool.watch()
    assert await pool.state(1) is PaymentState.PLANNED
    assert not pool.wallet.signed
    await release(pool, "all")
    await pool.watch()
    assert await pool.state(1) is PaymentState.BROADCAST


async def test_a_planned_payment_waits_while_a_mature_block_is_in_doubt(pool: PayingPool) -> None:
    pool.wallet.is_locked = True
    await pool.pay()
    pool.wallet.is_locked = False
    pool.payer.is_in_doubt = True
    await pool.watch()
    assert await pool.state(1) is PaymentState.PLANNED
    pool.payer.is_in_doubt = False
    await pool.watch()
    assert await pool.state(1) is PaymentState.BROADCAST


@pytest.mark.parametrize("trouble", ["held", "unpayable"])
async def test_a_planned_payment_that_cannot_be_made_any_more_is_planned_anew_without_the_one_in_the_way(
    pool: PayingPool, trouble: str
) -> None:
    await pool.made.earn(BOB, 300_000)
    pool.wallet.is_locked = True
    await pool.pay()
    pool.wallet.is_locked = False
    if trouble == "held":
        await hold(pool, ALICE)
    else:
        pool.wallet.unpayable.add(ALICE)
    await pool.watch()
    assert await pool.state(1) is PaymentState.ABANDONED
    assert (await pool.owed(ALICE), await pool.owed(BOB)) == (500_000, 300_000)
    await pool.send()
    pool.wallet.mine(6)
    assert set(pool.wallet.received()) == {BOB}
    assert await pool.faults() == []


# ---------------------------------------------------------------------- signed, sent, held


async def test_a_node_that_is_gone_makes_the_payment_wait(pool: PayingPool) -> None:
    pool.wallet.is_gone = True
    with pytest.raises(WalletUnavailable):
        await pool.pay()
    assert await pool.payments() == []
    pool.wallet.is_gone = False
    await pool.pay()
    pool.wallet.is_gone = True
    with pytest.raises(WalletUnavailable):
        await pool.watch()
    assert await pool.state(1) is PaymentState.SIGNED
    pool.wallet.is_gone = False
    await pool.watch()
    assert await pool.state(1) is PaymentState.BROADCAST


@pytest.mark.parametrize("scope", ["all", "payment:1", ALICE])
async def test_a_signed_payment_on_hold_is_not_sent(pool: PayingPool, scope: str) -> None:
    await pool.pay()
    await hold(pool, scope)
    await pool.watch()
    assert await pool.state(1) is PaymentState.SIGNED
    assert not pool.wallet.handed
    await release(pool, scope)
    await pool.watch()
    assert len(pool.wallet.handed) == 1


async def test_what_the_chain_shows_is_written_down_in_spite_of_a_hold(pool: PayingPool) -> None:
    await pool.send()
    await hold(pool, "all")
    pool.wallet.mine(6)
    await pool.watch()
    assert await pool.state(1) is PaymentState.CONFIRMED


async def test_a_payment_that_was_sent_before_its_account_was_held_is_seen_through(
    pool: PayingPool,
) -> None:
    await pool.send()
    await hold(pool, ALICE)
    pool.wallet.mempool.clear()
    await pool.watch()
    assert len(pool.wallet.handed) == 2


async def test_an_evicted_transaction_is_sent_again_with_the_same_bytes(pool: PayingPool) -> None:
    await pool.send()
    for _ in range(3):
        pool.wallet.mempool.clear()
        await pool.watch()
    assert set(pool.wallet.handed) == {pool.wallet.signed[0].txid}
    assert len(pool.wallet.signed) == 1


async def test_a_killed_payer_sends_what_was_stored(pool: PayingPool) -> None:
    await pool.pay()
    await pool.restart()
    await pool.watch()
    assert [one.txid for one in pool.wallet.signed] == pool.wallet.handed


async def test_coins_of_open_payments_are_not_spent_again_whatever_the_wallet_forgets(
    pool: PayingPool,
) -> None:
    await pool.send()
    pool.wallet.mempool.clear()
    pool.wallet.locked.clear()  # the node was started anew
    await pool.made.earn(BOB, 300_000)
    outcome = await pool.pay()
    assert outcome.reason is not None
    assert "spendable coins hold 0 sats" in outcome.reason


async def test_inputs_of_open_payments_are_locked_again_and_those_of_settled_ones_are_not(
    pool: PayingPool,
) -> None:
    await pool.send()
    spent = set(pool.wallet.signed[0].inputs)
    pool.wallet.locked.clear()
    await pool.payer.lock_inputs()
    assert pool.wallet.locked == spent
    pool.wallet.locked.clear()
    pool.wallet.mine(6)
    await pool.watch()
    await pool.payer.lock_inputs()
    assert pool.wallet.locked == set()


# ---------------------------------------------------------------------- bumps


async def stuck(pool: PayingPool) -> int:
    """A payment whose miners want more, six blocks after it was sent."""
    number = await pool.send()
    first = dict(pool.wallet.mempool)
    pool.wallet.mempool.clear()
    pool.wallet.bury(6)
    pool.wallet.mempool |= first
    pool.wallet.estimate = pool.wallet.minimum = 5_000
    return number


async def test_a_stuck_payment_gets_a_higher_fee_that_the_pool_pays(pool: PayingPool) -> None:
    number = await stuck(pool)
    await pool.watch()
    first, second = (await pool.payment(number)).attempts
    assert set(first.outpoints()) <= set(second.outpoints())
    assert second.fee_sats == BUMPED_FEE_SATS
    assert list(pool.wallet.mempool) == [second.txid]
    pool.wallet.mine(6)
    await pool.watch()
    assert await pool.state(number) is PaymentState.CONFIRMED
    # what the payee gets does not change; the pool bears what was added
    assert pool.wallet.received() == {ALICE: 500_000 - ONE_PAYEE_FEE_SATS}
    assert (await pool.made.balances())[OPERATOR] == ONE_PAYEE_FEE_SATS - BUMPED_FEE_SATS
    assert await pool.faults() == []


async def test_the_original_may_confirm_after_a_bump_and_the_books_know_which(pool: PayingPool) -> None:
    number = await stuck(pool)
    await pool.watch()
    pool.wallet.take(pool.wallet.signed[0])
    pool.wallet.bury(5)
    await pool.watch()
    payment = await pool.payment(number)
    assert [attempt.is_counted for attempt in payment.attempts] == [True, False]
    balances = await pool.made.balances()
    assert (balances[NETWORK], balances.get(OPERATOR, 0)) == (ONE_PAYEE_FEE_SATS, 0)
    assert pool.wallet.received() == {ALICE: 500_000 - ONE_PAYEE_FEE_SATS}


@pytest.mark.parametrize(
    "trouble", ["the node replaces nothing", "no keys", "locked", "an address is unknown", "too dear"]
)
async def test_a_bump_that_is_refused_sends_the_last_attempt_again(pool: PayingPool, trouble: str) -> None:
    number = await stuck(pool)
    if trouble == "no keys":
        pool.wallet.has_keys = False
    elif trouble == "locked":
        pool.wallet.is_locked = True
    elif trouble == "an address is unknown":
        pool.wallet.unpayable.add(ALICE)
    elif trouble == "too dear":
        pool.wallet.estimate = 100_000  # 14,600 sats are more than 2 % of 500,000
    handed = len(pool.wallet.handed)
    if trouble == "the node replaces nothing":
        pool.wallet.rejection = "txn-mempool-conflict"
    await pool.watch()
    payment = await pool.payment(number)
    assert len(payment.attempts) == 1
    assert pool.wallet.handed[handed:] == [payment.attempts[0].txid]


async def test_a_bump_is_tried_once_for_each_block_and_keeps_its_change_address(pool: PayingPool) -> None:
    await stuck(pool)
    pool.wallet.rejection = "insufficient fee"
    pool.wallet.calls.clear()
    for _ in range(5):
        await pool.watch()
    assert pool.wallet.calls.count("sign") == 1
    pool.wallet.bury(1)
    await pool.watch()
    assert pool.wallet.calls.count("sign") == 2
    assert pool.wallet.calls.count("change") == 1


async def test_no_payment_on_hold_is_bumped(pool: PayingPool) -> None:
    number = await stuck(pool)
    await hold(pool, f"payment:{number}")
    await pool.watch()
    assert len((await pool.payment(number)).attempts) == 1
    assert len(pool.wallet.signed) == 1


# ---------------------------------------------------------------------- reorganisations and conflicts


async def test_a_reorganisation_opens_a_confirmed_payment_again_until_it_is_back(pool: PayingPool) -> None:
    pool.settle_for(rules=Rules(bump_after_blocks=50))
    number = await pool.send()
    pool.wallet.mine(6)
    await pool.watch()
    pool.wallet.reorganise(6, keeps=False)
    await pool.watch()
    assert await pool.state(number) is PaymentState.BROADCAST
    assert (await pool.made.balances())[PAYING] == 500_000
    assert len(pool.wallet.mempool) == 1  # sent again
    pool.wallet.mine(6)
    await pool.watch()
    assert await pool.state(number) is PaymentState.CONFIRMED
    assert await pool.made.balances() == {
        ledger.MINED: -500_000,
        PAID: 500_000 - ONE_PAYEE_FEE_SATS,
        NETWORK: ONE_PAYEE_FEE_SATS,
    }
    assert len(pool.wallet.signed) == 1


async def test_a_payment_whose_coins_are_spent_elsewhere_waits_until_that_is_100_deep(
    pool: PayingPool,
) -> None:
    number = await pool.send()
    (coin,) = (await pool.payment(number)).attempts[0].outpoints()
    pool.wallet.mempool.clear()
    pool.wallet.steal(coin)
    await pool.watch()
    payment = await pool.payment(number)
    assert payment.state is PaymentState.SET_ASIDE
    assert payment.reason is not None
    assert "1 deep" in payment.reason
    pool.wallet.fund(1_000_000)
    await pool.made.earn(BOB, 300_000)
    assert (await pool.send()) == 2  # the others go on
    pool.wallet.mine(98)
    await pool.watch()
    assert await pool.state(number) is PaymentState.SET_ASIDE  # 99 deep
    assert await pool.owed(ALICE) == 0
    pool.wallet.mine()
    await pool.watch()
    assert await pool.state(number) is PaymentState.ABANDONED
    assert await pool.owed(ALICE) == 500_000
    pool.wallet.fund(1_000_000)
    await pool.send()
    pool.wallet.mine(6)
    await pool.watch()
    # the same single input, two outputs
    assert pool.wallet.received()[ALICE] == 500_000 - ONE_PAYEE_FEE_SATS
    assert await pool.faults() == []


async def test_a_conflict_that_a_reorganisation_takes_away_lets_the_payment_go_on(pool: PayingPool) -> None:
    number = await pool.send()
    (coin,) = (await pool.payment(number)).attempts[0].outpoints()
    pool.wallet.mempool.clear()
    pool.wallet.steal(coin)
    await pool.watch()
    pool.wallet.reorganise(1, keeps=False)
    await pool.watch()
    assert await pool.state(number) is PaymentState.BROADCAST
    pool.wallet.mine(6)
    await pool.watch()
    assert await pool.state(number) is PaymentState.CONFIRMED


async def test_coins_that_an_abandoned_payment_leaves_are_free_again(pool: PayingPool) -> None:
    await pool.made.earn(BOB, 900_000)
    pool.wallet.fund(1_000_000)
    number = await pool.send()
    stolen, left = sorted((await pool.payment(number)).attempts[0].outpoints())
    pool.wallet.mempool.clear()
    pool.wallet.steal(stolen)
    pool.wallet.bury(99)
    await pool.watch()
    assert await pool.state(number) is PaymentState.ABANDONED
    await pool.payer.lock_inputs()
    assert (left.txid, left.output) not in pool.wallet.locked
    pool.wallet.fund(1_000_000)
    await pool.send()
    assert (left.txid, left.output) in pool.wallet.signed[-1].inputs


async def test_money_that_leaves_the_wallet_by_another_way_is_not_paid_out_twice(pool: PayingPool) -> None:
    """A stranger holds the stored bytes, and sends them while the pool believes that they were evicted."""
    number = await pool.send()
    pool.wallet.mempool.clear()
    pool.wallet.take(pool.wallet.signed[0])
    pool.wallet.bury(5)
    await pool.watch()
    assert await pool.state(number) is PaymentState.CONFIRMED
    assert (await pool.pay()).payment_id is None


async def test_a_confirmed_payment_is_watched_to_a_depth_of_100_and_no_further(pool: PayingPool) -> None:
    await pool.send()
    pool.wallet.mine(99)
    await pool.watch()
    pool.wallet.calls.clear()
    await pool.watch()
    assert pool.wallet.calls.count("look") == 1
    pool.wallet.mine()
    await pool.watch()
    pool.wallet.calls.clear()
    await pool.watch()
    assert pool.wallet.calls.count("look") == 0


class CoreLike(ScriptedWallet):
    """What it has sent and no memory pool has still spends its coins, and its change is not trusted."""

    async def balances(self) -> Balances:
        await self._ask("balances")
        confirmed = {one.txid for block in self.chain for one in block}
        spent = {
            point
            for one in self.signed
            if one.txid in self.handed and one.txid not in confirmed
            for point in one.inputs
        }
        trusted = sum(
            coin.sats
            for coin, _ in self._unspent()
            if (coin.outpoint.txid, coin.outpoint.output) not in spent
        )
        trusted += sum(
            sats for one in self.mempool.values() for address, sats in one.outputs if address in self.own
        )
        return Balances(trusted_sats=trusted, pending_sats=0, immature_sats=0)


async def test_a_payment_that_makes_the_wallet_short_is_sent_again_all_the_same(tmp_path: Path) -> None:
    async with paying_in(tmp_path) as pool:
        pool.wallet = CoreLike()
        await pool.restart()
        pool.wallet.fund(100_000_000)
        await pool.made.earn(ALICE, 500_000)
        await pool.send()
        pool.wallet.mempool.clear()  # evicted
        await pool.made.earn(BOB, 400_000)
        assert (await pool.pay()).payment_id is None
        assert [kind for _, kind, _ in await pool.holds()] == ["wallet"]
        await pool.watch()
        assert pool.wallet.mempool, "that alone brings the coins back"
        pool.wallet.mine(7)
        assert (await pool.pay()).payment_id == 2
        assert await pool.holds() == []


async def test_an_address_that_is_refused_leaves_out_nobody_whose_amount_is_small(tmp_path: Path) -> None:
    """20 sat/vB: 141 vB alone are 2,820 sats, more than 2 % of bob's 100,000, and less than 2 % of all."""
    async with paying_in(tmp_path) as pool:
        for account, sats in ((ALICE, 5_000_000), (BOB, 100_000), (CAROL, 5_000_000), (DAVE, 100_001)):
            await pool.made.earn(account, sats)
        pool.wallet.fund(100_000_000)
        pool.wallet.estimate = 20_000
        pool.wallet.refused = {DAVE}
        outcome = await pool.pay()
        assert [account for account, *_ in outcome.left_out] == [DAVE]
        assert REFUSED in outcome.left_out[0][2]


async def test_nobody_is_left_out_for_a_wallet_that_is_locked_while_they_are_looked_for(
    tmp_path: Path,
) -> None:
    async with paying_in(tmp_path) as pool:
        for account in (ALICE, BOB, CAROL):
            await pool.made.earn(account, 500_000)
        pool.wallet.fund(100_000_000)
        pool.wallet.refused = {CAROL}

        async def lock() -> None:
            pool.wallet.is_locked = True

        pool.wallet.meanwhile["check"] = lock()  # what was signed before is still shown to the node
        assert (await pool.pay()).payment_id is None
        pool.wallet.is_locked = False
        outcome = await pool.pay()
        assert [account for account, *_ in outcome.left_out] == [CAROL]


async def test_what_a_coinbase_has_paid_is_not_paid_by_the_wallet_while_its_block_is_young(
    pool: PayingPool,
) -> None:
    """Coinbases paid until today: bob's 500,000 of the first block came with the second."""
    made = pool.made
    first = await made.block(ALICE, reward_sats=10_000_000)
    await made.settle(first, {ALICE: 9_500_000, BOB: 500_000}, paid={ALICE: 9_500_000})
    await made.mature(first)
    second = await made.block(ALICE, reward_sats=10_000_000)
    paid = {ALICE: 9_000_000, BOB: 1_000_000}
    await made.settle(second, {ALICE: 9_500_000, BOB: 500_000}, paid=paid)
    assert await pool.owed(BOB) == 0
    outcome = await pool.pay()
    [item] = (await pool.payment(outcome.payment_id or 0)).items
    assert (item.account, item.sats) == (ALICE, 500_000)  # what the fixture owes
    assert await pool.faults() == []


async def test_a_payment_that_waits_for_the_wallet_counts_among_what_is_owed(tmp_path: Path) -> None:
    async with paying_in(tmp_path) as pool:
        for account in (ALICE, BOB):
            await pool.made.earn(account, 500_000)
        await hold(pool, BOB)
        pool.wallet.fund(600_000)
        coin = pool.wallet.fund(450_000)
        pool.wallet.is_locked = True
        await pool.pay()
        pool.wallet.steal(coin)  # withdrawn: 600,000 are left for 1,000,000
        pool.wallet.is_locked = False
        await pool.watch()
        assert (await pool.payment(1)).attempts == ()
        assert ("all", "wallet") in {(scope, kind) for scope, kind, _ in await pool.holds()}


async def test_where_blocks_pay_nothing_new_is_signed_and_no_wallet_is_short(tmp_path: Path) -> None:
    async with paying_in(tmp_path) as pool:
        await pool.made.earn(ALICE, 500_000)
        pool.wallet.fund(600_000)
        pool.wallet.is_locked = True
        await pool.pay()
        await pool.made.earn(BOB, 1_000_000)
        await hold_everything(pool.made.changes, "wallet", "it was short", pool.made.now_us)
        pool.wallet.is_locked = False
        payer = Payer(pool.made.database, pool.made.changes, pool.wallet, pool.rules, is_paying=False)
        await payer.watch(pool.made.now_us)
        assert (await pool.payment(1)).state == "abandoned"
        assert await pool.holds() == []
        assert await pool.owed(ALICE) == 500_000  # to be carried over
