"""The PPLNS window: exact at its edge, never more than N, read no further than it must be."""

from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.window import Edge, Slot, Window, cut, pplns_window, weights

OLDEST = 0


def test_slots_that_fill_the_window_exactly_count_whole() -> None:
    window = pplns_window([Slot(30, {"a": 4}), Slot(20, {"a": 1, "b": 5}), Slot(10, {"b": 9})], 10, OLDEST)
    assert window.weights == {"a": 5, "b": 5}
    assert (window.held, window.missing, window.from_slot) == (10, 0, 20)
    assert window.edge.slot is None


def test_the_slot_on_the_edge_counts_in_proportion_and_nothing_is_rounded() -> None:
    # N = 10, the newest slot holds 4, so R = 6 is missing of the next one's W = 9: others × 9, it × 6.
    window = pplns_window([Slot(30, {"a": 4}), Slot(20, {"a": 2, "b": 7}), Slot(10, {"c": 9})], 10, OLDEST)
    assert window.weights == {"a": 4 * 9 + 2 * 6, "b": 7 * 6}
    assert window.edge == Edge(slot=20, whole_after=20, work=9, taken=6, held=10, missing=0)
    assert sum(window.weights.values()) == 10 * 9


def test_the_blocks_own_slot_may_be_cut() -> None:
    window = pplns_window([Slot(30, {"a": 65_536, "b": 65_536}), Slot(20, {"c": 1})], 4, OLDEST)
    assert window.weights == {"a": 65_536 * 4, "b": 65_536 * 4}  # W = 131,072, R = 4
    assert (window.held, window.from_slot) == (4, 30)


def test_a_window_that_is_not_full_says_what_is_missing() -> None:
    window = pplns_window([Slot(30, {"a": 3}), Slot(10, {"b": 4})], 10, OLDEST)
    assert window == Window({"a": 3, "b": 4}, Edge(None, OLDEST - 1, 0, 0, held=7, missing=3))


def test_slots_older_than_the_oldest_allowed_are_outside() -> None:
    slots = [Slot(30, {"a": 3}), Slot(20, {"b": 4}), Slot(10, {"c": 5})]
    window = pplns_window(slots, 100, oldest_start=20)
    assert window.weights == {"a": 3, "b": 4}  # the slot at 20 is the oldest that is inside
    assert (window.missing, window.from_slot) == (93, 20)


def test_a_window_without_any_work_is_all_missing() -> None:
    assert pplns_window([], 10, OLDEST) == Window({}, Edge(None, -1, 0, 0, 0, 10))
    assert pplns_window([Slot(30, {"a": 0})], 10, OLDEST).weights == {}


def test_an_idle_day_does_not_end_the_window() -> None:
    day = 86_400
    window = pplns_window([Slot(3 * day, {"a": 1}), Slot(day, {}), Slot(10, {"b": 1})], 2, OLDEST)
    assert window.weights == {"a": 1, "b": 1}


@pytest.mark.parametrize("needed", [6, 7])
def test_nothing_is_read_beyond_the_edge(needed: int) -> None:
    def slots() -> Iterator[Slot]:
        yield Slot(30, {"a": 4})
        yield Slot(20, {"b": 3})
        raise AssertionError("the window is full: this slot is none of its business")

    assert pplns_window(slots(), needed, OLDEST).held == needed


def test_slots_out_of_order_are_an_error() -> None:
    for starts in ([20, 30], [20, 20]):
        with pytest.raises(ValueError, match="does not lie before"):
            pplns_window([Slot(start, {"a": 1}) for start in starts], 10, OLDEST)


def test_a_window_of_nothing_and_negative_work_are_errors() -> None:
    with pytest.raises(ValueError, match="nothing to divide"):
        pplns_window([Slot(10, {"a": 1})], 0, OLDEST)
    with pytest.raises(ValueError, match="negative"):
        pplns_window([Slot(10, {"a": -1})], 10, OLDEST)
    with pytest.raises(ValueError, match="negative"):
        pplns_window([Slot(10, {"a": 2, "b": -1})], 10, OLDEST)


def test_sums_by_account_that_are_not_those_of_the_slots_are_an_error() -> None:
    edge = cut([(30, 4), (20, 9)], 10, OLDEST)
    assert weights({"a": 4}, {"b": 9}, edge) == {"a": 36, "b": 54}
    for inner, at_edge in (({"a": 5}, {"b": 9}), ({"a": 4}, {"b": 8}), ({}, {"b": 9}), ({"a": 4}, {})):
        with pytest.raises(ValueError, match="accounts hold"):
            weights(inner, at_edge, edge)


