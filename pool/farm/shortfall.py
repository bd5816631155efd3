"""Whether a machine delivers less than it should: several CUSUM tests side by side, from steep to shallow.

One test is best for one loss. A steep one (ρ = 0.6) sees half the rate gone soonest, but would wait for
5 % forever; a shallow one finds 5 % in hours. Together they lose a little: each is allowed only its part of
the false alarms, which raises its threshold by ln 4. 0.6 and not 0.5 is the steepest: for a loss of half, its
median is 4 % later, and its slowest hundredth far sooner.

An alarm stays until there is as much evidence for the full rate as there was for the loss: S is held at its
threshold and has to fall to 0. The steepest alarmed test gets there first, a hundred times sooner than the
shallowest, whose level was filled by the same loss. It then speaks for the others: their level becomes what
the shares since the beginning of the recovery give, held between 0 and their threshold. So a machine that was
at half its rate and was repaired is `ok` after some minutes, and one that has come back to 80 % stays `low`.
"""

import math

import msgspec

from pool.farm.cusum import Cusum, threshold_for

REMAINING = (0.6, 0.8, 0.9, 0.95)  # steep to shallow


class CusumState(msgspec.Struct, frozen=True, array_like=True):
    """What one test has seen; its threshold follows from the settings."""

    level: float
    since: float
    expected: float
    counted: float
    is_alarmed: bool
    recovering_expected: float
    recovering_counted: float


class Shortfall:
    """The tests of one machine. Those that its baseline is not exact enough for take no part.

    is_low         some test is alarmed
    is_suspicious  some test is more than half way to its alarm: a time not to learn from
    until_alarm    expected shares that have to be missing before the next alarm; ∞: none can come
    """

    __slots__ = ("_steepest_alarmed", "_taking_part", "_tests", "is_low", "is_suspicious", "until_alarm")

    def __init__(self, since: float) -> None:
        self._tests = [Cusum(remaining, since) for remaining in REMAINING]
        self._taking_part = self._tests
        self._look()

    def tune(self, mean_time: float) -> None:
        """False alarms of each test shall be `mean_time` expected shares apart in the mean."""
        for test in self._tests:
            test.threshold = threshold_for(test.remaining, mean_time)
        self._look()

    def admit(self, tests: int) -> None:
        """Let the steepest `tests` take part; others wait, and start at 0."""
        for test in self._tests[tests:]:
            test.start_anew(test.since)
        self._taking_part = self._tests[:tests]
        self._look()

    def start_anew(self, since: float) -> None:
        """Forget all levels and alarms: what comes is another machine, or the same one after a rest."""
        for test in self._tests:
            test.start_anew(since)
        self._look()

    def observe(self, at: float, expected: float, counted: float) -> None:
        """`counted` shares (of the present difficulty) came while `expected` should have, up to `at`."""
        for index, test in enumerate(self._taking_part):
            if test.observe(at, expected, counted):
                for shallower in self._taking_part[index + 1 :]:
                    shallower.judge_by(at, test.recovering_expected, test.recovering_counted)
        self._look()

    @property
    def low_since(self) -> float | None:
        """The most likely beginning of the loss; None where there is none."""
        test = self._steepest_alarmed
        return None if test is None else test.since

    @property
    def delivered(self) -> float | None:
        """The part of the expected rate that came since `low_since`; None where nothing is low."""
        test = self._steepest_alarmed
        return None if test is None or test.expected <= 0 else test.counted / test.expected

    def export(self) -> tuple[CusumState, ...]:
        return tuple(
            CusumState(
                test.level,
                test.since,
                test.expected,
                test.counted,
                test.is_alarmed,
                test.recovering_expected,
                test.recovering_counted,
            )
            for test in self._tests
        )

    def restore(self, states: tuple[CusumState, ...]) -> None:
        """Take the levels of an earlier process; a different number of tests starts them anew."""
        if len(states) != len(self._tests):
            return
        for test, state in zip(self._tests, states, strict=True):
            for name in state.__struct_fields__:
                setattr(test, name, getattr(state, name))
        self._look()

    def _look(self) -> None:
        """What follows from the levels, in one pass: it is asked for with each share."""
        self._steepest_alarmed: Cusum | None = None
        self.is_suspicious = False
        self.until_alarm = math.inf
        for test in self._taking_part:
            if test.level * 2 > test.threshold:
                self.is_suspicious = True
            if not test.is_alarmed:
                until = (test.threshold - test.level) / test.rise
                if until < self.until_alarm:
                    self.until_alarm = until
            elif self._steepest_alarmed is None:
                self._steepest_alarmed = test
        self.is_low = self._steepest_alarmed is not None
