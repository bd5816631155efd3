"""Sessions that ended lately: resumable for ten minutes; their extranonce1 rests until its jobs are gone."""

from collections import deque

from stratum.events import SessionExport
from stratum.extranonce import ExtranonceCounter
from stratum.jobs import CREDITED_SECONDS, JUDGED_SECONDS

RESUMED_SECONDS = 600.0
MOST_PARKED = 50_000


class Parking:
    """Parked sessions by their resume id, and the extranonces that wait to be used again."""

    def __init__(self, extranonces: ExtranonceCounter) -> None:
        self._extranonces = extranonces
        self._parked: dict[str, tuple[SessionExport, str, float]] = {}
        self._resting: deque[tuple[float, bytes]] = deque()

    def park(self, session: SessionExport, peer: str, now: float) -> None:
        """Keep a session that had work; the longest parked one makes room."""
        if session.identity is None:
            return
        if not session.offers:
            self._rest(session.identity.extranonce1, now)
            return
        if len(self._parked) >= MOST_PARKED:
            self._evict(next(iter(self._parked)), now)
        self._parked[session.identity.session_id] = (session, peer, now)

    def resume(self, session_id: str, peer: str, now: float) -> SessionExport | None:
        """Take a session out of the park: its id is a secret, and the address must be the same as well."""
        entry = self._parked.get(session_id)
        if entry is None or entry[1] != peer or now - entry[2] > RESUMED_SECONDS:
            return None
        del self._parked[session_id]
        return entry[0]

    def expire(self, now: float) -> None:
        """Give up what was not resumed in time,
        and give back extranonces that no job can be submitted with."""
        for session_id, (_, _, parked_at) in list(self._parked.items()):
            if now - parked_at <= RESUMED_SECONDS:
                break
            self._evict(session_id, now)
        while self._resting and self._resting[0][0] <= now:
            self._extranonces.release(self._resting.popleft()[1])

    def _evict(self, session_id: str, now: float) -> None:
        identity = self._parked.pop(session_id)[0].identity
        if identity is not None:
            self._rest(identity.extranonce1, now)

    def _rest(self, extranonce1: bytes, now: float) -> None:
        self._resting.append((now + CREDITED_SECONDS + JUDGED_SECONDS, extranonce1))
