"""Transaction serialisation, as much as a coinbase and a block need; it validates nothing."""

from collections.abc import Sequence

import msgspec

_SEGWIT_FLAG = 0x01
_MWEB_FLAG = 0x08


class Output(msgspec.Struct, frozen=True):
    """An amount and the script that may spend it."""

    value_sats: int
    script: bytes


def compact_size(number: int) -> bytes:
    """Bitcoin's variable-length count."""
    if number < 0xFD:
        return bytes((number,))
    if number <= 0xFFFF:
        return b"\xfd" + number.to_bytes(2, "little")
    if number <= 0xFFFFFFFF:
        return b"\xfe" + number.to_bytes(4, "little")
    return b"\xff" + number.to_bytes(8, "little")


def read_compact_size(data: bytes, position: int) -> tuple[int, int]:
    """A variable-length count at a position, and the position behind it."""
    first = data[position]
    if first < 0xFD:
        return first, position + 1
    width = 2 << (first - 0xFD)
    return int.from_bytes(data[position + 1 : position + 1 + width], "little"), position + 1 + width


def serialise_outputs(outputs: Sequence[Output]) -> bytes:
    """Their count, and each output."""
    parts = [compact_size(len(outputs))]
    for output in outputs:
        parts += (output.value_sats.to_bytes(8, "little"), compact_size(len(output.script)), output.script)
    return b"".join(parts)


def is_hogex(raw: bytes) -> bool:
    """Whether this is litecoin's integrating transaction: flag 0x08 and nothing behind it (LIP 3)."""
    return raw[4:6] == bytes((0, _MWEB_FLAG))


def with_witness(coinbase: bytes) -> bytes:
    """A non-witness coinbase with BIP 141's marker and flag, and its one witness item of 32 zero bytes."""
    return coinbase[:4] + bytes((0, _SEGWIT_FLAG)) + coinbase[4:-4] + b"\x01\x20" + bytes(32) + coinbase[-4:]
