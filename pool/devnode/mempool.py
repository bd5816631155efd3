"""Transactions that wait for a block, in an order that a block can have."""

from collections.abc import Callable, Iterable

import msgspec

from payouts.transaction import dust_sats
from pool.devnode.ledger import MATURITY, Coin, Ledger
from pool.devnode.locks import is_final, is_old_enough
from pool.devnode.parsing import Outpoint, Transaction
from pool.devnode.replacement import replacement_refusal
from pool.devnode.waiting import Refusal, Waiting
from stratum.work.script import legacy_sigops

RELAY_SATS_PER_KVB = 100  # DEFAULT_MIN_RELAY_TX_FEE of the engine's own version
DUST_SATS_PER_KVB = 3_000  # DUST_RELAY_TX_FEE
MOST_SATS = 21_000_000 * 100_000_000
_OP_RETURN = b"\x6a"

ScriptCheck = Callable[[bytes, int, list[tuple[int, bytes]]], str | None]


class Admission(msgspec.Struct, frozen=True):
    """A transaction that may come in, and those that leave for it (BIP 125), children included."""

    entry: Waiting
    leaving: tuple[bytes, ...]


class Mempool:
    """In order of arrival, which puts parents before their children. It holds no limit of size: a chain of
    play money fits into memory."""

    def __init__(self, ledger: Ledger, check_script: ScriptCheck) -> None:
        self._ledger = ledger
        self._check_script = check_script
        self.waiting: dict[bytes, Waiting] = {}
        self.spent_by: dict[Outpoint, bytes] = {}

    def judge(self, transaction: Transaction, now: int, *, is_returned: bool = False) -> Admission | Refusal:
        """What would become of a transaction; changes nothing. `is_returned` from a block that has left the
        chain: the least fee is not asked of those. Runs scripts, which takes a while."""
        if transaction.txid in self.waiting:
            return Refusal(-27, "txn-already-in-mempool")
        refusal = self._refusal_by_itself(transaction)
        if refusal is not None:
            return refusal
        coins = [self.coin(outpoint) for outpoint in transaction.inputs]
        spent = [coin for coin in coins if coin is not None]
        if len(spent) != len(coins) or not coins:
            return Refusal(-25, "bad-txns-inputs-missingorspent")
        fee = sum(coin.output.value_sats for coin in spent) - sum(o.value_sats for o in transaction.outputs)
        refusal = self._refusal_by_coins(transaction, spent, fee, is_returned=is_returned)
        if refusal is not None:
            return refusal
        rivals = {self.spent_by[outpoint] for outpoint in transaction.inputs if outpoint in self.spent_by}
        leaving = self.with_children(rivals)
        if rivals:
            refusal = replacement_refusal(
                transaction,
                fee,
                [self.waiting[txid] for txid in rivals],
                [self.waiting[txid] for txid in leaving],
            )
        refusal = refusal or self._refusal_by_scripts(transaction, spent)
        return refusal or Admission(self._entry(transaction, fee, now), tuple(leaving))

    def add(self, admission: Admission) -> None:
        """Take in what was judged, on the same chain and mempool as they were then."""
        for txid in admission.leaving:
            self._remove(txid)
        transaction = admission.entry.transaction
        self.waiting[transaction.txid] = admission.entry
        for outpoint in transaction.inputs:
            self.spent_by[outpoint] = transaction.txid

    def _refusal_by_itself(self, transaction: Transaction) -> Refusal | None:
        if transaction.txid in self._ledger.confirmed:
            return Refusal(-27, "Transaction already in block chain")
        if transaction.is_coinbase:
            return Refusal(-26, "coinbase")
        if not transaction.outputs:
            return Refusal(-26, "bad-txns-vout-empty")
        if sum(output.value_sats for output in transaction.outputs) > MOST_SATS:
            return Refusal(-26, "bad-txns-txouttotal-toolarge")
        if len(set(transaction.inputs)) != len(transaction.inputs):
            return Refusal(-26, "bad-txns-inputs-duplicate")
        if any(_is_dust(output.value_sats, output.script) for output in transaction.outputs):
            return Refusal(-26, "dust")
        if not is_final(transaction, self._ledger.height + 1, self._ledger.median_time()):
            return Refusal(-26, "non-final")
        return None

    def _refusal_by_coins(
        self, transaction: Transaction, spent: list[Coin], fee_sats: int, *, is_returned: bool
    ) -> Refusal | None:
        next_height = self._ledger.height + 1
        if not is_old_enough(transaction, [coin.height for coin in spent], self._ledger):
            return Refusal(-26, "non-BIP68-final")
        for coin in spent:
            depth = next_height - coin.height
            if coin.is_coinbase and depth < MATURITY:
                details = f"tried to spend coinbase at depth {depth}"
                return Refusal(-26, "bad-txns-premature-spend-of-coinbase", details)
        if fee_sats < 0:
            return Refusal(-26, "bad-txns-in-belowout")
        least_sats = -(-transaction.virtual_bytes * RELAY_SATS_PER_KVB // 1000)
        if fee_sats < least_sats and not is_returned:
            return Refusal(-26, "min relay fee not met", f"{fee_sats} < {least_sats}")
        return None

    def _refusal_by_scripts(self, transaction: Transaction, spent: list[Coin]) -> Refusal | None:
        outputs = [(coin.output.value_sats, coin.output.script) for coin in spent]
        for number in range(len(outputs)):
            failure = self._check_script(transaction.raw, number, outputs)
            if failure is not None:
                return Refusal(-26, f"mandatory-script-verify-flag-failed ({failure})")
        return None

    def _entry(self, transaction: Transaction, fee_sats: int, now: int) -> Waiting:
        sigops = sum(legacy_sigops(output.script) for output in transaction.outputs)
        parents = [self.waiting[txid] for txid, _ in transaction.inputs if txid in self.waiting]
        signals = transaction.signals_replacement or any(parent.is_replaceable for parent in parents)
        return Waiting(transaction, fee_sats, 4 * sigops, now, self._ledger.height, signals)

    def coin(self, outpoint: Outpoint) -> Coin | None:
        """An output of the chain or of what waits, whether or not something waiting spends it."""
        coin = self._ledger.coins.get(outpoint)
        if coin is not None:
            return coin
        parent = self.waiting.get(outpoint[0])
        if parent is None or outpoint[1] >= len(parent.transaction.outputs):
            return None
        return Coin(parent.transaction.outputs[outpoint[1]], self._ledger.height + 1, False)

    def with_children(self, txids: Iterable[bytes]) -> set[bytes]:
        """These, and everything waiting that spends what they make."""
        found: set[bytes] = set()
        open_ = list(txids)
        while open_:
            txid = open_.pop()
            if txid not in found:
                found.add(txid)
                outputs = range(len(self.waiting[txid].transaction.outputs))
                open_ += [self.spent_by[txid, n] for n in outputs if (txid, n) in self.spent_by]
        return found

    def with_parents(self, txid: bytes) -> set[bytes]:
        """This one, and everything waiting that it needs."""
        found: set[bytes] = set()
        open_ = [txid]
        while open_:
            one = open_.pop()
            if one in self.waiting and one not in found:
                found.add(one)
                open_ += [parent for parent, _ in self.waiting[one].transaction.inputs]
        return found

    def block_connected(self, transactions: list[Transaction]) -> None:
        """Confirmed ones leave; so does everything that spends what they have spent, and its children."""
        for transaction in transactions:
            self._remove(transaction.txid)
            for outpoint in transaction.inputs:
                rival = self.spent_by.get(outpoint)
                for txid in self.with_children([rival] if rival is not None else []):
                    self._remove(txid)

    def reconsider(self, returned: list[Transaction], now: int) -> None:
        """After a reorg: what blocks gave back, then what was waiting, each if it is still valid."""
        again = [(entry.transaction, entry.entered_at) for entry in self.waiting.values()]
        self.waiting.clear()
        self.spent_by.clear()
        for transaction, entered_at in [(one, now) for one in returned] + again:
            admission = self.judge(transaction, entered_at, is_returned=True)
            if isinstance(admission, Admission):
                self.add(admission)

    def _remove(self, txid: bytes) -> None:
        waiting = self.waiting.pop(txid, None)
        if waiting is not None:
            for outpoint in waiting.transaction.inputs:
                self.spent_by.pop(outpoint, None)


def _is_dust(value_sats: int, script: bytes) -> bool:
    return not script.startswith(_OP_RETURN) and value_sats < dust_sats(script, DUST_SATS_PER_KVB)
