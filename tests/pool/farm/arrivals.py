"""A machine that hashes by chance, as a watch sees it: shares with exponential gaps, told by polls."""

import math
import random

from pool.farm.machine import MachineWatch

POLL_SECONDS = 0.5
SHARE_WORK = 1e12


class Rig:
    """Drives one `MachineWatch`, which it keeps connected: shares come every `interval_seconds` in the mean.

    It tells shares as of the next poll, as the caller of a watch does, and looks at the watch at the polls
    at which that asks for it. `states` are the changes that were seen, with their times.
    """

    def __init__(self, watch: MachineWatch, interval_seconds: float, rng: random.Random) -> None:
        self.watch = watch
        self.now = 0.0
        self.states = [(0.0, watch.state)]
        self._interval = interval_seconds
        self._rng = rng
        watch.joined(0.0)
        watch.difficulty(0.0, SHARE_WORK)

    def run(self, until: float, delivers: float = 1.0, refused: float = 0.0) -> None:
        """Let time pass: shares come at `delivers` of the machine's rate, the part `refused` is refused."""
        while True:
            gap = self._rng.expovariate(delivers / self._interval) if delivers > 0 else math.inf
            at = self.now + gap
            self._look_until(min(at, until))
            if at > until:
                self.now = until
                return
            self.now = at
            self._tell(poll_after(at), self._rng.random() < refused)

    def _tell(self, at: float, is_refused: bool) -> None:
        if is_refused:
            self.watch.refused(at, "low difficulty", 1, SHARE_WORK)
        else:
            self.watch.shares(at, 1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)
        self._note(at)

    def _look_until(self, at: float) -> None:
        poll = 0.0
        while (poll := max(poll + POLL_SECONDS, poll_after(self.watch.next_look_at))) <= at:
            self.watch.advance(poll)
            self._note(poll)

    def _note(self, at: float) -> None:
        if self.watch.state is not self.states[-1][1]:
            self.states.append((at, self.watch.state))


def poll_after(at: float) -> float:
    return math.ceil(at / POLL_SECONDS) * POLL_SECONDS if at < math.inf else at
