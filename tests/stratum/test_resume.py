"""A miner that comes back, and a process that takes over: what is found again, and what belongs to the
wire."""

from typing import Any

import msgspec
import pytest

from stratum.events import Joined, SessionExport
from stratum.session import Session
from tests.builders import (
    ADDRESS,
    OTHER_ADDRESS,
    SHA256D,
    USER,
    FakeOwner,
    Peer,
    error_code,
    make_job,
    make_rules,
)

START = 1024.0
EVERY_HASH = 1e-10  # the target is 2^256 - 1


def parked(owner: FakeOwner, peer: Peer) -> str:
    """Park what the peer's session leaves behind; gives the id to come back with."""
    assert peer.session.identity is not None
    session_id = peer.session.identity.session_id
    owner.parked[session_id] = (peer.session.export_for_resume(), "192.0.2.1")
    return session_id


def miner_with_a_job(owner: FakeOwner, difficulty: float = START, **rules: Any) -> Peer:
    peer = Peer(owner, difficulty=difficulty, **rules)
    peer.handshake()
    peer.announce(make_job(job_id="1"))
    return peer


def methods(lines: list[dict[str, Any]]) -> list[str]:
    return [line["method"] for line in lines if "method" in line]


# ---------------------------------------------------------------------- a miner that comes back


def test_a_resumed_miner_is_told_its_difficulty_on_the_new_connection() -> None:
    """cgminer sets its difficulty back to 1 with every subscribe, and would flood us with low shares."""
    owner = FakeOwner()
    session_id = parked(owner, miner_with_a_job(owner))
    again = Peer(owner, difficulty=START)
    again.call("mining.subscribe", "cgminer/4.11.1", session_id)
    again.call("mining.authorize", USER, "x")
    lines = again.announce(make_job(job_id="2"), forced=True)
    assert methods(lines) == ["mining.set_difficulty", "mining.notify"]
    assert lines[0]["params"] == [1024]
    assert lines[1]["params"][8] is True


def test_the_names_of_a_resumed_miner_join_when_it_shows_that_they_are_its_own() -> None:
    owner = FakeOwner()
    first = miner_with_a_job(owner)
    first.call("mining.authorize", f"{ADDRESS}.second", "x")
    session_id = parked(owner, first)
    again, other = Peer(owner, difficulty=START), Peer(owner, difficulty=START)
    again.call("mining.subscribe", "cgminer/4.11.1", session_id)
    assert again.session.events_received() == []
    again.call("mining.authorize", USER, "x")
    joined = [event for event in again.session.events_received() if isinstance(event, Joined)]
    assert [(event.worker.name, event.agent) for event in joined] == [
        ("rig", "cgminer/4.11.1"),
        ("second", "cgminer/4.11.1"),
    ]
    session_id = parked(owner, again)
    other.call("mining.subscribe", "cgminer/4.11.1", session_id)
    other.call("mining.authorize", f"{OTHER_ADDRESS}.x", "x")
    assert [event.worker.name for event in other.session.events_received() if isinstance(event, Joined)] == [
        "x"
    ]


def test_a_resumed_miner_is_told_its_mask_on_the_new_connection() -> None:
    owner = FakeOwner()
    first = Peer(owner, difficulty=START, version_rolling_mask=0x1FFFE000)
    first.call("mining.configure", ["version-rolling"], {"version-rolling.mask": "ffffffff"})
    first.handshake()
    assert "mining.set_version_mask" in methods(first.announce(make_job(job_id="1")))
    session_id = parked(owner, first)
    again = Peer(owner, difficulty=START, version_rolling_mask=0x1FFFE000)
    again.call("mining.subscribe", "nerdqaxe++/1.0", session_id)
    again.call("mining.configure", ["version-rolling"], {"version-rolling.mask": "ffffffff"})
    again.call("mining.authorize", USER, "x")
    assert "mining.set_version_mask" in methods(again.announce(make_job(job_id="2"), forced=True))


def test_what_is_parked_holds_no_bytes_of_the_wire() -> None:
    """A stranger can send 64 KiB in one piece, and there is room for 50,000 parked sessions."""
    owner = FakeOwner()
    peer = miner_with_a_job(owner)
    peer.session.receive_data(b"x" * 65_536, 1.0)
    assert peer.session.closed_for == "line_too_long"
    kept = peer.session.export_for_resume()
    assert (kept.partial, kept.unsent) == (b"", b"")


def test_a_share_for_a_tip_that_moved_while_the_miner_was_away_is_stale() -> None:
    owner = FakeOwner()
    first = miner_with_a_job(owner, EVERY_HASH)
    job = owner.book.find("1")
    assert job is not None
    session_id = parked(owner, first)
    owner.book.new_tip(60.0)
    again = Peer(owner, difficulty=EVERY_HASH)
    again.now = 500.0
    again.call("mining.subscribe", "cgminer/4.11.1", session_id)
    again.call("mining.authorize", USER, "x")
    assert error_code(again.submit(job, 1)) == 21


