"""RPC methods of the chain: its state, headers, blocks, and outputs that are not spent."""

from typing import Any

from pool.devnode.failures import INVALID_PARAMETER, MISC_ERROR, NOT_FOUND, RpcFailure
from pool.devnode.node import Devnode
from pool.devnode.parameters import hash_bytes
from pool.devnode.parsing import parse_block
from pool.devnode.rendering import coins, script_fields, transaction_fields
from stratum.work.byteorder import displayed
from stratum.work.difficulty import SHA256D_DIFFICULTY_1, difficulty_from_target, target_from_bits

_WITH_TRANSACTIONS = 2


class ChainMethods:
    """Questions about blocks; they change nothing."""

    def __init__(self, node: Devnode) -> None:
        self._node = node
        self._ledger = node.ledger

    async def rpc_getblockchaininfo(self) -> dict[str, Any]:
        ledger = self._ledger
        return {
            "chain": "regtest",
            "blocks": ledger.height,
            "headers": ledger.height,
            "bestblockhash": displayed(ledger.tip),
            "difficulty": _difficulty(ledger.bits_at(ledger.height)),
            "time": ledger.time_at(ledger.height),
            "mediantime": ledger.median_time(),
            "verificationprogress": 1,
            "initialblockdownload": False,
            "chainwork": f"{ledger.work_at(ledger.height):064x}",
            "pruned": False,
            "warnings": [],
        }

    async def rpc_getblockcount(self) -> int:
        return self._ledger.height

    async def rpc_getbestblockhash(self) -> str:
        return displayed(self._ledger.tip)

    async def rpc_getblockhash(self, height: int) -> str:
        if not 0 <= height <= self._ledger.height:
            raise RpcFailure(INVALID_PARAMETER, "Block height out of range")
        return displayed(self._ledger.hash_at(height))

    async def rpc_getblockheader(self, block_hash: str, verbose: bool = True) -> Any:
        header, height = await self._found(block_hash)
        if not verbose:
            return header.hex()
        return self._header_fields(block_hash, header, height)

    async def rpc_getblock(self, block_hash: str, verbosity: int | bool = 1) -> Any:
        header, height = await self._found(block_hash)
        raw = await self._node.block(hash_bytes(block_hash))
        if raw is None:
            raise RpcFailure(MISC_ERROR, "Block not found on disk")
        if not verbosity:
            return raw.hex()
        _, transactions = parse_block(raw)
        is_full = int(verbosity) >= _WITH_TRANSACTIONS
        return {
            **self._header_fields(block_hash, header, height),
            "nTx": len(transactions),
            "size": len(raw),
            "tx": [
                {**transaction_fields(transaction), "hex": transaction.raw.hex()}
                if is_full
                else displayed(transaction.txid)
                for transaction in transactions
            ],
        }

    async def rpc_gettxout(
        self, txid: str, number: int, include_mempool: bool = True
    ) -> dict[str, Any] | None:
        point = (hash_bytes(txid), number)
        mempool = self._node.mempool
        coin = mempool.coin(point) if include_mempool else self._ledger.coins.get(point)
        if coin is None or (include_mempool and point in mempool.spent_by):
            return None
        is_confirmed = coin.height <= self._ledger.height
        return {
            "bestblock": displayed(self._ledger.tip),
            "confirmations": self._ledger.height - coin.height + 1 if is_confirmed else 0,
            "value": coins(coin.output.value_sats),
            "scriptPubKey": script_fields(coin.output.script),
            "coinbase": coin.is_coinbase,
        }

    async def _found(self, block_hash: str) -> tuple[bytes, int]:
        found = await self._node.header_and_height(hash_bytes(block_hash))
        if found is None:
            raise RpcFailure(NOT_FOUND, "Block not found")
        return found

    def _header_fields(self, block_hash: str, header: bytes, height: int) -> dict[str, Any]:
        ledger = self._ledger
        is_best = ledger.height_of(hash_bytes(block_hash)) is not None
        bits = int.from_bytes(header[72:76], "little")
        fields = {
            "hash": block_hash,
            "confirmations": ledger.height - height + 1 if is_best else -1,
            "height": height,
            "version": int.from_bytes(header[:4], "little"),
            "merkleroot": displayed(header[36:68]),
            "time": int.from_bytes(header[68:72], "little"),
            "nonce": int.from_bytes(header[76:], "little"),
            "bits": f"{bits:08x}",
            "difficulty": _difficulty(bits),
            "previousblockhash": displayed(header[4:36]),
        }
        if is_best:
            fields["mediantime"] = ledger.median_time(height)
            fields["chainwork"] = f"{ledger.work_at(height):064x}"
        return fields


def _difficulty(bits: int) -> float:
    return difficulty_from_target(target_from_bits(bits), SHA256D_DIFFICULTY_1)
