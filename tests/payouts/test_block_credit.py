"""What a block did for each account of its plan: whatever was paid is accounted for, to the satoshi."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.block_credit import Credit, credit_of
from payouts.coinbase import Room, dues, outputs_of
from payouts.plan import Fee, Payee, Plan
from tests.payouts.test_coinbase import plans, rewards, rooms, sigop_cost

A, B, C, POOL, FEE = (b"\x00\x14" + bytes([n]) * 20 for n in range(5))
POOL_SCRIPT = b"\x51\x20" + bytes(32)
PLAN = Plan(
    payees=(Payee(A, 6, "a"), Payee(B, 3, "b", 50), Payee(C, 1, "c", 30)),
    custody=POOL,
    fees=(Fee(POOL, 500, "operator"), Fee(FEE, 500, "charity")),
    generation=3,
)


def test_earned_paid_and_owed_of_each_account() -> None:
    # of 1,000: fees 50 and 50; shares 540, 270, 90; the carry-over is 80, the pool's own fee 50:
    # 30 of C's 120 wait
    outputs = ((A, 540), (B, 320), (C, 90), (FEE, 50))
    block = credit_of(PLAN, 1_000, outputs)
    assert block.credits == (
        Credit("operator", 0, 50, 50),
        Credit("charity", 0, 50, 50),
        Credit("a", 0, 540, 540),
        Credit("b", 50, 270, 320),
        Credit("c", 30, 90, 90),
    )
    assert [line.owed_sats for line in block.credits] == [0, 0, 0, 0, 30]
    assert block.custody_sats == 0
    assert block.held_change_sats == -50  # it held 80 for B and C, and now 30 for C and 50 of its own


def test_a_block_that_pays_custody_alone_owes_everybody() -> None:
    block = credit_of(PLAN, 1_000, [(POOL, 1_000)])
    assert [(line.account, line.owed_sats) for line in block.credits] == [
        ("operator", 0),
        ("charity", 50),
        ("a", 540),
        ("b", 320),
        ("c", 120),
    ]
    assert block.custody_sats == 1_000
    assert block.held_change_sats == 950


def test_a_block_on_a_stripped_plan_leaves_the_carry_over_alone() -> None:
    block = credit_of(PLAN.stripped, 1_000, [(A, 540), (B, 270), (C, 90), (POOL, 50), (FEE, 50)])
    assert all(line.owed_sats == 0 for line in block.credits)
    assert block.held_change_sats == 0


def test_whatever_was_paid_counts_also_where_it_is_not_what_the_plan_would_pay() -> None:
    block = credit_of(PLAN, 1_000, [(A, 900), (POOL, 100)])
    owed = {line.account: line.owed_sats for line in block.credits}
    assert owed == {"operator": 0, "charity": 50, "a": -360, "b": 320, "c": 120}


def test_accounts_that_share_a_script_have_their_due_in_order_and_the_last_the_rest() -> None:
    plan = Plan(payees=(Payee(A, 1, "a"), Payee(A, 1, "b")), custody=POOL, generation=1)
    paid = [(line.account, line.paid_sats) for line in credit_of(plan, 1_000, [(A, 1_000)]).credits]
    assert paid == [("a", 500), ("b", 500)]
    paid = [
        (line.account, line.paid_sats) for line in credit_of(plan, 1_000, [(A, 700), (POOL, 300)]).credits
    ]
    assert paid == [("a", 500), ("b", 200)]


def test_outputs_that_do_not_sum_or_pay_a_stranger_are_an_error() -> None:
    with pytest.raises(ValueError, match="sum to 999 sats, the reward is 1000"):
        credit_of(PLAN, 1_000, [(A, 999)])
    with pytest.raises(ValueError, match="not in plan"):
        credit_of(PLAN, 1_000, [(A, 999), (b"\x51", 1)])


@given(plan=plans(), value_sats=rewards, room=rooms)
def test_money_in_is_money_paid_and_money_owed(plan: Plan, value_sats: int, room: Room) -> None:
    outputs = outputs_of(plan, dues(plan, value_sats), room, sigop_cost)
    block = credit_of(plan, value_sats, outputs)
    lines = [
        (line, one.script == plan.custody)
        for line, one in zip(block.credits, [*plan.fees, *plan.payees], strict=True)
    ]
    assert sum(line.earned_sats for line, _ in lines) == value_sats
    assert all(line.paid_sats >= 0 and line.earned_sats >= 0 for line, _ in lines)
    assert sum(line.paid_sats for line, is_own in lines if not is_own) + block.custody_sats == value_sats
    own_sats = sum(line.paid_sats for line, is_own in lines if is_own)
    assert block.held_change_sats == block.custody_sats - own_sats


blocks = st.lists(
    st.tuples(
        st.lists(st.integers(0, 50), min_size=6, max_size=6).filter(any),  # weights of the window
        st.integers(10_000, 10**9),  # reward
        st.tuples(st.integers(0, 300), st.integers(0, 1_200), st.integers(0, 12)),  # room
        st.booleans(),  # stripped
    ),
    min_size=1,
    max_size=12,
)


@given(history=blocks, remainder=st.sampled_from(["custody", "advance"]), most_outputs=st.integers(1, 8))
def test_over_any_history_the_custody_address_holds_exactly_what_is_owed(
    history: list[tuple[list[int], int, tuple[int, int, int], bool]], remainder: str, most_outputs: int
) -> None:
    """Carry-overs go from block to block; what the chain paid and what is owed is all that was mined."""
    scripts = [bytes([0, 20]) + bytes([n]) * 20 for n in range(6)]
    owed = {f"a{n}": 0 for n in range(6)} | {"charity": 0, "operator": 0}
    mined = paid_away = at_custody = own = 0
    for weights, value_sats, room, is_stripped in history:
        plan = Plan(
            payees=tuple(Payee(scripts[n], weights[n], f"a{n}", owed[f"a{n}"]) for n in range(6)),
            custody=POOL_SCRIPT,
            fees=(Fee(POOL_SCRIPT, 200, "operator"), Fee(FEE, 50, "charity", owed["charity"])),
            generation=1,
            remainder="custody" if remainder == "custody" else "advance",
            minimum_output_sats=1_000,
            dust_sats_per_kvb=3_000,
            most_outputs=most_outputs,
            is_stripped=is_stripped,
        )
        outputs = outputs_of(plan, dues(plan, value_sats), Room(*room), sigop_cost)
        block = credit_of(plan, value_sats, outputs)
        for line in block.credits:
            owed[line.account] += line.earned_sats - line.paid_sats
        mined += value_sats
        at_custody += block.custody_sats
        paid_away += value_sats - block.custody_sats
        own += block.credits[0].earned_sats
    assert owed["operator"] == 0
    assert sum(owed.values()) == at_custody - own
    assert mined == paid_away + at_custody


@given(plan=plans(), value_sats=rewards, room=rooms)
def test_a_carry_over_never_grows_where_no_new_share_is_earned_and_money_is_there(
    plan: Plan, value_sats: int, room: Room
) -> None:
    """An account without weight is owed no more after a block than before it."""
    outputs = outputs_of(plan, dues(plan, value_sats), room, sigop_cost)
    block = credit_of(plan, value_sats, outputs)
    for line in block.credits:
        if line.earned_sats == 0:
            assert line.owed_sats <= line.carry_over_sats
