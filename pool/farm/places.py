"""Where a machine stands: (account, worker name) → Place. Pure; it remembers the groups that there are.

The inventory goes before the name pattern, and what neither places stands in the group `ungrouped`. Names
come from the network: what becomes part of a group is made safe for a line of text and a label of a metric,
and the number of groups is bounded, since anybody can invent names.
"""

import difflib
import re
from collections.abc import Iterable, Iterator

import msgspec

from config.farm_rules import POSITION, levels_of
from pool.farm.inventory import UNGROUPED, WHOLE_FARM, Inventory, InventoryMachine

LONGEST_LABEL = 64  # as long as a worker name may be
MOST_GROUPS = 10_000  # by pattern, of machines that are known
# A farm of a hundred thousand machines in racks of forty has 2,500; each costs memory and a line.
_UNSAFE = re.compile(r'["\\/]')
_WORD = re.compile(r"([^\W\d_]{1,32})(?:[-_ .]\S{1,4}|\d{1,4})")


Levels = tuple[tuple[str, str], ...]  # from wide to narrow: (name of the level, its part of the path)


class Place(msgspec.Struct, frozen=True):
    """`levels` as (("hall", "a"), ("row", "row-3")). `position` is the machine's own place in its group,
    where its name says it."""

    levels: Levels = ()
    position: str = ""

    @property
    def group(self) -> str:
        """The path: hall-a/row-3/rack-7."""
        return "/".join(part for _, part in self.levels) or UNGROUPED

    def groups(self) -> Iterator[tuple[str, str]]:
        """The groups it stands in, as `groups_of` has them."""
        return groups_of(self.levels)


def groups_of(levels: Levels) -> Iterator[tuple[str, str]]:
    """The groups that whoever has these levels stands in, from wide to narrow, each as (name of its level,
    its path)."""
    path = ""
    for level, part in levels:
        path = f"{path}/{part}" if path else part
        yield level, path


NOWHERE = Place()


class Places:
    """Where every machine stands, by an inventory, by a name pattern, or both.

    `pattern` has to be one that config.farm_rules lets pass. `accounts` are canonical addresses; none of them
    means all.
    """

    def __init__(
        self,
        inventory: Inventory | None = None,
        pattern: str | None = None,
        accounts: Iterable[str] = (),
        *,
        most_groups: int = MOST_GROUPS,
    ) -> None:
        self.inventory = inventory or Inventory({})
        self._pattern = None if pattern is None else re.compile(pattern)
        self._accounts = frozenset(accounts)
        self._most_groups = most_groups
        self._by_pattern: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}

    def has(self, account: str) -> bool:
        """Whether machines of this account are the farm's."""
        return not self._accounts or account in self._accounts

    def place(self, account: str, worker: str) -> Place:
        """Where it stands."""
        machine = self.inventory.machine(account, worker)
        position, levels = self._from_name(worker)
        if machine is not None and machine.group:
            return Place(tuple(_listed_levels(machine)), position)
        if levels not in self._by_pattern and len(self._by_pattern) >= self._most_groups:
            return NOWHERE
        return Place(self._by_pattern.setdefault(levels, levels), position)

    def make_room(self, standing: Iterable[Place]) -> bool:
        """Where there are as many groups as may be, forget those in which nobody stands. False: there was
        room."""
        if len(self._by_pattern) < self._most_groups:
            return False
        used = {place.levels for place in standing}
        self._by_pattern = {levels: levels for levels in self._by_pattern if levels in used}
        return True

    def _from_name(self, worker: str) -> tuple[str, tuple[tuple[str, str], ...]]:
        match = None if self._pattern is None else self._pattern.fullmatch(worker)
        if match is None or self._pattern is None:
            return "", ()
        levels = []
        for level in levels_of(self._pattern):
            text = match[level]
            if not text:  # a part that the expression lets be absent: what comes below has nothing to lie in
                break
            levels.append((level, _part(level, text)))
        has_position = POSITION in self._pattern.groupindex
        return _label(match[POSITION] or "") if has_position else "", tuple(levels)


def nearest(group: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The groups whose names are most like this one's, the best first: what somebody may have meant."""
    return difflib.get_close_matches(group, sorted({*known, WHOLE_FARM}), n=most, cutoff=0.0)


def _listed_levels(machine: InventoryMachine) -> Iterator[tuple[str, str]]:
    """A list has no names of levels: `rack-7` is called a rack, and `Shenzhen` a group."""
    for part in machine.group.split("/"):
        word = _WORD.fullmatch(part)
        yield (word[1].lower() if word is not None else "group"), part


def _part(level: str, text: str) -> str:
    """`row-3` for the row 3, since a bare number says nothing in a path; other names speak for themselves."""
    label = _label(text)
    return f"{level}-{label}" if label.isdigit() else label


def _label(text: str) -> str:
    """Safe in a line, a path and a label: printable, no quotes, no slash, not long."""
    safe = _UNSAFE.sub("_", text[:LONGEST_LABEL])
    return "".join(character if character.isprintable() else "_" for character in safe)
