"""Signed statements as files: found by block, checked for what can be wrong with them. Blocking."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from pool.audit import statement as audit
from pool.audit.document import AuditError

FOLDER = "statements"
_NAME = re.compile(r"(\d+)-([0-9a-f]{64})\.json")


class Stored(msgspec.Struct, frozen=True):
    """A statement's file, by what its name says."""

    path: Path
    height: int
    block_hash: str


class NoStatement(Exception):
    """There is no such statement, or more than one: one line."""


def stored(data_directory: Path) -> list[Stored]:
    """All of a data directory, highest block first."""
    folder = data_directory / FOLDER
    found = [
        Stored(path, int(match[1]), match[2])
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := _NAME.fullmatch(path.name))
    ]
    return sorted(found, key=lambda one: (-one.height, one.block_hash))


def find(data_directory: Path, block: str) -> Stored:
    """By hash or height. Raises NoStatement."""
    text = block.strip().lower()
    found = [one for one in stored(data_directory) if text in (one.block_hash, str(one.height))]
    if not found:
        raise NoStatement(f"there is no statement of block {block[:80]}")
    if len(found) > 1:
        hashes = ", ".join(one.block_hash for one in found)
        raise NoStatement(f"there are {len(found)} blocks at height {block}; name one by its hash: {hashes}")
    return found[0]


def read(path: Path) -> audit.Statement:
    """The statement in a file. Raises AuditError with the file's name, OSError."""
    try:
        return audit.decode(path.read_bytes())
    except AuditError as error:
        raise AuditError(f"{path}: {error}") from None


def with_account(data_directory: Path, account: str) -> Iterator[audit.Statement]:
    """Statements that an account has work in, highest block first."""
    for one in stored(data_directory):
        statement = read(one.path)
        if any(row.account == account for row in statement.body.work):
            yield statement
