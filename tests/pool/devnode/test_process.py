"""`engineroom devnode` as a process: its HTTP face, its signals, and starting and ending in all weathers."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import zmq
import zmq.asyncio

from pool.node.rpc import NodeError
from tests.harness.command import Ended, engineroom
from tests.harness.devnode import RunningDevnode
from tests.harness.litecoind import free_ports

WAIT_SECONDS = 20
SEGWIT = {"rules": ["segwit"]}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[RunningDevnode]:
    async with RunningDevnode(tmp_path) as started:
        yield started


async def post(
    node: RunningDevnode, body: bytes, login: tuple[str, str] | None = ("u", "p"), path: str = "/"
) -> tuple[int, Any]:
    """HTTP status and what the body says, as any client sees them."""
    headers = {} if login is None else {"Authorization": aiohttp.encode_basic_auth(*login)}
    url = f"http://127.0.0.1:{node.rpc_port}{path}"
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        text = await answer.read()
        return answer.status, await answer.json() if text else None


def assert_one_line(ended: Ended, *words: str, code: int) -> None:
    assert ended.code == code, ended
    assert ended.err.count("\n") == 1, ended.err
    assert ended.err.startswith("engineroom: ")
    for word in words:
        assert word in ended.err


# ---------------------------------------------------------------------------- HTTP and its logins


async def test_errors_have_cores_codes_and_http_statuses(node: RunningDevnode) -> None:
    # Bitcoin Core, rpc/protocol.h and httprpc.cpp
    status, answer = await post(node, b'{"method": "getblockcount"')
    assert (status, answer["error"]) == (500, {"code": -32700, "message": "Parse error"})

    status, answer = await post(node, b'{"id": 7, "method": "getblockcuont", "params": []}')
    assert (status, answer["id"], answer["result"]) == (404, 7, None)
    assert answer["error"] == {"code": -32601, "message": "Method not found"}

    named = b'{"method": "uptime", "params": {"a": 1}}'
    for no_call in (b"7", b'{"id": 1}', b'{"id": 1, "method": 5}', named):
        status, answer = await post(node, no_call)
        assert (status, answer["error"]["code"]) == (400, -32600), no_call

    status, answer = await post(node, b'{"id": 8, "method": "getblockhash", "params": [9]}')
    assert (status, answer["error"]) == (500, {"code": -8, "message": "Block height out of range"})

    status, answer = await post(node, b'{"id": "x", "method": "getblockcount"}')
    assert (status, answer) == (200, {"result": 0, "error": None, "id": "x"})


async def test_without_the_right_login_it_says_401_and_does_nothing(node: RunningDevnode) -> None:
    for login in (None, ("u", "wrong"), ("wrong", "p"), ("u", "p\xe9")):
        assert await post(node, b'{"id": 1, "method": "stop"}', login) == (401, None)
    assert await node.rpc("getblockcount") == 0


async def test_the_cookie_opens_is_private_and_goes_with_the_process(tmp_path: Path) -> None:
    async with RunningDevnode(tmp_path, has_password=False) as node:
        cookie = node.directory / ".cookie"
        assert cookie.stat().st_mode & 0o777 == 0o600
        user, _, secret = cookie.read_text().partition(":")
        assert user == "__cookie__"
        body = b'{"id": 1, "method": "getblockcount"}'
        assert await post(node, body, (user, secret)) == (200, {"result": 0, "error": None, "id": 1})
        assert await post(node, body, (user, secret[::-1])) == (401, None)
        assert await post(node, body, None) == (401, None)
        assert await node.stop() == 0
        assert not cookie.exists()
        await node.start()
        assert await post(node, body, (user, secret)) == (401, None)
        assert await node.rpc("getblockcount") == 0  # the new cookie


async def test_amounts_are_written_with_eight_decimals_and_read_exactly(node: RunningDevnode) -> None:
    """As a node's answers look on the wire: a float would have lost the last digits."""
    address = await node.rpc("getnewaddress")
    await node.mine(1, address)
    headers = {"Authorization": aiohttp.encode_basic_auth("u", "p")}
    url = f"http://127.0.0.1:{node.rpc_port}/wallet/"  # the nameless wallet by its address
    async with aiohttp.ClientSession() as session:
        body = b'{"id": 1, "method": "getbalances"}'
        async with session.post(url, data=body, headers=headers) as answer:
            assert b'"trusted":0.00000000' in await answer.read()
        async with session.post(url, data=b'{"method": "getmempoolinfo"}', headers=headers) as answer:
            assert b'"minrelaytxfee":0.00000100' in await answer.read()
        paid = f'[[{{"txid": "{"07" * 32}", "vout": 0}}], {{"{address}": 20999999.97690001}}]'.encode()
        body = b'{"id": 2, "method": "createrawtransaction", "params": ' + paid + b"}"
        async with session.post(url, data=body, headers=headers) as answer:
            raw = (await answer.json())["result"]
    decoded = await node.rpc("decoderawtransaction", raw)
    assert str(decoded["vout"][0]["value"]) == "20999999.97690001"


