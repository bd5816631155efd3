"""RPC methods of the mempool and of fees."""

from typing import Any

from pool.devnode.failures import INVALID_PARAMETER, NOT_FOUND, RpcFailure
from pool.devnode.mempool import RELAY_SATS_PER_KVB
from pool.devnode.node import Devnode
from pool.devnode.parameters import hash_bytes
from pool.devnode.rendering import coins
from pool.devnode.replacement import INCREMENTAL_SATS_PER_KVB
from pool.devnode.waiting import Waiting
from stratum.work.byteorder import displayed

MOST_TARGET_BLOCKS = 1008  # of Core's longest horizon
LEAST_TARGET_BLOCKS = 2  # what Core says that it looked at, where one block was asked for
MEMPOOL_BYTES = 300_000_000  # Core's default; the devnode has no limit


class MempoolMethods:
    """Questions about what waits; they change nothing."""

    def __init__(self, node: Devnode) -> None:
        self._node = node
        self._mempool = node.mempool

    async def rpc_getrawmempool(self, verbose: bool = False) -> Any:
        if verbose:
            return {displayed(txid): self._entry(txid) for txid in list(self._mempool.waiting)}
        return [displayed(txid) for txid in self._mempool.waiting]

    async def rpc_getmempoolentry(self, txid: str) -> dict[str, Any]:
        key = hash_bytes(txid)
        if key not in self._mempool.waiting:
            raise RpcFailure(NOT_FOUND, "Transaction not in mempool")
        return self._entry(key)

    def _entry(self, txid: bytes) -> dict[str, Any]:
        waiting = self._mempool.waiting
        entry = waiting[txid]
        transaction = entry.transaction
        parents = [waiting[one] for one in self._mempool.with_parents(txid)]
        children = [waiting[one] for one in self._mempool.with_children([txid])]
        outputs = [(txid, number) for number in range(len(transaction.outputs))]
        spenders = {self._mempool.spent_by[point] for point in outputs if point in self._mempool.spent_by}
        return {
            "vsize": transaction.virtual_bytes,
            "weight": transaction.weight,
            "time": entry.entered_at,
            "height": entry.height,
            "descendantcount": len(children),
            "descendantsize": _virtual_bytes(children),
            "ancestorcount": len(parents),
            "ancestorsize": _virtual_bytes(parents),
            "wtxid": displayed(transaction.witness_txid),
            "fees": {
                "base": coins(entry.fee_sats),
                "modified": coins(entry.fee_sats),
                "ancestor": coins(_fees_sats(parents)),
                "descendant": coins(_fees_sats(children)),
            },
            "depends": sorted({displayed(parent) for parent, _ in transaction.inputs if parent in waiting}),
            "spentby": sorted(displayed(spender) for spender in spenders),
            "bip125-replaceable": entry.is_replaceable,
            "unbroadcast": False,
        }

    async def rpc_getmempoolinfo(self) -> dict[str, Any]:
        waiting = list(self._mempool.waiting.values())
        size = sum(len(entry.transaction.raw) for entry in waiting)
        return {
            "loaded": True,
            "size": len(waiting),
            "bytes": _virtual_bytes(waiting),
            "usage": size,
            "total_fee": coins(_fees_sats(waiting)),
            "maxmempool": MEMPOOL_BYTES,
            "mempoolminfee": coins(RELAY_SATS_PER_KVB),
            "minrelaytxfee": coins(RELAY_SATS_PER_KVB),
            "incrementalrelayfee": coins(INCREMENTAL_SATS_PER_KVB),
            "unbroadcastcount": 0,
            "fullrbf": False,
        }

    async def rpc_estimatesmartfee(self, target_blocks: int, mode: str = "economical") -> dict[str, Any]:
        """Always what Core says of a young chain: a devnode's blocks tell nothing of a market for fees."""
        if not 1 <= target_blocks <= MOST_TARGET_BLOCKS:
            text = f"Invalid conf_target, must be between 1 and {MOST_TARGET_BLOCKS}"
            raise RpcFailure(INVALID_PARAMETER, text)
        errors = ["Insufficient data or no feerate found"]
        return {"errors": errors, "blocks": max(LEAST_TARGET_BLOCKS, target_blocks)}

    async def rpc_getnetworkinfo(self) -> dict[str, Any]:
        return {
            "version": 319900,
            "subversion": "/engineroom-devnode/",
            "connections": 0,
            "relayfee": coins(RELAY_SATS_PER_KVB),
            "incrementalfee": coins(INCREMENTAL_SATS_PER_KVB),
            "warnings": [],
        }

    async def rpc_getconnectioncount(self) -> int:
        return 0


def _virtual_bytes(entries: list[Waiting]) -> int:
    return sum(entry.transaction.virtual_bytes for entry in entries)


def _fees_sats(entries: list[Waiting]) -> int:
    return sum(entry.fee_sats for entry in entries)
