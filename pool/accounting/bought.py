"""Bought work becomes money: the credits of slots that no more of can come, and what is yet to be credited.

Whether a slot is complete is a matter of frames. The clock of this machine can only hold it back, so that one
that jumps ahead for a moment closes no slot that gateways still write into.
"""

from payouts.pps import Rate, pay, units_for
from pool.accounting.ledger import BALANCE, OPERATOR, Entry, Row, post
from pool.accounting.names import Names
from pool.storage.database import Reader, Writer
from pool.storage.work import joined

MICROSECONDS = 1_000_000
SLOTS_AT_ONCE = 360


async def priced_slot(reader: Reader) -> int:
    """The last slot whose bought work was credited; −1 before the first."""
    row = await reader.row("SELECT value FROM meta WHERE key = 'priced_slot'")
    return -1 if row is None else int(row[0])


async def unpaid_units(reader: Reader) -> int:
    """What bought work is worth that has not been credited, in units of 2^-32 satoshi: that of slots that are
    not complete, and the fractions of satoshis that accounts have left."""
    rows = await reader.rows(
        "SELECT rate_id, SUM(work_high), SUM(work_low) FROM slot_account WHERE rate_id > 0 AND slot > ? "
        "GROUP BY rate_id",
        await priced_slot(reader),
    )
    units = 0
    for rate_id, high, low in rows:
        units += units_for(joined(int(high), int(low)), await rate_with(reader, rate_id))
    row = await reader.row("SELECT COALESCE(SUM(units), 0) FROM pps_fraction")
    return units if row is None else units + int(row[0])


async def complete_through(reader: Reader, now_us: int, slot_seconds: int, wait_us: int) -> int:
    """The last slot that every source which is not closed is past, or is waited for no longer.

    A source is waited for until both another one's frames and the clock are so much later. Where all are
    closed it is the last slot that any was in, once that is over.
    """

    def before(at_us: int) -> int:
        return at_us // (MICROSECONDS * slot_seconds) * slot_seconds - slot_seconds

    row = await reader.row(
        "SELECT MAX(at_us), MIN(CASE WHEN state <> 'closed' THEN at_us ELSE NULL END) FROM source"
    )
    if row is None or row[0] is None:
        return -1
    newest_us, past_us = int(row[0]), row[1]
    if past_us is None:
        return min(before(newest_us) + slot_seconds, before(now_us))
    waited_us = min(newest_us, now_us) - wait_us
    return before(min(max(int(past_us), waited_us), now_us))


async def pay_slots(writer: Writer, names: Names, through: int, now_us: int) -> int:
    """Credit the bought work of some slots up to `through`, the oldest first; how many slots that were.

    Only these are closed for work that comes late.
    """
    rows = await writer.rows(
        "SELECT DISTINCT slot FROM slot_account WHERE rate_id > 0 AND slot > ? AND slot <= ? "
        "ORDER BY slot LIMIT ?",
        *(await priced_slot(writer), through, SLOTS_AT_ONCE),
    )
    slots = [int(slot) for (slot,) in rows]
    for slot in slots:
        await _pay_slot(writer, names, slot, now_us)
    if slots:
        await writer.execute(
            "INSERT INTO meta (key, value) VALUES ('priced_slot', ?) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            str(slots[-1]),
        )
    return len(slots)


async def _pay_slot(writer: Writer, names: Names, slot: int, now_us: int) -> None:
    rows = await writer.rows(
        "SELECT account_id, rate_id, SUM(work_high), SUM(work_low) FROM slot_account "
        "WHERE slot = ? AND rate_id > 0 GROUP BY account_id, rate_id ORDER BY account_id, rate_id",
        slot,
    )
    earned: dict[int, int] = {}
    for account, rate_id, high, low in rows:
        units = units_for(joined(int(high), int(low)), await rate_with(writer, rate_id))
        earned[account] = earned.get(account, 0) + units
    rows_of_slot: list[Row] = []
    for account, units in earned.items():
        sats = await _keep_fraction(writer, account, units)
        rows_of_slot.append(Row(account, BALANCE, "pps", sats))
    operator = (await names.system(writer, now_us))[OPERATOR]
    rows_of_slot.append(Row(operator, BALANCE, "pps", -sum(row.sats for row in rows_of_slot)))
    await post(writer, Entry(key=f"pps:{slot}", rows=tuple(rows_of_slot), at_us=now_us))


async def rate_with(reader: Reader, rate_id: int) -> Rate:
    """Raises LookupError for one that is not there, as no work can be."""
    row = await reader.row(
        "SELECT network_work_high, network_work_low, subsidy_sats, fees_sats, fee_basis_points "
        "FROM rate WHERE id = ?",
        rate_id,
    )
    if row is None:
        raise LookupError(f"work was bought at rate {rate_id}, which is not in the database")
    high, low, subsidy_sats, fees_sats, fee_basis_points = row
    return Rate(joined(high, low), subsidy_sats, fees_sats, fee_basis_points)


async def _keep_fraction(writer: Writer, account: int, units: int) -> int:
    row = await writer.row("SELECT units FROM pps_fraction WHERE account_id = ?", account)
    paid = pay(0 if row is None else int(row[0]), units)
    await writer.execute(
        "INSERT INTO pps_fraction (account_id, units) VALUES (?, ?) "
        "ON CONFLICT (account_id) DO UPDATE SET units = excluded.units",
        *(account, paid.fraction_units),
    )
    return paid.sats
