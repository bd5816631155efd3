"""The list of the farm's machines that its operator keeps: CSV text → Inventory. Pure; it reads no file.

Columns are found by their names in the first line, in any order; others are passed over. Spreadsheets write
a byte order mark, and in much of Europe semicolons between cells and a comma in numbers: both are read.

    InventoryError      everything that is wrong, each with its line
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator

import msgspec

from config.farm_places_schema import MOST_LEVELS
from stratum.username import parse_user

COLUMNS = ("name", "group", "model", "expected_ths", "watts")
SEPARATORS = ",;\t"
MOST_MACHINES = 100_000  # forty times the warehouse of the example; a list of 10 MB
MOST_TOLD = 20  # a screenful; a column in the wrong place would give one for each machine
MOST_TERAHASHES = 100_000.0  # a tenth of an exahash, as in the settings
MOST_WATTS = 1_000_000.0  # a megawatt: more than a container of machines
LONGEST_TEXT = 64  # of a model or one part of a group; it stands in tables and in labels
WHOLE_FARM = "all"
UNGROUPED = "ungrouped"
TERA = 1e12
_NUMBER = re.compile(r"-?\d{1,9}(?:\.\d{1,9})?", re.ASCII)


class InventoryProblem(msgspec.Struct, frozen=True):
    """One thing to mend, in a line of the file, counted from 1."""

    line: int
    message: str


class InventoryError(Exception):
    """The list cannot be used. `problems` are the first of them in the order of the file, `more` how many
    there are besides."""

    def __init__(self, problems: Iterable[InventoryProblem]) -> None:
        found = list(problems)
        self.problems = tuple(found[:MOST_TOLD])
        self.more = len(found) - len(self.problems)
        super().__init__("; ".join(f"line {one.line}: {one.message}" for one in self.problems))


class InventoryMachine(msgspec.Struct, frozen=True):
    """One machine as the operator lists it. `name` is a worker name, or ADDRESS.worker; `group` a path like
    hall-a/row-3/rack-7, or empty. What the list does not say is None, or empty."""

    name: str
    group: str
    model: str
    expected_hashes_per_second: float | None
    watts: float | None


class Inventory(msgspec.Struct, frozen=True):
    """Machines by name, in the order of the list."""

    machines: dict[str, InventoryMachine]

    def machine(self, account: str, worker: str) -> InventoryMachine | None:
        """What is said of a worker: under ADDRESS.worker if that is listed, else under its worker name; a
        miner that gives no worker name is listed by its address alone."""
        if not worker:
            return self.machines.get(account)
        return self.machines.get(f"{account}.{worker}") or self.machines.get(worker)

    def never_seen(self, seen: Iterable[tuple[str, str]]) -> list[InventoryMachine]:
        """Listed machines that none of these (account, worker) is, in the order of the list."""
        found = {machine.name for name in seen if (machine := self.machine(*name)) is not None}
        return [machine for machine in self.machines.values() if machine.name not in found]

    def groups(self) -> set[str]:
        """All groups that are named, and those that they lie in."""
        return {path for machine in self.machines.values() for path in _paths(machine.group)}


def parse_inventory(text: str) -> Inventory:
    """Read it whole. Raises InventoryError."""
    text = text.removeprefix("\ufeff")
    heading = text.partition("\n")[0]
    separator = max(SEPARATORS, key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    reading = _Reading(has_decimal_comma=separator == ";")
    try:
        places = _columns(next(reader, []))
        for cells in reader:
            reading.take(cells, places, reader.line_num)
    except csv.Error as error:
        reading.problems.append(InventoryProblem(reader.line_num, f"is no CSV: {error}"))
    if reading.problems:
        raise InventoryError(reading.problems)
    return Inventory(reading.machines)


def _columns(heading: list[str]) -> dict[str, int]:
    names = [cell.strip().lower() for cell in heading]
    lacking = [name for name in COLUMNS if name not in names]
    if lacking:
        message = (
            f"the heading lacks {', '.join(lacking)}; it needs {', '.join(COLUMNS)} (cells may be empty)"
        )
        raise InventoryError([InventoryProblem(1, message)])
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise InventoryError([InventoryProblem(1, f"the heading has {twice[0]} twice")])
    return {name: names.index(name) for name in COLUMNS}


class _Reading:
    """What the lines so far gave."""

    def __init__(self, *, has_decimal_comma: bool) -> None:
        self.machines: dict[str, InventoryMachine] = {}
        self.problems: list[InventoryProblem] = []
        self._lines: dict[str, int] = {}
        self._has_decimal_comma = has_decimal_comma

    def take(self, cells: list[str], places: dict[str, int], line: int) -> None:
        """One line; a machine or problems. Raises InventoryError where there are more than anybody has."""
        if not any(cell.strip() for cell in cells):
            return
        if len(self._lines) >= MOST_MACHINES:
            message = f"is one machine too many: at most {MOST_MACHINES:,} are read"
            raise InventoryError([*self.problems, InventoryProblem(line, message)])
        last = max(places.values())
        if len(cells) <= last:
            message = f"has {len(cells)} cells, and the heading has its columns up to number {last + 1}"
            self.problems.append(InventoryProblem(line, message))
            return
        found = {name: cells[place].strip() for name, place in places.items()}
        messages = list(self._faults(found, line))
        if messages:
            self.problems += (InventoryProblem(line, message) for message in messages)
            return
        expected, watts = self._number(found["expected_ths"]), self._number(found["watts"])
        self.machines[found["name"]] = InventoryMachine(
            name=found["name"],
            group=_joined(found["group"]),
            model=found["model"],
            expected_hashes_per_second=None if expected is None else expected * TERA,
            watts=watts,
        )

    def _faults(self, found: dict[str, str], line: int) -> Iterator[str]:
        name = found["name"]
        first = self._lines.setdefault(name, line)
        if not name:
            yield "has no name"
        elif first != line:
            yield f"{name!r} is listed in line {first} already"
        elif parse_user(name) is None and parse_user(f"a.{name}") is None:
            yield f"{name[:LONGEST_TEXT]!r} is a name that no miner can have"
        yield from _group_faults(found["group"])
        if not _is_label(found["model"]):
            yield f"the model is longer than {LONGEST_TEXT} characters or holds odd ones"
        for column, most in (("expected_ths", MOST_TERAHASHES), ("watts", MOST_WATTS)):
            yield from self._number_faults(column, found[column], most)

    def _number_faults(self, column: str, text: str, most: float) -> Iterator[str]:
        if not text:
            return
        number = self._number(text)
        if number is None:
            yield f"{column} is {text[:LONGEST_TEXT]!r}; write a number like 104.5, or nothing"
        elif not 0 < number <= most:
            yield f"{column} is {text}; it must be above 0, at most {most:,.0f}, or nothing"

    def _number(self, text: str) -> float | None:
        """The number; None for nothing and for what is none."""
        plain = text.replace(",", ".") if self._has_decimal_comma else text
        return float(plain) if _NUMBER.fullmatch(plain) else None


# ---------------------------------------------------------------------- groups


def _parts(path: str) -> list[str]:
    return [part.strip() for part in path.strip("/ ").split("/")] if path.strip("/ ") else []


def _joined(path: str) -> str:
    return "/".join(_parts(path))


def _paths(path: str) -> Iterator[str]:
    parts = _parts(path)
    return ("/".join(parts[:length]) for length in range(1, len(parts) + 1))


def _group_faults(path: str) -> Iterator[str]:
    parts = _parts(path)
    if len(parts) > MOST_LEVELS:
        yield f"the group has {len(parts)} levels; at most {MOST_LEVELS} are possible"
    if any(not part or not _is_label(part) for part in parts):
        yield (
            "the group is no path like hall-a/row-3/rack-7: each part has 1 to "
            f"{LONGEST_TEXT} printable characters"
        )
    elif parts and parts[0] in (WHOLE_FARM, UNGROUPED):
        yield f"a group cannot be called {parts[0]!r}, which has a meaning of its own"


def _is_label(text: str) -> bool:
    return len(text) <= LONGEST_TEXT and text.isprintable() and '"' not in text and "\\" not in text
