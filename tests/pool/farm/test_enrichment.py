"""Whether faults are more than chance: tails against sums that can be checked by hand."""

import math

import pytest

from pool.farm.enrichment import Share, is_struck, log_chance, log_chance_of_arrivals


@pytest.mark.parametrize(
    ("group", "whole", "chance"),
    [
        # all four of a rack of four, of four faults among twelve machines: 1 / C(12, 4) = 1 / 495
        (Share(4, 4), Share(4, 12), 1 / 495),
        # three or four of four: (C(4,3)·C(8,1) + C(4,4)) / C(12, 4) = (32 + 1) / 495
        (Share(3, 4), Share(4, 12), 33 / 495),
        # two faults of two in half of ten machines: C(5,2) / C(10,2) = 10 / 45
        (Share(2, 5), Share(2, 10), 10 / 45),
    ],
)
def test_the_tail_is_fishers(group: Share, whole: Share, chance: float) -> None:
    assert math.exp(log_chance(group, whole)) == pytest.approx(chance)


def test_a_share_like_the_wholes_is_no_surprise() -> None:
    assert log_chance(Share(4, 40), Share(250, 2_500)) == 0


def test_faults_of_more_machines_than_were_counted_are_no_surprise() -> None:
    assert log_chance(Share(3, 40), Share(20, 50)) == 0


@pytest.mark.parametrize(
    ("group", "whole", "is_it"),
    [
        (Share(3, 40), Share(3, 2_500), True),  # (40/2500)^3 = 4e-6
        (Share(2, 2), Share(2, 2_500), False),  # two are a coincidence
        (Share(3, 40), Share(63, 2_500), False),  # a tail of 0.08 at a mean of one
        (Share(4, 4), Share(4, 12), True),  # 1/495, yet wholly, and no other
        (Share(4, 4), Share(6, 12), False),  # a quarter of the others too
        (Share(12, 12), Share(12, 12), False),  # the whole has nothing to be compared with
    ],
)
def test_a_group_is_struck_where_chance_does_not_explain_it(group: Share, whole: Share, is_it: bool) -> None:
    assert is_struck(group, whole) is is_it


def test_arrivals_are_poissons() -> None:
    # P(X ≥ 2) at a mean of 1: 1 − 2/e; P(X ≥ 1) at 0.1: 1 − e^−0.1
    assert math.exp(log_chance_of_arrivals(2, 1)) == pytest.approx(1 - 2 / math.e)
    assert math.exp(log_chance_of_arrivals(1, 0.1)) == pytest.approx(1 - math.exp(-0.1))
    assert log_chance_of_arrivals(1, 2) == 0
