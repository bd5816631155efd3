"""From sessions to records and back: every share resolves, and a refused frame voids exactly its own."""

from pathlib import Path
from typing import Any

import pytest

from payouts.plan import sole
from pool.gateway.block_files import FoundFacts
from pool.gateway.gateway import Gateway
from pool.gateway.recording import EXTRANONCE_MARGIN, Recording
from pool.gateway.spool import SpoolLimits
from pool.gateway.tally import ShareTally
from pool.gateway.work_source import WorkRules, WorkSource
from pool.spool import records
from pool.spool.clock import SpoolAheadOfClock
from pool.spool.dictionary import Dictionary
from pool.spool.frames import SpoolError
from pool.spool.records import ShareMade, is_true_candidate, share_header
from pool.spool.segments import newest_epoch
from pool.spool.tail import Delivery, SourceTail
from stratum.jobs import JobBook
from stratum.session import Session
from stratum.work.hashing import sha256d
from stratum.work.job import Job
from stratum.work.share import BlockCandidate
from stratum.work.template import TemplateTransaction
from tests.builders import ADDRESS, EASY_BITS, REGTEST, USER, Peer, error_code, make_rules, make_template
from tests.pool.gateway.failing_disk import FailingDisk

EASIEST = 1e-10  # every hash is a share
EASY_TARGET = 0x7FFFFF << 232
SCRIPT = b"\x51"
UNKNOWN_JOB = b'{"id":9,"method":"mining.submit","params":["stranger","1","00","00","00"]}\n'


class Candidates:
    def __init__(self) -> None:
        self.found: list[tuple[BlockCandidate, FoundFacts]] = []

    def hand_over(self, candidate: BlockCandidate, facts: FoundFacts) -> bool:
        is_new = all(candidate.block_hash != known.block_hash for known, _ in self.found)
        self.found.append((candidate, facts))
        return is_new


class Station:
    """A gateway with a real spool on a disk that can fail, and miners without sockets."""

    def __init__(self, directory: Path, **limits: Any) -> None:
        self.directory = directory
        self.disk = FailingDisk()
        self.limits = SpoolLimits(retry_seconds=0, **limits)
        self.tally = ShareTally()
        self.candidates = Candidates()
        self.open()

    def open(self) -> None:
        self.recording = Recording(self.directory, 0, "bitcoin regtest", disk=self.disk, limits=self.limits)
        book = JobBook()
        rules = WorkRules(REGTEST, b"/test/", 0x1FFFE000, 0, b"\x01\x02\x03\x04")
        self.work = WorkSource(rules, book, lambda variant: sole(SCRIPT))
        self.gateway = Gateway(
            self.work,
            book,
            self.recording.extranonces,
            self.recording.recorder,
            self.tally,
            lambda: 0.0,
            lambda: self.recording.space.admits,
            is_solo=False,
        )
        self.gateway.attach(self.candidates, lambda: None)

    def reopen(self) -> None:
        self.recording.release()
        self.open()

    def template(self, **changes: Any) -> None:
        self.gateway.new_template(make_template(**changes), "node", 0.0)

    def peer(self, **rules: Any) -> Peer:
        """A miner on this gateway, with work."""
        peer = Peer(difficulty=EASIEST, **rules)
        peer.session = Session(make_rules(difficulty=EASIEST, **rules), self.gateway, "192.0.2.1", 0.0)
        peer.handshake()
        self.announce(peer)
        return peer

    def announce(self, peer: Peer) -> Job:
        job = self.gateway.current_job(self.gateway.variant_of(peer.session), 0.0)
        assert job is not None
        peer.session.announce(job, 0.0)
        return job

    def end_tick(self, *peers: Peer) -> None:
        """As the server does: record, commit, and only then look at replies."""
        for peer in peers:
            self.gateway.record(peer.session, peer.session.events_received())
        self.gateway.commit()

    def submit(self, peer: Peer, *nonces: int, request_id: int = 7) -> None:
        """Sends submissions and leaves the replies where they are."""
        job = next(reversed(peer.session.offers.values())).job
        for nonce in nonces:
            line = (
                f'{{"id":{request_id + nonce},"method":"mining.submit","params":'
                f'["{USER}","{job.id}","{"00" * 8}","{job.ntime:08x}","{nonce:08x}"]}}\n'
            )
            peer.session.receive_data(line.encode(), 0.0)

    def answers(self, peer: Peer) -> list[tuple[int, int | None]]:
        return [(line["id"], error_code(line)) for line in peer.received() if "method" not in line]

    def deliveries(self) -> list[Delivery]:
        directory = self.directory / "spool" / "gateway-0"
        epoch = newest_epoch(directory)
        assert epoch is not None
        return SourceTail(directory, epoch, is_over=True).poll(100_000)

    def happened(self, kind: type) -> list[tuple[Any, Dictionary]]:
        return [
            (record, delivery.dictionary)
            for delivery in self.deliveries()
            for record in delivery.frame.records
            if isinstance(record, kind)
        ]


