"""What the nodes' verdicts make of a block, and the words for it. Pure: asks nobody and logs nothing."""

import enum
from collections.abc import Sequence

import msgspec

from pool.gateway.block_files import HEADER_BYTES, FoundBlock, SavedBlock
from pool.node.verdicts import Judgement, SubmitVerdict
from stratum.work.coin import network
from stratum.work.difficulty import difficulty_from_target

PATIENCE_SECONDS = 600.0
# How long a node that could not be asked, or that may only be behind (prev-blk-not-found), is given to say
# something better than what was said first.

TIME_EDGE_REFUSALS = ("time-too-old", "time-too-new", "high-hash", "bad-diffbits")


class Outcome(enum.Enum):
    """What became of a candidate.

    SIDE_BRANCH: a node has it and works on another one; it pays nothing unless a reorganisation makes it.
    NOT_COUNTED: a refusal that was to be expected (`crosses_time_edge`).
    """

    ACCEPTED = "accepted"
    SIDE_BRANCH = "on a side branch"
    REFUSED = "refused"
    NOT_COUNTED = "refused, as a block over the time edge may be (not counted)"


def has_answer(verdicts: Sequence[SubmitVerdict]) -> bool:
    """Whether any node has said something of the block."""
    return any(verdict.judgement is not Judgement.SILENT for verdict in verdicts)


def is_settled(verdicts: Sequence[SubmitVerdict], answered_seconds: float) -> bool:
    """Whether to stop asking; `answered_seconds` have passed since the first answer.

    One acceptance is enough: that node relays the block. Anything else is final when no node is left that may
    say something better, or after PATIENCE_SECONDS. Silence alone never is.
    """
    judgements = {verdict.judgement for verdict in verdicts}
    if Judgement.ACCEPTED in judgements:
        return True
    may_change = bool(judgements & {Judgement.NOT_YET, Judgement.SILENT})
    return has_answer(verdicts) and (not may_change or answered_seconds >= PATIENCE_SECONDS)


def outcome_of(found: FoundBlock, verdicts: Sequence[SubmitVerdict]) -> Outcome:
    judgements = {verdict.judgement for verdict in verdicts}
    if Judgement.ACCEPTED in judgements:
        return Outcome.ACCEPTED
    if Judgement.SIDE_BRANCH in judgements:
        return Outcome.SIDE_BRANCH
    refusals = [verdict.text for verdict in verdicts if verdict.judgement is not Judgement.SILENT]
    is_expected = all(any(word in text for word in TIME_EDGE_REFUSALS) for text in refusals)
    return Outcome.NOT_COUNTED if found.crosses_time_edge and is_expected else Outcome.REFUSED


def by_node(verdicts: Sequence[SubmitVerdict]) -> dict[str, str]:
    """Each node's word by its name."""
    return {verdict.node: verdict.text for verdict in verdicts}


def told(verdicts: Sequence[SubmitVerdict]) -> str:
    return "; ".join(f"node {verdict.node}: {verdict.text}" for verdict in verdicts)


class Difficulties(msgspec.Struct, frozen=True):
    """Of the block's own hash, and the one it had to reach; in stratum's units of the coin."""

    of_hash: float
    of_network: float | None  # a file of schema 1 does not say it


def difficulties_of(saved: SavedBlock) -> Difficulties:
    """What a person reads of a block: the first is as lucky as it is above the second."""
    found = saved.found
    proof_of_work = network(*found.network.split(" ")).proof_of_work
    value = int.from_bytes(proof_of_work.hash(bytes.fromhex(saved.block[: 2 * HEADER_BYTES])), "little")
    target = int(found.network_target_hex, 16) if found.network_target_hex else 0
    return Difficulties(
        difficulty_from_target(max(1, value), proof_of_work.difficulty_1),
        difficulty_from_target(target, proof_of_work.difficulty_1) if target else None,
    )
