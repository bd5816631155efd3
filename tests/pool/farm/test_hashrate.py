"""Hashrate over a window: right in the mean from the first minute on, and as uncertain as it says."""

import itertools
import math
import random
from collections.abc import Iterator

import pytest

from pool.farm.hashrate import RateWindow

RATE = 240e9  # hashes per second: one machine of the founding farm
MINUTE, TEN_MINUTES, HOUR, DAY = 60.0, 600.0, 3600.0, 86_400.0


def arrivals(
    rng: random.Random, interval: float, until: float, period: float
) -> Iterator[tuple[float, float]]:
    """Times and work of shares; each `period` the difficulty takes another step, as vardiff would."""
    steps = itertools.cycle([1.0, 0.25, 0.5, 2.0, 0.5])
    for start in itertools.count():
        at, ends = start * period, (start + 1) * period  # arrivals have no memory: draw anew at each step
        factor = next(steps)
        while (at := at + rng.expovariate(1 / (interval * factor))) < ends:
            if at > until:
                return
            yield at, RATE * interval * factor
        if ends > until:
            return


def filled(rng: random.Random, seconds: float, interval: float, until: float) -> RateWindow:
    window = RateWindow(seconds, 0.0)
    for at, work in arrivals(rng, interval, until, seconds / 4):
        window.add(at, work, work * work)
    return window


def mean_and_coverage(seconds: float, interval: float, until: float, runs: int) -> tuple[float, float]:
    """The mean of the estimates in units of the truth, and how often the interval holds the truth."""
    rng = random.Random(f"{seconds} {interval} {until}")
    total, inside = 0.0, 0
    for _ in range(runs):
        rate = filled(rng, seconds, interval, until).estimate(until, RATE * interval)
        total += rate.hashes_per_second / RATE
        inside += rate.lower <= RATE <= rate.upper
    return total / runs, inside / runs


@pytest.mark.parametrize(
    ("seconds", "interval"),
    # Full windows of about 150 effective shares and more: 2τ / interval where the difficulty stays.
    [(MINUTE, 0.4), (TEN_MINUTES, 4.0), (HOUR, 40.0), (DAY, 900.0)],
)
@pytest.mark.parametrize("part", [0.5, 3.0])  # of the window that has passed: warming up, and full
def test_many_shares_give_the_rate_and_its_uncertainty(seconds: float, interval: float, part: float) -> None:
    mean, coverage = mean_and_coverage(seconds, interval, part * seconds, runs=1_000)
    assert mean == pytest.approx(1.0, abs=0.01)  # 1,000 runs of 10 % each: 0.3 %
    assert 0.93 <= coverage <= 0.97  # 1,000 runs: ± 0.7 %


@pytest.mark.parametrize(
    ("seconds", "interval", "until"),
    [
        (MINUTE, 10.0, 10.0),  # one share, or a few of less work
        (MINUTE, 10.0, 300.0),
        (TEN_MINUTES, 300.0, 300.0),
        (HOUR, 1_800.0, 7_200.0),
        (DAY, 43_200.0, 86_400.0),
    ],
)
def test_few_shares_are_no_less_certain_than_they_say(seconds: float, interval: float, until: float) -> None:
    mean, coverage = mean_and_coverage(seconds, interval, until, runs=4_000)
    assert mean == pytest.approx(1.0, abs=0.03)  # 4,000 runs of up to 80 % each: 1.3 %
    assert coverage >= 0.93


def test_in_a_full_window_shares_count_twice_the_time_constant() -> None:
    window = RateWindow(600.0, 0.0)
    for n in range(1, 3_001):
        window.add(4.0 * n, 1e12, 1e24)
    # (Σ d)² / Σ d² of a geometric series, d = e^(−4/600): (1 + d) / (1 − d) = 300.0 = 2 · 600 / 4
    assert window.effective_shares == pytest.approx(300.0, abs=0.01)
    # Σ d = 1 / (1 − d) = 150.5, of 150 intervals' worth: a share has come just now.
    assert window.hashes_per_second(12_000.0) == pytest.approx(1e12 / 4 * 150.5 / 150, rel=1e-5)


