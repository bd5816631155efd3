"""Reading the journal: its files in order, the chain followed from the first entry; it changes nothing.

The first entry has number 1, but for a journal that was begun anew when the one before it was lost.

JournalError
├─ JournalDamaged      a line is not what was written, or is missing; names file, line and offset
├─ JournalNewer        a newer version wrote it
├─ JournalInUse        another process appends to it
└─ JournalUnwritable   an entry is not in the journal: its change must not take effect
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pool.accounting.journal_entries import JournalBegun
from pool.accounting.journal_lines import (
    FIRST_PREVIOUS,
    MOST_LINE_BYTES,
    BadLine,
    Entry,
    NewerLine,
    is_torn,
    opened,
)

_NAME = re.compile(r"journal-([0-9]{6,})\.jsonl")


class JournalError(Exception):
    """What all errors of the journal have in common: one clear line."""


class JournalDamaged(JournalError):
    """Bytes are not what was written. `line` counts from 1 in its file, `offset` is where the line begins."""

    def __init__(self, file: Path, line: int, offset: int, reason: str) -> None:
        super().__init__(f"{file}, line {line} (byte {offset}): {reason}")
        self.file, self.line, self.offset, self.reason = file, line, offset, reason


class JournalNewer(JournalError):
    """Written by a newer version: step forward again."""


class JournalInUse(JournalError):
    """Another process holds the journal's lock."""


class JournalUnwritable(JournalError):
    """The entry is not in the journal. The journal is as before, or refuses all further entries."""


class _Place(msgspec.Struct, frozen=True):
    """Where a line is."""

    file: Path
    line: int
    offset: int

    def damaged(self, reason: str) -> JournalDamaged:
        return JournalDamaged(self.file, self.line, self.offset, reason)


class FileStart(msgspec.Struct, frozen=True):
    """What the first line of a file follows: the last entry before it."""

    number: int = 0
    hash: str = FIRST_PREVIOUS


class JournalReading:
    """One pass over files, from one on, that follows the chain; then it knows where the next entry goes."""

    def __init__(self, directory: Path, first_file: int = 1, start: FileStart | None = None) -> None:
        start = start or FileStart()
        self.number, self.hash = start.number, start.hash
        self.starts: list[FileStart] = []  # of each file that was read
        self.end = 0  # of the last whole line of the last file
        self.lacks_newline = False
        self._directory = directory
        self._first_file = first_file

    def entries(self) -> Iterator[Entry]:
        files = journal_files(self._directory)[self._first_file - 1 :]
        for file in files:
            self.starts.append(FileStart(self.number, self.hash))
            self.end, self.lacks_newline = 0, False
            for place, line in _lines(file):
                entry = self._entry(place, line, is_last_file=file == files[-1])
                if entry is None:
                    return
                self.number, self.hash = entry.number, entry.hash
                self.end = place.offset + len(line)
                yield entry

    def _entry(self, place: _Place, line: bytes, *, is_last_file: bool) -> Entry | None:
        """The line's entry, or None for a torn tail: what a crash left of an append that nobody relies on."""
        if not line.endswith(b"\n"):
            if len(line) > MOST_LINE_BYTES:
                raise place.damaged("longer than any entry")
            if is_last_file and is_torn(line):
                return None
            if not is_last_file:
                raise place.damaged("the file ends within an entry, and another file follows")
            self.lacks_newline = True
        try:
            entry = opened(line.removesuffix(b"\n"))
        except NewerLine as error:
            raise JournalNewer(f"{place.file}, line {place.line}: {error}") from None
        except BadLine as error:
            raise place.damaged(str(error)) from None
        if self.number == 0 and isinstance(entry.body, JournalBegun):
            self.number, self.hash = entry.number - 1, entry.previous
        if entry.number != self.number + 1:
            raise place.damaged(f"entry {entry.number} stands where entry {self.number + 1} belongs")
        if entry.previous != self.hash:
            raise place.damaged("it does not follow from the entry before it")
        return entry


def journal_path(directory: Path, number: int) -> Path:
    """The name of the journal's file of this number, from 1."""
    return directory / f"journal-{number:06}.jsonl"


def read_entries(directory: Path, after: int = 0) -> Iterator[Entry]:
    """Entries numbered above `after`, in order, without a lock; the chain is checked from the first entry on.

    While another process appends, the last one or two may not be there yet, or be taken back again.
    Raises JournalDamaged, JournalNewer, OSError. A directory that does not exist has no entries.
    """
    yield from (entry for entry in JournalReading(directory).entries() if entry.number > after)


def journal_files(directory: Path) -> list[Path]:
    """The journal's files in order. Raises JournalDamaged where one is missing between others."""
    try:
        names = [match for name in os.listdir(directory) if (match := _NAME.fullmatch(name))]
    except FileNotFoundError:
        return []
    numbers = sorted({int(match[1]) for match in names})
    for position, number in enumerate(numbers, start=1):
        if position != number:
            raise JournalDamaged(journal_path(directory, position), 1, 0, "the file is missing")
    return [journal_path(directory, number) for number in numbers]


def _lines(file: Path) -> Iterator[tuple[_Place, bytes]]:
    """Lines with their newline, if they have one; one that is too long is cut, and lacks it."""
    offset, number = 0, 0
    with file.open("rb") as stream:
        while line := stream.readline(MOST_LINE_BYTES + 1):
            number += 1
            yield _Place(file, number, offset), line
            offset += len(line)
