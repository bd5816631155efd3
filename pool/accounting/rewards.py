"""Divides each accepted block once: reads the work, asks payouts, journals, posts. Owns no rule.

A block that pays by window waits until every live source has been applied past the end of its slot. A source
that has fallen silent is waited for `window_wait` long, and no longer; what can be read is always read first,
so that an outage of this process, however long, costs nobody a share. A block whose coinbase has paid already
(a plan, solo) is credited at once, by the plan of its own job and by the outputs that stand in the chain.
"""

from pool.accounting import blocks, rounds
from pool.accounting.blocks import Block
from pool.accounting.changes import Changes
from pool.accounting.division import DAY_SECONDS, Division, PlanLost, RewardRules
from pool.accounting.intake import CaughtUp
from pool.accounting.journal_entries import BlockSettled, Body, OrphanJoins
from pool.accounting.left_open import leave_open
from pool.accounting.statements import Statements
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.storage.database import Database, Reader

MICROSECONDS = 1_000_000

__all__ = ["DAY_SECONDS", "MICROSECONDS", "PlanLost", "RewardRules", "Rewards"]

log = Log("engineroom.accounting")


class Rewards:
    """Settles blocks. The caller repeats `settle_due` and, for proportional rounds, `join_orphans`."""

    def __init__(
        self, database: Database, changes: Changes, statements: Statements, rules: RewardRules
    ) -> None:
        self._database = database
        self._changes = changes
        self._statements = statements
        self._rules = rules
        self._division = Division(rules)
        self._told: set[str] = set()

    def follow(self, rules: RewardRules) -> None:
        """Go on by these rules."""
        self._rules = rules
        self._division.follow(rules)

    def _tell_once(self, block: Block, error: PlanLost) -> None:
        if block.hash not in self._told:
            self._told.add(block.hash)
            log.error(LogEvent.BLOCK_LEFT_OPEN, reason=error)

    async def settle_due(self, now_us: int, caught_up: CaughtUp | None) -> int:
        """Settle what can be settled now, oldest first; how many blocks that were. `caught_up` is how far the
        spools have been read, None where they were not yet: then only what a coinbase has paid is settled."""
        settled = 0
        async with self._database.reading() as reader:
            unsettled = await self._unsettled(reader)
        for block in unsettled:
            try:
                is_settled = await self._settle(block, now_us, caught_up)
            except PlanLost as error:
                self._tell_once(block, error)
                await leave_open(self._changes, block.hash, str(error), now_us)
                continue
            if not is_settled:
                break  # in order: a round's block waits for the one before it
            settled += 1
        return settled

    async def _unsettled(self, reader: Reader) -> list[Block]:
        done = {found for (found,) in await reader.rows("SELECT hash FROM settlement")}
        return [block for block in await blocks.in_states(reader, *blocks.STANDING) if block.hash not in done]

    async def _settle(self, block: Block, now_us: int, caught_up: CaughtUp | None) -> bool:
        async def choose(reader: Reader) -> Body | None:
            current = await blocks.find(reader, block.hash)
            if current is None or current.state not in blocks.STANDING:
                return None
            if await reader.row("SELECT 1 FROM settlement WHERE hash = ?", block.hash) is not None:
                return None  # in an entry whose commit had failed
            if not await self._is_complete(reader, current, caught_up):
                return None
            divided = await self._division.divide(reader, current)
            statement_hash = await self._statements.write(reader, current, divided.facts)
            return BlockSettled(
                hash=current.hash,
                transition=current.transition,
                round=divided.round,
                scheme=self._rules.of(current).scheme,
                from_slot=divided.from_slot,
                through_slot=divided.through_slot,
                joined=divided.joined,
                statement_hash=statement_hash,
                credits=divided.credits,
            )

        if await self._changes.decide(choose, now_us) is None:
            return False
        log.info(
            LogEvent.BLOCK_SETTLED, hash=block.hash, height=block.height, scheme=self._rules.of(block).scheme
        )
        return True

    async def _is_complete(self, reader: Reader, block: Block, caught_up: CaughtUp | None) -> bool:
        """Whether no work of the block's slot can come any more, or was waited for long enough.

        Time alone ends nothing: what lags behind is silent only if it has been read to its end since. And
        the wait begins when it was read to its end first, since a gateway starts as late as this process.
        """
        if self._division.is_paid_by_coinbase(block):
            return True
        end_us = (block.slot + self._rules.slot_seconds) * MICROSECONDS
        if caught_up is None or caught_up.until_us < end_us:
            return False
        if caught_up.until_us - max(block.found_us, caught_up.since_us) > self._rules.window_wait_us:
            return True
        row = await reader.row("SELECT MIN(at_us) FROM source WHERE state <> 'closed'")
        if row is not None and row[0] is not None and int(row[0]) < end_us:
            return False
        earlier = await reader.row(
            "SELECT 1 FROM block WHERE state = 'candidate' AND slot < ? LIMIT 1", block.slot
        )
        return earlier is None or self._rules.of(block).scheme != "proportional"

    # ------------------------------------------------------------------ orphaned rounds

    async def join_orphans(self, now_us: int) -> int:
        """Proportional: let the slots of each fallen round count in the round that is open now; how many."""
        async with self._database.reading() as reader:
            fallen = await self._fallen(reader)
        joined = 0
        for block in fallen:

            async def choose(reader: Reader, block: Block = block) -> Body | None:
                return await _next_join(reader, block)

            while await self._changes.decide(choose, now_us) is not None:
                joined += 1
        return joined

    async def _fallen(self, reader: Reader) -> list[Block]:
        """Orphaned blocks that had ended a round: by the scheme that each was settled by, or would have been.
        A block that was never accepted ended none."""
        accepted = {
            found
            for (found,) in await reader.rows(
                "SELECT DISTINCT hash FROM block_transition WHERE to_state = ?", blocks.ACCEPTED
            )
        }
        rows = await reader.rows("SELECT hash, scheme FROM settlement")
        schemes = {str(found): str(scheme) for found, scheme in rows}
        return [
            block
            for block in await blocks.in_states(reader, blocks.ORPHANED)
            if block.hash in accepted
            and schemes.get(block.hash, self._rules.of(block).scheme) == "proportional"
        ]


async def _next_join(reader: Reader, block: Block) -> OrphanJoins | None:
    """The next span of an orphaned block's round that this orphaning has not joined to the open round yet."""
    current = await blocks.find(reader, block.hash)
    if current is None or current.state != blocks.ORPHANED:
        return None
    done = await rounds.joined_by(reader, block.hash, current.transition)
    for join in (await rounds.read(reader)).falling(block.slot):
        if join.span.through_slot not in done:
            return OrphanJoins(
                hash=block.hash,
                transition=current.transition,
                round=join.span.after_slot,
                from_slot=join.span.after_slot,
                through_slot=join.span.through_slot,
                joins_round=join.joins,
            )
    return None
