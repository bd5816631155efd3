"""Nodes against real ones on regtest: Litecoin Core, or Bitcoin Core where BITCOIND names it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pool.node.nodes import Nodes
from stratum.work.coin import network
from tests.harness.litecoind import RealNode, real_node
from tests.pool.node.recording import Recording, running


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[RealNode]:
    async with real_node(tmp_path) as started:
        yield started


def nodes_of(
    recording: Recording, *nodes: RealNode, notify_socket: Path | None = None, longpoll: bool = False
) -> Nodes:
    # With ZMQ polling goes down to once a second; litecoind has none and stays silent there.
    return Nodes(
        [each.endpoint(zmq=notify_socket is not None or longpoll, longpoll=longpoll) for each in nodes],
        network(nodes[0].coin, "regtest"),
        template_refresh_seconds=20,
        trust_stricter_target=False,
        notify_socket=notify_socket,
        listener=recording,
    )


async def test_templates_follow_the_nodes_tip_and_mempool(node: RealNode) -> None:
    recording = Recording()
    await node.mine(101)
    txid = await node.send("1.5")
    async with running(nodes_of(recording, node)):
        await recording.until(lambda: bool(recording.templates))
        template = recording.templates[0][0]
        assert template.height == 102
        assert [transaction.txid[::-1].hex() for transaction in template.transactions] == [txid]
        (new_tip,) = await node.mine(1)
        await recording.until_tip(new_tip)
        assert recording.templates[-1][0].transactions == ()


async def test_a_refreshed_template_shares_the_transactions_that_it_has_in_common(node: RealNode) -> None:
    """Jobs keep templates for twenty minutes: sixty copies of a mempool would be hundreds of megabytes."""
    recording = Recording()
    await node.mine(102)
    first = await node.send("1")
    nodes = Nodes(
        [node.endpoint()],
        network(node.coin, "regtest"),
        template_refresh_seconds=1,
        trust_stricter_target=False,
        notify_socket=None,
        listener=recording,
    )
    async with running(nodes):
        await recording.until(lambda: bool(recording.templates))
        second = await node.send("2")
        await recording.until(lambda: len(recording.templates[-1][0].transactions) == 2)
    before = {entry.txid[::-1].hex(): entry for entry in recording.templates[0][0].transactions}
    after = {entry.txid[::-1].hex(): entry for entry in recording.templates[-1][0].transactions}
    assert set(after) == {first, second}
    assert after[first] is before[first]


async def test_blocknotify_reaches_the_pool_through_the_command(tmp_path: Path) -> None:
    """Polling is down to once a second here, and the new tip must be there well before."""
    path = tmp_path / "notify.sock"
    recording = Recording()
    async with real_node(tmp_path, blocknotify=f"{sys.executable} -m pool.notify {path} %s") as node:
        address = await node.address()
        async with running(nodes_of(recording, node, notify_socket=path)):
            await recording.until(lambda: bool(recording.templates))
            for _ in range(3):
                (tip,) = await node.mine(1, address)
                mined_at = asyncio.get_running_loop().time()
                await recording.until_tip(tip)
                assert recording.templates[-1][2] - mined_at < 0.8


async def test_a_longpoll_brings_the_new_tip(node: RealNode) -> None:
    recording = Recording()
    address = await node.address()
    await node.mine(1, address)  # before its first new tip a node answers long-polls at once
    async with running(nodes_of(recording, node, longpoll=True)):
        await recording.until(lambda: bool(recording.templates))
        (tip,) = await node.mine(1, address)
        await recording.until_tip(tip)


async def test_a_sibling_of_the_same_height_takes_over_and_back(node: RealNode) -> None:
    recording = Recording()
    await node.mine(2)
    async with running(nodes_of(recording, node)):
        (loser,) = await node.mine(1)
        await recording.until_tip(loser)
        await node.rpc("invalidateblock", loser)
        (winner,) = await node.mine(1)
        await recording.until_tip(winner)
        await node.rpc("reconsiderblock", loser)  # seen first: best again
        await recording.until_tip(loser)
        await node.rpc("preciousblock", winner)
        await recording.until_tip(winner)
    assert {template.height for template, _, _ in recording.templates[-3:]} == {4}


async def test_a_node_that_stops_and_starts_again_goes_on_supplying(node: RealNode) -> None:
    recording = Recording()
    await node.mine(3)
    async with running(nodes_of(recording, node)):
        await recording.until(lambda: bool(recording.templates))
        await node.stop()
        await recording.until(lambda: recording.events[-1] == "lost")
        await node.start()
        (tip,) = await node.mine(1)
        await recording.until_tip(tip)
    assert [event for event in recording.events if not event.startswith("template")] == ["lost", "back node"]


async def test_when_one_of_two_nodes_dies_the_other_supplies(tmp_path: Path) -> None:
    recording = Recording()
    async with real_node(tmp_path, name="a") as a, real_node(tmp_path, name="b") as b:
        await a.mine(3)  # each mines a chain of its own: these two are not connected
        nodes = nodes_of(recording, a, b)
        async with running(nodes):
            await recording.until(lambda: recording.source == "a")
            await a.kill()
            await recording.until(lambda: recording.source == "b")
            (tip,) = await b.mine(1)
            await recording.until_tip(tip)
            await a.start()
            await a.mine(3)
            await recording.until(lambda: recording.source == "a")  # more work
    assert "lost" not in recording.events
