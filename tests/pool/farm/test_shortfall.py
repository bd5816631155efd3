"""Several tests side by side: which speaks when, and how long a machine stays low."""

import random

import pytest

from pool.farm.shortfall import REMAINING, Shortfall

# Each test of each machine of a farm of 2,500 with a share every 4 s, one false alarm a day by five tests.
FOUNDING_FARM = 270e6


def founding() -> Shortfall:
    tests = Shortfall(0.0)
    tests.tune(FOUNDING_FARM)
    return tests


def deliver(tests: Shortfall, rng: random.Random, part: float, shares: float, start: float = 0.0) -> None:
    """Let shares come at `part` of the expected rate, for as long as `shares` are expected."""
    at = start
    while (gap := rng.expovariate(part)) + at < start + shares:
        at += gap
        tests.observe(at, gap, 1.0)
    tests.observe(start + shares, start + shares - at, 0.0)


@pytest.mark.parametrize(("part", "shares"), [(0.95, 30_000), (0.9, 8_000), (0.8, 2_500), (0.5, 250)])
def test_a_loss_is_found_and_its_size_told(part: float, shares: int) -> None:
    tests = founding()
    deliver(tests, random.Random(2), part, shares)
    assert tests.is_low
    assert tests.delivered == pytest.approx(part, abs=0.1)


def test_after_a_repair_of_a_half_loss_the_machine_is_low_for_minutes_not_hours() -> None:
    tests, rng = founding(), random.Random(3)
    deliver(tests, rng, 0.5, 5_000)  # hours: each of the tests is alarmed
    deliver(tests, rng, 1.0, 450, start=5_000.0)  # half an hour at 4 s
    assert not tests.is_low


def test_a_machine_that_has_come_back_in_part_stays_low() -> None:
    tests, rng = founding(), random.Random(3)
    deliver(tests, rng, 0.4, 5_000)
    start = 5_000.0
    while start < 15_000:
        deliver(tests, rng, 0.75, 50, start)
        start += 50
        assert tests.is_low
    deliver(tests, rng, 1.0, 3_000, start)  # three hours: the shallow tests had seen the rest of a loss
    assert not tests.is_low


def test_tests_that_do_not_take_part_raise_no_alarm() -> None:
    tests = founding()
    tests.admit(1)
    deliver(tests, random.Random(2), 0.9, 8_000)
    assert not tests.is_low  # at 0.9 the test of 0.6 falls: 0.4 − 0.9 · 0.511 < 0
    tests.admit(len(REMAINING))
    deliver(tests, random.Random(2), 0.9, 8_000, start=8_000.0)
    assert tests.is_low


def test_until_alarm_is_the_time_that_no_share_would_take() -> None:
    tests = founding()
    tests.observe(1.0, tests.until_alarm - 0.01, 0.0)
    assert not tests.is_low
    tests.observe(2.0, 0.02, 0.0)
    assert tests.is_low


def test_levels_and_alarms_survive_a_restart() -> None:
    tests, rng = founding(), random.Random(2)
    deliver(tests, rng, 0.5, 300)
    restored = founding()
    restored.restore(tests.export())
    assert restored.export() == tests.export()
    assert restored.is_low
    assert restored.low_since == tests.low_since
