"""How far back work is still needed: by windows and rounds that may yet be settled. It only reads."""

from collections.abc import Iterable

import msgspec

from payouts.proportional import Rounds
from pool.accounting import blocks, rounds
from pool.accounting.blocks import Block
from pool.accounting.in_force import in_force_for_job
from pool.accounting.rollup import DAY_SECONDS, SLOTS_KEPT_SECONDS
from pool.storage.database import Reader

WATCHED_DEPTHS = 2  # of maturity: as long as a block is followed (block_watch.py)


class NeedRules(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed of reaching back; `earlier` is (until, rules), oldest first."""

    scheme: str
    max_days: int
    slot_seconds: int
    maturity_confirmations: int
    earlier: "tuple[tuple[int, NeedRules], ...]" = ()

    def of(self, block: Block) -> "NeedRules":
        """What the block will be divided by."""
        is_solo = block.payee is not None
        return in_force_for_job(self, self.earlier, block.found_us, is_solo=is_solo)


async def needed_by_blocks(reader: Reader, rules: NeedRules) -> int | None:
    """The first slot of the windows and rounds of blocks that are not settled; None where all are."""
    known = await rounds.read(reader)
    slots = []
    for block in await _unsettled(reader, rules):
        own = rules.of(block)
        if own.scheme == "proportional":
            slots.append(_first_of(known, block.slot, own))
        elif own.scheme != "solo":
            slots.append(max(0, block.slot - own.max_days * DAY_SECONDS))
    return min(slots, default=None)


async def oldest_needed_slot(reader: Reader, rules: NeedRules, now: int) -> int:
    """The first slot that any block may still be divided by, one that is found from `now` on included.

    `now` in Unix seconds is the time that every live source has been applied to.
    """
    by_blocks = await needed_by_blocks(reader, rules)
    return max(0, min(now if by_blocks is None else by_blocks, await _needed_from_now(reader, rules, now)))


async def _needed_from_now(reader: Reader, rules: NeedRules, now: int) -> int:
    if rules.scheme == "solo":
        return now - SLOTS_KEPT_SECONDS  # nobody divides by it; people look at it
    if rules.scheme != "proportional":
        return now - max(rules.max_days * DAY_SECONDS, SLOTS_KEPT_SECONDS)
    known = await rounds.read(reader)
    # A settled round may still fall, and its slots join the open one.
    watched = await _watched(reader, rules, *blocks.STANDING)
    slots = [now, *(block.slot for block in watched)]
    return min(now - SLOTS_KEPT_SECONDS, *(_first_of(known, slot, rules) for slot in slots))


def _first_of(known: Rounds, slot: int, rules: NeedRules) -> int:
    spans: Iterable[int] = (span.after_slot for span in known.ending(slot).spans)
    return min(spans) + rules.slot_seconds


async def _unsettled(reader: Reader, rules: NeedRules) -> list[Block]:
    """Blocks without a settlement that have, or may get, a reward to divide."""
    settled = {found for (found,) in await reader.rows("SELECT hash FROM settlement")}
    hopeful = await blocks.in_states(reader, blocks.CANDIDATE, *blocks.STANDING)
    hopeful += await _watched(reader, rules, blocks.ORPHANED)
    return [block for block in hopeful if block.hash not in settled]


async def _watched(reader: Reader, rules: NeedRules, *states: str) -> list[Block]:
    row = await reader.row("SELECT MAX(height) FROM template_height")
    tip = 0 if row is None or row[0] is None else int(row[0])
    depth = WATCHED_DEPTHS * rules.maturity_confirmations
    return [block for block in await blocks.in_states(reader, *states) if block.height > tip - depth]
