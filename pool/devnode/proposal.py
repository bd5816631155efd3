"""What would become of a block if it had its work (BIP 23, mode `proposal`), in the order of Core's checks.

The engine offers its own test of a block only as far as that needs no chain. So the rules that do are written
here, and the engine still runs every script. Not counted are signature operations inside of scripts that
stand for their hash (P2SH, P2WSH); the engine counts them when the block is submitted.
"""

from collections.abc import Sequence

from pool.devnode.kernel import Kernel, Undecodable
from pool.devnode.ledger import MATURITY, Coin, Ledger
from pool.devnode.locks import is_final, is_old_enough
from pool.devnode.parsing import Outpoint, Transaction, Unparsable, parse_block
from pool.devnode.template import REGTEST_BITS, SIGOP_LIMIT, WEIGHT_LIMIT, subsidy_sats
from stratum.work.hashing import sha256d
from stratum.work.merkle import merkle_root
from stratum.work.script import WITNESS_COMMITMENT_HEADER, legacy_sigops, push_height

OLDEST_VERSION = 4  # BIPs 34, 66 and 65 are in force from the first block of regtest
MOST_AHEAD_SECONDS = 7200  # MAX_FUTURE_BLOCK_TIME
_HEADER_BYTES = 80
_COMMITMENT_BYTES = len(WITNESS_COMMITMENT_HEADER) + 32
_REJECTED = "rejected"  # BIP 22's word where there is no better one


def proposal_refusal(raw: bytes, kernel: Kernel, ledger: Ledger, now: int) -> str | None:
    """None where the block would be taken, else Core's reason. Changes nothing. Raises Undecodable."""
    kernel.check_decodable(raw)
    try:
        header, transactions = parse_block(raw)
    except Unparsable as error:
        raise Undecodable from error
    if not transactions:
        raise Undecodable
    block_hash = sha256d(header)
    if kernel.header_and_height(block_hash) is not None:
        return "duplicate" if ledger.height_of(block_hash) is not None else "duplicate-inconclusive"
    if header[4:36] != ledger.tip:
        return "inconclusive-not-best-prevblk"
    return (
        _header_refusal(header, ledger, now)
        or _content_refusal(raw, header, transactions, kernel)
        or _place_refusal(transactions, ledger)
        or _Spending(kernel, ledger).refusal(transactions)
    )


def _header_refusal(header: bytes, ledger: Ledger, now: int) -> str | None:
    version = int.from_bytes(header[:4], "little", signed=True)
    time = int.from_bytes(header[68:72], "little")
    if int.from_bytes(header[72:76], "little") != REGTEST_BITS:
        return "bad-diffbits"
    if time <= ledger.median_time():
        return "time-too-old"
    if time > now + MOST_AHEAD_SECONDS:
        return "time-too-new"
    if version < OLDEST_VERSION:
        return f"bad-version(0x{version & 0xFFFFFFFF:08x})"
    return None


def _content_refusal(
    raw: bytes, header: bytes, transactions: Sequence[Transaction], kernel: Kernel
) -> str | None:
    """What can be said of a block by itself."""
    txids = [transaction.txid for transaction in transactions]
    if merkle_root(txids) != header[36:68]:
        return "bad-txnmrklroot"
    if len(set(txids)) != len(txids):
        return "bad-txns-duplicate"
    if not transactions[0].is_coinbase:
        return "bad-cb-missing"
    stripped_bytes = len(raw) - sum(len(one.raw) - one.stripped_bytes for one in transactions)
    if 4 * stripped_bytes > WEIGHT_LIMIT:
        return "bad-blk-length"
    if 4 * sum(_legacy_sigops(transaction) for transaction in transactions) > SIGOP_LIMIT:
        return "bad-blk-sigops"
    return None if kernel.is_sound(raw) else _REJECTED


