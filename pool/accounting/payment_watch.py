"""Takes each open payment as far as the chain allows; what to do is decided by payouts.payment.

Nothing is handed to a node whose bytes are not stored, nothing is stored that was not journalled; from any
crash the same bytes are sent again. A hold stops signing and sending, never seeing.
"""

import logging
from collections.abc import Mapping

from payouts.attempt import AttemptSight, Confirmed, Conflicted
from payouts.payment import (
    Action,
    Broadcast,
    Bump,
    Confirm,
    Done,
    PaymentState,
    PlanAnew,
    Rebroadcast,
    Reopen,
    Rules,
    SetAside,
    Sign,
    Wait,
    next_step,
)
from payouts.wallet import Handed, Rejected, Wallet, WalletRefused, handed_text
from pool.accounting.changes import Changes
from pool.accounting.journal_entries import (
    PaymentAbandoned,
    PaymentBroadcast,
    PaymentConfirmed,
    PaymentReopened,
    PaymentSetAside,
)
from pool.accounting.open_payments import ChangedMeanwhile, OpenPayments, change
from pool.accounting.payment_changes import Payment
from pool.accounting.signer import CannotBeMade, Signer
from pool.logs.events import LogEvent
from pool.logs.log import Log

STEPS_AT_ONCE = 10
# A payment goes from planned to confirmed in four; more in one look would be a state that flaps.

UNCONFIRMED = (PaymentState.PLANNED, PaymentState.SIGNED, PaymentState.BROADCAST, PaymentState.SET_ASIDE)

log = Log("engineroom.payments")


