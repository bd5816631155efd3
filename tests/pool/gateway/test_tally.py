"""Counting what sessions report: accepted work, refusals and denied names by reason."""

from pool.gateway.tally import ShareTally
from tests.builders import Peer, submit_until


def test_accepted_and_refused_shares_are_counted_with_their_work() -> None:
    peer, tally = Peer(difficulty=1e-9), ShareTally()
    peer.handshake()
    accepted, refused = submit_until(peer, accepted=3, refused=1)
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
