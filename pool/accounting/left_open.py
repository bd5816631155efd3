"""Blocks that nobody can divide, since their plan is lost or contradicted: left open for a person to settle.

One of them must not keep all others from what they are owed. It counts as decided upon: plans carry over
again, in a new generation, but nothing to whoever its coinbase may have paid that already.
"""

from collections import defaultdict

from pool.accounting.blocks import CANDIDATE, STANDING
from pool.accounting.changes import Changes
from pool.accounting.journal_entries import BlockLeftOpen, Body
from pool.storage.database import Reader
from stratum.work.coinbase import outputs_of_transaction


async def leave_open(changes: Changes, block_hash: str, reason: str, now_us: int) -> bool:
    """Journal that a block waits for a person, once; whether that is news."""

    async def choose(reader: Reader) -> Body | None:
        if await is_left_open(reader, block_hash):
            return None
        return BlockLeftOpen(hash=block_hash, reason=reason)

    return await changes.decide(choose, now_us) is not None


async def is_left_open(reader: Reader, block_hash: str) -> bool:
    """Whether a block was given up; it may have been settled by hand since."""
    return await reader.row("SELECT 1 FROM block_left_open WHERE hash = ?", block_hash) is not None


async def is_any_undecided(reader: Reader) -> bool:
    """Whether a block of ours has no verdict yet, or stands and is neither settled nor left open."""
    row = await reader.row(
        "SELECT 1 FROM block WHERE state = ? OR (state IN (?, ?) AND hash NOT IN "
        "(SELECT hash FROM settlement) AND hash NOT IN (SELECT hash FROM block_left_open)) LIMIT 1",
        *(CANDIDATE, *STANDING),
    )
    return row is not None


async def paid_meanwhile(reader: Reader) -> dict[bytes, int]:
    """Output script → sats that blocks which are still left open have paid it. What of it was carry-over
    nobody knows."""
    paid: dict[bytes, int] = defaultdict(int)
    rows = await reader.rows(
        "SELECT coinbase FROM block WHERE state IN (?, ?) AND hash IN (SELECT hash FROM block_left_open) "
        "AND hash NOT IN (SELECT hash FROM settlement)",
        *STANDING,
    )
    for (coinbase,) in rows:
        for script, sats in outputs_of_transaction(bytes(coinbase)):
            paid[script] += sats
    return dict(paid)
