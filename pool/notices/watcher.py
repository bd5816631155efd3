"""Reads in the accounts what has happened since a position, as notices; it writes and sends nothing.

Blocks are read by the number of their last change and payee changes by their row, both of which only go up.
Payments have no such number: those that are new, or were under way at the last look, are looked at again, and
the position holds which of their transactions were told.
"""

from typing import Literal

import msgspec

from pool.accounting.blocks import ORPHANED, STANDING
from pool.accounting.payee_wishes import OPERATORS_PROOF
from pool.accounting.payment_changes import UNDER_WAY
from pool.notices.notice import BlockFound, BlockOrphaned, Notice, PayeeChange, PaymentSent
from pool.notices.queue import Position
from pool.storage.database import Reader

MOST_ROWS = 100  # of each table in one look; the next look goes on behind them


async def now_at(reader: Reader) -> Position:
    """Where one begins who was told nothing yet: what has happened so far is no news."""
    payment = await _newest(reader, "id", "payment")
    return Position(
        transition=await _newest(reader, "number", "block_transition"),
        payee_change=await _newest(reader, "id", "payee_change"),
        payment=payment,
        under_way=_under_way(await _attempts(reader, payment)),
    )


async def news(reader: Reader, since: Position) -> tuple[list[Notice], Position]:
    """What has happened since, each table in order, and where the next look begins."""
    blocks, transition = await _blocks(
        reader, await _start(reader, since.transition, "number", "block_transition")
    )
    changes, change = await _payee_changes(
        reader, await _start(reader, since.payee_change, "id", "payee_change")
    )
    payments, payment, under_way = await _payments(reader, since)
    position = Position(transition=transition, payee_change=change, payment=payment, under_way=under_way)
    return [*blocks, *changes, *payments], position


Numbered = Literal["block_transition", "payee_change", "payment"]


async def _newest(reader: Reader, column: Literal["number", "id"], table: Numbered) -> int:
    row = await reader.row(f"SELECT COALESCE(MAX({column}), 0) FROM {table}")  # noqa: S608  names of ours
    return 0 if row is None else int(row[0])


async def _start(reader: Reader, since: int, column: Literal["number", "id"], table: Numbered) -> int:
    """Accounts that began anew (a lost journal) are read from their start: ids tell what was told."""
    return since if since <= await _newest(reader, column, table) else 0


# ---------------------------------------------------------------------- blocks


async def _blocks(reader: Reader, since: int) -> tuple[list[Notice], int]:
    rows = await reader.rows(
        "SELECT number, from_state, to_state, at_us, reason, block.hash, height, reward_sats, found_us, "
        "account.name, worker FROM block_transition JOIN block ON block.hash = block_transition.hash "
        "LEFT JOIN account ON account.id = block.account_id WHERE number > ? ORDER BY number LIMIT ?",
        *(since, MOST_ROWS),
    )
    notices: list[Notice] = []
    for (
        number,
        from_state,
        to_state,
        at_us,
        reason,
        block_hash,
        height,
        sats,
        found_us,
        account,
        worker,
    ) in rows:
        if to_state in STANDING and from_state not in STANDING:
            notices.append(
                BlockFound(
                    at_us=at_us,
                    hash_hex=block_hash,
                    height=height,
                    reward_sats=sats,
                    found_us=found_us,
                    account=account,
                    worker=worker,
                    returned=number if from_state == ORPHANED else None,
                )
            )
        elif to_state == ORPHANED:
            notices.append(
                BlockOrphaned(
                    at_us=at_us,
                    hash_hex=block_hash,
                    height=height,
                    reward_sats=sats,
                    account=account,
                    worker=worker,
                    transition=number,
                    reason=reason,
                )
            )
    return notices, rows[-1][0] if rows else since


# ---------------------------------------------------------------------- payees


async def _payee_changes(reader: Reader, since: int) -> tuple[list[Notice], int]:
    rows = await reader.rows(
        "SELECT payee_change.id, account.name, address, minimum_sats, requested_us, effective_us, proof "
        "FROM payee_change JOIN account ON account.id = payee_change.account_id "
        "WHERE payee_change.id > ? ORDER BY payee_change.id LIMIT ?",
        *(since, MOST_ROWS),
    )
    notices: list[Notice] = [
        PayeeChange(
            at_us=requested_us,
            account=account,
            address=address,
            minimum_sats=minimum_sats,
            effective_us=effective_us,
            asked_by="operator" if proof.startswith(OPERATORS_PROOF) else "signature",
        )
        for _, account, address, minimum_sats, requested_us, effective_us, proof in rows
    ]
    return notices, rows[-1][0] if rows else since


# ---------------------------------------------------------------------- payments


class _Sent(msgspec.Struct, frozen=True):
    """A payment with one of its transactions that were handed to the network, or with None."""

    payment_id: int
    state: str
    changed_us: int
    attempt: int | None
    txid: str | None
    fee_sats: int | None
    signed_us: int | None


async def _payments(reader: Reader, since: Position) -> tuple[list[Notice], int, dict[int, tuple[str, ...]]]:
    start = await _start(reader, since.payment, "id", "payment")
    rows = await _attempts(reader, start, *since.under_way)
    notices: list[Notice] = []
    for one in rows:
        if one.txid is None or one.attempt is None or one.txid in since.under_way.get(one.payment_id, ()):
            continue
        payees, sats = await _paid(reader, one.payment_id)
        notices.append(
            PaymentSent(
                at_us=max(one.signed_us or 0, one.changed_us),  # a second attempt changes no state
                payment_id=one.payment_id,
                txid=one.txid,
                attempt=one.attempt,
                payees=payees,
                sats=sats,
                fee_sats=one.fee_sats or 0,
            )
        )
    reached = min(start + MOST_ROWS, await _newest(reader, "id", "payment"))
    return notices, reached, _under_way(rows)


async def _attempts(reader: Reader, start: int, *numbers: int) -> list[_Sent]:
    """Payments behind `start`, those under way, and these, each with its transactions that were sent."""
    states, named = ", ".join("?" for _ in UNDER_WAY), ", ".join("?" for _ in numbers)
    or_named = f"OR payment.id IN ({named})" if numbers else ""
    which = f"(payment.id > ? AND payment.id <= ?) OR payment.state IN ({states}) {or_named}"
    rows = await reader.rows(
        "SELECT payment.id, payment.state, changed_us, number, txid, fee_sats, signed_us "  # noqa: S608  marks
        "FROM payment LEFT JOIN attempt ON payment_id = payment.id AND broadcast_height IS NOT NULL "
        f"WHERE {which} ORDER BY payment.id, number",
        *(start, start + MOST_ROWS),
        *(str(state) for state in UNDER_WAY),
        *numbers,
    )
    return [_Sent(*row) for row in rows]


def _under_way(rows: list[_Sent]) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for one in rows:
        if one.state in UNDER_WAY:
            found[one.payment_id] = (
                *found.get(one.payment_id, ()),
                *(() if one.txid is None else (one.txid,)),
            )
    return found


async def _paid(reader: Reader, payment_id: int) -> tuple[int, int]:
    """How many are paid, and what leaves their balances."""
    row = await reader.row(
        "SELECT COUNT(*), COALESCE(SUM(sats), 0) FROM payment_item WHERE payment_id = ?", payment_id
    )
    return (0, 0) if row is None else (int(row[0]), int(row[1]))
