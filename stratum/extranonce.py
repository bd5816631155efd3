"""Unique extranonce1 values of one gateway: 8 bits of gateway, 24 of counter; it owns which are in use."""

COUNTER_VALUES = 1 << 24
EXTRANONCE1_BYTES = 4


class ExtranonceCounter:
    """Hands out extranonce1 values, each to one holder at a time.

    A value counts as held until `release`: while its session lives, while it is parked for a resume, and as
    long as a job that it was used with can still be submitted to. miningcore's counter rolls over without
    looking; two miners then do the same work and one of them is paid for duplicates.
    """

    __slots__ = ("_gateway", "_held", "_next")

    def __init__(self, gateway: int, start: int) -> None:
        if not 0 <= gateway <= 0xFF:
            raise ValueError(f"a gateway number is 0 to 255, not {gateway}")
        self._gateway = gateway
        self._next = start % COUNTER_VALUES
        self._held: set[int] = set()

    @property
    def next_value(self) -> int:
        """Where the counter stands: what a successor starts from, or behind."""
        return self._next

    def take(self) -> bytes | None:
        """The next free value, 4 bytes; None where all 2^24 are held (the caller refuses the connection)."""
        if len(self._held) == COUNTER_VALUES:
            return None
        while self._next in self._held:
            self._next = (self._next + 1) % COUNTER_VALUES
        value = self._next
        self._held.add(value)
        self._next = (value + 1) % COUNTER_VALUES
        return bytes((self._gateway,)) + value.to_bytes(3, "big")

    def release(self, extranonce1: bytes) -> None:
        """Give a value back; one that is not held is a bug of the caller and raises KeyError."""
        self._held.remove(int.from_bytes(extranonce1[1:], "big"))
