"""What the best chain shows of a payment's attempts: confirmed, possible, or excluded by which transaction.

The wallet's word counts in one direction only. That a transaction is in a block is checked by that block's
header. That one is *excluded* is never taken from the wallet, whose conflicts outlive reorganisations (Core,
until 28): an input that the chain no longer has unspent is looked for in the blocks themselves, where its 36
bytes stand in the transaction that spends it. That needs no transaction index, and it finds a transaction of
ours that the wallet has forgotten. A pruned node keeps at least 288 blocks, more than are read here unless a
payment has been open for longer.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from payouts.attempt import Attempt, AttemptSight, Confirmed, Conflicted, InputsGone, NoAnswer, Unconfirmed
from payouts.node_answers import Block, BlockHeader, WalletTransaction
from payouts.node_call import CallRefused, Node
from payouts.transaction import Outpoint
from payouts.wallet import WalletUnavailable

REORG_BLOCKS = 100
# Blocks below the height at which a payment was signed may have been replaced since, by ones that spend its
# inputs. Deeper than this nothing else of ours would stand either: coinbases mature at 100.

MOST_REMEMBERED = 1_000
# Searches whose result is kept. Only attempts with a spent input are searched for, so there are few.


class _Spender(msgspec.Struct, frozen=True):
    """A transaction of a block that spends some of the outpoints, and what it pays to."""

    block_hash: str
    txid: str
    spends: frozenset[Outpoint]
    scripts: frozenset[bytes]


class _Searched(msgspec.Struct, frozen=True):
    """Blocks up to this one were read; `spenders` were found in them, the deepest first."""

    block_hash: str
    height: int
    spenders: tuple[_Spender, ...] = ()

    def spends_all(self, outpoints: frozenset[Outpoint]) -> bool:
        """Whether there is nothing more to find."""
        return outpoints <= frozenset().union(*(one.spends for one in self.spenders))


class NodeChain:
    """Looks at attempts through one node; remembers which blocks it has read."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._searched: dict[frozenset[Outpoint], _Searched] = {}

    async def look(self, attempts: Sequence[Attempt], since_height: int | None) -> dict[str, AttemptSight]:
        """As Wallet.look."""
        try:
            for attempt in attempts:
                confirmed = await self._in_wallet(attempt.txid)
                if confirmed is not None:
                    return _one_confirmed(attempts, attempt.txid, confirmed)
            return await self._unconfirmed(attempts, since_height)
        except WalletUnavailable as error:
            return {attempt.txid: NoAnswer(str(error)) for attempt in attempts}

    async def _in_wallet(self, txid: str) -> Confirmed | None:
        entry = await self._node.try_ask("gettransaction", txid, result=WalletTransaction)
        if isinstance(entry, CallRefused) or entry.confirmations < 1 or entry.blockhash is None:
            return None
        return await self._in_block(entry.blockhash)

    async def _in_block(self, block_hash: str) -> Confirmed | None:
        header = await self._node.try_ask("getblockheader", block_hash, result=BlockHeader)
        if isinstance(header, CallRefused) or header.confirmations < 1:
            return None
        return Confirmed(header.confirmations, block_hash, header.height)

    async def _unconfirmed(
        self, attempts: Sequence[Attempt], since_height: int | None
    ) -> dict[str, AttemptSight]:
        sights: dict[str, AttemptSight] = {}
        for attempt in attempts:
            sight = sights[attempt.txid] = await self._look_at_inputs(attempt, since_height)
            if isinstance(sight, Confirmed):
                return _one_confirmed(attempts, attempt.txid, sight)
        return sights

    async def _look_at_inputs(self, attempt: Attempt, since_height: int | None) -> AttemptSight:
        missing = frozenset([one for one in sorted(attempt.outpoints()) if not await self._is_unspent(one)])
        if not missing:
            entry = await self._node.try_ask("getmempoolentry", attempt.txid, result=dict)
            return Unconfirmed(in_mempool=not isinstance(entry, CallRefused))
        found = await self._spenders(missing, since_height)
        if not found:
            return InputsGone()
        deepest = found[0]
        block = await self._in_block(deepest.block_hash)
        if block is None:
            return NoAnswer("the chain changed while it was looked at")
        if deepest.txid == attempt.txid:
            return block
        scripts = frozenset().union(*(one.scripts for one in found))
        return Conflicted(deepest.txid, block.confirmations, scripts)

    async def _is_unspent(self, outpoint: Outpoint) -> bool:
        # without the memory pool: in it, the attempt itself spends the output
        found: object = await self._node.ask("gettxout", outpoint.txid, outpoint.output, False, result=Any)
        return found is not None

    async def _spenders(
        self, outpoints: frozenset[Outpoint], since_height: int | None
    ) -> tuple[_Spender, ...]:
        """The transactions in the chain that spend one of the outpoints, the deepest first."""
        if since_height is None:
            since_height = await self._made_at(outpoints)
        if since_height is None:
            return ()
        first = max(0, since_height - REORG_BLOCKS)
        searched = self._searched.get(outpoints)
        if searched is not None and await self._in_block(searched.block_hash) is not None:
            first = searched.height + 1
        else:
            searched = None  # its blocks may have left the chain
        tip = await self._node.ask("getblockcount", result=int)
        for height in range(first, tip + 1):
            if searched is not None and searched.spends_all(outpoints):
                break
            earlier = () if searched is None else searched.spenders
            searched = await self._search(height, outpoints, earlier)
        if searched is None:
            return ()
        self._remember(outpoints, searched)
        return searched.spenders

    async def _made_at(self, outpoints: frozenset[Outpoint]) -> int | None:
        """The least height at which one of the outpoints was made, as far as the wallet knows them: none of
        them was spent below."""
        made = [await self._in_wallet(txid) for txid in sorted({outpoint.txid for outpoint in outpoints})]
        return min((confirmed.height for confirmed in made if confirmed is not None), default=None)

    async def _search(
        self, height: int, outpoints: frozenset[Outpoint], earlier: tuple[_Spender, ...]
    ) -> _Searched:
        block_hash = await self._node.ask("getblockhash", height, result=str)
        raw = await self._node.ask("getblock", block_hash, 0, result=str)
        if any(_hex_in_block(outpoint) in raw for outpoint in outpoints):
            block = await self._node.ask("getblock", block_hash, 2, result=Block)
            # the same bytes may stand in somebody's data: only an input counts
            earlier += tuple(
                _Spender(block_hash, one.txid, one.spends() & outpoints, one.scripts())
                for one in block.tx
                if one.spends() & outpoints
            )
        return _Searched(block_hash, height, earlier)

    def _remember(self, outpoints: frozenset[Outpoint], searched: _Searched) -> None:
        if len(self._searched) >= MOST_REMEMBERED:
            self._searched.clear()
        self._searched[outpoints] = searched


def _hex_in_block(outpoint: Outpoint) -> str:
    """An outpoint as it stands in a block's hex: the id in internal order, the position little-endian."""
    return (bytes.fromhex(outpoint.txid)[::-1] + outpoint.output.to_bytes(4, "little")).hex()


def _one_confirmed(attempts: Iterable[Attempt], txid: str, confirmed: Confirmed) -> dict[str, AttemptSight]:
    # attempts exclude one another by their inputs
    conflict = Conflicted(txid, confirmed.confirmations)
    return {attempt.txid: confirmed if attempt.txid == txid else conflict for attempt in attempts}
