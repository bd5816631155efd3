"""The life of a block: what a healthy node's best chain changes, and what nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.maturity import (
    TRANSITIONS,
    BlockState,
    Header,
    NoAnswer,
    Rules,
    Sight,
    Unknown,
    is_in_doubt,
    judge,
)

HASH, RIVAL, HEIGHT = "aa" * 32, "bb" * 32, 1000
CANDIDATE, ACCEPTED, MATURE = BlockState.CANDIDATE, BlockState.ACCEPTED, BlockState.MATURE
ORPHANED, REFUSED = BlockState.ORPHANED, BlockState.REFUSED


def after(state: BlockState, shown: Header | Unknown | NoAnswer, tip_height: int) -> BlockState:
    transition = judge(state, HASH, HEIGHT, Sight(shown, True, tip_height))
    if transition is None:
        return state
    assert transition.from_state is state
    assert transition.reason
    return transition.to_state


def in_chain(confirmations: int) -> tuple[Header, int]:
    return Header(confirmations), HEIGHT + confirmations - 1


@pytest.mark.parametrize(
    ("state", "confirmations", "expected"),
    [
        (CANDIDATE, 1, ACCEPTED),
        (ACCEPTED, 1, ACCEPTED),
        (ACCEPTED, 100, ACCEPTED),
        (ACCEPTED, 101, MATURE),
        (MATURE, 5000, MATURE),
        (MATURE, 3, MATURE),  # on its way up again after a reorganisation
        (ORPHANED, 2, ACCEPTED),
        (ORPHANED, 500, ACCEPTED),  # and mature at the next question
        (REFUSED, 1, ACCEPTED),
    ],
)
def test_a_block_on_the_best_chain_is_accepted_and_matures_at_101(
    state: BlockState, confirmations: int, expected: BlockState
) -> None:
    assert after(state, *in_chain(confirmations)) is expected


# Tip 1004 over a block of height 1000: five blocks stand in its place (1000 to 1004). One more is six.
@pytest.mark.parametrize(("tip_height", "buried"), [(999, False), (1000, False), (1004, False), (1005, True)])
@pytest.mark.parametrize(
    ("state", "shown", "gone"),
    [
        (CANDIDATE, Header(-1), ORPHANED),
        (ACCEPTED, Header(-1), ORPHANED),
        (MATURE, Header(-1), ORPHANED),
        (REFUSED, Header(-1), ORPHANED),
        (ORPHANED, Header(-1), ORPHANED),
        (CANDIDATE, Unknown(RIVAL), REFUSED),
        (ACCEPTED, Unknown(RIVAL), ORPHANED),
        (MATURE, Unknown(RIVAL), ORPHANED),
        (ORPHANED, Unknown(RIVAL), ORPHANED),
        (REFUSED, Unknown(RIVAL), REFUSED),
    ],
)
def test_a_block_is_given_up_when_six_others_stand_in_its_place(
    state: BlockState, shown: Header | Unknown, gone: BlockState, tip_height: int, buried: bool
) -> None:
    assert after(state, shown, tip_height) is (gone if buried else state)


@pytest.mark.parametrize("state", list(BlockState))
@pytest.mark.parametrize(
    "sight",
    [
        Sight(NoAnswer(), True, HEIGHT + 500),
        Sight(Unknown(None), True, HEIGHT + 500),  # -5 alone: an error, no evidence
        Sight(Unknown(HASH), True, HEIGHT + 500),  # it has our block at that height: the two answers disagree
        Sight(Header(-1), False, HEIGHT + 500),
        Sight(Header(101), False, HEIGHT + 100),
        Sight(Unknown(RIVAL), False, HEIGHT + 500),
    ],
)
def test_errors_and_unhealthy_nodes_change_nothing(state: BlockState, sight: Sight) -> None:
    assert judge(state, HASH, HEIGHT, sight) is None


def test_the_depths_are_settings() -> None:
    rules = Rules(maturity_confirmations=3, burial_depth=2)
    mature = judge(ACCEPTED, HASH, HEIGHT, Sight(Header(3), True, HEIGHT + 2), rules)
    assert mature is not None
    assert mature.to_state is MATURE
    orphaned = judge(MATURE, HASH, HEIGHT, Sight(Header(-1), True, HEIGHT + 1), rules)
    assert orphaned is not None
    assert orphaned.to_state is ORPHANED


def test_a_counted_block_off_the_best_chain_is_in_doubt_before_it_is_given_up() -> None:
    assert is_in_doubt(MATURE, Sight(Header(-1), True, HEIGHT - 1))
    assert is_in_doubt(ACCEPTED, Sight(Unknown(None), True, HEIGHT))
    assert not is_in_doubt(MATURE, Sight(Header(-1), False, HEIGHT))
    assert not is_in_doubt(MATURE, Sight(Header(1), True, HEIGHT))
    assert not is_in_doubt(MATURE, Sight(NoAnswer(), True, HEIGHT))
    assert not is_in_doubt(ORPHANED, Sight(Header(-1), True, HEIGHT))


shown = st.one_of(
    st.builds(Header, st.integers(-1, 200)),
    st.builds(Unknown, st.sampled_from([None, HASH, RIVAL])),
    st.builds(NoAnswer),
)
sights = st.builds(Sight, shown, st.booleans(), st.integers(HEIGHT - 5, HEIGHT + 200))


@given(history=st.lists(sights), confirmations=st.integers(1, 300))
def test_whatever_was_seen_before_a_block_ends_where_the_chain_puts_it(
    history: list[Sight], confirmations: int
) -> None:
    state = CANDIDATE
    last = Sight(Header(confirmations), True, HEIGHT + confirmations - 1)
    for sight in (*history, last, last):
        transition = judge(state, HASH, HEIGHT, sight)
        if transition is not None:
            assert transition.to_state in TRANSITIONS[state]
            state = transition.to_state
    # In the chain it is accepted or mature; mature for certain from 101 on, and once mature it stays.
    assert state in (ACCEPTED, MATURE)
    assert state is MATURE or confirmations < 101
