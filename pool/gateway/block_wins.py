"""The generation of plans that has won, by the files of found blocks: they are durable before it is noted.

Between a candidate's file and the note that its generation has won a process may die. What is newer than
the note is read: whatever lies in pending/, and in accepted/ and side-branch/ what was written since, or
about then.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pool.gateway.block_files import Folder

MARGIN_SECONDS = 3_600.0  # clocks are set back, and files are copied
MOST_FILES = 100  # generations never fall: the newest files have the greatest

_DECIDED = (Folder.ACCEPTED, Folder.SIDE_BRANCH)


class BlockWins(msgspec.Struct, frozen=True):
    """The greatest generation, 0 without any. `is_unknown`: some block's cannot be told."""

    generation: int
    is_unknown: bool


class _Found(msgspec.Struct):
    plan_id: str | None = None
    plan_generation: int = 0


class _Saved(msgspec.Struct):
    """What is wanted of a block's file; the block itself is passed over."""

    found: _Found


def won_by_blocks(directory: Path, note: Path) -> BlockWins:
    """`directory` holds the folders of blocks, `note` is the file of the generation that has won. Blocking;
    what cannot be read is unknown, and nothing is raised for it."""
    generation, is_unknown = 0, False
    for path in _newer(directory, note):
        try:
            found = msgspec.json.decode(path.read_bytes(), type=_Saved).found
        except FileNotFoundError:
            continue
        except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
            is_unknown = True
            continue
        generation = max(generation, found.plan_generation)
        is_unknown = is_unknown or (found.plan_id is not None and not found.plan_generation)
    return BlockWins(generation, is_unknown)


def _newer(directory: Path, note: Path) -> Iterator[Path]:
    try:
        since = note.stat().st_mtime - MARGIN_SECONDS
    except OSError:
        since = 0.0
    for folder in (Folder.PENDING, *_DECIDED):
        is_decided = folder in _DECIDED
        times = sorted(_times(directory / folder.value), reverse=True)
        for written_at, path in times[:MOST_FILES] if is_decided else times:
            if not is_decided or written_at >= since:
                yield path


def _times(folder: Path) -> Iterator[tuple[float, Path]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".json"):
                    yield entry.stat().st_mtime, Path(entry.path)
    except OSError:
        return
