"""`engineroom farm`: pauses made, moved, ended and listed; wrong groups and times are one line."""

import asyncio
import csv
import io
import json
import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.loading import load
from pool.accounting.control import INSTRUMENTS_SOCKET, ControlSocket, Refused
from pool.farm.pause_file import PauseFile
from pool.instruments.farm_desk import FarmDesk
from pool.reports.farm import MOST_SHOWN
from tests.harness.command import Ended
from tests.pool.accounting.building import ALICE, BOB, Accounts
from tests.pool.commands.running import Pool, command

PATTERN = "farm: {name_pattern: '(?P<hall>[a-z]+)-(?P<row>[0-9]+)-(?P<position>[0-9]+)'}\n"
INVENTORY = "name;group;model;expected_ths;watts\nm-1;hall-a/row-3;S19;104,5;3250\nm-2;hall-b/row-1;;;\n"


async def mining(made: Accounts) -> None:
    await made.work(ALICE, 2**40, worker="north-3-12")
    await made.work(BOB, 2**40, worker="south-1-1")


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    """A farm with an inventory."""
    made = Pool(tmp_path)
    (tmp_path / "machines.csv").write_text("\ufeff" + INVENTORY)
    add(made, "farm: {inventory: machines.csv}\n")
    return made


def add(pool: Pool, lines: str) -> None:
    pool.settings.write_text(pool.settings.read_text() + lines)


def now_us() -> int:
    return time.time_ns() // 1000


async def test_no_more_machines_are_asked_for_than_are_shown(pool: Pool) -> None:
    """Each costs the one thread that answers scrapes too."""
    desk, asked = FarmDesk(load(pool.settings, {}), time.time(), None), []

    async def farm(group: str | None, most: int | None) -> Any:
        asked.append((group, most))
        return msgspec.to_builtins(desk.report(group, None, most))

    socket = ControlSocket(pool.directory / INSTRUMENTS_SOCKET, {"farm": farm})
    await socket.open()
    try:
        for options in ((), ("--group", "hall-a"), ("--all",), ("--json",)):
            async with asyncio.timeout(20):
                ended = await asyncio.to_thread(pool.run, "farm", *options)
            assert (ended.code, ended.err) == (0, "")
    finally:
        await socket.close()
    assert asked == [(None, MOST_SHOWN), ("hall-a", MOST_SHOWN), (None, None), (None, None)]


async def test_machines_that_are_gone_are_forgotten_or_one_line_says_why_not(pool: Pool) -> None:
    nobody = await asyncio.to_thread(pool.run, "farm", "forget", "m-7")
    assert (nobody.code, nobody.out, nobody.err.count("\n")) == (1, "", 1)
    forgotten = []

    async def forget(machines: list[str]) -> str | None:
        if "m-1" in machines:
            raise Refused("'m-1' is in the inventory")
        forgotten.extend(machines)
        return "no space left on device" if "m-10" in machines else None

    socket = ControlSocket(pool.directory / INSTRUMENTS_SOCKET, {"forget": forget})
    await socket.open()
    try:
        async with asyncio.timeout(20):
            done = await asyncio.to_thread(pool.run, "farm", "forget", "m-7", "m-8", "m-7")
            refused = await asyncio.to_thread(pool.run, "farm", "forget", "m-9", "m-1")
            not_kept = await asyncio.to_thread(pool.run, "farm", "forget", "m-10")
    finally:
        await socket.close()
    assert done == Ended(
        0,
        "m-7 is forgotten; if it comes again, it is a new machine\n"
        "m-8 is forgotten; if it comes again, it is a new machine\n",
        "",
    )
    assert refused == Ended(1, "", "engineroom: 'm-1' is in the inventory\n")
    assert not_kept == Ended(
        1,
        "m-10 is forgotten; if it comes again, it is a new machine\n",
        "engineroom: that is not kept, and after a crash they may be here again: no space left on device\n",
    )
    assert forgotten == ["m-7", "m-8", "m-7", "m-10"]


