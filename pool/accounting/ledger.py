"""The ledger: append-only double entry in one table, and the cache of its sums; it decides no amount.

The rows that one event posts sum to zero, so the whole ledger does, and money that comes in is money that
goes out or is owed. `@mined` goes negative by what blocks brought in; `@paying` holds what is on its way to
payees, `@paid` and `@network` (fees of payments) rise by what has left, `@operator` is what the pool itself
earns and spends. An entry's key is the event it stands for: posting it a second time changes nothing.

    pot immature   of blocks that may still be orphaned        pot balance   owed for good
"""

from collections.abc import Iterable, Sequence

import msgspec

from pool.storage.database import Reader, Writer

MINED, OPERATOR, PAYING, PAID, NETWORK = "@mined", "@operator", "@paying", "@paid", "@network"
SYSTEM_ACCOUNTS = (MINED, OPERATOR, PAYING, PAID, NETWORK)
IMMATURE, BALANCE = "immature", "balance"
ADOPTED_FEE = "adopted fee"  # a kind: what a send that was adopted has cost the operator


class Row(msgspec.Struct, frozen=True):
    """One account's part of an entry."""

    account_id: int
    pot: str
    kind: str
    sats: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that belong together, and what they belong to."""

    key: str
    rows: tuple[Row, ...]
    at_us: int
    block_hash: str | None = None
    payment_id: int | None = None
    reason: str | None = None


class Unbalanced(Exception):
    """An entry whose rows do not sum to zero: a bug, and never written."""


class LedgerDamaged(Exception):
    """The ledger contradicts itself; each line names rows and what is wrong with them."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


async def post(writer: Writer, entry: Entry) -> bool:
    """Append an entry and add it to the balances; False where it stands there already.

    Raises Unbalanced for rows that do not sum to zero.
    """
    sums = _merged(entry.rows)
    total = sum(sums.values())
    if total:
        raise Unbalanced(f"entry {entry.key} sums to {total} sats, not to zero")
    if await writer.row("SELECT 1 FROM ledger WHERE entry_key = ? LIMIT 1", entry.key):
        return False
    await writer.execute_many(
        "INSERT INTO ledger (entry_key, account_id, pot, kind, sats, block_hash, payment_id, reason, "
        "created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                entry.key,
                account,
                pot,
                kind,
                sats,
                entry.block_hash,
                entry.payment_id,
                entry.reason,
                entry.at_us,
            )
            for (account, pot, kind), sats in sums.items()
        ],
    )
    await writer.execute_many(
        "INSERT INTO balance (account_id, pot, sats) VALUES (?, ?, ?) "
        "ON CONFLICT (account_id, pot) DO UPDATE SET sats = balance.sats + excluded.sats",
        list(_by_pot(sums)),
    )
    return True


def _merged(rows: Iterable[Row]) -> dict[tuple[int, str, str], int]:
    sums: dict[tuple[int, str, str], int] = {}
    for row in rows:
        key = (row.account_id, row.pot, row.kind)
        sums[key] = sums.get(key, 0) + row.sats
    return {key: sats for key, sats in sums.items() if sats}


def _by_pot(sums: dict[tuple[int, str, str], int]) -> Iterable[tuple[int, str, int]]:
    pots: dict[tuple[int, str], int] = {}
    for (account, pot, _), sats in sums.items():
        pots[account, pot] = pots.get((account, pot), 0) + sats
    return ((account, pot, sats) for (account, pot), sats in pots.items())


async def standing(reader: Reader, block_hash: str) -> list[tuple[int, str, int]]:
    """(account id, pot, sats) of what a block's entries add up to now, reversals included; no zeros."""
    return [
        (account, pot, sats)
        for account, pot, sats in await reader.rows(
            "SELECT account_id, pot, SUM(sats) FROM ledger WHERE block_hash = ? GROUP BY account_id, pot "
            "ORDER BY account_id, pot",
            block_hash,
        )
        if sats
    ]


async def owed(reader: Reader) -> dict[int, tuple[int, int]]:
    """Account id → (immature, balance) in sats, of every payee that has either; pool accounts left out."""
    rows = await reader.rows(
        "SELECT balance.account_id, pot, sats FROM balance JOIN account ON account.id = balance.account_id "
        "WHERE substr(account.name, 1, 1) <> '@' AND sats <> 0"
    )
    found: dict[int, tuple[int, int]] = {}
    for account, pot, sats in rows:
        immature, balance = found.get(account, (0, 0))
        found[account] = (immature + sats, balance) if pot == IMMATURE else (immature, balance + sats)
    return found


async def system_balances(reader: Reader) -> dict[str, int]:
    """The pool's own accounts by name, both pots together."""
    rows = await reader.rows(
        "SELECT account.name, SUM(sats) FROM balance JOIN account ON account.id = balance.account_id "
        "WHERE substr(account.name, 1, 1) = '@' GROUP BY account.name"
    )
    return dict.fromkeys(SYSTEM_ACCOUNTS, 0) | dict(rows)


async def faults(reader: Reader) -> list[str]:
    """Everything that does not add up, one line each; empty where all does."""
    lines = [
        f"entry {key} sums to {sats} sats, not to zero"
        for key, sats in await reader.rows(
            "SELECT entry_key, SUM(sats) FROM ledger GROUP BY entry_key HAVING SUM(sats) <> 0 "
            "ORDER BY entry_key"
        )
    ]
    sums = {
        (account, pot): sats
        for account, pot, sats in await reader.rows(
            "SELECT account_id, pot, SUM(sats) FROM ledger GROUP BY account_id, pot"
        )
    }
    cached = {(a, p): s for a, p, s in await reader.rows("SELECT account_id, pot, sats FROM balance")}
    names: dict[int, str] = dict(await reader.rows("SELECT id, name FROM account"))
    for account, pot in sorted(sums.keys() | cached.keys()):
        is_sats, should_sats = cached.get((account, pot), 0), sums.get((account, pot), 0)
        if is_sats != should_sats:
            name = names.get(account, f"account {account}")
            lines.append(f"{name}: the {pot} is {is_sats} sats, its rows sum to {should_sats}")
    return lines
