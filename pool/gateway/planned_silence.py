"""[shell] Sessions of machines that are paused on purpose keep their difficulty: their silence says nothing.

Without it a machine that sleeps with an open connection would come back two halvings too low, and flood.
"""

import time
from collections.abc import Sequence

from config.schema import Settings
from pool.farm.opening import InventoryUnusable, open_places, places_by_name
from pool.farm.pauses import Pause, is_silence_planned
from pool.farm.planned_pauses import PlannedPauses
from stratum.events import Worker
from stratum.session import Session

LOOK_SECONDS = 5.0
BUDGET_SECONDS = 0.003  # of the loop, once a second: where a machine stands is found in 11 µs the first time,
# so that 2,500 sessions are through in ten seconds and 18,000 in a minute; a fraction of that later on
MOST_REMEMBERED = 50_000  # names, some 20 MB; beyond, all are forgotten and worked out again
AT_ONCE = 16  # sessions between two looks at the clock
MICROSECONDS = 1_000_000


class PlannedSilence:
    """Looked after once a second."""

    def __init__(self, settings: Settings, *, budget_seconds: float = BUDGET_SECONDS) -> None:
        """Reads the inventory; one that cannot be used, the accountant tells of."""
        try:
            self._places = open_places(settings)
        except InventoryUnusable:
            self._places = places_by_name(settings)
        self._planned = PlannedPauses(settings)
        self._budget_seconds = budget_seconds
        self._pauses: tuple[Pause, ...] = ()
        self._groups: dict[Worker, str] = {}  # where machines stand, while something is paused
        self._looked_at = 0.0
        self._next = 0  # the session that the next look begins with
        self._has_held = False

    def maintain(self, sessions: Sequence[Session]) -> None:
        """Hold the difficulty of who is paused, and let go of who is not any more. Nothing without pauses."""
        unix = time.time()
        if unix - self._looked_at >= LOOK_SECONDS:
            self._looked_at = unix
            self._pauses = self._planned.at(unix)
        if not self._pauses:
            self._let_go(sessions)
            return
        self._has_held = True
        until, now_us = time.perf_counter() + self._budget_seconds, round(unix * MICROSECONDS)
        planned: dict[str, bool] = {}
        for begin in range(0, len(sessions), AT_ONCE):
            for place in range(self._next + begin, self._next + min(begin + AT_ONCE, len(sessions))):
                self._hold(sessions[place % len(sessions)], planned, now_us)
            if time.perf_counter() >= until:
                self._next = (self._next + begin + AT_ONCE) % len(sessions)
                return

    def _hold(self, session: Session, planned: dict[str, bool], now_us: int) -> None:
        """Or let go; `planned` is what is known of groups by now."""
        worker = session.first_worker
        if worker is None or not self._places.has(worker.account):
            return
        group = self._groups.get(worker)
        if group is None:
            if len(self._groups) >= MOST_REMEMBERED:
                self._groups.clear()
            group = self._groups[worker] = self._places.place(worker.account, worker.name).group
        if group not in planned:
            planned[group] = is_silence_planned(self._pauses, group, now_us)
        session.pace.is_held = planned[group]

    def _let_go(self, sessions: Sequence[Session]) -> None:
        """Of all at once: what is left out would be held for good."""
        if self._has_held:
            self._has_held = False
            self._groups.clear()
            for session in sessions:
                session.pace.is_held = False