@pytest.fixture
def station(tmp_path: Path) -> Station:
    station = Station(tmp_path)
    station.template()
    return station


def hash_of(share: ShareMade, dictionary: Dictionary) -> int:
    job = dictionary.job(share.job)
    header = share_header(share, job, dictionary.template(job.template))
    return int.from_bytes(sha256d(header), "little")


def test_every_share_resolves_to_its_name_its_work_and_a_hash_that_meets_its_target(station: Station) -> None:
    peer = station.peer()
    station.end_tick(peer)
    station.submit(peer, *range(20))
    station.end_tick(peer)
    assert [code for _, code in station.answers(peer)][-20:] == [None] * 20
    shares = station.happened(ShareMade)
    assert len(shares) == station.tally.accepted == 20
    for share, dictionary in shares:
        name = dictionary.name(share.name)
        assert (name.account, name.worker, name.agent) == (ADDRESS, "rig", "cpuminer/2")
        target = int.from_bytes(dictionary.difficulty(share.difficulty).target, "big")
        assert hash_of(share, dictionary) <= target
        # difficulty 1e-10: a target beyond 2^256, which is cut to it, and 2^256 // 2^256 is 1
        assert dictionary.work(share.difficulty) == 1
    assert len({hash_of(share, dictionary) for share, dictionary in shares}) == 20


def test_a_job_is_in_the_spool_before_anybody_has_its_line(station: Station) -> None:
    peer = station.peer()
    station.end_tick(peer)
    [(job, dictionary)] = station.happened(records.JobMade)
    offered = next(iter(peer.session.offers.values())).job
    assert (job.job_id, job.prefix, job.suffix) == (
        offered.id,
        offered.coinbase_prefix,
        offered.coinbase_suffix,
    )
    assert (job.size_class, job.plan, job.payee) == (offered.size_class, None, None)
    template = dictionary.template(job.template)
    assert (template.height, template.value_sats, template.fees_sats) == (840_000, 5_000_000_000, 0)
    station.gateway.commit()
    station.announce(station.peer())
    station.gateway.commit()
    assert len(station.happened(records.JobMade)) == 1, "once"


def test_a_templates_fees_are_the_sum_of_its_transactions_fees(station: Station) -> None:
    transactions = tuple(TemplateTransaction("00", bytes(32), fee, 0, 4) for fee in (250, 1_000, 0))
    station.template(transactions=transactions)
    station.end_tick(station.peer())
    [(template, _)] = station.happened(records.TemplateFacts)
    assert template.fees_sats == 1_250


def test_refusals_are_one_record_for_each_name_and_reason(station: Station) -> None:
    peer = station.peer()
    station.submit(peer, 1, 2, 3)
    station.submit(peer, 1, 2, 3, request_id=50)
    peer.session.receive_data(UNKNOWN_JOB, 0.0)
    station.end_tick(peer)
    refused = {(r.name, r.reason): r for r, _ in station.happened(records.RefusedMade)}
    [(share, _), *_] = station.happened(ShareMade)
    duplicates = refused[share.name, "duplicate"]
    assert (duplicates.count, duplicates.work) == (3, 3)
    assert refused[None, "job_not_found"].count == 1


