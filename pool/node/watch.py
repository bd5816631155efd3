"""One node, watched: its tip, its template, its troubles. It decides nothing.

A look asks for the best block's hash; a new one, or a template older than the refresh time, means a new
template. Hints (ZMQ, blocknotify, long-poll, our own block) only bring the next look forward, so that every
way of hearing of a new tip ends in the same code, and the polling underneath makes each of them dispensable.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

from pool.node.endpoint import NodeEndpoint
from pool.node.health import Observation, Trouble, TroubleKind
from pool.node.rpc import NodeError, NodeRpc, NodeUnreachable, RpcError
from pool.node.signals import HashblockSubscriber
from pool.node.templates import (
    ChainInfo,
    FetchedTemplate,
    WrongChain,
    explain,
    fetch_template,
    read_chain_info,
    template_request,
)
from stratum.work.coin import Network
from stratum.work.template import TemplateRefused, UnknownRule

POLL_SECONDS = 0.25
POLL_SECONDS_WITH_ZMQ = 1.0
# One question costs the node 0.6 ms. Without any hint 250 ms is the most that a new tip waits.

CLOSEST_LOOKS_SECONDS = 0.01
# A burst of hints (several signals of one block, a flood of datagrams) becomes one look.

INFO_SECONDS = 5.0
# How often the chain's state is read while the tip stays: headers may run ahead, and downloads may end.

TEMPLATE_RETRY_SECONDS = 1.0
# After a refused template: four attempts a second would not make a node's peers come back sooner.

LONGPOLL_RETRY_SECONDS = 5.0
INSTANT_LONGPOLL_SECONDS = 1.0
INSTANT_LONGPOLL_PAUSE_SECONDS = 10.0
# A freshly started node answers every long-poll at once until its first new tip: 500 answers in two seconds.

DEAD_LONGPOLL_SECONDS = 30.0
# The node ends every long-poll at a new tip: one that is still pending so long after it is a dead connection,
# and holds no worker thread. It is never given up earlier, for the node would keep that thread taken.


class NodeWatch:
    """Watches one node while `run()` runs. `on_look` is called after every look, good or bad, on the loop."""

    def __init__(
        self,
        endpoint: NodeEndpoint,
        network: Network,
        *,
        template_refresh_seconds: float,
        trust_stricter_target: bool,
        on_look: Callable[[], None],
    ) -> None:
        self.name = endpoint.name
        self.rpc = NodeRpc(endpoint)
        self.fetched: FetchedTemplate | None = None
        self.tip_heard_at = 0.0  # of the template's tip: when the look began that found it, in loop seconds
        self.round_trip_seconds: float | None = None  # of the last question that was answered
        self._network = network
        self._refresh_seconds = template_refresh_seconds
        self._trust_stricter_target = trust_stricter_target
        self._on_look = on_look
        self._info: ChainInfo | None = None
        self._info_read_at = 0.0
        self._trouble: Trouble | None = Trouble(TroubleKind.NOT_ASKED, "has not been asked yet", 0.0)
        self._next_fetch_at = 0.0
        self._hint = asyncio.Event()
        self._is_well = asyncio.Event()
        self._longpolls = endpoint.longpoll
        self._longpoll_deadline: asyncio.Timeout | None = None
        self._subscriber = (
            HashblockSubscriber(self.name, endpoint.zmq_hashblock, self.hint)
            if endpoint.zmq_hashblock
            else None
        )

    async def run(self) -> None:
        """Until cancelled; no answer of a node, and no lack of one, ends it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll(), name=f"poll {self.name}")
            if self._subscriber is not None:
                group.create_task(self._subscriber.run(), name=f"zmq {self.name}")
            if self._longpolls:
                group.create_task(self._longpoll(), name=f"long-poll {self.name}")

    def hint(self) -> None:
        """Look now: somebody says that the tip has changed."""
        self._hint.set()

    def observation(self) -> Observation:
        info = self._info
        if info is None:
            return Observation(name=self.name, trouble=self._trouble)
        return Observation(
            name=self.name,
            trouble=self._trouble,
            has_template=self.fetched is not None,
            initial_download=info.initial_download,
            blocks=info.blocks,
            headers=info.headers,
            chainwork=info.chainwork,
        )

    async def _poll(self) -> None:
        while True:
            self._hint.clear()
            await self._look()
            self._on_look()
            await asyncio.sleep(CLOSEST_LOOKS_SECONDS)
            await self._wait_for_hint(self._pause_seconds())

    async def _look(self) -> None:
        """Ask the node, and turn whatever comes of it into the state that `observation` tells."""
        started_at = _now()
        try:
            await self._ask(started_at)
        except RpcError as error:
            self._fail(TroubleKind.NODE_ERROR, explain(error), started_at)
        except NodeUnreachable as error:
            self._fail(TroubleKind.UNREACHABLE, str(error), started_at)
        except WrongChain as error:
            self._discard(TroubleKind.WRONG_CHAIN, str(error), started_at)
        except UnknownRule as error:
            text = f"mines under the rule {error.rule!r}, unknown to this version: upgrade engineroom"
            self._discard(TroubleKind.TEMPLATE_REFUSED, text, started_at)
        except TemplateRefused as error:
            text = f"gives a template that cannot be mined: {error}"
            self._discard(TroubleKind.TEMPLATE_REFUSED, text, started_at)

    def _fail(self, kind: TroubleKind, text: str, started_at: float) -> None:
        # A trouble that turns into another one goes on: a node cannot live on the grace of failing in turns.
        since = started_at if self._trouble is None else self._trouble.since
        self._trouble = Trouble(kind, text, since)
        self._is_well.clear()

    def _discard(self, kind: TroubleKind, text: str, started_at: float) -> None:
        """The node itself says that its earlier template is not to be mined any more, however fresh it is."""
        self.fetched = None
        self._fail(kind, text, started_at)

    async def _ask(self, now: float) -> None:
        if self._trouble is not None:
            # Asked before a template, so that a wrong chain is called that, whatever its templates hold.
            self._info = await self._read_info(now)
        asked_at = time.monotonic()
        best_hash = await self.rpc.call("getbestblockhash", result=str)
        self.round_trip_seconds = time.monotonic() - asked_at
        if self._is_fetch_due(best_hash, now):
            if now < self._next_fetch_at:
                return
            await self._fetch(now)
        elif now - self._info_read_at >= INFO_SECONDS:
            self._info = await self._read_info(now)
        self._trouble = None
        self._is_well.set()

    async def _read_info(self, now: float) -> ChainInfo:
        info = await read_chain_info(self.rpc, self._network)
        self._info_read_at = now
        return info

    def _is_fetch_due(self, best_hash: str, now: float) -> bool:
        fetched = self.fetched
        return (
            fetched is None
            or fetched.tip_hex != best_hash
            or now - fetched.received_at >= self._refresh_seconds
        )

    async def _fetch(self, now: float) -> None:
        self._next_fetch_at = now + TEMPLATE_RETRY_SECONDS
        fetched = await fetch_template(
            self.rpc,
            self._network,
            trust_stricter_target=self._trust_stricter_target,
            previous=self.fetched.template if self.fetched is not None else None,
        )
        self._next_fetch_at = 0.0
        before, self.fetched = self.fetched, fetched
        self._info, self._info_read_at = fetched.info, now
        if before is None or before.tip_hex != fetched.tip_hex:
            self.tip_heard_at = now
        if before is not None and before.tip_hex != fetched.tip_hex:
            self._tip_changed()

    def _tip_changed(self) -> None:
        if self._subscriber is not None:
            self._subscriber.tip_changed()
        deadline = self._longpoll_deadline
        if deadline is not None and deadline.when() is None:
            deadline.reschedule(_now() + DEAD_LONGPOLL_SECONDS)

    def _pause_seconds(self) -> float:
        is_told = self._subscriber is not None and self._subscriber.is_heard
        return POLL_SECONDS_WITH_ZMQ if is_told and self._trouble is None else POLL_SECONDS

    async def _wait_for_hint(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hint.wait()

    async def _longpoll(self) -> None:
        """One long-poll at a time, each answered before the next is sent."""
        while True:
            await self._is_well.wait()
            started_at = _now()
            if not await self._longpoll_once():
                await asyncio.sleep(LONGPOLL_RETRY_SECONDS)
                continue
            self.hint()
            if _now() - started_at < INSTANT_LONGPOLL_SECONDS:
                await asyncio.sleep(INSTANT_LONGPOLL_PAUSE_SECONDS)

    async def _longpoll_once(self) -> bool:
        """Whether the node has answered; False too where its templates cannot be long-polled."""
        longpoll_id = self.fetched.template.longpoll_id if self.fetched else None
        if longpoll_id is None:
            return False
        request = template_request(self._network) | {"longpollid": longpoll_id}
        try:
            async with asyncio.timeout(None) as self._longpoll_deadline:
                await self.rpc.wait_for_longpoll(request)
        except (NodeError, TimeoutError):
            return False
        finally:
            self._longpoll_deadline = None
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()
