"""Reads work out of the slots: totals from the newest back, and sums by account; it divides nothing.

Work that was bought at a price (PPS) is the operator's when a block is divided: whoever did it has been paid.
Sums are made by the database, one row a slot or an account, never one a share.
"""

from collections.abc import Mapping

from pool.accounting.ledger import OPERATOR
from pool.storage.database import Reader
from pool.storage.work import joined

# By number first: a name for each of a window's rows would cost more than all the sums.
_BY_ACCOUNT = (
    "SELECT account.name, rate_id, high, low FROM "
    "(SELECT account_id, rate_id, SUM(work_high) AS high, SUM(work_low) AS low FROM slot_account "
    "WHERE {where} GROUP BY account_id, rate_id) AS sums JOIN account ON account.id = account_id"
)
FIRST_SPAN_SECONDS = 3_600
# A window is read back in spans that double, since what lies beyond its edge may be thirty days of slots.


async def totals(
    reader: Reader, oldest_slot: int, through_slot: int, needed: int | None = None
) -> list[tuple[int, int]]:
    """(slot, work) of every slot with work in it, from the newest back; both ends included.

    With `needed`, at least as far back as it takes for more than that.
    """
    found: list[tuple[int, int]] = []
    held, before, span = 0, through_slot + 1, FIRST_SPAN_SECONDS
    while before > oldest_slot and (needed is None or held <= needed):
        start = oldest_slot if needed is None else max(oldest_slot, before - span)
        rows = await reader.rows(
            "SELECT slot, SUM(work_high), SUM(work_low) FROM slot_account WHERE slot >= ? AND slot < ? "
            "GROUP BY slot ORDER BY slot DESC",
            *(start, before),
        )
        slots = [(int(slot), joined(int(high), int(low))) for slot, high, low in rows]
        held += sum(work for _, work in slots)
        found += slots
        before, span = start, 2 * span
    return found


async def between(reader: Reader, after_slot: int, through_slot: int) -> dict[str, int]:
    """Work by account name of the slots (after_slot, through_slot]."""
    return _by_name(
        await reader.rows(_BY_ACCOUNT.format(where="slot > ? AND slot <= ?"), after_slot, through_slot)
    )


async def at(reader: Reader, slot: int) -> dict[str, int]:
    """Work by account name of one slot."""
    return _by_name(await reader.rows(_BY_ACCOUNT.format(where="slot = ?"), slot))


async def length_of(reader: Reader, slot: int) -> int | None:
    """Seconds of a slot: an hour's, where it was rolled up; None where there is no work in it."""
    row = await reader.row("SELECT MAX(seconds) FROM slot_account WHERE slot = ?", slot)
    return None if row is None or row[0] is None else int(row[0])


def together(*parts: Mapping[str, int]) -> dict[str, int]:
    """The sum by account of several parts."""
    whole: dict[str, int] = {}
    for part in parts:
        for name, work in part.items():
            whole[name] = whole.get(name, 0) + work
    return whole


def _by_name(rows: list[tuple[str, int, int, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, rate_id, high, low in rows:
        work = joined(int(high), int(low))
        if work:
            payee = OPERATOR if rate_id else name
            found[payee] = found.get(payee, 0) + work
    return found
