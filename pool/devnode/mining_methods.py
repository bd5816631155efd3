"""RPC methods of mining: templates, proposals, submitted blocks, and blocks on demand."""

import time
from typing import Any

from pool.devnode.addresses import REGTEST
from pool.devnode.failures import (
    DESERIALIZATION,
    INVALID_PARAMETER,
    MISC_ERROR,
    NOT_FOUND,
    TYPE_ERROR,
    RpcFailure,
)
from pool.devnode.kernel import Undecodable
from pool.devnode.mining import mine_block
from pool.devnode.node import Devnode
from pool.devnode.parameters import hash_bytes, hex_bytes, list_of, raw_transaction
from pool.devnode.template import REGTEST_BITS, block_template
from pool.devnode.waiting import Waiting
from stratum.work.address import AddressError, parse_address
from stratum.work.byteorder import displayed
from stratum.work.difficulty import SHA256D_DIFFICULTY_1, difficulty_from_target, target_from_bits

MOST_GENERATED = 1000
_HASH_HEX = 64


class MiningMethods:
    """`target` is the stricter one that templates show, or None."""

    def __init__(self, node: Devnode, target: int | None) -> None:
        self._node = node
        self._ledger = node.ledger
        self._target = target

    async def rpc_getblocktemplate(self, request: dict[str, Any] | None = None) -> Any:
        asked = request or {}
        mode = asked.get("mode", "template")
        if mode == "proposal":
            return await self._proposal(asked.get("data"))
        if mode != "template":
            raise RpcFailure(INVALID_PARAMETER, "Invalid mode")
        if "segwit" not in asked.get("rules", []):
            text = (
                'getblocktemplate must be called with the segwit rule set (call with {"rules": ["segwit"]})'
            )
            raise RpcFailure(INVALID_PARAMETER, text)
        longpoll_id = asked.get("longpollid")
        if isinstance(longpoll_id, str) and longpoll_id.startswith(displayed(self._ledger.tip)):
            await self._node.wait_for_tip_other_than(self._ledger.tip)
        return self._template(list(self._node.mempool.waiting.values()))

    def _template(self, waiting: list[Waiting]) -> dict[str, Any]:
        return block_template(
            self._ledger,
            waiting,
            int(time.time()),
            self._target,
            f"{displayed(self._ledger.tip)}{self._node.mempool_changes}",
        )

    async def _proposal(self, data: object) -> str | None:
        if not isinstance(data, str):
            raise RpcFailure(TYPE_ERROR, "Missing data String key for proposal")
        raw = hex_bytes(data, "Block decode failed", DESERIALIZATION)
        try:
            return await self._node.propose(raw)
        except Undecodable:
            raise RpcFailure(DESERIALIZATION, "Block decode failed") from None

    async def rpc_submitblock(self, block: str, dummy: str | None = None) -> str | None:
        raw = hex_bytes(block, "Block decode failed", DESERIALIZATION)
        try:
            return await self._node.submit(raw)
        except Undecodable:
            raise RpcFailure(DESERIALIZATION, "Block decode failed") from None

    async def rpc_generatetoaddress(self, count: int, address: str, tries: int | None = None) -> list[str]:
        if not 0 <= count <= MOST_GENERATED:
            raise RpcFailure(INVALID_PARAMETER, f"0 to {MOST_GENERATED} blocks at a time")
        script = _mined_script(address)
        waiting = self._node.mempool.waiting
        return [await self._mine(list(waiting.values()), script) for _ in range(count)]

    async def rpc_generateblock(self, output: str, transactions: list[str]) -> dict[str, str]:
        """A block of exactly these transactions, ids of the mempool or raw ones; their fees go to nobody."""
        script = _mined_script(output)
        chosen = [self._transaction(text) for text in list_of(transactions)]
        return {"hash": await self._mine(chosen, script)}

    def _transaction(self, text: object) -> Waiting:
        if isinstance(text, str) and len(text) == _HASH_HEX:
            entry = self._node.mempool.waiting.get(hash_bytes(text))
            if entry is None:
                raise RpcFailure(NOT_FOUND, f"Transaction {text} not in mempool.")
            return Waiting(entry.transaction, 0, entry.sigop_cost)
        return Waiting(raw_transaction(text), 0, 0)

    async def _mine(self, waiting: list[Waiting], script: bytes) -> str:
        easy = {**self._template(waiting), "target": f"{target_from_bits(REGTEST_BITS):064x}"}
        raw, block_hash = mine_block(easy, script)
        refusal = await self._node.submit(raw)
        if refusal is not None:
            raise RpcFailure(MISC_ERROR, refusal)
        return displayed(block_hash)

    async def rpc_getmininginfo(self) -> dict[str, Any]:
        bits = self._ledger.bits_at(self._ledger.height)
        return {
            "blocks": self._ledger.height,
            "difficulty": difficulty_from_target(target_from_bits(bits), SHA256D_DIFFICULTY_1),
            "pooledtx": len(self._node.mempool.waiting),
            "chain": "regtest",
            "warnings": [],
        }


def _mined_script(address: object) -> bytes:
    try:
        return parse_address(str(address), REGTEST).script
    except AddressError:
        raise RpcFailure(NOT_FOUND, "Error: Invalid address") from None