def test_a_group_is_paused_until_a_time_and_resumed(pool: Pool) -> None:
    began = now_us()
    ended = pool.run("farm", "pause", "hall-a", "--until", "+3h", "--reason", "repair of the fans")
    assert (ended.code, ended.err) == (0, "")
    assert re.fullmatch(r"hall-a is paused until \d{4}-\d\d-\d\d \d\d:\d\d \S+\n", ended.out)
    [made] = PauseFile(pool.directory).pauses()
    assert (made.group, made.reason, made.by) == ("hall-a", "repair of the fans", "hand")
    assert made.until_us is not None
    # whole seconds, three hours from when the command ran
    assert began + 10_799_000_000 <= made.until_us <= now_us() + 10_800_000_000
    ended = pool.run("farm", "resume", "hall-a")
    assert ended.code == 0
    assert ended.out.startswith("hall-a is resumed; it was to be paused until 2")
    [over] = PauseFile(pool.directory).pauses()
    assert over.is_over(now_us())


def test_a_pause_without_an_end_lasts_until_it_is_resumed(pool: Pool) -> None:
    assert pool.run("farm", "pause", "all").out == "the whole farm is paused until it is resumed\n"
    ended = pool.run("farm", "resume", "hall-b")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "engineroom: hall-b is still paused with the whole farm, until it is resumed\n"
    assert pool.run("farm", "resume", "all").code == 0
    ended = pool.run("farm", "resume", "all")
    assert (ended.code, ended.err) == (1, "engineroom: the whole farm is not paused\n")


def test_pauses_are_listed_lasting_ones_first(pool: Pool) -> None:
    assert pool.run("farm", "pauses").out == "nothing is paused\n"
    pool.run("farm", "pause", "hall-a/row-3", "--reason", "heat")
    pool.run("farm", "pause", "hall-b", "--until", "+1h")
    pool.run("farm", "resume", "hall-b")
    lines = pool.run("farm", "pauses").out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["hall-a/row-3", "lasting"], ["hall-b", "over"]]
    assert [(one["group"], one["state"]) for one in json.loads(pool.run("farm", "pauses", "--json").out)] == [
        ("hall-a/row-3", "lasting"),
        ("hall-b", "over"),
    ]
    rows = list(csv.DictReader(io.StringIO(pool.run("farm", "pauses", "--csv").out)))
    assert (rows[0]["group"], rows[0]["until_us"], rows[0]["reason"]) == ("hall-a/row-3", "", "heat")


