"""Vardiff: honest machines settle and are left alone, floods are answered, silence is met with patience."""

import random

import pytest

from stratum.vardiff import DifficultyMemory, Vardiff, poisson_lower, poisson_upper, three_bits


@pytest.mark.parametrize(
    ("count", "lower", "upper"),
    # Garwood's exact 95 % interval of a Poisson mean, as tabulated (Ulm 1990).
    [
        (1, 0.0253, 5.572),
        (5, 1.623, 11.668),
        (10, 4.795, 18.390),
        (30, 20.241, 42.827),
        (100, 81.364, 121.627),
    ],
)
def test_the_interval_is_the_tabulated_one(count: int, lower: float, upper: float) -> None:
    assert poisson_lower(count) == pytest.approx(lower, abs=0.05)
    assert poisson_upper(count) == pytest.approx(upper, abs=0.05)


def test_no_share_seen_bounds_the_mean_by_three_point_seven() -> None:
    assert poisson_lower(0) == 0
    assert poisson_upper(0) == pytest.approx(3.689, abs=0.05)


def shares_at(vardiff: Vardiff, times: list[float]) -> list[bool]:
    return [vardiff.share(vardiff.difficulty, time) for time in times]


def test_a_rate_inside_the_interval_changes_nothing() -> None:
    vardiff = Vardiff(1024, 10)
    vardiff.start(1024, 0)
    shares_at(vardiff, [10.0 * n for n in range(1, 7)])
    assert vardiff.review(60) is None


def test_a_machine_twice_too_fast_is_given_twice_the_difficulty() -> None:
    vardiff = Vardiff(1024, 10)
    vardiff.start(1024, 0)
    shares_at(vardiff, [5.0 * n for n in range(1, 41)])
    assert vardiff.review(200) == 2048  # 40 shares where 20 were expected


def test_a_step_is_four_at_most() -> None:
    vardiff = Vardiff(1024, 10)
    vardiff.start(1024, 0)
    shares_at(vardiff, [n * 0.5 for n in range(1, 121)])
    assert vardiff.review(60) == 4096  # twenty times too fast


def test_silence_lowers_by_four_and_not_before_it_is_significant() -> None:
    vardiff = Vardiff(1024, 10)
    vardiff.start(1024, 0)
    assert vardiff.review(30) is None  # 3 expected, none seen: 5 % of honest machines
    assert vardiff.review(40) == 256


def test_a_flood_is_seen_at_a_power_of_two_of_shares_and_answered_by_a_large_step() -> None:
    vardiff = Vardiff(1, 10)
    vardiff.start(1, 0)
    alarms = shares_at(vardiff, [n * 0.01 for n in range(1, 9)])  # a thousand times too fast
    assert alarms[0] is True
    assert vardiff.flooded(0.08) == 256


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(1000.0, 1024.0), (700.0, 640.0), (710.0, 768.0), (3.3, 3.5), (0.00015, 0.000152587890625)],
)
def test_difficulties_have_three_significant_bits(value: float, rounded: float) -> None:
    # 0.00015 = 0.6144 × 2^-12; 0.6144 × 8 = 4.9, so 5/8 × 2^-12 = 0.000152587890625
    assert three_bits(value) == rounded


def test_shares_of_an_older_difficulty_count_by_their_work() -> None:
    vardiff = Vardiff(1024, 10)
    vardiff.start(1024, 0)
    for n in range(40):
        vardiff.share(512, 5.0 * n)
    assert vardiff.weight == 20.0
    assert vardiff.review(200) is None


@pytest.mark.parametrize("true_difficulty", [3.0, 700.0, 45_000.0])
def test_steady_work_settles_at_one_share_an_interval(true_difficulty: float) -> None:
    """Poisson arrivals of a machine whose ideal difficulty is given, reviewed every 20 s for an hour."""
    rng = random.Random(7)  # a simulation, repeatable
    vardiff = Vardiff(16384, 10)
    vardiff.start(16384, 0)
    now, changes_late = 0.0, 0
    arrivals: list[float] = []
    for review_at in range(20, 3600, 20):
        while (now := now + rng.expovariate(true_difficulty / vardiff.difficulty / 10)) < review_at:
            vardiff.share(vardiff.difficulty, now)
            arrivals.append(now)
        now = float(review_at)  # arrivals have no memory: draw anew, at the difficulty of the next job
        wanted = vardiff.review(now)
        if wanted is not None:
            changes_late += review_at > 1800
            vardiff.start(wanted, now)
    assert 90 <= sum(time > 2400 for time in arrivals) <= 160  # 120 expected in the last 1200 s
    assert 0.6 <= vardiff.difficulty / true_difficulty <= 1.67
    assert changes_late <= 3  # luck may move it once in a while


def test_a_returning_worker_starts_at_half_of_what_it_had() -> None:
    memory = DifficultyMemory()
    memory.remember(("addr", "rig", "antminer"), 65536, 0)
    assert memory.recall(("addr", "rig", "antminer"), 3600) == 32768
    assert memory.recall(("addr", "rig", "nerdminer"), 3600) is None
    assert memory.recall(("addr", "rig", "antminer"), 24 * 3600 + 1) is None


def test_the_memory_is_bounded() -> None:
    memory = DifficultyMemory(capacity=2)
    for n in range(3):
        memory.remember(("addr", str(n), "x"), 8, 0)
    assert [memory.recall(("addr", str(n), "x"), 0) for n in range(3)] == [None, 4, 4]
