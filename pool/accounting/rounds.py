"""Proportional rounds as the database knows them: blocks that were ever accepted, settled rounds, joins."""

import msgspec

from payouts.proportional import Block as RoundBlock
from payouts.proportional import Join, Round, Rounds, Span
from pool.accounting import blocks
from pool.storage.database import Reader


async def read(reader: Reader) -> Rounds:
    """All that decides about rounds."""
    accepted = await reader.rows(
        "SELECT DISTINCT block.hash, slot, state FROM block JOIN block_transition "
        "ON block_transition.hash = block.hash WHERE to_state = 'accepted'"
    )
    settled = await reader.rows(
        "SELECT DISTINCT from_slot, through_slot, joined FROM settlement WHERE scheme = 'proportional' "
        "ORDER BY through_slot"
    )
    joins = await reader.rows(
        "SELECT from_slot, through_slot, joins_round FROM orphan_work ORDER BY joined_us, transition"
    )
    return Rounds(
        blocks=tuple(RoundBlock(slot, state in blocks.STANDING) for _, slot, state in accepted),
        settled=tuple(
            Round(
                Span(after, through),
                tuple(Span(*span) for span in msgspec.json.decode(joined, type=list[tuple[int, int]])),
            )
            for after, through, joined in settled
        ),
        joins=tuple(Join(Span(after, through), number) for after, through, number in joins),
    )


async def joined_by(reader: Reader, block_hash: str, transition: int) -> set[int]:
    """Ends of the spans that one orphaning has joined to another round."""
    rows = await reader.rows(
        "SELECT through_slot FROM orphan_work WHERE hash = ? AND transition = ?", block_hash, transition
    )
    return {int(through_slot) for (through_slot,) in rows}
