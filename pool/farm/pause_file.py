"""[shell] The pauses by hand as a file: commands write it, whoever judges machines reads it. Blocking.

It appears whole, by a rename, and two commands at once wait for each other. A file that cannot be read is no
pauses and one line: silence is then told as a fault, which somebody sees.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from pool.accounting.document_file import store
from pool.farm.pauses import MOST_PAUSES, Pause

PAUSE_FILE = "pauses.json"
LOCK_FILE = "pauses.lock"
VERSION = 1
MOST_BYTES = 4 << 20  # the most pauses with the longest texts are half of it

Signature = tuple[int, int, int]


class PauseFileError(Exception):
    """The file cannot be used; the message is one line that names it."""


class _Version(msgspec.Struct):
    version: int


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    pauses: tuple[Pause, ...]


class PauseFile:
    """The pauses of one data directory. `trouble` says why the last look gave none, None where it did."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / PAUSE_FILE
        self.trouble: str | None = None
        self._signature: Signature | None = None
        self._pauses: tuple[Pause, ...] = ()

    def pauses(self) -> tuple[Pause, ...]:
        """The pauses, read again only where the file has changed. Raises nothing; see `trouble`."""
        try:
            signature = self._sign()
            if signature != self._signature or signature is None:
                self._pauses, self.trouble = self.read(), None
        except (OSError, PauseFileError) as error:
            self._pauses, self.trouble, signature = (), _line(self.path, error), None
        self._signature = signature
        return self._pauses

    def read(self) -> tuple[Pause, ...]:
        """The pauses; none where there is no file. Raises OSError and PauseFileError."""
        try:
            with self.path.open("rb") as file:
                document = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return ()
        try:
            return _decoded(document)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            raise PauseFileError(f"{self.path}: {error}; mend it, or remove it to pause nothing") from None

    def change(self, how: Callable[[tuple[Pause, ...]], tuple[Pause, ...]]) -> None:
        """Write what `how` makes of the pauses. Raises OSError and PauseFileError; nothing is then."""
        if not self.path.parent.is_dir():
            raise PauseFileError(f"{self.path.parent} is not there; has the pool run with these settings?")
        with _locked(self.path.with_name(LOCK_FILE)):
            store(self.path, msgspec.json.encode(_Document(VERSION, how(self.read()))) + b"\n")

    def _sign(self) -> Signature | None:
        """None where there is no file."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size


def _decoded(document: bytes) -> tuple[Pause, ...]:
    if len(document) > MOST_BYTES:
        raise ValueError(f"has more than {MOST_BYTES:,} bytes")
    version = msgspec.json.decode(document, type=_Version).version
    if version != VERSION:
        raise ValueError(f"is of version {version}, and this engineroom reads version {VERSION}")
    pauses = msgspec.json.decode(document, type=_Document).pauses
    if len(pauses) > MOST_PAUSES:
        raise ValueError(f"has more than {MOST_PAUSES:,} pauses")
    return pauses


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone. The lock needs no more than reading, so that a file of another user's does not keep us out."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _line(path: Path, error: Exception) -> str:
    return f"{path}: {error.strerror or error}" if isinstance(error, OSError) else str(error)
