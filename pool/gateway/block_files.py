"""Found blocks on disk: a JSON file each, kept whatever becomes of the process. Blocking: use a thread.

    pending/      no verdict yet: submitted again at each start
    accepted/     on the best chain of a node; the verdicts are in the file
    side-branch/  a node has it and works on another one: it pays only if a reorganisation makes it
    refused/      no node wants it
    unreadable/   files that are not what they should be, set aside for a person to look at

A file is named by height and hash, appears whole (written beside its place, synced, renamed) and moves once.
"""

import contextlib
import enum
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

from pool.node.verdicts import SubmitVerdict
from stratum.work.byteorder import displayed
from stratum.work.hashing import sha256d
from stratum.work.job import Job

SCHEMA = 2  # 1 had no FoundFacts and no coinbase: the accountant finds them in the block
HEADER_BYTES = 80


BLOCKS = "blocks"  # in the data directory


class Folder(enum.Enum):
    """Where a file can be; the value is the folder's name."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    SIDE_BRANCH = "side-branch"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


class FoundFacts(msgspec.Struct, frozen=True):
    """What the gateway's record says of a candidate beyond itself. `at_us` is the record clock's time."""

    at_us: int
    plan_id: str | None = None
    plan_is_stripped: bool = False
    size_class: int = 0
    payee: bytes | None = None
    plan_generation: int = 0

    @classmethod
    def of(cls, at_us: int, job: Job | None) -> Self:
        """Of a candidate on this job; of one whose job is gone only the time is left."""
        if job is None:
            return cls(at_us)
        return cls(at_us, job.plan_id, job.plan_is_stripped, job.size_class, job.payee, job.plan_generation)


class FoundBlock(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a block besides its bytes: all that its record in the spool says, so that either of
    the two is enough to account for it.

    `block_hash` is displayed hex, `found_at` Unix seconds, `found_at_us` the record clock's microseconds, by
    which it belongs to a slot. `script_hex` is the output script of `account`, `coinbase_hex` the transaction
    without its witness, `plan_id` and `payee_hex` (the script of a solo job, which the coinbase pays) as in
    the record of its job, `network_target_hex` the job's (64 digits).
    """

    network: str
    block_hash: str
    height: int
    reward_sats: int
    transactions: int
    job_id: str
    user: str
    account: str | None
    worker: str
    found_at: float
    crosses_time_edge: bool
    found_at_us: int = 0
    script_hex: str | None = None
    coinbase_hex: str = ""
    plan_id: str | None = None
    plan_is_stripped: bool = False
    plan_generation: int = 0
    size_class: int = 0
    network_target_hex: str = ""
    payee_hex: str | None = None

    @property
    def file_name(self) -> str:
        return f"{self.height}-{self.block_hash}.json"


class SavedBlock(msgspec.Struct, frozen=True, kw_only=True):
    """The document in the file. `block` is the whole block in hex, as submitblock takes it."""

    schema: int = SCHEMA
    found: FoundBlock
    verdicts: tuple[SubmitVerdict, ...] = ()
    block: str


class UnreadableBlock(Exception):
    """A pending file that holds no block as it should; one line that says why. To be set aside."""


class NewerBlock(Exception):
    """A pending file of a newer version, from before a step back; to be left for the next step forward."""


class _Schema(msgspec.Struct):
    schema: int


class BlockFiles:
    """The directory of found blocks. Every method may raise OSError."""

    def __init__(self, directory: Path) -> None:
        """Make all folders for good, and try each, so that a start fails here and not at the first block."""
        self._blocks = directory / BLOCKS
        for folder in Folder:
            path = self._made(folder)
            with tempfile.TemporaryFile(dir=path):
                pass
        _sync_folder(self._blocks)
        _sync_folder(directory)
        for parent in directory.resolve().parents:
            # Which of them are new is not known here. One that cannot be opened was not made by this user.
            with contextlib.suppress(OSError):
                _sync_folder(parent)

    def save(self, saved: SavedBlock) -> Path:
        """Write to pending/. When this returns, a power cut does not lose the block any more."""
        return self._write(Folder.PENDING, saved)

    def settle(self, saved: SavedBlock, folder: Folder) -> Path:
        """Write to the folder of its outcome, verdicts included, and only then take it from pending/."""
        path = self._write(folder, saved)
        with contextlib.suppress(FileNotFoundError):  # it could not be saved when it was found
            (self._path(Folder.PENDING) / saved.found.file_name).unlink()
        return path

    def pending(self) -> Iterator[Path]:
        yield from sorted(self._path(Folder.PENDING).glob("*.json"))

    def read(self, path: Path) -> SavedBlock:
        """Raises UnreadableBlock for a damaged file, NewerBlock for one that a newer version wrote."""
        document = path.read_bytes()
        try:
            schema = msgspec.json.decode(document, type=_Schema).schema
            if schema > SCHEMA:
                raise NewerBlock(f"{path} was written by a newer version (schema {schema}, known: {SCHEMA})")
            saved = msgspec.json.decode(document, type=SavedBlock)
            header = bytes.fromhex(saved.block[: 2 * HEADER_BYTES])
        except (msgspec.MsgspecError, ValueError) as error:
            raise UnreadableBlock(f"{path} is no saved block: {error}") from None
        if displayed(sha256d(header)) != saved.found.block_hash:
            raise UnreadableBlock(f"{path} is damaged: its block is not the one that it names")
        return _as_of_today(saved)

    def set_aside(self, path: Path) -> Path:
        target = self._made(Folder.UNREADABLE) / path.name
        path.rename(target)
        return target

    def _write(self, folder: Folder, saved: SavedBlock) -> Path:
        path = self._made(folder) / saved.found.file_name
        beside = path.with_suffix(".part")
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(saved))
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
        _sync_folder(path.parent)
        return path

    def _made(self, folder: Folder) -> Path:
        """The folder; should somebody have taken it away since the start, it is made again."""
        path = self._path(folder)
        if not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            _sync_folder(path.parent)
        return path

    def _path(self, folder: Folder) -> Path:
        return self._blocks / folder.value


def _as_of_today(saved: SavedBlock) -> SavedBlock:
    """A file of schema 1 knows the time in seconds only."""
    if saved.found.found_at_us:
        return saved
    found = msgspec.structs.replace(saved.found, found_at_us=round(saved.found.found_at * 1_000_000))
    return msgspec.structs.replace(saved, schema=SCHEMA, found=found)


def _sync_folder(folder: Path) -> None:
    """A new name, of a file or of a folder, is durable only when the folder it stands in is (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
