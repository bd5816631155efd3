"""One wallet: which transactions concern it, how deep they are, and which coins it may spend.

It reads ledger and mempool and keeps what neither has any more: transactions that were replaced, conflicted
or thrown out of the chain by a reorganisation. Those are forgotten when the devnode ends, as is the mempool;
keys and everything in the chain are not.
"""

from collections.abc import Iterator

import msgspec

from pool.devnode.keys import Keys
from pool.devnode.ledger import MATURITY, Ledger
from pool.devnode.mempool import Mempool
from pool.devnode.parsing import Outpoint, Transaction, TransactionOutput
from pool.devnode.spending import Key


class Seen(msgspec.Struct, frozen=True):
    """A transaction of the wallet, and when it was first seen (unix seconds; the block's time at most)."""

    transaction: Transaction
    at: int


class WalletCoin(msgspec.Struct, frozen=True):
    """An output that the wallet has a key for and nothing spends. Immature: a coinbase that must ripen.
    Trusted: confirmed, or made by the wallet itself from such."""

    outpoint: Outpoint
    output: TransactionOutput
    confirmations: int
    is_immature: bool
    is_trusted: bool


class Balances(msgspec.Struct, frozen=True):
    """In satoshis."""

    trusted_sats: int
    pending_sats: int
    immature_sats: int


class Wallet:
    """A view of the chain and the mempool through some keys."""

    def __init__(self, name: str, keys: Keys, ledger: Ledger, mempool: Mempool) -> None:
        self.name = name
        self.keys = keys
        self.ledger = ledger
        self.mempool = mempool
        self.seen: dict[bytes, Seen] = {}
        self.locked: set[Outpoint] = set()
        self._outputs: dict[Outpoint, TransactionOutput] = {}
        self._spends: dict[Outpoint, list[bytes]] = {}
        self.rescan()

    def rescan(self) -> None:
        """Look through the chain and the mempool again: after a start, and when keys came from elsewhere."""
        for height in range(1, self.ledger.height + 1):
            at = self.ledger.time_at(height)
            for transaction in self.ledger.transactions_at(height):
                self.see(transaction, at)
        for entry in self.mempool.waiting.values():
            self.see(entry.transaction, entry.entered_at)

    def see(self, transaction: Transaction, at: int) -> None:
        """Note a transaction, parents before their children; what is not the wallet's is passed by."""
        ours = [
            number for number, out in enumerate(transaction.outputs) if self.keys.of(out.script) is not None
        ]
        if not ours and not any(outpoint in self._outputs for outpoint in transaction.inputs):
            return
        for number in ours:
            self._outputs[transaction.txid, number] = transaction.outputs[number]
        if transaction.txid not in self.seen:
            self.seen[transaction.txid] = Seen(transaction, at)
            for outpoint in transaction.inputs:
                self._spends.setdefault(outpoint, []).append(transaction.txid)
                self.locked.discard(outpoint)  # what is spent needs no lock, as Core thinks

    # ------------------------------------------------------------------ where a transaction stands

    def depth(self, txid: bytes) -> int:
        """Confirmations: 0 outside the chain; negative where something in the chain excludes it, that one's
        depth below zero."""
        height = self.ledger.confirmed.get(txid)
        if height is not None:
            return self._depth_of(height)
        return min((-self._depth_of(height) for height in self._excluding_heights(txid)), default=0)

    def _depth_of(self, height: int) -> int:
        return self.ledger.height - height + 1

    def _excluding_heights(self, txid: bytes) -> Iterator[int]:
        open_, looked_at = [txid], {txid}
        while open_:
            seen = self.seen.get(open_.pop())
            for outpoint in seen.transaction.inputs if seen is not None else ():
                spender = self.ledger.spenders.get(outpoint)
                if spender is not None:
                    yield self.ledger.confirmed[spender]
                elif outpoint[0] not in self.ledger.confirmed and outpoint[0] not in looked_at:
                    looked_at.add(outpoint[0])
                    open_.append(outpoint[0])

    def conflicts(self, txid: bytes) -> list[bytes]:
        """Other transactions of the wallet that spend one of its inputs."""
        rivals = {
            rival
            for outpoint in self.seen[txid].transaction.inputs
            for rival in self._spends.get(outpoint, ())
        }
        return sorted(rivals - {txid})

    def is_immature(self, txid: bytes) -> bool:
        """Whether it is a coinbase that the wallet does not touch yet: up to a depth of 100, one block longer
        than the rule demands, as in Core."""
        return self.seen[txid].transaction.is_coinbase and self.depth(txid) <= MATURITY

    # ------------------------------------------------------------------ money

    def own_input_sats(self, transaction: Transaction) -> int:
        """What a transaction takes from the wallet."""
        return sum(self._outputs[point].value_sats for point in transaction.inputs if point in self._outputs)

    def key_of(self, script: bytes) -> Key | None:
        return self.keys.of(script)

    def output_spent_by(self, outpoint: Outpoint) -> TransactionOutput | None:
        """An output that something may spend: the wallet's own, of the chain, or of the mempool."""
        own = self._outputs.get(outpoint)
        if own is not None and self.depth(outpoint[0]) >= 0:
            return own
        coin = self.mempool.coin(outpoint)
        return None if coin is None else coin.output

    def coins(self) -> list[WalletCoin]:
        """All unspent outputs, oldest first; locked ones and immature ones included."""
        found = (self._coin(outpoint, output) for outpoint, output in self._outputs.items())
        return [coin for coin in found if coin is not None]

    def _coin(self, outpoint: Outpoint, output: TransactionOutput) -> WalletCoin | None:
        txid = outpoint[0]
        if txid not in self.ledger.confirmed and txid not in self.mempool.waiting:
            return None
        if self.is_spent(outpoint):
            return None
        return WalletCoin(outpoint, output, self.depth(txid), self.is_immature(txid), self.is_trusted(txid))

    def is_spent(self, outpoint: Outpoint) -> bool:
        """By the chain, by what waits, or by what was replaced: as in Core, a coin of the last comes back
        only when the chain excludes its spender."""
        if outpoint in self.ledger.spenders or outpoint in self.mempool.spent_by:
            return True
        return any(self.depth(txid) >= 0 for txid in self._spends.get(outpoint, ()))

    def is_trusted(self, txid: bytes) -> bool:
        """Whether its outputs count as the wallet's before they are confirmed."""
        open_ = [txid]
        while open_:
            one = open_.pop()
            if one in self.ledger.confirmed:
                continue
            entry = self.mempool.waiting.get(one)
            if entry is None or any(point not in self._outputs for point in entry.transaction.inputs):
                return False
            open_ += [parent for parent, _ in entry.transaction.inputs]
        return True

    def balances(self) -> Balances:
        trusted = pending = immature = 0
        for coin in self.coins():
            if coin.is_immature:
                immature += coin.output.value_sats
            elif coin.is_trusted:
                trusted += coin.output.value_sats
            else:
                pending += coin.output.value_sats
        return Balances(trusted, pending, immature)
