"""Work as two integer columns, `high` × 2^32 + `low`: any hashrate fits, and SQL may sum each. Pure."""

_LOW_BITS = 32
_LOW_MASK = (1 << _LOW_BITS) - 1


def columns(work: int) -> tuple[int, int]:
    """(high, low) of an amount of work, expected hashes."""
    return work >> _LOW_BITS, work & _LOW_MASK


def joined(high: int, low: int) -> int:
    """The work of two columns, or of their sums: `low` may have grown beyond 32 bits."""
    return (high << _LOW_BITS) + low
