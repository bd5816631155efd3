"""Payments over random histories of a chain: bumps, evictions, foreign spends, reorganisations, crashes.

A payer follows `next_step` for one debt after the other. Whenever a payment is abandoned, its debt is planned
again with other coins. Reorganisations are up to 99 blocks deep. However it goes, no chain ever holds two
payments of a debt, and once the chain is left in peace the debt is paid.
"""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.payouts.payment_world import World

BLOCKS = (1, 6, 7, 31, 100)
DEPTHS = (1, 6, 7, 31, 98, 99)
picks = st.integers(0, 20)


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.pay(2)  # signed and handed over: before that there is little to go wrong

    @rule()
    def mine_what_waits(self) -> None:
        self.world.mine_what_waits()

    @rule(blocks=st.sampled_from(BLOCKS))
    def bury(self, blocks: int) -> None:
        self.world.bury(blocks)

    @rule(pick=picks, stranger=st.booleans())
    def take_another(self, pick: int, stranger: bool) -> None:
        self.world.take_another(pick, stranger)

    @rule(pick=picks)
    def bump_by_hand(self, pick: int) -> None:
        self.world.bump_by_hand(pick)

    @rule()
    def adopt(self) -> None:
        self.world.adopt()

    @rule(depth=st.sampled_from(DEPTHS), keep=st.booleans(), pick=st.none() | picks)
    def reorganise(self, depth: int, keep: bool, pick: int | None) -> None:
        self.world.reorganise(depth, keep, pick)

    @rule()
    def evict(self) -> None:
        self.world.evict()

    @rule(pick=picks)
    def send_old(self, pick: int) -> None:
        self.world.send_old(pick)

    @rule(steps=st.integers(1, 4))
    def pay(self, steps: int) -> None:
        self.world.pay(steps)

    @invariant()
    def holds(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        self.world.come_to_rest()


Histories.TestCase.settings = settings(max_examples=50, stateful_step_count=30)
TestHistories = Histories.TestCase


@pytest.mark.parametrize("seed", range(40))
def test_long_histories_in_which_all_that_can_go_wrong_does_so_often(seed: int) -> None:
    dice = random.Random(seed)
    world = World()
    for _ in range(150):
        pick = dice.randrange(20)
        match dice.choices(range(9), weights=(3, 4, 2, 2, 1, 2, 1, 1, 6))[0]:
            case 0:
                world.mine_what_waits()
            case 1:
                world.bury(dice.choice(BLOCKS))
            case 2:
                world.take_another(pick, stranger=dice.random() < 0.5)
            case 3:
                world.reorganise(dice.choice(DEPTHS), dice.random() < 0.5, dice.choice((None, pick)))
            case 4:
                world.evict()
            case 5:
                world.send_old(pick)
            case 6:
                world.bump_by_hand(pick)
            case 7:
                world.adopt()
            case _:
                world.pay(dice.randint(1, 3))
        world.check()
    world.come_to_rest()
