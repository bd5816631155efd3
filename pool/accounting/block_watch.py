"""Follows every block of ours by its header until nothing can happen to it any more; it judges by maturity.

Blocks come from frames (their rows are made with their shares) and from the files of the gateway, whichever
is read first. Each change of state is a journal entry before it is a row.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from payouts.maturity import BlockState, Rules, Transition, is_in_doubt, judge
from pool.accounting import blocks
from pool.accounting.batch import MICROSECONDS
from pool.accounting.block_coinbase import coinbase_of
from pool.accounting.blocks import Block
from pool.accounting.chain import BestNode, sight_of
from pool.accounting.changes import Changes
from pool.accounting.journal_entries import BlockChanged, BlockFacts, Body
from pool.accounting.names import Names
from pool.gateway.block_files import BLOCKS, HEADER_BYTES, Folder, SavedBlock
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.storage.database import Database, Reader
from stratum.work.byteorder import displayed
from stratum.work.difficulty import target_from_bits

WATCHED_DEPTHS = 2
# A mature block is watched for as long again: no reorganisation that deep leaves a coin worth mining.

QUESTIONS_AT_ONCE = 4
# The node's default has four RPC threads and a queue of sixteen; miners' templates need some of them.

FILE_PATIENCE_US = 60 * MICROSECONDS
# Far above what a frame takes to get here: a file that is older tells of a frame that is lost, or late.

log = Log("engineroom.accounting")


class BlockWatch:
    """Looks at all blocks that may still change. Owns no task."""

    def __init__(
        self, database: Database, changes: Changes, names: Names, rules: Rules, *, slot_seconds: int
    ) -> None:
        self._database = database
        self._changes = changes
        self._names = names
        self._rules = rules
        self._slot_seconds = slot_seconds
        self._files_read: set[str] = set()
        self.in_doubt: set[str] = set()
        self.on_change: Callable[[Block, Transition], Awaitable[None]] = _nobody_listens

    async def look(self, node: BestNode, now_us: int) -> int:
        """Ask the node of every watched block, and make the changes that follow; how many that were."""
        changed = 0
        gate = asyncio.Semaphore(QUESTIONS_AT_ONCE)
        watched = await self._watched(node.height)
        self.in_doubt &= {block.hash for block in watched}

        async def one(block: Block) -> int:
            async with gate:
                return await self._look_at(node, block, now_us)

        for count in await asyncio.gather(*(one(block) for block in watched)):
            changed += count
        return changed

    async def _watched(self, tip_height: int) -> list[Block]:
        depth = WATCHED_DEPTHS * self._rules.maturity_confirmations
        async with self._database.reading() as reader:
            found = await blocks.in_states(reader, *blocks.WATCHED, blocks.REFUSED)
        return [
            block
            for block in found
            if block.state in (blocks.CANDIDATE, blocks.ACCEPTED) or block.height > tip_height - depth
        ]

    async def _look_at(self, node: BestNode, block: Block, now_us: int) -> int:
        """One node's sight, and as many transitions as it justifies, each judged against the one before."""
        sight = await sight_of(node, block.hash, block.height)
        state = BlockState(block.state)
        if is_in_doubt(state, sight):
            self.in_doubt.add(block.hash)
        else:
            self.in_doubt.discard(block.hash)
        changed = 0
        while (transition := judge(state, block.hash, block.height, sight, self._rules)) is not None:
            if not await self._change(block, transition, now_us):
                break
            state = transition.to_state
            changed += 1
        confirmations = getattr(sight.shown, "confirmations", block.confirmations)
        if confirmations != block.confirmations:
            async with self._database.writing() as writer:
                await blocks.note_confirmations(writer, block.hash, confirmations)
        return changed

    async def _change(self, block: Block, transition: Transition, now_us: int) -> bool:
        async def choose(reader: Reader) -> Body | None:
            current = await blocks.find(reader, block.hash)
            if current is None or current.state != transition.from_state:
                return None  # somebody was here in between: judged again at the next look
            return BlockChanged(
                hash=block.hash,
                height=block.height,
                transition=await blocks.next_transition(reader),
                from_state=transition.from_state,
                to_state=transition.to_state,
                reason=transition.reason,
                facts=await _facts(reader, current) if current.transition == 0 else None,
            )

        if await self._changes.decide(choose, now_us) is None:
            return False
        is_loss = transition.to_state in (BlockState.ORPHANED, BlockState.REFUSED)
        log.log(
            logging.WARNING if is_loss else logging.INFO,
            LogEvent.BLOCK_CHANGED,
            hash=block.hash,
            height=block.height,
            state=transition.to_state,
            before=transition.from_state,
            reason=transition.reason,
        )
        await self.on_change(block, transition)
        return True

    # ------------------------------------------------------------------ the gateway's files

    async def read_files(self, directory: Path, now_us: int) -> int:
        """Make rows for blocks whose file is there and whose frame was not read; how many that were."""
        made = 0
        for saved in await asyncio.to_thread(self._unread_files, directory, now_us):
            found = saved.found
            try:
                row = block_of(saved, self._slot_seconds)
                script = None if found.script_hex is None else bytes.fromhex(found.script_hex)
            except ValueError as error:
                log.error(LogEvent.BLOCK_FILE_UNCOUNTED, file=found.file_name, error=error)
                self._files_read.add(found.file_name)
                continue
            async with self._database.writing() as writer:
                if found.account is not None:
                    account = await self._names.account(writer, found.account, now_us, script)
                    row = msgspec.structs.replace(row, account_id=account)
                made += await blocks.record(writer, row, now_us)
            self._files_read.add(found.file_name)
        return made

    def _unread_files(self, directory: Path, now_us: int) -> list[SavedBlock]:
        """A block's frame comes within a second, with all that is known: the file is only read after that."""
        fresh = []
        for folder in (Folder.PENDING, Folder.ACCEPTED, Folder.SIDE_BRANCH):
            for path in sorted((directory / BLOCKS / folder.value).glob("*.json")):
                if path.name in self._files_read:
                    continue
                try:
                    saved = msgspec.json.decode(path.read_bytes(), type=SavedBlock)
                except (OSError, msgspec.MsgspecError):
                    continue  # moved meanwhile, or damaged: the submitter names it
                if now_us - saved.found.found_at_us >= FILE_PATIENCE_US:
                    fresh.append(saved)
        return fresh


