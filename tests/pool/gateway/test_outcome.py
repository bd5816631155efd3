"""When verdicts are final, and what they make of a block: tables."""

import pytest

from pool.gateway.block_files import FoundBlock
from pool.gateway.outcome import Outcome, described, is_settled, outcome_of
from pool.node.verdicts import Judgement, SubmitVerdict

YES, SIDE, NO, NOT_YET, SILENT = (
    SubmitVerdict("a", Judgement.ACCEPTED, "accepted"),
    SubmitVerdict("b", Judgement.SIDE_BRANCH, "inconclusive: on a side branch"),
    SubmitVerdict("c", Judgement.REFUSED, "bad-cb-amount"),
    SubmitVerdict("d", Judgement.NOT_YET, "prev-blk-not-found"),
    SubmitVerdict("e", Judgement.SILENT, "cannot connect"),
)


def found(*, crosses_time_edge: bool = False, user: str = "alice.rig") -> FoundBlock:
    return FoundBlock(
        network="bitcoin regtest",
        block_hash="ab" * 32,
        height=101,
        reward_sats=5_000_000_000,
        transactions=1,
        job_id="0a1b",
        user=user,
        account="alice",
        worker="rig",
        found_at=1_700_000_000.25,
        crosses_time_edge=crosses_time_edge,
    )


@pytest.mark.parametrize(
    ("verdicts", "answered_seconds", "expected"),
    [
        ((YES,), 0, True),
        ((NO,), 0, True),
        ((SIDE,), 0, True),
        ((SILENT,), 0, False),
        ((SILENT,), 1e9, False),  # nobody has said a word: never given up
        ((NOT_YET,), 599, False),  # the only node is behind, perhaps for the moment
        ((NOT_YET,), 600, True),
        ((YES, SILENT), 0, True),
        ((YES, NO), 0, True),
        ((YES, NOT_YET), 0, True),
        ((NO, SILENT), 599, False),  # the other one may think otherwise
        ((NO, SILENT), 600, True),
        ((NO, NOT_YET), 599, False),
        ((SIDE, SILENT), 599, False),  # the other one may have it on its best chain
        ((SIDE, SILENT), 600, True),
        ((NO, NO), 0, True),
        ((SIDE, NO), 0, True),
    ],
)
def test_when_verdicts_are_final(
    verdicts: tuple[SubmitVerdict, ...], answered_seconds: float, expected: bool
) -> None:
    assert is_settled(verdicts, answered_seconds) is expected


@pytest.mark.parametrize(
    ("crosses_time_edge", "texts", "expected"),
    [
        (False, ["time-too-new"], Outcome.REFUSED),
        (True, ["time-too-new"], Outcome.NOT_COUNTED),
        (True, ["time-too-old", "bad-diffbits"], Outcome.NOT_COUNTED),
        (True, ["high-hash"], Outcome.NOT_COUNTED),
        (True, ["high-hash", "bad-cb-amount"], Outcome.REFUSED),
        (True, ["bad-cb-amount"], Outcome.REFUSED),
    ],
)
def test_refusals_over_the_time_edge_are_not_counted(
    crosses_time_edge: bool, texts: list[str], expected: Outcome
) -> None:
    verdicts = [SubmitVerdict("a", Judgement.REFUSED, text) for text in texts]
    assert outcome_of(found(crosses_time_edge=crosses_time_edge), verdicts) is expected


def test_one_acceptance_outweighs_refusals() -> None:
    assert outcome_of(found(), [NO, YES, SIDE, SILENT]) is Outcome.ACCEPTED


def test_a_block_that_nodes_have_on_a_side_branch_only_is_neither_accepted_nor_refused() -> None:
    assert outcome_of(found(), [NO, SIDE, SILENT]) is Outcome.SIDE_BRANCH
    assert outcome_of(found(crosses_time_edge=True), [SIDE]) is Outcome.SIDE_BRANCH


def test_a_refusal_that_did_not_pass_in_time_is_one() -> None:
    assert outcome_of(found(), [NOT_YET]) is Outcome.REFUSED
    assert outcome_of(found(crosses_time_edge=True), [NOT_YET]) is Outcome.REFUSED  # not for its time


def test_a_user_name_cannot_break_the_log_line() -> None:
    line = described(found(user="a\nblock accepted\x1b[2J"))
    assert "\n" not in line
    assert "\x1b" not in line
    # 1,700,000,000 s after 1970 is 2023-11-14 22:13:20 UTC
    assert "found at 2023-11-14T22:13:20.250+00:00" in line
