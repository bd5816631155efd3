"""Where everything meets: one process of supervisor and gateway. Read top to bottom it is the architecture.

Built in `Application.__init__` in the order in which they need one another; started and drained in `run`.
Nothing else in the project knows all of these at once.
"""

import asyncio
import functools
import gc
import os
import resource
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from config.schema import Settings
from pool.gateway.alarm_teller import AlarmTeller
from pool.gateway.block_files import BLOCKS, FoundBlock
from pool.gateway.gateway import Gateway
from pool.gateway.outcome import Outcome
from pool.gateway.panel import Panel
from pool.gateway.plan_file import PLAN_FILE
from pool.gateway.planned_silence import PlannedSilence
from pool.gateway.plans import PlanHolder
from pool.gateway.recording import Recording
from pool.gateway.rehearsal import Rehearsal
from pool.gateway.submission import Submitter
from pool.gateway.tally import ShareTally
from pool.gateway.work_source import EPOCH_BYTES, WorkSource
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.node.nodes import Nodes
from pool.node.signals import NotifySocketError
from pool.node.verdicts import SubmitVerdict
from pool.preflight import extranonce_bytes
from pool.spool.clock import SpoolAheadOfClock
from pool.spool.frames import SpoolError
from pool.supervisor import ChildKeeper
from pool.translation import endpoint_of, listener, plans, pool_plan, work_rules
from pool.wording import hashrate_text
from stratum.jobs import JobBook
from stratum.server import ServerLimits, StratumServer
from stratum.work.coin import network

HASH_THREADS = 2
GATEWAY = 0  # the only one, so far
WON_FILE = "coinbase-plan-won.json"  # the generation that has won: a restart must not forget it
MAINTENANCE_SECONDS = 1.0
REPORT_SECONDS = 60.0
SUBMISSIONS_DRAIN_SECONDS = 10.0

log = Log("engineroom")


class CannotStart(Exception):
    """The pool cannot start for a reason that the operator can mend;
    the message is one line that says how."""


