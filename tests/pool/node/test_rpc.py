"""Asking a node over HTTP: answers, errors, logins, and what is no answer; against a server at the wire."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pool.node.endpoint import NodeEndpoint
from pool.node.rpc import MAXIMUM_REPLY_BYTES, Lane, NodeBusy, NodeRpc, NodeUnreachable, RpcError
from tests.harness.scripted_node import Failure, Hang, Raw, ScriptedNode


@pytest.fixture
async def node() -> AsyncIterator[ScriptedNode]:
    async with ScriptedNode() as scripted:
        yield scripted


@pytest.fixture
async def rpc(node: ScriptedNode) -> AsyncIterator[NodeRpc]:
    asking = NodeRpc(node.endpoint())
    yield asking
    await asking.close()


async def test_a_result_arrives_in_the_type_that_was_asked_for(node: ScriptedNode, rpc: NodeRpc) -> None:
    node.answers["add"] = lambda *params: sum(params)
    assert await rpc.call("add", 2, 3, result=int) == 5


async def test_amounts_stay_exact_to_the_last_digit(node: ScriptedNode, rpc: NodeRpc) -> None:
    # 20999999.97690001 has no float: the nearest one prints as 20999999.97690001 but differs from it
    node.answers["getbalance"] = Raw(200, b'{"result": 20999999.97690001, "error": null, "id": 1}')
    node.answers["getbalances"] = Raw(200, b'{"result": {"mine": {"trusted": 0.1}}, "error": null, "id": 1}')
    assert await rpc.call("getbalance", result=Decimal) == Decimal("20999999.97690001")
    assert await rpc.call("getbalances", result=dict[str, Any]) == {"mine": {"trusted": Decimal("0.1")}}


async def test_an_error_of_the_node_has_its_code_and_its_message(node: ScriptedNode, rpc: NodeRpc) -> None:
    node.answers["getblockhash"] = Failure(-8, "Block height out of range")
    with pytest.raises(RpcError) as caught:
        await rpc.call("getblockhash", 9, result=str)
    assert (caught.value.code, caught.value.message) == (-8, "Block height out of range")


async def test_an_unknown_method_is_an_error_of_the_node_though_http_says_404(rpc: NodeRpc) -> None:
    with pytest.raises(RpcError, match="Method not found"):
        await rpc.call("nonsense", result=str)


async def test_a_full_work_queue_is_busy_and_not_garbage(node: ScriptedNode, rpc: NodeRpc) -> None:
    node.answers["getblockcount"] = Raw(503, b"Work queue depth exceeded")
    with pytest.raises(NodeBusy, match="rpcworkqueue"):
        await rpc.call("getblockcount", result=int)


@pytest.mark.parametrize(
    "answer",
    [
        Raw(200, b"<html>router login</html>"),
        Raw(200, b""),
        Raw(200, b'{"result": 12'),
        Raw(200, b"[]"),
        Raw(200, b'{"result": 1, "error": "text"}'),
        Raw(302, b""),
        Raw(502, b"Bad Gateway"),
        Raw(200, b'{"result": "twelve", "error": null}'),
        Raw(200, b"\xff\xfe"),
    ],
)
async def test_what_is_no_json_rpc_answer_is_said_in_one_line(
    node: ScriptedNode, rpc: NodeRpc, answer: Raw
) -> None:
    node.answers["getblockcount"] = answer
    with pytest.raises(NodeUnreachable, match=f"http://127.0.0.1:{node.port} .*check that the url") as caught:
        await rpc.call("getblockcount", result=int)
    assert "\n" not in str(caught.value)


async def test_a_reply_without_end_is_given_up(node: ScriptedNode, rpc: NodeRpc) -> None:
    node.answers["getblockcount"] = Raw(200, b" " * (MAXIMUM_REPLY_BYTES + 1))
    with pytest.raises(NodeUnreachable):
        await rpc.call("getblockcount", result=int)


async def test_a_node_that_does_not_answer_in_time_is_unreachable(node: ScriptedNode, rpc: NodeRpc) -> None:
    node.answers["getblockcount"] = Hang()
    with pytest.raises(NodeUnreachable, match=r"did not answer getblockcount within 0\.05 s"):
        await rpc.call("getblockcount", result=int, timeout_seconds=0.05)


async def test_a_closed_port_is_unreachable_with_advice(node: ScriptedNode, rpc: NodeRpc) -> None:
    await node.stop()
    with pytest.raises(NodeUnreachable, match=r"cannot connect to http://127\.0\.0\.1.*is the node running"):
        await rpc.call("getblockcount", result=int)


async def test_a_node_that_comes_back_is_asked_again_without_more_ado(
    node: ScriptedNode, rpc: NodeRpc
) -> None:
    node.answers["getblockcount"] = 7
    await node.stop()
    with pytest.raises(NodeUnreachable):
        await rpc.call("getblockcount", result=int)
    await node.start()
    assert await rpc.call("getblockcount", result=int) == 7


async def test_an_unknown_host_is_named_as_that() -> None:
    rpc = NodeRpc(_endpoint(url="http://node.invalid:1"))  # RFC 2606: .invalid never resolves
    with pytest.raises(NodeUnreachable, match=r"http://node\.invalid:1 is unknown"):
        await rpc.call("getblockcount", result=int)
    await rpc.close()


async def test_a_wrong_password_is_named_as_that(node: ScriptedNode, rpc: NodeRpc) -> None:
    node.password = "changed"
    with pytest.raises(NodeUnreachable, match="refuses user and password"):
        await rpc.call("getblockcount", result=int)


async def test_a_refused_machine_is_told_about_rpcallowip(node: ScriptedNode, rpc: NodeRpc) -> None:
    node.answers["getblockcount"] = Raw(403, b"")
    with pytest.raises(NodeUnreachable, match="rpcallowip"):
        await rpc.call("getblockcount", result=int)


async def test_a_restarted_nodes_new_cookie_is_read_at_the_first_401(
    node: ScriptedNode, tmp_path: Path
) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:first")
    node.user, node.password = "__cookie__", "first"
    node.answers["getblockcount"] = 7
    rpc = NodeRpc(node.endpoint(cookie_file=cookie))
    assert await rpc.call("getblockcount", result=int) == 7
    node.password = "second"
    cookie.write_text("__cookie__:second")
    assert await rpc.call("getblockcount", result=int) == 7
    assert node.refused_logins == 1
    await rpc.close()


async def test_a_missing_cookie_is_named_and_found_once_it_is_there(
    node: ScriptedNode, tmp_path: Path
) -> None:
    cookie = tmp_path / ".cookie"
    node.user, node.password = "__cookie__", "first"
    node.answers["getblockcount"] = 7
    rpc = NodeRpc(node.endpoint(cookie_file=cookie))
    with pytest.raises(NodeUnreachable, match=f"{cookie} does not exist: is the node running"):
        await rpc.call("getblockcount", result=int)
    cookie.write_text("__cookie__:first")
    assert await rpc.call("getblockcount", result=int) == 7
    await rpc.close()


async def test_a_file_that_is_no_cookie_is_named(node: ScriptedNode, tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("nothing of the kind")
    rpc = NodeRpc(node.endpoint(cookie_file=cookie))
    with pytest.raises(NodeUnreachable, match="is not a cookie file"):
        await rpc.call("getblockcount", result=int)
    await rpc.close()


async def test_hanging_questions_and_a_hanging_longpoll_do_not_hold_up_a_submission(
    node: ScriptedNode, rpc: NodeRpc
) -> None:
    node.answers |= {"getblocktemplate": Hang(), "getblockcount": Hang(), "submitblock": None}
    asked = asyncio.create_task(node.asked("getblocktemplate"))
    # more than the question lane has connections
    hanging = [asyncio.create_task(rpc.call("getblockcount", result=int)) for _ in range(20)]
    hanging.append(asyncio.create_task(rpc.wait_for_longpoll({"longpollid": "x"})))  # type: ignore[arg-type]
    async with asyncio.timeout(5):
        await asked
        await rpc.ask("submitblock", "00", lane=Lane.SUBMISSION)
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_a_longpoll_returns_at_the_head_of_the_answer_and_raises_the_nodes_error(
    node: ScriptedNode, rpc: NodeRpc
) -> None:
    node.answers["getblocktemplate"] = {"whatever": 1}
    await rpc.wait_for_longpoll({"longpollid": "x"})
    node.answers["getblocktemplate"] = Failure(-10, "initial sync")
    with pytest.raises(RpcError, match="initial sync"):
        await rpc.wait_for_longpoll({"longpollid": "x"})


def test_credentials_in_a_url_are_refused_since_urls_are_printed() -> None:
    with pytest.raises(ValueError, match="not in the url"):
        _endpoint(url="http://u:secret@127.0.0.1:1")


def _endpoint(*, url: str) -> NodeEndpoint:
    return NodeEndpoint(name="a", url=url, user="u", password=lambda: "p")


@pytest.mark.parametrize(
    "body",
    [
        b'{"result": null, "error": {"code": -1, "message": "cannot read /home/Jos\xe9"}, "id": 1}',
        b'{"result": "\xff\xfe", "error": null, "id": 1}',
        b'{"result": ' + b"[" * 100_000 + b"]" * 100_000 + b', "error": null, "id": 1}',
    ],
    ids=["latin-1 in a message", "bytes in a result", "nesting without end"],
)
async def test_an_answer_that_is_not_quite_json_is_a_node_that_gave_none(
    node: ScriptedNode, rpc: NodeRpc, body: bytes
) -> None:
    node.answers["getblockcount"] = Raw(500, body)
    with pytest.raises(NodeUnreachable):
        await rpc.call("getblockcount", result=Any)
