"""The board: what all gateways' frames show together, kept up to date; pure, without clock and files.

It owns each gateway's newest readings, the pool's hashrate over four windows and the effort of the round.
Times are Unix seconds. Frames that are missing leave a hole, and windows do not age in it. Whether a gateway
lives is judged by when its frames were heard, not by their dates: the clock that dates them and the one that
is asked may differ by what somebody has set the wall clock by.
"""

from collections.abc import Iterable

import msgspec

from pool.farm.hashrate import Rate, RateWindowState
from pool.farm.observation import Observation
from pool.farm.rate_windows import RateWindows
from pool.gateway.numbers import Series
from pool.instruments.round import Round
from pool.spool.dictionary import UnknownNumber
from pool.spool.records import Closing, Readings
from pool.spool.tail import Delivery

BEHIND_SECONDS = 5.0
# A gateway shows a frame each second, and says a second later that it is synced. One that is further behind
# has stopped, and time goes on without it.

GONE_SECONDS = 86_400.0  # without a frame, long enough for somebody to miss what was not taken away


class GatewayState(msgspec.Struct):
    """One gateway as its frames show it: the newest is dated `at` and was heard at `heard_at`. `readings` are
    of its process, whose epoch that is."""

    epoch: str
    at: float
    heard_at: float
    is_closed: bool = False
    readings: dict[Series, float] = {}

    @property
    def has_work(self) -> bool:
        """Whether some node gives it work for its miners."""
        return self.readings.get(("has_work", ()), 0.0) > 0


class BoardState(msgspec.Struct, frozen=True):
    """All that a board is, for the next process."""

    observed_at: float
    hole_seconds: float
    windows: dict[str, RateWindowState]
    round: Round
    gateways: dict[str, GatewayState]


class Board:
    """Made empty at a time, or from an earlier one's state."""

    def __init__(self, now: float) -> None:
        self.gateways: dict[str, GatewayState] = {}
        self.round = Round()
        self._hole_seconds = 0.0
        self._observed_at = now
        self._looked_at = now
        self._began_at: float | None = None
        self._windows = RateWindows(now)

    # ------------------------------------------------------------------ in

    def observe(
        self,
        source: str,
        epoch: str,
        deliveries: Iterable[Delivery],
        *,
        is_after_gap: bool,
        heard_at: float | None = None,
    ) -> Iterable[Observation]:
        """Take frames of one gateway in their order; each frame's shares and refusals by machine come out.
        They were just written and heard now, `heard_at`; None: they had waited to be read."""
        for delivery in deliveries:
            at = delivery.frame.at_us / 1e6
            state = self._gateway(source, epoch, at)
            if is_after_gap:
                self._hole_seconds += max(0.0, at - state.at)
                is_after_gap = False
            state.at = at
            state.heard_at = max(state.heard_at, at) if heard_at is None else heard_at
            observation = Observation(at - self._hole_seconds)
            for record in delivery.frame.records:
                try:
                    observation.take(record, delivery.dictionary)
                    self._take(record, delivery, state)
                except UnknownNumber:  # defined in a frame that is missing
                    continue
            observation.has_work = state.has_work
            self._count(observation)
            yield observation

    def is_new(self, source: str, epoch: str) -> bool:
        """Whether this is another process of a gateway that is known."""
        state = self.gateways.get(source)
        return state is not None and state.epoch != epoch

    def _gateway(self, source: str, epoch: str, at: float) -> GatewayState:
        state = self.gateways.get(source)
        if state is None or state.epoch != epoch:
            state = self.gateways[source] = GatewayState(epoch, at, at, readings={})
        return state

    def _take(self, record: object, delivery: Delivery, state: GatewayState) -> None:
        if isinstance(record, Readings):
            for number, value in zip(record.instruments, record.values, strict=False):
                instrument = delivery.dictionary.instrument(number)
                state.readings[instrument.name, instrument.labels] = value
        elif isinstance(record, Closing):  # an empty frame follows, which says that this one is synced
            state.is_closed = True

    def _count(self, observation: Observation) -> None:
        """A candidate's own share belongs to the round that it ends."""
        self.round.worked(observation.effort)
        for block_hash in observation.candidates:
            self.round.found(block_hash)
        if observation.work:
            self._windows.add(observation.at, observation.work, observation.work_squared)

    def looked(self, now: float) -> None:
        """All that was to be read at `now` was taken. Where nothing is heard, time goes on as it passes; a
        process that begins waits for what it may hear."""
        if self._began_at is None:
            self._began_at = now
        for state in self.gateways.values():  # a date may lie ahead where somebody has set a clock back
            state.heard_at = min(state.heard_at, now)
        open_ones = [state for state in self.gateways.values() if not state.is_closed]
        heard = [state.at for state in open_ones if now - state.heard_at < BEHIND_SECONDS]
        if not heard and now - self._began_at < BEHIND_SECONDS:
            return
        seen = min(heard, default=self._observed_at + max(0.0, now - self._looked_at))
        self._observed_at, self._looked_at = max(self._observed_at, seen), now

    # ------------------------------------------------------------------ out

    @property
    def now(self) -> float:
        """Until when everything is known, in the time that windows age in."""
        return self._observed_at - self._hole_seconds

    @property
    def missing_seconds(self) -> float:
        """How far that time is behind Unix time: frames that are missing."""
        return self._hole_seconds

    def rates(self) -> dict[str, Rate]:
        """The pool's hashrate by window."""
        return self._windows.estimates(self.now)

    def is_up(self, source: str, now: float) -> bool:
        """Whether a gateway has shown a frame lately."""
        state = self.gateways.get(source)
        return state is not None and not state.is_closed and now - state.heard_at < 2 * BEHIND_SECONDS

    def record_times(self, now: float) -> dict[str, float]:
        """What each gateway's clock shows now that dates its frames: its last date, and what has passed."""
        return {source: state.at + (now - state.heard_at) for source, state in self.gateways.items()}

    def is_gone(self, source: str, now: float) -> bool:
        """Whether a gateway was taken away: nothing for a day, while another works."""
        return now - self.gateways[source].heard_at >= GONE_SECONDS and bool(self._living(now))

    def reading(self, now: float, name: str, *labels: str) -> list[float]:
        """What this series shows at each gateway that is up and has it."""
        series = (name, labels)
        return [state.readings[series] for state in self._living(now) if series in state.readings]

    def node_troubles(self, now: float) -> dict[str, str | None]:
        """What is wrong with each node as the gateways see it, None where one of them finds it healthy."""
        troubles: dict[str, str | None] = {}
        readings = [entry for state in self._living(now) for entry in state.readings.items()]
        for (name, labels), value in readings:
            if name == "node_trouble" and value:
                troubles.setdefault(labels[0], labels[1])
        for (name, labels), value in readings:
            if name == "node_healthy" and value:
                troubles[labels[0]] = None
        return troubles

    def _living(self, now: float) -> list[GatewayState]:
        return [state for source, state in self.gateways.items() if self.is_up(source, now)]

    # ------------------------------------------------------------------ across processes

    def export(self) -> BoardState:
        return BoardState(
            self._observed_at,
            self._hole_seconds,
            self._windows.export(),
            self.round,
            self.gateways,
        )

    @classmethod
    def restore(cls, state: BoardState) -> "Board":
        board = cls(state.observed_at)
        board._hole_seconds = state.hole_seconds
        board._windows = RateWindows(board.now, state.windows)
        board.round = state.round
        board.gateways = state.gateways
        return board
