"""Whether a machine is connected, and when it counts as off; no shares, no state."""

import math

# Firmware connects again within seconds of losing its connection; cgminer's first try comes after 5 s.
RECONNECT_GRACE_SECONDS = 15.0


class Presence:
    """A machine's connections.

    off_at   from then on it counts as off, if nothing happens before; infinite while it is connected
    left_at  when its last connection ended, or when it was first expected to connect
    """

    __slots__ = ("connected_since", "connections", "left_at", "off_at")

    def __init__(self, since: float, grace_seconds: float) -> None:
        self.connections = 0
        self.connected_since: float | None = None
        self.left_at = since
        self.off_at = since + grace_seconds

    def joined(self, at: float) -> bool:
        """One connection more; True where the machine had been off."""
        was_off = at >= self.off_at
        if self.connections == 0:
            self.connected_since = at
        self.connections += 1
        self.off_at = math.inf
        return was_off

    def left(self, at: float, patient_until: float) -> None:
        """One connection less; one that starts up is not off before `patient_until`."""
        self.connections = max(0, self.connections - 1)
        if self.connections == 0:
            self.connected_since = None
            self.left_at = at
            self.off_at = max(at + RECONNECT_GRACE_SECONDS, patient_until)

    def expect(self, at: float, grace_seconds: float) -> None:
        """From `at` on it should be connected, where it is not already."""
        self.left_at = at
        if self.connections == 0:
            self.off_at = at + grace_seconds
