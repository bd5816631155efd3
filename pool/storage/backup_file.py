"""The file of a backup: written under another name, checked, put on the disk, and only then given its own."""

import os
import secrets
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote

from pool.storage.database import DatabaseError, Reader, Writer
from pool.storage.sqlite_thread import SqliteThread, meaning_of
from pool.storage.sqlite_transaction import SqliteTransaction

PAGES_AT_A_TIME = 2_048  # 8 MiB: often enough for a bar, seldom enough not to matter

Report = Callable[[int, int], None]
"""(done, total), called in another thread."""


class BackupFile:
    """A SQLite file in the making, its owner's alone to read."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
        self._thread = SqliteThread(str(self._draft), self._connect)
        self._is_abandoned = threading.Event()

    @classmethod
    @asynccontextmanager
    async def made(cls, target: Path) -> AsyncIterator[Self]:
        """Where the block ends, the file is complete and at `target`; where it raises, nothing is left.

        Raises DatabaseError, for a target that exists among others.
        """
        _refuse_existing(target)
        file = cls(target)
        try:
            yield file
            await file._thread.run(_settle)
            await file._thread.run(lambda connection: _check(connection, target))
            await file._thread.close()
            file._publish()
        finally:
            file._is_abandoned.set()
            await file._thread.close()
            file._remove()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Writer]:
        """Everything that the block writes; there is no other user, so it takes no lock and no lease."""
        transaction = SqliteTransaction(self._thread)
        try:
            await transaction.begin("IMMEDIATE")
            yield transaction
            await transaction.commit()
        except BaseException:
            await self._thread.undo()
            raise

    async def copy_pages(self, source: Path, report: Report) -> None:
        """The state of a SQLite file as it is now, whoever writes to it meanwhile."""
        await self._thread.run(lambda connection: self._copy(source, connection, report))

    def _copy(self, source: Path, target: sqlite3.Connection, report: Report) -> None:
        def progress(status: int, remaining: int, total: int) -> None:
            if self._is_abandoned.is_set():
                raise DatabaseError(f"{self._target}: the backup was given up")
            report(total - remaining, total)

        try:
            with closing(_opened(source, "ro")) as connection:
                # A snapshot of ours: without it, each commit of the writer would make the copy begin anew.
                connection.execute("BEGIN")
                connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
                connection.backup(target, pages=PAGES_AT_A_TIME, progress=progress)
        except sqlite3.Error as error:
            raise meaning_of(error, f"{source} to {self._target}") from error

    def _connect(self) -> sqlite3.Connection:
        try:
            os.close(os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise DatabaseError(f"{self._target}: cannot be made: {error.strerror}") from error
        connection = _opened(self._draft, "rw")
        connection.execute("PRAGMA synchronous = OFF")  # it is synced once, whole, before it gets its name
        return connection

    def _publish(self) -> None:
        _refuse_existing(self._target)
        try:
            _sync(self._draft)
            self._draft.rename(self._target)
            _sync(self._target.parent)
        except OSError as error:
            raise DatabaseError(f"{self._target}: cannot be written: {error.strerror}") from error

    def _remove(self) -> None:
        for ending in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self._draft}{ending}").unlink()


@asynccontextmanager
async def reading_file(path: Path) -> AsyncIterator[Reader]:
    """A backup to read from, once its structure has been checked. Raises DatabaseError."""
    thread = SqliteThread(str(path), lambda: _opened(path, "ro"))
    try:
        await thread.run(lambda connection: _check(connection, path))
        transaction = SqliteTransaction(thread)
        await transaction.begin("DEFERRED")
        yield transaction
    finally:
        await thread.close()


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    if not path.is_file():
        raise DatabaseError(f"{path}: there is no such file")
    return sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None)


def _settle(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM lease")
    connection.execute("PRAGMA journal_mode = DELETE")  # one file, that opens from a read-only medium too


def _check(connection: sqlite3.Connection, path: Path) -> None:
    faults = [str(text) for (text,) in connection.execute("PRAGMA integrity_check(3)")]
    if faults != ["ok"]:
        raise DatabaseError(f"{path}: is damaged: {' '.join(' '.join(faults).split())}")


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        raise DatabaseError(f"{target}: exists; a backup overwrites nothing")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
