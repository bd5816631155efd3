"""What is said of one machine: its state, the numbers beside it, and what is kept of it over a restart."""

import enum

import msgspec

from pool.farm.exposure import ExposureState
from pool.farm.hashrate import Rate, RateWindowState
from pool.farm.refusals import RefusalsState


class MachineState(enum.Enum):
    """The one state that a machine is in, the first of these that applies; the value is its label.

    What somebody wanted is no fault, whatever else is so: paused. A machine that says nothing cannot be
    judged by what it said: silent. One that has its work refused also delivers less, and the refusals are the
    reason that one can act on: rejecting before low. What is known to be wrong comes before what is not known
    yet."""

    PAUSED = "paused"
    SILENT = "silent"
    REJECTING = "rejecting"
    LOW = "low"
    NEW = "new"
    OK = "ok"


class MachineView(msgspec.Struct, frozen=True, kw_only=True):
    """One machine at one moment. Times are observed seconds, rates hashes per second.

    state_since       of silent: its last share (or when it left, or was first expected); of low: when the
                      loss most likely began; of others: when they were noticed
    never_seen        silent, and has never delivered a share
    expected          what it should do; None while that is not known; `is_learned`: nobody said, it was
                      measured
    delivered         while low: the part of `expected` that came since `state_since`
    refused           the part of all work that was refused over about ten minutes, and the same by reason
    connections       open now; `connected_since` is when the first of them was
    """

    state: MachineState
    state_since: float
    never_seen: bool
    ten_minutes: Rate
    expected: float | None
    is_learned: bool
    delivered: float | None
    refused: float
    refused_by_reason: dict[str, float]
    last_share_at: float | None
    connected_since: float | None
    connections: int


class Glance(msgspec.Struct, frozen=True):
    """The figures of a machine that need no interval: over ten minutes, hashes per second. `refused_work` and
    `all_work` are as their windows hold them: they may be added to other machines' of the same moment."""

    hashes_per_second: float
    expected: float | None
    refused_work: float
    all_work: float
    last_share_at: float | None

    @property
    def refused(self) -> float:
        """The part of all work that was refused."""
        return self.refused_work / self.all_work if self.all_work > 0 else 0.0


class MachineMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What a later process needs to go on. Connections are not in it: they end with the process."""

    since: float
    ten_minutes: RateWindowState
    refusals: RefusalsState
    exposure: ExposureState
    last_share_at: float | None
    silent_since: float | None
    state: MachineState
    state_since: float
