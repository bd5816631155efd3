"""A scripted node with a chain of its own: which blocks are in it, which are beside it, which it never saw.

node.put(block_hash, height=100)        # on the best chain
node.displace(block_hash)               # the header is known, another block stands in its place
node.forget(block_hash)                 # never heard of; another block stands in its place
"""

from typing import Any

from pool.accounting.chain import BestNode, best_node
from pool.node.rpc import NodeRpc
from stratum.work.coin import network
from tests.harness.scripted_node import Failure, ScriptedNode, tip_hash

REGTEST = network("bitcoin", "regtest")


class ChainNode(ScriptedNode):
    def __init__(self, name: str = "scripted", *, height: int = 1_000) -> None:
        super().__init__(name)
        self.height = height
        self._heights: dict[str, int] = {}
        self._beside: set[str] = set()
        self.answers["getblockheader"] = self._header
        self.answers["getblockhash"] = self._hash_at
        self.grow(0)

    def grow(self, blocks: int) -> None:
        self.height += blocks
        self.stand_at(tip_hash(self.height), height=self.height, chainwork=self.height)

    def put(self, block_hash: str, height: int) -> None:
        self._heights[block_hash] = height
        self._beside.discard(block_hash)

    def displace(self, block_hash: str) -> None:
        self._heights.pop(block_hash, None)
        self._beside.add(block_hash)

    def forget(self, block_hash: str) -> None:
        self._heights.pop(block_hash, None)
        self._beside.discard(block_hash)

    def _header(self, block_hash: str, *_: object) -> Any:
        if block_hash in self._heights:
            return {"confirmations": self.height - self._heights[block_hash] + 1}
        return {"confirmations": -1} if block_hash in self._beside else Failure(-5, "Block not found")

    def _hash_at(self, height: int) -> Any:
        if height > self.height:
            return Failure(-8, "Block height out of range")
        return next((one for one, at in self._heights.items() if at == height), tip_hash(height))

    async def chosen(self, rpc: NodeRpc) -> BestNode:
        """This node as it stands now."""
        found = await best_node([(self.name, rpc)], REGTEST)
        assert found is not None
        return found
