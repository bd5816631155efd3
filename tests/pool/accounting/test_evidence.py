"""What an archive shows of a window: whole slots only, of every source, up to the marks and no further."""

from pathlib import Path

import msgspec
import pytest

from pool.accounting.archive import archive_finished
from pool.accounting.evidence import Evidence, gather
from pool.audit.recompute import Origin, Span
from pool.audit.statement import Body, Edge, Rules, Window
from tests.pool.accounting.mined import EPOCH, START, Writing, share

SHARE = 2**32
SECOND_EPOCH = "ff" * 8


def body(*, marks: dict[str, int], from_slot: int = 0, through_slot: int = 50, scheme: str = "pplns") -> Body:
    """A statement's body, slots in seconds after START; only what evidence looks at is in it."""
    return Body(
        found_at_us=(START + through_slot) * 1_000_000,
        finder="",
        network_target="00" * 31 + "01",
        rules=Rules(scheme=scheme, method="wallet", unfilled="normalise"),
        window=Window(from_slot=START + from_slot, through_slot=START + through_slot, slot_seconds=10),
        marks=marks,
        work=(),
        reward_sats=0,
        fees=(),
        operator_sats=0,
        credits={},
        rounding={},
        segments=(),
        digests=(),
        leaf_secret="00" * 32,
    )


class Archived:
    """Sources whose segments go into one archive, each of them once it is written."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.archive = directory / "archive"

    def write(
        self, shares: dict[float, str], *, source: str = "gateway-0", epoch: str = EPOCH, every: int = 100
    ) -> int:
        """A share at each time, a segment for every so many; the last share's frame."""
        writing = Writing(self.directory / "spool", source, epoch)
        for position, (at, account) in enumerate(shares.items()):
            if position % every == 0:
                writing.segment(at)
            writing.frame(at, share(account))
        mark = writing.number
        writing.close(at + 1)
        list(archive_finished(writing.directory, self.archive, epoch, writing.number, is_over=True))
        return mark

    def gather(self, found: Body, digests: tuple[Span, ...] = ()) -> Evidence:
        return gather(found, self.archive, digests, lambda done, total: None)

    def drop(self, first_frame: int) -> None:
        (path,) = self.archive.glob(f"*/*-{first_frame:016d}-*")
        path.unlink()


@pytest.fixture
def archived(tmp_path: Path) -> Archived:
    return Archived(tmp_path)


def spans(evidence: Evidence) -> list[tuple[int, int, dict[str, int]]]:
    return [
        (one.from_slot - START, one.through_slot - START, dict(one.work))
        for one in sorted(evidence.spans, key=lambda one: one.from_slot)
    ]


def test_a_whole_archive_shows_the_whole_window(archived: Archived) -> None:
    mark = archived.write({1: "alice", 12: "bob", 55: "alice", 61: "bob"})
    evidence = archived.gather(body(marks={f"gateway-0/{EPOCH}": mark}))
    assert spans(evidence) == [(0, 50, {"alice": 2 * SHARE, "bob": SHARE})]
    assert (evidence.differences, evidence.notes) == ((), ())


def test_two_sources_are_counted_together(archived: Archived) -> None:
    one = archived.write({1: "alice", 55: "bob"})
    two = archived.write({2: "alice", 41: "carol"}, source="gateway-1", epoch=SECOND_EPOCH)
    marks = {f"gateway-0/{EPOCH}": one, f"gateway-1/{SECOND_EPOCH}": two}
    assert spans(archived.gather(body(marks=marks))) == [
        (0, 50, {"alice": 2 * SHARE, "bob": SHARE, "carol": SHARE})
    ]


def test_only_slots_that_every_source_is_there_for_are_shown(archived: Archived) -> None:
    one = archived.write({1: "alice", 21: "bob", 55: "bob"}, every=1)
    two = archived.write({2: "alice", 41: "carol"}, source="gateway-1", epoch=SECOND_EPOCH)
    archived.drop(2)  # Bob's share at 21 s, and with it whatever was between those at 1 s and 55 s
    marks = {f"gateway-0/{EPOCH}": one, f"gateway-1/{SECOND_EPOCH}": two}
    # before it the last frame is at 1 s, behind it the first at 55 s: both slots may be there in part only
    assert spans(archived.gather(body(marks=marks))) == []


