"""What a machine delivered, held against what it should have: the tests' time; no connections, no state.

Time that counts against a machine (its *exposure*) runs from its first share on until the caller stops it:
one that starts up, tunes itself or is off is not called low. A gap counts up to the length at which it is
silence, and no further: it shall not be held against the machine twice.

Expected is what the inventory says, else what was learned, by the tests that it is exact enough for.
"""

import math

import msgspec

from pool.farm.baseline import Baseline, BaselineState
from pool.farm.shortfall import REMAINING, CusumState, Shortfall
from pool.farm.silence import intervals_per_false_alarm, silent_after_intervals

# From power to the first share an ASIC needs up to some minutes: it boots, then tunes its chips. As long may
# it also be without a share while nothing tells its share interval.
START_GRACE_SECONDS = 300.0
# How often the learned rate is taken over; it moves by less than its own error in the meantime.
RELEARN_SECONDS = 60.0
_ROUNDING = 1e-9  # of an interval: what sums of times are off by, amply


class WatchTerms(msgspec.Struct, frozen=True):
    """What the whole farm is watched by.

    false_alarms_per_day  of silence and low together, by all machines; each of the tests has an equal part
    rejecting_percent     refused work that is tolerated
    """

    machines: int
    false_alarms_per_day: float = 1.0
    rejecting_percent: float = 5.0

    def intervals_per_false_alarm(self, interval_seconds: float) -> float:
        """For each test of a machine with this share interval: silence, and those of `REMAINING`."""
        each = self.false_alarms_per_day / (1 + len(REMAINING))
        return intervals_per_false_alarm(max(self.machines, 1), interval_seconds, each)


class ExposureState(msgspec.Struct, frozen=True):
    """What a later process needs; the expectation itself follows from it and the inventory. `given` is what
    the tests were held against."""

    given: float | None
    share_work: float
    heard_at: float | None
    baseline: BaselineState
    tests: tuple[CusumState, ...]


class Exposure:
    """One machine's expectation, its tests, and the gap it is in.

    rate           hashes per second that it should do, None while nobody knows
    heard_at       the last share, credited or refused: a sign of life
    is_waiting     for its first share; until `patient_until` that is no silence
    """

    __slots__ = (
        "_baseline",
        "_interval",
        "_quiet",
        "_quiet_limit",
        "_relearn_at",
        "_terms",
        "_until",
        "given",
        "heard_at",
        "is_waiting",
        "patient_until",
        "rate",
        "share_work",
        "tests",
    )

    def __init__(self, terms: WatchTerms, since: float, given: float | None) -> None:
        self._terms = terms
        self.given = self.rate = given
        self.tests = Shortfall(since)
        self._baseline = Baseline()
        self._relearn_at = RELEARN_SECONDS
        self.share_work = 0.0
        self._interval = self._quiet_limit = math.inf
        self.heard_at: float | None = None
        self.await_first_share(since)
        self._take_baseline()

    def await_first_share(self, at: float) -> None:
        """Nothing counts from `at` until it has delivered again."""
        self.is_waiting = True
        self.patient_until = at + START_GRACE_SECONDS
        self._until = at
        self._quiet = 0.0

    def skip_to(self, at: float) -> None:
        """What was before `at` and is not held against it yet never will be."""
        self._until = max(at, self._until)

    def watch_by(self, terms: WatchTerms) -> None:
        self._terms = terms
        self._tune()

    def expect(self, at: float, given: float | None) -> None:
        """What it should do from now on, None: as it did; what was learned stays, tests begin anew."""
        self.given = self.rate = given
        self.tests.start_anew(at)
        self.skip_to(at)
        self._quiet = 0.0
        self._take_baseline()

    def change_difficulty(self, share_work: float) -> None:
        """Time after `passed` was last told is counted in shares of this work."""
        self.share_work = share_work
        self._tune()

    def heard(self, at: float, work: float, work_squared: float) -> None:
        """Shares came: of credited ones the sums, 0 for refused ones."""
        if not self.is_waiting:
            self._hold(at, work, work_squared)
        elif work > 0:
            self.is_waiting = False
            self._until = at
        else:
            self.patient_until = at + START_GRACE_SECONDS
        self.heard_at = at
        self._quiet = 0.0

    def passed(self, now: float) -> None:
        """Time passed without a share."""
        if not self.is_waiting:
            self._hold(now, 0.0, 0.0)

    def quiet_since(self, now: float) -> float | None:
        """Since when it has said nothing, if that is too long; None if not. `passed` comes first."""
        if self.is_waiting:
            return self.patient_until - START_GRACE_SECONDS if now >= self.patient_until else None
        if self._interval == math.inf:
            return self.heard_at if now >= self._last_sign + START_GRACE_SECONDS else None
        return self.heard_at if self._quiet >= self._quiet_limit - _ROUNDING else None

    @property
    def next_look_at(self) -> float:
        """When a machine that says nothing becomes silent or low, whichever is first."""
        if self.is_waiting:
            return self.patient_until
        if self._interval == math.inf:
            return self._last_sign + START_GRACE_SECONDS
        intervals = min(self._quiet_limit - self._quiet, self.tests.until_alarm)
        return self._until + intervals * self._interval

    def export(self) -> ExposureState:
        return ExposureState(
            self.given, self.share_work, self.heard_at, self._baseline.export(), self.tests.export()
        )

    @classmethod
    def restore(cls, state: ExposureState, terms: WatchTerms, at: float, given: float | None) -> "Exposure":
        """It waits for its first share; then the tests go on where they were, or begin anew where something
        else is expected now."""
        exposure = cls(terms, at, given)
        exposure.share_work, exposure.heard_at = state.share_work, state.heard_at
        exposure._baseline = Baseline.restore(state.baseline)
        exposure._take_baseline()
        if state.given == given:
            exposure.tests.restore(state.tests)
        return exposure

    @property
    def _last_sign(self) -> float:
        return self._until if self.heard_at is None else self.heard_at

    def _hold(self, at: float, work: float, work_squared: float) -> None:
        """Hold the time up to `at`, and the work that came in it, against what is expected."""
        elapsed = max(0.0, at - self._until)
        self._until += elapsed
        if self._interval < math.inf:
            expected = elapsed / self._interval
            if work <= 0:
                expected = min(expected, self._quiet_limit - self._quiet)
                self._quiet += expected
            self.tests.observe(at, expected, work / self.share_work)
        if self.given is None and not self.tests.is_suspicious:
            self._baseline.learn(elapsed, work, work_squared)
            if self._baseline.learned_seconds >= self._relearn_at:
                self._take_baseline()

    def _take_baseline(self) -> None:
        """Compare with the learned rate from now on, by the tests that it is exact enough for."""
        fit = len(REMAINING)
        if self.given is None:
            self._relearn_at = self._baseline.learned_seconds + RELEARN_SECONDS
            fit = self._baseline.tests_fit
            self.rate = self._baseline.hashes_per_second if fit else None
        self.tests.admit(fit)
        self._tune()

    def _tune(self) -> None:
        """Limits follow from the share interval, which follows from the difficulty."""
        if not self.rate or self.share_work <= 0:
            self._interval = self._quiet_limit = math.inf
            return
        self._interval = self.share_work / self.rate
        between = self._terms.intervals_per_false_alarm(self._interval)
        self._quiet_limit = max(silent_after_intervals(between), self._quiet)
        self.tests.tune(between)
