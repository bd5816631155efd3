"""New tips of the chain as a gateway saw them come and passed them on; values only."""

import msgspec

from stratum.server import FanOut


class Tip(msgspec.Struct, frozen=True):
    """A new tip of the chain: when it was first heard of, and when its template came (loop seconds)."""

    height: int
    previous_hash: bytes
    heard_at: float
    template_at: float


class ToldTip(msgspec.Struct, frozen=True):
    """A tip that every miner was sent work on."""

    tip: Tip
    fan_out: FanOut
