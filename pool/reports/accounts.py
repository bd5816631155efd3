"""The list of accounts: who mines here, how fast, what they are owed and what they got."""

import msgspec

from pool.accounting import ledger
from pool.reports.paid import on_its_way_sats, paid_sats
from pool.storage.database import Reader
from pool.storage.work import joined

DAY_SECONDS = 86_400
LEAST_SECONDS = 600.0  # the first share of all is no hashrate yet


class AccountLine(msgspec.Struct, frozen=True, kw_only=True):
    """One account. `last_seen_us` None: it was credited and has not mined, as those whom fees go to.

    `hashes_per_second` is the mean of the last 24 hours, or since the account was first seen, from the work
    of accepted shares. `on_its_way_sats` has left the balance in payments that are not confirmed yet.
    """

    account: str
    last_seen_us: int | None
    hashes_per_second: float
    immature_sats: int
    balance_sats: int
    on_its_way_sats: int
    paid_sats: int


async def accounts(reader: Reader, now_us: int) -> list[AccountLine]:
    """Every account but the pool's own: the fastest first, then by what it is owed, then by name."""
    names = await reader.rows(
        "SELECT account.id, account.name, MIN(worker.first_seen_us), MAX(worker.last_seen_us) FROM account "
        "LEFT JOIN worker ON worker.account_id = account.id "
        "WHERE substr(account.name, 1, 1) <> '@' GROUP BY account.id, account.name"
    )
    owed, paid = await ledger.owed(reader), await paid_sats(reader)
    on_its_way = await on_its_way_sats(reader)
    work = await _work_since(reader, now_us // 1_000_000 - DAY_SECONDS)
    lines = [
        AccountLine(
            account=name,
            last_seen_us=last_seen_us,
            hashes_per_second=work.get(number, 0) / _mined_seconds(now_us, first_seen_us),
            immature_sats=owed.get(number, (0, 0))[0],
            balance_sats=owed.get(number, (0, 0))[1],
            on_its_way_sats=on_its_way.get(number, 0),
            paid_sats=paid.get(number, 0),
        )
        for number, name, first_seen_us, last_seen_us in names
    ]
    return sorted(
        lines, key=lambda one: (-one.hashes_per_second, -(one.immature_sats + one.balance_sats), one.account)
    )


def _mined_seconds(now_us: int, first_seen_us: int | None) -> float:
    """What the work is spread over: a machine that came an hour ago has not stood still for 23."""
    if first_seen_us is None:
        return DAY_SECONDS
    return min(DAY_SECONDS, max(LEAST_SECONDS, (now_us - first_seen_us) / 1_000_000))


async def _work_since(reader: Reader, slot: int) -> dict[int, int]:
    rows = await reader.rows(
        "SELECT account_id, SUM(work_high), SUM(work_low) FROM slot_account WHERE slot >= ? "
        "GROUP BY account_id",
        slot,
    )
    return {account: joined(int(high), int(low)) for account, high, low in rows}