def test_refusals_and_joins_alone_write_no_frame_until_one_is_due(station: Station) -> None:
    peer = station.peer()
    station.end_tick(peer)
    written = len(station.deliveries())
    peer.session.receive_data(UNKNOWN_JOB, 0.0)
    station.end_tick(peer)
    assert len(station.deliveries()) == written
    station.submit(peer, 1)
    station.end_tick(peer)
    assert len(station.deliveries()) == written + 1
    assert len(station.happened(records.RefusedMade)) == 1


def test_joins_and_leaves_are_recorded_by_name(station: Station) -> None:
    peer = station.peer()
    station.end_tick(peer)
    station.gateway.session_closed(peer.session, 0.0)
    station.submit(other := station.peer(), 1)
    station.end_tick(other)
    [(joined, dictionary), _] = station.happened(records.Joined)
    assert (dictionary.name(joined.name).worker, joined.agent) == ("rig", "cpuminer/2")
    [(left, dictionary)] = station.happened(records.Left)
    assert dictionary.name(left.name).worker == "rig"


def test_a_block_is_recorded_with_its_share_at_one_time_and_its_file_says_the_same(station: Station) -> None:
    station.template(bits=EASY_BITS, network_target=EASY_TARGET)
    peer = station.peer()
    station.submit(peer, *range(30))
    station.submit(peer, *range(30), request_id=100)
    station.end_tick(peer)
    found = station.happened(records.CandidateMade)
    handed_over = {candidate.block_hash: (candidate, facts) for candidate, facts in station.candidates.found}
    assert 0 < len(found) == len(handed_over) < 30, "every second hash is a block; each is recorded once"
    with_shares = {
        delivery.frame.at_us
        for delivery in station.deliveries()
        if any(isinstance(record, ShareMade) for record in delivery.frame.records)
    }
    for record, dictionary in found:
        job = dictionary.job(record.job)
        assert is_true_candidate(record, job, dictionary.template(job.template))
        candidate, facts = handed_over[record.block_hash]
        assert records.share_coinbase(record, job) == candidate.coinbase
        assert record.at_us == facts.at_us
        assert record.at_us in with_shares
        assert dictionary.name(record.name).account == ADDRESS
        assert record.user == USER
        assert facts.size_class == job.size_class


def test_numbers_are_given_anew_in_each_segment(tmp_path: Path) -> None:
    station = Station(tmp_path, segment_bytes=2_000)
    station.template()
    peer = station.peer()
    for nonce in range(200):
        station.submit(peer, nonce)
        station.end_tick(peer)
    shares = station.happened(ShareMade)
    assert len(shares) == 200
    assert len({id(dictionary) for _, dictionary in shares}) > 3
    assert {dictionary.name(share.name).worker for share, dictionary in shares} == {"rig"}
    assert len({hash_of(share, dictionary) for share, dictionary in shares}) == 200


# ---------------------------------------------------------------------- a disk that takes nothing


def test_shares_that_cannot_be_recorded_are_answered_try_later_and_may_be_sent_again(
    station: Station,
) -> None:
    peer, other = station.peer(), station.peer()
    station.end_tick(peer, other)
    peer.received(), other.received()
    station.disk.room = 0
    station.submit(peer, 1, 2)
    station.submit(peer, 1, request_id=50)  # a duplicate of its first
    station.submit(other, 1)
    station.end_tick(peer, other)
    assert station.answers(peer) == [(8, 20), (9, 20), (51, 22)]
    assert station.answers(other) == [(8, 20)]
    assert station.tally.accepted == 0
    assert station.tally.refused["try_later"] == 3
    assert peer.session.accepted == 0
    assert station.happened(ShareMade) == []
    assert "spool-write" in station.recording.alarms.active

    station.disk.room = None
    station.submit(peer, 1, 2)
    station.end_tick(peer)
    assert station.answers(peer) == [(8, None), (9, None)], "their hashes were free again"
    shares = station.happened(ShareMade)
    assert len(shares) == 2
    assert {hash_of(share, dictionary) for share, dictionary in shares} == {
        int.from_bytes(h, "little") for offer in peer.session.offers.values() for h in offer.job.claimed
    }
    refused = {r.reason: r.count for r, _ in station.happened(records.RefusedMade)}
    assert refused == {"try_later": 3, "duplicate": 1}, "what could not be written then is written now"