async def test_a_wallet_that_is_not_loaded_and_half_a_character_are_errors(node: RunningDevnode) -> None:
    half = b'{"id": "\\ud800", "method": "sendtoaddress", "params": ["\\ud800", 1]}'
    status, answer = await post(node, half)
    assert (status, answer["error"]["code"]) == (500, -5)
    status, answer = await post(node, b'{"method": "getbalances"}', path="/wallet/nobody")
    text = "Requested wallet does not exist or is not loaded"  # Bitcoin Core, wallet/rpc/util.cpp
    assert (status, answer["error"]) == (500, {"code": -18, "message": text})


# ---------------------------------------------------------------------------- signals of a new tip


async def test_a_longpoll_over_http_answers_with_the_new_tip(node: RunningDevnode) -> None:
    known = await node.rpc("getblocktemplate", SEGWIT)
    question = {**SEGWIT, "longpollid": known["longpollid"]}
    waiting = asyncio.create_task(node.rpc("getblocktemplate", question))
    [tip] = await node.mine(1)
    answer = await asyncio.wait_for(waiting, WAIT_SECONDS)
    assert answer["previousblockhash"] == tip


async def test_hashblock_is_published_in_cores_three_parts(node: RunningDevnode) -> None:
    with zmq.asyncio.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.linger = 0
        subscriber.connect(node.zmq_address)
        subscriber.subscribe(b"hashblock")
        first = asyncio.ensure_future(subscriber.recv_multipart())
        async with asyncio.timeout(WAIT_SECONDS):
            while not first.done():  # who subscribes late misses messages: the protocol is so
                await node.mine(1)
        # caught up: what was published until now has arrived before the block that follows
        [tip] = await node.mine(1)
        parts = await first
        async with asyncio.timeout(WAIT_SECONDS):
            while parts[1].hex() != tip:
                last, parts = parts, await subscriber.recv_multipart()
    topic, block_hash, sequence = parts
    assert (topic, block_hash.hex()) == (b"hashblock", tip)
    assert int.from_bytes(last[2], "little") + 1 == int.from_bytes(sequence, "little")
    # the first block of this process was number 0
    assert int.from_bytes(sequence, "little") + 1 == await node.rpc("getblockcount")
    assert len(sequence) == 4


async def test_a_stricter_target_is_shown_and_blocks_are_judged_by_their_bits(tmp_path: Path) -> None:
    async with RunningDevnode(tmp_path, target_difficulty=2**-10) as node:
        template = await node.rpc("getblocktemplate", SEGWIT)
        # difficulty 1 is ffff << 208; a 1024th of it is ten bits more
        assert template["target"] == "000003fffc" + "0" * 54
        assert template["bits"] == "207fffff"
        assert len(await node.mine(3)) == 3


async def test_a_target_easier_than_the_bits_is_theirs(tmp_path: Path) -> None:
    async with RunningDevnode(tmp_path, target_difficulty=1e-12) as node:
        template = await node.rpc("getblocktemplate", SEGWIT)
        assert template["target"] == "7fffff" + "00" * 29


# ---------------------------------------------------------------------------- ending, and coming back


async def test_blocks_survive_kill_9_and_the_chain_goes_on(tmp_path: Path) -> None:
    async with RunningDevnode(tmp_path) as node:
        hashes = await node.mine(101)
        for _ in range(2):  # the second time it is killed after having built its state again
            await node.kill()
            assert "height 101," in await node.start()
        assert await node.rpc("getbestblockhash") == hashes[-1]
        assert await node.rpc("getblockhash", 1) == hashes[0]
        txid = await node.send(fee_sats=500)  # spends what block 1 made
        [block_hash] = await node.mine(1)
        assert txid in (await node.rpc("getblock", block_hash))["tx"]


