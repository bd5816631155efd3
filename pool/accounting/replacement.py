"""A foreign transaction that a person takes for a payment: what it paid whom, and what is owed again.

The wallet's own `bumpfee`, or somebody who changed the bytes of an input, leaves a transaction that spends a
payment's coins and pays its payees, and that nobody here has signed. Its outputs say what each payee got; the
rest of the payment is owed again, and its fee is the operator's.
"""

from collections import defaultdict
from collections.abc import Mapping

from payouts.payment import PaymentState, Rules
from payouts.wallet import KnownTransaction, Wallet
from pool.accounting import payment_changes
from pool.accounting.control import Refused
from pool.accounting.journal_entries import PaymentReplaced, PlannedPayee
from pool.accounting.payment_changes import Payment
from pool.storage.database import Reader

DEPTH = Rules().conflict_depth  # no sooner is anything else decided about a payment that cannot confirm


async def replacement(
    reader: Reader, wallet: Wallet, known: KnownTransaction, reason: str
) -> PaymentReplaced | None:
    """What adopting it means for the payment whose coins it spends; None where there is no such payment.

    Raises Refused while that payment may still be made as it was signed, and WalletUnavailable.
    """
    txid = known.signed.txid
    payment = await _excluded_by(reader, known)
    if payment is None:
        return None
    if payment.state is not PaymentState.SET_ASIDE or not all(
        attempt.outpoints() & set(known.signed.inputs) for attempt in payment.attempts
    ):
        raise Refused(
            f"{txid} spends coins of payment {payment.id}, which is {payment.state} and may still be made as "
            "it was signed: adopt it when the payment has been set aside for it"
        )
    if known.confirmations < DEPTH:
        raise Refused(f"{txid} has {known.confirmations} confirmations; adopt it when it has {DEPTH}")
    scripts = await wallet.scripts([item.address for item in payment.items])
    payees, excess_sats = _paid(payment, known, scripts)
    return PaymentReplaced(
        payment_id=payment.id,
        txid=txid,
        payees=payees,
        excess_sats=excess_sats,
        fee_sats=known.fee_sats or 0,
        reason=reason,
    )


async def _excluded_by(reader: Reader, known: KnownTransaction) -> Payment | None:
    """The payment that stands and has an attempt with one of the transaction's inputs.

    One that was abandoned has given its coins back: what spends them now is a transaction like any other.
    """
    inputs = set(known.signed.inputs)
    for txid in sorted({one.txid for one in inputs}):
        rows = await reader.rows(
            "SELECT DISTINCT payment_id FROM attempt WHERE inputs LIKE ? ORDER BY payment_id", f"%{txid}%"
        )
        for (number,) in rows:
            payment = await payment_changes.find(reader, number)
            if payment is None or payment.state is PaymentState.ABANDONED:
                continue
            if any(attempt.outpoints() & inputs for attempt in payment.attempts):
                return payment
    return None


def _paid(
    payment: Payment, known: KnownTransaction, scripts: Mapping[str, bytes | None]
) -> tuple[tuple[PlannedPayee, ...], int]:
    """What each of its payees got, no more than was to be paid, and what they got beyond."""
    left: dict[bytes, int] = defaultdict(int)
    for output in known.signed.outputs:
        left[output.script] += output.sats
    payees = []
    for item in payment.items:
        script = scripts.get(item.address)
        if script is None:
            raise Refused(f"the node does not know {item.address}, which payment {payment.id} pays")
        sats = min(item.sats, left[script])
        left[script] -= sats
        if sats:
            payees.append(PlannedPayee(account=item.account, address=item.address, sats=sats))
    return tuple(payees), sum(left[script] for script in set(scripts.values()) if script)
