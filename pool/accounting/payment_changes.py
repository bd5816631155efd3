"""Journal entries about payments → rows: payments, items, attempts, and the ledger's part of each state.

What a payment's entries must add up to follows from its state alone, so a change of state posts the
difference between that and what stands. There and back, and there again, ends right:

    planned … broadcast, set_aside    taken from the payees, on its way (@paying)
    confirmed                         on to the payees (@paid) and to miners (@network); the pool bears
                                      what the payees' shares of the fee do not cover
    abandoned                         nothing: the payees are owed again, but for what a foreign
                                      transaction has paid them that a person took for it
"""

from collections.abc import Awaitable, Callable

import msgspec

from payouts.attempt import Attempt
from payouts.payment import PaymentState
from payouts.transaction import Outpoint, Spent
from pool.accounting.journal_entries import (
    PaymentAbandoned,
    PaymentBroadcast,
    PaymentConfirmed,
    PaymentPlanned,
    PaymentReopened,
    PaymentReplaced,
    PaymentSetAside,
    PaymentSigned,
)
from pool.accounting.journal_lines import Entry
from pool.accounting.ledger import BALANCE, NETWORK, OPERATOR, PAID, PAYING, Row, post
from pool.accounting.ledger import Entry as LedgerEntry
from pool.accounting.names import Names
from pool.storage.database import Reader, Writer

COUNTED = "confirmed"
UNDER_WAY = (PaymentState.PLANNED, PaymentState.SIGNED, PaymentState.BROADCAST, PaymentState.SET_ASIDE)


