"""Sessions that ended lately: who may resume them, for how long, and when their extranonce1 is free again."""

from pool.gateway.parking import RESUMED_SECONDS, Parking
from stratum.events import SessionExport
from stratum.extranonce import ExtranonceCounter
from stratum.jobs import CREDITED_SECONDS, JUDGED_SECONDS
from tests.builders import Peer, make_job

PEER = "192.0.2.1"


class Lot:
    """A park with the counter whose values it holds."""

    def __init__(self) -> None:
        self.counter = ExtranonceCounter(gateway=0, start=0xA0B0C0)
        self.parking = Parking(self.counter)

    def closed_session(self, *, had_work: bool = True) -> SessionExport:
        """The export of a session with an extranonce1 of this counter."""
        peer = Peer()
        extranonce1 = self.counter.take()
        assert extranonce1 is not None
        peer.owner.identities = iter([extranonce1])
        peer.handshake()
        if had_work:
            peer.announce(make_job())
        return peer.session.export()


def test_a_session_comes_back_to_the_same_address_within_ten_minutes() -> None:
    lot = Lot()
    session = lot.closed_session()
    assert session.identity is not None
    lot.parking.park(session, PEER, 0.0)
    assert lot.parking.resume(session.identity.session_id, PEER, RESUMED_SECONDS) is session
    assert lot.parking.resume(session.identity.session_id, PEER, RESUMED_SECONDS) is None, "once only"


def test_another_address_and_a_later_hour_do_not_get_it() -> None:
    lot = Lot()
    session = lot.closed_session()
    assert session.identity is not None
    lot.parking.park(session, PEER, 0.0)
    assert lot.parking.resume(session.identity.session_id, "192.0.2.2", 1.0) is None
    assert lot.parking.resume("0" * 16, PEER, 1.0) is None
    assert lot.parking.resume(session.identity.session_id, PEER, RESUMED_SECONDS + 0.1) is None


def test_an_extranonce_rests_until_no_job_can_be_submitted_with_it() -> None:
    lot = Lot()
    lot.parking.park(lot.closed_session(had_work=False), PEER, 0.0)
    lot.parking.expire(CREDITED_SECONDS + JUDGED_SECONDS - 1)
    assert len(lot.counter._held) == 1
    lot.parking.expire(CREDITED_SECONDS + JUDGED_SECONDS)
    assert len(lot.counter._held) == 0


def test_a_parked_session_that_is_not_resumed_gives_its_extranonce_back_in_the_end() -> None:
    lot = Lot()
    lot.parking.park(lot.closed_session(), PEER, 0.0)
    lot.parking.expire(RESUMED_SECONDS + 1)
    assert len(lot.counter._held) == 1
    lot.parking.expire(RESUMED_SECONDS + 1 + CREDITED_SECONDS + JUDGED_SECONDS)
    assert len(lot.counter._held) == 0
