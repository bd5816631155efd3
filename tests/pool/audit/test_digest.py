"""Digests: a day in parts that count again what was settled, sealed, and chained day to day."""

import datetime
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.audit import digest as digests
from pool.audit.digest import (
    DayPart,
    Digest,
    chain_problems,
    cuts_of,
    hash_of,
    parts_of,
    sign_digest,
    spans_of,
)
from pool.audit.document import AuditError, BadSignature, NewerDocument, UnknownKey, Unreadable, canonical
from pool.audit.recompute import recompute
from pool.audit.statement import SegmentHash
from tests.pool.audit.settled import KEY, OTHER_KEY, SLOT, TRUSTED, body, settle, statement

# 1,700,000,000 is 2023-11-14 22:13:20 UTC; that day began at 1,699,920,000
DAY = datetime.date(2023, 11, 14)
DAY_START = 1_699_920_000
SEGMENT = SegmentHash(source="gateway-1", first_frame=1, last_frame=99, sha256="ef" * 32)

WORK = {
    DAY_START: {"alice": 1},
    SLOT - 60: {"dave": 9},
    SLOT - 50: {"alice": 60_000, "carol": 40_000},
    SLOT - 40: {"alice": 1_000_000, "bob": 400_000},
    SLOT: {"bob": 600_000},
    SLOT + 10: {"alice": 5},
}


def digest(day: datetime.date = DAY, previous: Digest | None = None, **changes: object) -> Digest:
    start = DAY_START + 86_400 * (day - DAY).days
    given = {"parts": [DayPart(from_slot=start, through_slot=start + 86_390, work={})], **changes}
    return sign_digest(
        network="bitcoin mainnet",
        day=day,
        slot_seconds=10,
        segments=[SEGMENT],
        previous=previous,
        signer=KEY,
        **given,  # type: ignore[arg-type]
    )


def test_a_day_is_cut_at_the_edges_of_the_windows_that_were_settled() -> None:
    parts = parts_of(DAY, 10, cuts_of([body().window]), WORK)
    assert [(part.from_slot, part.through_slot, part.work) for part in parts] == [
        (DAY_START, SLOT - 60, {"alice": "1", "dave": "9"}),
        (SLOT - 50, SLOT - 50, {"alice": "60000", "carol": "40000"}),
        (SLOT - 40, SLOT, {"alice": "1000000", "bob": "1000000"}),
        (SLOT + 10, DAY_START + 86_390, {"alice": "5"}),
    ]


def test_a_statement_is_counted_again_from_the_digest_alone() -> None:
    made = digest(parts=parts_of(DAY, 10, cuts_of([body().window]), WORK))
    result = recompute(statement().body, spans_of(made), settle)
    assert (result.differences, result.unchecked, result.from_shares) == ((), (), ())
    assert result.from_digests == ((SLOT - 50, SLOT - 50), (SLOT - 40, SLOT))


@given(
    st.sets(st.integers(-5, 8645)), st.dictionaries(st.integers(0, 8639), st.integers(0, 2**100), max_size=20)
)
def test_parts_cover_the_day_whatever_the_cuts_and_lose_no_work(cuts: set[int], work: dict[int, int]) -> None:
    by_slot = {DAY_START + 10 * number: {"alice": amount} for number, amount in work.items()}
    parts = parts_of(DAY, 10, {DAY_START + 10 * cut for cut in cuts}, by_slot)
    digests.verify(digest(parts=parts), TRUSTED)
    assert sum(int(part.work.get("alice", "0")) for part in parts) == sum(work.values())


def test_work_of_another_day_and_slots_that_divide_no_day_are_refused() -> None:
    for slot in (DAY_START - 10, DAY_START + 86_400):
        with pytest.raises(ValueError, match="not in 2023-11-14"):
            parts_of(DAY, 10, (), {slot: {"alice": 1}})
    with pytest.raises(ValueError, match="do not divide a day"):
        parts_of(DAY, 7, (), {})


@pytest.mark.parametrize(
    "ranges",
    [
        [],
        [(0, 86_380)],
        [(10, 86_390)],
        [(0, 86_400)],
        [(0, 40_000), (40_000, 86_390)],
        [(0, 40_000), (40_020, 86_390)],
        [(40_010, 86_390), (0, 40_000)],
        [(0, -10), (0, 86_390)],
    ],
)
def test_parts_that_are_not_the_day_end_to_end_are_not_signed(ranges: list[tuple[int, int]]) -> None:
    parts = [
        DayPart(from_slot=DAY_START + first, through_slot=DAY_START + last, work={}) for first, last in ranges
    ]
    with pytest.raises(ValueError, match="its parts"):
        digest(parts=parts)


def test_a_digest_survives_its_file_and_a_change_is_refused() -> None:
    made = digest()
    assert digests.decode(digests.encode(made)) == made
    assert digests.verify(made, TRUSTED) == ()
    assert digests.encode(digest()) == digests.encode(made)
    changed = digests.encode(made).replace(b"efef", b"efee", 1)
    with pytest.raises(BadSignature):
        digests.verify(digests.decode(changed), TRUSTED)
    with pytest.raises(UnknownKey):
        digests.verify(made, {OTHER_KEY.key_id: OTHER_KEY.public_key})


def test_a_signed_digest_that_is_not_a_day_is_refused() -> None:
    head = msgspec.structs.replace(digest().head, day="2023-02-31")
    seal = msgspec.structs.replace(
        digest().seal, signature=KEY.sign(b"engineroom digest\n" + canonical(head))
    )
    with pytest.raises(Unreadable, match="this is no digest"):
        digests.verify(Digest(head=head, seal=seal), TRUSTED)


def test_a_newer_version_and_what_is_no_digest_are_refused() -> None:
    document = json.loads(digests.encode(digest()))
    document["head"]["version"] = 2
    with pytest.raises(NewerDocument):
        digests.decode(json.dumps(document).encode())
    for data in (b"", b"{}", digests.encode(digest())[:-2]):
        with pytest.raises(AuditError, match="this is no digest"):
            digests.decode(data)


def test_digests_form_a_chain_and_a_missing_or_repeated_day_is_named() -> None:
    first = digest()
    second = digest(DAY + datetime.timedelta(1), first)
    third = digest(DAY + datetime.timedelta(3), second)  # a day on which the pool was off has none
    assert second.head.previous == hash_of(first)
    assert chain_problems([first, second, third]) == []
    assert len(chain_problems([first, third])) == 1
    repeated = digest(DAY + datetime.timedelta(1), second)
    assert len(chain_problems([first, second, repeated])) == 1
