"""What a node's answer to submitblock means, and asking several at once; against servers at the wire."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pool.node.nodes import Nodes
from pool.node.rpc import NodeRpc
from pool.node.verdicts import Judgement, SubmitVerdict, submit_to
from stratum.work.coin import network
from tests.harness.scripted_node import Failure, Hang, Raw, ScriptedNode
from tests.pool.node.recording import Recording

BLOCK_HEX = "00" * 81
OUR_TIP = "11" * 32
BLOCK_HASH_HEX = "14508459b221041eab257d2baaa7459775ba748246c8403609eb708f0e57e74b"
# sha256d of 80 zero bytes, byte-reversed; from `head -c80 /dev/zero | sha256sum | xxd -r -p | sha256sum`,
# which prints 4be7570e8f70eb093640c8468274ba759745a7aa2b7d25ab1e0421b259845014


@pytest.fixture
async def node() -> AsyncIterator[ScriptedNode]:
    async with ScriptedNode("a") as scripted:
        yield scripted


async def verdict_of(node: ScriptedNode) -> SubmitVerdict:
    rpc = NodeRpc(node.endpoint())
    try:
        return await submit_to(rpc, "a", BLOCK_HEX, BLOCK_HASH_HEX, is_ours=lambda tip: tip == OUR_TIP)
    finally:
        await rpc.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, (Judgement.ACCEPTED, "accepted")),
        ("high-hash", (Judgement.REFUSED, "high-hash")),
        ("duplicate-invalid", (Judgement.REFUSED, "duplicate-invalid")),
        ("prev-blk-not-found", (Judgement.NOT_YET, "prev-blk-not-found")),
        ("bad-prevblk", (Judgement.REFUSED, "bad-prevblk")),  # it knows the parent, and that it is invalid
        (Failure(-22, "Block decode failed"), (Judgement.REFUSED, "Block decode failed (code -22)")),
        ({"rejected": "somehow"}, (Judgement.REFUSED, '{"rejected":"somehow"}')),
        (
            Failure(-28, "Loading block index..."),
            (Judgement.SILENT, "Loading block index... (code -28)"),
        ),
    ],
)
async def test_answers_and_their_verdicts(
    node: ScriptedNode, answer: Any, expected: tuple[Judgement, str]
) -> None:
    node.answers["submitblock"] = answer
    assert await verdict_of(node) == SubmitVerdict("a", *expected)


LATIN_1 = b'{"result": null, "error": {"code": -1, "message": "disk of Jos\xe9 is full"}, "id": 1}'


@pytest.mark.parametrize(
    "answer", [Raw(503, b"Work queue depth exceeded"), Raw(200, b"garbage"), Raw(500, LATIN_1)]
)
async def test_no_answer_is_no_verdict(node: ScriptedNode, answer: Raw) -> None:
    node.answers["submitblock"] = answer
    assert (await verdict_of(node)).judgement is Judgement.SILENT


@pytest.mark.parametrize("answer", ["inconclusive", "duplicate-inconclusive", "duplicate"])
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"confirmations": 1}, (Judgement.ACCEPTED, "on the active chain")),
        ({"confirmations": -1}, (Judgement.SIDE_BRANCH, "on a side branch")),
        (Failure(-5, "Block not found"), (Judgement.NOT_YET, "the node does not know the block")),
        (Raw(503, b""), (Judgement.SILENT, "busy")),
    ],
)
async def test_an_answer_that_does_not_say_where_the_block_is_is_looked_up_by_hash(
    node: ScriptedNode, answer: str, header: Any, expected: tuple[Judgement, str]
) -> None:
    node.answers |= {
        "submitblock": answer,
        "getblockheader": lambda h: header if h == BLOCK_HASH_HEX else None,
    }
    verdict = await verdict_of(node)
    assert verdict.judgement is expected[0]
    assert expected[1] in verdict.text


async def test_in_a_tie_the_node_is_asked_to_work_on_our_block(node: ScriptedNode) -> None:
    preferred: list[str] = []
    node.answers |= {
        "submitblock": "inconclusive",
        "getbestblockhash": "22" * 32,
        "preciousblock": preferred.append,
        "getblockheader": lambda _: {"confirmations": 1 if preferred else -1},
    }
    verdict = await verdict_of(node)
    assert preferred == [BLOCK_HASH_HEX]
    assert verdict == SubmitVerdict("a", Judgement.ACCEPTED, "inconclusive: on the active chain")


async def test_a_tie_between_two_blocks_of_ours_is_left_alone(node: ScriptedNode) -> None:
    preferred: list[str] = []
    node.answers |= {
        "submitblock": "inconclusive",
        "getbestblockhash": OUR_TIP,
        "preciousblock": preferred.append,
        "getblockheader": {"confirmations": -1},
    }
    expected = SubmitVerdict("a", Judgement.SIDE_BRANCH, "inconclusive: on a side branch")
    assert await verdict_of(node) == expected
    assert preferred == []


async def test_a_closed_node_is_no_verdict_and_says_why(node: ScriptedNode) -> None:
    await node.stop()
    verdict = await verdict_of(node)
    assert verdict.judgement is Judgement.SILENT
    assert "cannot connect" in verdict.text


def nodes_of(*scripted: ScriptedNode) -> Nodes:
    return Nodes(
        [node.endpoint() for node in scripted],
        network("bitcoin", "regtest"),
        template_refresh_seconds=60,
        trust_stricter_target=False,
        notify_socket=None,
        listener=Recording(),
    )


async def test_a_block_goes_to_every_node_and_each_has_its_own_verdict() -> None:
    async with ScriptedNode("a") as a, ScriptedNode("b") as b, ScriptedNode("c") as c:
        a.answers["submitblock"], b.answers["submitblock"] = "prev-blk-not-found", None
        nodes = nodes_of(a, b, c)
        await c.stop()
        verdicts = await nodes.submit_block(BLOCK_HEX)
        await nodes.close()
    assert [(verdict.node, verdict.judgement) for verdict in verdicts] == [
        ("a", Judgement.NOT_YET),
        ("b", Judgement.ACCEPTED),
        ("c", Judgement.SILENT),
    ]


async def test_a_hanging_node_is_not_waited_for_once_another_has_accepted() -> None:
    async with ScriptedNode("a") as a, ScriptedNode("b") as b:
        a.answers["submitblock"], b.answers["submitblock"] = Hang(), None
        nodes = nodes_of(a, b)
        asked = asyncio.create_task(a.asked("submitblock"))
        async with asyncio.timeout(10):  # a submission's own time limit is 60 s
            verdicts = await nodes.submit_block(BLOCK_HEX)
            await asked
        await nodes.close()
    assert [verdict.judgement for verdict in verdicts] == [Judgement.SILENT, Judgement.ACCEPTED]
    assert verdicts[0].text == "has not answered yet"


async def test_a_verdict_that_is_no_text_is_shown_as_far_as_it_goes(node: ScriptedNode) -> None:
    node.answers["submitblock"] = Raw(200, b'{"result": "bad \xe9", "error": null, "id": 1}')
    assert await verdict_of(node) == SubmitVerdict("a", Judgement.REFUSED, '"bad \ufffd"')
