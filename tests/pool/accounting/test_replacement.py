"""A transaction over the coins of payments that nobody here has signed: waited for, and taken for them."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from payouts.attempt import Attempt, AttemptSight, Conflicted, InputsGone
from payouts.payment import PaymentState
from pool.accounting import journal_entries
from pool.accounting.adoption import Adoption
from pool.accounting.control import Refused
from pool.accounting.ledger import OPERATOR, PAID
from pool.accounting.requests import AdoptedPart, AdoptRequest
from stratum.work.coin import network
from tests.pool.accounting.building import ALICE, BOB
from tests.pool.accounting.paying import RULES, PayingPool, hold, paying_in
from tests.pool.accounting.scripted_wallet import ScriptedWallet, Transaction

pytestmark = pytest.mark.usefixtures("either_database")


class ShortSighted(ScriptedWallet):
    """Looks for what spends a coin no further back than a hundred blocks before it is told to begin."""

    async def look(self, attempts: Sequence[Attempt], since_height: int | None) -> dict[str, AttemptSight]:
        found = await super().look(attempts, since_height)
        for txid, sight in found.items():
            if isinstance(sight, Conflicted) and since_height is not None:
                height = self._height(sight.txid)
                if height is not None and height < since_height - 100:
                    found[txid] = InputsGone()
        return found


async def made_by_hand(pool: PayingPool, foreign: Transaction) -> None:
    """The wallet's own, in the chain, and as deep as it has to be to be taken for a payment."""
    pool.wallet.take(foreign)
    pool.wallet.by_hand.append(foreign)
    pool.wallet.bury(120)
    await pool.watch()


async def adopt(pool: PayingPool, txid: str, *payees: AdoptedPart) -> None:
    made = pool.made
    adoption = Adoption(made.database, made.changes, network("bitcoin", "regtest"), pool.wallet, None)
    request = AdoptRequest(what=txid, payees=payees, reason="bumped in the node's wallet")
    await adoption.adopt(request, made.now_us)


async def test_a_payment_that_was_bumped_in_the_wallet_itself_is_not_made_again_and_can_be_adopted(
    pool: PayingPool,
) -> None:
    await pool.made.earn(BOB, 300_000)
    pool.wallet.fund(1_000_000)
    number = await pool.send()
    (attempt,) = (await pool.payment(number)).attempts
    by_hand = pool.wallet.bump_by_hand(attempt, 1_000)
    await pool.watch()
    payment = await pool.payment(number)
    assert payment.state is PaymentState.SET_ASIDE
    assert payment.reason is not None
    assert by_hand in payment.reason
    pool.wallet.mine(98)
    with pytest.raises(Refused, match="adopt it when it has 100"):
        await adopt(pool, by_hand)
    pool.wallet.mine(150)
    await pool.watch()
    assert await pool.state(number) is PaymentState.SET_ASIDE
    assert (await pool.owed(ALICE), await pool.owed(BOB)) == (0, 0)

    await adopt(pool, by_hand)
    # what the fee had taken of the parts is owed again, and the operator has paid the new one: 300,000
    # and 500,000 left balances, the attempt kept its fee back from them, and 1,000 more came off the change
    fee_sats = attempt.fee_sats
    assert await pool.owed(ALICE) + await pool.owed(BOB) == fee_sats
    assert await pool.owed(OPERATOR) == -fee_sats - 1_000
    assert await pool.owed(PAID) == 800_000 - fee_sats
    assert await pool.faults() == []
    assert (await pool.pay()).payment_id is None
    for _ in range(2):
        with pytest.raises(Refused, match="adopted before, for payment 1"):
            await adopt(pool, by_hand)
        await pool.restart()


async def test_a_payment_that_may_still_be_made_is_not_replaced(pool: PayingPool) -> None:
    number = await pool.send()
    (attempt,) = (await pool.payment(number)).attempts
    by_hand = pool.wallet.bump_by_hand(attempt, 1_000)
    with pytest.raises(Refused, match="adopt it when it has 6"):
        await adopt(pool, by_hand)
    pool.wallet.bury(5)
    with pytest.raises(Refused, match="payment 1, which is broadcast"):  # it has not been looked at since
        await adopt(pool, by_hand)


