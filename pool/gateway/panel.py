"""A gateway's instrument panel: its parts, read together every two seconds into the spool.

Whether there is work is read at once: shares that come without any are no measure of their machines.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

from pool.gateway.gateway import Gateway
from pool.gateway.outcome import Outcome
from pool.gateway.readings import (
    ConnectionReadings,
    Reading,
    TemplateReadings,
    block_readings,
    node_readings,
    process_readings,
    server_readings,
    share_readings,
)
from pool.gateway.recording import Recording
from pool.gateway.stall import StallWatch
from pool.gateway.tally import ShareTally
from pool.gateway.tips import TipsHeard
from pool.gateway.work_source import WorkSource
from pool.node.nodes import Nodes
from stratum.server import StratumServer

READ_SECONDS = 2.0  # some 150 bytes a time in the spool: what has changed


class Panel:
    """Reads while `run()` runs. `outcomes` is counted up by whoever hears of blocks."""

    def __init__(
        self,
        gateway: Gateway,
        server: StratumServer,
        nodes: Nodes,
        work: WorkSource,
        recording: Recording,
        tally: ShareTally,
    ) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self._gateway = gateway
        self._server = server
        self._nodes = nodes
        self._work = work
        self._recording = recording
        self._tally = tally
        self._loop = asyncio.get_running_loop()
        self._stall = StallWatch()
        self._connections = ConnectionReadings()
        self._template = TemplateReadings()
        self._tips = TipsHeard()
        self._started_unix = time.time()
        gateway.on_work_changed = self._take

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stall.run(), name="stall")
            group.create_task(self._read(), name="readings")

    async def _read(self) -> None:
        while True:
            self._take()
            self._record_tips()
            await asyncio.sleep(READ_SECONDS)

    def _take(self) -> None:
        self._recording.recorder.take_readings(dict(self.readings()))

    def _record_tips(self) -> None:
        """Tips that all nodes have had their time for."""
        now, recorder = self._loop.time(), self._recording.recorder
        now_us = recorder.frame_at_us() if self._gateway.tips_told else 0
        for told, heard in self._tips.ready(self._gateway.tips_told, self._nodes.states(), now):
            nodes = {name: now_us - round(1e6 * (now - at)) for name, at in heard.items()}
            recorder.tip_told(told, nodes, now_us - round(1e6 * (now - told.tip.template_at)))

    def readings(self) -> Iterator[Reading]:
        """Of everything, now."""
        measures, work = self._server.measures, self._work
        yield from share_readings(self._tally)
        yield from server_readings(measures)
        yield from self._connections.of(measures)
        yield from self._template.of(
            work.template, self._unix(work.received_at), self._unix(work.made_at), has_work=work.has_work
        )
        yield from node_readings(self._nodes)
        yield from block_readings(self._gateway.measures, self.outcomes)
        yield from process_readings(
            self._recording.alarms,
            self._recording.space.free_bytes,
            self._stall.late,
            self._started_unix,
        )

    def _unix(self, at: float) -> float:
        """Loop seconds as Unix time, to the second: it would change with every look otherwise."""
        return round(time.time() - (self._loop.time() - at))