def test_pauses_by_price_are_listed_though_no_file_has_them(tmp_path: Path) -> None:
    """Power is dear from 8 to 20: within two days begin two such pauses, and a third one may last."""
    pool = Pool(tmp_path)
    add(
        pool,
        "farm: {power: {currency: CNY, time_zone: UTC, pause_above_price_per_kwh: 0.6, tariffs: ["
        "{from: '08:00', to: '20:00', price_per_kwh: 0.9}, "
        "{from: '20:00', to: '08:00', price_per_kwh: 0.5}]}}\n",
    )
    pool.run("farm", "pause", "all")
    pool.run("farm", "resume", "all")
    lines = json.loads(pool.run("farm", "pauses", "--json").out)
    by_price = [one for one in lines if one["by"] == "price"]
    assert len(by_price) in (2, 3)
    assert [one["state"] for one in by_price[-2:]] == ["planned", "planned"]
    assert (lines[-1]["group"], lines[-1]["by"], lines[-1]["state"]) == ("all", "hand", "over")
    for one in by_price:
        assert one["group"] == "all"
        assert one["until_us"] - one["since_us"] == 12 * 3_600_000_000
        assert one["since_us"] % 86_400_000_000 == 8 * 3_600_000_000
        assert one["reason"] == "electricity costs more than 0.6 per kWh"
    nexts = [one["since_us"] for one in by_price]
    assert nexts == sorted(nexts)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("hall-a", "--until", "2020-01-01T06:00"), "2020-01-01T06:00 is past; write a time like 18:00"),
        (("hall-a", "--until", "tomorrow"), "'tomorrow' is no time; write a time like 18:00"),
        (("hall-a", "--reason", "x" * 201), "one line of at most 200 characters"),
        (("hall-a", "--reason", "a\nb"), "one line of at most 200 characters"),
    ],
)
def test_wrong_times_and_reasons_pause_nothing(pool: Pool, arguments: tuple[str, ...], why: str) -> None:
    ended = pool.run("farm", "pause", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert why in " ".join(ended.err.replace("│", " ").split())
    assert list(pool.directory.iterdir()) == []


def test_an_unknown_group_is_refused_with_the_nearest(pool: Pool) -> None:
    ended = pool.run("farm", "pause", "hall-c")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("engineroom: there is no group 'hall-c'; the nearest: hall-b, hall-a, ")
    assert ended.err.count("\n") == 1
    assert list(pool.directory.iterdir()) == []


def test_groups_of_names_are_known_from_the_machines_that_have_mined(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    add(pool, PATTERN.replace("}", f", accounts: [{ALICE}]}}"))
    pool.fill(mining)
    assert pool.run("farm", "pause", "/north/row-3/").out.startswith("north/row-3 is paused")
    ended = pool.run("farm", "pause", "nort")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "the nearest: north, north/row-3" in ended.err
    assert pool.run("farm", "pause", "south").code == 2  # a stranger's machine, none of this farm


def test_before_anything_has_mined_any_group_may_be_paused(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    add(pool, PATTERN)
    ended = pool.run("farm", "pause", "north")
    assert (ended.code, ended.out) == (0, "north is paused until it is resumed\n")
    assert ended.err.endswith(
        "engineroom: whether there is a group 'north' is not known yet; it is paused all the same\n"
    )


def test_without_groups_there_is_only_the_whole_farm(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    ended = pool.run("farm", "pause", "hall-a")
    assert (ended.code, ended.out, ended.err) == (
        2,
        "",
        "engineroom: there is no group but `all`: set farm.name_pattern or farm.inventory to have 'hall-a'\n",
    )
    assert pool.run("farm", "pause", "all").code == 0


def test_an_inventory_that_cannot_be_used_is_told_with_its_lines(pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "machines.csv"
    file.write_text(INVENTORY + "m-1;;;;\nm-3;;;x;\n")
    ended = pool.run("farm", "pause", "hall-a")
    assert (ended.code, ended.err.splitlines()) == (
        1,
        [
            f"engineroom: {file}:4: 'm-1' is listed in line 2 already",
            f"engineroom: {file}:5: expected_ths is 'x'; write a number like 104.5, or nothing",
        ],
    )
    file.write_text(INVENTORY.splitlines()[0] + "\n" + ";;;;\n" + ",;;;x;\n" * 25)
    assert pool.run("farm", "pause", "hall-a").err.splitlines()[-1].startswith("engineroom: … and ")
    file.write_bytes(INVENTORY.encode() + "Müller;;;;\n".encode("latin-1"))
    assert pool.run("farm", "pause", "hall-a").err == (
        f"engineroom: {file}:4: is not UTF-8 text; save it as CSV in UTF-8\n"
    )
    file.unlink()
    assert pool.run("farm", "pause", "hall-a").err == f"engineroom: {file}: no such file or directory\n"


@pytest.mark.parametrize("arguments", [("pause", "all"), ("resume", "all"), ("pauses",)])
def test_a_damaged_file_is_one_line(pool: Pool, arguments: tuple[str, ...]) -> None:
    (pool.directory / "pauses.json").write_text("{")
    ended = pool.run("farm", *arguments)
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert ended.err.startswith(f"engineroom: {pool.directory}/pauses.json: ")


def test_a_data_directory_that_is_not_there_is_one_line(pool: Pool) -> None:
    pool.directory.rmdir()
    ended = pool.run("farm", "pause", "all")
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "is not there; has the pool run with these settings?" in ended.err


def test_the_list_of_commands_is_shown_without_one() -> None:
    assert "resume" in command("farm", "--help").out
