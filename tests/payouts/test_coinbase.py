"""What a plan pays out of a reward: largest due first, within every budget, to the satoshi."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.coinbase import Outputs, Room, dues, output_bytes, outputs_of
from payouts.plan import Fee, Payee, Plan, sole
from payouts.transaction import dust_sats

A, B, C, D, POOL, FEE = (b"\x00\x14" + bytes([n]) * 20 for n in range(6))  # 31 bytes of output each
LEGACY = bytes.fromhex("76a914") + bytes(20) + bytes.fromhex("88ac")  # 34 bytes, one operation
WIDE = Room(1 << 30, 1 << 30, 1 << 30)


def sigop_cost(script: bytes) -> int:
    return 4 if script[:1] == b"\x76" else 0


def plan_of(*payees: tuple[bytes, int, int], **fields: Any) -> Plan:
    """Of (script, weight, carry-over)."""
    named = tuple(Payee(script, weight, f"a{n}", carry) for n, (script, weight, carry) in enumerate(payees))
    return Plan(payees=named, custody=POOL, generation=1, **fields)


def paid(plan: Plan, value_sats: int, room: Room = WIDE) -> Outputs:
    return outputs_of(plan, dues(plan, value_sats), room, sigop_cost)


def test_a_sole_payee_has_everything_however_little_room_there_is() -> None:
    assert paid(sole(A), 312_512_345) == ((A, 312_512_345),)
    assert paid(sole(A), 312_512_345, Room(-50, -200, -4)) == ((A, 312_512_345),)
    assert paid(sole(A), 0) == ((A, 0),)


def test_shares_are_paid_largest_first() -> None:
    # 1,001 by 1:5:4 is 100.1, 500.5, 400.4: the satoshi left goes to the .5
    assert paid(plan_of((A, 1, 0), (B, 5, 0), (C, 4, 0)), 1_001) == ((B, 501), (C, 400), (A, 100))


def test_equal_dues_keep_the_order_of_the_plan() -> None:
    assert paid(plan_of((B, 1, 0), (A, 1, 0)), 100) == ((B, 50), (A, 50))


def test_fees_are_of_the_full_reward_and_rounded_down() -> None:
    # 2.5 % of 999 is 24.975 → 24; of the other 975, two thirds are 650
    plan = plan_of((A, 2, 0), (B, 1, 0), fees=(Fee(FEE, 250, "f"),))
    assert paid(plan, 999) == ((A, 650), (B, 325), (FEE, 24))


def test_the_pools_own_fee_is_what_is_left_for_custody() -> None:
    plan = plan_of((A, 1, 0), fees=(Fee(POOL, 250, "operator"),))
    assert paid(plan, 1_000) == ((A, 975), (POOL, 25))


def test_carry_over_comes_first_out_of_the_pools_own_fee() -> None:
    """It holds the 20 of the carry-over since an earlier block."""
    plan = plan_of((A, 3, 0), (B, 1, 20), fees=(Fee(POOL, 1_000, "operator"),))
    # fee 100, shares 675 and 225; due 675, 245; custody is due 100 − 20
    assert paid(plan, 1_000) == ((A, 675), (B, 245), (POOL, 80))
    assert paid(plan.stripped, 1_000) == ((A, 675), (B, 225), (POOL, 100))


def test_carry_over_beyond_it_leaves_the_smallest_dues_waiting() -> None:
    # shares 600, 300, 100; due 600, 300, 250: 150 too much, and C is paid 100 of its 250
    plan = plan_of((A, 6, 0), (B, 3, 0), (C, 1, 150))
    assert paid(plan, 1_000) == ((A, 600), (B, 300), (C, 100))
    # due 600, 300, 550: the order is by what is due, and now it is B that waits
    assert paid(plan_of((A, 6, 0), (B, 3, 0), (C, 1, 450)), 1_000) == ((A, 600), (C, 400))


def test_who_was_advanced_waits_until_it_is_earned() -> None:
    # shares 500 each; A was advanced 600 and is due −100, so that custody is due 600
    assert paid(plan_of((A, 1, -600), (B, 1, 0)), 1_000) == ((B, 500), (POOL, 500))


def test_an_account_that_has_left_is_paid_what_it_is_owed() -> None:
    assert paid(plan_of((A, 1, 0), (B, 0, 300)), 1_000) == ((A, 1_000),)
    assert paid(plan_of((A, 1, 0), (B, 0, 300), fees=(Fee(POOL, 5_000, "op"),)), 1_000) == (
        (A, 500),
        (B, 300),
        (POOL, 200),
    )


def test_dues_below_the_minimum_go_to_custody() -> None:
    plan = plan_of((A, 90, 0), (B, 6, 0), (C, 4, 0), minimum_output_sats=50)
    assert paid(plan, 1_000) == ((A, 900), (B, 60), (POOL, 40))


def test_dust_is_by_script_kind() -> None:
    # at 3,000 sats per 1,000 bytes: 294 for a witness script, 546 for an old one
    plan = plan_of((A, 900, 0), (LEGACY, 5, 0), (B, 4, 0), dust_sats_per_kvb=3_000)
    assert paid(plan, 90_900) == ((A, 90_000), (B, 400), (POOL, 500))


def test_a_remainder_that_would_be_dust_is_advanced_to_the_largest() -> None:
    plan = plan_of((A, 900, 0), (B, 2, 0), dust_sats_per_kvb=3_000)
    assert paid(plan, 90_200) == ((A, 90_200),)  # B's 200 sats are below 294, and so would custody's be


def test_a_partial_payment_is_no_dust_either() -> None:
    # 900 is left for B's 1,000 + 1,000; with a minimum of 950 nobody is paid it
    plan = plan_of((A, 9_100, 0), (B, 900, 1_100), minimum_output_sats=950)
    assert paid(plan, 10_000) == ((A, 9_100), (POOL, 900))


def test_what_does_not_fit_the_firmware_is_custodys() -> None:
    plan = plan_of((A, 5, 0), (B, 3, 0), (C, 2, 0))
    assert paid(plan, 1_000, Room(93, 1 << 30, 0)) == (
        (A, 500),
        (B, 300),
        (C, 200),
    )  # 3 · 31, none for custody
    assert paid(plan, 1_000, Room(92, 1 << 30, 0)) == ((A, 500), (POOL, 500))
    assert paid(plan, 1_000, Room(61, 1 << 30, 0)) == ((POOL, 1_000),)


def test_weight_and_operations_bind_like_bytes() -> None:
    plan = plan_of((LEGACY, 5, 0), (B, 3, 0), (C, 2, 0))
    assert paid(plan, 1_000, Room(999, 4 * 96, 4)) == ((LEGACY, 500), (B, 300), (C, 200))  # 34 + 31 + 31
    assert paid(plan, 1_000, Room(999, 4 * 95, 4)) == ((LEGACY, 500), (POOL, 500))
    # no operation left: the old script is passed over, those behind it are paid
    assert paid(plan, 1_000, Room(999, 4 * 999, 3)) == ((B, 300), (C, 200), (POOL, 500))


def test_the_most_outputs_count_custodys() -> None:
    plan = plan_of((A, 5, 0), (B, 3, 0), (C, 2, 0))
    assert paid(msgspec.structs.replace(plan, most_outputs=3), 1_000) == ((A, 500), (B, 300), (C, 200))
    assert paid(msgspec.structs.replace(plan, most_outputs=2), 1_000) == ((A, 500), (POOL, 500))
    assert paid(msgspec.structs.replace(plan, most_outputs=1), 1_000) == ((POOL, 1_000),)


def test_a_remainder_can_be_advanced_in_proportion_to_those_who_fit() -> None:
    plan = plan_of((A, 5, 0), (B, 3, 0), (C, 2, 0), remainder="advance", most_outputs=2)
    # 200 by 500:300 is 125 and 75
    assert paid(plan, 1_000) == ((A, 625), (B, 375))


def test_an_advance_goes_to_miners_not_to_fee_recipients() -> None:
    fees = (Fee(FEE, 1_000, "f"), Fee(POOL, 2_000, "operator"))
    plan = plan_of((A, 4, 0), (B, 3, 0), remainder="advance", most_outputs=3, fees=fees)
    # due A 400, B 300, POOL 200, FEE 100, which does not fit: 100 by 400:300 is 57.14 and 42.86
    assert paid(plan, 1_000) == ((A, 457), (B, 343), (POOL, 200))


def test_without_a_miner_to_advance_it_to_the_remainder_is_custodys() -> None:
    plan = plan_of((A, 1, 0), remainder="advance", minimum_output_sats=2_000)
    assert paid(plan, 1_000) == ((POOL, 1_000),)


def test_a_plan_that_pays_nobody_is_an_error() -> None:
    with pytest.raises(ValueError, match="nobody to split among"):
        dues(plan_of((A, 0, 0)), 1_000)


# ---------------------------------------------------------------------- whatever the plan

scripts = st.builds(
    lambda kind, n: kind[0] + bytes([n]) * kind[1] + kind[2],
    st.sampled_from(
        [(b"\x00\x14", 20, b""), (b"\x51\x20", 32, b""), (b"\x76\xa9\x14", 20, b"\x88\xac")],
    ),
    st.integers(0, 30),
)
carry_overs = st.one_of(st.just(0), st.integers(-(10**9), 10**9))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    payees = draw(
        st.lists(
            st.tuples(scripts, st.one_of(st.integers(0, 9), st.integers(0, 2**128)), carry_overs),
            min_size=1,
            max_size=25,
        ).filter(lambda payees: any(weight for _, weight, _ in payees))
    )
    points = draw(st.lists(st.integers(0, 3_000), max_size=3))
    fees = tuple(Fee(draw(scripts), point, f"f{n}", draw(carry_overs)) for n, point in enumerate(points))
    return Plan(
        payees=tuple(
            Payee(script, weight, f"a{n}", carry) for n, (script, weight, carry) in enumerate(payees)
        ),
        custody=draw(scripts),
        fees=fees,
        generation=1,
        remainder=draw(st.sampled_from(["custody", "advance"])),
        minimum_output_sats=draw(st.sampled_from([0, 1, 5_000, 10**8])),
        dust_sats_per_kvb=draw(st.sampled_from([0, 3_000, 30_000])),
        most_outputs=draw(st.integers(1, 30)),
        is_stripped=draw(st.booleans()),
    )


rooms = st.builds(Room, st.integers(-100, 1_200), st.integers(-400, 5_000), st.integers(-4, 60))
rewards = st.one_of(st.integers(0, 10_000), st.integers(0, 21 * 10**14))


@given(plan=plans(), value_sats=rewards)
def test_dues_sum_to_the_reward_and_stand_in_order(plan: Plan, value_sats: int) -> None:
    due = dues(plan, value_sats)
    assert sum(sats for _, sats in due.ranked) + due.custody_sats == value_sats
    amounts = [sats for _, sats in due.ranked]
    assert amounts == sorted(amounts, reverse=True)
    assert plan.custody not in dict(due.ranked)


@given(plan=plans(), value_sats=rewards, room=rooms)
def test_outputs_sum_to_the_reward_within_every_budget(plan: Plan, value_sats: int, room: Room) -> None:
    outputs = paid(plan, value_sats, room)
    assert sum(sats for _, sats in outputs) == value_sats
    assert len({script for script, _ in outputs}) == len(outputs)
    if len(outputs) == 1:
        return  # one is always made, room or not
    size_bytes = sum(output_bytes(script) for script, _ in outputs)
    assert size_bytes <= room.size_bytes
    assert 4 * size_bytes <= room.weight
    assert sum(sigop_cost(script) for script, _ in outputs) <= room.sigop_cost
    assert len(outputs) <= plan.most_outputs
    for script, sats in outputs:
        assert sats >= dust_sats(script, plan.dust_sats_per_kvb)
        assert sats >= (1 if script == plan.custody else max(1, plan.minimum_output_sats))


@given(plan=plans(), value_sats=rewards, room=rooms)
def test_nobody_is_paid_more_than_is_due_but_for_dust_and_advances(
    plan: Plan, value_sats: int, room: Room
) -> None:
    due = dues(plan, value_sats)
    too_much = [
        sats - dict(due.ranked)[script]
        for script, sats in paid(plan, value_sats, room)
        if script != plan.custody and sats > dict(due.ranked)[script]
    ]
    if plan.remainder == "custody":
        assert len(too_much) <= 1
        assert all(sats < dust_sats(plan.custody, plan.dust_sats_per_kvb) for sats in too_much)


@given(plan=plans(), value_sats=rewards)
def test_with_room_for_all_only_the_last_in_the_order_wait(plan: Plan, value_sats: int) -> None:
    """Of two dues above the minimum, the smaller one is paid in full only if the larger one is."""
    roomy = msgspec.structs.replace(
        plan, most_outputs=1000, dust_sats_per_kvb=0, minimum_output_sats=0, remainder="custody"
    )
    outputs = dict(paid(roomy, value_sats))
    is_waiting = False
    for script, sats in dues(roomy, value_sats).ranked:
        if sats > 0:
            assert not (is_waiting and outputs.get(script, 0)), "somebody with a larger due waits"
            is_waiting = outputs.get(script, 0) < sats


@given(plan=plans(), value_sats=rewards, room=rooms)
def test_the_same_plan_reward_and_room_give_the_same_outputs(plan: Plan, value_sats: int, room: Room) -> None:
    again = msgspec.structs.replace(plan)
    assert paid(again, value_sats, room) == paid(plan, value_sats, room)
