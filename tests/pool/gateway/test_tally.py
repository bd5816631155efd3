"""Counting what sessions report: accepted work, refusals and denied names by reason."""

from pool.gateway.tally import ShareTally
from tests.builders import Peer, error_code, make_job


def test_accepted_and_refused_shares_are_counted_with_their_work() -> None:
    peer, tally = Peer(difficulty=1e-9), ShareTally()
    peer.handshake()
    job = make_job()
    peer.announce(job)
    nonces = iter(range(10_000))
    accepted = refused = 0
    while not (accepted >= 3 and refused >= 1):
        code = error_code(peer.submit(job, next(nonces)))
        accepted += code is None
        refused += code == 23
    tally.record(peer.session.events_received())
    # difficulty 1e-9: floor(0xffff * 2^208 / 1e-9) is 2^224 * 0.99998e9, and 2^256 / that is 4.29…: 4 hashes
    assert tally.accepted == accepted
    assert tally.work == 4 * accepted
    assert tally.refused["low_difficulty"] == refused


def test_denied_names_are_counted_by_reason() -> None:
    peer, tally = Peer(), ShareTally()
    peer.call("mining.subscribe", "cpuminer/2")
    peer.call("mining.authorize", "not-an-address", "x")
    tally.record(peer.session.events_received())
    assert tally.denied == {"bad_user": 1}