class Item(msgspec.Struct, frozen=True):
    """One account in a payment: `sats` leave its balance, `fee_sats` of them go to miners."""

    account_id: int
    account: str
    address: str
    sats: int
    fee_sats: int


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment with its items and attempts, as stored."""

    id: int
    state: PaymentState
    fee_payer: str
    reason: str | None
    created_us: int
    changed_us: int
    items: tuple[Item, ...]
    attempts: tuple[Attempt, ...]

    @property
    def sats(self) -> int:
        """What leaves balances."""
        return sum(item.sats for item in self.items)


async def find(reader: Reader, payment_id: int) -> Payment | None:
    """The payment of this number."""
    row = await reader.row(
        "SELECT id, state, fee_payer, reason, created_us, changed_us FROM payment WHERE id = ?", payment_id
    )
    if row is None:
        return None
    number, state, fee_payer, reason, created_us, changed_us = row
    items = await reader.rows(
        "SELECT account_id, account.name, address, sats, fee_sats FROM payment_item "
        "JOIN account ON account.id = payment_item.account_id WHERE payment_id = ? ORDER BY position",
        payment_id,
    )
    attempts = await reader.rows(
        "SELECT number, txid, raw, inputs, fee_sats, weight, broadcast_height, state FROM attempt "
        "WHERE payment_id = ? ORDER BY number",
        payment_id,
    )
    return Payment(
        id=number,
        state=PaymentState(state),
        fee_payer=fee_payer,
        reason=reason,
        created_us=created_us,
        changed_us=changed_us,
        items=tuple(Item(*item) for item in items),
        attempts=tuple(_attempt(attempt) for attempt in attempts),
    )


def _attempt(row: tuple[int, str, bytes, str, int, int, int | None, str]) -> Attempt:
    number, txid, raw, inputs, fee_sats, weight, broadcast_height, state = row
    return Attempt(
        number=number,
        txid=txid,
        raw=raw,
        inputs=msgspec.json.decode(inputs, type=tuple[Spent, ...]),
        fee_sats=fee_sats,
        weight=weight,
        broadcast_height=broadcast_height,
        is_counted=state == COUNTED,
    )


async def ids(reader: Reader, *states: PaymentState) -> list[int]:
    """Numbers of the payments in these states, in order."""
    marks = ", ".join("?" for _ in states)
    rows = await reader.rows(
        f"SELECT id FROM payment WHERE state IN ({marks}) ORDER BY id",  # noqa: S608  only marks
        *(str(state) for state in states),
    )
    return [int(number) for (number,) in rows]


async def next_id(reader: Reader) -> int:
    """The number of the next payment."""
    row = await reader.row("SELECT COALESCE(MAX(id), 0) FROM payment")
    return 1 + (int(row[0]) if row is not None else 0)


# ---------------------------------------------------------------------- entries


async def _planned(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    assert isinstance(body, PaymentPlanned)  # noqa: S101  by the table below
    await writer.execute(
        "INSERT INTO payment (id, state, fee_payer, reason, created_us, changed_us) "
        "VALUES (?, 'planned', ?, NULL, ?, ?)",
        *(body.payment_id, body.fee_payer, entry.at_us, entry.at_us),
    )
    await writer.execute_many(
        "INSERT INTO payment_item (payment_id, account_id, position, address, sats, fee_sats) "
        "VALUES (?, ?, ?, ?, ?, 0)",
        [
            (
                body.payment_id,
                await names.account(writer, payee.account, entry.at_us),
                position,
                payee.address,
                payee.sats,
            )
            for position, payee in enumerate(body.payees)
        ],
    )
    await _post_difference(writer, names, body.payment_id, entry)


async def _signed(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    assert isinstance(body, PaymentSigned)  # noqa: S101
    inputs = tuple(Spent(Outpoint(one.txid, one.output), one.sats) for one in body.inputs)
    await writer.execute(
        "INSERT INTO attempt (payment_id, number, txid, raw, inputs, fee_sats, weight, state, signed_us, "
        "broadcast_height) VALUES (?, ?, ?, ?, ?, ?, ?, 'signed', ?, NULL)",
        *(body.payment_id, body.attempt, body.txid, bytes.fromhex(body.raw)),
        *(msgspec.json.encode(inputs).decode(), body.fee_sats, body.weight, entry.at_us),
    )
    for share in body.fee_shares:
        account = await names.account(writer, share.account, entry.at_us)
        await writer.execute(
            "UPDATE payment_item SET fee_sats = ? WHERE payment_id = ? AND account_id = ?",
            *(share.sats, body.payment_id, account),
        )
    payment = await find(writer, body.payment_id)
    if payment is not None and payment.state is PaymentState.PLANNED:
        await _go_to(writer, names, body.payment_id, PaymentState.SIGNED, None, entry)


async def _broadcast(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    assert isinstance(body, PaymentBroadcast)  # noqa: S101
    await writer.execute(
        "UPDATE attempt SET broadcast_height = ?, state = 'broadcast' "
        "WHERE payment_id = ? AND number = ? AND broadcast_height IS NULL",
        *(body.height, body.payment_id, body.attempt),
    )
    payment = await find(writer, body.payment_id)
    if payment is not None and payment.state is PaymentState.SIGNED:
        await _go_to(writer, names, body.payment_id, PaymentState.BROADCAST, None, entry)


async def _confirmed(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    assert isinstance(body, PaymentConfirmed)  # noqa: S101
    await writer.execute(
        "UPDATE attempt SET state = CASE WHEN number = ? THEN 'confirmed' ELSE 'conflicted' END "
        "WHERE payment_id = ?",
        *(body.attempt, body.payment_id),
    )
    await _go_to(writer, names, body.payment_id, PaymentState.CONFIRMED, None, entry)


async def _reopened(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    assert isinstance(body, PaymentReopened)  # noqa: S101
    await writer.execute(
        "UPDATE attempt SET state = CASE WHEN broadcast_height IS NULL THEN 'signed' ELSE 'broadcast' END "
        "WHERE payment_id = ?",
        body.payment_id,
    )
    await _go_to(writer, names, body.payment_id, PaymentState(body.to_state), body.reason, entry)


async def _abandoned(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    assert isinstance(body, PaymentAbandoned)  # noqa: S101
    await writer.execute("UPDATE attempt SET state = 'conflicted' WHERE payment_id = ?", body.payment_id)
    await _go_to(writer, names, body.payment_id, PaymentState.ABANDONED, body.reason, entry)


async def _set_aside(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    assert isinstance(body, PaymentSetAside)  # noqa: S101
    await _go_to(writer, names, body.payment_id, PaymentState.SET_ASIDE, body.reason, entry)


async def _replaced(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    assert isinstance(body, PaymentReplaced)  # noqa: S101
    await writer.execute("UPDATE attempt SET state = 'conflicted' WHERE payment_id = ?", body.payment_id)
    await writer.execute(
        "UPDATE payment SET state = ?, reason = ?, replaced_by = ?, changed_us = ? WHERE id = ?",
        *(str(PaymentState.ABANDONED), f"{body.txid} was taken for it: {body.reason}", body.txid),
        *(entry.at_us, body.payment_id),
    )
    system = await names.system(writer, entry.at_us)
    wanted: dict[int, int] = {}
    for payee in body.payees:
        account = await names.account(writer, payee.account, entry.at_us)
        wanted[account] = wanted.get(account, 0) - payee.sats
    wanted[system[PAID]] = sum(payee.sats for payee in body.payees) + body.excess_sats
    wanted[system[NETWORK]] = body.fee_sats
    wanted[system[OPERATOR]] = -body.excess_sats - body.fee_sats
    await _post_difference(writer, names, body.payment_id, entry, wanted)


async def _go_to(
    writer: Writer, names: Names, payment_id: int, state: PaymentState, reason: str | None, entry: Entry
) -> None:
    await writer.execute(
        "UPDATE payment SET state = ?, reason = ?, replaced_by = NULL, changed_us = ? WHERE id = ?",
        *(str(state), reason, entry.at_us, payment_id),
    )
    await _post_difference(writer, names, payment_id, entry)


# ---------------------------------------------------------------------- the ledger's part


async def _post_difference(
    writer: Writer, names: Names, payment_id: int, entry: Entry, wanted: dict[int, int] | None = None
) -> None:
    """`wanted` None: as the state has it."""
    payment = await find(writer, payment_id)
    if payment is None:
        raise LookupError(f"journal entry {entry.number} is about payment {payment_id}, which is not there")
    if wanted is None:
        wanted = _wanted(payment, await names.system(writer, entry.at_us))
    stands = await writer.rows(
        "SELECT account_id, SUM(sats) FROM ledger WHERE payment_id = ? GROUP BY account_id", payment_id
    )
    for account, sats in stands:
        wanted[account] = wanted.get(account, 0) - sats
    rows = tuple(Row(account, BALANCE, "payment", sats) for account, sats in sorted(wanted.items()) if sats)
    if rows:
        key = f"payment:{payment_id}:{entry.number}"
        await post(
            writer,
            LedgerEntry(key=key, rows=rows, at_us=entry.at_us, payment_id=payment_id, reason=payment.reason),
        )


def _wanted(payment: Payment, system: dict[str, int]) -> dict[int, int]:
    """What the payment's rows must add up to, by account id."""
    if payment.state is PaymentState.ABANDONED:
        return {}
    wanted: dict[int, int] = {}
    for item in payment.items:
        wanted[item.account_id] = wanted.get(item.account_id, 0) - item.sats
    if payment.state is not PaymentState.CONFIRMED:
        wanted[system[PAYING]] = payment.sats
        return wanted
    fee_sats = next(attempt.fee_sats for attempt in payment.attempts if attempt.is_counted)
    borne_sats = sum(item.fee_sats for item in payment.items)
    wanted[system[PAID]] = payment.sats - borne_sats
    wanted[system[NETWORK]] = fee_sats
    wanted[system[OPERATOR]] = borne_sats - fee_sats
    return wanted


APPLIERS: dict[type, Callable[[Writer, Names, Entry], Awaitable[None]]] = {
    PaymentPlanned: _planned,
    PaymentSigned: _signed,
    PaymentBroadcast: _broadcast,
    PaymentConfirmed: _confirmed,
    PaymentReopened: _reopened,
    PaymentAbandoned: _abandoned,
    PaymentSetAside: _set_aside,
    PaymentReplaced: _replaced,
}