def test_before_anything_is_seen_only_the_present_difficulty_bounds_the_rate() -> None:
    window = RateWindow(60.0, 100.0)
    rate = window.estimate(160.0, share_work=1e12)
    # No share in 60 · (1 − 1/e) = 37.93 s of full weight: at most 3.689 shares (Garwood).
    assert rate.hashes_per_second == rate.lower == rate.effective_shares == 0
    assert rate.upper == pytest.approx(3.689e12 / 37.93, rel=1e-3)
    assert window.estimate(160.0).upper == math.inf
    assert window.estimate(100.0, share_work=1e12).upper == math.inf


def test_ten_shares_of_equal_weight_have_garwoods_interval() -> None:
    window = RateWindow(86_400.0, 0.0)
    window.add(100.0, 10e12, 10e24)
    rate = window.estimate(100.0, share_work=1e12)
    # 4.795 to 18.39 shares in 100 s; the window's weight falls by 0.06 % in that time.
    assert rate.effective_shares == pytest.approx(10)
    assert rate.lower == pytest.approx(4.795e10, rel=1e-3)
    assert rate.upper == pytest.approx(18.39e10, rel=1e-3)


def test_a_machine_that_stopped_long_ago_is_not_known_to_be_slow_beyond_doubt() -> None:
    window = RateWindow(60.0, 0.0)
    window.add(10.0, 1e12, 1e24)
    rate = window.estimate(910.0, share_work=1e12)
    assert rate.hashes_per_second < 1e6  # e^(−15) of a share in a minute
    assert rate.upper == pytest.approx(3.689e12 / 60, rel=1e-3)


def test_the_order_of_batches_makes_no_difference() -> None:
    rng = random.Random(3)
    batches = [(at, n * 1e12, n * 1e24) for at, n in zip(range(1, 400, 7), itertools.cycle([1, 3, 2]))]
    shuffled = rng.sample(batches, len(batches))
    first, second = RateWindow(60.0, 0.0), RateWindow(60.0, 0.0)
    for batch in batches:
        first.add(*batch)
    for batch in shuffled:
        second.add(*batch)
    assert first.hashes_per_second(400.0) == pytest.approx(second.hashes_per_second(400.0), rel=1e-12)
    assert first.effective_shares == pytest.approx(second.effective_shares, rel=1e-12)


@pytest.mark.parametrize("at", [-1e18, 1e18])
def test_times_from_far_away_do_not_overflow(at: float) -> None:
    window = RateWindow(60.0, 0.0)
    window.add(50.0, 1e12, 1e24)
    window.add(at, 1e12, 1e24)
    window.add(60.0, 1e12, 1e24)
    assert math.isfinite(window.estimate(60.0).hashes_per_second)


def test_work_of_before_the_window_began_is_none_of_it() -> None:
    """An hour of frames that are read again would be shown as done within a moment."""
    window = RateWindow(TEN_MINUTES, since=HOUR)
    for second in range(0, 3_600, 4):
        window.add(second, 4 * RATE, (4 * RATE) ** 2)
    assert window.hashes_per_second(HOUR + 1) == 0
    window.add(HOUR + 4, 4 * RATE, (4 * RATE) ** 2)
    assert window.hashes_per_second(HOUR + 4) == pytest.approx(RATE, rel=0.01)


def test_a_window_goes_on_after_a_restart_as_if_there_had_been_none() -> None:
    window = filled(random.Random(4), 600.0, 4.0, 900.0)
    restored = RateWindow.restore(window.export())
    for each in (window, restored):
        each.add(905.0, 1e12, 1e24)
    assert restored.estimate(910.0) == window.estimate(910.0)
