"""How much has reached each account, all ways together: payments, coinbases, and sends that were adopted."""

from pool.accounting.blocks import STANDING
from pool.storage.database import Reader

_PAYMENTS = (
    "SELECT account_id, SUM(payment_item.sats - payment_item.fee_sats) FROM payment_item "
    "JOIN payment ON payment.id = payment_item.payment_id WHERE payment.state = 'confirmed' "
    "GROUP BY account_id"
)
# The entry that divided the block, once: a block that was orphaned and came back has its rows twice.
_COINBASES = (
    "SELECT ledger.account_id, SUM(-ledger.sats) FROM ledger JOIN block ON block.hash = ledger.block_hash "
    "WHERE ledger.kind = 'coinbase' AND ledger.sats < 0 AND block.state IN (?, ?) "
    "AND ledger.entry_key = 'block:' || block.hash || ':settled' GROUP BY ledger.account_id"
)
_ADOPTED = "SELECT account_id, SUM(-sats) FROM ledger WHERE kind = 'adopted' AND sats < 0 GROUP BY account_id"

# Of a payment that another transaction was taken for only what that has paid is left in the ledger.
_REPLACED = (
    "SELECT ledger.account_id, SUM(-ledger.sats) FROM ledger JOIN payment ON payment.id = ledger.payment_id "
    "WHERE payment.replaced_by IS NOT NULL GROUP BY ledger.account_id"
)
_ON_ITS_WAY = (
    "SELECT account_id, SUM(payment_item.sats) FROM payment_item "
    "JOIN payment ON payment.id = payment_item.payment_id "
    "WHERE payment.state NOT IN ('confirmed', 'abandoned') GROUP BY account_id"
)


async def on_its_way_sats(reader: Reader) -> dict[int, int]:
    """Account id → satoshis that have left the balance in payments that are not confirmed yet."""
    return {account: int(sats) for account, sats in await reader.rows(_ON_ITS_WAY)}


async def paid_sats(reader: Reader) -> dict[int, int]:
    """Account id → satoshis that arrived, network fees left out; what is still on its way is not in it."""
    found: dict[int, int] = {}
    for rows in (
        await reader.rows(_PAYMENTS),
        await reader.rows(_COINBASES, *STANDING),
        await reader.rows(_ADOPTED),
        await reader.rows(_REPLACED),
    ):
        for account, sats in rows:
            found[account] = found.get(account, 0) + int(sats)
    return found
