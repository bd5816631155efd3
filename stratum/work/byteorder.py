"""The three orders a block's hash is written in: internal, displayed, and a notify line's.

internal    as the bytes stand in a serialised header; what variables without a suffix hold
displayed   all 32 bytes reversed, hex: RPC answers and explorers
notify      each 4-byte word of the internal order reversed, hex: what `mining.notify` has carried since 2012
"""

HASH_BYTES = 32
_WORD_BYTES = 4


def from_displayed(text: str) -> bytes:
    """Internal bytes of a displayed hash. Raises ValueError for anything but 64 hex digits."""
    if len(text) != 2 * HASH_BYTES:
        raise ValueError(f"a hash has {2 * HASH_BYTES} hex digits, not {len(text)}")
    data = bytes.fromhex(text)
    if len(data) != HASH_BYTES:  # fromhex skips white space
        raise ValueError("a hash is written without spaces")
    return data[::-1]


def displayed(internal: bytes) -> str:
    """A hash as people and nodes write it."""
    return internal[::-1].hex()


def previous_hash_wire(internal: bytes) -> str:
    """The previous hash as a notify line carries it."""
    words = range(0, HASH_BYTES, _WORD_BYTES)
    return b"".join(internal[start : start + _WORD_BYTES][::-1] for start in words).hex()
