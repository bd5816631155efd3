"""The getblocktemplate answer (BIP 22, 23, 145) from the chain and the mempool. A value in, a value out."""

from collections.abc import Iterable
from typing import Any

from pool.devnode.ledger import Ledger
from pool.devnode.waiting import Waiting
from stratum.work.byteorder import displayed
from stratum.work.difficulty import target_from_bits
from stratum.work.hashing import sha256d
from stratum.work.merkle import merkle_root
from stratum.work.script import witness_commitment_script

REGTEST_BITS = 0x207FFFFF
_SUBSIDY_SATS = 50 * 100_000_000
_HALVING_BLOCKS = 150
_VERSION = 0x20000000
WEIGHT_LIMIT = 4_000_000
SIGOP_LIMIT = 80_000
_COINBASE_WEIGHT = 8_000  # Core's reserve since 29
_COINBASE_SIGOPS = 400


def subsidy_sats(height: int) -> int:
    """What a regtest block creates."""
    halvings = height // _HALVING_BLOCKS
    return _SUBSIDY_SATS >> halvings if halvings < 64 else 0


def block_template(
    ledger: Ledger, waiting: Iterable[Waiting], now: int, target: int | None, longpoll_id: str
) -> dict[str, Any]:
    """The answer's members. `target` is stricter than the bits, or None for theirs; `now` in unix seconds."""
    height = ledger.height + 1
    minimum_time = ledger.median_time() + 1
    chosen = list(_fitting(waiting))
    return {
        "capabilities": ["proposal"],
        "version": _VERSION,
        "rules": ["csv", "!segwit", "taproot"],
        "vbavailable": {},
        "vbrequired": 0,
        "previousblockhash": displayed(ledger.tip),
        "transactions": _transactions(chosen),
        "coinbaseaux": {},
        "coinbasevalue": subsidy_sats(height) + sum(entry.fee_sats for entry in chosen),
        "longpollid": longpoll_id,
        "target": f"{target if target is not None else target_from_bits(REGTEST_BITS):064x}",
        "mintime": minimum_time,
        "mutable": ["time", "transactions", "prevblock"],
        "noncerange": "00000000ffffffff",
        "sigoplimit": SIGOP_LIMIT,
        "sizelimit": WEIGHT_LIMIT,
        "weightlimit": WEIGHT_LIMIT,
        "curtime": max(now, minimum_time),
        "bits": f"{REGTEST_BITS:08x}",
        "height": height,
        "default_witness_commitment": _commitment(chosen).hex(),
    }


def _fitting(waiting: Iterable[Waiting]) -> Iterable[Waiting]:
    """In the mempool's order, parents first, as far as weight and sigops reach;
    a child whose parent is out is out."""
    weight, sigops = _COINBASE_WEIGHT, _COINBASE_SIGOPS
    left_out: set[bytes] = set()
    for entry in waiting:
        transaction = entry.transaction
        is_orphan = any(outpoint[0] in left_out for outpoint in transaction.inputs)
        fits = weight + transaction.weight <= WEIGHT_LIMIT and sigops + entry.sigop_cost <= SIGOP_LIMIT
        if is_orphan or not fits:
            left_out.add(transaction.txid)
            continue
        weight += transaction.weight
        sigops += entry.sigop_cost
        yield entry


def _transactions(chosen: list[Waiting]) -> list[dict[str, Any]]:
    places = {entry.transaction.txid: number for number, entry in enumerate(chosen, 1)}
    return [
        {
            "data": entry.transaction.raw.hex(),
            "txid": displayed(entry.transaction.txid),
            "hash": displayed(entry.transaction.witness_txid),
            "depends": sorted({places[o[0]] for o in entry.transaction.inputs if o[0] in places}),
            "fee": entry.fee_sats,
            "sigops": entry.sigop_cost,
            "weight": entry.transaction.weight,
        }
        for entry in chosen
    ]


def _commitment(chosen: list[Waiting]) -> bytes:
    root = merkle_root([bytes(32)] + [entry.transaction.witness_txid for entry in chosen])
    return witness_commitment_script(sha256d(root + bytes(32)))
