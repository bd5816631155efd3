"""A small chain, its memory pool, and a payer who follows `next_step`: a world for histories of payments.

Nothing in the chain knows of payments, and a memory pool takes whatever the chain does not exclude, without
regard to fees: what follows from fees alone is no guarantee. `pick` chooses among what is there.
"""

import msgspec

from payouts.attempt import Attempt, AttemptSight, Confirmed, Conflicted, Unconfirmed, free_coins
from payouts.batch import Item
from payouts.bump import Replaced, bump
from payouts.composition import Composition, compose
from payouts.payment import (
    TRANSITIONS,
    Broadcast,
    Bump,
    Confirm,
    Done,
    PaymentState,
    PlanAnew,
    Rebroadcast,
    Reopen,
    SetAside,
    Sign,
    next_step,
)
from payouts.transaction import Coin, Outpoint, Output
from tests.payouts.test_composition import coin, item, terms

DEBT: list[Item] = [item(1, 60_000), item(2, 25_000)]
SCRIPTS = {one.script for one in DEBT}


class Payment(msgspec.Struct):
    debt: int
    is_done: bool = False
    state: PaymentState = PaymentState.PLANNED
    attempts: list[Attempt] = []
    outputs: list[tuple[Output, ...]] = []

    def go(self, state: PaymentState) -> None:
        assert state in TRANSITIONS[self.state], f"{self.state} to {state}"
        self.state = state