def test_only_the_shares_of_the_failed_tick_are_revoked(station: Station) -> None:
    peer = station.peer()
    station.submit(peer, 1)
    station.end_tick(peer)
    station.disk.room = 0
    station.submit(peer, 2)
    station.end_tick(peer)
    assert station.answers(peer)[-2:] == [(8, None), (9, 20)]
    assert len(station.happened(ShareMade)) == 1
    assert station.tally.accepted == 1


def test_the_share_of_a_miner_that_hung_up_is_revoked_as_well(station: Station) -> None:
    peer = station.peer()
    station.end_tick(peer)
    station.disk.room = 0
    station.submit(peer, 1)
    job = next(iter(peer.session.offers.values())).job
    station.gateway.record(peer.session, peer.session.events_received())
    station.gateway.session_closed(peer.session, 0.0)
    station.gateway.commit()
    assert job.claimed == set()


def test_a_block_is_handed_over_whatever_the_disk_does_and_recorded_when_it_can(station: Station) -> None:
    station.template(bits=EASY_BITS, network_target=EASY_TARGET)
    peer = station.peer()
    station.end_tick(peer)
    station.disk.reserved.clear()  # somebody has taken the space kept for it
    station.disk.room = 0
    station.submit(peer, *range(30))
    handed_over = {candidate.block_hash for candidate, _ in station.candidates.found}
    station.end_tick(peer)
    assert handed_over
    assert {code for _, code in station.answers(peer)[-30:]} == {20}
    assert station.happened(records.CandidateMade) == []
    station.disk.room = None
    station.end_tick(peer)
    found = station.happened(records.CandidateMade)
    assert {record.block_hash for record, _ in found} == handed_over
    at_us = {candidate.block_hash: facts.at_us for candidate, facts in station.candidates.found}
    assert all(record.at_us == at_us[record.block_hash] for record, _ in found), "when it was found"


def test_on_a_full_disk_the_kept_space_takes_a_blocks_record(station: Station) -> None:
    station.template(bits=EASY_BITS, network_target=EASY_TARGET)
    peer = station.peer()
    station.end_tick(peer)
    station.disk.room = 0
    station.submit(peer, *range(30))
    station.end_tick(peer)
    assert len(station.happened(records.CandidateMade)) == len(station.candidates.found)
    assert {code for _, code in station.answers(peer)[-30:]} == {None}


def test_a_full_disk_lets_nobody_in(station: Station) -> None:
    assert station.gateway.admits()
    station.disk.free = 0
    station.recording.space.check()
    assert not station.gateway.admits()


# ---------------------------------------------------------------------- restarts


def test_extranonces_go_on_behind_those_of_the_process_before(station: Station) -> None:
    peer = station.peer()
    station.end_tick(peer)
    assert peer.session.identity is not None
    last = int.from_bytes(peer.session.identity.extranonce1[1:], "big")
    station.reopen()
    assert station.recording.extranonces.next_value == (last + 1 + EXTRANONCE_MARGIN) % 2**24


def test_a_spool_from_the_future_refuses_the_start(station: Station) -> None:
    hour_us = 3_600_000_000
    assert station.recording.spool.write([], [], station.recording.now_us() + hour_us, 0)
    with pytest.raises(SpoolAheadOfClock, match=r"set the clock"):
        station.reopen()


def test_a_second_process_is_refused_and_the_first_goes_on(station: Station) -> None:
    with pytest.raises(SpoolError, match=r"in use"):
        Recording(station.directory, 0, "bitcoin regtest")
    assert station.recording.recorder.commit()


def test_a_restart_gives_numbers_of_its_own_and_the_spool_reads_through(station: Station) -> None:
    peer = station.peer()
    station.submit(peer, 1)
    station.end_tick(peer)
    station.reopen()
    station.template()
    peer = station.peer()
    station.submit(peer, 2)
    station.end_tick(peer)
    shares = station.happened(ShareMade)
    assert [share.nonce for share, _ in shares] == [1, 2]
    assert all(hash_of(share, dictionary) for share, dictionary in shares)