class Application:
    """One gateway with its nodes, from the settings to the last closed connection."""

    def __init__(
        self, settings: Settings, accountant: ChildKeeper | None = None, tally: ShareTally | None = None
    ) -> None:
        """Wire it; must be called on the loop. Raises CannotStart where the data directory cannot be had.

        `accountant` is kept alive beside the gateway; without one somebody else keeps the accounts. `tally`
        counts shares, for who wants to know more of them than their sums.
        """
        self._accountant = accountant
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._directory = Path(settings.data_directory)
        self._network = network(settings.coin, settings.network)
        self.tally = ShareTally() if tally is None else tally
        self.blocks = 0  # accepted since the start
        self.on_block: Callable[[FoundBlock, Outcome, Sequence[SubmitVerdict]], None] | None = None

        book = JobBook()
        self.plans = self._plan_holder()
        self.rehearsal = Rehearsal(
            self._propose, extranonce_bytes(self._network), self._loop.time, self._renew_work
        )
        self.work = WorkSource(
            work_rules(settings, self._network, os.urandom(EPOCH_BYTES)),
            book,
            plans(settings, self._network, None if self.plans is None else self.plans.current),
            self.rehearsal,
        )
        self.recording = self._opened_recording()
        self.gateway = Gateway(
            self.work,
            book,
            self.recording.extranonces,
            self.recording.recorder,
            self.tally,
            self._loop.time,
            lambda: self.recording.space.admits,
            is_solo=settings.payout.scheme == "solo",
        )
        self.nodes = Nodes(
            [endpoint_of(node) for node in settings.nodes],
            self._network,
            template_refresh_seconds=settings.template_refresh_seconds,
            trust_stricter_target=settings.trust_stricter_target,
            notify_socket=Path(settings.notify_socket)
            if settings.notify_socket
            else self._directory / "notify.sock",
            listener=self.gateway,
        )
        self.submitter = self._submitter()
        self._hashers = ThreadPoolExecutor(HASH_THREADS, "hash")
        limits = ServerLimits(
            connections=settings.stratum.maximum_connections,
            connections_per_address=settings.stratum.maximum_connections_per_address,
        )
        self.server = StratumServer(self.gateway, limits, self._hashers)
        on_win = None if self.plans is None else self.plans.won
        self.gateway.attach(self.submitter, self.server.announce, on_win)
        self.pacemaker = self.recording.pacemaker(self.gateway.commit)
        self._silence = PlannedSilence(settings)
        self._alarm_teller = AlarmTeller(self._directory, f"gateway-{GATEWAY}", self.recording.alarms)
        self.panel = Panel(self.gateway, self.server, self.nodes, self.work, self.recording, self.tally)

    def _plan_holder(self) -> PlanHolder | None:
        """Where coinbases pay the miners themselves: whom. Solo needs no plan but its own."""
        payout = self._settings.payout
        own = pool_plan(self._settings, self._network)
        if payout.method != "coinbase" or payout.scheme == "solo" or own is None:
            return None
        return PlanHolder(
            self._directory / PLAN_FILE,
            self._directory / WON_FILE,
            self._directory / BLOCKS,
            own,
            plan_age_seconds=60.0 * payout.coinbase.plan_age_minutes,
            now=self._loop.time,
        )

    async def _propose(self, block_hex: str) -> str | None:
        return await self.nodes.propose_block(block_hex)

    def _renew_work(self) -> None:
        """A coinbase was refused in rehearsal: nobody is to find a block with it."""
        self.work.renew(self._loop.time())
        self.server.announce()

    def _opened_recording(self) -> Recording:
        """The spool, recovered and locked."""
        settings = self._settings
        try:
            return Recording(self._directory, GATEWAY, f"{settings.coin} {settings.network}")
        except (SpoolError, SpoolAheadOfClock) as error:
            raise CannotStart(str(error)) from error
        except OSError as error:
            raise self._no_directory(error) from error

    def _submitter(self) -> Submitter:
        """Where blocks go; it makes the data directory, and syncs it, before any block is found."""
        settings = self._settings
        try:
            return Submitter(
                self._directory,
                self.nodes,
                self,
                network=f"{settings.coin} {settings.network}",
                make_room=self.recording.space.make_room,
            )
        except OSError as error:
            self.recording.release()
            raise self._no_directory(error) from error

    def _no_directory(self, error: OSError) -> CannotStart:
        return CannotStart(
            f"cannot write in the data directory {self._directory}: {error.strerror or error}; "
            "create it, or change data_directory in the settings"
        )

    # ------------------------------------------------------------------ life

    async def run(self, stop: asyncio.Event, listening: Callable[[list[tuple[str, int]]], None]) -> None:
        """Listen, work until `stop` is set, drain. Raises CannotStart where a port or a socket is taken.

        A failure in any task, or in a callback of the loop, is a bug: it ends the process, and whoever
        supervises it starts it again. A pool that goes on without its announcements would be worse.
        """
        bug: asyncio.Future[None] = self._loop.create_future()
        self._loop.set_exception_handler(functools.partial(_callback_failed, bug))
        raise_file_limit(self._settings.stratum.maximum_connections)
        try:
            await self._run(stop, listening, bug)
        finally:
            self.recording.release()

    async def _run(
        self,
        stop: asyncio.Event,
        listening: Callable[[list[tuple[str, int]]], None],
        bug: "asyncio.Future[None]",
    ) -> None:
        try:
            self.nodes.open()
        except NotifySocketError as error:
            raise CannotStart(str(error)) from error
        bound = await self._listen()
        # What exists now lives as long as the process: the collector need not look at it with each cycle.
        gc.collect()
        gc.freeze()
        listening(bound)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self.nodes.run(), name="nodes"),
                    group.create_task(self.submitter.run(), name="submitter"),
                    group.create_task(self.pacemaker.run(), name="pacemaker"),
                    group.create_task(self.rehearsal.run(), name="rehearsal"),
                    group.create_task(self.panel.run(), name="panel"),
                    group.create_task(self._alarm_teller.run(), name="alarms"),
                    *([group.create_task(self.plans.run(), name="plans")] if self.plans is not None else []),
                    *(
                        [group.create_task(self._accountant.run(), name="accountant")]
                        if self._accountant is not None
                        else []
                    ),
                    group.create_task(self._maintain(), name="maintenance"),
                    group.create_task(self._report(), name="report"),
                    group.create_task(_wait_for(bug), name="bugs in callbacks"),
                ]
                await stop.wait()
                await self._drain()
                for task in tasks:
                    task.cancel()
        finally:
            await self.nodes.close()
            self._hashers.shutdown(wait=False, cancel_futures=True)

    async def _listen(self) -> list[tuple[str, int]]:
        bound: list[tuple[str, int]] = []
        for entry in self._settings.stratum.listeners:
            try:
                bound += await self.server.start([listener(self._settings, entry, self._network)])
            except OSError as error:
                raise CannotStart(
                    f"cannot listen on {entry.address} port {entry.port}: {error.strerror or error}; "
                    "stop what uses it, or change stratum.listeners in the settings"
                ) from error
        return bound

    async def _drain(self) -> None:
        seconds = self._settings.drain_seconds
        log.info(LogEvent.POOL_STOPPING, connections=len(self.server), drain_seconds=seconds)
        await self.server.drain(seconds)
        await self.submitter.drain(SUBMISSIONS_DRAIN_SECONDS)
        await self.pacemaker.close()
        if self._accountant is not None:
            await self._accountant.stop()  # last, so that it counts what was accepted until now
        log.info(LogEvent.POOL_STOPPED, accepted=self.tally.accepted, blocks=self.blocks)

    async def _maintain(self) -> None:
        while True:
            await asyncio.sleep(MAINTENANCE_SECONDS)
            self.gateway.maintain(set(self.server.mining_variants))
            self._silence.maintain(self.server.sessions())

    async def _report(self) -> None:
        work_before = 0
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            tally = self.tally
            refused = sum(tally.refused.values())
            rate = (tally.work - work_before) / REPORT_SECONDS
            log.info(
                LogEvent.POOL_REPORTED,
                connections=len(self.server),
                hashrate=hashrate_text(rate),
                hashes_per_second=rate,
                accepted=tally.accepted,
                refused=refused,
                blocks=self.blocks,
            )
            work_before = tally.work

    # ------------------------------------------------------------------ told by the submitter

    def block_settled(self, found: FoundBlock, outcome: Outcome, verdicts: Sequence[SubmitVerdict]) -> None:
        self.blocks += outcome is Outcome.ACCEPTED
        self.panel.outcomes[outcome] += 1
        if self.on_block is not None:
            self.on_block(found, outcome, verdicts)


def _callback_failed(
    bug: "asyncio.Future[None]", loop: asyncio.AbstractEventLoop, context: dict[str, Any]
) -> None:
    """The loop's exception handler: what the network does is logged, anything else ends the process."""
    error = context.get("exception")
    if isinstance(error, OSError):
        log.warning(LogEvent.NETWORK_FAILED, what=context["message"], error=error)
        return
    log.critical(LogEvent.CALLBACK_FAILED, error, what=context["message"])
    if not bug.done():
        bug.set_exception(error if error is not None else RuntimeError(context["message"]))


async def _wait_for(bug: "asyncio.Future[None]") -> None:
    await bug


def raise_file_limit(connections: int) -> None:
    """As many open files as the connections need, if the system lets us; it says so where it does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 256
    if hard != resource.RLIM_INFINITY and wanted > hard:
        log.warning(LogEvent.FILES_LIMITED, files=hard)
        wanted = hard
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def stop_on_signals() -> asyncio.Event:
    """Set by SIGTERM or SIGINT; a second one ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def received(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, received, number)
    return stop
