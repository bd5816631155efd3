"""The operator's list of machines: what spreadsheets write is read, every mistake told with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.farm.inventory import InventoryError, InventoryMachine, InventoryProblem, parse_inventory

HEADING = "name,group,model,expected_ths,watts\n"


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(InventoryError) as refused:
        parse_inventory(text)
    return [(one.line, one.message) for one in refused.value.problems]


def test_a_line_is_a_machine() -> None:
    machines = parse_inventory(HEADING + "m-12,hall-a/row-3/rack-7,S19j Pro,104,3068\n").machines
    assert machines == {
        "m-12": InventoryMachine("m-12", "hall-a/row-3/rack-7", "S19j Pro", 104e12, 3068.0),
    }


def test_columns_stand_in_any_order_and_others_are_passed_over() -> None:
    text = "Watts,serial,NAME,model,group,expected_ths\n3068,X1,m-12,S19,hall-a,104.5\n"
    assert parse_inventory(text).machines["m-12"] == InventoryMachine(
        "m-12", "hall-a", "S19", 104.5e12, 3068.0
    )


def test_what_is_not_said_is_none() -> None:
    assert parse_inventory(HEADING + "m-12,,,,\n\n , ,,,\n").machines == {
        "m-12": InventoryMachine("m-12", "", "", None, None)
    }


def test_a_european_spreadsheet_is_read() -> None:
    text = '\ufeffname;group;model;expected_ths;watts\r\nm-12;hall-a;"S19; blue";104,5;3068\r\n'
    assert parse_inventory(text).machines["m-12"] == InventoryMachine(
        "m-12", "hall-a", "S19; blue", 104.5e12, 3068.0
    )


def test_tabs_separate_too() -> None:
    text = (HEADING + "m-12,hall-a,S19,104,3068\n").replace(",", "\t")
    assert parse_inventory(text).machines["m-12"].watts == 3068


def test_a_group_is_a_path_of_its_parts() -> None:
    inventory = parse_inventory(HEADING + "m-1, /机房一/ row 3/rack-7/ ,,,\nm-2,机房一/row 4,,,\n")
    assert inventory.machines["m-1"].group == "机房一/row 3/rack-7"
    assert inventory.groups() == {"机房一", "机房一/row 3", "机房一/row 3/rack-7", "机房一/row 4"}


def test_every_mistake_is_told_with_its_line() -> None:
    text = HEADING + (
        "m-1,hall-a,S19,104,3068\n"
        "m-1,hall-a,S19,-104,3068\n"
        ",hall-a,S19,104,3068\n"
        "m 4,hall-a//rack-7,S19,104,0\n"
        "m-5,hall-a\n"
        '"m-6",all/row-3,"two\nlines",1e3,"3,068"\n'
        "m-7,a/b/c/d/e/f/g,S19,100001,1000001\n"
    )
    assert problems(text) == [
        (3, "'m-1' is listed in line 2 already"),
        (3, "expected_ths is -104; it must be above 0, at most 100,000, or nothing"),
        (4, "has no name"),
        (5, "'m 4' is a name that no miner can have"),
        (5, "the group is no path like hall-a/row-3/rack-7: each part has 1 to 64 printable characters"),
        (5, "watts is 0; it must be above 0, at most 1,000,000, or nothing"),
        (6, "has 2 cells, and the heading has its columns up to number 5"),
        (8, "a group cannot be called 'all', which has a meaning of its own"),
        (8, "the model is longer than 64 characters or holds odd ones"),
        (8, "expected_ths is '1e3'; write a number like 104.5, or nothing"),
        (8, "watts is '3,068'; write a number like 104.5, or nothing"),
        (9, "the group has 7 levels; at most 6 are possible"),
        (9, "expected_ths is 100001; it must be above 0, at most 100,000, or nothing"),
        (9, "watts is 1000001; it must be above 0, at most 1,000,000, or nothing"),
    ]


def test_at_most_twenty_mistakes_are_told_and_the_others_counted() -> None:
    with pytest.raises(InventoryError) as refused:
        parse_inventory(HEADING + ",,,,x\n" * 15)  # two mistakes a line: no name, and watts
    assert (len(refused.value.problems), refused.value.more) == (20, 10)
    assert refused.value.problems[19] == InventoryProblem(
        11, "watts is 'x'; write a number like 104.5, or nothing"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks name, group, model, expected_ths, watts"),
        ("m-1,hall-a,S19,104,3068\n", "lacks name, group, model, expected_ths, watts"),
        ("name,group,model,expected_th,watts\n", "the heading lacks expected_ths"),
        ("name,group,model,expected_ths,watts,name\n", "the heading has name twice"),
    ],
)
def test_the_heading_has_every_column_once(text: str, message: str) -> None:
    [(line, told)] = problems(text)
    assert line == 1
    assert message in told


def test_a_quote_that_is_not_closed_is_told() -> None:
    [(line, message)] = problems(HEADING + 'm-1,"hall-a,S19,104,3068\nm-2,,,,\n')
    assert line == 3
    assert message.startswith("is no CSV: ")


def test_a_hundred_thousand_machines_are_read_and_no_more() -> None:
    text = HEADING + "".join(f"m-{number},,,,\n" for number in range(100_000))
    assert len(parse_inventory(text).machines) == 100_000
    assert problems(text + "one-more,,,,\n") == [
        (100_002, "is one machine too many: at most 100,000 are read")
    ]


def test_a_worker_is_found_by_its_name_and_first_by_its_address_and_name() -> None:
    inventory = parse_inventory(HEADING + "rig,a,,,\nbc1one.rig,b,,,\nbc1two,c,,,\n")

    def group(account: str, worker: str) -> str | None:
        machine = inventory.machine(account, worker)
        return None if machine is None else machine.group

    assert group("bc1one", "rig") == "b"
    assert group("bc1two", "rig") == "a"
    assert group("bc1two", "") == "c"  # a miner that gives its address alone
    assert group("bc1two", "other") is None


def test_machines_that_never_came_are_known() -> None:
    inventory = parse_inventory(HEADING + "m-1,,,,\nm-2,,,,\nbc1one.m-3,,,,\n")
    assert [one.name for one in inventory.never_seen([("x", "m-2"), ("x", "m-3")])] == ["m-1", "bc1one.m-3"]


@given(st.text(max_size=200))
def test_any_text_is_an_inventory_or_told_to_be_none(text: str) -> None:
    try:
        names = [machine.name for machine in parse_inventory(HEADING + text).machines.values()]
    except InventoryError as error:
        names = ["" for _ in error.problems]
    assert names or not text.translate({ord(","): None, ord('"'): None}).strip()  # empty cells, and no more
