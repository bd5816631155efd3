"""Rounds: slots between blocks, what joins them from orphaned rounds, and that no work is ever lost."""

from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from payouts.proportional import Block, Join, Round, Rounds, Span


def stood(*slots: int, orphaned: tuple[int, ...] = ()) -> list[Block]:
    return [Block(slot, slot not in orphaned) for slot in slots]


def test_a_round_is_the_slots_after_the_previous_block_up_to_and_with_its_own() -> None:
    rounds = Rounds(stood(100, 250))
    assert rounds.ending(100) == Round(Span(0, 100))
    assert rounds.ending(250) == Round(Span(100, 250))
    assert rounds.open_number == 250
    assert rounds.ending(400) == Round(Span(250, 400))  # the open one, looked at through slot 400
    assert rounds.ending(250).number == 100


def test_blocks_in_one_slot_share_a_round() -> None:
    rounds = Rounds(stood(100, 250, 250))
    assert rounds.ending(250) == Round(Span(100, 250))
    assert Rounds(stood(250)).open_number == 250


def test_the_slots_of_an_orphaned_round_join_the_round_that_is_open_then() -> None:
    # Block 200 is orphaned when 300 was found already: its work counts behind 300, not behind 200.
    blocks = stood(100, 200, 300, orphaned=(200,))
    joins = Rounds(blocks).falling(200)
    assert joins == (Join(Span(100, 200), joins=300),)
    rounds = Rounds([*blocks, Block(400, True)], joins=joins)
    assert rounds.ending(300) == Round(Span(200, 300))
    assert rounds.ending(400) == Round(Span(300, 400), (Span(100, 200),))


def test_the_newest_round_joins_the_one_that_begins_with_it() -> None:
    blocks = stood(100, 200, orphaned=(200,))
    joins = Rounds(blocks).falling(200)
    assert Rounds(blocks, joins=joins).ending(300) == Round(Span(200, 300), (Span(100, 200),))


def test_a_round_stands_while_one_of_its_blocks_does() -> None:
    assert Rounds([Block(200, False), Block(200, True)]).falling(200) == ()
    assert Rounds([Block(200, False), Block(200, False)]).falling(200) == (Join(Span(0, 200), 200),)


def test_a_block_that_returns_takes_its_slots_out_of_a_round_that_is_not_settled() -> None:
    joins = [Join(Span(100, 200), 300)]
    assert Rounds(stood(100, 200, 300), joins=joins).ending(400) == Round(Span(300, 400))


def test_a_block_that_returns_does_not_change_a_settled_round() -> None:
    settled = Round(Span(300, 400), (Span(100, 200),))
    rounds = Rounds(stood(100, 200, 300, 400), [Round(Span(100, 200)), settled], [Join(Span(100, 200), 300)])
    assert rounds.ending(400) == settled
    assert rounds.ending(200) == Round(Span(100, 200))


def test_slots_whose_block_came_back_and_fell_again_join_only_the_round_that_is_open_the_second_time() -> (
    None
):
    joins = [Join(Span(100, 200), 300), Join(Span(100, 200), 400)]
    rounds = Rounds(stood(100, 200, 300, 400, orphaned=(200,)), joins=joins)
    assert rounds.ending(400) == Round(Span(300, 400))
    assert rounds.ending(500) == Round(Span(400, 500), (Span(100, 200),))


def test_slots_that_a_settled_round_pays_join_no_other_when_their_block_falls_again() -> None:
    settled = Round(Span(300, 400), (Span(100, 200),))
    blocks = stood(100, 200, 300, 400, orphaned=(200,))
    assert Rounds(blocks, [settled], [Join(Span(100, 200), 300)]).falling(200) == ()


def test_a_round_that_falls_hands_on_what_had_joined_it() -> None:
    blocks = stood(100, 200, 300, 400, 500, orphaned=(200, 400))
    settled = Round(Span(300, 400), (Span(100, 200),))
    joins = Rounds(blocks, [settled], [Join(Span(100, 200), 300)]).falling(400)
    assert joins == (Join(Span(300, 400), 500), Join(Span(100, 200), 500))
    rounds = Rounds(blocks, [settled], [Join(Span(100, 200), 300), *joins])
    assert rounds.ending(600) == Round(Span(500, 600), (Span(100, 200), Span(300, 400)))


def test_a_round_that_falls_unsettled_hands_on_the_same() -> None:
    blocks = stood(100, 200, 300, 400, 500, orphaned=(200, 400))
    joins = Rounds(blocks, [], [Join(Span(100, 200), 300)]).falling(400)
    assert joins == (Join(Span(300, 400), 500), Join(Span(100, 200), 500))


