"""Blocks that we found, taken by real nodes: from the template over the candidate to the tip."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from pool.gateway.block_files import FoundBlock
from pool.gateway.outcome import Outcome
from pool.gateway.submission import Submitter
from pool.node.nodes import Nodes
from pool.node.verdicts import Judgement, SubmitVerdict
from stratum.work.coin import network
from tests.harness.litecoind import Litecoind, RealNode, real_node
from tests.harness.mining import block_hex, find_block, hash_hex
from tests.pool.node.recording import Recording, eventually, running


class Outcomes:
    def __init__(self) -> None:
        self.settled: list[tuple[str, Outcome, str]] = []

    def block_settled(self, found: FoundBlock, outcome: Outcome, verdicts: Sequence[SubmitVerdict]) -> None:
        texts = ", ".join(verdict.text for verdict in verdicts)
        self.settled.append((found.block_hash, outcome, texts))


def nodes_of(recording: Recording, *nodes: RealNode) -> Nodes:
    return Nodes(
        [node.endpoint() for node in nodes],
        network(nodes[0].coin, "regtest"),
        template_refresh_seconds=20,
        trust_stricter_target=False,
        notify_socket=None,
        listener=recording,
    )


async def test_a_found_block_with_transactions_becomes_the_tip_and_new_work_comes(tmp_path: Path) -> None:
    recording, outcomes = Recording(), Outcomes()
    async with real_node(tmp_path) as node:
        await node.mine(101)
        txids = {await node.send("1"), await node.send("0.5", "legacy")}
        async with running(nodes_of(recording, node)) as nodes:
            submitter = Submitter(tmp_path, nodes, outcomes, network=f"{node.coin} regtest")
            await recording.until(lambda: bool(recording.templates))
            candidate = find_block(recording.templates[0][0], network(node.coin, "regtest"))
            submitter.hand_over(candidate)
            await recording.until_tip(hash_hex(candidate))
            await submitter.drain(5)
        block = await node.rpc("getblock", hash_hex(candidate))
        assert set(block["tx"][1:]) == txids
        assert block["confirmations"] == 1
    assert outcomes.settled == [(hash_hex(candidate), Outcome.ACCEPTED, "accepted")]


async def test_with_mweb_active_the_hogex_and_the_extension_block_are_carried(tmp_path: Path) -> None:
    recording = Recording()
    async with Litecoind(tmp_path, mweb=True) as node:
        await node.activate_mweb()
        await node.send("2", "mweb")
        txid = await node.send("1")
        async with running(nodes_of(recording, node)) as nodes:
            await recording.until(lambda: bool(recording.templates))
            candidate = find_block(recording.templates[0][0], network("litecoin", "regtest"))
            (verdict,) = await nodes.submit_block(block_hex(candidate))
            assert verdict.text == "accepted"
            await recording.until_tip(hash_hex(candidate))
        block = await node.rpc("getblock", hash_hex(candidate))
        assert txid in block["tx"]
        assert block["mweb"]["num_kernels"] > 0


async def test_in_a_tie_with_a_stranger_ours_becomes_the_tip_and_a_late_block_a_side_branch(
    tmp_path: Path,
) -> None:
    """Both answer "inconclusive"; only the one with as much work as the tip is worth working on."""
    side_branch = (Judgement.SIDE_BRANCH, "inconclusive: on a side branch")
    recording = Recording()
    async with real_node(tmp_path) as node:
        net = network(node.coin, "regtest")
        async with running(nodes_of(recording, node)) as nodes:
            await recording.until(lambda: bool(recording.templates))
            template = recording.templates[0][0]
            strangers, ours, sibling, late = (
                find_block(template, net, extranonce=number) for number in range(4)
            )
            assert await node.rpc("submitblock", block_hex(strangers)) is None
            (verdict,) = await nodes.submit_block(block_hex(ours))
            assert (verdict.judgement, verdict.text) == (
                Judgement.ACCEPTED,
                "inconclusive: on the active chain",
            )
            await recording.until_tip(hash_hex(ours))
            (verdict,) = await nodes.submit_block(block_hex(sibling))  # of ours: nothing to win by a switch
            assert (verdict.judgement, verdict.text) == side_branch
            (tip,) = await node.mine(1)
            await recording.until_tip(tip)
            (verdict,) = await nodes.submit_block(block_hex(late))
            assert (verdict.judgement, verdict.text) == side_branch
            (verdict,) = await nodes.submit_block(block_hex(ours))
            assert (verdict.judgement, verdict.text) == (Judgement.ACCEPTED, "duplicate: on the active chain")
            (verdict,) = await nodes.submit_block(block_hex(late))
            assert verdict.judgement is Judgement.SIDE_BRANCH, "sent again, it is no more than it was"
        assert await node.rpc("getbestblockhash") == tip


async def test_a_block_that_no_node_could_take_is_taken_when_the_node_is_back(tmp_path: Path) -> None:
    recording, outcomes = Recording(), Outcomes()
    async with real_node(tmp_path) as node:
        await node.mine(1)
        async with running(nodes_of(recording, node)) as nodes:
            submitter = Submitter(tmp_path, nodes, outcomes, network=f"{node.coin} regtest")
            await recording.until(lambda: bool(recording.templates))
            candidate = find_block(recording.templates[0][0], network(node.coin, "regtest"))
            await node.stop()
            submitter.hand_over(candidate)
            await eventually(lambda: len(list(tmp_path.glob("blocks/pending/*.json"))) == 1)
            await node.start()
            await recording.until_tip(hash_hex(candidate))
            await submitter.drain(5)
    assert [outcome for _, outcome, _ in outcomes.settled] == [Outcome.ACCEPTED]


async def test_two_nodes_both_take_the_block(tmp_path: Path) -> None:
    recording = Recording()
    async with real_node(tmp_path, name="a") as a, real_node(tmp_path, name="b") as b:
        async with running(nodes_of(recording, a, b)) as nodes:
            await recording.until(lambda: bool(recording.templates))  # both stand at the genesis block
            candidate = find_block(recording.templates[0][0], network(a.coin, "regtest"))
            verdicts = await nodes.submit_block(block_hex(candidate))
            assert [verdict.text for verdict in verdicts] == ["accepted", "accepted"]
            await recording.until_tip(hash_hex(candidate))
        tips = await asyncio.gather(a.rpc("getbestblockhash"), b.rpc("getbestblockhash"))
    assert set(tips) == {hash_hex(candidate)}
