"""Which difficulty a session's next job has: wishes, what the machine is worth, bounds. No wire.

Rank, highest first: a fixed difficulty from the password, then vardiff, which starts from a suggestion,
from what the worker had when it was last here, or from the listener's start. Whatever comes out is clamped:
by the listener's bounds, by the floors that the client or its kind asks for, and by the network's
difficulty, which is an upper bound only where it lies above the listener's minimum (on regtest everything
would be a block otherwise).
"""

import math
from fractions import Fraction

import msgspec

from stratum.agents import UNKNOWN, AgentClass
from stratum.vardiff import Vardiff
from stratum.work.difficulty import ShareDifficulty, share_difficulty

SUGGESTION_SECONDS = 10.0
IDLE_DIVISOR = 4.0  # two halvings: a tuning M30S++ sends nothing for minutes, then everything at once


class PaceRules(msgspec.Struct, frozen=True):
    """What a listener sets: bounds, where to start, and how often a share should come."""

    start: float
    minimum: float
    maximum: float
    share_interval_seconds: float
    difficulty_1: int
    marketplace_minimum: float = 0.0
    shares_per_second: float = 0.0  # above this even a fixed difficulty gives way; 0 is no such limit


class PaceExport(msgspec.Struct, frozen=True):
    """A pace by value; the window of shares begins anew."""

    difficulty: float
    next: float | None
    fixed: float | None
    floor: float
    last_share: float | None
    wants_fractions: bool


class Pace:
    """The difficulty of one session, from its first job to its last."""

    __slots__ = (
        "_fixed",
        "_floor",
        "_next",
        "_suggested_at",
        "_wants_fractions",
        "_wish",
        "agent",
        "is_held",
        "last_share",
        "rules",
        "vardiff",
    )

    def __init__(self, rules: PaceRules) -> None:
        self.rules = rules
        self.agent: AgentClass = UNKNOWN
        self.vardiff = Vardiff(rules.start, rules.share_interval_seconds)
        self.last_share: float | None = None
        self.is_held = False  # its silence is planned: it says nothing of the machine
        self._fixed: float | None = None
        self._floor = 0.0
        self._next: float | None = None
        self._suggested_at = -math.inf
        self._wish: float | None = None
        self._wants_fractions = False

    @property
    def difficulty(self) -> float:
        """The difficulty of the newest job."""
        return self.vardiff.difficulty

    def begin_at(self, difficulty: float) -> None:
        """Start here instead of at the listener's start, unless something has been asked for already."""
        if self._next is None and self._fixed is None:
            self._next = difficulty

    def fix(self, difficulty: float) -> None:
        """The password asks for this difficulty and no other."""
        self._fixed = difficulty
        self._wants_fractions |= difficulty < 1

    def raise_floor(self, difficulty: float) -> bool:
        """Never below this again; True where that is news and the present difficulty is below it."""
        if difficulty <= self._floor:
            return False
        self._floor = difficulty
        return self.difficulty < min(self._floor, self.rules.maximum)

    def suggest(self, difficulty: float, now: float) -> bool:
        """A wish, obeyed at most every ten seconds;
        True where it changes something and wants a job at once."""
        if self._fixed is not None or now - self._suggested_at < SUGGESTION_SECONDS:
            return False
        self._wants_fractions |= difficulty < 1
        wish = self._clamp(difficulty, math.inf)
        # NerdMiner repeats its wish every 30 s for ever, and restarts its search with each job: a wish counts
        # once, and what vardiff has made of it since stands.
        if wish == self._wish:
            return False
        self._wish = wish
        self._suggested_at = now
        if wish == (self.difficulty if self._next is None else self._next):
            return False
        self._next = wish
        return True

    def share(self, difficulty: float, now: float) -> bool:
        """Count a credited share; True where the next job must come at once, since they come far too fast."""
        self.last_share = difficulty
        if not self.vardiff.share(difficulty, now) or self._next is not None:
            return False
        if self._fixed is not None:
            if not self._exceeds_share_limit(now):
                return False
            self._fixed = None
        flooded = self.vardiff.flooded(now)
        if self._clamp(flooded, math.inf) <= self.difficulty:
            return False
        self._next = flooded
        return True

    def for_announcement(self, network_difficulty: float, now: float) -> ShareDifficulty:
        """The difficulty of the job that is announced now; takes what is pending or due into effect."""
        wanted = self._fixed
        if wanted is None:
            wanted = self._next if self._next is not None else self._reviewed(now)
        self._next = None
        chosen = share_difficulty(self._clamp(wanted, network_difficulty), self.rules.difficulty_1)
        self.vardiff.start(float(chosen.value), now)
        return chosen

    def export(self) -> PaceExport:
        """This pace by value."""
        return PaceExport(
            self.difficulty, self._next, self._fixed, self._floor, self.last_share, self._wants_fractions
        )

    def restore(self, exported: PaceExport) -> None:
        """Go on at the difficulty of an exported pace."""
        self._next = exported.difficulty if exported.next is None else exported.next
        self._fixed = exported.fixed
        self._floor = exported.floor
        self.last_share = exported.last_share
        self._wants_fractions = exported.wants_fractions

    def _reviewed(self, now: float) -> float:
        if self.is_held:
            self.vardiff.begin_anew(now)
            return self.difficulty
        reviewed = self.vardiff.review(now)
        if reviewed is None:
            return self.difficulty
        is_asic = self.agent.is_asic and not self._wants_fractions  # who asks for less than 1 is none
        if is_asic and reviewed < self.difficulty:
            last = self.last_share if self.last_share is not None else self.rules.start
            return max(reviewed, min(last / IDLE_DIVISOR, self.difficulty))
        return reviewed

    def _clamp(self, value: float, network_difficulty: float) -> float:
        rules = self.rules
        highest = rules.maximum
        if network_difficulty > rules.minimum:
            highest = min(highest, network_difficulty)
        lowest = rules.minimum
        if not (self._wants_fractions or self.agent.takes_fractions):
            # NerdQAxe reads 0.5 as 0; a listener that starts below 1 has said that it knows its machines
            lowest = max(lowest, min(1.0, rules.start))
        floor = max(self._floor, rules.marketplace_minimum if self.agent.is_marketplace else 0.0)
        lowest = min(max(lowest, floor), rules.maximum)
        value = max(min(value, highest), lowest)
        if value >= 1 and round(value) > max(highest, lowest):
            return float(math.floor(value))
        if value >= 1 and round(value) < lowest:
            return float(math.ceil(value))
        return value

    def _exceeds_share_limit(self, now: float) -> bool:
        limit = self.rules.shares_per_second
        return limit > 0 and self.vardiff.weight > limit * max(self.vardiff.elapsed_seconds(now), 1.0)


def difficulty_of_target(target_hex: object, difficulty_1: int) -> float | None:
    """What BFGMiner's suggest_target asks for; None where it is no target."""
    if not isinstance(target_hex, str) or not 1 <= len(target_hex) <= 64:
        return None
    if not all(c in "0123456789abcdefABCDEF" for c in target_hex):
        return None
    target = int(target_hex, 16)
    return float(Fraction(difficulty_1, target)) if target > 0 else None
