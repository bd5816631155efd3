"""Random histories of paying, watching, crashing and chains that change: nobody is ever paid twice."""

import asyncio
import contextlib
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payouts.payment import PaymentState
from payouts.wallet import WalletError
from pool.accounting.adoption import Adoption
from pool.accounting.control import Refused
from pool.accounting.journal import Journal
from pool.accounting.journal_entries import Body, PaymentReplaced
from pool.accounting.requests import AdoptRequest
from stratum.work.coin import network
from tests.pool.accounting.building import ALICE, BOB, CAROL
from tests.pool.accounting.paying import RULES, PayingPool, paying_in
from tests.pool.accounting.scripted_wallet import ScriptedWallet

ACCOUNTS = (ALICE, BOB, CAROL)
EARNED_SATS = 400_000


class Killed(Exception):
    """The process ends here."""


class Countdown:
    """Kills at a step that is counted to; every call of the wallet and both sides of an append are steps."""

    def __init__(self) -> None:
        self.left: int | None = None

    def step(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Killed


class MortalWallet(ScriptedWallet):
    countdown: Countdown

    async def _ask(self, name: str) -> None:
        self.countdown.step()
        await super()._ask(name)


class MortalJournal:
    """A journal's owner may die before the line is written, and after."""

    def __init__(self, journal: Journal, countdown: Countdown) -> None:
        self._journal = journal
        self._countdown = countdown
        self.entries = journal.entries

    @property
    def last_number(self) -> int:
        return self._journal.last_number

    def append(self, body: Body, at_us: int) -> int:
        self._countdown.step()
        number = self._journal.append(body, at_us)
        self._countdown.step()
        return number


class History:
    def __init__(self, pool: PayingPool, countdown: Countdown) -> None:
        self.pool = pool
        self.countdown = countdown
        self.earned = dict.fromkeys(ACCOUNTS, 0)

    async def do(self, name: str, number: int) -> None:
        await getattr(self, name)(number)

    async def earn(self, number: int) -> None:
        account = ACCOUNTS[number % len(ACCOUNTS)]
        await self.pool.made.earn(account, EARNED_SATS)
        self.pool.wallet.fund(EARNED_SATS)
        self.earned[account] += EARNED_SATS

    async def pay(self, _: int = 0) -> None:
        with contextlib.suppress(WalletError):
            await self.pool.pay()

    async def watch(self, _: int = 0) -> None:
        with contextlib.suppress(WalletError):
            await self.pool.watch()

    async def die(self, number: int) -> None:
        """At one of the next steps of paying or watching, whichever that is, and up again."""
        self.countdown.left = number
        try:
            await self.pay()
            await self.watch()
        except Killed:
            pass
        self.countdown.left = None
        await self.pool.restart()

    async def lock_wallet(self, number: int) -> None:
        self.pool.wallet.is_locked = bool(number % 2)

    async def change_rate(self, number: int) -> None:
        self.pool.wallet.estimate = 1000 + 100 * number

    async def mine(self, number: int) -> None:
        self.pool.wallet.mine(1 + number % 7)

    async def evict(self, number: int) -> None:
        self.pool.wallet.mempool.clear()
        self.pool.wallet.bury(number)

    async def reorganise(self, number: int) -> None:
        self.pool.wallet.reorganise(1 + number % 8, keeps=bool(number % 2))

    async def steal(self, number: int) -> None:
        """A stranger spends a coin of an attempt that is not in the chain, and buries that."""
        coins = sorted(
            point
            for payment in await self.pool.payments()
            for attempt in payment.attempts
            for point in attempt.outpoints()
            if not self.pool.wallet.is_spent(point)
        )
        if coins:
            self.pool.wallet.steal(coins[number % len(coins)])
            self.pool.wallet.bury(99 * (number % 2))

    async def bump_by_hand(self, number: int) -> None:
        """The operator presses `bumpfee` in the node's wallet; sometimes that is buried at once."""
        wallet = self.pool.wallet
        possible = [
            attempt
            for payment in await self.pool.payments()
            for attempt in payment.attempts
            if not any(wallet.is_spent(point) for point in attempt.outpoints())
            and not any(wallet.is_lost(point) for point in attempt.outpoints())
        ]
        if possible:
            wallet.bump_by_hand(possible[number % len(possible)], 50)
            wallet.bury(99 * (number % 2))

    async def adopt(self, _: int = 0) -> None:
        """A person takes such transactions for the payments that they exclude."""
        made, wallet = self.pool.made, self.pool.wallet
        adoption = Adoption(made.database, made.changes, network("bitcoin", "regtest"), wallet, None)
        for txid in [one.txid for one in wallet.by_hand]:
            request = AdoptRequest(what=txid, reason="bumped in the node's wallet")
            with contextlib.suppress(WalletError, Refused):
                await adoption.adopt(request, made.now_us)

    async def send_old(self, number: int) -> None:
        """A miner takes a transaction that was handed out once, whatever became of it."""
        known = [one for one in self.pool.wallet.signed if one.txid in self.pool.wallet.handed]
        if known and not self.pool.wallet.excludes(known[number % len(known)]):
            self.pool.wallet.take(known[number % len(known)])

    async def check(self) -> None:
        """After every step: what the chain holds for somebody is at most what they have earned."""
        for account, sats in self.pool.wallet.received().items():
            if account in self.earned:
                assert sats <= self.earned[account]
        assert await self.pool.faults() == []
        open_sats = dict.fromkeys(ACCOUNTS, 0)
        for payment in await self.pool.payments():
            for item in payment.items:
                if payment.state is not PaymentState.ABANDONED:
                    open_sats[item.account] += item.sats
        for body in self.pool.made.entries():
            if isinstance(body, PaymentReplaced):
                for payee in body.payees:
                    open_sats[payee.account] += payee.sats
        for account in ACCOUNTS:
            assert open_sats[account] + await self.pool.owed(account) == self.earned[account]

    async def come_to_rest(self) -> None:
        """Left in peace, everybody gets what they have earned, but for the fees they bear."""
        wallet = self.pool.wallet
        wallet.is_locked, wallet.estimate = False, 1000
        wallet.fund(10 * EARNED_SATS)  # for what strangers took
        for _ in range(6):
            await self.watch()
            wallet.mine(101)
            await self.watch()
            await self.adopt()
            await self.pay()
        await self.check()
        borne = dict.fromkeys(ACCOUNTS, 0)
        for payment in await self.pool.payments():
            assert payment.state in (PaymentState.CONFIRMED, PaymentState.ABANDONED)
            for item in payment.items:
                if payment.state is PaymentState.CONFIRMED:
                    borne[item.account] += item.fee_sats
        received = wallet.received()
        for account in ACCOUNTS:
            # what a bump by hand kept back is owed again, and may stay below what is paid at once
            owed = await self.pool.owed(account)
            assert owed < RULES.minimum_sats if self.is_replaced() else not owed
            assert received.get(account, 0) + borne[account] + owed == self.earned[account]

    def is_replaced(self) -> bool:
        return any(isinstance(body, PaymentReplaced) for body in self.pool.made.entries())


STEPS = st.one_of(
    st.tuples(st.sampled_from(["pay", "watch", "die"]), st.integers(0, 20)),
    st.tuples(
        st.sampled_from(
            [
                "earn",
                "mine",
                "evict",
                "reorganise",
                "steal",
                "send_old",
                "bump_by_hand",
                "adopt",
                "lock_wallet",
                "change_rate",
            ]
        ),
        st.integers(0, 20),
    ),
)


async def _live(steps: list[tuple[str, int]], directory: Path) -> None:
    countdown = Countdown()
    async with paying_in(directory) as pool:
        wallet = MortalWallet()
        wallet.countdown = countdown
        pool.wallet = wallet
        pool.made.journal = MortalJournal(pool.made.journal, countdown)  # type: ignore[assignment]
        await pool.restart()
        history = History(pool, countdown)
        await history.earn(0)
        for name, number in steps:
            await history.do(name, number)
            await history.check()
        await history.come_to_rest()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=5, max_size=20))
def test_no_history_pays_anybody_twice_and_each_ends_with_everybody_paid(
    steps: list[tuple[str, int]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_live(steps, Path(directory)))
