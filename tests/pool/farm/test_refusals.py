"""Refused work: how much is too much, and on what evidence."""

import random

import pytest

from pool.farm.refusals import MOST_REASONS, Refusals

WORK, TOLERATED = 1e12, 5.0


def watched(refused: float, shares: int, rng: random.Random, interval: float = 4.0) -> Refusals:
    refusals = Refusals(0.0)
    send(refusals, refused, shares, rng, interval)
    return refusals


def send(
    refusals: Refusals,
    refused: float,
    shares: int,
    rng: random.Random,
    interval: float = 4.0,
    start: float = 0.0,
) -> None:
    at = start
    for _ in range(shares):
        at += rng.expovariate(1 / interval)
        if rng.random() < refused:
            refusals.refuse(at, "stale", 1, WORK, TOLERATED)
        else:
            refusals.credit(at, WORK, WORK * WORK, TOLERATED)


def test_honest_machines_do_not_trip() -> None:
    """0.5 % refused, 300 machines for an hour each."""
    rng = random.Random(1)
    assert not any(watched(0.005, 900, rng).is_rejecting for _ in range(300))


def test_at_the_tolerated_part_luck_is_no_alarm_as_a_rule() -> None:
    rng = random.Random(2)
    tripped = sum(watched(0.05, 150, rng).is_rejecting for _ in range(300))
    assert tripped <= 6  # 0.001 at each look, of some ten looks that are independent


@pytest.mark.parametrize("refused", [0.5, 1.0])
def test_a_machine_that_has_half_its_work_refused_is_found_within_three_minutes(refused: float) -> None:
    rng = random.Random(3)
    assert all(watched(refused, 45, rng).is_rejecting for _ in range(300))


def test_twelve_percent_is_found_within_twenty_minutes() -> None:
    rng = random.Random(3)
    assert sum(watched(0.12, 300, rng).is_rejecting for _ in range(200)) >= 150


def test_one_of_five_is_no_evidence() -> None:
    refusals = Refusals(0.0)
    for n in range(4):
        refusals.credit(4.0 * n, WORK, WORK * WORK, TOLERATED)
    refusals.refuse(16.0, "stale", 1, WORK, TOLERATED)
    assert refusals.part(16.0) > 0.2  # the newest counts a little more
    assert not refusals.is_rejecting


def test_a_burst_of_old_shares_on_a_new_connection_is_no_alarm() -> None:
    refusals = Refusals(0.0)
    refusals.refuse(0.5, "unknown job", 7, 7 * WORK, TOLERATED)
    assert not refusals.is_rejecting


def test_it_ends_when_the_part_is_tolerable_again() -> None:
    rng = random.Random(4)
    refusals = watched(0.5, 300, rng)
    send(refusals, 0.0, 75, rng, start=1_200.0)  # five minutes
    assert refusals.is_rejecting  # 50 % / e = 18 %
    send(refusals, 0.0, 150, rng, start=1_500.0)  # 15 minutes: 50 % / e³ = 2.5 %
    assert not refusals.is_rejecting


def test_parts_are_told_by_reason_largest_first() -> None:
    refusals = Refusals(0.0)
    refusals.refuse(10.0, "stale", 1, WORK, TOLERATED)
    refusals.refuse(10.0, "duplicate", 3, 3 * WORK, TOLERATED)
    refusals.credit(10.0, 4 * WORK, 4 * WORK * WORK, TOLERATED)
    assert list(refusals.parts(10.0).items()) == [
        ("duplicate", pytest.approx(3 / 8)),
        ("stale", pytest.approx(1 / 8)),
    ]
    assert refusals.part(600.0) == pytest.approx(0.5)  # time alone changes no proportion


def test_however_many_reasons_there_are_few_are_kept() -> None:
    refusals = Refusals(0.0)
    for n in range(1_000):
        refusals.refuse(10.0, f"reason {n}", 1, WORK, TOLERATED)
    assert len(refusals.parts(10.0)) == MOST_REASONS + 1
    assert refusals.parts(10.0)["other"] == pytest.approx((1_000 - MOST_REASONS) / 1_000)


def test_refusals_survive_a_restart() -> None:
    refusals = watched(0.5, 100, random.Random(5))
    restored = Refusals.restore(refusals.export())
    assert restored.is_rejecting
    assert restored.part(400.0) == pytest.approx(refusals.part(400.0), rel=1e-12)
    assert restored.parts(400.0) == refusals.parts(400.0)