async def test_one_transaction_over_the_coins_of_two_payments_is_taken_for_both(tmp_path: Path) -> None:
    async with paying_in(tmp_path) as pool:
        for account, sats in ((ALICE, 500_000), (BOB, 400_000)):
            await pool.made.earn(account, sats)
            pool.wallet.fund(950_000)
            await pool.send()
        inputs = (*pool.wallet.signed[0].inputs, *pool.wallet.signed[1].inputs)
        foreign = Transaction(inputs, ((ALICE, 500_000), (BOB, 300_000), ("change 0", 1_099_000)))
        await made_by_hand(pool, foreign)
        await adopt(pool, foreign.txid)
        assert [(await pool.payment(n)).state for n in (1, 2)] == ["abandoned", "abandoned"]
        assert (await pool.owed(ALICE), await pool.owed(BOB)) == (0, 100_000)
        balances = await pool.made.balances()
        assert (balances["@paid"], balances["@network"]) == (800_000, 1_000)  # the fee, once
        assert await pool.faults() == []
        with pytest.raises(Refused, match="adopted before"):
            await adopt(pool, foreign.txid)


async def test_who_else_a_bump_by_hand_has_paid_has_to_be_said(pool: PayingPool) -> None:
    await pool.send()
    await pool.made.earn(BOB, 300_000)
    foreign = Transaction(pool.wallet.signed[0].inputs, ((ALICE, 500_000), (BOB, 200_000)))
    await made_by_hand(pool, foreign)
    with pytest.raises(Refused, match=f"{BOB} among them: say whom with --payee"):
        await adopt(pool, foreign.txid)
    with pytest.raises(Refused, match="200001 sats are more than the 200000"):
        await adopt(pool, foreign.txid, AdoptedPart(account=BOB, sats=200_001))
    await adopt(pool, foreign.txid, AdoptedPart(account=BOB, sats=200_000))
    assert (await pool.owed(ALICE), await pool.owed(BOB)) == (0, 100_000)
    assert await pool.faults() == []


async def test_a_payment_that_was_never_sent_stays_set_aside_however_deep_its_conflict(
    tmp_path: Path,
) -> None:
    async with paying_in(tmp_path) as pool:
        pool.wallet = ShortSighted()
        await pool.restart()
        pool.wallet.fund(1_000_000)
        await pool.made.earn(ALICE, 500_000)
        await pool.pay()  # signed
        await hold(pool, "all")
        by_hand = pool.wallet.bump_by_hand((await pool.payment(1)).attempts[0], 100)
        await pool.watch()
        pool.wallet.bury(250)
        await pool.restart()
        await pool.made.changes.make(
            journal_entries.HoldReleased(scope="all", hold_kind="operator", reason="go on"), pool.made.now_us
        )
        await pool.watch()
        assert (await pool.payment(1)).state == "set_aside"
        await adopt(pool, by_hand)
        assert (await pool.payment(1)).state == "abandoned"


async def test_a_payment_whose_payees_got_nothing_of_it_is_owed_again_with_the_other(tmp_path: Path) -> None:
    """Alice is a payee of both; the transaction over the coins of both pays her once, and not bob."""
    async with paying_in(tmp_path) as pool:
        for due in ({ALICE: 500_000}, {ALICE: 500_000, BOB: 400_000}):
            for account, sats in due.items():
                await pool.made.earn(account, sats)
            pool.wallet.fund(1_000_000)
            await pool.send()
        inputs = (*pool.wallet.signed[0].inputs, *pool.wallet.signed[1].inputs)
        foreign = Transaction(inputs, ((ALICE, 500_000), ("change 0", 1_400_000)))
        await made_by_hand(pool, foreign)
        await adopt(pool, foreign.txid)
        assert [(await pool.payment(n)).state for n in (1, 2)] == ["abandoned", "abandoned"]
        assert (await pool.owed(ALICE), await pool.owed(BOB)) == (500_000, 400_000)
        assert await pool.faults() == []


async def test_a_send_with_a_coin_that_a_confirmed_payment_has_left_free_is_like_any_other(
    tmp_path: Path,
) -> None:
    """Attempt 2 took a further coin, attempt 1 has confirmed: the coin is free again."""
    rules = msgspec.structs.replace(RULES, max_fee_percent=50)
    async with paying_in(tmp_path, rules) as pool:
        await pool.made.earn(ALICE, 500_000)
        pool.wallet.fund(500_000)
        await pool.send()
        extra = pool.wallet.fund(50_000)
        pool.wallet.estimate = 50_000
        pool.wallet.bury(7)
        await pool.watch()
        first, second = (await pool.payment(1)).attempts
        assert (len(first.inputs), len(second.inputs)) == (1, 2)
        pool.wallet.take(pool.wallet.signed[0])
        pool.wallet.bury(10)
        await pool.watch()
        assert (await pool.payment(1)).state == "confirmed"
        await pool.made.earn(ALICE, 300_000)
        by_hand = Transaction(((extra.txid, extra.output),), ((ALICE, 40_000), ("change 0", 9_000)))
        pool.wallet.take(by_hand)
        pool.wallet.by_hand.append(by_hand)
        pool.wallet.bury(5)
        await adopt(pool, by_hand.txid)
        assert await pool.owed(ALICE) == 260_000
