"""All nodes of a pool: watches them, publishes the chosen one's templates, and submits blocks to every one.

Which node supplies work is decided in health.py; this keeps the last decision and says what has changed, one
log line per change. The newest template stands in a slot, not in a queue: the listener is told of it at once,
and a template that was overtaken before anyone looked is never told of at all.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.node.endpoint import NodeEndpoint
from pool.node.health import Health, TroubleKind, assess, choose
from pool.node.proposals import NoVerdict, propose_block
from pool.node.signals import NotifySocket
from pool.node.templates import FetchedTemplate
from pool.node.verdicts import Judgement, SubmitVerdict, submit_to
from pool.node.watch import NodeWatch
from stratum.work.byteorder import displayed
from stratum.work.coin import Network
from stratum.work.hashing import sha256d
from stratum.work.template import Template

log = Log("engineroom.node")

STRAGGLER_SECONDS = 2.0
# Once a node has accepted a block, the others' verdicts are news for the log, and a hanging node must not
# hold the news back. Their submissions go on all the same.

HEADER_HEX_DIGITS = 160
OUR_BLOCKS_REMEMBERED = 1024


class NodesListener(Protocol):
    """Who makes work of the templates. Called on the loop; must not raise: what it raises ends the pool."""

    def new_template(self, template: Template, node_name: str, received_at: float, heard_at: float) -> None:
        """A template to mine on from now on, not always of a new tip. `received_at`, and `heard_at` when its
        tip was first heard of, are in loop seconds."""

    def nodes_lost(self, reason: str) -> None:
        """No node is fit to supply work. Said once; no new template comes before `nodes_back`."""

    def nodes_back(self, node_name: str) -> None:
        """Said once, after `nodes_lost` and just before the next `new_template`."""


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """One node for whoever shows it. `round_trip_seconds` is None until a question was answered; `tip` is its
    template's previous hash, heard of at `tip_heard_at` (loop seconds)."""

    name: str
    trouble: TroubleKind | None
    is_source: bool
    blocks: int
    headers: int
    round_trip_seconds: float | None
    tip: bytes | None
    tip_heard_at: float


