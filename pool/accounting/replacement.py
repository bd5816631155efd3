"""A foreign transaction that a person takes for payments: what it paid whom, and what is owed again.

The wallet's own `bumpfee`, or somebody who changed the bytes of an input, leaves a transaction that spends a
payment's coins and pays its payees, and that nobody here has signed. Its outputs say what each payee got; the
rest of the payment is owed again, and its fee is the operator's. It may spend coins of several payments: then
it is taken for one after another, in the order of their numbers.
"""

from collections import defaultdict
from collections.abc import Mapping

import msgspec

from payouts.payment import PaymentState, Rules
from payouts.wallet import KnownTransaction, Wallet
from pool.accounting import payment_changes
from pool.accounting.control import Refused
from pool.accounting.journal_entries import PaymentReplaced, PlannedPayee
from pool.accounting.payment_changes import Payment
from pool.storage.database import Reader

DEPTH = Rules().conflict_depth  # no sooner is anything else decided about a payment that cannot confirm


class Replacement(msgspec.Struct, frozen=True):
    """What adopting a transaction means for one payment. `is_first` of those that it is taken for: with it go
    its fee and what it paid beyond them, to other addresses than `addresses`."""

    body: PaymentReplaced
    is_first: bool
    addresses: frozenset[str]
    paid_sats: int  # to all payees of all these payments


async def replacement(
    reader: Reader, wallet: Wallet, known: KnownTransaction, reason: str
) -> Replacement | None:
    """For the first payment that waits for it; None where it pays no payee of any whose coins it spends.

    Raises Refused while that payment may still be made as it was signed, and WalletUnavailable.
    """
    txid = known.signed.txid
    touched = await _touched(reader, known)
    if not touched:
        return None
    scripts = await wallet.scripts([item.address for payment, _ in touched for item in payment.items])
    parts, excess_sats = _divided([payment for payment, _ in touched], known, scripts)
    outputs = {output.script for output in known.signed.outputs}
    # Those that it keeps set aside. What it paid their payees may count for another of them: then all of one
    # is owed again.
    concerned = [
        (payment, is_done)
        for payment, is_done in touched
        if any(scripts.get(item.address) in outputs for item in payment.items)
    ]
    payment = next((payment for payment, is_done in concerned if not is_done), None)
    if payment is None:
        return None
    _refuse_unready(payment, known)
    is_first = payment is concerned[0][0]
    return Replacement(
        body=PaymentReplaced(
            payment_id=payment.id,
            txid=txid,
            payees=parts[payment.id],
            excess_sats=excess_sats if is_first else 0,
            fee_sats=(known.fee_sats or 0) if is_first else 0,
            reason=reason,
        ),
        is_first=is_first,
        addresses=frozenset(item.address for one, _ in touched for item in one.items),
        paid_sats=excess_sats + sum(payee.sats for one in parts.values() for payee in one),
    )


def _refuse_unready(payment: Payment, known: KnownTransaction) -> None:
    txid = known.signed.txid
    if payment.state is not PaymentState.SET_ASIDE:
        raise Refused(
            f"{txid} spends coins of payment {payment.id}, which is {payment.state} and may still be made as "
            "it was signed: adopt it when the payment has been set aside for it"
        )
    if known.confirmations < DEPTH:
        raise Refused(f"{txid} has {known.confirmations} confirmations; adopt it when it has {DEPTH}")


async def _touched(reader: Reader, known: KnownTransaction) -> list[tuple[Payment, bool]]:
    """Payments that stand and that it excludes with every attempt, by number; and those that it was taken for
    already (True).

    One that was abandoned has given its coins back, and where an attempt is possible beside it, or confirmed,
    it has spent coins that are free: then it is a transaction like any other.
    """
    inputs, found = set(known.signed.inputs), dict[int, tuple[Payment, bool]]()
    for txid in sorted({one.txid for one in inputs}):
        for number, replaced_by in await reader.rows(
            "SELECT DISTINCT payment.id, payment.replaced_by FROM attempt "
            "JOIN payment ON payment.id = attempt.payment_id WHERE attempt.inputs LIKE ?",
            f"%{txid}%",
        ):
            payment = await payment_changes.find(reader, number)
            is_done = replaced_by == known.signed.txid
            if payment is None or (payment.state is PaymentState.ABANDONED and not is_done):
                continue
            counted = [one for one in payment.attempts if one.is_counted] or payment.attempts
            if all(attempt.outpoints() & inputs for attempt in counted):
                found[number] = (payment, is_done)
    return [found[number] for number in sorted(found)]


def _divided(
    payments: list[Payment], known: KnownTransaction, scripts: Mapping[str, bytes | None]
) -> tuple[dict[int, tuple[PlannedPayee, ...]], int]:
    """By payment: what each of its payees got, no more than was to be paid; and what all got beyond."""
    left: dict[bytes, int] = defaultdict(int)
    for output in known.signed.outputs:
        left[output.script] += output.sats
    parts: dict[int, tuple[PlannedPayee, ...]] = {}
    for payment in payments:
        payees = []
        for item in payment.items:
            script = scripts.get(item.address)
            if script is None:
                raise Refused(f"the node does not know {item.address}, which payment {payment.id} pays")
            sats = min(item.sats, left[script])
            left[script] -= sats
            if sats:
                payees.append(PlannedPayee(account=item.account, address=item.address, sats=sats))
        parts[payment.id] = tuple(payees)
    return parts, sum(left[script] for script in set(scripts.values()) if script)
