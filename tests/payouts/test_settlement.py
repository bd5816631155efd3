"""Dividing a reward: fees first, exact sums, the operator's part, ties by the text of the account."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.coinbase import earned
from payouts.plan import Fee as PlanFee
from payouts.plan import Payee, Plan
from payouts.settlement import Credit, Fee, Settlement, Terms, settle

OPERATOR = "@operator"
PLAIN = Terms(OPERATOR)
KEEPING = Terms(OPERATOR, unfilled="operator")


def test_fees_are_taken_of_the_full_reward_and_rounded_down() -> None:
    terms = Terms(OPERATOR, (Fee("f", 100), Fee("g", 50)))
    # 1 % of 9,999 is 99.99 → 99; 0.5 % is 49.995 → 49; 9,851 are left: 3/4 is 7,388.25, 1/4 is 2,462.75,
    # and the one left over goes to the greater remainder.
    settled = settle(9_999, {"a": 3, "b": 1}, terms)
    assert settled.credits == (
        Credit("f", 99, "fee"),
        Credit("g", 49, "fee"),
        Credit("a", 7_388, "credit"),
        Credit("b", 2_463, "credit"),
    )
    assert settled.rounding == {"b": 1}
    assert settled.fee_sats == (99, 49)


def test_of_equal_remainders_the_smaller_text_comes_first_in_whatever_order_accounts_are_given() -> None:
    for accounts in ("abc", "cba", "bca"):
        settled = settle(11, dict.fromkeys(accounts, 7), PLAIN)  # 3⅔ each: two are left over
        assert settled.by_account == {"a": 4, "b": 4, "c": 3}
        assert settled.rounding == {"a": 1, "b": 1}


def test_a_solo_finder_has_all_but_the_fees() -> None:
    settled = settle(1_000, {"finder": 1}, Terms(OPERATOR, (Fee("f", 250),)))
    assert settled.credits == (Credit("f", 25, "fee"), Credit("finder", 975, "credit"))


def test_without_work_the_rest_is_the_operators() -> None:
    for weights in ({}, {"a": 0}):
        for missing in (0, 10):
            settled = settle(1_000, weights, Terms(OPERATOR, (Fee("f", 100),)), missing)
            assert settled.credits == (Credit("f", 10, "fee"), Credit(OPERATOR, 990, "operator"))


def test_the_missing_part_of_a_window_is_divided_or_the_operators() -> None:
    weights = {"a": 2, "b": 1}
    # Of N = 5 there are 3: normalised 600 and 300, else 2/5 and 1/5 of 900, and the operator 2/5.
    assert settle(900, weights, PLAIN, missing=2).by_account == {"a": 600, "b": 300}
    kept = settle(900, weights, KEEPING, missing=2)
    assert kept.by_account == {"a": 360, "b": 180}
    assert kept.operator_sats == 360


def test_bought_work_is_the_operators_and_bears_no_fee() -> None:
    terms = Terms(OPERATOR, (Fee("f", 1_000),))
    assert settle(1_000, {OPERATOR: 5}, terms).credits == (
        Credit("f", 0, "fee"),
        Credit(OPERATOR, 1_000, "operator"),
    )
    # Half was bought: 500. Of the other 500 a tenth is the fee, and 450 are a's.
    settled = settle(1_000, {OPERATOR: 5, "a": 5}, terms)
    assert settled.credits == (
        Credit("f", 50, "fee"),
        Credit(OPERATOR, 500, "operator"),
        Credit("a", 450, "credit"),
    )


def test_bought_work_and_the_missing_part_are_both_the_operators() -> None:
    # 3 of 10 bought: 30; of the other 70, 4 of 7 parts were done by a, 3 are missing
    settled = settle(100, {OPERATOR: 3, "a": 4}, KEEPING, missing=3)
    assert settled.credits == (Credit(OPERATOR, 60, "operator"), Credit("a", 40, "credit"))


def test_who_is_too_small_for_a_satoshi_is_left_out() -> None:
    assert settle(2, {"a": 10**9, "b": 1}, PLAIN).credits == (Credit("a", 2, "credit"),)


def test_fees_may_be_the_whole_and_not_more() -> None:
    whole = Terms(OPERATOR, (Fee("f", 4_000), Fee("g", 6_000)))
    assert settle(10, {"a": 1}, whole).credits == (Credit("f", 4, "fee"), Credit("g", 6, "fee"))
    for fees in ((Fee("f", 10_000), Fee("g", 1)), (Fee("f", -1),), (Fee("f", 10_001), Fee("g", -1))):
        with pytest.raises(ValueError, match="basis points"):
            settle(10, {"a": 1}, Terms(OPERATOR, fees))


@pytest.mark.parametrize(
    ("reward", "weights", "missing"), [(-1, {"a": 1}, 0), (1, {"a": -1, "b": 2}, 0), (1, {"a": 1}, -1)]
)
def test_negative_amounts_are_an_error(reward: int, weights: dict[str, int], missing: int) -> None:
    with pytest.raises(ValueError, match="not negative"):
        settle(reward, weights, PLAIN, missing)


rewards = st.integers(0, 84_000_000 * 10**8)
weight_maps = st.dictionaries(
    st.one_of(st.sampled_from(["a", "b", OPERATOR]), st.text("abcxyz", min_size=1, max_size=5)),
    st.integers(0, 2**200),
    max_size=20,
)
fee_lists = st.lists(st.integers(0, 2_500), max_size=4).map(
    lambda points: tuple(Fee(f"fee {at}", point) for at, point in enumerate(points))
)
all_terms = st.builds(Terms, st.just(OPERATOR), fee_lists, st.sampled_from(["normalise", "operator"]))


@given(reward=rewards, weights=weight_maps, terms=all_terms, missing=st.integers(0, 2**200))
def test_all_parts_are_positive_and_sum_to_the_reward(
    reward: int, weights: dict[str, int], terms: Terms, missing: int
) -> None:
    settled = settle(reward, weights, terms, missing)
    assert sum(credit.sats for credit in settled.credits) == reward
    assert all(credit.sats > 0 or credit.kind == "fee" for credit in settled.credits)
    assert all(credit.sats >= 0 for credit in settled.credits)
    assert sum(settled.fee_sats) + settled.operator_sats + sum(settled.by_account.values()) == reward
    earned = {**settled.by_account, OPERATOR: settled.operator_sats}
    assert all(more == 1 and more <= earned[account] for account, more in settled.rounding.items())


@given(data=st.data(), reward=rewards, weights=weight_maps, terms=all_terms, missing=st.integers(0, 2**200))
def test_the_order_in_which_accounts_come_changes_nothing(
    data: st.DataObject, reward: int, weights: dict[str, int], terms: Terms, missing: int
) -> None:
    shuffled = dict(data.draw(st.permutations(list(weights.items()))))
    assert settle(reward, shuffled, terms, missing) == settle(reward, weights, terms, missing)


@given(reward=rewards, weights=weight_maps, fees=fee_lists)
def test_no_miner_is_a_satoshi_off(reward: int, weights: dict[str, int], fees: tuple[Fee, ...]) -> None:
    weights.pop(OPERATOR, None)
    settled = settle(reward, weights, Terms(OPERATOR, fees))
    rest, whole = reward - sum(settled.fee_sats), sum(weights.values())
    for account, weight in weights.items():
        assert abs(settled.by_account.get(account, 0) * whole - rest * weight) < max(1, whole)


@given(reward=rewards, weights=weight_maps.filter(lambda weights: any(weights.values())), fees=fee_lists)
def test_a_coinbase_that_pays_the_miners_itself_divides_in_the_same_way(
    reward: int, weights: dict[str, int], fees: tuple[Fee, ...]
) -> None:
    plan = Plan(
        payees=tuple(Payee(b"\x51", weights[account], account) for account in sorted(weights)),
        fees=tuple(PlanFee(b"\x52", fee.basis_points, fee.account) for fee in fees),
        custody=b"\x53",
    )
    settled = settle(reward, weights, Terms("nobody", fees))
    amounts = [sats for _, sats in earned(plan, reward)]
    assert settled.fee_sats == tuple(amounts[: len(fees)])
    by_account = zip(sorted(weights), amounts[len(fees) :], strict=True)
    assert settled.by_account == {account: sats for account, sats in by_account if sats}


def test_five_hundred_accounts_with_weights_of_a_hundred_bits_take_a_moment() -> None:
    weights = {f"account {number}": 2**100 - number for number in range(500)}
    spent: list[float] = []
    for _ in range(5):  # the best of five: others use this machine too
        begun = time.perf_counter()
        settled: Settlement = settle(312_500_000, weights, Terms(OPERATOR, (Fee("f", 100),)))
        spent.append(time.perf_counter() - begun)
    assert len(settled.by_account) == 500
    assert min(spent) < 0.01
