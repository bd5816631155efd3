"""The payments that may still change, as stored, and what holds them; it reads, and remembers the done."""

from payouts.attempt import Attempt
from payouts.payment import PaymentState
from pool.accounting import payment_changes, policy_changes
from pool.accounting.changes import Changes
from pool.accounting.journal_entries import Body
from pool.accounting.payment_changes import Payment
from pool.accounting.policy_changes import EVERYTHING, SHORT_WALLET
from pool.storage.database import Database, Reader

PAYMENT_SCOPE = "payment:"  # of a hold: followed by the payment's number


class ChangedMeanwhile(Exception):
    """The payment is not any more what a change of it was chosen from: nothing was done, look again."""


async def change(changes: Changes, seen: Payment, body: Body, now_us: int) -> None:
    """Make a change that follows from a payment as it was seen; raises ChangedMeanwhile, and like `make`.

    A commit that failed leaves its entry in the journal alone. Who reads the database then sees a payment
    without the attempt that was signed for it, and would sign another, of coins that exclude nothing.
    """

    async def choose(reader: Reader) -> Body | None:
        return body if await payment_changes.find(reader, seen.id) == seen else None

    if await changes.decide(choose, now_us) is None:
        raise ChangedMeanwhile(f"payment {seen.id} has changed meanwhile")


class OpenPayments:
    """Those of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._done: set[int] = set()

    def close(self, payment_id: int) -> None:
        """It is confirmed so deep that nothing more can happen to it."""
        self._done.add(payment_id)

    async def all(self) -> list[Payment]:
        """By number. An abandoned payment stays: an attempt of it may confirm yet, whatever was thought."""
        async with self._database.reading() as reader:
            numbers = await payment_changes.ids(reader, *PaymentState)
            found = [await payment_changes.find(reader, one) for one in numbers if one not in self._done]
        return [payment for payment in found if payment is not None]

    async def find(self, payment_id: int) -> Payment | None:
        async with self._database.reading() as reader:
            return await payment_changes.find(reader, payment_id)

    async def holding(self, *states: PaymentState) -> list[Attempt]:
        """The attempts whose coins are not free. Of an abandoned payment they are: a conflict lies deep."""
        return [
            attempt
            for payment in await self.all()
            if payment.state is not PaymentState.ABANDONED and (not states or payment.state in states)
            for attempt in payment.attempts
        ]

    async def hold_on(self, payment: Payment) -> str | None:
        """Why nothing of it may be signed or sent now.

        A hold on an account stops what has not been sent yet; afterwards the others in it wait in vain. A
        wallet that is short stops what is not signed yet: its coins may be in this payment.
        """
        async with self._database.reading() as reader:
            holds = {
                scope: reason
                for scope, kind, reason, _ in await policy_changes.holds(reader)
                if kind != SHORT_WALLET or not payment.attempts
            }
        scopes = [EVERYTHING, f"{PAYMENT_SCOPE}{payment.id}"]
        if all(attempt.broadcast_height is None for attempt in payment.attempts):
            scopes += [item.account for item in payment.items]
        return next((f"{scope} is on hold: {holds[scope]}" for scope in scopes if scope in holds), None)

    async def held_accounts(self, payment: Payment) -> list[str]:
        """The accounts in it that a hold of their own stops."""
        async with self._database.reading() as reader:
            scopes = {scope for scope, *_ in await policy_changes.holds(reader)}
        return [item.account for item in payment.items if item.account in scopes]
