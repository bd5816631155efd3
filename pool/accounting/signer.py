"""Signs payments and further attempts at them, and stores them; it plans none and sends none.

What is signed is stored, in the journal first, before anybody sees it; what is not stored was never signed.
"""

from collections.abc import Sequence

import msgspec

from payouts import payment
from payouts.attempt import free_coins
from payouts.batch import Item
from payouts.bump import Replaced, bump
from payouts.composition import Composition, FeePayer, Refusal, Terms, compose
from payouts.transaction import DUST_RATE_FACTOR, Coin, Output
from payouts.wallet import FeePolicy, SignedTransaction, Wallet, WalletRefused
from pool.accounting.changes import Changes
from pool.accounting.journal_entries import FeeShare, PaymentSigned, SpentOutput
from pool.accounting.open_payments import ChangedMeanwhile, OpenPayments, change
from pool.accounting.payment_changes import Payment
from pool.logs.events import LogEvent
from pool.logs.log import Log

ANY_PERCENT = 10**9
NO_RATE = "the node knows no fee rate yet; payout.wallet.fallback_fee_sats_per_vbyte sets one"

log = Log("engineroom.payments")


class PayerRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say of payments. `reserve_sats` is what the operator lends to a pool that buys
    work."""

    minimum_sats: int
    fee_paid_by: FeePayer
    max_fee_percent: int
    most_outputs: int
    input_confirmations: int
    confirmation_target_blocks: int
    fallback_sats_per_kvb: int | None
    daily_limit_sats: int | None
    rules: payment.Rules
    reserve_sats: int = 0


class Signer:
    """Composes and signs for one wallet. The caller sees to it that one payment is signed at a time."""

    def __init__(self, changes: Changes, wallet: Wallet, opened: OpenPayments, rules: PayerRules) -> None:
        self._changes = changes
        self._wallet = wallet
        self._open = opened
        self._rules = rules
        self._change: Output | None = None  # a fresh address that nothing signed has used yet
        self.reasons: dict[int, str] = {}  # why a planned payment is not signed

    async def policy(self) -> FeePolicy:
        """The node's rates for the settings' target."""
        return await self._wallet.fee_policy(self._rules.confirmation_target_blocks)

    async def compose(
        self, items: Sequence[Item], policy: FeePolicy, *, as_trial: bool = False
    ) -> Composition | Refusal:
        """A payment's first transaction. Raises WalletUnavailable."""
        rate = policy.rate(self._rules.fallback_sats_per_kvb)
        if rate is None:
            return Refusal(NO_RATE, passing=True)
        try:
            terms = await self._terms(policy, rate)
            if as_trial:  # a part of a payment may be too small for its fee
                terms = msgspec.structs.replace(terms, fee_paid_by="pool", max_fee_percent=ANY_PERCENT)
            return compose(items, await self._coins(), terms)
        except WalletRefused as error:
            return Refusal(error.reason, passing=True)

    async def sign(self, planned: Payment, made: Composition, now_us: int) -> str | None:
        """Sign and store an attempt; one line where it could not be signed, and nothing has happened.

        Raises CannotBeMade where waiting will not help, and nothing has happened either.
        """
        reason = await self._sign(planned, made, now_us)
        self._remember(planned.id, reason)
        return reason

    def _remember(self, payment_id: int, reason: str | None) -> None:
        """Tells each reason once, however often it is tried."""
        if reason is None:
            self.reasons.pop(payment_id, None)
        elif self.reasons.get(payment_id) != reason:
            self.reasons[payment_id] = reason
            log.error(LogEvent.PAYMENT_UNSIGNED, payment=payment_id, reason=reason)

    async def try_out(self, items: Sequence[Item], policy: FeePolicy) -> str | None:
        """Why the node would refuse a payment of these for good; None where it would not. Nothing is stored
        or sent, fees do not matter. Raises CannotTell where something else is in the way."""
        made = await self.compose(items, policy, as_trial=True)
        if isinstance(made, Refusal):
            raise CannotTell(made.reason)
        try:
            await self._signed(made)
        except WalletRefused as error:
            raise CannotTell(error.reason) from error
        except CannotBeMade as error:
            return str(error)
        return None

    async def _signed(self, made: Composition) -> SignedTransaction:
        """Signed, and the node would take it. Raises WalletRefused and CannotBeMade."""
        try:
            signed = await self._wallet.sign(made.inputs, made.outputs)
        except WalletRefused as error:
            if error.passing:
                raise
            raise CannotBeMade(error.reason) from error
        refusal = await self._wallet.check(signed.raw)
        if refusal is not None:
            # Fees and memory pools change, and coins are chosen anew for another payment.
            raise CannotBeMade(f"the node would not take it: {refusal.reason}")
        return signed

    async def _sign(self, seen: Payment, made: Composition, now_us: int) -> str | None:
        try:
            signed = await self._signed(made)
        except WalletRefused as error:
            return error.reason
        try:
            await self._store(seen, made, signed, now_us)
        except ChangedMeanwhile as error:
            return str(error)
        # Not before: a lock that a crash leaves on coins of no payment would stay until the node restarts.
        await self._wallet.lock([spent.outpoint for spent in made.inputs])
        return None

    async def _store(self, seen: Payment, made: Composition, signed: SignedTransaction, now_us: int) -> None:
        number = 1 + len(seen.attempts)
        self._change = None
        await change(
            self._changes,
            seen,
            PaymentSigned(
                payment_id=seen.id,
                attempt=number,
                txid=signed.txid,
                raw=signed.raw.hex(),
                inputs=tuple(
                    SpentOutput(txid=s.outpoint.txid, output=s.outpoint.output, sats=s.sats)
                    for s in made.inputs
                ),
                fee_sats=made.fee_sats,
                weight=signed.weight,
                fee_shares=tuple(FeeShare(account=s.account, sats=s.sats) for s in made.fee_shares),
            ),
            now_us,
        )
        log.info(
            LogEvent.PAYMENT_SIGNED, payment=seen.id, attempt=number, txid=signed.txid, fee_sats=made.fee_sats
        )

    async def sign_planned(self, planned: Payment, now_us: int) -> str | None:
        """Sign a payment that a crash or a locked wallet has left: composed anew, with the same items.

        One line where it waits. Raises CannotBeMade where waiting will not help.
        """
        held = await self._open.held_accounts(planned)
        if held:
            raise CannotBeMade(f"{held[0]} is on hold")
        scripts = await self._wallet.scripts([item.address for item in planned.items])
        items = [
            Item(item.account, item.address, script, item.sats)
            for item in planned.items
            if (script := scripts.get(item.address)) is not None
        ]
        if len(items) != len(planned.items):
            raise CannotBeMade("the node cannot pay to an address in it")
        made = await self.compose(items, await self.policy())
        if isinstance(made, Refusal):
            if not made.passing:
                raise CannotBeMade(made.reason)
            self._remember(planned.id, made.reason)
            return made.reason
        if len(made.items) != len(planned.items):
            raise CannotBeMade("an amount in it is dust once its share of the fee is taken off")
        return await self.sign(planned, made, now_us)

    async def bump(self, paid: Payment, number: int, live: Sequence[int], now_us: int) -> str | None:
        """Sign and store a further attempt with a higher fee; one line where there is none, and nothing has
        happened."""
        policy = await self.policy()
        rate = policy.rate(self._rules.fallback_sats_per_kvb) or policy.minimum
        scripts = await self._wallet.scripts([item.address for item in paid.items])
        payees = {script for script in scripts.values() if script is not None}
        if any(scripts.get(item.address) is None for item in paid.items):
            # What is not known for a payee's would be taken for change, and the payee would not be paid.
            return "the node does not know every payee's address"
        attempt = paid.attempts[number - 1]
        try:
            decoded = await self._wallet.decode(attempt.raw)
            terms = await self._terms(policy, rate)
        except WalletRefused as error:
            return error.reason
        made = bump(
            Replaced(attempt=attempt, outputs=decoded.outputs, payee_scripts=payees),
            [paid.attempts[one - 1] for one in live],
            await self._coins(),
            terms,
            policy.incremental,
        )
        if isinstance(made, Refusal):
            return made.reason
        try:
            return await self._sign(paid, made, now_us)
        except CannotBeMade as error:
            return str(error)

    async def _coins(self) -> list[Coin]:
        """Deep enough, and in no other open payment, whether or not the node remembers its locks."""
        coins = await self._wallet.coins(self._rules.input_confirmations)
        return free_coins(coins, await self._open.holding())

    async def _terms(self, policy: FeePolicy, rate: int) -> Terms:
        if self._change is None:  # tried again and again, each would use up a key of the wallet's
            self._change = await self._wallet.change()
        return Terms(
            sats_per_kvb=rate,
            dust_sats_per_kvb=policy.relay * DUST_RATE_FACTOR,
            fee_paid_by=self._rules.fee_paid_by,
            max_fee_percent=self._rules.max_fee_percent,
            change=self._change,
        )


class CannotTell(Exception):
    """Whether a payment could be made does not show now; one line."""


class CannotBeMade(Exception):
    """A payment that was planned and never signed, and that no waiting will make possible; one line."""