def test_a_hole_in_the_middle_leaves_both_sides(archived: Archived) -> None:
    shares: dict[float, str] = {1: "alice", 11: "bob", 21: "alice", 31: "bob", 41: "alice", 51: "bob"}
    mark = archived.write(shares, every=1)
    archived.drop(3)
    evidence = archived.gather(body(marks={f"gateway-0/{EPOCH}": mark}))
    # up to the slot before that of 11 s, and from the one behind that of 31 s on
    assert spans(evidence) == [(0, 0, {"alice": SHARE}), (40, 50, {"alice": SHARE, "bob": SHARE})]
    assert evidence.notes == ("frames 3 to 3 of gateway-0 are not in the archive",)


def test_frames_above_the_mark_do_not_count_and_slots_are_whole_all_the_same(archived: Archived) -> None:
    archived.write({1: "alice", 12: "bob", 13: "bob"})
    evidence = archived.gather(body(marks={f"gateway-0/{EPOCH}": 2}))
    assert spans(evidence) == [(0, 50, {"alice": SHARE, "bob": SHARE})]


def test_an_archive_that_ends_before_the_mark_shows_no_slot_behind_its_end(archived: Archived) -> None:
    mark = archived.write({1: "alice", 12: "bob", 35: "bob"})
    evidence = archived.gather(body(marks={f"gateway-0/{EPOCH}": mark + 100}))
    assert spans(evidence) == [(0, 20, {"alice": SHARE, "bob": SHARE})]


def test_the_slot_on_the_edge_is_a_span_of_its_own(archived: Archived) -> None:
    mark = archived.write({1: "alice", 12: "bob", 22: "alice"})
    found = body(marks={f"gateway-0/{EPOCH}": mark})
    edge = Edge(slot=START, work=str(SHARE), inside="1")
    found = msgspec.structs.replace(found, window=msgspec.structs.replace(found.window, edge=edge))
    assert spans(archived.gather(found)) == [
        (0, 0, {"alice": SHARE}),
        (10, 50, {"alice": SHARE, "bob": SHARE}),
    ]


def test_a_digest_takes_the_place_of_slots_that_shares_show_in_part(archived: Archived) -> None:
    mark = archived.write({1: "alice", 12: "bob", 22: "alice"}, every=1)
    archived.drop(1)
    part = Span(START, START + 30, {"alice": 7}, Origin.DIGEST)
    evidence = archived.gather(body(marks={f"gateway-0/{EPOCH}": mark}), (part,))
    # from 20 s on shares are whole; the digest's slots up to 30 s are not taken apart
    assert spans(evidence) == [(0, 30, {"alice": 7}), (40, 50, {})]


def test_a_digest_is_not_asked_where_the_shares_are_all_there(archived: Archived) -> None:
    mark = archived.write({1: "alice", 12: "bob"})
    part = Span(START, START + 30, {"alice": 7}, Origin.DIGEST)
    evidence = archived.gather(body(marks={f"gateway-0/{EPOCH}": mark}), (part,))
    assert spans(evidence) == [(0, 50, {"alice": SHARE, "bob": SHARE})]


@pytest.mark.parametrize("scheme", ["pps", "fpps", "solo"])
def test_what_shares_cannot_tell_is_said(archived: Archived, scheme: str) -> None:
    mark = archived.write({1: "alice"})
    evidence = archived.gather(body(marks={f"gateway-0/{EPOCH}": mark}, scheme=scheme))
    assert (evidence.spans, len(evidence.notes)) == ((), 1)


def test_without_an_archive_there_is_no_evidence(tmp_path: Path) -> None:
    evidence = gather(body(marks={f"gateway-0/{EPOCH}": 5}), None, (), lambda done, total: None)
    assert evidence == Evidence((), (), ())
