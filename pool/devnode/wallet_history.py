"""RPC methods of a wallet's past: one transaction, and what happened since a block."""

from typing import Any

from pool.devnode.failures import INVALID_PARAMETER, NOT_FOUND, RpcFailure
from pool.devnode.node import Devnode
from pool.devnode.parameters import hash_bytes
from pool.devnode.parsing import parse_block
from pool.devnode.rendering import coins, transaction_fields
from pool.devnode.wallet import Wallet
from pool.devnode.wallet_entries import details, fee_sats, last_block, net_sats, state_fields
from stratum.work.byteorder import displayed


class WalletHistory:
    """Questions about a wallet's transactions; they change nothing."""

    def __init__(self, node: Devnode, wallet: Wallet) -> None:
        self._chain = node
        self._own = wallet

    async def rpc_gettransaction(
        self, txid: str, include_watchonly: bool | None = None, verbose: bool = False
    ) -> dict[str, Any]:
        key = hash_bytes(txid)
        seen = self._own.seen.get(key)
        if seen is None:
            raise RpcFailure(NOT_FOUND, "Invalid or non-wallet transaction id")
        fee = fee_sats(self._own, seen.transaction)
        return {
            "amount": coins(net_sats(self._own, key)),
            **({} if fee is None else {"fee": coins(-fee)}),
            **state_fields(self._own, key),
            "details": details(self._own, key),
            "hex": seen.transaction.raw.hex(),
            **({"decoded": transaction_fields(seen.transaction)} if verbose else {}),
            "lastprocessedblock": last_block(self._own),
        }

    async def rpc_listsinceblock(
        self,
        block_hash: str | None = None,
        target_confirmations: int = 1,
        include_watchonly: bool | None = None,
        include_removed: bool = True,
        *others: Any,
    ) -> dict[str, Any]:
        """As Core: everything deeper than the block, or than the fork that a side block hangs from, is left
        out, conflicted ones by the depth of their conflict."""
        if target_confirmations < 1:
            raise RpcFailure(INVALID_PARAMETER, "Invalid parameter")
        ledger = self._own.ledger
        removed: list[bytes] = []
        depth = None
        if block_hash:
            fork_height, removed = await self._fork_below(hash_bytes(block_hash))
            depth = ledger.height + 1 - fork_height
        recent = [txid for txid in self._own.seen if depth is None or abs(self._own.depth(txid)) < depth]
        answer = {"transactions": self._entries(recent)}
        if include_removed:
            answer["removed"] = self._entries([txid for txid in removed if txid in self._own.seen])
        last_height = max(0, ledger.height + 1 - target_confirmations)
        return {**answer, "lastblock": displayed(ledger.hash_at(last_height))}

    async def _fork_below(self, block_hash: bytes) -> tuple[int, list[bytes]]:
        """The highest block of the best chain at or below a block, and the transactions of the blocks that
        are above it on the block's own branch."""
        removed: list[bytes] = []
        while True:
            found = await self._chain.header_and_height(block_hash)
            if found is None:
                raise RpcFailure(NOT_FOUND, "Block not found")
            height = self._own.ledger.height_of(block_hash)
            if height is not None:
                return height, removed
            raw = await self._chain.block(block_hash)
            if raw is not None:
                removed += [transaction.txid for transaction in parse_block(raw)[1]]
            block_hash = found[0][4:36]

    def _entries(self, txids: list[bytes]) -> list[dict[str, Any]]:
        return [
            {**entry, **state_fields(self._own, txid)} for txid in txids for entry in details(self._own, txid)
        ]