work = st.one_of(st.integers(0, 20), st.integers(0, 2**100))
slot_works = st.lists(st.dictionaries(st.sampled_from("abcdef"), work, max_size=4), max_size=12)
needs = st.one_of(st.integers(1, 200), st.integers(1, 2**102))


def newest_first(works: list[dict[str, int]]) -> list[Slot]:
    return [Slot(1_000 - 10 * position, held) for position, held in enumerate(works)]


@given(works=slot_works, needed=needs, oldest=st.integers(880, 1_010))
def test_the_window_is_what_fractions_of_slots_say_and_never_more_than_needed(
    works: list[dict[str, int]], needed: int, oldest: int
) -> None:
    slots = newest_first(works)
    window = pplns_window(slots, needed, oldest)
    # Counted the slow way: from each slot the part that there is still room for.
    room, parts = Fraction(needed), dict.fromkeys("abcdef", Fraction(0))
    for slot in slots:
        total = sum(slot.work.values())
        if slot.start >= oldest and total:
            part = min(Fraction(1), room / total)
            room -= part * total
            for account, amount in slot.work.items():
                parts[account] += part * amount
    assert needed - window.held == window.missing == int(room)
    assert room.denominator == 1
    assert window.held <= needed
    scale = window.edge.work or 1
    assert window.weights == {account: part * scale for account, part in parts.items() if part}
    assert sum(window.weights.values()) == window.held * scale


@given(works=slot_works, needed=needs, oldest=st.integers(880, 1_010))
def test_sums_from_a_database_give_the_same_window(
    works: list[dict[str, int]], needed: int, oldest: int
) -> None:
    slots = newest_first(works)
    edge = cut([(slot.start, sum(slot.work.values())) for slot in slots], needed, oldest)
    inner: dict[str, int] = {}
    for slot in slots:
        if slot.start > edge.whole_after:
            for account, amount in slot.work.items():
                inner[account] = inner.get(account, 0) + amount
    at_edge = next((slot.work for slot in slots if slot.start == edge.slot), {})
    assert Window(weights(inner, at_edge, edge), edge) == pplns_window(slots, needed, oldest)


@given(works=slot_works, needed=needs)
def test_whole_slots_that_are_rolled_up_into_one_change_nothing(
    works: list[dict[str, int]], needed: int
) -> None:
    slots = newest_first(works)
    window = pplns_window(slots, needed, OLDEST)
    whole = [slot for slot in slots if slot.start > window.edge.whole_after]
    rolled: dict[str, int] = {}
    for slot in whole:
        for account, amount in slot.work.items():
            rolled[account] = rolled.get(account, 0) + amount
    again = pplns_window([Slot(1_000, rolled), *slots[len(whole) :]] if whole else slots, needed, OLDEST)
    assert again.weights == window.weights
    assert (again.held, again.missing, again.edge.slot) == (window.held, window.missing, window.edge.slot)


shares = st.lists(
    st.tuples(st.integers(900, 1_009), st.sampled_from("abc"), st.integers(1, 2**40)), max_size=25
)


@given(data=st.data(), done=shares, needed=needs)
def test_the_order_of_shares_and_how_they_were_batched_change_nothing(
    data: st.DataObject, done: list[tuple[int, str, int]], needed: int
) -> None:
    shuffled = data.draw(st.permutations(done))
    size = data.draw(st.integers(1, 7))
    batches = [shuffled[at : at + size] for at in range(0, len(shuffled), size)]
    first, second = (pplns_window(slots_from(batched), needed, OLDEST) for batched in ([done], batches))
    assert first == second


def slots_from(batches: list[list[tuple[int, str, int]]]) -> list[Slot]:
    """Slots of ten seconds as they fill, batch by batch."""
    filled: dict[int, dict[str, int]] = {}
    for batch in batches:
        sums: dict[tuple[int, str], int] = {}
        for at, account, amount in batch:
            sums[at // 10 * 10, account] = sums.get((at // 10 * 10, account), 0) + amount
        for (start, account), amount in sums.items():
            slot = filled.setdefault(start, {})
            slot[account] = slot.get(account, 0) + amount
    return [Slot(start, filled[start]) for start in sorted(filled, reverse=True)]
