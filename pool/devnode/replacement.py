"""Replacing what waits for a block by what pays more (BIP 125): a value in, a refusal or nothing out.

Rules 1, 3, 4 and 5, and Core's own sixth, a higher rate than each that is replaced. Rule 2 Core has given up.
"""

from collections.abc import Sequence

from pool.devnode.parsing import Transaction
from pool.devnode.waiting import Refusal, Waiting, coins_text

INCREMENTAL_SATS_PER_KVB = 100  # DEFAULT_INCREMENTAL_RELAY_FEE of the engine's own version
MOST_REPLACED = 100  # rule 5, MAX_REPLACEMENT_CANDIDATES


def replacement_refusal(
    transaction: Transaction, fee_sats: int, rivals: Sequence[Waiting], leaving: Sequence[Waiting]
) -> Refusal | None:
    """None where it may take their place. `rivals` spend the same coins, `leaving` are they and all that
    spends what they make."""
    if not all(rival.is_replaceable for rival in rivals):
        return Refusal(-26, "txn-mempool-conflict")
    named = f"rejecting replacement {transaction.txid[::-1].hex()}"
    if len(leaving) > MOST_REPLACED:
        text = f"{named}; too many potential replacements ({len(leaving)} > {MOST_REPLACED})"
        return Refusal(-26, "too many potential replacements", text)
    if any(outpoint[0] in {rival.transaction.txid for rival in leaving} for outpoint in transaction.inputs):
        return Refusal(-26, "bad-txns-spends-conflicting-tx")
    for rival in rivals:
        if _is_no_higher_rate(transaction, fee_sats, rival):
            new, old = _rate(transaction, fee_sats), _rate(rival.transaction, rival.fee_sats)
            text = f"{named}; new feerate {coins_text(new)} BTC/kvB <= old feerate {coins_text(old)} BTC/kvB"
            return _insufficient(text)
    leaving_sats = sum(entry.fee_sats for entry in leaving)
    if fee_sats < leaving_sats:
        paid = f"{coins_text(fee_sats)} < {coins_text(leaving_sats)}"
        return _insufficient(f"{named}, less fees than conflicting txs; {paid}")
    relay_sats = -(-transaction.virtual_bytes * INCREMENTAL_SATS_PER_KVB // 1000)
    if fee_sats - leaving_sats < relay_sats:
        paid = f"{coins_text(fee_sats - leaving_sats)} < {coins_text(relay_sats)}"
        return _insufficient(f"{named}, not enough additional fees to relay; {paid}")
    return None


def _insufficient(text: str) -> Refusal:
    return Refusal(-26, "insufficient fee", text)


def _is_no_higher_rate(transaction: Transaction, fee_sats: int, rival: Waiting) -> bool:
    return fee_sats * rival.transaction.virtual_bytes <= rival.fee_sats * transaction.virtual_bytes


def _rate(transaction: Transaction, fee_sats: int) -> int:
    return fee_sats * 1000 // transaction.virtual_bytes
