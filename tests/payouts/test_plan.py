"""Plans: payees and proportions, and the amounts that follow from a reward."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.plan import Payee, Plan, amounts, sole

MINER, OPERATOR, OTHER = b"\x00\x14miner", b"\x00\x14operator", b"\x00\x14other"


def test_a_sole_payee_has_everything() -> None:
    assert amounts(sole(MINER), 312_512_345) == [(MINER, 312_512_345)]


def test_payees_are_paid_in_their_order_and_proportion() -> None:
    # 1 % of 312,512,345 is 3,125,123.45; the remainders are .45 and .55, and the satoshi goes to the .55
    plan = Plan((Payee(MINER, 99), Payee(OPERATOR, 1)))
    assert amounts(plan, 312_512_345) == [(MINER, 309_387_222), (OPERATOR, 3_125_123)]


def test_equal_remainders_are_settled_by_the_order_of_the_payees() -> None:
    payees = (Payee(MINER, 1), Payee(OTHER, 1), Payee(OPERATOR, 1))
    assert amounts(Plan(payees), 100) == [(MINER, 34), (OTHER, 33), (OPERATOR, 33)]
    assert amounts(Plan(payees[::-1]), 100) == [(OPERATOR, 34), (OTHER, 33), (MINER, 33)]


def test_the_same_plan_divides_every_reward() -> None:
    plan = Plan((Payee(MINER, 3), Payee(OPERATOR, 1)))
    assert amounts(plan, 4) == [(MINER, 3), (OPERATOR, 1)]
    assert amounts(plan, 8) == [(MINER, 6), (OPERATOR, 2)]
    assert amounts(plan, 0) == [(MINER, 0), (OPERATOR, 0)]


@pytest.mark.parametrize(
    "plan", [Plan(()), Plan((Payee(MINER, 0),)), Plan((Payee(MINER, 0), Payee(OTHER, 0)))]
)
def test_a_plan_that_pays_nobody_is_an_error(plan: Plan) -> None:
    with pytest.raises(ValueError, match="nobody to split among"):
        amounts(plan, 5_000_000_000)


def test_a_negative_reward_or_weight_is_an_error() -> None:
    with pytest.raises(ValueError, match="not negative"):
        amounts(sole(MINER), -1)
    with pytest.raises(ValueError, match="not negative"):
        amounts(Plan((Payee(MINER, 2), Payee(OTHER, -1))), 100)


plans = st.lists(
    st.builds(Payee, script=st.binary(min_size=1, max_size=34), weight=st.integers(0, 2**128)),
    min_size=1,
    max_size=20,
).filter(lambda payees: any(payee.weight for payee in payees))


@given(payees=plans, reward_sats=st.integers(0, 2**63 - 1))
def test_the_amounts_sum_to_the_reward_and_name_every_payee(payees: list[Payee], reward_sats: int) -> None:
    paid = amounts(Plan(tuple(payees)), reward_sats)
    assert [script for script, _ in paid] == [payee.script for payee in payees]
    assert sum(sats for _, sats in paid) == reward_sats