class World:
    def __init__(self) -> None:
        # the debt and little more: a bump needs a further coin, whose spending excludes that attempt alone
        self.wallet: list[Coin] = [coin(number, 85_400) for number in range(300)]
        self.blocks: list[dict[str, frozenset[Outpoint]]] = [{}]
        self.mempool: dict[str, frozenset[Outpoint]] = {}
        self.payments = [Payment(debt=1)]
        self.strangers = 0
        self.by_hand: dict[str, int] = {}  # transactions that pay the payees of an attempt → the debt
        self.rate = 1000

    # The chain, which knows nothing of payments.

    def _spent(self) -> dict[Outpoint, tuple[str, int]]:
        return {
            outpoint: (txid, height)
            for height, block in enumerate(self.blocks)
            for txid, spends in block.items()
            for outpoint in spends
        }

    def _add_to_mempool(self, txid: str, spends: frozenset[Outpoint]) -> None:
        if spends & self._spent().keys():
            return
        self.mempool = {other: taken for other, taken in self.mempool.items() if not taken & spends}
        self.mempool[txid] = spends

    def _sight(self, attempt: Attempt) -> AttemptSight:
        tip, spent = len(self.blocks) - 1, self._spent()
        taken = [spent[outpoint] for outpoint in attempt.outpoints() if outpoint in spent]
        if not taken:
            return Unconfirmed(in_mempool=attempt.txid in self.mempool)
        txid, height = min(taken, key=lambda one: one[1])
        if txid == attempt.txid:
            return Confirmed(tip - height + 1, "bb" * 32, height)
        pays = any(one in self.by_hand for one, _ in taken)
        return Conflicted(txid, tip - height + 1, frozenset(SCRIPTS if pays else ()))

    def _mine(self, transactions: dict[str, frozenset[Outpoint]]) -> None:
        self.blocks.append(transactions)
        mined = frozenset().union(*transactions.values())
        self.mempool = {txid: spends for txid, spends in self.mempool.items() if not spends & mined}

    def mine_what_waits(self) -> None:
        self._mine(dict(self.mempool))

    def bury(self, blocks: int) -> None:
        for _ in range(blocks):
            self._mine({})

    def take_another(self, pick: int, stranger: bool) -> None:
        """A miner takes an attempt from an older template, or a stranger's spend of one of its inputs."""
        attempt = self._picked(pick)
        if attempt is None:
            return
        txid, spends = attempt.txid, attempt.outpoints()
        if stranger:
            spends = frozenset({sorted(spends)[pick % len(spends)]})
            self.strangers += 1
            txid = f"stranger {self.strangers}"
        if not spends & self._spent().keys():
            self._mine({txid: spends})

    def bump_by_hand(self, pick: int) -> None:
        """A transaction that is not ours pays an attempt's payees from its coins, as `bumpfee` makes one."""
        attempt = self._picked(pick)
        if attempt is None or attempt.outpoints() & self._spent().keys():
            return
        debt = next(one.debt for one in self.payments if attempt in one.attempts)
        txid = f"by hand {len(self.by_hand)}"
        self.by_hand[txid] = debt
        self._mine({txid: attempt.outpoints()})

    def adopt(self) -> None:
        """A person takes such a transaction for the payment that it excludes, once it is 100 deep."""
        for payment in self.payments:
            sights = [self._sight(attempt) for attempt in payment.attempts]
            deep = [one for one in sights if isinstance(one, Conflicted) and one.confirmations >= 100]
            pays = any(not one.scripts.isdisjoint(SCRIPTS) for one in deep)
            if payment.state is PaymentState.SET_ASIDE and pays and len(deep) == len(sights):
                payment.go(PaymentState.ABANDONED)
                payment.is_done = True
                self.payments.append(Payment(debt=payment.debt + 1))
                return

    def reorganise(self, depth: int, keep: bool, pick: int | None) -> None:
        """The new branch may begin with an attempt, old or new; the old one's transactions may be lost."""
        depth = min(depth, len(self.blocks) - 1)
        gone = self.blocks[len(self.blocks) - depth :]
        self.blocks = self.blocks[: len(self.blocks) - depth]
        for block in gone if keep else []:
            for txid, spends in block.items():
                self._add_to_mempool(txid, spends)
        if pick is not None:
            self.take_another(pick, stranger=False)
        self.bury(depth + 1)

    def evict(self) -> None:
        self.mempool.clear()

    def send_old(self, pick: int) -> None:
        """Somebody who has an attempt's bytes hands them to a node."""
        attempt = self._picked(pick)
        if attempt is not None:
            self._add_to_mempool(attempt.txid, attempt.outpoints())

    def _picked(self, pick: int) -> Attempt | None:
        """One of the attempts that are still watched, those of abandoned payments among them."""
        known = [a for payment in self.payments if not payment.is_done for a in payment.attempts]
        return known[pick % len(known)] if known else None

    # The payer, who sees what a node shows.

    def pay(self, steps: int) -> None:
        """Ends after some steps, as a crash would."""
        for _ in range(steps):
            for payment in list(self.payments):
                if not payment.is_done:
                    self._step(payment)

    def _step(self, payment: Payment) -> None:
        sights = {attempt.txid: self._sight(attempt) for attempt in payment.attempts}
        step = next_step(
            payment.state, payment.attempts, sights, len(self.blocks) - 1, payees=frozenset(SCRIPTS)
        )
        match step:
            case Sign():
                self._sign(payment)
            case Broadcast(number):
                self._change(payment, number, broadcast_height=len(self.blocks) - 1)
                if payment.state is PaymentState.SIGNED:
                    payment.go(PaymentState.BROADCAST)
                self._hand_over(payment.attempts[number - 1])
            case Rebroadcast(number):
                self._hand_over(payment.attempts[number - 1])
            case Bump(number, live):
                self._bump(payment, number, live)
            case Confirm(number, _):
                self._change(payment, number, is_counted=True)
                payment.go(PaymentState.CONFIRMED)
            case Reopen():
                for attempt in payment.attempts:
                    self._change(payment, attempt.number, is_counted=False)
                payment.go(PaymentState.BROADCAST)
            case SetAside():
                payment.go(PaymentState.SET_ASIDE)
            case PlanAnew(txid):
                assert txid.startswith("stranger")
                payment.go(PaymentState.ABANDONED)
                self.payments.append(Payment(debt=payment.debt))
            case Done():
                (counted,) = [attempt for attempt in payment.attempts if attempt.is_counted]
                assert isinstance(sights[counted.txid], Confirmed)
                payment.is_done = True
                self.payments.append(Payment(debt=payment.debt + 1))
            case _:
                pass

    def _hand_over(self, attempt: Attempt) -> None:
        self._add_to_mempool(attempt.txid, attempt.outpoints())

    def _change(self, payment: Payment, number: int, **changes: object) -> None:
        payment.attempts[number - 1] = msgspec.structs.replace(payment.attempts[number - 1], **changes)

    def _coins(self) -> list[Coin]:
        """What a wallet and its payer find to spend: what abandoned attempts left unspent is among it."""
        spent = self._spent()
        open_attempts = [
            attempt
            for payment in self.payments
            if payment.state is not PaymentState.ABANDONED
            for attempt in payment.attempts
        ]
        return free_coins([one for one in self.wallet if one.outpoint not in spent], open_attempts)

    def _sign(self, payment: Payment) -> None:
        made = compose(DEBT, self._coins(), terms("payees", self.rate))
        if isinstance(made, Composition):
            self._store(payment, made)
            payment.go(PaymentState.SIGNED)

    def _bump(self, payment: Payment, number: int, live: tuple[int, ...]) -> None:
        self.rate = min(self.rate * 2, 20_000)
        replaced = Replaced(
            attempt=payment.attempts[number - 1], outputs=payment.outputs[number - 1], payee_scripts=SCRIPTS
        )
        alive = [attempt for attempt in payment.attempts if attempt.number in live]
        made = bump(replaced, alive, self._coins(), terms("payees", self.rate), 1000)
        if isinstance(made, Composition):
            self._store(payment, made)
        else:
            self._hand_over(payment.attempts[number - 1])

    def _store(self, payment: Payment, made: Composition) -> None:
        number = len(payment.attempts) + 1
        payment.attempts = [
            *payment.attempts,
            Attempt(
                number=number,
                txid=f"payment {self.payments.index(payment)} attempt {number}",
                raw=b"",
                inputs=made.inputs,
                fee_sats=made.fee_sats,
                weight=made.weight,
            ),
        ]
        payment.outputs = [*payment.outputs, made.outputs]

    def _paid_debts(self) -> list[int]:
        """The debt of each payment that is in the chain, in no order."""
        debts = {a.txid: payment.debt for payment in self.payments for a in payment.attempts} | self.by_hand
        return [debts[txid] for block in self.blocks for txid in block if txid in debts]

    def check(self) -> None:
        """What holds after every step."""
        paid = self._paid_debts()
        assert len(paid) == len(set(paid)), paid
        for payment in self.payments:
            counted = [attempt for attempt in payment.attempts if attempt.is_counted]
            assert len(counted) == (payment.state is PaymentState.CONFIRMED)

    def come_to_rest(self) -> None:
        """Left in peace, with the strangers' transactions gone from the memory pool, the debts get paid."""
        self.mempool.clear()
        debts = max(payment.debt for payment in self.payments)
        for _ in range(12):
            for _ in range(3):
                self.pay(2)
                self.adopt()
            self.mine_what_waits()
            self.bury(20)
        self.check()
        assert set(range(1, debts + 1)) <= set(self._paid_debts())
        for payment in self.payments:
            assert payment.debt > debts or payment.is_done or payment.state is PaymentState.ABANDONED
