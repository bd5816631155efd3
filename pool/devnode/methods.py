"""The node's RPC methods, in one table: parameters in, a JSON value out, Core's codes and texts for errors.

Only what the pool, its tests and a curious person ask. A method is a coroutine of this class whose name
begins with `rpc_`.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from pool.devnode.kernel import Undecodable
from pool.devnode.mining import mine_block
from pool.devnode.node import Devnode
from pool.devnode.parsing import Unparsable, parse_block, parse_transaction
from pool.devnode.template import REGTEST_BITS, block_template
from stratum.work.address import AddressError, parse_address
from stratum.work.byteorder import displayed, from_displayed
from stratum.work.coin import network
from stratum.work.difficulty import SHA256D_DIFFICULTY_1, difficulty_from_target, target_from_bits

_REGTEST = network("bitcoin", "regtest")
MOST_GENERATED = 1000

MISC_ERROR = -1
TYPE_ERROR = -3
NOT_FOUND = -5
INVALID_PARAMETER = -8
DESERIALIZATION = -22
UNKNOWN_METHOD = -32601


class RpcFailure(Exception):
    """An error answer."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Methods:
    """The methods of one node. `target` is the stricter one that templates show, or None."""

    def __init__(self, node: Devnode, target: int | None, stop: Callable[[], None]) -> None:
        self._node = node
        self._ledger = node.ledger
        self._target = target
        self._stop = stop
        self._started_at = time.monotonic()

    async def call(self, method: str, params: list[Any]) -> Any:
        """Run a method; raises RpcFailure."""
        handler: Callable[..., Awaitable[Any]] | None = getattr(self, f"rpc_{method}", None)
        if handler is None:
            raise RpcFailure(UNKNOWN_METHOD, "Method not found")
        try:
            return await handler(*params)
        except TypeError as error:
            # the parameters of the call, or of what it holds, have the wrong number or type
            raise RpcFailure(TYPE_ERROR, f"{method}: wrong parameters: {error}") from error

    # ------------------------------------------------------------------ mining

    async def rpc_getblocktemplate(self, request: dict[str, Any] | None = None) -> Any:
        rules = (request or {}).get("rules", [])
        if "segwit" not in rules:
            text = (
                'getblocktemplate must be called with the segwit rule set (call with {"rules": ["segwit"]})'
            )
            raise RpcFailure(INVALID_PARAMETER, text)
        mode = (request or {}).get("mode", "template")
        if mode != "template":
            raise RpcFailure(INVALID_PARAMETER, "Invalid mode: the devnode offers templates, no proposals")
        longpoll_id = (request or {}).get("longpollid")
        if isinstance(longpoll_id, str) and longpoll_id.startswith(displayed(self._ledger.tip)):
            await self._node.wait_for_tip_other_than(self._ledger.tip)
        return block_template(
            self._ledger,
            tuple(self._node.mempool.waiting.values()),  # the engine's thread may add to it meanwhile
            int(time.time()),
            self._target,
            f"{displayed(self._ledger.tip)}{self._node.mempool_changes}",
        )

    async def rpc_submitblock(self, block: str, dummy: str | None = None) -> str | None:
        raw = _hex(block, "Block decode failed", DESERIALIZATION)
        try:
            return await self._node.submit(raw)
        except Undecodable:
            raise RpcFailure(DESERIALIZATION, "Block decode failed") from None

    async def rpc_generatetoaddress(self, count: int, address: str, tries: int | None = None) -> list[str]:
        if not 0 <= count <= MOST_GENERATED:
            raise RpcFailure(INVALID_PARAMETER, f"0 to {MOST_GENERATED} blocks at a time")
        try:
            script = parse_address(address, _REGTEST).script
        except AddressError:
            raise RpcFailure(NOT_FOUND, "Error: Invalid address") from None
        hashes: list[str] = []
        for _ in range(count):
            template = await self.rpc_getblocktemplate({"rules": ["segwit"]})
            raw, block_hash = mine_block(
                {**template, "target": f"{target_from_bits(REGTEST_BITS):064x}"}, script
            )
            refusal = await self._node.submit(raw)
            if refusal is not None:
                raise RpcFailure(MISC_ERROR, refusal)
            hashes.append(displayed(block_hash))
        return hashes

    async def rpc_getmininginfo(self) -> dict[str, Any]:
        return {
            "blocks": self._ledger.height,
            "difficulty": self._difficulty(),
            "pooledtx": len(self._node.mempool.waiting),
            "chain": "regtest",
            "warnings": [],
        }

    # ------------------------------------------------------------------ the chain

    async def rpc_getblockchaininfo(self) -> dict[str, Any]:
        ledger = self._ledger
        return {
            "chain": "regtest",
            "blocks": ledger.height,
            "headers": ledger.height,
            "bestblockhash": displayed(ledger.tip),
            "difficulty": self._difficulty(),
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
        raw = await self._node.block(_hash(block_hash))
        if raw is None:
            raise RpcFailure(MISC_ERROR, "Block not found on disk")
        if not verbosity:
            return raw.hex()
        _, transactions = parse_block(raw)
        return {
            **self._header_fields(block_hash, header, height),
            "nTx": len(transactions),
            "size": len(raw),
            "tx": [displayed(transaction.txid) for transaction in transactions],
        }

    async def rpc_getrawtransaction(self, txid: str, verbose: bool = False, block: str | None = None) -> Any:
        key = _hash(txid)
        waiting = self._node.mempool.waiting.get(key)
        transaction = waiting.transaction if waiting is not None else self._ledger.transaction(key)
        if transaction is None:
            raise RpcFailure(NOT_FOUND, "No such mempool or blockchain transaction")
        if not verbose:
            return transaction.raw.hex()
        height = self._ledger.confirmed.get(key)
        return {
            "txid": txid,
            "hex": transaction.raw.hex(),
            "weight": transaction.weight,
            "confirmations": 0 if height is None else self._ledger.height - height + 1,
        }

    async def rpc_validateaddress(self, address: str) -> dict[str, Any]:
        try:
            parsed = parse_address(address, _REGTEST)
        except AddressError as error:
            return {"isvalid": False, "error": str(error)}
        return {"isvalid": True, "address": parsed.text, "scriptPubKey": parsed.script.hex()}

    # ------------------------------------------------------------------ transactions, the rest

    async def rpc_sendrawtransaction(self, raw: str, maxfeerate: Any = None) -> str:
        try:
            transaction = parse_transaction(_hex(raw, "TX decode failed", DESERIALIZATION))
        except Unparsable:
            raise RpcFailure(DESERIALIZATION, "TX decode failed") from None
        refusal = await self._node.accept(transaction)
        if refusal is not None:
            raise RpcFailure(refusal.code, refusal.text)
        return displayed(transaction.txid)

    async def rpc_getrawmempool(self, verbose: bool = False) -> list[str]:
        return [displayed(txid) for txid in tuple(self._node.mempool.waiting)]

    async def rpc_getconnectioncount(self) -> int:
        return 0

    async def rpc_getnetworkinfo(self) -> dict[str, Any]:
        return {"version": 319900, "subversion": "/engineroom-devnode/", "connections": 0, "warnings": []}

    async def rpc_uptime(self) -> int:
        return int(time.monotonic() - self._started_at)

    async def rpc_stop(self) -> str:
        self._stop()
        return "engineroom devnode stopping"

    async def rpc_help(self, method: str | None = None) -> str:
        names = sorted(name.removeprefix("rpc_") for name in dir(self) if name.startswith("rpc_"))
        return "\n".join(names)

    # ------------------------------------------------------------------ shared

    async def _found(self, block_hash: str) -> tuple[bytes, int]:
        found = await self._node.header_and_height(_hash(block_hash))
        if found is None:
            raise RpcFailure(NOT_FOUND, "Block not found")
        return found

    def _header_fields(self, block_hash: str, header: bytes, height: int) -> dict[str, Any]:
        ledger = self._ledger
        is_best = ledger.height_of(_hash(block_hash)) is not None
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
            "difficulty": difficulty_from_target(target_from_bits(bits), SHA256D_DIFFICULTY_1),
            "previousblockhash": displayed(header[4:36]),
        }
        if is_best:
            fields["mediantime"] = ledger.median_time(height)
            fields["chainwork"] = f"{ledger.work_at(height):064x}"
        return fields

    def _difficulty(self) -> float:
        bits = self._ledger.bits_at(self._ledger.height)
        return difficulty_from_target(target_from_bits(bits), SHA256D_DIFFICULTY_1)


def _hex(text: object, message: str, code: int) -> bytes:
    if not isinstance(text, str):
        raise RpcFailure(TYPE_ERROR, "JSON value is not a string as expected")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise RpcFailure(code, message) from None


def _hash(text: object) -> bytes:
    if not isinstance(text, str):
        raise RpcFailure(TYPE_ERROR, "JSON value is not a string as expected")
    try:
        return from_displayed(text)
    except ValueError:
        raise RpcFailure(
            INVALID_PARAMETER, f"hash must be of length 64 and hexadecimal (not {text!r})"
        ) from None
