"""Keeps years small: old slots become hours, minutes of workers become hours, all become days; pure sums.

An hour that a block's window or round begins or ends in keeps its slots, so that no roll-up ever crosses an
edge that was settled; nor does it cross one that may still be settled, since what a block without settlement
needs is left alone. Rolled up, an hour is one long slot: a window whose far edge falls into it takes its part
of that hour's work, as it takes its part of a slot's.
"""

import msgspec

from pool.accounting.bought import priced_slot
from pool.storage.database import Reader, Writer
from pool.storage.work import columns, joined

HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400
SLOTS_KEPT_SECONDS = 2 * DAY_SECONDS
# Most windows lie whole within two days of slots; of older ones the far edge is an hour wide, a thousandth
# of a window of 30 days.

MINUTES_KEPT_SECONDS = 2 * DAY_SECONDS
HOURS_KEPT_SECONDS = 90 * DAY_SECONDS
HOURS_AT_ONCE = 24


class RolledUp(msgspec.Struct, frozen=True):
    """What one call did: hours of slots, rows of minutes and of hours that became fewer, slots dropped."""

    hours: int
    minute_rows: int
    hour_rows: int
    dropped_rows: int


async def roll_up(writer: Writer, now: int, oldest_needed_slot: int) -> RolledUp:
    """One bounded step, in the caller's transaction; repeat while it does anything.

    `now` in Unix seconds is the time that every live source has been applied to. Slots before
    `oldest_needed_slot` are in no window that may still be settled: they leave for the days.
    """
    hours = 0
    for hour in await _rollable_hours(writer, now):
        await roll_hour(writer, hour)
        hours += 1
    return RolledUp(
        hours,
        await _roll_minutes(writer, now),
        await _drop_hours(writer, now),
        await _drop_slots(writer, oldest_needed_slot),
    )


async def rolled_slot(reader: Reader) -> int:
    """The end (exclusive) of the last hour that was rolled up; 0 before the first. New work before it is
    counted behind it."""
    row = await reader.row("SELECT value FROM meta WHERE key = 'rolled_slot'")
    return 0 if row is None else int(row[0])


