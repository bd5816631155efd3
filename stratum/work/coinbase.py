"""The coinbase transaction, split around the extranonces; its size, weight and signature operations.

The script is: height (BIP 34), the template's flags if it has any, the tag as one push, and one push that
holds epoch, salt, extranonce1 and extranonce2 together. Within a push no byte is an opcode, so that no
random 0xac is counted as a signature operation: F2Pool lost two blocks to three sigops too many.
"""

from collections.abc import Sequence

import msgspec

from stratum.work.script import WITNESS_COMMITMENT_HEADER, legacy_sigops, push_data, push_height
from stratum.work.template import LONGEST_FLAGS, Template
from stratum.work.transaction import Output, read_compact_size, serialise_outputs

MAXIMUM_SCRIPT_BYTES = 100  # consensus: 2 to 100
_VERSION = (2).to_bytes(4, "little")
_NULL_OUTPOINT = bytes(32) + b"\xff\xff\xff\xff"
# BIP 54: a lock time of the height before, and a sequence that makes it count: no coinbase repeats another.
_SEQUENCE = b"\xfe\xff\xff\xff"
_WITNESS_BYTES = 2 + 34  # marker and flag; one item of 32 bytes
_LONGEST_PLAIN_PUSH = 75
_HIGHEST_HEIGHT = 0x7FFFFFFF
_SIGOP_COST = 4  # a legacy operation costs four in the block's budget since BIP 141


class Coinbase(msgspec.Struct, frozen=True):
    """The non-witness serialisation before extranonce1 and after extranonce2."""

    prefix: bytes
    suffix: bytes


class CoinbaseCost(msgspec.Struct, frozen=True):
    """What a coinbase takes of its block, and of a miner's buffer (`size_bytes`, non-witness,
    extranonces included)."""

    size_bytes: int
    weight: int
    sigop_cost: int


class CoinbaseTooLarge(ValueError):
    """The script would be longer than consensus allows; `script_bytes` says how long."""

    def __init__(self, script_bytes: int) -> None:
        super().__init__(
            f"the coinbase script would have {script_bytes} bytes; {MAXIMUM_SCRIPT_BYTES} are allowed"
        )
        self.script_bytes = script_bytes


def build_coinbase(
    template: Template, outputs: Sequence[Output], *, tag: bytes, uniqueness: bytes, extranonce_bytes: int
) -> Coinbase:
    """The coinbase that pays `outputs`, which must sum to the template's value exactly.

    `uniqueness` is epoch and salt, `extranonce_bytes` what the miner's side fills in. Raises ValueError for
    a wrong sum and CoinbaseTooLarge for too long a script; both are settled when settings are read, so that
    here they are bugs.
    """
    total_sats = sum(output.value_sats for output in outputs)
    if total_sats != template.coinbase_value_sats:
        raise ValueError(f"outputs sum to {total_sats} sats, the reward is {template.coinbase_value_sats}")
    head = push_height(template.height)
    if template.coinbase_flags:
        head += push_data(template.coinbase_flags)
    if tag:
        head += push_data(tag)
    # the push's length byte counts bytes that only the miner knows; above 75 it would be another opcode
    if len(uniqueness) + extranonce_bytes > _LONGEST_PLAIN_PUSH:
        raise ValueError(f"{len(uniqueness)} + {extranonce_bytes} bytes are more than one plain push holds")
    head += bytes((len(uniqueness) + extranonce_bytes,)) + uniqueness
    script_bytes = len(head) + extranonce_bytes
    if script_bytes > MAXIMUM_SCRIPT_BYTES:
        raise CoinbaseTooLarge(script_bytes)
    if template.witness_commitment is not None:
        outputs = [*outputs, Output(value_sats=0, script=template.witness_commitment)]
    lock_time = (template.height - 1 if template.height > 0 else 0).to_bytes(4, "little")
    return Coinbase(
        prefix=_VERSION + b"\x01" + _NULL_OUTPOINT + bytes((script_bytes,)) + head,
        suffix=_SEQUENCE + serialise_outputs(outputs) + lock_time,
    )


def longest_script_bytes(tag: bytes, uniqueness_bytes: int, extranonce_bytes: int) -> int:
    """How long a script with this tag can ever get: at the greatest height, with the longest flags."""
    tag_push = len(push_data(tag)) if tag else 0
    flags_push = len(push_data(bytes(LONGEST_FLAGS)))
    return len(push_height(_HIGHEST_HEIGHT)) + flags_push + tag_push + 1 + uniqueness_bytes + extranonce_bytes


def coinbase_cost(coinbase: Coinbase, extranonce_bytes: int, *, has_witness: bool) -> CoinbaseCost:
    """What the coinbase of this job takes, whatever the extranonces turn out to be."""
    size_bytes = len(coinbase.prefix) + extranonce_bytes + len(coinbase.suffix)
    sigops = legacy_sigops(worst_script(coinbase, extranonce_bytes))
    sigops += sum(legacy_sigops(output.script) for output in decode_outputs(coinbase))
    return CoinbaseCost(
        size_bytes=size_bytes,
        weight=4 * size_bytes + (_WITNESS_BYTES if has_witness else 0),
        sigop_cost=_SIGOP_COST * sigops,
    )


def decode_outputs(coinbase: Coinbase) -> list[Output]:
    """The outputs, read back from the bytes that miners hash."""
    outputs: list[Output] = []
    position = len(_SEQUENCE)
    count, position = read_compact_size(coinbase.suffix, position)
    for _ in range(count):
        value_sats = int.from_bytes(coinbase.suffix[position : position + 8], "little")
        length, position = read_compact_size(coinbase.suffix, position + 8)
        outputs.append(Output(value_sats=value_sats, script=coinbase.suffix[position : position + length]))
        position += length
    return outputs


def worst_script(coinbase: Coinbase, extranonce_bytes: int) -> bytes:
    """The input script, with the worst bytes that a miner could choose."""
    before_script = len(_VERSION) + 1 + len(_NULL_OUTPOINT) + 1
    return coinbase.prefix[before_script:] + b"\xac" * extranonce_bytes


def outputs_of_transaction(coinbase: bytes) -> list[tuple[bytes, int]]:
    """(script, sats) of every output of a whole coinbase transaction (non-witness serialisation), in order;
    the witness commitment, which pays nobody, is left out."""
    script_at = len(_VERSION) + 1 + len(_NULL_OUTPOINT)
    length, position = read_compact_size(coinbase, script_at)
    outputs = decode_outputs(Coinbase(prefix=b"", suffix=coinbase[position + length :]))
    return [
        (output.script, output.value_sats)
        for output in outputs
        if output.value_sats or not output.script.startswith(WITNESS_COMMITMENT_HEADER)
    ]