def block_of(saved: SavedBlock, slot_seconds: int) -> blocks.NewBlock:
    """A found block's file as its row, without an account. A file of schema 1 leaves the coinbase to be found
    in the block. Raises ValueError for a file that holds no block."""
    found = saved.found
    header = bytes.fromhex(saved.block[: 2 * HEADER_BYTES])
    target = found.network_target_hex or f"{target_from_bits(int.from_bytes(header[72:76], 'little')):064x}"
    found_us = found.found_at_us or round(found.found_at * MICROSECONDS)
    stripped = blocks.STRIPPED if found.plan_is_stripped else ""
    return blocks.NewBlock(
        hash=found.block_hash,
        height=found.height,
        previous_hash=displayed(header[4:36]),
        found_us=found_us,
        slot=found_us // (MICROSECONDS * slot_seconds) * slot_seconds,
        account_id=None,
        worker=found.worker,
        job_id=found.job_id,
        plan_id=None if found.plan_id is None else found.plan_id + stripped,
        coinbase=bytes.fromhex(found.coinbase_hex) or coinbase_of(bytes.fromhex(saved.block)),
        network_target=target,
        reward_sats=found.reward_sats,
        payee=None if found.payee_hex is None else bytes.fromhex(found.payee_hex),
    )


async def _facts(reader: Reader, block: Block) -> BlockFacts:
    source = None
    if block.source_id is not None:
        source = await reader.row("SELECT name, epoch FROM source WHERE id = ?", block.source_id)
    account = None
    if block.account_id is not None:
        row = await reader.row("SELECT name FROM account WHERE id = ?", block.account_id)
        account = None if row is None else str(row[0])
    return BlockFacts(
        previous_hash=block.previous_hash,
        source="" if source is None else source[0],
        epoch="" if source is None else source[1],
        frame=block.frame or 0,
        found_us=block.found_us,
        slot=block.slot,
        account=account,
        worker=block.worker,
        job_id=block.job_id,
        plan_id=block.plan_id,
        coinbase=block.coinbase.hex(),
        network_target=block.network_target,
        reward_sats=block.reward_sats,
        payee=None if block.payee is None else block.payee.hex(),
    )


async def _nobody_listens(block: Block, transition: Transition) -> None:
    """Until somebody wants to know."""
