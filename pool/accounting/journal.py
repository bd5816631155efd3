"""The journal: append-only files outside the database, written and synced before a change takes effect.

    <directory>/journal-000001.jsonl …   one entry a line, numbered from 1, each chained to the one before
    <directory>/lock                     held by the one process that appends

It is what stands between a restored backup and a second payment: it is never trimmed, never rewritten, and
backed up apart from the database. Blocking: use a thread. journal_reading.py has the errors.
"""

import bisect
import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pool.accounting.journal_entries import Body
from pool.accounting.journal_lines import Entry, sealed
from pool.accounting.journal_reading import (
    FileStart,
    JournalError,
    JournalInUse,
    JournalReading,
    JournalUnwritable,
    journal_path,
)

ROTATE_BYTES = 16 * 1024 * 1024


class Journal:
    """The journal, opened for appending by its one owner. Threads may share it."""

    def __init__(self, directory: Path, rotate_bytes: int, reading: JournalReading, lock: int) -> None:
        self._directory = directory
        self._rotate_bytes = rotate_bytes
        self._number, self._hash = reading.number, reading.hash
        self._latest: Entry | None = None
        self._starts = reading.starts
        self._lock = lock
        self._appending = threading.Lock()
        self._refusal: str | None = None
        self._file_number = len(reading.starts)
        self._descriptor = -1
        self._end = reading.end
        self._open_last_file(reading.lacks_newline)

    @classmethod
    def open(cls, directory: Path, rotate_bytes: int = ROTATE_BYTES) -> Self:
        """Make the directory if need be, take the lock, check every entry, cut a torn tail.

        An entry that lacks nothing but its newline is whole, and kept. Raises JournalError, OSError.
        """
        _make_folder(directory)
        lock = _locked(directory / "lock")
        try:
            reading = JournalReading(directory)
            for _ in reading.entries():
                pass
            return cls(directory, rotate_bytes, reading, lock)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def begin(cls, directory: Path, number: int, previous: str, rotate_bytes: int = ROTATE_BYTES) -> Self:
        """A journal in the place of one that is lost: its first entry, which says so, follows entry `number`
        with the hash `previous`. Raises as `open` does, and JournalError where there is one."""
        made = cls.open(directory, rotate_bytes)
        if made.last_number:
            made.close()
            raise JournalError(
                f"{directory} holds a journal, up to entry {made.last_number}: move it away first"
            )
        made._number, made._hash = number, previous
        return made

    @property
    def last_number(self) -> int:
        """The number of the last entry; 0 while there is none."""
        return self._number

    @property
    def last_hash(self) -> str:
        """The hash of the last entry, to be stored with its number; 64 zeros while there is none."""
        return self._hash

    def append(self, body: Body, at_us: int) -> int:
        """Write an entry and sync it; its number. Only when this has returned may the change take effect.

        Raises JournalUnwritable, after which the journal is as before, or refuses everything until it is
        opened again; BadLine (a ValueError) for a body that could not be read back.
        """
        with self._appending:
            if self._refusal is not None:
                raise JournalUnwritable(self._refusal)
            line, entry = sealed(self._number + 1, at_us, self._hash, body)
            self._write(line + b"\n")
            self._number, self._hash, self._latest = entry.number, entry.hash, entry
            return entry.number

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Entries numbered above `after`, up to what is the last one now. Raises JournalError, OSError.

        Cheap for the last one, which is asked for after each append; else it reads from the file on in which
        entry `after` + 1 is, and checks the chain from there.
        """
        with self._appending:
            latest, last, starts = self._latest, self._number, list(self._starts)
        if latest is not None and after == latest.number - 1:
            yield latest
            return
        if after >= last:
            return
        number = max(bisect.bisect_right(starts, after, key=lambda start: start.number), 1)
        reading = JournalReading(self._directory, number, starts[number - 1] if starts else None)
        for entry in reading.entries():
            if after < entry.number <= last:
                yield entry
            if entry.number >= last:
                return

    def close(self) -> None:
        """Give the lock back; nothing is pending."""
        with self._appending:
            self._refusal = "the journal is closed"
            for descriptor in (self._descriptor, self._lock):
                if descriptor >= 0:
                    os.close(descriptor)
            self._descriptor = self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_last_file(self, lacks_newline: bool) -> None:
        """Cut what is torn, and sync: what was read may be in the page cache only."""
        if not self._file_number:
            return
        self._descriptor = os.open(journal_path(self._directory, self._file_number), os.O_RDWR | os.O_CLOEXEC)
        os.ftruncate(self._descriptor, self._end)
        if lacks_newline:
            _write_all(self._descriptor, b"\n", self._end)
            self._end += 1
        os.fsync(self._descriptor)
        _sync_folder(self._directory)

    def _write(self, line: bytes) -> None:
        try:
            if self._descriptor < 0 or (self._end and self._end + len(line) > self._rotate_bytes):
                self._begin_file()
        except OSError as error:
            raise JournalUnwritable(f"{self._directory}: no new file can be made: {error}") from error
        try:
            _write_all(self._descriptor, line, self._end)
            os.fsync(self._descriptor)
        except BaseException as error:
            self._take_back()
            if not isinstance(error, OSError):
                raise
            what = self._refusal or f"{journal_path(self._directory, self._file_number)} cannot be written"
            raise JournalUnwritable(f"{what}: {error}") from error
        self._end += len(line)

    def _begin_file(self) -> None:
        """The next file, empty, its name durable; one that a failed attempt left behind is used."""
        path = journal_path(self._directory, self._file_number + 1)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            if os.fstat(descriptor).st_size:
                raise FileExistsError(f"{path} holds something already")
            _sync_folder(self._directory)
        except BaseException:
            os.close(descriptor)
            raise
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._end, self._file_number = descriptor, 0, self._file_number + 1
        self._starts.append(FileStart(self._number, self._hash))

    def _take_back(self) -> None:
        """Back to before the line. A sync that failed may have lost it, or written it: it must not stay."""
        try:
            os.ftruncate(self._descriptor, self._end)
            os.fsync(self._descriptor)
        except OSError:
            path = journal_path(self._directory, self._file_number)
            self._refusal = (
                f"{path} could neither be written nor set back; nothing more is taken until a restart"
            )


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    """At a place, not at the end: should a line have been set back only in part, the next one covers it."""
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], offset + written)


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise JournalInUse(f"{path.parent} is in use: another process appends to this journal") from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _make_folder(directory: Path) -> None:
    """The folder for good, parents included: fsync(2) of a file says nothing about the names above it."""
    directory.mkdir(parents=True, exist_ok=True)
    _sync_folder(directory)
    for parent in directory.resolve().parents:
        with contextlib.suppress(OSError):  # one that cannot be opened was not made by this user
            _sync_folder(parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
