"""Pay per share: exact prices, fractions that are carried, the mean of fees, and when buying ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.pps import (
    UNITS_PER_SAT,
    Paid,
    Rate,
    bought_work,
    fee_part_sats,
    is_buying,
    mean_fee_millionths,
    pay,
    rate_of,
    reserve_left_sats,
    units_for,
)

COINS = 100_000_000
RATE = Rate(network_work=1_000, subsidy_sats=500, fees_sats=0, fee_basis_points=0)


def test_all_the_work_of_a_block_is_worth_its_reward_less_the_fee() -> None:
    rate = Rate(network_work=10**24, subsidy_sats=312_500_000, fees_sats=12_500_000, fee_basis_points=200)
    # 3.25 coins less 2 %: 318,500,000 satoshis
    assert units_for(10**24, rate) == 318_500_000 * 2**32


def test_units_are_rounded_down_once() -> None:
    # 1 · 500 / 1,000 is half a satoshi; 1/3 of a satoshi is 1,431,655,765⅓ units of 2^-32
    assert units_for(1, RATE) == 2**31
    assert units_for(1, Rate(3, 1, 0, 0)) == 1_431_655_765
    # 1 sat less 0.01 %, over 7: (2^32 · 10,000 − 2^32) / 70,000 = 42,945,377,992,704 / 70,000 = 613,505,399.9
    assert units_for(1, Rate(7, 1, 0, 1)) == 613_505_399


def test_whole_satoshis_move_and_the_fraction_stays() -> None:
    assert pay(0, 2**31) == Paid(0, 2**31)
    assert pay(2**31, 2**31) == Paid(1, 0)
    assert pay(5, 3 * 2**32 + 7) == Paid(3, 12)


def test_a_share_is_bought_as_a_whole_block_at_most() -> None:
    assert bought_work(999, RATE) == 999
    assert bought_work(1_000, RATE) == 1_000
    assert bought_work(65_536, RATE) == 1_000


def test_a_rate_is_known_by_its_key() -> None:
    rate = Rate(2**90, 312_500_000, 12, 150)
    assert rate.key == f"{2**90}/312500000/12/150"
    assert rate_of(rate.key) == rate
    for text in ("", "1/2/3", "1/2/3/4/5", "0/2/3/4", "1/-2/3/4", "1/2/3/10001", "1/2/3/x", "1/2/3/²"):
        with pytest.raises(ValueError, match=r"rate|fee"):
            rate_of(text)


def test_negative_work_and_earnings_are_errors() -> None:
    with pytest.raises(ValueError, match="not negative"):
        units_for(-1, RATE)
    for fraction, earned in ((-1, 0), (0, -1)):
        with pytest.raises(ValueError, match="not negative"):
            pay(fraction, earned)


def test_the_mean_of_fees_leaves_a_twentieth_out_at_each_end() -> None:
    # 20 heights: one off each end. 18 of 2 % are left of 0 %, 2 % … 2 %, 900 %.
    heights = dict.fromkeys(range(20), (100, 2)) | {3: (100, 0), 11: (100, 900)}
    assert mean_fee_millionths(heights) == 20_000


def test_below_twenty_heights_nothing_is_left_out() -> None:
    assert mean_fee_millionths({7: (3, 1)}) == 333_333
    assert mean_fee_millionths({7: (100, 1), 8: (100, 2)}) == 15_000


def test_only_the_newest_144_heights_count() -> None:
    # 144 heights: 7 off each end; the older ones would pull the mean up
    heights = {height: (COINS, 0 if height >= 856 else COINS) for height in range(1_000)}
    assert mean_fee_millionths(heights) == 0
    # 72 of 1 % and 72 of 3 %: 65 of each are left
    mixed = {height: (COINS, COINS * (1 + 2 * (height % 2)) // 100) for height in range(1_000)}
    assert mean_fee_millionths(mixed) == 20_000
    # heights that were not seen are not made up for by older ones
    gappy = {height: pair for height, pair in heights.items() if height < 856 or height == 999}
    assert mean_fee_millionths(gappy) == 0


def test_a_ratio_is_of_its_own_heights_subsidy() -> None:
    assert mean_fee_millionths({1: (200, 2), 2: (100, 3)}) == 20_000  # 1 % and 3 %


def test_without_a_template_or_a_subsidy_no_mean_is_guessed() -> None:
    for heights in ({}, {1: (0, 5)}, {1: (5, -1)}):
        with pytest.raises(ValueError, match="mean of fees"):
            mean_fee_millionths(heights)


def test_the_part_of_fees_that_is_paid_for_is_rounded_down() -> None:
    assert fee_part_sats(312_500_000, 20_000) == 6_250_000
    assert fee_part_sats(99, 20_000) == 1  # 1.98


def test_buying_ends_when_the_reserve_is_used_up() -> None:
    assert is_buying(reserve_sats=100, operator_sats=0)
    assert is_buying(100, -99)
    assert not is_buying(100, -100)
    assert not is_buying(100, -101)
    assert is_buying(100, 5)
    assert reserve_left_sats(100, -30) == 70
    assert reserve_left_sats(100, -130) == 0


rates = st.builds(
    Rate, st.integers(1, 2**100), st.integers(0, 50 * COINS), st.integers(0, COINS), st.integers(0, 10_000)
)


@given(rate=rates, works=st.lists(st.integers(0, 2**100), max_size=20))
def test_what_is_paid_is_what_was_earned_less_under_one_unit_for_each_slot(
    rate: Rate, works: list[int]
) -> None:
    paid_sats, fraction = 0, 0
    for work in works:
        paid = pay(fraction, units_for(work, rate))
        assert 0 <= paid.fraction_units < UNITS_PER_SAT
        paid_sats, fraction = paid_sats + paid.sats, paid.fraction_units
    kept = (rate.subsidy_sats + rate.fees_sats) * (10_000 - rate.fee_basis_points) * UNITS_PER_SAT
    # In units times 10,000 · network work: exact on both sides.
    exact = sum(works) * kept
    got = (paid_sats * UNITS_PER_SAT + fraction) * 10_000 * rate.network_work
    assert 0 <= exact - got <= len(works) * 10_000 * rate.network_work


@given(data=st.data(), earned=st.lists(st.integers(0, 2**60), max_size=20))
def test_the_order_of_slots_changes_nothing(data: st.DataObject, earned: list[int]) -> None:
    ends = []
    for order in (earned, data.draw(st.permutations(earned))):
        sats, fraction = 0, 0
        for units in order:
            paid = pay(fraction, units)
            sats, fraction = sats + paid.sats, paid.fraction_units
        ends.append((sats, fraction))
    assert ends[0] == ends[1]
