"""Transactions that wait for a block, in an order that a block can have."""

from collections.abc import Callable

import msgspec

from pool.devnode.ledger import MATURITY, Coin, Ledger
from pool.devnode.parsing import Outpoint, Transaction, TransactionOutput
from stratum.work.script import legacy_sigops

ScriptCheck = Callable[[bytes, int, list[tuple[int, bytes]]], str | None]


class Refusal(msgspec.Struct, frozen=True):
    """Why a transaction is not taken: Core's RPC code and text."""

    code: int
    text: str


class Waiting(msgspec.Struct, frozen=True):
    """A transaction in the pool. `sigop_cost` is four times its legacy operations, as templates count."""

    transaction: Transaction
    fee_sats: int
    sigop_cost: int


class Mempool:
    """In order of arrival, which puts parents before their children."""

    def __init__(self, ledger: Ledger, check_script: ScriptCheck) -> None:
        self._ledger = ledger
        self._check_script = check_script
        self.waiting: dict[bytes, Waiting] = {}
        self._spent_by: dict[Outpoint, bytes] = {}

    def accept(self, transaction: Transaction) -> Refusal | None:
        """Take a transaction in; None where it was, or is there already."""
        if transaction.txid in self.waiting:
            return None
        if transaction.txid in self._ledger.confirmed:
            return Refusal(-27, "Transaction already in block chain")
        coins = [self._coin(outpoint) for outpoint in transaction.inputs]
        spent = [coin for coin in coins if coin is not None]
        if len(spent) != len(coins) or not coins:
            return Refusal(-25, "bad-txns-inputs-missingorspent")
        if any(outpoint in self._spent_by for outpoint in transaction.inputs):
            return Refusal(-26, "txn-mempool-conflict")
        refusal = self._contextual_refusal(transaction, spent)
        if refusal is not None:
            return refusal
        fee = sum(coin.output.value_sats for coin in spent) - sum(o.value_sats for o in transaction.outputs)
        if fee < 0:
            return Refusal(-26, "bad-txns-in-belowout")
        self._add(transaction, fee)
        return None

    def _contextual_refusal(self, transaction: Transaction, spent: list[Coin]) -> Refusal | None:
        next_height = self._ledger.height + 1
        for coin in spent:
            depth = next_height - coin.height
            if coin.is_coinbase and depth < MATURITY:
                text = f"bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth {depth}"
                return Refusal(-26, text)
        outputs = [(coin.output.value_sats, coin.output.script) for coin in spent]
        for number in range(len(outputs)):
            failure = self._check_script(transaction.raw, number, outputs)
            if failure is not None:
                return Refusal(-26, f"mandatory-script-verify-flag-failed ({failure})")
        return None

    def _coin(self, outpoint: Outpoint) -> Coin | None:
        coin = self._ledger.coins.get(outpoint)
        if coin is not None:
            return coin
        parent = self.waiting.get(outpoint[0])
        if parent is None or outpoint[1] >= len(parent.transaction.outputs):
            return None
        output: TransactionOutput = parent.transaction.outputs[outpoint[1]]
        return Coin(output, self._ledger.height + 1, False)

    def _add(self, transaction: Transaction, fee_sats: int) -> None:
        sigops = sum(legacy_sigops(output.script) for output in transaction.outputs)
        self.waiting[transaction.txid] = Waiting(transaction, fee_sats, 4 * sigops)
        for outpoint in transaction.inputs:
            self._spent_by[outpoint] = transaction.txid

    def block_connected(self, transactions: list[Transaction]) -> None:
        """Confirmed ones leave; so does everything that spends what they have spent, and its children."""
        for transaction in transactions:
            self._remove(transaction.txid, with_children=False)
            for outpoint in transaction.inputs:
                rival = self._spent_by.get(outpoint)
                if rival is not None:
                    self._remove(rival, with_children=True)

    def reconsider(self, candidates: list[Transaction]) -> None:
        """After a reorg: what blocks gave back, then what was waiting, each if it is still valid."""
        again = [waiting.transaction for waiting in self.waiting.values()]
        self.waiting.clear()
        self._spent_by.clear()
        for transaction in candidates + again:
            self.accept(transaction)

    def _remove(self, txid: bytes, *, with_children: bool) -> None:
        waiting = self.waiting.pop(txid, None)
        if waiting is None:
            return
        for outpoint in waiting.transaction.inputs:
            self._spent_by.pop(outpoint, None)
        if with_children:
            for number in range(len(waiting.transaction.outputs)):
                child = self._spent_by.get((txid, number))
                if child is not None:
                    self._remove(child, with_children=True)
