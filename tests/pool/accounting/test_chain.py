"""The accountant's eye on the chain: one healthy node is believed, and an error is no answer."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from payouts.maturity import Header, NoAnswer, Unknown
from pool.accounting.chain import best_node, sight_of
from pool.node.rpc import NodeRpc
from stratum.work.coin import network
from tests.harness.scripted_node import Failure, Raw, ScriptedNode, tip_hash
from tests.pool.accounting.chain_node import REGTEST, ChainNode

BLOCK = "ab" * 32


@asynccontextmanager
async def rpcs(*nodes: ScriptedNode) -> AsyncIterator[list[tuple[str, NodeRpc]]]:
    """All of them started, and a connection to each."""
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for node in nodes:
            await stack.enter_async_context(node)
            rpc = NodeRpc(node.endpoint())
            stack.push_async_callback(rpc.close)
            found.append((node.name, rpc))
        yield found


async def chosen(nodes: Sequence[tuple[str, NodeRpc]]) -> str | None:
    found = await best_node(nodes, REGTEST)
    return None if found is None else found.name


async def test_the_node_with_the_most_work_is_asked_and_the_first_of_equals() -> None:
    one, two, three = (ChainNode(name) for name in ("one", "two", "three"))
    async with rpcs(one, two, three) as nodes:
        assert await chosen(nodes) == "one"
        two.grow(1)
        three.grow(1)
        assert await chosen(nodes) == "two"


@pytest.mark.parametrize(
    "trouble", ["gone", "warming up", "headers ahead", "another chain", "garbage", "another login"]
)
async def test_a_node_that_is_not_healthy_is_not_asked(trouble: str) -> None:
    sick, well = ChainNode("sick", height=2_000), ChainNode("well")
    async with rpcs(sick, well) as nodes:
        info = sick.answers["getblockchaininfo"]
        if trouble == "gone":
            await sick.stop()
        elif trouble == "warming up":
            sick.answers["getblockchaininfo"] = Failure(-28, "Loading block index")
        elif trouble == "headers ahead":
            sick.answers["getblockchaininfo"] = info | {"headers": 2_002}
        elif trouble == "another chain":
            sick.answers["getblockchaininfo"] = info | {"chain": "test"}
        elif trouble == "garbage":
            sick.answers["getblockchaininfo"] = Raw(200, b"<html>")
        else:
            sick.password = "another"
        assert await chosen(nodes) == "well"
        await well.stop()
        assert await chosen(nodes) is None


async def test_one_header_that_is_not_connected_yet_is_no_sickness() -> None:
    node = ChainNode()
    node.answers["getblockchaininfo"] |= {"headers": node.height + 1}
    async with rpcs(node) as nodes:
        assert await chosen(nodes) == "scripted"


async def test_a_node_in_its_first_download_is_not_asked_but_on_regtest() -> None:
    node = ChainNode()
    node.answers["getblockchaininfo"] |= {"initialblockdownload": True}
    async with rpcs(node) as nodes:
        assert await chosen(nodes) == "scripted"
        node.answers["getblockchaininfo"] |= {"chain": "main"}
        assert await best_node(nodes, network("bitcoin", "mainnet")) is None
        node.answers["getblockchaininfo"] |= {"initialblockdownload": False}
        assert await best_node(nodes, network("bitcoin", "mainnet")) is not None


async def test_a_block_is_seen_by_its_header() -> None:
    node = ChainNode()
    async with rpcs(node) as [(_, rpc)]:
        node.put(BLOCK, 991)
        found = await sight_of(await node.chosen(rpc), BLOCK, 991)
        assert (found.shown, found.healthy, found.tip_height) == (Header(10), True, 1_000)
        node.displace(BLOCK)
        assert (await sight_of(await node.chosen(rpc), BLOCK, 991)).shown == Header(-1)


async def test_the_evidence_for_an_unknown_block_is_the_one_in_its_place() -> None:
    node = ChainNode()
    async with rpcs(node) as [(_, rpc)]:
        best = await node.chosen(rpc)
        assert (await sight_of(best, BLOCK, 991)).shown == Unknown(tip_hash(991))
        assert (await sight_of(best, BLOCK, 1_001)).shown == Unknown(None)  # nothing is there yet


@pytest.mark.parametrize(
    "answer",
    [
        Failure(-28, "Loading block index"),
        Failure(-1, "any other error"),
        Failure(-32601, "Method not found"),
        Raw(503, b"Work queue depth exceeded"),
        Raw(200, b"<html>"),
        {"confirmations": "many"},
        None,
    ],
)
async def test_anything_else_is_no_answer(answer: Any) -> None:
    node = ChainNode()
    async with rpcs(node) as [(_, rpc)]:
        best = await node.chosen(rpc)
        node.answers["getblockheader"] = answer
        assert (await sight_of(best, BLOCK, 991)).shown == NoAnswer()


@pytest.mark.parametrize("answer", [Failure(-1, "any error"), Raw(500, b""), 5])
async def test_an_unknown_block_without_evidence_is_no_answer(answer: Any) -> None:
    node = ChainNode()
    async with rpcs(node) as [(_, rpc)]:
        best = await node.chosen(rpc)
        node.answers["getblockhash"] = answer
        assert (await sight_of(best, BLOCK, 991)).shown == NoAnswer()


async def test_a_node_that_has_gone_since_is_no_answer() -> None:
    node = ChainNode()
    async with rpcs(node) as [(_, rpc)]:
        best = await node.chosen(rpc)
        await node.stop()
        assert (await sight_of(best, BLOCK, 991)).shown == NoAnswer()