def test_a_late_block_divides_by_its_own_slots_and_changes_no_settled_round() -> None:
    settled = Round(Span(100, 300), (Span(0, 50),))
    rounds = Rounds(stood(50, 100, 200, 300, orphaned=(50,)), [settled], [Join(Span(0, 50), 100)])
    assert rounds.ending(300) == settled
    assert rounds.ending(200) == Round(Span(100, 200))  # without what had joined: that was paid with 300
    # When it falls, its slots have been paid with those of the round that it came too late for.
    fallen = Rounds(stood(50, 100, 200, 300, orphaned=(50, 200)), rounds.settled, rounds.joins)
    assert fallen.falling(200) == ()


def test_a_late_block_cuts_a_round_that_is_not_settled_in_two() -> None:
    rounds = Rounds(stood(50, 100, 200, 300, orphaned=(50,)), [], [Join(Span(0, 50), 100)])
    assert rounds.ending(200) == Round(Span(100, 200), (Span(0, 50),))
    assert rounds.ending(300) == Round(Span(200, 300))


def test_slots_of_a_late_block_inside_a_fallen_round_count_once() -> None:
    joins = [Join(Span(100, 300), 400), Join(Span(100, 200), 400)]
    rounds = Rounds(stood(100, 200, 300, 400, orphaned=(200, 300)), [], joins)
    assert rounds.ending(500) == Round(Span(400, 500), (Span(100, 300),))


def test_a_candidate_that_lost_its_race_ended_no_round_and_hands_on_nothing() -> None:
    assert Rounds(stood(100)).falling(150) == ()


def test_slots_that_a_round_has_of_its_own_do_not_join_it_as_well() -> None:
    rounds = Rounds(stood(100), joins=[Join(Span(100, 150), 100)])
    assert rounds.ending(200) == Round(Span(100, 200))


class Histories(RuleBasedStateMachine):
    """Blocks found, settled, orphaned and back in any order, as an accountant would keep it."""

    def __init__(self) -> None:
        super().__init__()
        self.stands: dict[int, bool] = {}
        self.settled: list[Round] = []
        self.joins: list[Join] = []
        self.returned: set[int] = set()

    @property
    def rounds(self) -> Rounds:
        return Rounds([Block(slot, stands) for slot, stands in self.stands.items()], self.settled, self.joins)

    def unsettled(self) -> list[int]:
        done = {settled.span.through_slot for settled in self.settled}
        return [slot for slot, stands in self.stands.items() if stands and slot not in done]

    @rule(after=st.integers(1, 5))
    def find(self, after: int) -> None:
        self.stands[self.rounds.open_number + 10 * after] = True

    @precondition(lambda self: self.unsettled())
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        settled = self.rounds.ending(data.draw(st.sampled_from(self.unsettled())))
        spans = sorted(settled.spans, key=lambda span: span.after_slot)
        assert all(a.through_slot <= b.after_slot for a, b in pairwise(spans))
        self.settled.append(settled)

    @precondition(lambda self: any(self.stands.values()))
    @rule(data=st.data())
    def orphan(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from([slot for slot, stands in self.stands.items() if stands]))
        self.stands[slot] = False
        self.joins += self.rounds.falling(slot)

    @rule()
    def lose_a_race(self) -> None:
        """A candidate that no chain ever had: between the slots that blocks are found in."""
        self.joins += self.rounds.falling(self.rounds.open_number + 5)

    @precondition(lambda self: not all(self.stands.values()))
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from([slot for slot, stands in self.stands.items() if not stands]))
        self.stands[slot] = True
        self.returned.add(slot)

    @invariant()
    def every_slot_is_paid_or_going_to_be_and_once_unless_a_block_came_back(self) -> None:
        rounds = self.rounds
        standing = [slot for slot, stands in self.stands.items() if stands]
        counted: list[Span] = [*rounds.ending(rounds.open_number + 10).spans]
        assert all(a.through_slot <= b.after_slot for a, b in pairwise(sorted(counted, key=_start)))
        for slot in standing:
            counted += rounds.ending(slot).spans
        ends = sorted(self.stands)
        for after, through in zip([0, *ends], ends, strict=False):
            times = counted.count(Span(after, through))
            assert times >= 1, f"work of {through} is lost"
            assert times == 1 or self.returned, f"work of {through} counts {times} times"


def _start(span: Span) -> int:
    return span.after_slot


Histories.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
TestHistories: Any = Histories.TestCase
