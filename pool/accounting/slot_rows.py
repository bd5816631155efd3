"""Rows that work becomes: slots by account and price, minutes by device, templates by height; it only adds.

Each statement adds to what stands, so that the same frames end as the same rows however they are cut.
"""

import msgspec

from pool.accounting.batch import Batch, SlotKey, Sum
from pool.storage.database import Writer
from pool.storage.work import columns


class Horizon(msgspec.Struct, frozen=True):
    """Slots that are closed for new work of a kind: it is counted in the next one that is open.

    `priced_slot` is the last whose PPS credits were made, `round_slot` the last of a settled proportional
    round, `rolled_slot` the end (exclusive) of what was rolled up into hours.
    """

    priced_slot: int = -1
    round_slot: int = -1
    rolled_slot: int = 0


async def write_slots(
    writer: Writer,
    batch: Batch,
    accounts: dict[str, int],
    rates: dict[str, int],
    horizon: Horizon,
    slot_seconds: int,
) -> None:
    """Add a batch's work. `accounts` and `rates` are ids by name and by price."""
    rows: dict[tuple[int, int, int, int], Sum] = {}
    for key, sum_ in batch.slots.items():
        slot, seconds = _open_slot(key, horizon, slot_seconds)
        rate = 0 if key.price is None else rates[key.price]
        entry = rows.setdefault((slot, seconds, accounts[key.account], rate), Sum())
        entry.shares += sum_.shares
        entry.work += sum_.work
    if rows:
        await writer.execute_many(
            "INSERT INTO slot_account (slot, seconds, account_id, rate_id, shares, work_high, work_low) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (slot, seconds, account_id, rate_id) DO UPDATE SET "
            "shares = slot_account.shares + excluded.shares, "
            "work_high = slot_account.work_high + excluded.work_high, "
            "work_low = slot_account.work_low + excluded.work_low",
            [(*key, sum_.shares, *columns(sum_.work)) for key, sum_ in sorted(rows.items())],
        )


def _open_slot(key: SlotKey, horizon: Horizon, slot_seconds: int) -> tuple[int, int]:
    """The slot of this work, or the first open one behind a closed slot, and its length."""
    slot = key.slot
    if key.price is not None and slot <= horizon.priced_slot:
        slot = horizon.priced_slot + slot_seconds
    if slot <= horizon.round_slot:
        slot = horizon.round_slot + slot_seconds
    return max(slot, horizon.rolled_slot), slot_seconds


async def write_minutes(writer: Writer, batch: Batch, workers: dict[tuple[str, str], int]) -> None:
    """Add what devices did, and what was refused of them; `workers` are ids by (account, worker)."""
    if batch.minutes:
        await writer.execute_many(
            "INSERT INTO worker_minute (minute, worker_id, shares, late, work_high, work_low) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (minute, worker_id) DO UPDATE SET "
            "shares = worker_minute.shares + excluded.shares, late = worker_minute.late + excluded.late, "
            "work_high = worker_minute.work_high + excluded.work_high, "
            "work_low = worker_minute.work_low + excluded.work_low",
            [
                (
                    key.minute,
                    workers[key.account, key.worker],
                    sum_.shares,
                    sum_.late,
                    *columns(sum_.work),
                )
                for key, sum_ in batch.minutes.items()
            ],
        )
    if batch.refused:
        await writer.execute_many(
            "INSERT INTO refused_minute (minute, worker_id, reason, count, work_high, work_low) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (minute, worker_id, reason) DO UPDATE SET "
            "count = refused_minute.count + excluded.count, "
            "work_high = refused_minute.work_high + excluded.work_high, "
            "work_low = refused_minute.work_low + excluded.work_low",
            [
                (
                    key.minute,
                    workers.get((key.account, key.worker), 0),
                    key.reason,
                    sum_.shares,
                    *columns(sum_.work),
                )
                for key, sum_ in batch.refused.items()
            ],
        )


async def write_templates(writer: Writer, batch: Batch) -> None:
    """Keep the last template of each height."""
    if batch.templates:
        await writer.execute_many(
            "INSERT INTO template_height (height, subsidy_sats, fees_sats, network_target, at_us) "
            "VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (height) DO UPDATE SET subsidy_sats = excluded.subsidy_sats, "
            "fees_sats = excluded.fees_sats, network_target = excluded.network_target, "
            "at_us = excluded.at_us "
            "WHERE excluded.at_us >= template_height.at_us",
            [
                (
                    height,
                    facts.value_sats - facts.fees_sats,
                    facts.fees_sats,
                    facts.network_target.hex(),
                    at_us,
                )
                for height, (facts, at_us) in sorted(batch.templates.items())
            ],
        )
