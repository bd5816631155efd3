"""Plans as files: DATA/plans/ID.json, so that a database that was restored or rebuilt still knows them.

An accepted block is credited by the plan of its own job. The row is read first; the file is what is left
where a backup is older than the plan. An id is the SHA-256 of the document, so a damaged file shows, and is
none.
"""

import asyncio
import contextlib
import os
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path

from payouts.plan import Plan, encode_plan
from pool.accounting.document_file import store
from pool.storage.database import Reader

SUFFIX = ".json"
ID_DIGITS = 64


def plan_path(directory: Path, plan_id: str) -> Path:
    """Where a plan's document is; `directory` is DATA/plans."""
    return directory / f"{plan_id}{SUFFIX}"


async def store_plan(directory: Path, plan: Plan) -> None:
    """Its document, durable when this returns. Raises OSError."""
    await asyncio.to_thread(store, plan_path(directory, plan.id), encode_plan(plan))


async def plan_document(reader: Reader, directory: Path | None, plan_id: str) -> bytes | None:
    """The document of the plan of this id (without `:stripped`); None where neither row nor file has it.

    Raises DatabaseError, and OSError for a file that is there and cannot be read: it may be tomorrow.
    """
    row = await reader.row("SELECT document FROM plan WHERE id = ?", plan_id)
    if row is not None:
        return bytes(row[0])
    if directory is None or not _is_id(plan_id):
        return None
    try:
        document = await asyncio.to_thread(plan_path(directory, plan_id).read_bytes)
    except FileNotFoundError:
        return None
    return document if sha256(document).hexdigest() == plan_id else None


def delete_plans(directory: Path, before_us: int, kept: Collection[str]) -> int:
    """Delete files that were written before then and whose plan is not `kept`; how many. Blocking; raises
    OSError."""
    deleted = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            name = entry.name.removesuffix(SUFFIX)
            if name == entry.name or not _is_id(name) or name in kept:
                continue
            if entry.stat().st_mtime_ns // 1000 < before_us:
                os.unlink(entry.path)
                deleted += 1
    return deleted


def _is_id(text: str) -> bool:
    return len(text) == ID_DIGITS and not text.strip("0123456789abcdef")
