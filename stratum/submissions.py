"""A submission, from its fields to its reply: refused before its hash or judged after it; it keeps no state.

Before the hash only what makes the header undefined is refused. After it comes the block test, and only then
whether the share counts, so that no rule about shares ever costs a block.
"""

from typing import TYPE_CHECKING

import msgspec

from stratum import replies
from stratum.agents import sanitise
from stratum.closing import CloseCause
from stratum.errors import ProtocolViolation, RejectReason
from stratum.events import Event, Refused, Share, Worker
from stratum.jobs import Offer
from stratum.limits import Limit
from stratum.messages import SubmitParams
from stratum.phases import Want
from stratum.work.job import Job
from stratum.work.share import candidate, judge, prepare

if TYPE_CHECKING:
    from stratum.session import Session

LONGEST_JOB_ID = 64
# A hash's most significant eight bytes tell which of two is lower as far as anybody is shown.
LEAST_COMPARED = 23
HIGHEST = b"\xff" * 9
# Judged over the last hundred: a machine with a bad chip stays far below, one that fakes hashes far above.
SHARES_JUDGED = 100

# A field that no honest firmware gets wrong costs a penalty; what luck or latency can cause does not.
_PENALISED = frozenset({RejectReason.BAD_EXTRANONCE2, RejectReason.BAD_NTIME, RejectReason.BAD_NONCE})
# What an honest machine meets now and then, and a broken or hostile one most of the time. Stale is not among
# them: that is the network's doing.
_SUSPECT = frozenset(
    {
        RejectReason.DUPLICATE,
        RejectReason.LOW_DIFFICULTY,
        RejectReason.NTIME_TOO_OLD,
        RejectReason.NTIME_TOO_NEW,
        RejectReason.BAD_VERSION_BITS,
    }
)


class Submission(msgspec.Struct, frozen=True, gc=False):
    """A submission between `prepare` and `judge`,
    with everything decided that its moment of arrival decides."""

    request_id: bytes
    params: SubmitParams
    job: Job
    offer: Offer | None
    extranonce1: bytes
    header: bytes
    worker: Worker | None
    is_stale: bool
    is_late: bool
    at: float


def submit(session: "Session", request_id: bytes, params: SubmitParams, now: float) -> None:
    """A submission of the right shape. Raises ProtocolViolation where it is one offence too many.

    A slow hash is left to the owner of the session: `pending_hash` holds it until `hash_done`.
    """
    identity = session.identity
    if identity is None:
        _refuse_early(session, request_id, RejectReason.NOT_SUBSCRIBED, now)
        return
    offer = session.offers.get(params.job_id)
    if offer is not None:
        job = offer.job
        mask = offer.mask
        extranonce1 = offer.extranonce1 or identity.extranonce1
    else:
        found = _job_not_offered(session, request_id, params, now)
        if found is None:
            return
        job = found
        mask = session.requested_mask & job.rolling_mask
        extranonce1 = identity.extranonce1
    header = prepare(
        job,
        mask,
        extranonce1,
        session.rules.proof_of_work.extranonce2_size,
        params.extranonce2,
        params.ntime,
        params.nonce,
        params.version_bits,
    )
    if isinstance(header, RejectReason):
        _refuse(session, request_id, header, params, offer, now)
        return
    is_other_tip = job.tip != session.book.tip
    is_late = is_other_tip and _is_within_grace(session, job, now)
    submission = Submission(
        request_id,
        params,
        job,
        offer,
        extranonce1,
        header,
        session.workers.get(params.user) or session.alias(params.user),
        is_other_tip and not is_late,
        is_late,
        now,
    )
    if job.proof_of_work.slow:
        session.pending_hash = submission
    else:
        settle(session, submission, job.proof_of_work.hash(header), now)


def _is_within_grace(session: "Session", job: Job, now: float) -> bool:
    """Whether a job of an earlier tip still counts: its miner could not know better.

    The grace runs from when this session was sent the new work; for a job of the tip before last, or where
    nothing was sent yet, from when the job's own tip ended.
    """
    book = session.book
    if session.tip == book.tip == job.tip + 1:
        since: float | None = session.tip_sent_at
    else:
        since = book.ended_at(job.tip)
    return since is not None and now - since <= session.rules.late_share_grace_seconds


