"""Templates from several nodes: signals, refresh, choice, failover and back; against servers at the wire."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pool.node.endpoint import NodeEndpoint
from pool.node.nodes import Nodes
from pool.node.signals import NotifySocketError
from pool.node.verdicts import Judgement
from stratum.work.coin import network
from tests.harness.scripted_node import Failure, Hang, Raw, ScriptedNode, tip_hash
from tests.pool.node.recording import Recording, eventually, running

UNUSED_ZMQ = "tcp://127.0.0.1:9"  # nobody publishes there: with it polling goes down to once a second


@pytest.fixture
async def first() -> AsyncIterator[ScriptedNode]:
    async with ScriptedNode("first") as node:
        node.stand_at(tip_hash(100), height=100, chainwork=1000)
        yield node


@pytest.fixture
async def second() -> AsyncIterator[ScriptedNode]:
    async with ScriptedNode("second") as node:
        node.stand_at(tip_hash(100), height=100, chainwork=1000)
        yield node


def nodes_of(
    recording: Recording,
    *nodes: ScriptedNode,
    refresh_seconds: float = 60.0,
    notify_socket: Path | None = None,
    longpoll: bool = False,
    zmq: bool = False,
) -> Nodes:
    endpoints = [
        node.endpoint(longpoll=longpoll, zmq_hashblock=UNUSED_ZMQ if zmq else None) for node in nodes
    ]
    return nodes_at(recording, endpoints, refresh_seconds, notify_socket)


def nodes_at(
    recording: Recording,
    endpoints: list[NodeEndpoint],
    refresh_seconds: float = 60.0,
    notify_socket: Path | None = None,
) -> Nodes:
    return Nodes(
        endpoints,
        network("bitcoin", "regtest"),
        template_refresh_seconds=refresh_seconds,
        trust_stricter_target=False,
        notify_socket=notify_socket,
        listener=recording,
    )


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "engineroom.node"]


async def test_the_first_template_is_published_with_its_node_and_time(first: ScriptedNode) -> None:
    recording = Recording()
    before = asyncio.get_running_loop().time()
    async with running(nodes_of(recording, first)):
        await recording.until_tip(tip_hash(100))
    template, node_name, received_at = recording.templates[0]
    assert (template.height, node_name) == (101, "first")
    assert before < received_at < asyncio.get_running_loop().time()
    assert recording.events == ["template first"]


async def test_polling_alone_finds_a_new_tip(first: ScriptedNode) -> None:
    recording = Recording()
    async with running(nodes_of(recording, first)):
        await recording.until_tip(tip_hash(100))
        first.stand_at(tip_hash(101), height=101, chainwork=1002)
        await recording.until_tip(tip_hash(101))


async def test_a_sibling_of_the_same_height_is_a_new_tip(first: ScriptedNode) -> None:
    recording = Recording()
    async with running(nodes_of(recording, first)):
        await recording.until_tip(tip_hash(100))
        first.stand_at(tip_hash(999), height=100, chainwork=1000)
        await recording.until_tip(tip_hash(999))


async def test_a_shorter_chain_is_a_new_tip_when_the_node_says_so(first: ScriptedNode) -> None:
    recording = Recording()
    async with running(nodes_of(recording, first)):
        await recording.until_tip(tip_hash(100))
        first.stand_at(tip_hash(3), height=3, chainwork=30)  # started again after a kill, its chain not saved
        await recording.until_tip(tip_hash(3))


async def test_an_unchanged_tip_is_fetched_again_at_the_refresh_time_only(first: ScriptedNode) -> None:
    recording = Recording()
    async with running(nodes_of(recording, first, refresh_seconds=0.5)):
        await recording.until(lambda: len(recording.templates) == 3)
    times = [received_at for _, _, received_at in recording.templates]
    assert times[1] - times[0] >= 0.5
    assert times[2] - times[1] >= 0.5


async def test_a_datagram_brings_the_look_forward(first: ScriptedNode, tmp_path: Path) -> None:
    path = tmp_path / "notify.sock"
    recording = Recording()
    async with running(nodes_of(recording, first, notify_socket=path, zmq=True)):
        await recording.until_tip(tip_hash(100))
        async with asyncio.timeout(5):
            await first.asked("getbestblockhash")  # a poll has just been; the next is a second away
        first.stand_at(tip_hash(101), height=101, chainwork=1002)
        sent_at = asyncio.get_running_loop().time()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", str(path))
        await recording.until_tip(tip_hash(101))
    assert recording.templates[-1][2] - sent_at < 0.8


async def test_a_block_of_our_own_brings_the_look_forward(first: ScriptedNode) -> None:
    recording = Recording()
    nodes = nodes_of(recording, first, zmq=True)
    async with running(nodes):
        await recording.until_tip(tip_hash(100))
        async with asyncio.timeout(5):
            await first.asked("getbestblockhash")

        def accept(_block_hex: str) -> None:
            first.stand_at(tip_hash(101), height=101, chainwork=1002)

        first.answers["submitblock"] = accept
        submitted_at = asyncio.get_running_loop().time()
        (verdict,) = await nodes.submit_block("00" * 81)
        assert verdict.judgement is Judgement.ACCEPTED
        await recording.until_tip(tip_hash(101))
    assert recording.templates[-1][2] - submitted_at < 0.8


async def test_a_notify_socket_that_cannot_be_had_is_said_before_anything_else(first: ScriptedNode) -> None:
    nodes = nodes_of(Recording(), first, notify_socket=Path("/nonexistent/notify.sock"))
    with pytest.raises(NotifySocketError, match=r"/nonexistent/notify\.sock"):
        await nodes.run()
    await nodes.close()
    assert not first.requests


def healthy(caplog: pytest.LogCaptureFixture) -> set[str]:
    """The nodes that were called healthy so far."""
    return {line.split()[1] for line in messages(caplog) if " is healthy, " in line}


async def test_a_node_with_more_work_supplies_at_once_and_keeps_when_the_other_is_level(
    first: ScriptedNode, second: ScriptedNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    recording = Recording()
    async with running(nodes_of(recording, first, second)):
        await recording.until(lambda: recording.source is not None and len(healthy(caplog)) == 2)
        source = recording.source
        other = second if source == "first" else first
        other.stand_at(tip_hash(101), height=101, chainwork=1002)
        await recording.until_tip(tip_hash(101))
        assert recording.source == other.name
        for node in (first, second):
            node.stand_at(tip_hash(101), height=101, chainwork=1002)
            await _looked_at(node)
        assert recording.source == other.name


async def test_failover_and_back_when_the_nodes_fail_in_turn(
    first: ScriptedNode, second: ScriptedNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    recording = Recording()
    async with running(nodes_of(recording, first, second)):
        await recording.until(lambda: recording.source is not None and len(healthy(caplog)) == 2)
        source, other = (first, second) if recording.source == "first" else (second, first)
        await source.stop()
        await recording.until(lambda: recording.source == other.name)
        await source.start()
        await _looked_at(source)
        await _looked_at(source)
        assert recording.source == other.name  # equal work keeps the current one
        await other.stop()
        await recording.until(lambda: recording.source == source.name)
    assert "lost" not in recording.events
    lines = messages(caplog)
    for expected in (
        f"work comes from node {other.name} now, no longer from {source.name}",
        f"work comes from node {source.name} now, no longer from {other.name}",
    ):
        assert lines.count(expected) == 1
    assert sum(line.startswith(f"node {source.name} cannot connect") for line in lines) == 1


async def test_all_lost_is_told_once_and_back_once(
    first: ScriptedNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    recording = Recording()
    async with running(nodes_of(recording, first)):
        await recording.until_tip(tip_hash(100))
        await first.stop()
        await recording.until(lambda: "lost" in recording.events)
        await first.start()
        await recording.until(lambda: recording.events[-1] == "template first" and len(recording.events) == 4)
    assert recording.events == ["template first", "lost", "back first", "template first"]
    assert "is the node running" in recording.reasons[0]
    assert (
        sum("cannot connect" in line for line in messages(caplog)) == 2
    )  # the node's own line, and "no node"


async def test_a_node_that_is_down_at_the_start_is_waited_for(first: ScriptedNode) -> None:
    await first.stop()
    recording = Recording()
    async with running(nodes_of(recording, first)):
        await recording.until(lambda: recording.events == ["lost"])
        await first.start()
        await recording.until_tip(tip_hash(100))
    assert recording.events == ["lost", "back first", "template first"]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"getblocktemplate": Failure(-9, "Litecoin Core is not connected!")}, "addnode="),
        ({"getblocktemplate": Failure(-10, "is in initial sync")}, "wait for its end"),
        ({"getblockchaininfo": Failure(-28, "Loading block index...")}, "it is starting"),
        ({"getblocktemplate": Raw(503, b"Work queue depth exceeded")}, "rpcworkqueue"),
        ({"getbestblockhash": Raw(200, b"garbage")}, "check that the url"),
        ({"getblocktemplate": {"nothing": "useful"}}, "cannot be mined"),
        ({"getblockchaininfo": {"chain": "regtest"}}, "something unexpected"),
    ],
)
async def test_every_trouble_has_its_sentence_and_none_ends_the_watch(
    first: ScriptedNode, answers: dict[str, object], words: str
) -> None:
    good = dict(first.answers)
    first.answers |= answers
    recording = Recording()
    async with running(nodes_of(recording, first)):
        await recording.until(lambda: recording.events == ["lost"])
        assert words in recording.reasons[0]
        first.answers |= good
        await recording.until_tip(tip_hash(100))


async def test_a_node_of_another_chain_is_called_that_and_not_asked_for_work(first: ScriptedNode) -> None:
    first.stand_at(tip_hash(100), height=100, chainwork=1000, chain="main")
    recording = Recording()
    nodes = nodes_of(recording, first)
    async with running(nodes):
        await recording.until(lambda: recording.events == ["lost"])
    assert "is on chain 'main', and the settings say bitcoin regtest ('regtest')" in recording.reasons[0]
    assert first.requests["getblocktemplate"] == 0


async def test_an_unknown_mandatory_rule_stops_the_mining_on_that_node(
    first: ScriptedNode, caplog: pytest.LogCaptureFixture
) -> None:
    recording = Recording()
    async with running(nodes_of(recording, first)):
        await recording.until_tip(tip_hash(100))
        first.stand_at(tip_hash(101), height=101, chainwork=1002, rules=["csv", "!segwit", "!quantum"])
        await recording.until(lambda: recording.events[-1] == "lost")
        assert "quantum" in recording.reasons[0]
        assert "upgrade engineroom" in recording.reasons[0]
        await first.stop()  # another trouble on top does not bring the old template back
        await eventually(lambda: "node first cannot connect" in "; ".join(messages(caplog)))
        first.stand_at(tip_hash(101), height=101, chainwork=1002)
        await first.start()
        await recording.until_tip(tip_hash(101))
    assert recording.events == ["template first", "lost", "back first", "template first"]


async def test_a_hanging_node_does_not_hold_up_the_other(first: ScriptedNode, second: ScriptedNode) -> None:
    for method in ("getbestblockhash", "getblocktemplate", "getblockchaininfo"):
        first.answers[method] = Hang()
    recording = Recording()
    async with running(nodes_of(recording, first, second)):
        await recording.until_tip(tip_hash(100))
        second.stand_at(tip_hash(101), height=101, chainwork=1002)
        await recording.until_tip(tip_hash(101))
    assert recording.source == "second"


async def test_a_tip_that_moves_between_the_answers_is_asked_for_again(first: ScriptedNode) -> None:
    """The template is still of the old tip, the chain's state of the new one: they do not belong together."""
    old = first.answers["getblocktemplate"]

    def moving(_request: object) -> object:
        first.stand_at(tip_hash(101), height=101, chainwork=1002)
        return old

    recording = Recording()
    first.answers["getblocktemplate"] = moving
    first.answers["getblockchaininfo"] |= {"bestblockhash": tip_hash(101), "blocks": 101, "headers": 101}
    async with running(nodes_of(recording, first)):
        await recording.until(lambda: bool(recording.templates))
    assert recording.tip == tip_hash(101)


