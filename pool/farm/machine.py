"""One machine watched over time: events and `now` in, its state and numbers out; no clock, no I/O.

Everything is computed when something happens. Between two events all levels are straight lines in time, so
`next_look_at` says when the state could change at the earliest, and until then `advance` is one comparison.
"""

import math

from pool.farm.exposure import START_GRACE_SECONDS, Exposure, WatchTerms
from pool.farm.hashrate import RateWindow
from pool.farm.machine_state import Glance, MachineMemory, MachineState, MachineView
from pool.farm.presence import Presence
from pool.farm.refusals import Refusals

TEN_MINUTES_SECONDS = 600.0


class MachineWatch:
    """The state of one machine.

    A machine begins expected, not seen: where it is not connected after a grace, it is silent. It is judged
    anew after a pause and after it was off; over a connection that is lost for a moment the tests go on, and
    the time counts, since it costs shares. Silence ends with a share, credited or refused, not with a
    connection.
    """

    __slots__ = (
        "_announced_work",
        "_delivered_work",
        "_exposure",
        "_last_share_at",
        "_paused_since",
        "_presence",
        "_refusals",
        "_silent_since",
        "_since",
        "_ten_minutes",
        "_terms",
        "next_look_at",
        "state",
        "state_since",
    )

    def __init__(
        self,
        terms: WatchTerms,
        since: float,
        expected_hashes_per_second: float | None = None,
        paused_since: float | None = None,
    ) -> None:
        """`expected_hashes_per_second` None: it is learned from the machine itself."""
        self._terms = terms
        self._since = since
        self._ten_minutes = RateWindow(TEN_MINUTES_SECONDS, since)
        self._refusals = Refusals(since)
        self._presence = Presence(since, START_GRACE_SECONDS)
        self._exposure = Exposure(terms, since, expected_hashes_per_second)
        self._announced_work = self._delivered_work = 0.0  # of a share; 0: not known
        self._last_share_at: float | None = None
        self._paused_since = paused_since
        self._silent_since: float | None = None
        self.state = MachineState.NEW
        self.state_since = since
        self.next_look_at = since
        self._settle(since)

    # What happens to it. Each event first takes the time up to it into account.

    def joined(self, at: float) -> None:
        """A connection of it was authorised."""
        self.advance(at)
        if self._presence.joined(at):
            self._begin_anew(at)
        self._settle(at)

    def left(self, at: float) -> None:
        """One of its connections is gone."""
        self.advance(at)
        exposure = self._exposure
        self._presence.left(at, exposure.patient_until if exposure.is_waiting else at)
        self._announced_work = 0.0
        self._settle(at)

    def cut_off(self, at: float, connections: int) -> None:
        """So many connections are gone through no fault of its own: nothing counts until it is back."""
        self.advance(at)
        self._exposure.await_first_share(at)
        for _ in range(connections):
            self._presence.left(at, at + START_GRACE_SECONDS)
        self._announced_work = 0.0
        self._settle(at)

    def difficulty(self, at: float, share_work: float) -> None:
        """A job of another difficulty was announced to it; `share_work` is the work of one share of it."""
        self._announced_work = share_work
        if self._share_work != self._exposure.share_work:
            self.advance(at)
            if self._is_exposed:
                self._exposure.passed(at)
            self._exposure.change_difficulty(self._share_work)
            self._settle(at)

    def shares(self, at: float, count: int, work: float, work_squared: float, share_work: float) -> None:
        """Shares were credited up to `at`: their number, the sums of their work and of its squares, and the
        work of the last. Those of an older difficulty count by their work."""
        if count <= 0 or work <= 0:
            return
        self.advance(at)
        self._delivered_work = share_work
        if self._share_work != self._exposure.share_work:
            self._exposure.change_difficulty(self._share_work)
        self._last_share_at = at
        self._ten_minutes.add(at, work, work_squared)
        self._refusals.credit(at, work, work_squared, self._terms.rejecting_percent)
        self._heard(at, work, work_squared)

    def refused(self, at: float, reason: str, count: int, work: float) -> None:
        """Shares of `work` together were refused: a sign of life, but nothing delivered."""
        self.advance(at)
        self._refusals.refuse(at, reason, count, work, self._terms.rejecting_percent)
        self._heard(at, 0.0, 0.0)

    def advance(self, now: float) -> bool:
        """Let time pass; True where the state is another. Needed at `next_look_at` only."""
        if now < self.next_look_at:
            return False
        before = self.state
        if self._is_exposed:
            self._silent_since = self._found_silent(now)
        self._settle(now)
        return self.state is not before

    # What somebody decides about it.

    def pause(self, at: float) -> None:
        """It is stopped on purpose: nothing counts against it until `resume`."""
        if self._paused_since is None:
            self.advance(at)
            self._paused_since = at
            self._silent_since = None
            self._settle(at)

    def resume(self, at: float) -> None:
        """The pause is over: it has the grace of a machine that starts."""
        if self._paused_since is not None:
            self._paused_since = None
            self._presence.expect(at, START_GRACE_SECONDS)
            self._begin_anew(at)
            self._settle(at)

    def expect(self, at: float, hashes_per_second: float | None) -> None:
        """The inventory says otherwise, or nothing any more (None)."""
        if hashes_per_second != self._exposure.given:
            self.advance(at)
            self._exposure.expect(at, hashes_per_second)
            self._settle(at)

    def watch_by(self, at: float, terms: WatchTerms) -> None:
        """The farm has grown or shrunk, or other settings apply."""
        if terms != self._terms:
            self.advance(at)
            self._terms = terms
            self._exposure.watch_by(terms)
            self._settle(at)

    # What is known of it.

    @property
    def has_delivered(self) -> bool:
        """Whether a share of it was ever credited."""
        return self._last_share_at is not None

    def view(self, now: float) -> MachineView:
        """All that is shown of it."""
        exposure, presence = self._exposure, self._presence
        return MachineView(
            state=self.state,
            state_since=self.state_since,
            never_seen=self.state is MachineState.SILENT and not self.has_delivered,
            ten_minutes=self._ten_minutes.estimate(now, exposure.share_work or None),
            expected=exposure.rate,
            is_learned=exposure.given is None and exposure.rate is not None,
            delivered=exposure.tests.delivered if self.state is MachineState.LOW else None,
            refused=self._refusals.part(now),
            refused_by_reason=self.refused_by_reason(now),
            last_share_at=self._last_share_at,
            connected_since=presence.connected_since,
            connections=presence.connections,
        )

    def refused_by_reason(self, now: float) -> dict[str, float]:
        """As `view` has it, alone."""
        return self._refusals.parts(now)

    def glance(self, now: float) -> Glance:
        """What charts show of it: a fraction of what `view` costs."""
        refused_work, all_work = self._refusals.held(now)
        return Glance(
            hashes_per_second=self._ten_minutes.hashes_per_second(now),
            expected=self._exposure.rate,
            refused_work=refused_work,
            all_work=all_work,
            last_share_at=self._last_share_at,
        )

    def export(self) -> MachineMemory:
        """For `restore` in a later process."""
        return MachineMemory(
            since=self._since,
            ten_minutes=self._ten_minutes.export(),
            refusals=self._refusals.export(),
            exposure=self._exposure.export(),
            last_share_at=self._last_share_at,
            silent_since=self._silent_since,
            state=self.state,
            state_since=self.state_since,
        )

    @classmethod
    def restore(
        cls,
        memory: MachineMemory,
        terms: WatchTerms,
        at: float,
        expected_hashes_per_second: float | None = None,
        paused_since: float | None = None,
    ) -> "MachineWatch":
        """The machine as it was, without connections: it has the grace of one that starts, and its tests go
        on with its first share. What was silent stays so until then."""
        watch = cls(terms, memory.since, None, paused_since)
        watch._ten_minutes = RateWindow.restore(memory.ten_minutes)
        watch._refusals = Refusals.restore(memory.refusals)
        watch._exposure = Exposure.restore(memory.exposure, terms, at, expected_hashes_per_second)
        watch._presence.expect(at, START_GRACE_SECONDS)
        watch._last_share_at = memory.last_share_at
        watch._silent_since = None if paused_since is not None else memory.silent_since
        watch.state, watch.state_since = memory.state, memory.state_since
        watch._settle(at)
        return watch

    @property
    def _is_exposed(self) -> bool:
        return self._paused_since is None and self._silent_since is None

    @property
    def _share_work(self) -> float:
        """The work of a share at the present difficulty: as announced, since shares of an older one come for
        a while. Where nothing was, or to a connection that may be gone, it is the last share's. Of several
        connections each has its own: then it is the larger of both, since shares that are expected more often
        than they come call a machine silent that is not."""
        if self._announced_work and self._presence.connections <= 1:
            return self._announced_work
        return max(self._announced_work, self._delivered_work)

    def _begin_anew(self, at: float) -> None:
        self._refusals = Refusals(at)
        self._exposure.tests.start_anew(at)
        self._exposure.await_first_share(at)

    def _heard(self, at: float, work: float, work_squared: float) -> None:
        if self._paused_since is None:
            if self._silent_since is not None:
                self._silent_since = None
                self._exposure.skip_to(at)
            self._exposure.heard(at, work, work_squared)
        self._settle(at)

    def _found_silent(self, now: float) -> float | None:
        """Since when it is silent, None where it is not."""
        if now >= self._presence.off_at:
            return self._presence.left_at
        self._exposure.passed(now)
        return self._exposure.quiet_since(now)

    def _settle(self, at: float) -> None:
        """Name the state, and when to look again."""
        state, since = self._judge(at)
        if state is not self.state or state in (MachineState.LOW, MachineState.SILENT):
            self.state, self.state_since = state, since
        if self._is_exposed:
            self.next_look_at = min(self._presence.off_at, self._exposure.next_look_at)
        else:
            self.next_look_at = math.inf

    def _judge(self, at: float) -> tuple[MachineState, float]:
        """The first state that applies, and since when."""
        if self._paused_since is not None:
            return MachineState.PAUSED, self._paused_since
        if self._silent_since is not None:
            return MachineState.SILENT, self._silent_since
        if self._refusals.is_rejecting:
            return MachineState.REJECTING, at
        low_since = self._exposure.tests.low_since
        if low_since is not None:
            return MachineState.LOW, low_since
        if self._exposure.rate is None or self._last_share_at is None:
            return MachineState.NEW, at
        return MachineState.OK, at