async def test_sigterm_ends_it_with_0_and_keeps_the_chain(tmp_path: Path) -> None:
    async with RunningDevnode(tmp_path) as node:
        [*_, tip] = await node.mine(5)
        assert await node.stop() == 0
        assert not (node.directory / "not-closed").exists()  # so that the next start need not build it again
        assert "height 5," in await node.start()
        assert await node.rpc("getbestblockhash") == tip


async def test_the_rpc_stop_ends_it_with_0(node: RunningDevnode) -> None:
    assert await node.rpc("stop") == "engineroom devnode stopping"
    assert await node.ended() == 0


async def test_a_waiting_longpoll_does_not_hold_up_the_end(node: RunningDevnode) -> None:
    known = await node.rpc("getblocktemplate", SEGWIT)
    question = {**SEGWIT, "longpollid": known["longpollid"]}
    waiting = asyncio.create_task(node.rpc("getblocktemplate", question))
    await node.rpc("getblockcount")  # behind the long-poll
    assert await asyncio.wait_for(node.stop(), 5) == 0
    with pytest.raises(NodeError):
        await waiting


# ---------------------------------------------------------------------------- not starting


@pytest.mark.parametrize("network", ["mainnet", "signet"])
async def test_it_is_for_regtest_alone(tmp_path: Path, network: str) -> None:
    ended = await engineroom("devnode", "--datadir", tmp_path / "node", "--network", network)
    assert_one_line(ended, "regtest", network, code=2)
    assert not (tmp_path / "node").exists()


async def test_a_port_in_use_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = await engineroom("devnode", "--datadir", tmp_path / "node", "--rpc-port", str(port))
    assert_one_line(ended, f"port {port}", "in use", "choose another port", code=1)
    assert not (tmp_path / "node" / ".cookie").exists()


async def test_a_data_directory_in_use_is_named_and_its_owner_is_not_disturbed(node: RunningDevnode) -> None:
    [*_, tip] = await node.mine(7)
    [port] = free_ports(1)
    ended = await engineroom("devnode", "--datadir", node.directory, "--rpc-port", str(port))
    assert_one_line(ended, str(node.directory), "is another devnode running on it?", code=1)
    assert await node.rpc("getbestblockhash") == tip
    await node.mine(1)
    assert await node.stop() == 0
    assert "height 8," in await node.start()


async def test_a_data_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "node").write_text("")
    [port] = free_ports(1)
    ended = await engineroom("devnode", "--datadir", tmp_path / "node", "--rpc-port", str(port))
    assert_one_line(ended, str(tmp_path / "node"), "exists", code=1)
    assert "another devnode" not in ended.err


async def test_a_data_directory_that_cannot_be_made_is_told_with_its_reason() -> None:
    [port] = free_ports(1)
    ended = await engineroom("devnode", "--datadir", "/proc/x", "--rpc-port", str(port))
    assert_one_line(ended, "/proc/x", "no such file or directory", code=1)
    assert "another devnode" not in ended.err


async def test_a_chain_that_the_engine_cannot_open_is_told_with_the_engines_reason(tmp_path: Path) -> None:
    (tmp_path / "blocks").write_text("a file where a folder should be")
    [port] = free_ports(1)
    ended = await engineroom("devnode", "--datadir", tmp_path, "--rpc-port", str(port))
    assert_one_line(ended, str(tmp_path / "blocks"), "Not a directory", code=1)
    assert "another devnode" not in ended.err


async def test_a_wallet_that_cannot_be_read_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    wallet = tmp_path / "wallets" / "default.json"
    wallet.parent.mkdir()
    wallet.write_text("{")
    [port] = free_ports(1)
    ended = await engineroom("devnode", "--datadir", tmp_path, "--rpc-port", str(port))
    assert_one_line(ended, str(wallet), "no wallet of this devnode", code=1)
    assert wallet.read_text() == "{"
    assert not (tmp_path / "not-closed").exists()  # the chain was closed as it should be


async def test_a_zmq_address_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        [port] = free_ports(1)
        ended = await engineroom(
            *("devnode", "--datadir", tmp_path, "--rpc-port", str(port), "--zmq-hashblock", address)
        )
    assert_one_line(ended, address, "in use", "choose another address", code=1)


@pytest.mark.parametrize("number", ["0", "-1", "nan", "inf"])
async def test_a_target_difficulty_that_is_none_is_refused(tmp_path: Path, number: str) -> None:
    ended = await engineroom("devnode", "--datadir", tmp_path, f"--target-difficulty={number}")
    assert_one_line(ended, "target difficulty must be above 0", str(float(number)), code=1)
