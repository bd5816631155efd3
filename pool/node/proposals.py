"""Asking a node what it thinks of a block before it is mined (BIP 23); proof of work is not looked at."""

from pool.node.rpc import NodeRpc, NodeUnreachable, RpcError

DECODE_FAILED = -22
PROPOSAL_TIMEOUT_SECONDS = 30.0
# The node checks every script of the block under its main lock; on a small board that takes seconds.

_NO_VERDICT = ("inconclusive", "duplicate")
# The block builds on another tip than the node's, or the node knows it: nothing is said about its coinbase.


class NoVerdict(Exception):
    """The node had no opinion: the template is no longer the newest."""


async def propose_block(rpc: NodeRpc, block_hex: str) -> str | None:
    """None where the node would take the block, else its reason.

    Raises NoVerdict where it says neither, NodeError where it cannot be asked, or does not know proposals.
    """
    try:
        reason: object = await rpc.call(
            "getblocktemplate",
            {"mode": "proposal", "data": block_hex},
            result=object,
            timeout_seconds=PROPOSAL_TIMEOUT_SECONDS,
        )
    except RpcError as error:
        if error.code == DECODE_FAILED:
            return error.message
        raise
    if reason is None:
        return None
    if not isinstance(reason, str):
        raise NodeUnreachable("the node answered a proposal with something else than a reason")
    if reason.startswith(_NO_VERDICT):
        raise NoVerdict(reason)
    return reason
