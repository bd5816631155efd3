"""Daily digests as files: all that are there, in order, and what of them stands for shares that are gone.

Blocking; no database is asked.
"""

import datetime
from pathlib import Path

import msgspec

from pool.accounting.archive import archived
from pool.accounting.daily_digests import FOLDER, end_of
from pool.accounting.rollup import DAY_SECONDS
from pool.audit import digest as audit
from pool.audit.document import AuditError
from pool.audit.recompute import Span


class DigestEvidence(msgspec.Struct, frozen=True):
    """`spans` are work by account before `through` (Unix seconds), where shares begin to count; `days` are
    the starts of the days that they are of; `faults` a line for each file that cannot be used."""

    spans: tuple[Span, ...]
    days: set[int]
    through: int
    faults: tuple[str, ...]


def digest_evidence(data_directory: Path, archive: Path, on_disk: set[tuple[str, str]]) -> DigestEvidence:
    """What digests say of days of which segments are gone. `on_disk` are the sources that have any left."""
    digests, faults = read_digests(data_directory)
    held = {one.record.sha256 for one in archived(archive)} if on_disk else set()
    through = 0
    for digest in digests:
        if any(segment.sha256 not in held for segment in digest.head.segments):
            through = end_of(datetime.date.fromisoformat(digest.head.day))
    used = [one for one in digests if end_of(datetime.date.fromisoformat(one.head.day)) <= through]
    return DigestEvidence(
        tuple(span for digest in used for span in audit.spans_of(digest)),
        {end_of(datetime.date.fromisoformat(one.head.day)) - DAY_SECONDS for one in used},
        through,
        tuple(faults),
    )


def read_digests(data_directory: Path) -> tuple[list[audit.Digest], list[str]]:
    """Every digest, oldest first, and a line for each file that is none."""
    found: list[audit.Digest] = []
    faults: list[str] = []
    for path in sorted((data_directory / FOLDER).glob("*.json")):
        try:
            digest = audit.decode(path.read_bytes())
        except (AuditError, OSError) as error:
            faults.append(f"{path}: {error}")
            continue
        if path.stem != digest.head.day:
            faults.append(f"{path} is the digest of {digest.head.day}")
            continue
        found.append(digest)
    return found, faults
