"""[shell] What the instruments remember from process to process: a file of the data directory. Blocking.

Nothing that anybody is owed is in it: it is written whole or not at all, synced by nobody, and one of another
version is not read. Machines are learned anew then, and what pauses have saved is forgotten.
"""

import contextlib
from pathlib import Path

import msgspec

from pool.instruments.board import BoardState
from pool.instruments.farm_desk import DeskMemory
from pool.instruments.following import Mark
from pool.instruments.herald import HeraldMemory

FILE_NAME = "instruments.state"
VERSION = 4


class MemoryRefused(Exception):
    """The file cannot be used: one line that says why."""


class Remembered(msgspec.Struct, frozen=True):
    """Everything that was seen up to these marks."""

    version: int
    marks: list[Mark]
    board: BoardState
    desk: DeskMemory
    herald: HeraldMemory


class _Version(msgspec.Struct):
    version: int


class Memory:
    """One file."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME

    def load(self) -> Remembered | None:
        """None where nothing was kept yet. Raises MemoryRefused."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MemoryRefused(f"cannot read {self._path}: {error.strerror}") from error
        try:
            version = msgspec.msgpack.decode(data, type=_Version).version
            if version != VERSION:
                raise MemoryRefused(f"{self._path} is of version {version}, and {VERSION} is read")
            return msgspec.msgpack.decode(data, type=Remembered)
        except (msgspec.MsgspecError, ValueError) as error:
            raise MemoryRefused(f"{self._path} is damaged: {error}") from error

    def set_aside(self) -> None:
        """What is remembered may be what they fail by. A file that cannot be moved stays."""
        with contextlib.suppress(OSError):
            self._path.replace(self._path.with_suffix(".failed"))

    def save(self, marks: list[Mark], board: BoardState, desk: DeskMemory, herald: HeraldMemory) -> None:
        """Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".part")
        beside.write_bytes(msgspec.msgpack.encode(Remembered(VERSION, marks, board, desk, herald)))
        beside.replace(self._path)
