"""The sequential test: false alarms as rare as computed, whatever the batches, and how an alarm ends."""

import math
import random

import pytest

from pool.farm.cusum import LOWEST_THRESHOLD, Cusum, mean_time_to_false_alarm, threshold_for


def share_by_share(remaining: float, threshold: float, alarms: int, rng: random.Random) -> float:
    """The mean time between false alarms of the test as a textbook has it, in expected shares."""
    rise, drop = 1 - remaining, -math.log(remaining)
    time, level, seen = 0.0, 0.0, 0
    while seen < alarms:
        gap = rng.expovariate(1.0)
        if level + rise * gap >= threshold:
            time += (threshold - level) / rise  # it rises continuously: the alarm is within the gap
            level, seen = 0.0, seen + 1
        else:
            time += gap
            level = max(0.0, level + rise * gap - drop)
    return time / alarms


@pytest.mark.parametrize(
    ("remaining", "threshold", "alarms"), [(0.5, 5.0, 700), (0.6, 4.0, 900), (0.8, 4.0, 500), (0.9, 4.0, 250)]
)
def test_false_alarms_are_as_rare_as_the_formula_says(
    remaining: float, threshold: float, alarms: int
) -> None:
    simulated = share_by_share(remaining, threshold, alarms, random.Random(f"{remaining}"))
    # Times between alarms are nearly exponential: a mean of n of them is good to 1/√n.
    computed = mean_time_to_false_alarm(remaining, threshold)
    assert computed == pytest.approx(simulated, rel=3 / math.sqrt(alarms))


@pytest.mark.parametrize(
    ("remaining", "constant"), [(0.95, 786.55), (0.9, 193.2), (0.8, 46.54), (0.6, 10.69)]
)
def test_far_out_the_mean_time_is_a_constant_times_e_to_the_threshold(
    remaining: float, constant: float
) -> None:
    # c = 1 / (1 − ρ + ρ ln ρ); of 0.6: ln 0.6 = −0.510826, 0.4 − 0.306495 = 0.093505
    assert mean_time_to_false_alarm(remaining, 40.0) / math.exp(40.0) == pytest.approx(constant, rel=1e-3)


@pytest.mark.parametrize("remaining", [0.6, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("mean_time", [20_000.0, 270e6])
def test_a_threshold_gives_the_mean_time_that_was_asked_for(remaining: float, mean_time: float) -> None:
    threshold = threshold_for(remaining, mean_time)
    assert mean_time_to_false_alarm(remaining, threshold) == pytest.approx(mean_time, rel=1e-4)


def test_a_threshold_is_never_so_low_that_a_few_shares_decide() -> None:
    assert threshold_for(0.6, 5.0) == LOWEST_THRESHOLD


def in_batches(remaining: float, threshold: float, batch: float, alarms: int, rng: random.Random) -> float:
    test = Cusum(remaining, 0.0)
    test.threshold = threshold
    time, next_share = 0.0, rng.expovariate(1.0)
    for _ in range(alarms):
        while not test.is_alarmed:
            time += batch
            shares = 0
            while next_share <= time:
                shares += 1
                next_share += rng.expovariate(1.0)
            test.observe(time, batch, shares)
        test.start_anew(time)
    return time / alarms


@pytest.mark.parametrize("batch", [0.125, 0.5])  # polls of 0.5 s, with shares every 4 s and every second
def test_polls_shorter_than_a_share_interval_do_not_change_the_time_between_false_alarms(
    batch: float,
) -> None:
    simulated = in_batches(0.6, 4.0, batch, 900, random.Random(f"{batch}"))
    assert mean_time_to_false_alarm(0.6, 4.0) == pytest.approx(simulated, rel=3 / math.sqrt(900))


def test_long_polls_make_false_alarms_rarer_never_more_frequent() -> None:
    simulated = in_batches(0.6, 4.0, 4.0, 600, random.Random(5))
    assert simulated > mean_time_to_false_alarm(0.6, 4.0)


def alarmed(threshold: float = 3.0) -> Cusum:
    test = Cusum(0.5, 0.0)
    test.threshold = threshold
    test.observe(10.0, 10.0, 0.0)  # 10 shares missing: the level would be 5
    return test


def test_an_alarm_holds_the_level_at_its_threshold() -> None:
    test = alarmed()
    assert test.is_alarmed
    assert test.level == 3.0


def test_an_alarm_ends_when_the_level_is_back_at_zero() -> None:
    test = alarmed()
    # One share for each expected one lowers the level by ln 2 − 0.5 = 0.193 from poll to poll.
    ended = [test.observe(10.0 + n, 1.0, 1.0) for n in range(1, 17)]
    assert (
        ended.index(True) == 14
    )  # 15 · 0.193 = 2.90, and 0.25 more that the share falls before the poll's end
    assert not test.is_alarmed


def test_what_was_seen_since_the_level_left_zero_tells_the_beginning_and_the_size_of_a_loss() -> None:
    test = Cusum(0.5, 0.0)
    test.threshold = 3.0
    for n in range(1, 101):
        test.observe(float(n), 1.0, 1.0)  # as expected: each share brings the level to 0
    for n in range(101, 141, 2):
        test.observe(float(n), 1.0, 0.0)
        test.observe(float(n + 1), 1.0, 1.0)  # half of it
    assert test.is_alarmed
    assert test.since == 100.0
    assert test.counted / test.expected == pytest.approx(0.5, abs=0.01)
