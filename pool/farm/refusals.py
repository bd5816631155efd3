"""The part of a machine's work that was refused over about ten minutes, and whether that is too much.

The windows decay with a time constant of five minutes, which is as exact, and as slow to forget, as a sharp
window of ten.

Too much is a matter of evidence: refused shares of an honest machine are few and rare, but of its first five
one may well be refused. Where a part p of all is refused, k of n shares are so by chance with a probability
of at most P(k, n·p): the binomial tail beyond n·p + 1 is below that of the Poisson distribution (Anderson and
Samuels 1967). The machine is rejecting once that is below 0.001 for p = `rejecting_percent`, which is to say
that the lower 99.9 % bound of its refused part is above it. It stays so until the part itself is below: time
alone changes nothing, since both windows decay alike."""

import msgspec

from pool.farm.gamma import gamma_probability
from pool.farm.hashrate import RateWindow, RateWindowState

WINDOW_SECONDS = 300.0
CHANCE = 0.001
# A machine that comes back may send some shares of jobs of its last connection at once, into empty windows.
FEWEST_REFUSED = 8.0
# Reasons are the server's own, about a dozen; the bound holds whatever becomes of that.
MOST_REASONS = 24
OTHER_REASONS = "other"


class RefusalsState(msgspec.Struct, frozen=True, array_like=True):
    """Windows of all work and, by reason, of refused work."""

    total: RateWindowState
    by_reason: dict[str, RateWindowState]
    is_rejecting: bool


class Refusals:
    """Credited and refused work of one machine."""

    __slots__ = ("_by_reason", "_refused", "_total", "is_rejecting")

    def __init__(self, since: float) -> None:
        self._total = RateWindow(WINDOW_SECONDS, since)
        self._refused = RateWindow(WINDOW_SECONDS, since)
        self._by_reason: dict[str, RateWindow] = {}
        self.is_rejecting = False

    def credit(self, at: float, work: float, work_squared: float, percent: float) -> None:
        """Shares were credited."""
        self._total.add(at, work, work_squared)
        if self.is_rejecting and self.part(at) * 100 < percent:
            self.is_rejecting = False

    def refuse(self, at: float, reason: str, count: int, work: float, percent: float) -> None:
        """`count` shares of `work` together were refused; `percent` is what is tolerated."""
        if count <= 0 or work <= 0:
            return
        squares = work * work / count
        for window in (self._total, self._refused, self._window_of(reason)):
            window.add(at, work, squares)
        part = self.part(at)
        if not self.is_rejecting and part * 100 > percent:
            shares = self._total.effective_shares
            refused = part * shares
            self.is_rejecting = (
                refused >= FEWEST_REFUSED and gamma_probability(refused, shares * percent / 100) < CHANCE
            )

    def held(self, now: float) -> tuple[float, float]:
        """Refused work and all work as the windows hold them; of use beside another machine's at `now`."""
        return self._refused.held(now), self._total.held(now)

    def part(self, now: float) -> float:
        """Refused work of all work, from 0 to 1."""
        total = self._total.held(now)
        return self._refused.held(now) / total if total > 0 else 0.0

    def parts(self, now: float) -> dict[str, float]:
        """The same by reason, largest first."""
        total = self._total.held(now)
        if total <= 0:
            return {}
        parts = {reason: window.held(now) / total for reason, window in self._by_reason.items()}
        return dict(sorted(parts.items(), key=lambda item: (-item[1], item[0])))

    def export(self) -> RefusalsState:
        by_reason = {reason: window.export() for reason, window in self._by_reason.items()}
        return RefusalsState(self._total.export(), by_reason, self.is_rejecting)

    @classmethod
    def restore(cls, state: RefusalsState) -> "Refusals":
        refusals = cls(state.total.since)
        refusals._total = RateWindow.restore(state.total)
        refusals._by_reason = {
            reason: RateWindow.restore(window) for reason, window in state.by_reason.items()
        }
        for window in state.by_reason.values():
            refusals._refused.add(window.at, window.work, window.work_squared)
        refusals.is_rejecting = state.is_rejecting
        return refusals

    def _window_of(self, reason: str) -> RateWindow:
        if reason not in self._by_reason and len(self._by_reason) >= MOST_REASONS:
            reason = OTHER_REASONS
        if reason not in self._by_reason:
            self._by_reason[reason] = RateWindow(WINDOW_SECONDS, self._total.since)
        return self._by_reason[reason]