def test_names_authorised_before_the_subscription_stand_against_a_resume() -> None:
    """Two machines of one household share an address; in a solo pool the other's payee would win."""
    owner = FakeOwner()
    session_id = parked(owner, miner_with_a_job(owner))
    other = Peer(owner, difficulty=START, is_solo=True)
    assert other.call("mining.authorize", f"{OTHER_ADDRESS}.rig", "x")["result"] is True
    reply = other.call("mining.subscribe", "cgminer/4.11.1", session_id)
    assert reply["result"][1] != "f0010203", "an extranonce1 of its own"
    assert [worker.account for worker in other.session.workers.values()] == [OTHER_ADDRESS]


# ---------------------------------------------------------------------- staleness is the gateway's


def test_until_it_is_sent_the_new_job_a_miner_has_the_grace_from_the_tips_change() -> None:
    owner = FakeOwner()
    peer = miner_with_a_job(owner, EVERY_HASH)
    job = owner.book.find("1")
    assert job is not None
    owner.book.new_tip(100.0)
    peer.now = 101.0
    assert error_code(peer.submit(job, 1)) is None
    peer.now = 101.001
    assert error_code(peer.submit(job, 2)) == 21


@pytest.mark.parametrize(
    ("second_tip_at", "submitted_at", "code"),
    [
        (100.05, 100.9, None),  # a block and at once its sibling: still within a second of the job's own end
        (100.05, 101.1, 21),
        (200.0, 200.5, 21),  # however fresh the last tip is
    ],
)
def test_a_job_two_tips_old_counts_by_when_its_own_tip_ended(
    second_tip_at: float, submitted_at: float, code: int | None
) -> None:
    owner = FakeOwner()
    peer = miner_with_a_job(owner, EVERY_HASH)
    job = owner.book.find("1")
    assert job is not None
    for tip, at in ((2, 100.0), (3, second_tip_at)):
        peer.now = at
        owner.book.new_tip(at)
        peer.announce(make_job(job_id=f"t{tip}", tip=tip))
    peer.now = submitted_at
    assert error_code(peer.submit(job, 1)) == code


# ---------------------------------------------------------------------- a process that takes over


def restored(owner: FakeOwner, exported: SessionExport, **rules: Any) -> Peer:
    peer = Peer(owner, **rules)
    peer.session = Session.restore(exported, make_rules(**rules), owner, "192.0.2.1", 0.0)
    return peer


def test_a_job_that_the_miner_has_is_not_sent_again_by_the_successor() -> None:
    owner = FakeOwner()
    first = miner_with_a_job(owner)
    job = owner.book.find("1")
    assert job is not None
    peer = restored(owner, first.session.export(), difficulty=START)
    assert peer.session.want.name == "NOTHING"
    assert peer.announce(job) == []
    assert methods(peer.announce(make_job(job_id="2"))) == ["mining.notify"], "the difficulty is known"


def test_a_submission_whose_hash_is_under_way_is_not_lost() -> None:
    owner = FakeOwner()
    slow = msgspec.structs.replace(SHA256D, slow=True)
    first = Peer(owner, difficulty=EVERY_HASH, proof_of_work=slow)
    first.handshake()
    job = make_job(job_id="1", proof_of_work=slow)
    first.announce(job)
    params = [USER, "1", "00" * 8, f"{job.ntime:08x}", "00000001"]
    first.send({"id": 5, "method": "mining.submit", "params": params}, {"id": 6, "method": "mining.ping"})
    peer = restored(owner, first.session.export(), difficulty=EVERY_HASH, proof_of_work=slow)
    peer.session.receive_data(b"", 1.0)
    pending = peer.session.pending_hash
    assert pending is not None
    peer.session.hash_done(SHA256D.hash(pending.header), 1.0)
    assert [line["id"] for line in peer.received()] == [5, 6]


# ---------------------------------------------------------------------- a job is announced once


def test_a_job_announced_twice_keeps_its_first_difficulty() -> None:
    """The shares that the miner finds for it were looked for at that one."""
    owner = FakeOwner()
    peer = miner_with_a_job(owner, 8)
    job = owner.book.find("1")
    assert job is not None
    peer.session.raise_floor(4096.0)
    assert peer.announce(job) == []
    assert float(peer.session.offers["1"].difficulty.value) == 8
    assert peer.session.want.name == "FRESH", "what it waits for is still to come"


@pytest.mark.parametrize("times", [2, 5])
def test_a_fresh_job_comes_once_for_a_wish_that_is_repeated(times: int) -> None:
    owner = FakeOwner()
    peer = miner_with_a_job(owner, 8)
    forced = 0
    for number in range(times):
        peer.call("mining.configure", ["minimum-difficulty"], {"minimum-difficulty.value": 1000.4})
        if peer.session.want.name == "FRESH":
            forced += 1
            peer.announce(make_job(job_id=f"f{number}"), forced=True)
    assert forced == 1
