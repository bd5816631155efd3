"""Planned silence: what a pause covers, how long it counts, how it ends; by hand and by a price."""

import pytest

from pool.farm.pauses import (
    KEPT_US,
    MOST_PAUSES,
    Pause,
    PriceStep,
    begun,
    covers,
    ended,
    pause_of,
    priced_pauses,
    silence_planned_by,
)
from tests.pool.farm.building import MINUTE, NOON

HOUR = 60 * MINUTE


@pytest.mark.parametrize(
    ("paused", "group", "is_it"),
    [
        ("all", "hall-a/row-3", True),
        ("all", "ungrouped", True),
        ("hall-a", "hall-a", True),
        ("hall-a", "hall-a/row-3/rack-7", True),
        ("hall-a/row-3", "hall-a", False),
        ("hall-a/row-3", "hall-a/row-31", False),
        ("hall-a", "hall-b", False),
        ("ungrouped", "ungrouped", True),
    ],
)
def test_a_pause_is_of_all_that_lies_inside(paused: str, group: str, is_it: bool) -> None:
    assert covers(paused, group) is is_it


def test_a_pause_lasts_from_its_beginning_until_just_before_its_end() -> None:
    pauses = [Pause("hall-a", NOON, NOON + HOUR)]
    assert [
        pause_of(pauses, "hall-a/row-3", at) is not None
        for at in (NOON - 1, NOON, NOON + HOUR - 1, NOON + HOUR)
    ] == [False, True, True, False]


def test_of_pauses_that_overlap_the_one_that_lasts_longest_is_told() -> None:
    short, long, endless = (
        Pause("all", NOON, NOON + HOUR),
        Pause("hall-a", NOON, NOON + 2 * HOUR),
        Pause("hall-a/row-3", NOON),
    )
    assert pause_of([short, long, endless], "hall-a/row-1", NOON) == long
    assert pause_of([endless, short, long], "hall-a/row-3", NOON) == endless
    assert pause_of([short, long, endless], "hall-b", NOON) == short


def test_machines_have_a_quarter_of_an_hour_to_come_back() -> None:
    pauses = [Pause("hall-a", NOON, NOON + HOUR)]
    back_by = NOON + HOUR + 15 * MINUTE
    assert [
        silence_planned_by(pauses, "hall-a/row-3", at)
        for at in (NOON - 1, NOON, NOON + HOUR, back_by - 1, back_by)
    ] == [None, "hand", "hand", "hand", None]
    assert silence_planned_by(pauses, "hall-b", NOON) is None


def test_a_hand_goes_before_the_price_and_what_lasts_before_what_is_over() -> None:
    """The price from noon until three; somebody's hand from one until two."""
    pauses = [
        Pause("all", NOON, NOON + 3 * HOUR, by="price"),
        Pause("hall-a", NOON + HOUR, NOON + 2 * HOUR),
    ]
    hours = (0, 1, 2, 3)
    assert [silence_planned_by(pauses, "hall-a", NOON + hour * HOUR) for hour in hours] == [
        "price",
        "hand",
        "price",
        "price",
    ]
    assert silence_planned_by(pauses[1:], "hall-a", NOON + 2 * HOUR) == "hand"


@pytest.mark.parametrize(
    ("pause", "hours"),
    [
        (Pause("a", NOON, NOON + HOUR), 1),
        (Pause("a", NOON - HOUR, NOON + HOUR), 1),
        (Pause("a", NOON + HOUR), 1),  # lasts on
        (Pause("a", NOON - HOUR), 2),
        (Pause("a", NOON - HOUR, NOON), 0),
        (Pause("a", NOON + 2 * HOUR), 0),
    ],
)
def test_of_a_pause_the_time_within_a_span_counts(pause: Pause, hours: int) -> None:
    assert pause.us_within(NOON, NOON + 2 * HOUR) == hours * HOUR


def test_pausing_again_moves_the_end() -> None:
    first = begun((), Pause("hall-a", NOON, NOON + HOUR, "heat"))
    again = begun(first, Pause("hall-a", NOON + MINUTE, NOON + 5 * HOUR, "repair"))
    assert again == (Pause("hall-a", NOON, NOON + 5 * HOUR, "repair"),)
    other = begun(again, Pause("hall-b", NOON + 2 * MINUTE))
    assert [one.group for one in other] == ["hall-a", "hall-b"]


def test_a_pause_may_be_ended_early_with_all_inside() -> None:
    pauses = (
        Pause("all", NOON, NOON + HOUR),
        Pause("hall-a", NOON),
        Pause("hall-a/row-3", NOON, NOON + MINUTE),
        Pause("hall-a/row-4", NOON),
        Pause("hall-b", NOON),
    )
    left, stopped = ended(pauses, "hall-a", NOON + 10 * MINUTE)
    assert [one.group for one in stopped] == ["hall-a", "hall-a/row-4"]
    assert [(one.group, one.until_us) for one in left] == [
        ("all", NOON + HOUR),
        ("hall-a", NOON + 10 * MINUTE),
        ("hall-a/row-3", NOON + MINUTE),
        ("hall-a/row-4", NOON + 10 * MINUTE),
        ("hall-b", None),
    ]
    assert ended(left, "hall-a", NOON + 11 * MINUTE) == (left, [])
    everything, stopped = ended(left, "all", NOON + 12 * MINUTE)
    assert [one.group for one in stopped] == ["all", "hall-b"]
    assert all(one.is_over(NOON + 12 * MINUTE) for one in everything)


def test_pauses_are_kept_for_three_months_and_not_without_end() -> None:
    old, kept = Pause("a", 0, NOON - KEPT_US), Pause("b", 0, NOON - KEPT_US + 1)
    assert begun((old, kept), Pause("c", NOON)) == (kept, Pause("c", NOON))
    many = tuple(Pause(f"g-{number}", number) for number in range(MOST_PAUSES))
    assert begun(many, Pause("c", NOON)) == (*many[1:], Pause("c", NOON))


def test_a_group_is_paused_while_electricity_is_dear() -> None:
    steps = [
        PriceStep(NOON + at * HOUR, price) for at, price in enumerate((0.10, 0.31, 0.40, 0.30, 0.29, 0.35))
    ]
    reason = "electricity costs more than 0.3 per kWh"
    assert priced_pauses("hall-a", 0.30, steps) == [
        Pause("hall-a", NOON + HOUR, NOON + 3 * HOUR, reason, "price"),
        Pause("hall-a", NOON + 5 * HOUR, None, reason, "price"),
    ]
    assert priced_pauses("hall-a", 0.30, []) == []
