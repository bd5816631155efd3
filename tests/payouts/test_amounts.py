"""Splitting by largest remainder: exact sums always, ties to the earlier position."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.amounts import split

COINS = 100_000_000


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (100, [1], [100]),
        (100, [1, 1], [50, 50]),
        (100, [1, 3], [25, 75]),
        # 10 · 1/3 = 3 rest 1 each: one satoshi is left, all remainders are equal, the first position has it
        (10, [1, 1, 1], [4, 3, 3]),
        # 11 · 1/3 = 3 rest 2 each: two are left, for the first two
        (11, [1, 1, 1], [4, 4, 3]),
        # 10 · 1/6 = 1 rest 4, 10 · 2/6 = 3 rest 2, 10 · 3/6 = 5 rest 0: the one left goes to the rest of 4
        (10, [1, 2, 3], [2, 3, 5]),
        # the same the other way round: a greater remainder comes before an earlier position
        (10, [3, 2, 1], [5, 3, 2]),
        # 7 · 3/8 = 2 rest 5, twice; 7 · 2/8 = 1 rest 6: two left, for the 6 and the first of the 5s
        (7, [3, 3, 2], [3, 2, 2]),
        (1, [1, 1, 1], [1, 0, 0]),
        (1, [1, 1, 2], [0, 0, 1]),  # 1 · 1/4 = 0 rest 1, twice; 1 · 2/4 = 0 rest 2
        (0, [1, 2], [0, 0]),
        (100, [0, 1, 0], [0, 100, 0]),
        (10, [0, 1, 1, 1], [0, 4, 3, 3]),  # who did nothing has no remainder to win with
        # weights beyond 64 bits, as work is: 3 · 2^200 parts of a block, 1 : 2
        (625_000_000, [2**200, 2**201], [208_333_333, 416_666_667]),  # 208,333,333⅓ and 416,666,666⅔
    ],
)
def test_a_split_by_hand(total: int, weights: list[int], shares: list[int]) -> None:
    assert split(total, weights) == shares


def test_nobody_to_split_among_is_an_error() -> None:
    for weights in ([], [0], [0, 0, 0]):
        with pytest.raises(ValueError, match="nobody to split among"):
            split(50 * COINS, weights)


def test_even_nothing_is_not_split_among_nobody() -> None:
    with pytest.raises(ValueError, match="nobody"):
        split(0, [])


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (10, [1, -1]), (10, [-1]), (10, [2, -1, 0])])
def test_negative_amounts_and_weights_are_an_error(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="not negative"):
        split(total, weights)


totals = st.integers(0, 21_000_000 * COINS)
weight_lists = st.lists(st.integers(0, 2**256), min_size=1, max_size=50).filter(any)


@given(total=totals, weights=weight_lists)
def test_the_shares_sum_to_the_total_exactly(total: int, weights: list[int]) -> None:
    shares = split(total, weights)
    assert len(shares) == len(weights)
    assert sum(shares) == total
    assert all(type(share) is int and share >= 0 for share in shares)


@given(total=totals, weights=weight_lists)
def test_nobody_is_more_than_a_satoshi_off(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    for share, weight in zip(split(total, weights), weights, strict=True):
        # |share − total · weight / whole| < 1, without fractions
        assert abs(share * whole - total * weight) < whole


@given(total=totals, weights=weight_lists, factor=st.integers(1, 2**64))
def test_only_proportions_count(total: int, weights: list[int], factor: int) -> None:
    assert split(total, [weight * factor for weight in weights]) == split(total, weights)


@given(total=totals, weights=weight_lists)
def test_who_weighs_more_has_no_less(total: int, weights: list[int]) -> None:
    shares = split(total, weights)
    by_weight = sorted(range(len(weights)), key=lambda position: (weights[position], -position))
    ordered = [shares[position] for position in by_weight]
    assert ordered == sorted(ordered)
