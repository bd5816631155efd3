"""When verdicts are final, and what they make of a block: tables."""

import msgspec
import pytest

from pool.gateway.block_files import FoundBlock, SavedBlock
from pool.gateway.outcome import Outcome, difficulties_of, is_settled, outcome_of
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


# The genesis blocks' headers: bitcoin's (hash 000000000019d668…), litecoin's (scrypt hash 0000050c34a6…).
BITCOIN_GENESIS = (
    "01000000" + 64 * "0" + "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"
    "29ab5f49" + "ffff001d" + "1dac2b7c"
)
LITECOIN_GENESIS = (
    "01000000" + 64 * "0" + "d9ced4ed1130f7b7faad9be25323ffafa33232a17c3edf6cfd97bee6bafbdd97"
    "b9aa8e4e" + "f0ff0f1e" + "cd513f7c"
)


@pytest.mark.parametrize(
    ("network", "header_hex", "target_hex", "of_hash", "of_network"),
    [
        # as their first four bytes that differ: difficulty 1 ffff0000, the hash 0019d668.9c:
        # 4,294,901,760 / 1,693,288.61
        ("bitcoin mainnet", BITCOIN_GENESIS, "00000000ffff" + 52 * "0", 2536.43, 1.0),
        # scrypt's difficulty 1 is 0000ffff0000…, the hash 0000050c34a6…: 4,294,901,760 / 84,685,990;
        # bits 1e0ffff0 are the target 00000ffff000…: 0xffff0000 / 0x0ffff000 = 16
        ("litecoin mainnet", LITECOIN_GENESIS, "00000ffff0" + 54 * "0", 50.7156, 16.0),
        ("bitcoin mainnet", BITCOIN_GENESIS, "", 2536.43, None),
    ],
)
def test_a_blocks_difficulties_are_its_own_hashs_and_the_networks(
    network: str, header_hex: str, target_hex: str, of_hash: float, of_network: float | None
) -> None:
    block = msgspec.structs.replace(found(), network=network, network_target_hex=target_hex)
    worth = difficulties_of(SavedBlock(found=block, block=header_hex + "00"))
    assert worth.of_hash == pytest.approx(of_hash, rel=1e-5)
    assert worth.of_network == of_network