class Nodes:
    """`run()` watches until cancelled; `submit_block` works from the first call until `close()`."""

    def __init__(
        self,
        endpoints: Sequence[NodeEndpoint],
        network: Network,
        *,
        template_refresh_seconds: float,
        trust_stricter_target: bool,
        notify_socket: Path | None,
        listener: NodesListener,
    ) -> None:
        self._is_regtest = network.is_regtest
        self._listener = listener
        self._watches = [
            NodeWatch(
                endpoint,
                network,
                template_refresh_seconds=template_refresh_seconds,
                trust_stricter_target=trust_stricter_target,
                on_look=self._reconsider,
            )
            for endpoint in endpoints
        ]
        self._notify_socket = NotifySocket(notify_socket, self.fetch_now) if notify_socket else None
        self._healths: dict[str, Health] = {}
        self._source: str | None = None
        self._published: FetchedTemplate | None = None
        self._are_lost = False
        self._submissions: set[asyncio.Task[SubmitVerdict]] = set()
        self._our_blocks: dict[str, None] = {}
        self.failovers = 0  # how often another node than before has come to supply work
        self.verdicts: Counter[tuple[str, Judgement]] = Counter()

    def states(self) -> list[NodeState]:
        """Every node as it was last seen, in the order of the settings."""
        states = []
        for watch in self._watches:
            seen, health = watch.observation(), self._healths.get(watch.name)
            states.append(
                NodeState(
                    name=watch.name,
                    trouble=None if health is None or health.trouble is None else health.trouble.kind,
                    is_source=watch.name == self._source,
                    blocks=seen.blocks,
                    headers=seen.headers,
                    round_trip_seconds=watch.round_trip_seconds,
                    tip=None if watch.fetched is None else watch.fetched.template.previous_hash,
                    tip_heard_at=watch.tip_heard_at,
                )
            )
        return states

    def open(self) -> None:
        """Bind the notify socket, for whoever wants to hear of a NotifySocketError before `run` is a task."""
        if self._notify_socket is not None:
            self._notify_socket.open()

    async def run(self) -> None:
        """Raises NotifySocketError before anything else when that socket cannot be had."""
        self.open()
        try:
            async with asyncio.TaskGroup() as group:
                for watch in self._watches:
                    group.create_task(watch.run(), name=f"watch {watch.name}")
        finally:
            if self._notify_socket is not None:
                self._notify_socket.close()

    async def close(self) -> None:
        """After the last submission: gives up what is still under way, and closes all connections."""
        for task in self._submissions:
            task.cancel()
        await asyncio.gather(*self._submissions, return_exceptions=True)
        for watch in self._watches:
            await watch.rpc.close()
        if self._notify_socket is not None:
            self._notify_socket.close()

    def fetch_now(self) -> None:
        """Look at every node's tip now; a changed one is fetched and published."""
        for watch in self._watches:
            watch.hint()

    async def submit_block(self, block_hex: str) -> list[SubmitVerdict]:
        """Send a block to all nodes at once: one verdict each, in the order of the settings.

        Returns when all have answered, or shortly after one has accepted; who has not answered by then is
        silent. Each node that accepts is asked for new work at once, without waiting for the others.
        """
        block_hash_hex = _block_hash_hex(block_hex)
        tasks = [
            asyncio.create_task(self._submit_to(watch, block_hex, block_hash_hex)) for watch in self._watches
        ]
        self._submissions.update(tasks)
        for task in tasks:
            task.add_done_callback(self._submissions.discard)
        await _all_or_one_accepted(tasks)
        return [
            task.result()
            if task.done()
            else SubmitVerdict(watch.name, Judgement.SILENT, "has not answered yet")
            for watch, task in zip(self._watches, tasks, strict=True)
        ]

    async def propose_block(self, block_hex: str) -> str | None:
        """Ask the node that supplies work what it would say of a block (BIP 23): None where it would take it.

        Raises NodeError and NoVerdict where there is no answer.
        """
        for watch in self._watches:
            if watch.name == self._source:
                return await propose_block(watch.rpc, block_hex)
        raise NoVerdict("no node supplies work now")

    async def _submit_to(self, watch: NodeWatch, block_hex: str, block_hash_hex: str) -> SubmitVerdict:
        verdict = await submit_to(
            watch.rpc, watch.name, block_hex, block_hash_hex, self._our_blocks.__contains__
        )
        self.verdicts[watch.name, verdict.judgement] += 1
        if verdict.judgement in (Judgement.ACCEPTED, Judgement.SIDE_BRANCH):
            self._remember_ours(block_hash_hex)
        if verdict.judgement is Judgement.ACCEPTED:
            watch.hint()
        return verdict

    def _remember_ours(self, block_hash_hex: str) -> None:
        self._our_blocks[block_hash_hex] = None
        if len(self._our_blocks) > OUR_BLOCKS_REMEMBERED:
            del self._our_blocks[next(iter(self._our_blocks))]

    def _reconsider(self) -> None:
        """After each look at any node: judge all, choose, and tell what has changed."""
        observations = [watch.observation() for watch in self._watches]
        before = self._healths
        self._healths = assess(
            observations,
            before,
            asyncio.get_running_loop().time(),
            ignore_initial_download=self._is_regtest,
        )
        for watch in self._watches:
            _log_change(watch, before.get(watch.name), self._healths[watch.name])
        self._switch_to(choose(self._source, observations, self._healths))
        self._publish()

    def _switch_to(self, source: str | None) -> None:
        if source == self._source:
            if source is None:
                self._lose()
            return
        before, self._source = self._source, source
        if source is None:
            self._lose()
            return
        if self._are_lost:
            self._are_lost = False
            log.info(LogEvent.WORK_CAME_BACK, node=source)
            self._listener.nodes_back(source)
        elif before is not None:
            self.failovers += 1
            log.warning(LogEvent.WORK_MOVED, node=source, before=before)

    def _lose(self) -> None:
        """At the start, nothing is lost before every node has been asked."""
        troubles = {name: health.trouble for name, health in self._healths.items()}
        is_all_known = all(
            trouble and trouble.kind is not TroubleKind.NOT_ASKED for trouble in troubles.values()
        )
        if self._are_lost or not is_all_known:
            return
        self._are_lost = True
        self._published = None
        reason = "; ".join(f"node {name} {trouble.text}" for name, trouble in troubles.items() if trouble)
        log.error(LogEvent.NODES_LOST, reason=reason)
        self._listener.nodes_lost(reason)

    def _publish(self) -> None:
        for watch in self._watches:
            fetched = watch.fetched
            if watch.name != self._source or fetched is None or fetched is self._published:
                continue
            self._published = fetched
            self._listener.new_template(fetched.template, watch.name, fetched.received_at, watch.tip_heard_at)


async def _all_or_one_accepted(tasks: list[asyncio.Task[SubmitVerdict]]) -> None:
    pending = set(tasks)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if pending and any(task.result().judgement is Judgement.ACCEPTED for task in done):
            await asyncio.wait(pending, timeout=STRAGGLER_SECONDS)
            return


def _block_hash_hex(block_hex: str) -> str:
    """The block's id as nodes write it: sha256d of the header on every coin."""
    return displayed(sha256d(bytes.fromhex(block_hex[:HEADER_HEX_DIGITS])))


def _log_change(watch: NodeWatch, before: Health | None, after: Health) -> None:
    kind_before = before.trouble.kind if before is not None and before.trouble else None
    trouble = after.trouble
    if trouble is None:
        if before is None or before.trouble is not None:
            log.info(LogEvent.NODE_HEALTHY, node=watch.name, height=watch.observation().blocks)
    elif trouble.kind is not kind_before and trouble.kind is not TroubleKind.NOT_ASKED:
        log.warning(LogEvent.NODE_TROUBLED, node=watch.name, trouble=trouble.text)
