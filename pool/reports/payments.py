"""The list of payments with their attempts, those of coinbases among them, and the holds that stand."""

import msgspec

from pool.accounting import payment_changes, policy_changes
from pool.accounting.blocks import STANDING
from pool.storage.database import Reader
from stratum.work.byteorder import displayed
from stratum.work.hashing import sha256d


class AttemptLine(msgspec.Struct, frozen=True, kw_only=True):
    """One signed transaction of a payment. `broadcast_height`: the tip when it was first sent."""

    number: int
    txid: str
    fee_sats: int
    broadcast_height: int | None
    is_confirmed: bool


class PaymentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One payment. `sats` leave balances; `fee_sats` is what the attempt that counts, else the last one,
    gives to miners. `txid` is that attempt's, None before the first.

    What a block's coinbase paid is a payment as well: `id` is None, `block_hash` and `state` are the block's.
    """

    id: int | None
    block_hash: str | None
    state: str
    payees: int
    sats: int
    fee_sats: int
    txid: str | None
    created_us: int
    changed_us: int
    reason: str | None
    attempts: tuple[AttemptLine, ...]


class HoldLine(msgspec.Struct, frozen=True, kw_only=True):
    """Payments of a scope are held. `kind` says by what: operator, solvency, restored."""

    scope: str
    kind: str
    reason: str
    placed_us: int


async def payments(reader: Reader, most: int) -> list[PaymentLine]:
    """The newest `most`, newest first."""
    numbers = await reader.rows("SELECT id FROM payment ORDER BY id DESC LIMIT ?", most)
    found = [await payment_changes.find(reader, number) for (number,) in numbers]
    lines = [_line(payment) for payment in found if payment is not None]
    lines += await _by_coinbases(reader, most)
    return sorted(lines, key=lambda line: line.created_us, reverse=True)[:most]


async def _by_coinbases(reader: Reader, most: int) -> list[PaymentLine]:
    """Of each block that was settled: what its coinbase paid to accounts, when it was credited."""
    rows = await reader.rows(
        "SELECT block.hash, block.state, block.coinbase, settlement.settled_us, block_transition.at_us, "
        "block_transition.reason, COUNT(*), SUM(-ledger.sats) FROM settlement "
        "JOIN block ON block.hash = settlement.hash "
        "JOIN block_transition ON block_transition.number = block.transition "
        "JOIN ledger ON ledger.entry_key = 'block:' || block.hash || ':settled' "
        "AND ledger.kind = 'coinbase' AND ledger.sats < 0 "
        "GROUP BY block.hash, block.state, block.coinbase, settlement.settled_us, block_transition.at_us, "
        "block_transition.reason ORDER BY settlement.settled_us DESC, block.hash LIMIT ?",
        most,
    )
    return [
        PaymentLine(
            id=None,
            block_hash=block_hash,
            state=state,
            payees=count,
            sats=int(sats),
            fee_sats=0,
            txid=displayed(sha256d(bytes(coinbase))),
            created_us=settled_us,
            changed_us=max(settled_us, changed_us),
            reason=None if state in STANDING else reason,
            attempts=(),
        )
        for block_hash, state, coinbase, settled_us, changed_us, reason, count, sats in rows
    ]


def _line(payment: payment_changes.Payment) -> PaymentLine:
    counted = next((attempt for attempt in payment.attempts if attempt.is_counted), None)
    shown = counted or (payment.attempts[-1] if payment.attempts else None)
    return PaymentLine(
        id=payment.id,
        block_hash=None,
        state=str(payment.state),
        payees=len(payment.items),
        sats=payment.sats,
        fee_sats=0 if shown is None else shown.fee_sats,
        txid=None if shown is None else shown.txid,
        created_us=payment.created_us,
        changed_us=payment.changed_us,
        reason=payment.reason,
        attempts=tuple(
            AttemptLine(
                number=attempt.number,
                txid=attempt.txid,
                fee_sats=attempt.fee_sats,
                broadcast_height=attempt.broadcast_height,
                is_confirmed=attempt.is_counted,
            )
            for attempt in payment.attempts
        ),
    )


async def holds(reader: Reader) -> list[HoldLine]:
    """Every hold that stands, oldest first."""
    return [
        HoldLine(scope=scope, kind=kind, reason=reason, placed_us=placed_us)
        for scope, kind, reason, placed_us in await policy_changes.holds(reader)
    ]
