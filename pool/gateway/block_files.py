"""Found blocks on disk: a JSON file each, kept whatever becomes of the process. Blocking: use a thread.

    pending/     no verdict yet: submitted again at each start
    accepted/    a node has it; the verdicts are in the file
    refused/     no node wants it
    unreadable/  files that are not what they should be, set aside for a person to look at

A file is named by height and hash, appears whole (written beside its place, synced, renamed) and moves once.
"""

import contextlib
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from pool.node.verdicts import SubmitVerdict

SCHEMA = 1
HEADER_BYTES = 80


class FoundBlock(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a block besides its bytes. `block_hash` is displayed hex, `found_at` Unix seconds."""

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
        self._blocks = directory / "blocks"

    def save(self, saved: SavedBlock) -> Path:
        """Write to pending/. When this returns, a power cut does not lose the block any more."""
        return self._write("pending", saved)

    def settle(self, saved: SavedBlock, *, is_accepted: bool) -> Path:
        """Write to accepted/ or refused/, verdicts included, and only then take it from pending/."""
        path = self._write("accepted" if is_accepted else "refused", saved)
        with contextlib.suppress(FileNotFoundError):  # it could not be saved when it was found
            (self._blocks / "pending" / saved.found.file_name).unlink()
        return path

    def pending(self) -> Iterator[Path]:
        yield from sorted((self._blocks / "pending").glob("*.json"))

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
        if sha256(sha256(header).digest()).digest()[::-1].hex() != saved.found.block_hash:
            raise UnreadableBlock(f"{path} is damaged: its block is not the one that it names")
        return saved

    def set_aside(self, path: Path) -> Path:
        target = self._folder("unreadable") / path.name
        path.rename(target)
        return target

    def _write(self, folder_name: str, saved: SavedBlock) -> Path:
        folder = self._folder(folder_name)
        path = folder / saved.found.file_name
        beside = path.with_suffix(".part")
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(saved))
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
        _sync_folder(folder)
        return path

    def _folder(self, name: str) -> Path:
        folder = self._blocks / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _sync_folder(folder: Path) -> None:
    """A rename is durable only when its folder is synced (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
