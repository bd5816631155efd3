"""One sequential test (CUSUM) of a machine's shares against a loss; it owns the level, knows no clock.

Theory (Page 1954; Lorden 1971). Count time in expected shares: what the machine should have delivered. If it
does as expected, shares come at rate 1; if only the part ρ of its hashrate remains, at rate ρ. The logarithm
of how much better ρ explains what was seen rises by b = 1 − ρ per expected share of time and falls by a = −ln
ρ with each share. The level S is that sum, kept from falling below 0; the alarm is at S ≥ h. No test with as
few false alarms sees a loss to ρ sooner (in discrete time Moustakides 1986).

Mean time to a false alarm, M. S rises continuously and only falls in jumps, so it meets h exactly: the sum
without its floor is a spectrally negative Lévy process with E e^(r·L(t)) = e^(t·ψ(r)), ψ(r) = b·r + e^(−a·r)
− 1, and the time from 0 to h of the process with the floor has the mean

    M = ∫₀ʰ W(x) dx,   where the scale function W is given by its Laplace transform 1/ψ(r)

(Pistorius, Journal of Theoretical Probability 17, 2004, for q → 0; Kyprianou, Fluctuations of Lévy
Processes, chapter 8: the process reflected at its infimum). So M has the transform
1/(r·ψ(r)); ψ has the zeros 1 (as ρ = e^(−a)) and 0, and the residues there give

    M = e^h / ψ'(1) − h / (a − b) − a² / (2·(a − b)²),   ψ'(1) = b − a·ρ = 1 − ρ + ρ·ln ρ

up to terms that die out within h of a few a. The first term is c·e^h with c = 1 / (1 − ρ + ρ·ln ρ): what one
gets from cycles, too, since a cycle from 0 back to the floor has the mean length 1/b, and 1 − E e^(S at its
end), S without the floor, is ψ'(1)/b.

          ρ    0.95    0.9     0.8     0.6
          c    786.6   193.2   46.54   10.69      expected shares
"""

import math

# The lowest level of an alarm. Below, the formula's neglected terms count, and luck of a few shares would do.
LOWEST_THRESHOLD = 2.0


def mean_time_to_false_alarm(remaining: float, threshold: float) -> float:
    """M, in expected shares, for a loss to `remaining` of the rate (above 0, below 1)."""
    rise, drop = 1 - remaining, -math.log(remaining)
    return math.exp(threshold) / (rise - drop * remaining) - _missing(rise, drop, threshold)


def threshold_for(remaining: float, mean_time: float) -> float:
    """The h at which false alarms are `mean_time` expected shares apart in the mean, at least the lowest."""
    rise, drop = 1 - remaining, -math.log(remaining)
    threshold = LOWEST_THRESHOLD
    for _ in range(50):  # a contraction: e^h grows faster than h
        wanted = math.log((rise - drop * remaining) * (mean_time + _missing(rise, drop, threshold)))
        wanted = max(LOWEST_THRESHOLD, wanted)
        if abs(wanted - threshold) < 1e-6:
            return wanted
        threshold = wanted
    return threshold


def _missing(rise: float, drop: float, threshold: float) -> float:
    drift = drop - rise
    return threshold / drift + drop * drop / (2 * drift * drift)


class Cusum:
    """The level of one machine's test, and what was seen since it left 0.

    `since`, `expected`, `counted`: when S left 0 last, and the shares expected and counted since: the most
    likely beginning of a loss, and its size. After an alarm S is held at h, and `recovering_*` is what was
    seen since it was last there."""

    __slots__ = (
        "counted",
        "drop",
        "expected",
        "is_alarmed",
        "level",
        "recovering_counted",
        "recovering_expected",
        "remaining",
        "rise",
        "since",
        "threshold",
    )

    def __init__(self, remaining: float, since: float) -> None:
        self.remaining = remaining
        self.rise = 1 - remaining
        self.drop = -math.log(remaining)
        self.threshold = math.inf
        self.start_anew(since)

    def start_anew(self, since: float) -> None:
        """Forget everything, an alarm as well."""
        self.level = self.expected = self.counted = 0.0
        self.recovering_expected = self.recovering_counted = 0.0
        self.since = since
        self.is_alarmed = False

    def observe(self, at: float, expected: float, counted: float) -> bool:
        """`counted` shares came while `expected` should have, up to `at`; True where this ends an alarm.

        Where in a batch its shares lay is not known; they are taken to be evenly spaced, with equal gaps
        before the first and after the last. Then all steps between two shares go in one direction, and so the
        floor is met at the end or not at all: a closed form. For batches of less than a share this is the
        exact test with a share's time wrong by a quarter of a poll; a poll of 0.5 s with a share every 4 s
        moves the time between false alarms by less than one can measure."""
        gap = expected / (counted + 1.0)
        step = self.rise * gap
        peak = self.level + step
        level = self.level + counted * (step - self.drop)
        if self.is_alarmed:
            self.recovering_expected += expected
            self.recovering_counted += counted
        if level <= 0 < counted:
            ended, self.is_alarmed = self.is_alarmed, False
            self.level = step
            self.since, self.expected, self.counted = at, gap, 0.0
            return ended
        self.level = level = level + step
        self.expected += expected
        self.counted += counted
        if level >= self.threshold or peak >= self.threshold:
            self.is_alarmed = True
            self.level = min(level, self.threshold)
            self.recovering_expected = self.recovering_counted = 0.0
        return False

    def judge_by(self, at: float, expected: float, counted: float) -> None:
        """Take the evidence of a recovery that a steeper test has seen: no higher level than it gives. An
        alarm ends here, too, only at 0."""
        self.level = min(self.level, max(0.0, self.rise * expected - self.drop * counted))
        if self.level <= 0:
            self.is_alarmed = False
            self.since, self.expected, self.counted = at, 0.0, 0.0
