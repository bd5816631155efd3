"""The farm's settings: expressions that say where a machine stands, the inventory's path, its accounts."""

from pathlib import Path

import pytest

from tests.config.files import loaded, only_problem, places, text_of

PATTERN = "(?P<site>[a-z]+)-(?P<row>[0-9]+)-(?P<rack>[0-9]+)-(?P<position>[0-9]+)"


def farm(*lines: str) -> str:
    return text_of(more="farm:\n" + "".join(f"  {line}\n" for line in lines))


def test_a_farm_needs_no_settings(tmp_path: Path) -> None:
    settings = loaded(tmp_path, text_of()).farm
    assert (settings.name_pattern, settings.inventory, settings.expected_terahashes) == (None, None, None)
    assert (settings.false_alarms_per_day, settings.rejecting_percent, settings.accounts) == (1, 5, ())


def test_named_groups_of_an_expression_are_levels(tmp_path: Path) -> None:
    assert loaded(tmp_path, farm(f"name_pattern: {PATTERN}")).farm.name_pattern == PATTERN


def test_six_levels_and_a_position_are_possible(tmp_path: Path) -> None:
    six = "".join(f"(?P<l{number}>.)" for number in range(6))
    assert loaded(tmp_path, farm(f"name_pattern: {six}(?P<position>.)")).farm.name_pattern is not None
    assert only_problem(tmp_path, farm(f"name_pattern: {six}(?P<l6>.)")) == (
        "farm.name_pattern",
        10,
        "names 7 levels; at most 6 are possible",
    )


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?P<row>[0-9]+", "is no regular expression: missing ), unterminated subpattern"),
        ("row-(?P<row>[0-9]+)+*", "is no regular expression: multiple repeat at character 21"),
        (
            "[a-z]+-[0-9]+",
            "names no level: write at least one named group, as in (?P<row>[0-9]+)-(?P<rack>[0-9]+)",
        ),
        (
            "m(?P<position>[0-9]+)",
            "names no level: write at least one named group, as in (?P<row>[0-9]+)-(?P<rack>[0-9]+)",
        ),
        (
            "(?P<position>[0-9]+)-(?P<row>[0-9]+)",
            "has position before row; it is the place within a group and stands last",
        ),
        ("(?P<Row>[0-9]+)", "names a level 'Row'; write small letters, digits and _, at most 32 of them"),
        ("(?P<größe>[0-9]+)", "names a level 'größe'; write small letters, digits and _, at most 32 of them"),
    ],
)
def test_an_expression_that_says_no_place_is_refused(tmp_path: Path, pattern: str, message: str) -> None:
    assert only_problem(tmp_path, farm(f"name_pattern: '{pattern}'")) == ("farm.name_pattern", 10, message)


def test_an_expression_has_at_most_500_characters(tmp_path: Path) -> None:
    whole = "(?P<row>.)" + "x" * 490
    assert loaded(tmp_path, farm(f"name_pattern: {whole}")).farm.name_pattern == whole
    key, line, message = only_problem(tmp_path, farm(f"name_pattern: {whole}x"))
    assert (key, line) == ("farm.name_pattern", 10)
    assert message.endswith("it must be text of at most 500 characters")


def test_the_inventory_lies_beside_the_settings(tmp_path: Path) -> None:
    assert loaded(tmp_path, farm("inventory: machines.csv")).farm.inventory == f"{tmp_path}/machines.csv"


@pytest.mark.parametrize(
    "line",
    [
        "expected_terahashes: 0",
        "expected_terahashes: 100001",
        "false_alarms_per_day: 0",
        "false_alarms_per_day: 1001",
        "rejecting_percent: 0",
        "rejecting_percent: 101",
        "inventory: ''",
    ],
)
def test_what_lies_outside_its_bounds_is_refused(tmp_path: Path, line: str) -> None:
    assert only_problem(tmp_path, farm(line))[:2] == (f"farm.{line.partition(':')[0]}", 10)


def test_accounts_are_a_list_of_addresses(tmp_path: Path) -> None:
    assert loaded(tmp_path, farm("accounts: [a, b]")).farm.accounts == ("a", "b")
    assert only_problem(tmp_path, farm("accounts: a")) == (
        "farm.accounts",
        10,
        "is a list: begin each entry with `- `",
    )


def test_every_account_that_is_none_is_told(tmp_path: Path) -> None:
    text = farm("accounts:", "- 5", "- good", "- {a: b}")
    assert places(tmp_path, text) == [("farm.accounts.0", 11), ("farm.accounts.2", 13)]


def test_an_account_stands_there_once(tmp_path: Path) -> None:
    assert only_problem(tmp_path, farm("accounts:", "- a", "- b", "- a")) == (
        "farm.accounts.2",
        13,
        "a is there twice; write each once",
    )
