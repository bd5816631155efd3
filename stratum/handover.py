"""Session state by value: for a successor process, and for a miner that comes back. No sockets.

The two differ in what they take over. A successor goes on with the same socket and takes all. A resume
takes what belongs to the work (identity, names, mask, offers, difficulty) and nothing that belongs to the
wire, such as what this miner was told on it; it is undone when the miner then authorises as somebody else.
"""

from typing import TYPE_CHECKING

import msgspec

from stratum.agents import classify
from stratum.events import OfferExport, SessionExport
from stratum.framing import LineBuffer
from stratum.jobs import Offer
from stratum.phases import Step, Want
from stratum.work.difficulty import share_difficulty

if TYPE_CHECKING:
    from stratum.session import Session

EXPORT_SCHEMA = 1


def export(session: "Session") -> SessionExport:
    """The session as a value; jobs go by their ids, which the successor's owner must know."""
    return SessionExport(
        schema=EXPORT_SCHEMA,
        identity=session.identity,
        agent=session.agent,
        requested_mask=session.requested_mask,
        told_mask=session.told_mask,
        told_difficulty=session.told_difficulty,
        is_rolling=session.is_rolling,
        wants_extranonce=session.wants_extranonce,
        workers=list(session.workers.items()),
        offers=[
            OfferExport(
                offer.job.id, offer.difficulty.value, offer.mask, offer.announced_at, offer.extranonce1
            )
            for offer in session.offers.values()
        ],
        pace=session.pace.export(),
        accepted=session.accepted,
        tip=session.tip,
        tip_sent_at=session.tip_sent_at,
        partial=session.unread(),
        unsent=session.data_to_send(),
    )


def export_for_resume(session: "Session") -> SessionExport:
    """What a miner may come back to: without the bytes of a wire that is gone, however many they were."""
    return msgspec.structs.replace(export(session), partial=b"", unsent=b"")


def restore(session: "Session", exported: SessionExport, now: float) -> None:
    """Fill a new session; raises ValueError for an export of a newer version.

    Whole lines may wait in it: `receive_data(b"", now)` goes on with them.
    """
    if exported.schema > EXPORT_SCHEMA:
        raise ValueError(
            f"a session of export version {exported.schema} needs a newer engineroom; "
            f"this one reads up to {EXPORT_SCHEMA}"
        )
    _take_over(session, exported)
    session.told_mask, session.told_difficulty = exported.told_mask, exported.told_difficulty
    session.wants_extranonce = exported.wants_extranonce
    session.accepted = exported.accepted
    if exported.identity is not None:
        session.step(Step.SUBSCRIBE)
    if exported.workers:
        session.step(Step.AUTHORISE)
        if session.offers:
            session.want = Want.NOTHING  # its miner has a job: a second line of the same id confuses it
    session.lines = LineBuffer(session.lines.limit_bytes, exported.partial)
    if exported.unsent:
        session.send(exported.unsent)


def resume(session: "Session", parked: SessionExport) -> None:
    """What a returning miner finds again. The next job must be one it has never seen:
    its extranonce2 starts over."""
    requested_mask, is_rolling = session.requested_mask, session.is_rolling
    agent = session.agent
    _take_over(session, parked)
    if is_rolling:  # it has configured this connection already: the newer word stands
        session.requested_mask, session.is_rolling = requested_mask, is_rolling
    session.agent = agent
    session.pace.agent = classify(agent)
    session.resumed_names = True
    session.want_fresh(is_resumed=True)


def undo_resume(session: "Session") -> None:
    """Somebody else came back: names, offers and difficulty go; the extranonce1 is his now, and unique."""
    session.workers.clear()
    session.forget_aliases()
    session.offers.clear()
    session.reset_pace()


def _take_over(session: "Session", exported: SessionExport) -> None:
    session.identity = exported.identity
    session.agent = exported.agent
    session.pace.restore(exported.pace)
    session.pace.agent = classify(exported.agent)
    session.requested_mask = exported.requested_mask
    session.is_rolling = exported.is_rolling
    session.workers = dict(exported.workers)
    session.tip = exported.tip
    session.tip_sent_at = exported.tip_sent_at
    difficulty_1 = session.rules.proof_of_work.difficulty_1
    for offered in exported.offers:
        job = session.book.find(offered.job_id)
        if job is not None:
            session.offers[job.id] = Offer(
                job,
                share_difficulty(offered.difficulty, difficulty_1),
                offered.mask,
                offered.announced_at,
                offered.extranonce1,
            )
