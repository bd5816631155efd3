"""A block's bytes → its coinbase without the witness, as it is hashed into the txid and kept in accounts."""

from stratum.work.transaction import read_compact_size

HEADER_BYTES = 80
_OUTPOINT_BYTES, _SEQUENCE_BYTES, _VALUE_BYTES, _LOCK_TIME_BYTES = 36, 4, 8, 4
_MARKER_AND_FLAG = b"\x00\x01"  # BIP 141


def coinbase_of(block: bytes) -> bytes:
    """The first transaction, BIP 141's parts left out. Raises ValueError for bytes that hold none."""
    try:
        _, start = read_compact_size(block, HEADER_BYTES)
        body = start + 4
        has_witness = block[body : body + 2] == _MARKER_AND_FLAG
        if has_witness:
            body += 2
        end = _behind_outputs(block, body)
        lock_time = _behind_witness(block, end) if has_witness else end
        block[lock_time + _LOCK_TIME_BYTES - 1]  # is it there?
    except IndexError:
        raise ValueError("the block ends within its coinbase") from None
    return block[start : start + 4] + block[body:end] + block[lock_time : lock_time + _LOCK_TIME_BYTES]


def _behind_outputs(block: bytes, position: int) -> int:
    inputs, position = read_compact_size(block, position)
    if inputs != 1:
        raise ValueError(f"its first transaction has {inputs} inputs, and is no coinbase")
    length, position = read_compact_size(block, position + _OUTPOINT_BYTES)
    outputs, position = read_compact_size(block, position + length + _SEQUENCE_BYTES)
    for _ in range(outputs):
        length, position = read_compact_size(block, position + _VALUE_BYTES)
        position += length
    return position


def _behind_witness(block: bytes, position: int) -> int:
    items, position = read_compact_size(block, position)
    for _ in range(items):
        length, position = read_compact_size(block, position)
        position += length
    return position
