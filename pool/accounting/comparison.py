"""Two databases of the same accounts, row against row by name: work, blocks, balances, payments.

It only reads. Ids are a database's own, so that accounts are compared by address, sources by name.
"""

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from pool.accounting.rollup import DAY_SECONDS, HOUR_SECONDS
from pool.storage.database import Reader
from pool.storage.work import joined

# What is compared: a heading for people, and columns of which the first ones are the key.
_TABLES: tuple[tuple[str, int, str], ...] = (
    (
        "block",
        1,
        (
            "SELECT hash, height, slot, found_us, COALESCE(account.name, ''), worker, job_id, "
            "COALESCE(plan_id, ''), reward_sats, state, transition FROM block "
            "LEFT JOIN account ON account.id = account_id"
        ),
    ),
    (
        "change of a block",
        1,
        ("SELECT number, hash, from_state, to_state, at_us FROM block_transition"),
    ),
    (
        "settlement of block",
        1,
        ("SELECT hash, round, scheme, from_slot, through_slot, joined, statement_hash FROM settlement"),
    ),
    ("block left open", 1, "SELECT hash, reason, since_us FROM block_left_open"),
    (
        "joined round of block",
        3,
        ("SELECT hash, transition, through_slot, from_slot, joins_round FROM orphan_work"),
    ),
    (
        "ledger entry",
        4,
        (
            "SELECT entry_key, account.name, pot, kind, sats FROM ledger "
            "JOIN account ON account.id = account_id WHERE entry_key NOT LIKE 'pps:%'"
        ),
    ),
    (
        # Work that a gateway showed too late was bought in a later slot than a recount finds it in.
        "bought work of",
        2,
        (
            "SELECT account.name, pot, SUM(sats) FROM ledger JOIN account ON account.id = account_id "
            "WHERE entry_key LIKE 'pps:%' GROUP BY account.name, pot"
        ),
    ),
    (
        "balance of",
        2,
        (
            "SELECT account.name, pot, sats FROM balance "
            "JOIN account ON account.id = account_id WHERE sats <> 0"
        ),
    ),
    ("payment", 1, "SELECT id, state, fee_payer, COALESCE(replaced_by, '') FROM payment"),
    (
        "item of payment",
        2,
        (
            "SELECT payment_id, account.name, position, address, sats, fee_sats FROM payment_item "
            "JOIN account ON account.id = account_id"
        ),
    ),
    ("adopted send", 1, "SELECT txid, reason FROM adopted_send"),
    (
        "attempt of payment",
        2,
        ("SELECT payment_id, number, txid, fee_sats, weight, state FROM attempt"),
    ),
)
LAST_SLOT = 2**62
MOST_LINES = 200
# Of one kind: who sees two hundred differences looks at the whole, not at the next one.

Work = Mapping[tuple[int, str], int]


async def differences(rebuilt: Reader, live: Reader, counted_from: int, digested: set[int]) -> list[str]:
    """One line each. Work was counted from shares from `counted_from` on (Unix seconds), and is a digest's on
    the days that begin with `digested`; on others before it is not compared."""
    lines = await _marks(rebuilt, live)
    lines += await work_differences(rebuilt, live, counted_from, digested)
    for heading, keys, sql in _TABLES:
        ours, theirs = await _rows(rebuilt, keys, sql), await _rows(live, keys, sql)
        lines += _shortened(heading, _compared(heading, ours, theirs))
    return lines


