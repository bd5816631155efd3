"""Share history and now → the next difficulty, or None; it owns one connection's history, sends nothing.

Theory. Shares of steady work arrive as a Poisson process. In a window of `expected` share intervals, `n`
shares have come (weighted by work, where some still belong to jobs of an older difficulty). The rate is
called off only where it is off by 1.4 and `expected` lies outside the 95 % interval of a Poisson mean that
gave n: so an honest machine is not chased by luck. A routine step is at most ×4 or ÷4 and waits for the
next announcement.

A flood is the exception. It is looked for at the 1st, 2nd, 4th, 8th … share of a window, so that its cost
per share is one comparison, and answered at once by a larger step, from the cautious end of the interval.

Difficulties have three significant bits (…, 512, 640, 768, 896, 1024, …): exact in the float32 of bosminer,
in the uint32 of NerdQAxe and in the doubles of cgminer. Bare powers of two would make every machine whose
ideal lies in the middle of two flap between them, a clean job each time, since √2 is just what the
tolerance is.
"""

import math

TOLERATED_RATIO = 1.4
LARGEST_STEP = 4.0
LARGEST_FLOOD_STEP = 256.0
FLOOD_RATIO = 4.0
# 30 intervals hold the rate to ±18 %; a longer memory would only be slower to see a machine that has changed.
LONGEST_WINDOW_INTERVALS = 60.0
_Z = 1.959964  # 95 %, two-sided


def poisson_lower(count: float) -> float:
    """The lower 95 % bound of a Poisson mean of which `count` was seen (Wilson and Hilferty 1931)."""
    if count <= 0:
        return 0.0
    return float(count * max(0.0, 1 - 1 / (9 * count) - _Z / (3 * math.sqrt(count))) ** 3)


def poisson_upper(count: float) -> float:
    """The upper 95 % bound; 3.67 for none seen, against 3.689 exactly."""
    more = count + 1
    return float(more * (1 - 1 / (9 * more) + _Z / (3 * math.sqrt(more))) ** 3)


def three_bits(value: float) -> float:
    """The nearest number of three significant bits; exact in every device's arithmetic."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(mantissa * 8), exponent - 3)


class Vardiff:
    """The history of one connection's shares at its present difficulty."""

    __slots__ = ("_next_look", "_started_at", "difficulty", "interval_seconds", "shares", "weight")

    def __init__(self, difficulty: float, interval_seconds: float) -> None:
        self.difficulty = difficulty
        self.interval_seconds = interval_seconds
        self.shares = 0
        self.weight = 0.0
        self._next_look = 1
        self._started_at: float | None = None

    def start(self, difficulty: float, now: float) -> None:
        """A job at this difficulty was announced: forget what came before, unless nothing changes."""
        if self._started_at is not None and difficulty == self.difficulty:
            return
        self.difficulty = difficulty
        self.shares = 0
        self.weight = 0.0
        self._next_look = 1
        self._started_at = now

    def begin_anew(self, now: float) -> None:
        """Forget what came before: it was no sign of what the machine can do."""
        self._started_at = None
        self.start(self.difficulty, now)

    def share(self, difficulty: float, now: float) -> bool:
        """Count a credited share of a job of this difficulty; True where a flood wants an answer at once."""
        self.shares += 1
        self.weight += 1.0 if difficulty == self.difficulty else difficulty / self.difficulty
        if self.shares < self._next_look:
            return False
        self._next_look = self.shares * 2
        expected = self._expected(now)
        return poisson_lower(self.weight) > expected * FLOOD_RATIO

    def flooded(self, now: float) -> float:
        """The difficulty that answers a flood: the cautious estimate, at most 256 times the present one."""
        expected = max(self._expected(now), 1e-9)
        step = min(poisson_lower(self.weight) / expected, LARGEST_FLOOD_STEP)
        return three_bits(self.difficulty * step)

    def review(self, now: float) -> float | None:
        """The next routine difficulty, or None to stay;
        called at announcements, only while a live job is held."""
        expected = self._expected(now)
        if expected <= 0:
            return None
        low, high = poisson_lower(self.weight), poisson_upper(self.weight)
        ratio = self.weight / expected
        is_off = ratio >= TOLERATED_RATIO or ratio <= 1 / TOLERATED_RATIO
        if is_off and not low <= expected <= high:
            step = min(max(ratio, 1 / LARGEST_STEP), LARGEST_STEP)
            return three_bits(self.difficulty * step)
        if expected > LONGEST_WINDOW_INTERVALS:
            self._forget_half(now)
        return None

    def elapsed_seconds(self, now: float) -> float:
        """Seconds since the present difficulty took effect."""
        return 0.0 if self._started_at is None else now - self._started_at

    def _expected(self, now: float) -> float:
        return self.elapsed_seconds(now) / self.interval_seconds

    def _forget_half(self, now: float) -> None:
        self._started_at = now - self.elapsed_seconds(now) / 2
        self.weight /= 2
        self.shares //= 2
        self._next_look = max(self.shares * 2, 1)


class DifficultyMemory:
    """What a worker's last connection had settled on, for 24 hours, by (account, worker, agent class).

    A returning machine starts at half of it: too low costs a few extra shares, too high costs silence.
    """

    __slots__ = ("_capacity", "_entries")

    KEPT_SECONDS = 24 * 3600.0

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._entries: dict[tuple[str, str, str], tuple[float, float]] = {}

    def remember(self, key: tuple[str, str, str], difficulty: float, now: float) -> None:
        """Keep a difficulty that had shares; the longest unused entry makes room."""
        self._entries.pop(key, None)
        if len(self._entries) >= self._capacity:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = (difficulty, now)

    def recall(self, key: tuple[str, str, str], now: float) -> float | None:
        """Half of what was remembered, or None where nothing is or it is older than a day."""
        entry = self._entries.get(key)
        if entry is None or now - entry[1] > self.KEPT_SECONDS:
            return None
        return entry[0] / 2
