"""What the demo shows of each miner: counted beside the sums of all, and bounded."""

from pool.demo.worker_tally import MOST_WORKERS, DemoTally
from stratum.events import Joined, Worker
from tests.builders import Peer, submit_until


def test_each_miners_shares_are_counted_with_their_work() -> None:
    peer, tally = Peer(difficulty=1e-9), DemoTally()
    peer.handshake()
    accepted, refused = submit_until(peer, accepted=3, refused=1)
    tally.record(peer.session.events_received())
    [(name, worker)] = tally.workers.items()
    assert name.endswith(".rig")
    # difficulty 1e-9: floor(0xffff * 2^208 / 1e-9) is 2^224 * 0.99998e9, and 2^256 / that is 4.29…: 4 hashes
    assert (worker.accepted, worker.refused, worker.work) == (accepted, refused, 4 * accepted)
    assert worker.difficulty == 1e-9
    assert (tally.accepted, tally.work) == (accepted, 4 * accepted)


def test_a_miner_is_listed_as_soon_as_it_has_joined() -> None:
    peer, tally = Peer(), DemoTally()
    peer.handshake()
    tally.record(peer.session.events_received())
    assert [worker.accepted for worker in tally.workers.values()] == [0]


def test_who_is_let_in_under_no_name_is_not_listed() -> None:
    peer, tally = Peer(), DemoTally()
    peer.call("mining.subscribe", "cpuminer/2")
    peer.call("mining.authorize", "not-an-address", "x")
    tally.record(peer.session.events_received())
    assert (tally.workers, tally.denied) == ({}, {"bad_user": 1})
    assert not tally.workers


def test_the_list_of_miners_is_bounded() -> None:
    tally = DemoTally()
    for number in range(MOST_WORKERS + 5):
        tally.record([Joined(worker=Worker(account="a", name=str(number), script=b""), agent="x")])
    assert len(tally.workers) == MOST_WORKERS
    assert "a.0" not in tally.workers
