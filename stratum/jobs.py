"""The jobs a gateway has handed out: install, look up, expire; and what a session was promised of one.

Old jobs are kept, not deleted, when the tip moves: a late block can still be tried and a late share is
called stale instead of unknown. A job is credited for ten minutes after its session was sent a newer one
and judged as a block for ten more; a job of an older tip is judged as a block for ten minutes after the tip
moved.
"""

import msgspec

from stratum.work.difficulty import ShareDifficulty
from stratum.work.job import Job

CREDITED_SECONDS = 600.0
JUDGED_SECONDS = 600.0


class Offer(msgspec.Struct, frozen=True):
    """A job as announced at one moment: the difficulty its shares are judged and credited at, and the mask.

    Shared by all sessions that were promised the same in the same announcement. `extranonce1` is set only
    where the session has been given another one since.
    """

    job: Job
    difficulty: ShareDifficulty
    mask: int
    announced_at: float
    extranonce1: bytes | None = None


def offer_of(job: Job, difficulty: ShareDifficulty, mask: int, now: float) -> Offer:
    """The offer for one more session; the same object for all that are promised the same at the same moment.

    In a fan-out most sessions of a listener have one of a handful of difficulties, so that a thousand
    sessions hold a few offers between them instead of a thousand.
    """
    key = (difficulty.value, mask)
    offer = job.offers.get(key)
    if not isinstance(offer, Offer) or offer.announced_at != now:
        offer = Offer(job, difficulty, mask, now)
        job.offers[key] = offer
    return offer


class JobBook:
    """Every job that a submission may still name, by id, oldest first."""

    __slots__ = ("_jobs", "_replaced_at", "_tips_ended_at", "tip", "tip_changed_at")

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._replaced_at: dict[str, float] = {}
        self._tips_ended_at: dict[int, float] = {}
        self.tip = 0
        self.tip_changed_at = 0.0

    def new_tip(self, now: float) -> int:
        """The previous hash has changed (a reorg back to an earlier tip counts): every job so far is stale.

        Tips are numbered instead of compared by hash, so that jobs once stale do not come to life again
        when the chain returns to their tip. Gives the number for the jobs that follow.
        """
        self._tips_ended_at[self.tip] = now
        self.tip += 1
        self.tip_changed_at = now
        return self.tip

    def install(self, job: Job, replaced: Job | None, now: float) -> None:
        """Make a job known; `replaced` is the one that its variant announced before."""
        self._jobs[job.id] = job
        if replaced is not None:
            self._replaced_at[replaced.id] = now

    def find(self, job_id: str) -> Job | None:
        """The job of this id, current or stale; None where it was never announced or has expired."""
        return self._jobs.get(job_id)

    def ended_at(self, tip: int) -> float | None:
        """When the tip of this number was followed by another; None for the current and long gone ones."""
        return self._tips_ended_at.get(tip)

    def expire(self, now: float) -> None:
        """Forget the jobs that nothing can come of any more."""
        for job in [job for job in self._jobs.values() if self._is_over(job, now)]:
            del self._jobs[job.id]
            self._replaced_at.pop(job.id, None)
        for tip in [tip for tip, at in self._tips_ended_at.items() if now - at > 2 * JUDGED_SECONDS]:
            del self._tips_ended_at[tip]

    def retire_variant(self, job: Job, now: float) -> None:
        """The variant of this job is announced to nobody any more; its last job ages like a replaced one."""
        self._replaced_at.setdefault(job.id, now)

    def _is_over(self, job: Job, now: float) -> bool:
        if job.tip != self.tip:
            ended_at = self._tips_ended_at.get(job.tip)
            if ended_at is None or now - ended_at > JUDGED_SECONDS:
                return True
        replaced_at = self._replaced_at.get(job.id)
        return replaced_at is not None and now - replaced_at > CREDITED_SECONDS + JUDGED_SECONDS

    def __len__(self) -> int:
        return len(self._jobs)
