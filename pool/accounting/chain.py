"""What the nodes say of the chain and of blocks: one healthy node is asked, an error is no answer.

The accountant's own eye on the chain; work for miners comes from elsewhere and waits for none of this.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from payouts.maturity import Header, NoAnswer, Sight, Unknown
from pool.node.rpc import NodeError, NodeRpc, RpcError
from pool.node.templates import ChainInfo, WrongChain, read_chain_info
from stratum.work.coin import Network

NOT_FOUND, OUT_OF_RANGE = -5, -8  # rpc/protocol.h
UNCONNECTED_HEADERS = 1


class BestNode(msgspec.Struct, frozen=True):
    """A healthy node with the most work, and what its chain looked like when it was chosen."""

    name: str
    rpc: NodeRpc
    info: ChainInfo

    @property
    def height(self) -> int:
        return self.info.blocks


class _HeaderState(msgspec.Struct):
    confirmations: int


async def best_node(nodes: Sequence[tuple[str, NodeRpc]], network: Network) -> BestNode | None:
    """The healthy node with the most chainwork, the first in the settings among equals; None without one."""
    answers = await asyncio.gather(*(_look(name, rpc, network) for name, rpc in nodes))
    fit = [one for one in answers if one is not None]
    return max(fit, key=lambda one: one.info.chainwork, default=None)


async def _look(name: str, rpc: NodeRpc, network: Network) -> BestNode | None:
    try:
        info = await read_chain_info(rpc, network)
    except (NodeError, WrongChain):
        return None
    if info.initial_download and not network.is_regtest:
        return None
    return BestNode(name, rpc, info) if info.headers - info.blocks <= UNCONNECTED_HEADERS else None


async def sight_of(node: BestNode, block_hash: str, height: int) -> Sight:
    """What the node shows of a block. Never raises for anything that a node can answer, or fail to."""
    try:
        state = await node.rpc.call("getblockheader", block_hash, result=_HeaderState)
        return Sight(Header(state.confirmations), healthy=True, tip_height=node.height)
    except RpcError as error:
        if error.code == NOT_FOUND:
            return Sight(await _unknown(node, height), healthy=True, tip_height=node.height)
    except NodeError:
        pass
    return Sight(NoAnswer(), healthy=True, tip_height=node.height)


async def _unknown(node: BestNode, height: int) -> Unknown | NoAnswer:
    """The block that stands in its place is the evidence; without one the error alone is none."""
    try:
        return Unknown(await node.rpc.call("getblockhash", height, result=str))
    except RpcError as error:
        return Unknown(None) if error.code == OUT_OF_RANGE else NoAnswer()
    except NodeError:
        return NoAnswer()
