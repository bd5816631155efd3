"""Whether a transaction's time has come: its lock time, and the age that BIP 68 asks of what it spends."""

from collections.abc import Sequence

from pool.devnode.ledger import Ledger
from pool.devnode.parsing import Transaction

_FIRST_TIME = 500_000_000  # LOCKTIME_THRESHOLD: lock times below it are heights
_FINAL = 0xFFFFFFFF
_NOT_RELATIVE = 1 << 31
_COUNTS_TIME = 1 << 22
_AGE = 0xFFFF
_GRANULARITY = 9  # ages in time are counted in 512 seconds


def is_final(transaction: Transaction, height: int, median_time: int) -> bool:
    """Whether a block at this height, above blocks of this median time (BIP 113), may hold it."""
    limit = height if transaction.lock_time < _FIRST_TIME else median_time
    return transaction.lock_time < limit or all(sequence == _FINAL for sequence in transaction.sequences)


def is_old_enough(transaction: Transaction, coin_heights: Sequence[int], ledger: Ledger) -> bool:
    """BIP 68 for the block above the tip. `coin_heights`: where each input's output was made; of one that is
    unconfirmed, the next height."""
    if transaction.version < 2:
        return True
    return all(
        _has_come(sequence, coin_height, ledger)
        for sequence, coin_height in zip(transaction.sequences, coin_heights, strict=True)
    )


def _has_come(sequence: int, coin_height: int, ledger: Ledger) -> bool:
    if sequence & _NOT_RELATIVE:
        return True
    age = sequence & _AGE
    if not sequence & _COUNTS_TIME:
        return coin_height + age <= ledger.height + 1
    since = ledger.median_time(min(max(coin_height - 1, 0), ledger.height))
    return since + (age << _GRANULARITY) <= ledger.median_time()
