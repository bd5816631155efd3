"""[shell] Sends what waits in the outbox: in order for each target, until it has arrived or is refused.

Each target has a task of its own, so that one that is down holds up no other. What the network does is told
once and tried again; after a bug its target's task begins anew.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import aiohttp

from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.notices.bugs import survive_bugs
from pool.notices.delivery import TIMEOUT_SECONDS, Failed, Outcome, Refused, deliver, new_session
from pool.notices.formats import request_of
from pool.notices.notice import Notice
from pool.notices.outbox import Outbox
from pool.notices.pacing import PACES, Pace, Patience, Wait
from pool.notices.targets import Target

log = Log("engineroom.notices")


class Sender:
    """The tasks that send. `now_us` is the wall clock, `jitter` gives a random number from 0 to below 1."""

    def __init__(
        self,
        targets: Sequence[Target],
        outbox: Outbox,
        network: str,
        now_us: Callable[[], int],
        jitter: Callable[[], float],
        *,
        patience: Patience | None = None,
        paces: Mapping[str, Pace] = PACES,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._targets = targets
        self._outbox = outbox
        self._network = network
        self._now_us = now_us
        self._jitter = jitter
        self._patience = patience or Patience()
        self._paces = paces
        self._timeout_seconds = timeout_seconds

    async def run(self) -> None:
        """Until it is cancelled."""
        async with new_session() as session, asyncio.TaskGroup() as group:
            for target in self._targets:
                serve = functools.partial(self._serve, session, target)
                serving = survive_bugs(f"telling {target.name}", serve, self._patience.after_bug_seconds)
                group.create_task(serving, name=f"notices for {target.name}")

    async def _serve(self, session: aiohttp.ClientSession, target: Target) -> None:
        """Everything that waits for one target, for ever."""
        pace = self._paces[target.kind]
        sent_at: deque[float] = deque(maxlen=pace.most)
        failures = 0
        while True:
            notices = await self._due(target, pace, sent_at)
            sent_at.append(asyncio.get_running_loop().time())
            outcome = await self._try(session, target, notices)
            if isinstance(outcome, Failed):
                failures += 1
                if failures == 1:
                    log.error(LogEvent.TARGET_UNREACHABLE, target=target.name, reason=outcome.reason)
                await asyncio.sleep(
                    self._patience.pause_seconds(failures, self._jitter(), outcome.asked_seconds)
                )
                continue
            if isinstance(outcome, Refused):
                log.error(
                    LogEvent.TARGET_REFUSED,
                    target=target.name,
                    notices=_named(notices),
                    reason=outcome.reason,
                )
            elif failures:
                log.warning(LogEvent.TARGET_BACK, target=target.name)
            failures = 0
            await self._note(target, notices)

    async def _due(self, target: Target, pace: Pace, sent_at: Sequence[float]) -> list[Notice]:
        """What goes into the next request, once there is something and its time has come."""
        while True:
            changed = self._outbox.changed
            waiting = self._outbox.waiting(target.name)
            if not waiting:
                await changed.wait()
                continue
            step = pace.next_step(sent_at, len(waiting), asyncio.get_running_loop().time())
            if not isinstance(step, Wait):
                return waiting[: step.notices]
            await asyncio.sleep(step.seconds)

    async def _try(
        self, session: aiohttp.ClientSession, target: Target, notices: Sequence[Notice]
    ) -> Outcome:
        request = request_of(target, notices, self._network, self._now_us() // 1_000_000)
        return await deliver(session, request, self._timeout_seconds)

    async def _note(self, target: Target, notices: Sequence[Notice]) -> None:
        """They are done. While that cannot be written down nothing more is sent there: a restart would send
        it all again."""
        failures = 0
        while True:
            try:
                await self._outbox.sent(target.name, notices)
            except OSError as error:
                failures += 1
                if failures == 1:
                    log.error(LogEvent.NOTICES_UNNOTED, error=error)
                await asyncio.sleep(self._patience.pause_seconds(failures, self._jitter(), None))
            else:
                return


def _named(notices: Sequence[Notice]) -> str:
    """Kinds alone: an id may hold an address."""
    first = str(notices[0].kind)
    return first if len(notices) == 1 else f"{first} and {len(notices) - 1} more"