async def test_one_longpoll_hangs_at_most_and_its_answer_is_a_hint(first: ScriptedNode) -> None:
    template = first.answers["getblocktemplate"]
    pending = 0
    most_pending = 0
    release = asyncio.Event()

    async def hold(request: dict[str, object]) -> object:
        nonlocal pending, most_pending
        if "longpollid" not in request:
            return first.answers["plain"]
        pending += 1
        most_pending = max(most_pending, pending)
        await release.wait()
        pending -= 1
        return template

    first.answers["plain"] = template
    first.answers["getblocktemplate"] = hold
    recording = Recording()
    async with running(nodes_of(recording, first, longpoll=True, zmq=True)):
        await recording.until(lambda: pending == 1)
        first.stand_at(tip_hash(101), height=101, chainwork=1002)
        first.answers["plain"] = first.answers["getblocktemplate"]
        first.answers["getblocktemplate"] = hold
        release.set()
        await recording.until_tip(tip_hash(101))
    assert most_pending == 1


async def test_longpolls_that_are_answered_at_once_are_not_repeated_at_once(first: ScriptedNode) -> None:
    """A freshly started node does that until its first new tip: 500 answers in two seconds were measured."""
    longpolls = 0

    template = first.answers["getblocktemplate"]

    def count(request: dict[str, object]) -> object:
        nonlocal longpolls
        longpolls += "longpollid" in request
        return template

    first.answers["getblocktemplate"] = count
    recording = Recording()
    async with running(nodes_of(recording, first, longpoll=True, refresh_seconds=0.5)):
        await recording.until(lambda: len(recording.templates) == 4)  # 1.5 s
    assert longpolls == 1


async def _looked_at(node: ScriptedNode) -> None:
    """Returns when a look that began after the call has been answered and thought about."""
    async with asyncio.timeout(30):
        for _ in range(3):
            await node.asked("getbestblockhash")


async def test_an_answer_in_another_character_set_costs_nothing_but_that_answer(first: ScriptedNode) -> None:
    """Core passes paths of the file system on as they are; what a node says must never end the pool."""
    recording = Recording()
    body = b'{"result": null, "error": {"code": -1, "message": "disk of Jos\xe9 is full"}, "id": 1}'
    async with running(nodes_of(recording, first)):
        await recording.until(lambda: bool(recording.templates))
        sound = dict(first.answers)
        first.answers.update({method: Raw(500, body) for method in sound})
        asked = first.requests["getblockchaininfo"]  # what a node in trouble is asked first
        await eventually(lambda: first.requests["getblockchaininfo"] >= asked + 2)
        first.answers.update(sound)
        first.stand_at(tip_hash(101), height=101, chainwork=1010)
        await recording.until_tip(tip_hash(101))
