"""Bytes in, lines out: the framing of one connection, with a cap on the line; it knows nothing of JSON.

However the bytes are cut into reads, the same lines come out and the same line is the one that is too long.
"""

from stratum.closing import CloseCause
from stratum.errors import ProtocolViolation

# Every miner read so far builds its requests in buffers of 1 KiB, subscribe and authorize in up to 8 KiB
# (cgminer's RBUFSIZE). ckpool cuts at 1 KiB, p2poolv2 at 8, miningcore at 32, DATUM at 49.
STRANGER_LINE_BYTES = 4096  # nobody has anything long to say before the handshake
MINER_LINE_BYTES = 8192


class LineBuffer:
    """Collects bytes and gives back whole lines, without their terminator."""

    __slots__ = ("_data", "_position", "limit_bytes")

    def __init__(self, limit_bytes: int = STRANGER_LINE_BYTES, partial: bytes = b"") -> None:
        self._data = partial
        self._position = 0
        self.limit_bytes = limit_bytes

    def feed(self, data: bytes) -> None:
        """Append what the transport read."""
        if self._position == len(self._data):
            self._data = data
        else:
            self._data = self._data[self._position :] + data
        self._position = 0

    def next_line(self) -> bytes | None:
        """Give the next whole line, or None where more bytes are needed.

        A lone LF ends a line; a trailing CR stays, since JSON counts it as white space. A CR alone ends
        nothing. Raises ProtocolViolation for a line, finished or not, of more than `limit_bytes`.
        """
        start = self._position
        end = self._data.find(b"\n", start)
        if end < 0:
            if len(self._data) - start > self.limit_bytes:
                raise ProtocolViolation(CloseCause.LINE_TOO_LONG)
            return None
        if end - start > self.limit_bytes:
            raise ProtocolViolation(CloseCause.LINE_TOO_LONG)
        self._position = end + 1
        return self._data[start:end]

    @property
    def pending(self) -> bytes:
        """The bytes not yet given out as lines."""
        return self._data[self._position :]

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, neither a whole line nor a part of one."""
        return self._position == len(self._data)
