"""What only the one writer may do, by name: each journals first, and refuses in one clear line.

They stand behind the accountant's socket, and in the commands themselves where nobody listens there.
"""

import functools
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from payouts.payment import PaymentState
from payouts.wallet import Wallet, WalletError
from pool.accounting import payment_changes, policy_changes, requests, solvency
from pool.accounting.adoption import Adoption
from pool.accounting.changes import Changes
from pool.accounting.checked import checked_account, checked_amount, checked_payee_account, checked_reason
from pool.accounting.control import Operation, Refused
from pool.accounting.gaps import lost_frames
from pool.accounting.hand_settling import HandSettling
from pool.accounting.journal_entries import (
    Body,
    Correction,
    GapAccepted,
    HoldPlaced,
    HoldReleased,
    PayeeChanged,
)
from pool.accounting.journal_reading import JournalError
from pool.accounting.ledger import BALANCE, OPERATOR, PAYING
from pool.accounting.matching import Matching
from pool.accounting.open_payments import PAYMENT_SCOPE
from pool.accounting.payee_wishes import wished_change
from pool.accounting.payer import NOBODY_IS_DUE, Payer
from pool.accounting.policy_changes import BY_OPERATOR, EVERYTHING, RESTORED
from pool.accounting.preview import MOST_LINES, preview_of, preview_without_wallet
from pool.accounting.requests import Preview, PreviewLine
from pool.accounting.statements import Statements
from pool.storage.database import Database, DatabaseError, Reader
from stratum.work.coin import Network

MOST_PAYMENTS_AT_ONCE = 20
# Of a thousand outputs each: whoever owes more people than that presses the button twice.

T = TypeVar("T")


class OperationRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say of them. `spool` holds one folder for each source."""

    network: Network
    minimum_sats: int
    payee_change_delay_us: int
    spool: Path
    custody: bytes | None = None  # the script of the pool's own address
    pays_by_coinbase: bool = False
    has_wallet: bool = True


class Operations:
    """The operations of one pool. Without a payer nothing is paid here, and nobody asks the wallet."""

    def __init__(
        self,
        database: Database,
        changes: Changes,
        rules: OperationRules,
        now_us: Callable[[], int],
        *,
        payer: Payer | None = None,
        wallet: Wallet | None = None,
        matching: Matching | None = None,
        statements: Statements | None = None,
        marks_changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`marks_changed` is called when a source goes on elsewhere than where its reader thinks it is."""
        self._database = database
        self._changes = changes
        self._rules = rules
        self._now_us = now_us
        self._payer = payer
        self._adoption = Adoption(database, changes, rules.network, wallet, matching)
        self._hand_settling = HandSettling(changes, statements, rules.network, rules.custody)
        self._marks_changed = marks_changed

    def by_name(self) -> Mapping[str, Operation]:
        """For the socket: keyword arguments in, JSON-able values out; they raise Refused, and no other error
        that a person or the world can be the cause of."""
        return {
            "payouts_preview": self._named(requests.Nothing, self.payouts_preview),
            "payouts_run": self._named(requests.Nothing, self.payouts_run),
            "hold": self._named(requests.HoldRequest, self.hold),
            "release": self._named(requests.ReleaseRequest, self.release),
            "adopt": self._named(requests.AdoptRequest, self.adopt),
            "payee_set": self._named(requests.PayeeRequest, self.payee_set),
            "accept_gap": self._named(requests.GapRequest, self.accept_gap),
            "correct": self._named(requests.CorrectionRequest, self.correct),
            "settle": self._named(requests.SettleRequest, self.settle),
        }

    def _named(self, kind: type[T], operation: Callable[[T], Awaitable[Any]]) -> Operation:
        return functools.partial(_answer, kind, operation)

    # ------------------------------------------------------------------ payments

    async def payouts_preview(self, _: requests.Nothing) -> Preview:
        """Who is in the next payment, and who not and why."""
        if self._payer is None or self._rules.pays_by_coinbase:
            async with self._database.reading() as reader:
                return await preview_without_wallet(
                    reader, self._rules.minimum_sats, by_coinbase=self._rules.pays_by_coinbase
                )
        batch = await self._payer.preview(self._now_us())
        async with self._database.reading() as reader:
            due = await solvency.due(reader, self._rules.minimum_sats)
            holds = await policy_changes.holds(reader)
        reasons = {one.account: one.reason for one in batch.left_out}
        reasons |= {item.account: "" for item in batch.items}
        return preview_of(due, holds, reasons, is_wallet_asked=True)

    async def payouts_run(self, _: requests.Nothing) -> requests.RunResult:
        """Pay now whoever is due, not waiting for the interval."""
        if self._rules.pays_by_coinbase:
            raise Refused(
                "coinbases pay here: what is owed is carried over into the next of them, no payment is made"
            )
        if self._payer is None:
            raise Refused("payments are signed and sent by a running pool whose settings have payout.wallet")
        made: list[int] = []
        left_out: tuple[tuple[str, int, str], ...] = ()
        reason = None
        while len(made) < MOST_PAYMENTS_AT_ONCE:
            outcome = await self._payer.pay(self._now_us())
            if outcome.payment_id is not None:
                made.append(outcome.payment_id)
            reason, left_out = outcome.reason, outcome.left_out
            if outcome.payment_id is None or outcome.reason is not None:
                break
        if made:
            await self._payer.watch(self._now_us())
            reason = None if reason == NOBODY_IS_DUE else reason  # nobody else
        lines = tuple(
            PreviewLine(account=a, address="", sats=s, reason=r) for a, s, r in left_out[:MOST_LINES]
        )
        return requests.RunResult(payment_ids=tuple(made), reason=reason, left_out=lines)

    # ------------------------------------------------------------------ holds

    async def hold(self, request: requests.HoldRequest) -> str:
        """Stop payments of a scope until they are released; the scope, canonical."""
        reason = checked_reason(request.reason)
        scope = ""

        async def choose(reader: Reader) -> Body | None:
            nonlocal scope
            scope = await self._scope(reader, request.scope)
            for held, kind, why, _ in await policy_changes.holds(reader):
                if (held, kind) == (scope, BY_OPERATOR):
                    raise Refused(f"{scope} is on hold already: {why}")
            return HoldPlaced(scope=scope, hold_kind=BY_OPERATOR, reason=reason)

        await self._changes.decide(choose, self._now_us())
        return scope

    async def release(self, request: requests.ReleaseRequest) -> list[str]:
        """End the holds of a scope; their reasons. A hold after a restore ends when everything is matched, or
        where blocks pay and no wallet could be asked, when a person says so."""
        reason = checked_reason(request.reason)
        async with self._database.reading() as reader:
            scope = await self._scope(reader, request.scope)
            standing = [one for one in await policy_changes.holds(reader) if one[0] == scope]
        is_matched_by_hand = self._rules.pays_by_coinbase and not self._rules.has_wallet
        free = [one for one in standing if one[1] != RESTORED or is_matched_by_hand]
        if not standing:
            raise Refused(f"nothing holds {scope}")
        if not free:
            raise Refused(f"{standing[0][2]}: this hold ends when everything is matched, see `payouts adopt`")
        for kind in sorted({kind for _, kind, _, _ in free}):
            await self._changes.make(HoldReleased(scope=scope, hold_kind=kind, reason=reason), self._now_us())
        return [why for _, _, why, _ in free]

    async def _scope(self, reader: Reader, text: str) -> str:
        if text == EVERYTHING:
            return text
        number = text.removeprefix(PAYMENT_SCOPE)
        if number == text:
            return await checked_payee_account(reader, text, self._rules.network)
        payment = await payment_changes.find(reader, int(number)) if _is_number(number) else None
        if payment is None:
            raise Refused(f"there is no payment {number[:40]}; write payment:NUMBER, see `payouts list`")
        if payment.state in (PaymentState.CONFIRMED, PaymentState.ABANDONED):
            raise Refused(f"payment {payment.id} is {payment.state}: there is nothing to hold or release")
        return f"{PAYMENT_SCOPE}{payment.id}"

    # ------------------------------------------------------------------ what people decide

    async def adopt(self, request: requests.AdoptRequest) -> requests.AdoptResult:
        """Say whose money it was that no payment explains."""
        return await self._adoption.adopt(request, self._now_us())

    async def payee_set(self, request: requests.PayeeRequest) -> requests.PayeeResult:
        """Pay an account elsewhere, or from another amount on, once the delay is over."""
        now_us = self._now_us()
        body: PayeeChanged | None = None

        async def choose(reader: Reader) -> Body | None:
            nonlocal body
            rules = self._rules
            body = await wished_change(reader, request, rules.network, rules.payee_change_delay_us, now_us)
            return body

        await self._changes.decide(choose, now_us)
        assert body is not None  # noqa: S101  (decide has asked, or raised)
        return requests.PayeeResult(
            account=body.account,
            address=body.address,
            minimum_sats=body.minimum_sats,
            effective_us=body.effective_us,
        )

    async def accept_gap(self, request: requests.GapRequest) -> requests.GapResult:
        """Give up the frames of a stopped source that cannot be read, so that it goes on behind them."""
        body: GapAccepted | None = None

        async def choose(reader: Reader) -> Body | None:
            nonlocal body
            body = await lost_frames(reader, request, self._rules.spool)
            return body

        await self._changes.decide(choose, self._now_us())
        self._marks_changed()
        assert body is not None  # noqa: S101
        return requests.GapResult(first_frame=body.first_frame, last_frame=body.last_frame)

    async def settle(self, request: requests.SettleRequest) -> tuple[requests.SettledPart, ...]:
        """Divide a block by hand whose plan is lost; what that did for each account."""
        return await self._hand_settling.settle(request, self._now_us())

    async def correct(self, request: requests.CorrectionRequest) -> int:
        """Move satoshis from one account's balance to another's; the journal entry's number."""
        reason = checked_reason(request.reason)
        network = self._rules.network
        if not request.sats:
            raise Refused("0 sats changes nothing: give satoshis, or negative ones to take")
        checked_amount(abs(request.sats), network)

        async def choose(reader: Reader) -> Body | None:
            account = await checked_account(reader, request.account, network)
            against = await checked_account(reader, request.against or OPERATOR, network)
            if account == against:
                raise Refused(f"{account} cannot be corrected against itself")
            if PAYING in (account, against):
                raise Refused(f"{PAYING} follows from payments alone: correct those whom they pay")
            await _refuse_debt(reader, account if request.sats < 0 else against, abs(request.sats))
            return Correction(account=account, against=against, pot=BALANCE, sats=request.sats, reason=reason)

        return await self._changes.decide(choose, self._now_us()) or 0


async def _answer(kind: type[T], operation: Callable[[T], Awaitable[Any]], /, **arguments: Any) -> Any:
    """Arguments as they came from outside, errors as refusals. A bug is no refusal."""
    try:
        request = msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        raise Refused(f"it cannot be asked so: {error}") from None
    try:
        return msgspec.to_builtins(await operation(request))
    except (DatabaseError, JournalError, WalletError) as error:
        raise Refused(str(error)) from error


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


async def _refuse_debt(reader: Reader, account: str, sats: int) -> None:
    """A miner's balance does not go below zero by a correction; the pool's own accounts may."""
    if account.startswith("@"):
        return
    row = await reader.row(
        "SELECT balance.sats FROM balance JOIN account ON account.id = balance.account_id "
        "WHERE account.name = ? AND pot = ?",
        *(account, BALANCE),
    )
    held = 0 if row is None else int(row[0])
    if held < sats:
        raise Refused(f"{account} has a balance of {held} sats, from which {sats} cannot be taken")
