"""The lease on being the database's one writer: a row with a fencing token, and a locked file beside SQLite.

Holding it takes two things. A lock that the operating system or the server takes back when its holder is
gone (`flock`, or an advisory lock of a PostgreSQL session) decides who may take the row; taking the row
increments its token. Every writing transaction compares that token with its own, so that a holder that was
taken for dead, and was not, can write nothing more.
"""

import fcntl
import os
from pathlib import Path
from typing import Self

from pool.storage.database import DatabaseError, LeaseLost, LeaseTaken, Reader, Writer

MOST_HOLDER_BYTES = 200


async def take(writer: Writer, holder: str, now_us: int) -> int:
    """Become the holder; the new token. Only for who has the lock."""
    return await writer.insert(
        "INSERT INTO lease (id, holder, token, taken_us) VALUES (1, ?, 1, ?) "
        "ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, token = lease.token + 1, "
        "taken_us = excluded.taken_us RETURNING token",
        *(holder, now_us),
    )


async def check(reader: Reader, token: int, *, row_lock: str = "") -> None:
    """Raises LeaseLost where `token` is not the row's; `row_lock` keeps the row as it is until the commit."""
    row = await reader.row(f"SELECT token, holder FROM lease WHERE id = 1 {row_lock}")  # noqa: S608
    if row is None or row[0] != token:
        by = f"{row[1]} (token {row[0]}, ours is {token})" if row else "someone: the lease row is gone"
        raise LeaseLost(f"the accounts are now written by {by}")


class FileLock:
    """An exclusive `flock`, with its holder's name in the file. Local file systems only."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, path: Path, holder: str) -> Self:
        """Raises LeaseTaken where another holds it, DatabaseError where the file cannot be made."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DatabaseError(f"{path}: cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, holder.encode()[:MOST_HOLDER_BYTES], 0)
        except BlockingIOError as error:
            other = os.pread(descriptor, MOST_HOLDER_BYTES, 0).decode(errors="replace")
            os.close(descriptor)
            raise LeaseTaken(f"{path}: held by {other or 'another process'}") from error
        except OSError as error:
            os.close(descriptor)
            raise DatabaseError(f"{path}: cannot be locked: {error.strerror}") from error
        return cls(descriptor)

    def release(self) -> None:
        """The file stays: removing it would let two holders lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
