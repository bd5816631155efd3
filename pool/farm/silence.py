"""How long a machine may be without a share before it is called silent; times and counts only.

Theory. Shares of steady work are a Poisson process, so a gap between two of them is longer than k of their
mean intervals with probability e^(−k). A machine begins 86,400 / interval gaps a day, and so many of them are
longer than k:

    86,400 / interval · e^(−k)

Each machine is allowed its part, `false_alarms_per_day` / machines, of the whole farm's false alarms. With
equality, k = ln(machines · 86,400 / (interval · false_alarms_per_day)), and the sum over all machines is
`false_alarms_per_day`, also where their intervals differ. For 2,500 machines with a share every 4 seconds and
one false alarm a day that is k = ln(54,000,000) = 17.8 intervals: 71 seconds.
"""

import math

DAY_SECONDS = 86_400.0
# Nobody is called silent for five intervals without a share, however many false alarms are allowed: those are
# 0.7 % of all gaps, and a machine would be silent several times an hour.
FEWEST_INTERVALS = 5.0


def intervals_per_false_alarm(machines: int, interval_seconds: float, false_alarms_per_day: float) -> float:
    """Share intervals that one machine has to pass, in the mean, between two false alarms of one test, so
    that all machines together raise `false_alarms_per_day`."""
    return machines * DAY_SECONDS / (interval_seconds * false_alarms_per_day)


def silent_after_intervals(intervals_between: float) -> float:
    """k, in the machine's own expected share intervals, from `intervals_per_false_alarm`."""
    return max(FEWEST_INTERVALS, math.log(max(intervals_between, 1.0)))
