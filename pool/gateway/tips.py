"""New tips of the chain as a gateway saw them come and passed them on; it neither asks nor records."""

from collections import deque
from collections.abc import Iterator, Sequence

import msgspec

from pool.node.nodes import NodeState
from stratum.server import FanOut
from stratum.session import Session

NODES_SECONDS = 10.0  # how long a tip waits to be recorded for nodes that do not have it


class Tip(msgspec.Struct, frozen=True):
    """A new tip of the chain: when it was first heard of, and when its template came (loop seconds)."""

    height: int
    previous_hash: bytes
    heard_at: float
    template_at: float


class ToldTip(msgspec.Struct, frozen=True):
    """A tip that every miner was sent work on: who was when for the first time, in slices, in monotonic
    seconds."""

    tip: Tip
    slices: tuple[tuple[float, list[Session]], ...]

    @classmethod
    def of(cls, tip: Tip, fan_out: FanOut, since: float) -> "ToldTip | None":
        """What an announcement sent before `since` was work on the tip before; None where nobody is left."""
        told: set[Session] = set()
        slices = []
        for at, sessions in fan_out.slices:
            first_told = [one for one in sessions if one not in told] if at >= since else []
            if first_told:
                slices.append((at, first_told))
                told.update(first_told)
        return cls(tip, tuple(slices)) if slices else None


class TipsHeard:
    """When each node had the tips that wait to be recorded. One that has gone on to the next block has had
    the one before."""

    def __init__(self) -> None:
        self._heard: dict[bytes, dict[str, float]] = {}

    def ready(
        self, told: deque[ToldTip], states: Sequence[NodeState], now: float
    ) -> Iterator[tuple[ToldTip, dict[str, float]]]:
        """Takes out of `told` those that every node has, or that have waited long enough, in their order;
        each with when the nodes that have it had it (loop seconds)."""
        waiting = {one.tip.previous_hash for one in told}
        self._heard = {tip: self._heard.get(tip, {}) for tip in waiting}
        for state in states:
            if state.tip in waiting:
                self._heard[state.tip].setdefault(state.name, state.tip_heard_at)
        while told:
            tip = told[0].tip
            heard = self._heard[tip.previous_hash]
            if len(heard) < len(states) and now - tip.heard_at < NODES_SECONDS:
                return
            yield told.popleft(), heard
