"""One account in full: what it is owed, where it is paid, and its newest rows of the ledger."""

import msgspec

from pool.accounting.ledger import BALANCE, IMMATURE
from pool.reports.paid import on_its_way_sats, paid_sats
from pool.storage.database import Reader


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the ledger: why (`kind`, `reason`), how much, into or out of which pot, for which block or
    payment."""

    id: int
    at_us: int
    kind: str
    pot: str
    sats: int
    block_hash: str | None
    payment_id: int | None
    reason: str | None


class PendingPayee(msgspec.Struct, frozen=True, kw_only=True):
    """A change that waits. `minimum_sats` None: the pool's."""

    address: str
    minimum_sats: int | None
    requested_us: int
    effective_us: int


class BalanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """One account. `on_its_way_sats` has left the balance in payments that are not confirmed yet."""

    account: str
    immature_sats: int
    balance_sats: int
    on_its_way_sats: int
    paid_sats: int
    payee: str
    minimum_sats: int
    is_pools_minimum: bool
    pending: PendingPayee | None
    holds: tuple[str, ...]
    rows: tuple[LedgerLine, ...]


async def balance(
    reader: Reader, account: str, pool_minimum_sats: int, most_rows: int
) -> BalanceReport | None:
    """The account of this canonical name, None where there is none; rows newest first."""
    row = await reader.row(
        "SELECT account.id, payee.address, payee.minimum_sats FROM account "
        "LEFT JOIN payee ON payee.account_id = account.id WHERE account.name = ?",
        account,
    )
    if row is None:
        return None
    number, payee, minimum_sats = row
    pots: dict[str, int] = dict(
        await reader.rows("SELECT pot, sats FROM balance WHERE account_id = ?", number)
    )
    return BalanceReport(
        account=account,
        immature_sats=pots.get(IMMATURE, 0),
        balance_sats=pots.get(BALANCE, 0),
        on_its_way_sats=(await on_its_way_sats(reader)).get(number, 0),
        paid_sats=(await paid_sats(reader)).get(number, 0),
        payee=payee or account,
        minimum_sats=pool_minimum_sats if minimum_sats is None else minimum_sats,
        is_pools_minimum=minimum_sats is None,
        pending=await _pending(reader, number),
        holds=await _holds(reader, account),
        rows=await _rows(reader, number, most_rows),
    )


async def _pending(reader: Reader, account_id: int) -> PendingPayee | None:
    row = await reader.row(
        "SELECT address, minimum_sats, requested_us, effective_us FROM payee_change "
        "WHERE account_id = ? AND state = 'waiting' ORDER BY id DESC LIMIT 1",
        account_id,
    )
    if row is None:
        return None
    address, minimum_sats, requested_us, effective_us = row
    return PendingPayee(
        address=address, minimum_sats=minimum_sats, requested_us=requested_us, effective_us=effective_us
    )


async def _holds(reader: Reader, account: str) -> tuple[str, ...]:
    rows = await reader.rows(
        "SELECT reason FROM hold WHERE scope IN (?, 'all') AND released_us IS NULL ORDER BY id", account
    )
    return tuple(reason for (reason,) in rows)


async def _rows(reader: Reader, account_id: int, most: int) -> tuple[LedgerLine, ...]:
    rows = await reader.rows(
        "SELECT id, created_us, kind, pot, sats, block_hash, payment_id, reason FROM ledger "
        "WHERE account_id = ? ORDER BY id DESC LIMIT ?",
        *(account_id, most),
    )
    names = ("id", "at_us", "kind", "pot", "sats", "block_hash", "payment_id", "reason")
    return tuple(LedgerLine(**dict(zip(names, row, strict=True))) for row in rows)
