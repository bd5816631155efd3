"""Submitting one block to one node, and what its answer means. Repeats nothing and remembers nothing."""

import contextlib
from collections.abc import Callable

import msgspec

from pool.node.rpc import Lane, NodeError, NodeRpc, NodeUnreachable, RpcError

SUBMIT_TIMEOUT_SECONDS = 60.0
# The node answers after it has checked the whole block; a full one on a slow disk takes several seconds.

ACCEPTED = frozenset(
    {"", "duplicate"}
)  # null is accepted; "duplicate": the node has it already, and it is valid
UNDECIDED = frozenset({"inconclusive", "duplicate-inconclusive"})

PASSING_ERRORS = frozenset(
    {-28, -20, -7}
)  # warming up, database error, out of memory: nothing about the block


class SubmitVerdict(msgspec.Struct, frozen=True):
    """What one node says of a block. `accepted` is None when it could not be asked: ask again.

    `text` is the node's own word ("accepted" for its null), or why it could not be asked.
    """

    node: str
    accepted: bool | None
    text: str


class _HeaderState(msgspec.Struct):
    confirmations: int


async def submit_to(
    rpc: NodeRpc, node_name: str, block_hex: str, block_hash_hex: str, is_ours: Callable[[str], bool]
) -> SubmitVerdict:
    """Never raises for anything that a node can answer, or fail to.
    `is_ours` knows our own blocks by hash."""
    try:
        raw = await rpc.ask(
            "submitblock", block_hex, timeout_seconds=SUBMIT_TIMEOUT_SECONDS, lane=Lane.SUBMISSION
        )
        return await _judge(rpc, node_name, _answer(raw), block_hash_hex, is_ours)
    except RpcError as error:
        return SubmitVerdict(node_name, None if error.code in PASSING_ERRORS else False, str(error))
    except NodeUnreachable as error:
        return SubmitVerdict(node_name, None, str(error))


def _answer(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=str | None) or ""
    except msgspec.MsgspecError:
        # BIP 22 knows no such answer; whatever it is, the operator should see it.
        return bytes(raw)[:200].decode("utf-8", "replace")


async def _judge(
    rpc: NodeRpc, node_name: str, answer: str, block_hash_hex: str, is_ours: Callable[[str], bool]
) -> SubmitVerdict:
    if answer in ACCEPTED:
        return SubmitVerdict(node_name, True, answer or "accepted")
    if answer in UNDECIDED:
        return await _look_up(rpc, node_name, answer, block_hash_hex, is_ours)
    return SubmitVerdict(node_name, False, answer)


async def _look_up(
    rpc: NodeRpc, node_name: str, answer: str, block_hash_hex: str, is_ours: Callable[[str], bool]
) -> SubmitVerdict:
    """`inconclusive` is what a valid block gets that did not become the tip: late, or second in a tie.

    In a tie `preciousblock` makes the node work on our block, as it would if it had seen ours first, which is
    what a miner's own node does: when we find the next one too, both count, and if anyone else does, nothing
    is lost that was not lost already. With less work than the tip the call does nothing (validation.cpp,
    PreciousBlock), so that no chain is ever left for a shorter one. A node that does not know the call keeps
    what it saw first. (ckpool, bitcoin.c, does the same.) A tie between two blocks of ours is left alone: it
    would throw the whole farm from one tip to the other for nothing.
    """
    with contextlib.suppress(NodeError):
        tip = await rpc.call("getbestblockhash", result=str, lane=Lane.SUBMISSION)
        if not is_ours(tip):
            await rpc.ask("preciousblock", block_hash_hex, lane=Lane.SUBMISSION)
    try:
        state = await rpc.call("getblockheader", block_hash_hex, result=_HeaderState, lane=Lane.SUBMISSION)
    except RpcError:
        return SubmitVerdict(node_name, False, f"{answer}: the node does not know the block")
    place = "on the active chain" if state.confirmations > 0 else "on a side branch"
    return SubmitVerdict(node_name, True, f"{answer}: {place}")
