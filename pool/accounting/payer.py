"""[shell] Pays: plans payments from balances, has them signed and watched; each step is journalled first.

Planning and signing are serial: one payment is signed before the next is planned, and nothing is planned
while a hold stands, the books do not add up, or the wallet has less than what is owed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from payouts.batch import Batch, BatchRules, Item, choose
from payouts.batch import Owed as OwedBalance
from payouts.composition import Refusal
from payouts.payment import PaymentState
from payouts.transaction import DUST_RATE_FACTOR
from payouts.wallet import FeePolicy, Wallet
from pool.accounting import payment_changes, policy_changes, solvency
from pool.accounting.changes import Changes
from pool.accounting.culprits import Culprits
from pool.accounting.holding import hold_everything
from pool.accounting.journal_entries import Body, HoldReleased, PaymentPlanned, PlannedPayee
from pool.accounting.open_payments import OpenPayments
from pool.accounting.payment_watch import PaymentWatch
from pool.accounting.policy_changes import EVERYTHING, RESTORED, SHORT_WALLET
from pool.accounting.signer import CannotBeMade, PayerRules, Signer
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.storage.database import Database, Reader

DAY_US = 86_400 * 1_000_000
MOST_NAMED = 5
NOBODY_IS_DUE = "nobody's balance has reached its minimum"

log = Log("engineroom.payments")


class Outcome(msgspec.Struct, frozen=True):
    """What planning came to: the number of the payment, or why there is none; and who was left out.

    With a number and a reason the payment is planned and not signed yet.
    """

    payment_id: int | None
    reason: str | None
    left_out: tuple[tuple[str, int, str], ...] = ()


class Payer:
    """Payments of one pool. The caller repeats `watch` and, less often, `pay`."""

    def __init__(
        self,
        database: Database,
        changes: Changes,
        wallet: Wallet,
        rules: PayerRules,
        forgotten: Callable[[Wallet, int], Awaitable[str | None]] | None = None,
        *,
        is_paying: bool = True,
    ) -> None:
        """`forgotten` is asked before each new payment: why the accounts may not know all that was paid.
        `is_paying` False: blocks pay, and what was paid before is followed to its end."""
        self._forgotten = forgotten
        self._is_paying = is_paying
        self._database = database
        self._changes = changes
        self._wallet = wallet
        self._rules = rules
        self._order = asyncio.Lock()
        self._open = OpenPayments(database)
        self._signer = Signer(changes, wallet, self._open, rules)
        self._watch = PaymentWatch(changes, wallet, self._open, self._signer, rules.rules)
        self._culprits = Culprits(self._signer)
        self.is_in_doubt = False  # whether all mature blocks are on the best chain: nothing new is paid then

    async def lock_inputs(self) -> None:
        """After each start of the node: keep its wallet from spending what open payments spend."""
        await self._watch.lock_inputs()

    async def watch(self, now_us: int) -> None:
        """Take every open payment as far as the chain allows. One payment's trouble stops no other.

        Raises WalletUnavailable where the node cannot be asked at all, and DatabaseError.
        """
        async with self._order:
            await self._changes.catch_up()
            async with self._database.reading() as reader:
                unsigned = await payment_changes.ids(reader, PaymentState.PLANNED)
                kinds = {kind for _, kind, _, _ in await policy_changes.holds(reader)}
            if RESTORED in kinds:
                reason = "planned before the accounts were restored, and never signed: it is planned anew"
                await self._give_up(unsigned, reason, now_us)
            if not self._is_paying:
                await self._give_up(unsigned, "never signed, and coinbases pay now", now_us)
                if SHORT_WALLET in kinds:
                    await self._release(SHORT_WALLET, "coinbases pay now", now_us)
            # What is planned was looked at then, and may be from before a restore, or owed to nobody by now.
            may_sign = self._is_paying and (not unsigned or await self._obstacle(now_us) is None)
            await self._watch.look(now_us, may_sign=may_sign)

    async def _give_up(self, unsigned: Sequence[int], reason: str, now_us: int) -> None:
        """Balances say who is owed: what was planned may be carried out already, or paid by other means."""
        for number in unsigned:
            planned = await self._open.find(number)
            if planned is not None and not planned.attempts:
                await self._watch.abandon(planned, None, reason, now_us)

    async def pay(self, now_us: int) -> Outcome:
        """Plan and sign the next payment if anything is due and nothing forbids it.

        Raises WalletUnavailable and DatabaseError: nothing has happened, or what has is stored.
        """
        async with self._order:
            await self._changes.catch_up()
            obstacle = await self._obstacle(now_us) or await self._unsigned()
            return Outcome(None, obstacle) if obstacle is not None else await self._pay(now_us)

    async def _unsigned(self) -> str | None:
        """Why nothing new is planned: planning and signing are serial."""
        async with self._database.reading() as reader:
            unsigned = await payment_changes.ids(reader, PaymentState.PLANNED)
        if not unsigned:
            return None
        reason = self._signer.reasons.get(unsigned[0])
        return f"payment {unsigned[0]} is planned and not signed yet" + (f": {reason}" if reason else "")

    async def _pay(self, now_us: int) -> Outcome:
        policy = await self._signer.policy()
        batch = await self._batch(policy, now_us)
        left_out = tuple((one.account, one.sats, one.reason) for one in batch.left_out)
        if not batch.items:
            return Outcome(None, NOBODY_IS_DUE, left_out)
        made = await self._signer.compose(batch.items, policy)
        if isinstance(made, Refusal):
            return Outcome(None, made.reason, left_out)
        left_out += tuple((one.account, one.sats, one.reason) for one in made.left_out)
        payment_id = await self._plan(made.items, now_us)
        if payment_id is None:
            return Outcome(None, "a balance or a hold has changed meanwhile; it is tried again", left_out)
        planned = await self._open.find(payment_id)
        if planned is None:
            raise LookupError(f"payment {payment_id} was planned and is not there")
        try:
            return Outcome(payment_id, await self._signer.sign(planned, made, now_us), left_out)
        except CannotBeMade as error:
            await self._watch.abandon(planned, None, str(error), now_us)
            if await self._culprits.find(made.items, policy, now_us):
                return await self._pay(now_us)  # there are fewer of them each time
            return Outcome(None, str(error), left_out)

    async def _obstacle(self, now_us: int) -> str | None:
        """Why nothing may be planned or signed now, also where it was planned before."""
        if self.is_in_doubt:
            return "no node has shown yet that all mature blocks are on its best chain: payments wait"
        async with self._database.reading() as reader:
            standing = [hold for hold in await policy_changes.holds(reader) if hold[0] == EVERYTHING]
            holds = [hold for hold in standing if hold[1] != SHORT_WALLET]
            report = await solvency.report(reader, self._rules.reserve_sats)
            unsent_sats = await solvency.unsent(reader)
        if holds:
            return f"payouts are on hold: {holds[0][2]}"
        if report.breaches:
            await hold_everything(self._changes, "solvency", "; ".join(report.breaches), now_us)
            return f"payouts are held: {report.breaches[0]}"
        if self._forgotten is not None:
            obstacle = await self._forgotten(self._wallet, now_us)
            if obstacle is not None:
                return f"payouts are on hold: {obstacle}"
        is_held = any(kind == SHORT_WALLET for _, kind, _, _ in standing)
        return await self._shortfall(report.owed_mature_sats + unsent_sats, is_held, now_us)

    async def _shortfall(self, owed_sats: int, is_held: bool, now_us: int) -> str | None:
        """A hold that ends by itself: the newest mature coins may be late, and wallets are filled."""
        trusted_sats = (await self._wallet.balances()).trusted_sats
        if trusted_sats >= owed_sats:
            if is_held:
                reason = f"the wallet holds {trusted_sats} sats, {owed_sats} are owed"
                await self._release(SHORT_WALLET, reason, now_us)
            return None
        async with self._database.reading() as reader:
            due = sorted(await solvency.due(reader, 0), key=lambda one: (-one.sats, one.account))
        rows = ", ".join(f"{one.account} {one.sats}" for one in due[:MOST_NAMED])
        more = f" and {len(due) - MOST_NAMED} more" if len(due) > MOST_NAMED else ""
        reason = (
            f"the wallet holds {trusted_sats} sats, {owed_sats} are owed and mature: payments wait for it; "
            f"owed most: {rows}{more}"
        )
        await hold_everything(self._changes, SHORT_WALLET, reason, now_us)
        return reason

    async def _release(self, kind: str, reason: str, now_us: int) -> None:
        body = HoldReleased(scope=EVERYTHING, hold_kind=kind, reason=reason)
        await self._changes.make(body, now_us)
        log.warning(LogEvent.PAYOUTS_RELEASED, hold=kind, reason=reason)

    async def preview(self, now_us: int) -> Batch:
        """Who would be in the next payment, and who not and why; holds and the wallet's coins left aside."""
        return await self._batch(await self._signer.policy(), now_us)

    async def _batch(self, policy: FeePolicy, now_us: int) -> Batch:
        async with self._database.reading() as reader:
            due = await solvency.due(reader, self._rules.minimum_sats)
            held = {scope for scope, *_ in await policy_changes.holds(reader)}
            spent_sats = await solvency.paid_since(reader, now_us - DAY_US)
        due = [one for one in due if one.account not in held and one.sats >= one.minimum_sats]
        scripts = await self._wallet.scripts([one.address for one in due]) if due else {}
        limit = self._rules.daily_limit_sats
        rules = BatchRules(
            dust_sats_per_kvb=policy.relay * DUST_RATE_FACTOR,
            most_outputs=self._rules.most_outputs,
            daily_limit_sats=limit,
            spendable_sats=None if limit is None else limit - spent_sats,
        )
        owed = [
            OwedBalance(
                account=one.account,
                address=one.address,
                script=scripts.get(one.address),
                sats=one.sats,
                minimum_sats=one.minimum_sats,
                obstacle=self._culprits.reason(one.account, one.address, now_us),
            )
            for one in due
        ]
        return choose(owed, rules)

    async def _plan(self, items: Sequence[Item], now_us: int) -> int | None:
        """The payment's number; None where a balance or a hold is no longer what it was."""
        payees = tuple(PlannedPayee(account=i.account, address=i.address, sats=i.sats) for i in items)
        payment_id = 0

        async def still_owed(reader: Reader) -> Body | None:
            nonlocal payment_id
            due = {one.account: one for one in await solvency.due(reader, 0)}
            scopes = {scope for scope, *_ in await policy_changes.holds(reader)}
            if scopes & {EVERYTHING, *(item.account for item in items)}:
                return None
            if any(i.account not in due or due[i.account].sats < i.sats for i in items):
                return None
            payment_id = await payment_changes.next_id(reader)
            return PaymentPlanned(payment_id=payment_id, fee_payer=self._rules.fee_paid_by, payees=payees)

        if await self._changes.decide(still_owed, now_us) is None:
            return None
        log.info(
            LogEvent.PAYMENT_PLANNED, payment=payment_id, payees=len(items), sats=sum(i.sats for i in items)
        )
        return payment_id