def settle(session: "Session", submission: Submission, pow_hash: bytes, now: float) -> None:
    """The hash is known: hand a block over, then credit the share or refuse it. Raises ProtocolViolation."""
    offer, worker = submission.offer, submission.worker
    target = offer.difficulty.target if offer is not None else None
    is_block, reason = judge(
        submission.job,
        target,
        submission.header,
        pow_hash,
        worker is not None,
        submission.is_stale,
        submission.at,
    )
    if is_block:
        _hand_over(session, submission, pow_hash)
    if reason is not None or offer is None or worker is None:
        refusal = reason or RejectReason.STALE
        _refuse(session, submission.request_id, refusal, submission.params, offer, now)
        return
    session.accepted += 1
    significant = pow_hash[:LEAST_COMPARED:-1]
    is_best = significant < session.best.get(worker.name, HIGHEST)
    if is_best:
        session.best[worker.name] = significant
    reply = len(session.out)
    session.out.append(replies.accepted(submission.request_id))
    session.events.append(
        Share(
            worker,
            offer,
            submission.extranonce1,
            submission.params.extranonce2,
            submission.header,
            pow_hash,
            submission.is_late,
            submission.at,
            reply,
            is_best,
        )
    )
    if session.pace.share(offer.difficulty.value, submission.at):
        session.want = Want.FRESH


def _hand_over(session: "Session", submission: Submission, pow_hash: bytes) -> None:
    worker, params = submission.worker, submission.params
    session.owner.block_found(
        candidate(
            submission.job,
            submission.header,
            pow_hash,
            submission.extranonce1,
            params.extranonce2,
            sanitise(params.user),
            worker.account if worker else None,
            worker.name if worker else "",
            worker.script if worker else None,
        )
    )


def revoke(session: "Session", events: list[Event]) -> list[Event]:
    """What was accepted since the last flush could not be recorded: it is refused, and may be sent again.

    The replies are rewritten where they wait, the hashes unclaimed. Gives the events as they are now. What
    else followed from the shares, a difficulty for one, stands.
    """
    return [_revoked(session, event) if isinstance(event, Share) else event for event in events]


def _revoked(session: "Session", share: Share) -> Refused:
    share.offer.job.claimed.discard(share.pow_hash)
    session.accepted -= 1
    out = session.out
    if share.reply < len(out):  # else nobody is left to hear it
        out[share.reply] = replies.revoked(out[share.reply], RejectReason.TRY_LATER)
    return Refused(share.worker, RejectReason.TRY_LATER, share.offer.difficulty.work, share.at)


def _job_not_offered(session: "Session", request_id: bytes, params: SubmitParams, now: float) -> Job | None:
    """A job that the session does not hold (any more):
    kept for the block test, or unknown and refused."""
    if len(params.job_id) > LONGEST_JOB_ID:
        session.refuse(request_id, RejectReason.MALFORMED, now, penalty=True)
        return None
    job = session.book.find(params.job_id)
    if job is None:
        if not session.workers:
            _refuse_early(session, request_id, RejectReason.UNAUTHORIZED, now)
        else:
            _refuse(session, request_id, RejectReason.JOB_NOT_FOUND, params, None, now)
    return job


def _refuse(
    session: "Session",
    request_id: bytes,
    reason: RejectReason,
    params: SubmitParams,
    offer: Offer | None,
    now: float,
) -> None:
    session.out.append(replies.rejected(request_id, reason))
    work = offer.difficulty.work if offer is not None else 0
    worker = session.workers.get(params.user) or session.alias(params.user)
    session.events.append(Refused(worker, reason, work, now))
    if reason in _PENALISED:
        session.spend(Limit.PENALTIES, now)
    elif reason is RejectReason.UNAUTHORIZED:
        session.spend(Limit.STRANGERS_SHARES if session.workers else Limit.EARLY_SUBMITS, now)
    elif reason in _SUSPECT:
        _judge_quality(session)


def _judge_quality(session: "Session") -> None:
    session.bad_shares += 1
    judged = session.accepted - session.judged_from + session.bad_shares
    if judged < SHARES_JUDGED:
        return
    if session.bad_shares * 2 > judged:
        raise ProtocolViolation(CloseCause.BAD_SHARES)
    session.bad_shares = 0
    session.judged_from = session.accepted


def _refuse_early(session: "Session", request_id: bytes, reason: RejectReason, now: float) -> None:
    session.has_spoken = True
    session.out.append(replies.rejected(request_id, reason))
    session.events.append(Refused(None, reason, 0, now))
    session.spend(Limit.EARLY_SUBMITS, now)
