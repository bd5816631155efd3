"""The odds of ruin, against numbers by hand and against simulated pools."""

import random
from decimal import Decimal

import pytest

from payouts.ruin import ruin_probability

COINS = 100_000_000


@pytest.mark.parametrize(("blocks", "odds"), [(0, "1"), (1, "0.5"), (2, "0.25"), (10, "0.0009765625")])
def test_odds_by_hand(blocks: int, odds: str) -> None:
    # With y = ln 2 the equation reads 1 − 1/2 = ρ·ln 2, so ρ = 1/(2 ln 2) = 0.721347520444481703…, and each
    # block of reserve halves the odds.
    probability = ruin_probability(blocks * 10**18, 10**18, 721_347_520_444_481_704)
    assert abs(probability - Decimal(odds)) < Decimal("1e-11")


def test_a_small_fee_gives_the_well_known_approximation() -> None:
    # exp(−2·f·u/B) with f = 0.1 % and 500 blocks is e^-1 = 0.36788; the next term of y = 2f + 4f²/3 + …
    # makes it smaller by e^(−500 · 4/3 · 10^-6) = 0.99933
    probability = ruin_probability(500 * COINS, COINS, COINS * 999 // 1_000)
    assert abs(probability - Decimal("0.36763")) < Decimal("0.00001")


def test_without_a_margin_ruin_is_certain() -> None:
    assert ruin_probability(10**15, COINS, COINS) == 1
    assert ruin_probability(10**15, COINS, COINS + 1) == 1
    assert ruin_probability(0, COINS, 1) == 1


def test_who_pays_nothing_is_not_ruined() -> None:
    assert ruin_probability(1, COINS, 0) == 0


def test_a_margin_of_a_satoshi_still_has_an_answer() -> None:
    block = (
        84_000_000 * COINS
    )  # more than any block is worth; y = 2/block, and the odds are e^(−2·reserve/block)
    assert ruin_probability(block, block, block - 1) == 1  # to twelve digits
    assert ruin_probability(10**30, 10**10, 10**10 - 1) == 0  # e^(−2·10^10) is below what Decimal can hold


def test_nonsense_is_an_error() -> None:
    for amounts in ((-1, 1, 1), (1, 0, 0), (1, 1, -1)):
        with pytest.raises(ValueError, match="odds"):
            ruin_probability(*amounts)


def test_simulated_pools_are_ruined_as_often() -> None:
    # Reserve 2 blocks, fee 20 %: each block's wait is exponential with mean 1, and costs 0.8 blocks a unit.
    chance = random.Random(1)
    ruined, pools = 0, 4_000
    for _ in range(pools):
        reserve = 2.0
        while 0 < reserve < 20:  # from 20 blocks on ruin has odds below e^-8
            reserve -= 0.8 * chance.expovariate(1)
            reserve += 1 if reserve > 0 else 0
        ruined += reserve <= 0
    expected = float(ruin_probability(2 * COINS, COINS, COINS * 8 // 10))
    # a standard deviation of this is √(0.4 · 0.6 / 4,000) < 0.008
    assert abs(ruined / pools - expected) < 0.025
