"""From a block candidate to the nodes' verdicts. Owns the candidates under way; decides nothing about shares.

A candidate is assembled in a thread, then written to disk and sent to every node at the same time, neither
waiting for the other: a full disk must not cost a block, nor a crash. It is sent again until nodes have said
what they think of it; what a stop of the process interrupts is taken up again from the file at the next
start.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from pool.gateway.block_files import (
    BlockFiles,
    Folder,
    FoundBlock,
    FoundFacts,
    NewerBlock,
    SavedBlock,
    UnreadableBlock,
)
from pool.gateway.outcome import Outcome, by_node, difficulties_of, has_answer, is_settled, outcome_of
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.logs.redaction import AddressText, UserText
from pool.node.verdicts import SubmitVerdict
from stratum.work.block import assemble_block
from stratum.work.byteorder import displayed
from stratum.work.share import BlockCandidate

log = Log("engineroom.blocks")

SUBMISSIONS_AT_ONCE = 8
# Half of the node's default -rpcworkqueue of 16: on regtest every share is a block, and a flood of them would
# only get HTTP 503. On any other chain two at once are already an event.

REMEMBERED_SECONDS = 3600.0
REMEMBERED_CANDIDATES = 65_536
# A header is handed over once. An hour is far beyond the ten minutes that a job lives; on regtest it is the
# number that keeps this small.

FIRST_RETRY_SECONDS = 0.25
LONGEST_RETRY_SECONDS = 30.0

LAST_WRITE_SECONDS = 5.0
MOST_NAMED = 10  # hashes in one line of the log; a flood on regtest leaves thousands
# For a block that was found in the last moment of a drain: to be assembled and written, on a disk that works.

FOLDERS = {
    Outcome.ACCEPTED: Folder.ACCEPTED,
    Outcome.SIDE_BRANCH: Folder.SIDE_BRANCH,
    Outcome.REFUSED: Folder.REFUSED,
    Outcome.NOT_COUNTED: Folder.REFUSED,
}
LOG_LEVELS = {
    Outcome.ACCEPTED: logging.INFO,
    Outcome.SIDE_BRANCH: logging.WARNING,
    Outcome.REFUSED: logging.ERROR,
    Outcome.NOT_COUNTED: logging.INFO,
}

T = TypeVar("T")


class BlockNodes(Protocol):
    """The nodes, as far as blocks go."""

    async def submit_block(self, block_hex: str) -> Sequence[SubmitVerdict]:
        """One verdict for each node; raises for no answer that a node can give, or fail to."""

    def fetch_now(self) -> None:
        """A block of ours was accepted: there is a new tip to work on."""


class SubmissionListener(Protocol):
    """Who counts and shows blocks. Called on the loop, once for each candidate that has its verdicts."""

    def block_settled(self, found: FoundBlock, outcome: Outcome, verdicts: Sequence[SubmitVerdict]) -> None:
        """`verdicts` has one entry for each node; `found` is also in the file."""


class Submitter:
    """Takes candidates from the moment it is made; `run()` only reports what must never happen."""

    def __init__(
        self,
        directory: Path,
        nodes: BlockNodes,
        listener: SubmissionListener,
        *,
        network: str,
        unix_now: Callable[[], float] = time.time,
        make_room: Callable[[], bool] = lambda: False,
    ) -> None:
        """`make_room` frees space that is kept for blocks, if it can. It is called in a thread.

        Raises OSError where found blocks could not be kept below the directory.
        """
        self._files = BlockFiles(directory)
        self._nodes = nodes
        self._listener = listener
        self._network = network
        self._unix_now = unix_now
        self._make_room = make_room
        self._handed_over: dict[bytes, float] = {}
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._preparations: set[asyncio.Task[Any]] = set()
        self._slots = asyncio.Semaphore(SUBMISSIONS_AT_ONCE)
        # Of their own, so that neither slow hashes nor a disk that hangs keep a block from being assembled.
        self._assembly_threads = ThreadPoolExecutor(2, "block-assembly")
        self._file_thread = ThreadPoolExecutor(1, "block-files")
        self._bug: BaseException | None = None
        self._bug_met = asyncio.Event()

    def hand_over(self, candidate: BlockCandidate, facts: FoundFacts | None = None) -> bool:
        """Start the submission, once for each header: False where it was. Raises and waits for nothing.

        `facts` are what the candidate's record says beyond it; without any, it was found now.
        """
        now = asyncio.get_running_loop().time()
        if self._is_known(candidate.block_hash, now):
            return False
        facts = facts or FoundFacts(round(self._unix_now() * 1_000_000))
        self._start(self._submit_candidate(candidate, facts), displayed(candidate.block_hash))
        return True

    async def resubmit_saved(self) -> None:
        """Start submitting what an earlier process left in pending/; returns when the files are read."""
        try:
            paths = await self._with_files(lambda: list(self._files.pending()))
        except OSError as error:
            log.error(LogEvent.BLOCK_FILES_UNLISTED, error=error)
            return
        for path in paths:
            saved = await self._read_saved(path)
            if saved is not None:
                log.warning(LogEvent.BLOCK_RESUBMITTED, hash=saved.found.block_hash)
                self._start(self._submit_until_settled(saved, None), saved.found.block_hash)

    async def run(self) -> None:
        """Resubmit what is saved, then wait; raises the exception of a submission that failed by a bug."""
        await self.resubmit_saved()
        await self._bug_met.wait()
        assert self._bug is not None  # noqa: S101  (set with the event)
        raise self._bug

    async def drain(self, timeout_seconds: float) -> None:
        """Wait for the verdicts that are still to come. What is late stays in pending/ for the next start."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_seconds)
        late = dict(self._tasks)
        if late:
            named = ", ".join(list(late.values())[:MOST_NAMED])
            log.warning(LogEvent.BLOCKS_POSTPONED, blocks=len(late), hashes=named)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if self._preparations:
            await asyncio.wait(self._preparations, timeout=LAST_WRITE_SECONDS)
        self._assembly_threads.shutdown(wait=False)
        self._file_thread.shutdown(wait=False)

    def _is_known(self, block_hash: bytes, now: float) -> bool:
        """Whether it was handed over before; remembers it if not. The oldest go first (dicts keep order)."""
        while self._handed_over:
            oldest = next(iter(self._handed_over))
            is_old = now - self._handed_over[oldest] > REMEMBERED_SECONDS
            if not is_old and len(self._handed_over) < REMEMBERED_CANDIDATES:
                break
            del self._handed_over[oldest]
        if block_hash in self._handed_over:
            return True
        self._handed_over[block_hash] = now
        return False

    def _start(self, submission: Coroutine[Any, Any, None], block_hash_hex: str) -> None:
        task = asyncio.get_running_loop().create_task(submission, name=f"block {block_hash_hex}")
        self._tasks[task] = block_hash_hex
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        block_hash_hex = self._tasks.pop(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        log.critical(LogEvent.BLOCK_SUBMISSION_FAILED, error, hash=block_hash_hex)
        self._bug = error
        self._bug_met.set()

    async def _submit_candidate(self, candidate: BlockCandidate, facts: FoundFacts) -> None:
        # Shielded: a drain that ends the submission must still find the block in its file at the next start.
        saved, saving = await asyncio.shield(self._keep(self._prepare(candidate, facts)))
        await self._submit_until_settled(saved, saving)

    async def _prepare(
        self, candidate: BlockCandidate, facts: FoundFacts
    ) -> tuple[SavedBlock, asyncio.Task[None]]:
        """The assembled block, and the task that writes it to disk while it is submitted."""
        saved = await self._assemble(candidate, facts)
        return saved, self._keep(self._save(saved))

    def _keep(self, preparation: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(preparation)
        self._preparations.add(task)
        task.add_done_callback(self._preparations.discard)
        return task

    async def _assemble(self, candidate: BlockCandidate, facts: FoundFacts) -> SavedBlock:
        loop = asyncio.get_running_loop()
        try:
            block_hex = await loop.run_in_executor(self._assembly_threads, _block_hex, candidate)
        except Exception:
            # A bug, and raised on; but what is needed to build the block by hand must not be lost.
            log.critical(
                LogEvent.BLOCK_UNASSEMBLED,
                hash=displayed(candidate.block_hash),
                job=candidate.job_id,
                header=candidate.header,
                coinbase=candidate.coinbase,
            )
            raise
        return SavedBlock(found=self._found_block(candidate, facts), block=block_hex)

    def _found_block(self, candidate: BlockCandidate, facts: FoundFacts) -> FoundBlock:
        return FoundBlock(
            network=self._network,
            block_hash=displayed(candidate.block_hash),
            height=candidate.template.height,
            reward_sats=candidate.template.coinbase_value_sats,
            transactions=1 + len(candidate.template.transactions),
            job_id=candidate.job_id,
            user=candidate.user,
            account=candidate.account,
            worker=candidate.worker,
            found_at=facts.at_us / 1_000_000,
            crosses_time_edge=candidate.crosses_time_edge,
            found_at_us=facts.at_us,
            script_hex=None if candidate.script is None else candidate.script.hex(),
            coinbase_hex=candidate.coinbase.hex(),
            plan_id=facts.plan_id,
            plan_is_stripped=facts.plan_is_stripped,
            plan_generation=facts.plan_generation,
            size_class=facts.size_class,
            network_target_hex=f"{candidate.template.network_target:064x}",
            payee_hex=None if facts.payee is None else facts.payee.hex(),
        )

    async def _submit_until_settled(self, saved: SavedBlock, saving: asyncio.Task[None] | None) -> None:
        answered_at: float | None = None
        verdict_at: float | None = None  # Unix seconds of the first answer of all
        pause_seconds = FIRST_RETRY_SECONDS
        while True:
            async with self._slots:
                verdicts = tuple(await self._nodes.submit_block(saved.block))
            # An outage does not count, however long: a node that comes back is behind, and says so at first.
            now = asyncio.get_running_loop().time()
            if has_answer(verdicts) and verdict_at is None:
                verdict_at = self._unix_now()
            if not has_answer(verdicts):
                answered_at = None
            elif answered_at is None:
                answered_at = now
            if is_settled(verdicts, 0.0 if answered_at is None else now - answered_at):
                break
            if pause_seconds == FIRST_RETRY_SECONDS:
                log.error(
                    LogEvent.BLOCK_UNDECIDED,
                    hash=saved.found.block_hash,
                    height=saved.found.height,
                    verdicts=by_node(verdicts),
                )
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_RETRY_SECONDS)
        outcome = outcome_of(saved.found, verdicts)
        self._tell(saved, outcome, verdicts, self._unix_now() if verdict_at is None else verdict_at)
        if saving is not None:
            await asyncio.shield(saving)
        await self._move(msgspec.structs.replace(saved, verdicts=verdicts), FOLDERS[outcome])

    def _tell(
        self, saved: SavedBlock, outcome: Outcome, verdicts: Sequence[SubmitVerdict], verdict_at: float
    ) -> None:
        """`verdict_at` is when nodes had answered first, Unix seconds."""
        found = saved.found
        if outcome is Outcome.ACCEPTED:
            self._nodes.fetch_now()
        difficulties = difficulties_of(saved)
        log.log(
            LOG_LEVELS[outcome],
            LogEvent.BLOCK_FOUND,
            hash=found.block_hash,
            height=found.height,
            network=found.network,
            reward_sats=found.reward_sats,
            transactions=found.transactions,
            found_at=datetime.fromtimestamp(found.found_at, UTC).isoformat(timespec="milliseconds"),
            user=UserText(found.user),
            account=AddressText(found.account),
            worker=found.worker,
            job=found.job_id,
            hash_difficulty=difficulties.of_hash,
            network_difficulty=difficulties.of_network,
            verdict_ms=max(0, round(1000 * (verdict_at - found.found_at))),
            outcome=outcome.value,
            verdicts=by_node(verdicts),
        )
        self._listener.block_settled(found, outcome, verdicts)

    async def _save(self, saved: SavedBlock) -> None:
        try:
            await self._with_files(partial(self._save_with_room, saved))
        except OSError as error:
            log.error(LogEvent.BLOCK_UNSAVED, hash=saved.found.block_hash, error=error)

    def _save_with_room(self, saved: SavedBlock) -> None:
        """Blocking. Raises OSError where even the space that was kept for this does not help."""
        try:
            self._files.save(saved)
        except OSError:
            if not self._make_room():
                raise
            self._files.save(saved)

    async def _move(self, saved: SavedBlock, folder: Folder) -> None:
        try:
            await self._with_files(partial(self._files.settle, saved, folder))
        except OSError as error:
            log.error(LogEvent.BLOCK_VERDICT_UNSAVED, hash=saved.found.block_hash, error=error)

    async def _read_saved(self, path: Path) -> SavedBlock | None:
        """None for a file that is not to be submitted, after one log line that says why."""
        try:
            saved = await self._with_files(partial(self._files.read, path))
        except OSError as error:
            log.error(LogEvent.BLOCK_FILE_UNREADABLE, path=path, error=error)
            return None
        except NewerBlock as error:
            log.error(LogEvent.BLOCK_FILE_NEWER, reason=error)
            return None
        except UnreadableBlock as error:
            await self._set_aside(path, error)
            return None
        if saved.found.network != self._network:
            log.error(
                LogEvent.BLOCK_FILE_OF_ANOTHER_NETWORK,
                path=path,
                network=saved.found.network,
                own_network=self._network,
            )
            return None
        return saved

    async def _set_aside(self, path: Path, reason: UnreadableBlock) -> None:
        try:
            target = await self._with_files(partial(self._files.set_aside, path))
        except OSError as error:
            log.error(LogEvent.BLOCK_FILE_KEPT, reason=reason, error=error)
        else:
            log.error(LogEvent.BLOCK_FILE_SET_ASIDE, reason=reason, path=target)

    async def _with_files(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._file_thread, work)


def _block_hex(candidate: BlockCandidate) -> str:
    return assemble_block(candidate.header, candidate.coinbase, candidate.template).hex()