async def work_differences(rebuilt: Reader, live: Reader, counted_from: int, digested: set[int]) -> list[str]:
    """By hour and account; by day where there are digests, or no more than days in the live accounts."""
    dropped = await _days(live)
    start = max((day + DAY_SECONDS for day, _ in dropped), default=0)
    since = max(start, -(-counted_from // HOUR_SECONDS) * HOUR_SECONDS)
    ours = await _summed(rebuilt, DAY_SECONDS, 0, since)
    theirs = await _summed(live, DAY_SECONDS, 0, since)
    for key, work in dropped.items():
        theirs[key] = theirs.get(key, 0) + work

    def is_whole(day: int) -> bool:
        return day + DAY_SECONDS <= since and (day in digested or day >= counted_from)

    days = _compared_work("day", _only(ours, is_whole), _only(theirs, is_whole))
    hours = _compared_work(
        "hour",
        await _summed(rebuilt, HOUR_SECONDS, since, None),
        await _summed(live, HOUR_SECONDS, since, None),
    )
    return _shortened("work", days + hours)


def _only(work: Work, is_wanted: Callable[[int], bool]) -> dict[tuple[int, str], int]:
    return {key: amount for key, amount in work.items() if is_wanted(key[0])}


async def _marks(rebuilt: Reader, live: Reader) -> list[str]:
    sql = "SELECT name, epoch, mark FROM source"
    counted = {(name, epoch): mark for name, epoch, mark in await rebuilt.rows(sql)}
    troubles = {
        (name, epoch): f" ({trouble})" if trouble else ""
        for name, epoch, trouble in await rebuilt.rows("SELECT name, epoch, trouble FROM source")
    }
    return [
        f"source {name} {epoch}: counted up to frame {mark}, again only up to {counted.get((name, epoch), 0)}"
        + troubles.get((name, epoch), "")
        for name, epoch, mark in await live.rows(sql)
        if counted.get((name, epoch), 0) != mark
    ]


async def _days(reader: Reader) -> dict[tuple[int, str], int]:
    rows = await reader.rows(
        "SELECT day, account.name, work_high, work_low FROM account_day "
        "JOIN account ON account.id = account_id"
    )
    return {(int(day), name): joined(high, low) for day, name, high, low in rows}


async def _summed(reader: Reader, seconds: int, start: int, end: int | None) -> dict[tuple[int, str], int]:
    """Work by (start of an hour or day, account)."""
    period = f"slot - slot % {seconds}"
    rows = await reader.rows(
        f"SELECT period, account.name, high, low FROM (SELECT {period} AS period, account_id, "  # noqa: S608
        "SUM(work_high) AS high, SUM(work_low) AS low FROM slot_account WHERE slot >= ? AND slot < ? "
        f"GROUP BY {period}, account_id) AS sums JOIN account ON account.id = account_id",
        *(start, LAST_SLOT if end is None else end),
    )
    return {(int(period), name): joined(int(high), int(low)) for period, name, high, low in rows}


def _compared_work(period: str, counted: Work, held: Work) -> list[str]:
    return [
        f"work of {name} in the {period} of {_said(start)}: the accounts hold {held.get((start, name), 0)}, "
        f"the shares give {counted.get((start, name), 0)}"
        for start, name in sorted(counted.keys() | held.keys())
        if counted.get((start, name), 0) != held.get((start, name), 0)
    ]


def _said(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


async def _rows(reader: Reader, keys: int, sql: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    async for batch in reader.batches(sql):
        found |= {tuple(row[:keys]): tuple(row[keys:]) for row in batch}
    return found


def _compared(
    heading: str,
    counted: dict[tuple[Any, ...], tuple[Any, ...]],
    held: dict[tuple[Any, ...], tuple[Any, ...]],
) -> list[str]:
    lines = []
    for key in sorted(counted.keys() | held.keys(), key=repr):
        ours, theirs = counted.get(key), held.get(key)
        if ours != theirs:
            name = " ".join(str(part) for part in key)
            lines.append(
                f"{heading} {name}: the accounts hold {_shown(theirs)}, counted again {_shown(ours)}"
            )
    return lines


def _shown(values: tuple[Any, ...] | None) -> str:
    return "nothing" if values is None else ", ".join(str(value) for value in values)


def _shortened(heading: str, lines: list[str]) -> list[str]:
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[:MOST_LINES], f"{heading}: {len(lines) - MOST_LINES} more differences"]
