"""The current plan as a file, which the accountant writes and gateways read. Blocking: use a thread.

The accountant writes it anew every few seconds, changed or not: that it is young says that the accountant
is alive. It appears whole, by a rename.
"""

import os
from pathlib import Path

import msgspec

from payouts.plan import Plan, PlanError, seal, sealed_id, unseal

PLAN_FILE = "coinbase-plan.json"
MOST_PLAN_BYTES = 64 << 20
# A plan of the most payees is a quarter of this.

Signature = tuple[int, int, int]


class PlanNews(msgspec.Struct, frozen=True):
    """What a look at the file gave: its signature, when it was written (Unix seconds), and either the plan or
    one line that says why it is none."""

    signature: Signature
    written_at: float
    plan: Plan | None
    trouble: str | None = None


def publish_plan(path: Path, plan: Plan) -> None:
    """Make this the current plan. Raises OSError; the one before stands then."""
    write_whole(path, seal(plan))


def look_at_plan(path: Path, known: Signature | None, plan: Plan | None) -> PlanNews | None:
    """The plan in the file, read only where the file is not the `known` one; None where there is no news.

    `plan` is given back where the new file names the same id. Raises nothing: an unreadable file is news
    with its trouble, and a missing one is no news.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            signature = (status.st_ino, status.st_mtime_ns, status.st_size)
            if signature == known:
                return None
            document = file.read(MOST_PLAN_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        return PlanNews((0, 0, 0), 0.0, None, f"{path} cannot be read: {error.strerror or error}")
    written_at = status.st_mtime
    if len(document) > MOST_PLAN_BYTES:
        return PlanNews(signature, written_at, None, f"{path} has more than {MOST_PLAN_BYTES} bytes")
    if plan is not None and sealed_id(document) == plan.id:
        return PlanNews(signature, written_at, plan)
    try:
        return PlanNews(signature, written_at, unseal(document))
    except PlanError as error:
        return PlanNews(signature, written_at, None, f"{path}: {error}")


def write_whole(path: Path, document: bytes) -> None:
    """Beside its place, synced, renamed, the folder synced: it is there whole or not at all."""
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        file.write(document)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
