"""What the engine has not: the best chain by height, its work, the unspent outputs. In memory only.

Rebuilt from the engine's blocks at every start; regtest chains are short.
"""

import msgspec

from pool.devnode.parsing import Outpoint, Transaction, TransactionOutput, parse_block
from stratum.work.difficulty import target_from_bits, work_of_target
from stratum.work.hashing import sha256d

MATURITY = 100
_MEDIAN_BLOCKS = 11


class Coin(msgspec.Struct, frozen=True):
    """An unspent output, where it was made, and whether it must ripen first."""

    output: TransactionOutput
    height: int
    is_coinbase: bool


class _Connected(msgspec.Struct, frozen=True):
    block_hash: bytes
    header: bytes
    work: int  # of the chain up to and with this block
    transactions: list[Transaction]
    spent: dict[Outpoint, Coin]


class Ledger:
    """The best chain as mempool, templates and wallets need it: unspent outputs, heights of transactions, and
    who has spent what."""

    def __init__(self) -> None:
        self._blocks: list[_Connected] = []
        self._heights: dict[bytes, int] = {}
        self.coins: dict[Outpoint, Coin] = {}
        self.confirmed: dict[bytes, int] = {}
        self.spenders: dict[Outpoint, bytes] = {}

    @property
    def height(self) -> int:
        return len(self._blocks) - 1

    @property
    def tip(self) -> bytes:
        """The best block's hash, internal order."""
        return self._blocks[-1].block_hash

    def hash_at(self, height: int) -> bytes:
        return self._blocks[height].block_hash

    def height_of(self, block_hash: bytes) -> int | None:
        """Height on the best chain; None elsewhere."""
        return self._heights.get(block_hash)

    def header_at(self, height: int) -> bytes:
        return self._blocks[height].header

    def work_at(self, height: int) -> int:
        """Expected hashes up to and with the block of this height."""
        return self._blocks[height].work

    def transactions_at(self, height: int) -> list[Transaction]:
        """A block's transactions, the coinbase first."""
        return self._blocks[height].transactions

    def spent_at(self, height: int) -> dict[Outpoint, Coin]:
        """What a block spends."""
        return self._blocks[height].spent

    def transaction(self, txid: bytes) -> Transaction | None:
        """A confirmed transaction."""
        height = self.confirmed.get(txid)
        if height is None:
            return None
        return next(t for t in self._blocks[height].transactions if t.txid == txid)

    def median_time(self, height: int | None = None) -> int:
        """The median of the last eleven blocks' times: the next block must be later."""
        end = (self.height if height is None else height) + 1
        times = sorted(_time(block.header) for block in self._blocks[max(0, end - _MEDIAN_BLOCKS) : end])
        return times[len(times) // 2]

    def time_at(self, height: int) -> int:
        return _time(self._blocks[height].header)

    def bits_at(self, height: int) -> int:
        return int.from_bytes(self._blocks[height].header[72:76], "little")

    def connect(self, raw: bytes) -> list[Transaction]:
        """Put a block on top; gives its transactions."""
        header, transactions = parse_block(raw)
        height = len(self._blocks)
        spent: dict[Outpoint, Coin] = {}
        for position, transaction in enumerate(transactions):
            if position > 0:
                for outpoint in transaction.inputs:
                    spent[outpoint] = self.coins.pop(outpoint)
                    self.spenders[outpoint] = transaction.txid
            if height == 0:
                continue  # the genesis coinbase can never be spent
            for number, output in enumerate(transaction.outputs):
                self.coins[transaction.txid, number] = Coin(output, height, position == 0)
            self.confirmed[transaction.txid] = height
        bits = int.from_bytes(header[72:76], "little")
        work = (self._blocks[-1].work if self._blocks else 0) + work_of_target(target_from_bits(bits))
        block_hash = sha256d(header)
        self._blocks.append(_Connected(block_hash, header, work, transactions, spent))
        self._heights[block_hash] = height
        return transactions

    def disconnect(self) -> list[Transaction]:
        """Take the best block off; gives its transactions, which may wait for a block again."""
        block = self._blocks.pop()
        del self._heights[block.block_hash]
        for transaction in reversed(block.transactions):
            for number in range(len(transaction.outputs)):
                self.coins.pop((transaction.txid, number), None)
            self.confirmed.pop(transaction.txid, None)
        for outpoint in block.spent:
            del self.spenders[outpoint]
        made_here = {transaction.txid for transaction in block.transactions}
        self.coins |= {point: coin for point, coin in block.spent.items() if point[0] not in made_here}
        return block.transactions


def _time(header: bytes) -> int:
    return int.from_bytes(header[68:72], "little")
