"""The daily digest: what stands for a day's raw shares once they are deleted; signed, and chained day to day.

A digest holds the work of each account in *parts* of the day that lie end to end. The day is cut where a
settled window has an edge (a slot that is cut is a part by itself), so that every statement settled before
the deletion can still be counted again exactly from digests. It names every segment that was deleted by its
sha256: who kept a copy can show that it is the one.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Annotated

import msgspec

from pool.audit.document import (
    Decimal,
    KeyId,
    Seal,
    Sha256Hex,
    Signer,
    Unreadable,
    canonical,
    check_seal,
    decoded,
    fingerprint,
    key_id_of,
    sealed,
)
from pool.audit.recompute import SECONDS_PER_DAY, Origin, Span
from pool.audit.statement import SegmentHash, Slot, Window

VERSION = 1
KIND = "digest"
LARGEST_BYTES = 256 * 2**20


class DayPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Work by account in the slots from `from_slot` through `through_slot`, both included."""

    from_slot: Slot
    through_slot: Slot
    work: dict[str, Decimal]


class DigestHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed: a whole digest. `day` is a UTC date; `previous` the sha256 of the digest before,
    whatever day that was of, None in the first."""

    version: int
    network: str
    day: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    slot_seconds: Annotated[int, msgspec.Meta(ge=1)]
    parts: tuple[DayPart, ...]
    segments: tuple[SegmentHash, ...]
    previous: Sha256Hex | None
    key_id: KeyId


class Digest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As in the file."""

    head: DigestHead
    seal: Seal


def cuts_of(windows: Iterable[Window]) -> set[int]:
    """The slots at which a part has to begin, for these windows to stay countable."""
    cuts: set[int] = set()
    for window in windows:
        cuts |= {window.from_slot, window.through_slot + window.slot_seconds}
        if window.edge:
            cuts.add(window.first_whole)
    return cuts


def parts_of(
    day: datetime.date, slot_seconds: int, cuts: Iterable[int], work: Mapping[int, Mapping[str, int]]
) -> tuple[DayPart, ...]:
    """A day's work by slot → its parts, end to end. Raises ValueError for a slot outside of the day."""
    start, end = _span_of_day(day, slot_seconds)
    starts = sorted({start, *(cut for cut in cuts if start < cut < end)})
    if any(not start <= slot < end for slot in work):
        raise ValueError(f"there is work of a slot that is not in {day.isoformat()}")
    parts = []
    for first, following in zip(starts, [*starts[1:], end], strict=True):
        sums: dict[str, int] = {}
        for slot in work:
            if first <= slot < following:
                for account, amount in work[slot].items():
                    sums[account] = sums.get(account, 0) + amount
        texts = {account: str(amount) for account, amount in sums.items()}
        parts.append(DayPart(from_slot=first, through_slot=following - slot_seconds, work=texts))
    return tuple(parts)


def sign_digest(
    *,
    network: str,
    day: datetime.date,
    slot_seconds: int,
    parts: Sequence[DayPart],
    segments: Sequence[SegmentHash],
    previous: Digest | None,
    signer: Signer,
) -> Digest:
    """The same arguments give the same bytes. Raises ValueError for parts that are not the day exactly."""
    head = DigestHead(
        version=VERSION,
        network=network,
        day=day.isoformat(),
        slot_seconds=slot_seconds,
        parts=tuple(parts),
        segments=tuple(segments),
        previous=hash_of(previous) if previous else None,
        key_id=key_id_of(signer.public_key),
    )
    problem = _coverage_problem(head)
    if problem:
        raise ValueError(problem)
    return Digest(head=head, seal=sealed(signer, KIND, head))


def hash_of(digest: Digest) -> str:
    """What the next digest, and a statement's `digests`, name: sha256 of what was signed, hex."""
    return fingerprint(digest.head)


def encode(digest: Digest) -> bytes:
    """The file: canonical JSON."""
    return canonical(digest)


def decode(data: bytes) -> Digest:
    """Raises Unreadable or NewerDocument; the signature is not looked at."""
    if len(data) > LARGEST_BYTES:
        raise Unreadable(f"this is no {KIND}: it is larger than {LARGEST_BYTES} bytes")
    return decoded(data, Digest, KIND, VERSION)


def verify(digest: Digest, trusted: Mapping[str, bytes] | None) -> tuple[str, ...]:
    """Warnings, where the digest is what its signer signed; raises an AuditError where it is not."""
    warnings = check_seal(digest.seal, KIND, digest.head, digest.head.key_id, trusted)
    problem = _coverage_problem(digest.head)
    if problem:
        raise Unreadable(f"this is no {KIND}: {problem}")
    return warnings


def chain_problems(digests: Sequence[Digest]) -> list[str]:
    """One line for each digest that does not follow the one before it, oldest first."""
    return [
        f"the digest of {later.head.day} does not follow that of {earlier.head.day}: one between them is "
        "missing or was changed"
        for earlier, later in pairwise(digests)
        if later.head.previous != hash_of(earlier) or later.head.day <= earlier.head.day
    ]


def spans_of(digest: Digest) -> list[Span]:
    """The digest as evidence for `recompute`."""
    return [
        Span(
            part.from_slot,
            part.through_slot,
            {account: int(amount) for account, amount in part.work.items()},
            Origin.DIGEST,
        )
        for part in digest.head.parts
    ]


def _span_of_day(day: datetime.date, slot_seconds: int) -> tuple[int, int]:
    """First slot of the day, and of the next; ValueError where slots do not divide a day."""
    if SECONDS_PER_DAY % slot_seconds:
        raise ValueError(f"slots of {slot_seconds} s do not divide a day")
    start = (day - datetime.date(1970, 1, 1)).days * SECONDS_PER_DAY
    return start, start + SECONDS_PER_DAY


def _coverage_problem(head: DigestHead) -> str | None:
    """A sentence where the parts are not the day, end to end and in order."""
    try:
        expected, end = _span_of_day(datetime.date.fromisoformat(head.day), head.slot_seconds)
    except ValueError as error:
        return str(error)
    for part in head.parts:
        if part.from_slot != expected or part.through_slot < part.from_slot:
            return f"its parts do not lie end to end at slot {expected}"
        expected = part.through_slot + head.slot_seconds
    return None if expected == end else f"its parts end before slot {end}, or after it"
