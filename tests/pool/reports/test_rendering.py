"""Lists as tables, JSON and CSV: nothing too wide, nothing that a terminal or a spreadsheet would run."""

import csv
import io
import json

import msgspec
import pytest
from rich.console import Console

from pool.reports.rendering import Column, Form, csv_cell, csv_text, moment, plain, shortened, show
from pool.wording import coins_text

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"  # 44 characters


class Line(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    sats: int
    reason: str | None = None
    is_paid: bool = False
    attempts: tuple[int, ...] = ()


COLUMNS: tuple[Column[Line], ...] = (
    Column("account", lambda one: one.account, is_shortened=True),
    Column("amount", lambda one: coins_text(one.sats), is_number=True),
    Column("reason", lambda one: one.reason or "", is_flowing=True),
)


def shown(lines: list[Line], form: Form = Form.TABLE, width: int = 80) -> str:
    text = io.StringIO()
    console = Console(file=text, width=width, highlight=False, color_system=None)
    show(lines, COLUMNS, Line, form, console, "nobody yet")
    return text.getvalue()


def test_a_table_shows_whole_addresses_where_there_is_room() -> None:
    # 44 + 2 + 10 + 2 + 6 = 64 columns are enough
    lines = shown([Line(account=ADDRESS, sats=150_000_000)], width=64).splitlines()
    assert [line.rstrip() for line in lines] == [
        "account" + 37 * " " + "      amount  reason",
        f"{ADDRESS}  1.50000000",
    ]


def test_a_narrow_table_leaves_out_the_middle_of_what_identifies() -> None:
    # one column too few: 43 are left for the address, 21 before and 21 behind the ellipsis
    lines = shown([Line(account=ADDRESS, sats=150_000_000)], width=63).splitlines()
    assert lines[1].split() == [f"{ADDRESS[:21]}…{ADDRESS[-21:]}", "1.50000000"]


def test_a_narrow_table_leaves_out_the_beginning_of_a_path_before_anything_of_a_name() -> None:
    columns: tuple[Column[Line], ...] = (
        Column("machine", lambda one: one.account, is_shortened=True),
        Column("group", lambda one: one.reason or "", is_path=True),
    )
    line = Line(account="hall-a-1-3-01-of-shenzhen-north", sats=0, reason="shenzhen/hall-a/row-1/rack-3")
    text = io.StringIO()
    # 31 + 2 + 28 are 13 more than there are: the path is the one to lose them, though the name is longer
    show([line], columns, Line, Form.TABLE, Console(file=text, width=48, color_system=None), "")
    assert text.getvalue().splitlines()[1].split() == [line.account, "…a/row-1/rack-3"]


@pytest.mark.parametrize("width", [80, 120])
def test_long_reasons_wrap_and_amounts_stay_whole(width: int) -> None:
    reason = "the node cannot pay to this address, since it knows no script for it; " * 3
    text = shown([Line(account=ADDRESS, sats=2_100_000_000_000_000, reason=reason)], width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "21000000.00000000" in text
    assert " ".join(text.split()).count("cannot") == 3


@pytest.mark.parametrize("width", [10, 20, 30])
def test_where_nothing_can_be_shortened_any_more_no_digit_is_cut_off(width: int) -> None:
    text = shown([Line(account=ADDRESS, sats=2_100_000_012_345_678)], width=width)
    assert "21000000.12345678" in text


def test_an_empty_table_says_so_and_an_empty_list_is_still_a_list() -> None:
    assert shown([]) == "nobody yet\n"
    assert shown([], Form.JSON) == "[]\n"
    assert shown([], Form.CSV) == "account,sats,reason,is_paid\n"


def test_json_has_every_field_with_satoshis_as_integers() -> None:
    lines = [Line(account=ADDRESS, sats=150_000_000, attempts=(1, 2))]
    assert json.loads(shown(lines, Form.JSON)) == [
        {"account": ADDRESS, "sats": 150_000_000, "reason": None, "is_paid": False, "attempts": [1, 2]}
    ]


def test_csv_has_every_field_but_lists() -> None:
    lines = [Line(account=ADDRESS, sats=-5, reason='a "reason", long', is_paid=True)]
    assert list(csv.reader(io.StringIO(csv_text(lines, Line)))) == [
        ["account", "sats", "reason", "is_paid"],
        [ADDRESS, "-5", 'a "reason", long', "true"],
    ]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@operator", "'@operator"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        (" =1", " =1"),
        ("rig=1", "rig=1"),
        (-1, "-1"),
        (1.5, "1.5"),
        (None, ""),
        (False, "false"),
    ],
)
def test_a_spreadsheet_runs_no_cell_as_a_formula(value: object, cell: str) -> None:
    assert csv_cell(value) == cell


def test_text_of_strangers_moves_no_cursor() -> None:
    assert plain("rig\x1b[2J\n工") == "rig�[2J�工"
    assert "\x1b" not in shown([Line(account="rig\x1b[31m", sats=1)])


@pytest.mark.parametrize(
    ("text", "most", "short"),
    [("abcdef", 6, "abcdef"), ("abcdefg", 6, "abc…fg"), ("abcdefg", 5, "ab…fg"), ("abcdefg", 3, "a…g")],
)
def test_what_is_shortened_keeps_both_ends(text: str, most: int, short: str) -> None:
    assert shortened(text, most) == short


def test_amounts_below_zero_have_their_sign_in_front() -> None:
    assert [coins_text(sats) for sats in (-1, -150_000_000, 0, 1)] == [
        "-0.00000001",
        "-1.50000000",
        "0.00000000",
        "0.00000001",
    ]


def test_moments_are_in_utc() -> None:
    assert moment(1_800_000_000_000_000) == "2027-01-15 08:00"  # 2027-01-15T08:00:00Z
    assert moment(None) == "–"
