"""Who is owed what, and whether there is enough: the sums looked at before each payment. It only reads."""

from collections.abc import Mapping

import msgspec

from pool.accounting.ledger import (
    ADOPTED_FEE,
    BALANCE,
    IMMATURE,
    MINED,
    NETWORK,
    OPERATOR,
    PAID,
    PAYING,
    faults,
    owed,
    system_balances,
)
from pool.storage.database import Reader


class Due(msgspec.Struct, frozen=True):
    """An account's balance, where it is paid, and from which amount on."""

    account: str
    address: str
    sats: int
    minimum_sats: int


class Solvency(msgspec.Struct, frozen=True, kw_only=True):
    """The pool's sums in satoshis, and what contradicts them: a line each, naming rows.

    `owed_mature_sats` is what payees could be paid now, `owed_immature_sats` what blocks may still take back.
    A coinbase that has paid what was owed from before stands as less than nothing in the immature pot until
    its block is mature: of an account both pots count together.
    """

    mined_sats: int
    paid_sats: int
    network_fee_sats: int
    on_its_way_sats: int
    operator_sats: int
    owed_mature_sats: int
    owed_immature_sats: int
    breaches: tuple[str, ...]


async def report(reader: Reader, reserve_sats: int = 0) -> Solvency:
    """mined − paid − fees ≥ owed, and a ledger that adds up.

    Three things the operator pays for: the fees of payments as far as payees do not bear them, which are no
    loss of theirs; with PPS work that is owed before it has mined anything, up to `reserve_sats`; and what
    coinbases have advanced, until it is earned. Whether that money is there shows in the wallet.
    """
    system = await system_balances(reader)
    balances = await owed(reader)
    names: dict[int, str] = dict(await reader.rows("SELECT id, name FROM account"))
    mature = sum(max(0, balance + min(0, immature)) for immature, balance in balances.values())
    immature = sum(max(0, immature + balance) for immature, balance in balances.values()) - mature
    breaches = await faults(reader)
    available = -system[MINED] - system[PAID] - system[NETWORK] - system[PAYING]
    borne_sats = await _fees_borne(reader)
    advanced_sats = await _advanced(reader, balances)
    if available + borne_sats + reserve_sats + advanced_sats < mature + immature:
        reserve = f" with a reserve of {reserve_sats} sats" if reserve_sats else ""
        breaches.append(
            f"mined − paid − fees is {available} sats{reserve}, less than the {mature + immature} sats that "
            "are owed"
        )
        breaches += [
            f"account {names[account]} has been paid {-(immature + balance)} sats more than it is owed"
            for account, (immature, balance) in sorted(balances.items())
            if immature + balance < 0
        ]
        if system[OPERATOR] < 0:
            breaches.append(f"the operator's own account is at {system[OPERATOR]} sats")
    return Solvency(
        mined_sats=-system[MINED],
        paid_sats=system[PAID],
        network_fee_sats=system[NETWORK],
        on_its_way_sats=system[PAYING],
        operator_sats=system[OPERATOR],
        owed_mature_sats=mature,
        owed_immature_sats=immature,
        breaches=tuple(breaches),
    )


async def _advanced(reader: Reader, balances: Mapping[int, tuple[int, int]]) -> int:
    """By how much accounts stand below zero through what coinbases have paid them."""
    below = {account: -sum(pots) for account, pots in balances.items() if sum(pots) < 0}
    if not below:
        return 0
    rows = await reader.rows(
        "SELECT account_id, SUM(-sats) FROM ledger WHERE kind = 'coinbase' GROUP BY account_id"
    )
    paid = {account: max(0, int(sats)) for account, sats in rows}
    return sum(min(sats, paid.get(account, 0)) for account, sats in below.items())


async def _fees_borne(reader: Reader) -> int:
    """What the operator has added to the fees of payments, and has paid for sends that were adopted."""
    row = await reader.row(
        "SELECT COALESCE(SUM(ledger.sats), 0) FROM ledger JOIN account ON account.id = ledger.account_id "
        "WHERE account.name = ? AND (ledger.payment_id IS NOT NULL OR ledger.kind = ?)",
        *(OPERATOR, ADOPTED_FEE),
    )
    return 0 if row is None else -int(row[0])


async def due(reader: Reader, pool_minimum_sats: int) -> list[Due]:
    """Every account with a balance above zero, at the payee that is in effect for it, by name; less what a
    block that is not mature has paid of it."""
    rows = await reader.rows(
        "SELECT account.name, COALESCE(payee.address, account.name), balance.sats, "
        "COALESCE(immature.sats, 0), payee.minimum_sats "
        "FROM balance JOIN account ON account.id = balance.account_id "
        "LEFT JOIN balance AS immature ON immature.account_id = account.id AND immature.pot = ? "
        "LEFT JOIN payee ON payee.account_id = account.id "
        "WHERE balance.pot = ? AND balance.sats > 0 AND substr(account.name, 1, 1) <> '@' "
        "ORDER BY account.name",
        *(IMMATURE, BALANCE),
    )
    return [
        Due(name, address, sats, pool_minimum_sats if minimum_sats is None else minimum_sats)
        for name, address, balance, immature, minimum_sats in rows
        if (sats := balance + min(0, immature)) > 0
    ]


async def unsent(reader: Reader) -> int:
    """Satoshis of payments that have left the balances, and nothing has left the wallet for them yet."""
    row = await reader.row(
        "SELECT COALESCE(SUM(payment_item.sats), 0) FROM payment_item "
        "JOIN payment ON payment.id = payment_item.payment_id WHERE payment.state IN ('planned', 'signed')"
    )
    return 0 if row is None else int(row[0])


async def paid_since(reader: Reader, since_us: int) -> int:
    """Satoshis of all payments that were planned since then and not given up."""
    row = await reader.row(
        "SELECT COALESCE(SUM(payment_item.sats), 0) FROM payment_item "
        "JOIN payment ON payment.id = payment_item.payment_id "
        "WHERE payment.created_us >= ? AND payment.state <> 'abandoned'",
        since_us,
    )
    return 0 if row is None else int(row[0])
