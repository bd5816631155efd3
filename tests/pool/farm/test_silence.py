"""When no share is no luck any more."""

import random

import pytest

from pool.farm.silence import FEWEST_INTERVALS, intervals_per_false_alarm, silent_after_intervals


def test_the_founding_farm_waits_for_eighteen_intervals() -> None:
    between = intervals_per_false_alarm(2_500, 4.0, 1.0)
    assert between == 54_000_000  # 2,500 machines, each with 21,600 gaps a day
    # ln 54,000,000 = ln 5.4 + 7 · ln 10 = 1.6864 + 16.1181
    assert silent_after_intervals(between) == pytest.approx(17.8045, abs=1e-4)


def test_a_machine_alone_is_given_five_intervals_at_least() -> None:
    assert silent_after_intervals(intervals_per_false_alarm(1, 3_600.0, 24.0)) == FEWEST_INTERVALS


def test_a_farm_of_different_machines_has_as_many_false_alarms_as_allowed() -> None:
    """Half of 100 machines have a share every 4 s, half every 20 s; 2,000 false alarms a day are allowed."""
    rng = random.Random(11)
    false_alarms = 0
    for interval in (4.0, 20.0):
        limit = interval * silent_after_intervals(intervals_per_false_alarm(100, interval, 2_000.0))
        gaps = round(50 * 86_400 / interval)  # of 50 machines in a day
        false_alarms += sum(rng.expovariate(1 / interval) > limit for _ in range(gaps))
    assert false_alarms == pytest.approx(2_000, rel=0.07)  # three times √2,000