def _place_refusal(transactions: Sequence[Transaction], ledger: Ledger) -> str | None:
    """What depends on the block's height and on the blocks below it."""
    height = ledger.height + 1
    if not all(is_final(transaction, height, ledger.median_time()) for transaction in transactions):
        return "bad-txns-nonfinal"
    if not transactions[0].script_sigs[0].startswith(push_height(height)):
        return "bad-cb-height"
    refusal = _witness_refusal(transactions)
    if refusal is not None:
        return refusal
    count_bytes = 1 if len(transactions) < 0xFD else 3 if len(transactions) <= 0xFFFF else 5
    weight = 4 * (_HEADER_BYTES + count_bytes) + sum(transaction.weight for transaction in transactions)
    return "bad-blk-weight" if weight > WEIGHT_LIMIT else None


def _witness_refusal(transactions: Sequence[Transaction]) -> str | None:
    """BIP 141: the coinbase's last commitment, and the reserved value in its witness."""
    commitments = [
        output.script
        for output in transactions[0].outputs
        if output.script.startswith(WITNESS_COMMITMENT_HEADER) and len(output.script) >= _COMMITMENT_BYTES
    ]
    if not commitments:
        return "unexpected-witness" if any(any(one.witnesses) for one in transactions) else None
    witness = transactions[0].witnesses[0]
    if len(witness) != 1 or len(witness[0]) != 32:
        return "bad-witness-nonce-size"
    root = merkle_root([bytes(32), *(transaction.witness_txid for transaction in transactions[1:])])
    promised = commitments[-1][len(WITNESS_COMMITMENT_HEADER) : _COMMITMENT_BYTES]
    return None if sha256d(root + witness[0]) == promised else "bad-witness-merkle-match"


class _Spending:
    """The block's transactions one after another: what they spend, and what is left for the coinbase."""

    def __init__(self, kernel: Kernel, ledger: Ledger) -> None:
        self._kernel = kernel
        self._ledger = ledger
        self._height = ledger.height + 1
        self._made: dict[Outpoint, Coin] = {}
        self._spent: set[Outpoint] = set()
        self._fees_sats = 0

    def refusal(self, transactions: Sequence[Transaction]) -> str | None:
        for position, transaction in enumerate(transactions):
            refusal = self._spend(transaction) if position > 0 else None
            if refusal is not None:
                return refusal
            for number, output in enumerate(transaction.outputs):
                self._made[transaction.txid, number] = Coin(output, self._height, position == 0)
        paid_sats = sum(output.value_sats for output in transactions[0].outputs)
        return "bad-cb-amount" if paid_sats > subsidy_sats(self._height) + self._fees_sats else None

    def _spend(self, transaction: Transaction) -> str | None:
        spent: list[Coin] = []
        for outpoint in transaction.inputs:
            coin = self._made.get(outpoint) or self._ledger.coins.get(outpoint)
            if coin is None or outpoint in self._spent:
                return "bad-txns-inputs-missingorspent"
            if coin.is_coinbase and self._height - coin.height < MATURITY:
                return "bad-txns-premature-spend-of-coinbase"
            self._spent.add(outpoint)
            spent.append(coin)
        fee_sats = sum(coin.output.value_sats for coin in spent) - sum(
            output.value_sats for output in transaction.outputs
        )
        if fee_sats < 0:
            return "bad-txns-in-belowout"
        if not is_old_enough(transaction, [coin.height for coin in spent], self._ledger):
            return "bad-txns-nonfinal"
        self._fees_sats += fee_sats
        outputs = [(coin.output.value_sats, coin.output.script) for coin in spent]
        for number in range(len(outputs)):
            failure = self._kernel.verify_input(transaction.raw, number, outputs)
            if failure is not None:
                return f"block-script-verify-flag-failed ({failure})"
        return None


def _legacy_sigops(transaction: Transaction) -> int:
    scripts = [*transaction.script_sigs, *(output.script for output in transaction.outputs)]
    return sum(legacy_sigops(script) for script in scripts)
