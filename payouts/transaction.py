"""What a payment's transaction is made of: coins, outputs, and what they weigh, cost and must not fall below.

Fee rates are integers, satoshis per 1,000 virtual bytes (what nodes call a feerate, times 10^8).
"""

from collections.abc import Iterable, Sequence

import msgspec

SIGNATURE_BYTES = 72  # DER with a low S, at most 71, and the hash type; half of them are one shorter
KEY_BYTES = 33
_INPUT_BYTES = 36 + 4 + 1  # outpoint, sequence, length of the script
_KEY_WITNESS = 1 + 1 + SIGNATURE_BYTES + 1 + KEY_BYTES  # item count, and two items with their lengths

MOST_STANDARD_WEIGHT = 400_000
# MAX_STANDARD_TX_WEIGHT of Core's policy: nodes do not relay more.

DUST_RATE_FACTOR = 30
# Dust is reckoned at a rate of its own that no RPC tells: 30,000 satoshis per kB in Litecoin Core with a
# relay fee of 1,000; 3,000 in Bitcoin Core with 1,000 up to version 29 and 100 since. Thirty times the relay
# fee is right for the first and the last and only too careful for the other.


class Outpoint(msgspec.Struct, frozen=True, order=True):
    """An output by its transaction's id (displayed hex) and its position."""

    txid: str
    output: int


class Spent(msgspec.Struct, frozen=True, order=True):
    """An output that a transaction of ours spends, and what it holds."""

    outpoint: Outpoint
    sats: int


class Coin(msgspec.Struct, frozen=True, kw_only=True):
    """An output of the wallet that may be spent. `redeem_script` where the script is a hash of one."""

    outpoint: Outpoint
    sats: int
    script: bytes
    confirmations: int
    redeem_script: bytes = b""


class Output(msgspec.Struct, frozen=True):
    """An address, the script that the node says it stands for, and an amount."""

    address: str
    script: bytes
    sats: int


def input_weight(coin: Coin) -> int | None:
    """Weight units that spending the coin adds, at most; None for kinds of scripts not known here."""
    script, redeem = coin.script, coin.redeem_script
    if script[:2] == b"\x00\x14" and len(script) == 22:
        return 4 * _INPUT_BYTES + _KEY_WITNESS
    if script[:2] == b"\x51\x20" and len(script) == 34:
        return 4 * _INPUT_BYTES + 1 + 1 + 65  # one Schnorr signature with its hash type
    if script[:2] == b"\xa9\x14" and redeem[:2] == b"\x00\x14" and len(redeem) == 22:
        return 4 * (_INPUT_BYTES + 1 + 22) + _KEY_WITNESS
    # The last byte of these is an empty witness, needed when another input of the transaction has one.
    if script[:3] == b"\x76\xa9\x14" and len(script) == 25:
        return 4 * (_INPUT_BYTES + 1 + SIGNATURE_BYTES + 1 + KEY_BYTES) + 1
    if script[-1:] == b"\xac" and len(script) in (35, 67):  # pay to public key
        return 4 * (_INPUT_BYTES + 1 + SIGNATURE_BYTES) + 1
    return None


def output_weight(script: bytes) -> int:
    """Weight units of an output with this script."""
    return 4 * (8 + _count_size(len(script)) + len(script))


def transaction_weight(input_weights: Sequence[int], scripts: Iterable[bytes]) -> int:
    """Weight units of a whole transaction with a witness: version, counts, lock time, marker and flag."""
    outputs = [output_weight(script) for script in scripts]
    frame = 4 * (4 + _count_size(len(input_weights)) + _count_size(len(outputs)) + 4) + 2
    return frame + sum(input_weights) + sum(outputs)


def fee_for(weight: int, sats_per_kvb: int) -> int:
    """Satoshis for a transaction of this weight, rounded up as nodes round its virtual size."""
    virtual_bytes = -(-weight // 4)
    return -(-virtual_bytes * sats_per_kvb // 1000)


def dust_sats(script: bytes, dust_sats_per_kvb: int) -> int:
    """The least that an output with this script may hold to be relayed (GetDustThreshold in Core's policy):
    what it costs to make and to spend it. An output of exactly this much is no dust."""
    output_bytes = 8 + _count_size(len(script)) + len(script)
    spending_bytes = 32 + 4 + 1 + 107 // 4 + 4 if _is_witness_program(script) else 32 + 4 + 1 + 107 + 4
    return -(-(output_bytes + spending_bytes) * dust_sats_per_kvb // 1000)


def _is_witness_program(script: bytes) -> bool:
    return (
        4 <= len(script) <= 42
        and (script[0] == 0 or 0x51 <= script[0] <= 0x60)
        and script[1] == len(script) - 2
    )


def _count_size(number: int) -> int:
    return 1 if number < 0xFD else 3 if number <= 0xFFFF else 5
