"""Both ends of what there is: a pool of 1 ZH/s, and regtests where every second hash is a block."""

from collections.abc import Iterator

import pytest

from payouts.pps import Rate, bought_work, pay, units_for
from payouts.settlement import Fee, Terms, settle
from payouts.window import Slot, pplns_window

OPERATOR = "@operator"
TERMS = Terms(OPERATOR, (Fee("f", 100),))
REWARD_SATS = 312_500_000

# 1 ZH/s is 10^21 hashes a second: 10^22 in a slot, and 6 · 10^23 are a block of ten minutes.
ZETTA_SLOT, ZETTA_BLOCK = 10**22, 6 * 10**23
LAST = 1_800_000_000
MONTH_SECONDS = 30 * 86_400

# Bitcoin's and Litecoin's regtests have bits 207fffff, target 0x7fffff · 2^232: 2^256 // (target + 1) is 2.
REGTEST_BLOCK = 2


def zetta_slots(count: int) -> Iterator[Slot]:
    """Of each slot a quarter is a's, the rest b's; the slots do not end on their own."""
    for position in range(count):
        yield Slot(LAST - 10 * position, {"a": ZETTA_SLOT // 4, "b": 3 * ZETTA_SLOT // 4})


def test_a_window_of_two_blocks_at_a_zettahash_is_twenty_minutes_of_slots() -> None:
    # 2 · 6 · 10^23 / 10^22 = 120 slots
    window = pplns_window(zetta_slots(10**9), 2 * ZETTA_BLOCK, LAST - MONTH_SECONDS)
    assert window.edge.from_slot == LAST - 119 * 10
    assert window.weights == {"a": 3 * 10**23, "b": 9 * 10**23}
    # 1 % of the reward is 3,125,000; 309,375,000 are left, a quarter is 77,343,750
    assert settle(REWARD_SATS, window.weights, TERMS).by_account == {"a": 77_343_750, "b": 232_031_250}


def test_an_edge_inside_of_a_slot_of_a_zettahash_is_exact_to_the_hash() -> None:
    # One hash more than 120 slots: that slot is inside with 1 of 10^22.
    window = pplns_window(zetta_slots(10**9), 2 * ZETTA_BLOCK + 1, LAST - MONTH_SECONDS)
    assert window.edge.from_slot == LAST - 120 * 10
    assert window.weights["a"] == 3 * 10**23 * 10**22 + ZETTA_SLOT // 4
    assert sum(window.weights.values()) == (2 * ZETTA_BLOCK + 1) * ZETTA_SLOT


def test_thirty_days_at_a_zettahash_are_the_most_that_a_window_holds() -> None:
    # 259,200 slots and the block's own; 2.59201 · 10^27 of work, where 10^28 were wanted
    window = pplns_window(zetta_slots(10**9), 10**28, LAST - MONTH_SECONDS)
    assert window.held == 259_201 * 10**22
    assert window.missing == 10**28 - 259_201 * 10**22
    kept = settle(10**10, window.weights, Terms(OPERATOR, unfilled="operator"), window.missing)
    # 10^10 · 0.259201 are the miners', a quarter of that is a's
    assert kept.by_account == {"a": 648_002_500, "b": 1_944_007_500}
    assert kept.operator_sats == 7_407_990_000


def test_a_single_share_among_a_zettahash_is_priced_without_loss() -> None:
    rate = Rate(ZETTA_BLOCK, REWARD_SATS, 0, 0)
    # Difficulty 1 is 2^32 hashes: 2^32 · 312,500,000 · 2^32 / (6 · 10^23) = 9,607.67 units
    assert units_for(2**32, rate) == 9_607
    # A month of all of it: 2.592 · 10^27 / (6 · 10^23) = 4,320 blocks
    assert units_for(259_200 * ZETTA_SLOT, rate) == 4_320 * REWARD_SATS * 2**32


@pytest.mark.parametrize("share_work", [1, 2, 65_536], ids=["work 1", "a block", "a scrypt share of 1"])
def test_on_regtest_a_share_may_hold_more_than_the_whole_window(share_work: int) -> None:
    slots = [Slot(30, {"a": share_work, "b": share_work}), Slot(20, {"c": 2**20})]
    window = pplns_window(slots, 2 * REGTEST_BLOCK, 0)
    assert window.held == 4
    settled = settle(5_000_000_000, window.weights, Terms(OPERATOR))
    # work 1: a and b hold 1 each, and 2 of the 4 come from c; else a and b fill it alone
    by_account = {1: {"a": 1_250_000_000, "b": 1_250_000_000, "c": 2_500_000_000}}
    assert settled.by_account == by_account.get(share_work, {"a": 2_500_000_000, "b": 2_500_000_000})


def test_on_regtest_no_share_is_bought_for_more_than_a_block() -> None:
    rate = Rate(REGTEST_BLOCK, 5_000_000_000, 0, 0)
    assert pay(0, units_for(bought_work(65_536, rate), rate)).sats == 5_000_000_000
    assert pay(0, units_for(bought_work(1, rate), rate)).sats == 2_500_000_000
