"""Where machines stand: by the list before the name, and names of strangers do no harm."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.farm.inventory import parse_inventory
from pool.farm.places import MOST_GROUPS, NOWHERE, Place, Places, nearest

HEADING = "name,group,model,expected_ths,watts\n"
PATTERN = "(?P<site>[a-z]+)-(?P<row>[0-9]+)-(?P<rack>[0-9]+)-(?P<position>[0-9]+)"


def test_a_name_says_site_row_rack_and_position() -> None:
    place = Places(pattern=PATTERN).place("bc1one", "north-3-7-12")
    assert place == Place((("site", "north"), ("row", "row-3"), ("rack", "rack-7")), "12")
    assert place.group == "north/row-3/rack-7"
    assert list(place.groups()) == [
        ("site", "north"),
        ("row", "north/row-3"),
        ("rack", "north/row-3/rack-7"),
    ]


@pytest.mark.parametrize("worker", ["", "rig", "north-3-7-12x", "x north-3-7-12", "NORTH-3-7-12"])
def test_a_name_that_the_expression_does_not_fit_whole_is_ungrouped(worker: str) -> None:
    place = Places(pattern=PATTERN).place("bc1one", worker)
    assert (place, place.group) == (NOWHERE, "ungrouped")


def test_the_list_goes_before_the_name() -> None:
    inventory = parse_inventory(HEADING + "north-3-7-12,hall-a/row-9,,,\nnorth-3-7-13,,,,\n")
    places = Places(inventory, PATTERN)
    assert places.place("x", "north-3-7-12") == Place((("hall", "hall-a"), ("row", "row-9")), "12")
    assert places.place("x", "north-3-7-13").group == "north/row-3/rack-7"  # listed without a group
    assert places.place("x", "m-99").group == "ungrouped"


@pytest.mark.parametrize(
    ("part", "level"),
    [
        ("hall-a", "hall"),
        ("Row 3", "row"),
        ("rack07", "rack"),
        ("Shenzhen", "group"),
        ("7", "group"),
        ("厂房-2", "厂房"),
    ],
)
def test_a_part_of_a_listed_group_names_its_level_itself(part: str, level: str) -> None:
    place = Places(parse_inventory(HEADING + f"m,{part},,,\n")).place("x", "m")
    assert place.levels == ((level, part),)


def test_one_worker_name_under_two_addresses_may_stand_in_two_places() -> None:
    places = Places(parse_inventory(HEADING + "bc1one.m,hall-a,,,\nbc1two.m,hall-b,,,\n"))
    assert [places.place(account, "m").group for account in ("bc1one", "bc1two", "bc1three")] == [
        "hall-a",
        "hall-b",
        "ungrouped",
    ]


def test_what_comes_below_an_absent_part_is_left_out() -> None:
    places = Places(pattern="(?P<site>[a-z]+)(?:-(?P<row>[0-9]+))?(?:r(?P<rack>[0-9]+))?")
    assert places.place("x", "north-3r7").group == "north/row-3/rack-7"
    assert places.place("x", "northr7").group == "north"


def test_a_group_takes_nothing_unsafe_from_a_name() -> None:
    places = Places(pattern="(?P<site>.+)=(?P<row>.+)", accounts=())
    assert places.place("x", 'a/b"\\\x07\x1b=' + "r" * 100).group == "a_b____/" + "r" * 64


def test_names_that_strangers_invent_make_no_end_of_groups() -> None:
    places = Places(pattern="(?P<site>[0-9]+)")
    groups = {places.place("x", str(number)).group for number in range(MOST_GROUPS + 5)}
    assert len(groups) == MOST_GROUPS + 1  # and `ungrouped`
    assert places.place("x", "0").group == "site-0"
    assert places.place("x", str(MOST_GROUPS)).group == "ungrouped"


def test_groups_in_which_nobody_stands_any_more_make_room_for_others() -> None:
    places = Places(pattern="(?P<site>[0-9]+)")
    standing = [places.place("x", "0"), places.place("x", "1")]
    assert not places.make_room(standing), "there is room"
    for number in range(2, MOST_GROUPS):
        places.place("x", str(number))
    assert places.place("x", "20000") == NOWHERE
    assert places.make_room(standing)
    assert places.place("x", "20000").group == "site-20000"
    assert places.place("x", "1").group == "site-1"


def test_only_the_accounts_that_are_named_are_the_farms() -> None:
    assert Places().has("bc1any")
    assert [Places(accounts=["bc1one"]).has(account) for account in ("bc1one", "bc1two")] == [True, False]


def test_the_nearest_groups_are_offered() -> None:
    known = {"hall-a", "hall-a/row-3", "hall-b", "yard"}
    assert nearest("hal-a", known) == ["hall-a", "hall-b", "hall-a/row-3"]
    assert nearest("al", known)[0] == "all"  # the whole farm is a group too
    assert len(nearest("xyz", known)) == 3  # none is like it: what groups look like here


@given(st.text(max_size=80), st.sampled_from([PATTERN, "(?P<a>.*?)(?P<b>[/-].*)?", "(?P<a>.)(?P<b>.)*"]))
def test_whatever_a_machine_is_called_its_group_is_a_short_line(worker: str, pattern: str) -> None:
    group = Places(pattern=pattern).place("x", worker).group
    assert re.fullmatch(r'[^"\\\n]{1,200}', group)
    assert group.isprintable()
