"""What the nodes' verdicts make of a block, and the words for it. Pure: asks nobody and logs nothing."""

import enum
from collections.abc import Sequence
from datetime import UTC, datetime

from pool.gateway.block_files import FoundBlock
from pool.node.verdicts import SubmitVerdict

LONE_REFUSAL_SECONDS = 600.0
# One node refuses and another cannot be asked: the other is given this long, since the one that refuses may
# only be behind (prev-blk-not-found).

TIME_EDGE_REFUSALS = ("time-too-old", "time-too-new", "high-hash", "bad-diffbits")


class Outcome(enum.Enum):
    """What became of a candidate. NOT_COUNTED is a refusal that was to be expected (`crosses_time_edge`)."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NOT_COUNTED = "refused, as a block over the time edge may be (not counted)"


def is_settled(verdicts: Sequence[SubmitVerdict], elapsed_seconds: float) -> bool:
    """One acceptance is enough: that node relays the block. Refusals are final when nobody is left to ask."""
    if any(verdict.accepted for verdict in verdicts):
        return True
    refusals = sum(verdict.accepted is False for verdict in verdicts)
    return refusals > 0 and (refusals == len(verdicts) or elapsed_seconds >= LONE_REFUSAL_SECONDS)


def outcome_of(found: FoundBlock, verdicts: Sequence[SubmitVerdict]) -> Outcome:
    if any(verdict.accepted for verdict in verdicts):
        return Outcome.ACCEPTED
    refusals = [verdict.text for verdict in verdicts if verdict.accepted is False]
    is_expected = all(any(word in text for word in TIME_EDGE_REFUSALS) for text in refusals)
    return Outcome.NOT_COUNTED if found.crosses_time_edge and is_expected else Outcome.REFUSED


def described(found: FoundBlock) -> str:
    found_at = datetime.fromtimestamp(found.found_at, UTC).isoformat(timespec="milliseconds")
    return (
        f"block {found.block_hash} at height {found.height} of {found.network}, worth {found.reward_sats} "
        f"sats, found at {found_at} by user {found.user!r} (account {found.account}, "
        f"worker {found.worker!r}) with job {found.job_id}:"
    )


def told(verdicts: Sequence[SubmitVerdict]) -> str:
    return "; ".join(f"node {verdict.node}: {verdict.text}" for verdict in verdicts)