async def _rollable_hours(writer: Writer, now: int) -> list[int]:
    """The oldest hours that are still slots, end before what is kept, and hold no edge."""
    before = (now - SLOTS_KEPT_SECONDS) // HOUR_SECONDS * HOUR_SECONDS
    row = await writer.row("SELECT MIN(slot) FROM block WHERE state IN ('candidate', 'accepted') "
                           "AND hash NOT IN (SELECT hash FROM settlement)")  # fmt: skip
    if row is not None and row[0] is not None:
        before = min(before, int(row[0]) // HOUR_SECONDS * HOUR_SECONDS)
    # Bought work is paid by slot: an hour in its place would be paid whole, or not at all.
    row = await writer.row(
        "SELECT MIN(slot) FROM slot_account WHERE rate_id > 0 AND slot > ?", await priced_slot(writer)
    )
    if row is not None and row[0] is not None:
        before = min(before, int(row[0]) // HOUR_SECONDS * HOUR_SECONDS)
    rows = await writer.rows(
        "SELECT DISTINCT slot - slot % 3600 AS hour FROM slot_account WHERE seconds < 3600 AND slot < ? "
        "AND slot - slot % 3600 NOT IN (SELECT from_slot - from_slot % 3600 FROM settlement "
        "UNION SELECT through_slot - through_slot % 3600 FROM settlement "
        "UNION SELECT slot - slot % 3600 FROM block) ORDER BY hour LIMIT ?",
        *(before, HOURS_AT_ONCE),
    )
    return [int(hour) for (hour,) in rows]


async def roll_hour(writer: Writer, hour: int) -> None:
    """Make one long slot of an hour's slots."""
    rows = await writer.rows(
        "SELECT account_id, rate_id, SUM(shares), SUM(work_high), SUM(work_low) FROM slot_account "
        "WHERE slot >= ? AND slot < ? GROUP BY account_id, rate_id",
        *(hour, hour + HOUR_SECONDS),
    )
    await writer.execute("DELETE FROM slot_account WHERE slot >= ? AND slot < ?", hour, hour + HOUR_SECONDS)
    await writer.execute_many(
        "INSERT INTO slot_account (slot, seconds, account_id, rate_id, shares, work_high, work_low) "
        "VALUES (?, 3600, ?, ?, ?, ?, ?)",
        [
            (hour, account, rate, int(shares), *columns(joined(int(high), int(low))))
            for account, rate, shares, high, low in rows
        ],
    )
    if hour + HOUR_SECONDS > await rolled_slot(writer):
        await writer.execute(
            "INSERT INTO meta (key, value) VALUES ('rolled_slot', ?) "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            str(hour + HOUR_SECONDS),
        )


async def _roll_minutes(writer: Writer, now: int) -> int:
    """Minutes older than two days become rows of worker_hour, an hour at a time."""
    before = (now - MINUTES_KEPT_SECONDS) // HOUR_SECONDS * HOUR_SECONDS
    first = await writer.row(
        "SELECT MIN(minute) FROM (SELECT MIN(minute) AS minute FROM worker_minute UNION ALL "
        "SELECT MIN(minute) FROM refused_minute) AS first"
    )
    if first is None or first[0] is None or int(first[0]) >= before:
        return 0
    hour = int(first[0]) // HOUR_SECONDS * HOUR_SECONDS
    span = (hour, hour + HOUR_SECONDS)
    worked = await writer.rows(
        "SELECT worker_id, SUM(shares), SUM(late), SUM(work_high), SUM(work_low) FROM worker_minute "
        "WHERE minute >= ? AND minute < ? GROUP BY worker_id",
        *span,
    )
    refused = {
        worker: int(count)
        for worker, count in await writer.rows(
            "SELECT worker_id, SUM(count) FROM refused_minute WHERE minute >= ? AND minute < ? "
            "GROUP BY worker_id",
            *span,
        )
    }
    rows = {
        worker: (int(shares), int(late), refused.pop(worker, 0), *columns(joined(int(high), int(low))))
        for worker, shares, late, high, low in worked
    }
    rows |= {worker: (0, 0, count, 0, 0) for worker, count in refused.items()}
    await writer.execute_many(
        "INSERT INTO worker_hour (hour, worker_id, shares, late, refused, work_high, work_low) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hour, worker_id) DO UPDATE SET "
        "shares = worker_hour.shares + excluded.shares, late = worker_hour.late + excluded.late, "
        "refused = worker_hour.refused + excluded.refused, "
        "work_high = worker_hour.work_high + excluded.work_high, "
        "work_low = worker_hour.work_low + excluded.work_low",
        [(hour, worker, *sums) for worker, sums in rows.items()],
    )
    await writer.execute("DELETE FROM worker_minute WHERE minute >= ? AND minute < ?", *span)
    await writer.execute("DELETE FROM refused_minute WHERE minute >= ? AND minute < ?", *span)
    return len(rows)


async def _drop_hours(writer: Writer, now: int) -> int:
    """Hours of workers are kept for ninety days; the days of their accounts for ever."""
    row = await writer.row("SELECT COUNT(*) FROM worker_hour WHERE hour < ?", now - HOURS_KEPT_SECONDS)
    count = 0 if row is None else int(row[0])
    if count:
        await writer.execute("DELETE FROM worker_hour WHERE hour < ?", now - HOURS_KEPT_SECONDS)
    return count


async def _drop_slots(writer: Writer, oldest_needed_slot: int) -> int:
    """Slots that no window reaches any more become days of their accounts, a day at a time."""
    first = await writer.row("SELECT MIN(slot) FROM slot_account")
    if first is None or first[0] is None:
        return 0
    day = int(first[0]) // DAY_SECONDS * DAY_SECONDS
    if day + DAY_SECONDS > oldest_needed_slot:
        return 0
    rows = await writer.rows(
        "SELECT account_id, SUM(shares), SUM(work_high), SUM(work_low) FROM slot_account "
        "WHERE slot >= ? AND slot < ? GROUP BY account_id",
        *(day, day + DAY_SECONDS),
    )
    await writer.execute_many(
        "INSERT INTO account_day (day, account_id, shares, work_high, work_low) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (day, account_id) DO UPDATE SET shares = account_day.shares + excluded.shares, "
        "work_high = account_day.work_high + excluded.work_high, "
        "work_low = account_day.work_low + excluded.work_low",
        [
            (day, account, int(shares), *columns(joined(int(high), int(low))))
            for account, shares, high, low in rows
        ],
    )
    await writer.execute("DELETE FROM slot_account WHERE slot >= ? AND slot < ?", day, day + DAY_SECONDS)
    return len(rows)
