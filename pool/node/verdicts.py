"""Submitting one block to one node, and what its answer means. Repeats nothing and remembers nothing."""

import contextlib
import enum
from collections.abc import Callable

import msgspec

from pool.node.rpc import UNDECODABLE, Lane, NodeError, NodeRpc, NodeUnreachable, RpcError

SUBMIT_TIMEOUT_SECONDS = 60.0
# The node answers after it has checked the whole block; a full one on a slow disk takes several seconds.

HELD = frozenset({"inconclusive", "duplicate-inconclusive", "duplicate"})
# The node has the block, and the answer does not say where: sent a second time, a block on a side branch is a
# "duplicate" like one on the best chain (rpc/mining.cpp, submitblock).

PASSING_REFUSALS = frozenset({"prev-blk-not-found"})
# What a node says of any new block while it is behind, for example because a crash threw it back.

PASSING_ERRORS = frozenset({-28, -20, -7})
# Warming up, database error, out of memory: nothing about the block.


class Judgement(enum.Enum):
    """What a node's answer says of a block.

    ACCEPTED     it is on the node's best chain
    SIDE_BRANCH  the node has it, and works on another one
    REFUSED      for a reason that lies in the block, and does not pass
    NOT_YET      refused for a reason that may lie in the node, and pass
    SILENT       the node could not be asked
    """

    ACCEPTED = "accepted"
    SIDE_BRANCH = "side branch"
    REFUSED = "refused"
    NOT_YET = "not yet"
    SILENT = "silent"


class SubmitVerdict(msgspec.Struct, frozen=True):
    """What one node says of a block.

    `text` is the node's own word ("accepted" for its null), or why it could not be asked.
    """

    node: str
    judgement: Judgement
    text: str


class _HeaderState(msgspec.Struct):
    confirmations: int


async def submit_to(
    rpc: NodeRpc, node_name: str, block_hex: str, block_hash_hex: str, is_ours: Callable[[str], bool]
) -> SubmitVerdict:
    """Never raises for anything that a node can answer, or fail to. `is_ours` knows our blocks by hash."""
    try:
        raw = await rpc.ask(
            "submitblock", block_hex, timeout_seconds=SUBMIT_TIMEOUT_SECONDS, lane=Lane.SUBMISSION
        )
        return await _judge(rpc, node_name, _answer(raw), block_hash_hex, is_ours)
    except RpcError as error:
        is_passing = error.code in PASSING_ERRORS
        return SubmitVerdict(node_name, Judgement.SILENT if is_passing else Judgement.REFUSED, str(error))
    except NodeUnreachable as error:
        return SubmitVerdict(node_name, Judgement.SILENT, str(error))


def _answer(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=str | None) or ""
    except UNDECODABLE:
        # BIP 22 knows no such answer; whatever it is, the operator should see it.
        return bytes(raw)[:200].decode("utf-8", "replace")


async def _judge(
    rpc: NodeRpc, node_name: str, answer: str, block_hash_hex: str, is_ours: Callable[[str], bool]
) -> SubmitVerdict:
    if not answer:
        return SubmitVerdict(node_name, Judgement.ACCEPTED, "accepted")
    if answer in HELD:
        return await _look_up(rpc, node_name, answer, block_hash_hex, is_ours)
    return SubmitVerdict(
        node_name, Judgement.NOT_YET if answer in PASSING_REFUSALS else Judgement.REFUSED, answer
    )


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
        # It contradicts itself: what it has just been given, it has lost or not written yet.
        return SubmitVerdict(node_name, Judgement.NOT_YET, f"{answer}: the node does not know the block")
    if state.confirmations > 0:
        return SubmitVerdict(node_name, Judgement.ACCEPTED, f"{answer}: on the active chain")
    return SubmitVerdict(node_name, Judgement.SIDE_BRANCH, f"{answer}: on a side branch")