class PaymentWatch:
    """Follows payments. The caller sees to it that nothing is planned meanwhile."""

    def __init__(
        self, changes: Changes, wallet: Wallet, opened: OpenPayments, signer: Signer, rules: Rules
    ) -> None:
        self._changes = changes
        self._wallet = wallet
        self._open = opened
        self._signer = signer
        self._rules = rules
        self._told: dict[str, Handed] = {}
        self._bumped_at: dict[int, int] = {}  # the tip at which a payment last got no higher fee
        self._held: dict[int, str] = {}

    async def lock_inputs(self) -> None:
        """After each start of the node: keep its wallet from spending what open payments spend."""
        attempts = await self._open.holding(*UNCONFIRMED)
        points = [point for attempt in attempts for point in sorted(attempt.outpoints())]
        if points:
            await self._wallet.lock(points)

    async def look(self, now_us: int, *, may_sign: bool) -> None:
        """One payment's trouble stops no other. `may_sign` False: what is planned waits.

        Raises WalletUnavailable where the node cannot be asked at all, and DatabaseError.
        """
        for found in await self._open.all():
            try:
                await self._follow(found.id, now_us, may_sign)
            except WalletRefused as error:
                log.error(LogEvent.PAYMENT_TROUBLED, payment=found.id, reason=error.reason)
            except ChangedMeanwhile as error:
                log.info(LogEvent.PAYMENT_OVERTAKEN, reason=error)

    async def _follow(self, payment_id: int, now_us: int, may_sign: bool) -> None:
        for _ in range(STEPS_AT_ONCE):
            payment = await self._open.find(payment_id)
            if payment is None:
                return
            tip_height = await self._wallet.tip_height()
            sights = await self._sights(payment)
            payees = await self._payees(payment, sights)
            action = next_step(payment.state, payment.attempts, sights, tip_height, self._rules, payees)
            if isinstance(action, Sign) and not may_sign:
                return
            if await self._is_stopped(payment, action, sights):
                return
            if not await self._act(payment, action, tip_height, now_us):
                return

    async def _sights(self, payment: Payment) -> Mapping[str, AttemptSight]:
        if not payment.attempts:
            return {}
        sent_at = [one.broadcast_height for one in payment.attempts if one.broadcast_height is not None]
        return await self._wallet.look(payment.attempts, min(sent_at, default=None))

    async def _payees(self, payment: Payment, sights: Mapping[str, AttemptSight]) -> frozenset[bytes] | None:
        """The scripts that it pays, where that matters; None where the node does not know all of them."""
        if not any(isinstance(sight, Conflicted) for sight in sights.values()):
            return None
        scripts = await self._wallet.scripts([item.address for item in payment.items])
        found = [script for script in scripts.values() if script is not None]
        return frozenset(found) if len(found) == len(scripts) else None

    async def _is_stopped(self, payment: Payment, action: Action, sights: Mapping[str, AttemptSight]) -> bool:
        """Whether it is held, and would be signed or sent. What is in the chain is only written down."""
        if not isinstance(action, Sign | Broadcast | Rebroadcast | Bump):
            return False
        if any(isinstance(sight, Confirmed) for sight in sights.values()):
            return False
        hold = await self._open.hold_on(payment)
        if isinstance(action, Sign) and hold is not None and await self._open.held_accounts(payment):
            return False  # it will never be signed with that account in it: the others need not wait
        if hold is not None and self._held.get(payment.id) != hold:
            log.warning(LogEvent.PAYMENT_WAITING, payment=payment.id, hold=hold)
        self._held[payment.id] = hold or ""
        return hold is not None

    async def _act(self, payment: Payment, action: Action, tip_height: int, now_us: int) -> bool:
        """Do one thing; False where nothing more is to be done now."""
        match action:
            case Sign():
                return await self._sign_planned(payment, now_us)
            case Broadcast(number):
                await self._broadcast(payment, number, tip_height, now_us)
            case Rebroadcast(number):
                await self._hand_over(payment, number)
                return False
            case Bump(number, live):
                return await self._bump(payment, number, live, tip_height, now_us)
            case Confirm(number, sight):
                await self._confirm(payment, number, sight, now_us)
            case Reopen(reason):
                body = PaymentReopened(payment_id=payment.id, to_state="broadcast", reason=reason)
                await change(self._changes, payment, body, now_us)
                log.warning(LogEvent.PAYMENT_REOPENED, payment=payment.id, reason=reason)
            case SetAside(txid, reason):
                aside = PaymentSetAside(payment_id=payment.id, conflicting_txid=txid, reason=reason)
                await change(self._changes, payment, aside, now_us)
                log.error(LogEvent.PAYMENT_SET_ASIDE, payment=payment.id, reason=reason)
            case PlanAnew(txid, reason):
                await self.abandon(payment, txid, reason, now_us)
            case Done():
                self._open.close(payment.id)
                return False
            case Wait():
                return False
        return True

    async def _sign_planned(self, payment: Payment, now_us: int) -> bool:
        try:
            return await self._signer.sign_planned(payment, now_us) is None
        except CannotBeMade as error:
            # Nothing was ever signed for it: the payees are owed again, and those who can be paid are.
            await self.abandon(payment, None, f"it cannot be made as it was planned: {error}", now_us)
            return False

    async def _broadcast(self, payment: Payment, number: int, tip_height: int, now_us: int) -> None:
        attempt = payment.attempts[number - 1]
        if attempt.broadcast_height is None:
            body = PaymentBroadcast(
                payment_id=payment.id, attempt=number, txid=attempt.txid, height=tip_height
            )
            await change(self._changes, payment, body, now_us)
        await self._hand_over(payment, number)

    async def _hand_over(self, payment: Payment, number: int) -> None:
        attempt = payment.attempts[number - 1]
        handed = await self._wallet.broadcast(attempt)
        if self._told.get(attempt.txid) == handed:
            return
        self._told[attempt.txid] = handed
        log.log(
            logging.WARNING if isinstance(handed, Rejected) else logging.INFO,
            LogEvent.PAYMENT_SENT,
            payment=payment.id,
            attempt=number,
            txid=attempt.txid,
            answer=handed_text(handed),
        )

    async def _bump(
        self, payment: Payment, number: int, live: tuple[int, ...], tip_height: int, now_us: int
    ) -> bool:
        """Once for each tip: until a block comes, coins and fees are much the same."""
        if self._bumped_at.get(payment.id) != tip_height:
            reason = await self._signer.bump(payment, number, live, now_us)
            if reason is None:
                return True
            self._bumped_at[payment.id] = tip_height
            log.warning(LogEvent.PAYMENT_UNBUMPED, payment=payment.id, reason=reason)
        await self._hand_over(payment, number)
        return False

    async def _confirm(self, payment: Payment, number: int, sight: Confirmed, now_us: int) -> None:
        attempt = payment.attempts[number - 1]
        body = PaymentConfirmed(
            payment_id=payment.id,
            attempt=number,
            txid=attempt.txid,
            block_hash=sight.block_hash,
            height=sight.height,
        )
        await change(self._changes, payment, body, now_us)
        log.info(LogEvent.PAYMENT_CONFIRMED, payment=payment.id, txid=attempt.txid)

    async def abandon(self, payment: Payment, txid: str | None, reason: str, now_us: int) -> None:
        """Give it up: its payees are owed again. `txid` is the transaction that excludes it."""
        body = PaymentAbandoned(payment_id=payment.id, conflicting_txid=txid, reason=reason)
        await change(self._changes, payment, body, now_us)
        log.error(LogEvent.PAYMENT_ABANDONED, payment=payment.id, reason=reason)
        points = [point for attempt in payment.attempts for point in sorted(attempt.outpoints())]
        if points:
            await self._wallet.unlock(points)
