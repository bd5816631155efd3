"""The hashrate of a stream of credited shares over an exponential window, with its 95 % interval; no clock.

Theory. A share of work w counts e^(−age/τ)·w. Work arrives at the hashrate R whatever the difficulty is, so
the sum's mean is R·τ·(1 − e^(−T/τ)) after T seconds: dividing by that is right from the first second on, and
through every change of difficulty.

Its variance is the mean of Σ (decay·w)². So the sum is as exact as a plain count of

    n = (Σ decay·w)² / Σ (decay·w)²

shares would be: the decay is squared below as the work is. In a full window with a share every `a` seconds,
n = 2τ/a: an exponential window is as exact as a sharp one of twice its time constant.

The interval is that of Fay and Feuer (Statistics in Medicine 16, 1997, 791–801) for weighted sums of Poisson
counts. Below, it is the exact one (Garwood 1936) of n shares. Above, one more share is added that could come
this moment, with full weight: without it a window whose last share is long ago would claim to know a rate
near zero exactly. Where all shares weigh the same it is Garwood's on both sides."""

import math

import msgspec

from pool.farm.gamma import gamma_quantile, wilson_hilferty

EXACT_BELOW = 30.0  # shares; above, Wilson and Hilferty's quantile is within 0.01 of a share
_LOWER, _UPPER = 0.025, 0.975


class Rate(msgspec.Struct, frozen=True):
    """Hashes per second with a two-sided 95 % interval; `upper` is infinite where nothing bounds it.

    effective_shares  as exact as a count of so many shares: the relative standard error is 1/√n
    """

    hashes_per_second: float
    lower: float
    upper: float
    effective_shares: float


UNKNOWN = Rate(0.0, 0.0, math.inf, 0.0)


class RateWindowState(msgspec.Struct, frozen=True, array_like=True):
    """All that a window is; times in observed seconds."""

    seconds: float
    since: float
    at: float
    work: float
    work_squared: float
    share_work: float


class RateWindow:
    """Decayed sums of the credited work of one machine (or group), all seen from `at`, the newest batch.

    The order of batches is of no consequence: what comes late is decayed before it is added. Exponents are
    never positive, so nothing overflows.
    """

    __slots__ = ("_at", "_share_work", "_work", "_work_squared", "seconds", "since")

    def __init__(self, seconds: float, since: float) -> None:
        self.seconds = seconds
        self.since = since
        self._at = since
        self._work = 0.0
        self._work_squared = 0.0
        self._share_work = 0.0

    def add(self, at: float, work: float, work_squared: float) -> None:
        """Add a batch of shares credited at about `at`: the sum of their work and of its squares. What was
        before the window began is not seen by it.

        A poll's batch that is dated by the poll's end counts as half a poll too young: by half a second in a
        window of a minute that is 0.4 %, by a window of ten minutes nothing.
        """
        if work <= 0 or at < self.since:
            return
        age = at - self._at
        if age >= 0:
            decay = math.exp(-age / self.seconds)
            self._work = self._work * decay + work
            self._work_squared = self._work_squared * decay * decay + work_squared
            self._at = at
            self._share_work = work_squared / work
        else:
            decay = math.exp(age / self.seconds)
            self._work += work * decay
            self._work_squared += work_squared * decay * decay

    def held(self, now: float) -> float:
        """The decayed sum of work as of `now`; of use in proportion to another window's of the same
        length."""
        return self._work * math.exp(min(0.0, self._at - now) / self.seconds)

    @property
    def effective_shares(self) -> float:
        """n; time alone does not change it."""
        return self._work * self._work / self._work_squared if self._work_squared > 0 else 0.0

    def hashes_per_second(self, now: float) -> float:
        """The estimate alone, without its interval; 0 before any time has passed."""
        seconds = self._exposure_seconds(now)
        return self.held(now) / seconds if seconds > 0 else 0.0

    def estimate(self, now: float, share_work: float | None = None) -> Rate:
        """The rate as of `now`. `share_work` is the work of a share at the present difficulty: what a machine
        without shares may still have done. Without it the last share's work is taken; without that either,
        `upper` is infinite."""
        seconds = self._exposure_seconds(now)
        if seconds <= 0:
            return UNKNOWN
        held, shares = self.held(now), self.effective_shares
        if shares == 0 or held == 0:
            held = lower = shares = 0.0
        else:
            lower = _quantile(shares, _LOWER) * held / shares
        upper = _upper(held, shares, share_work or self._share_work)
        return Rate(held / seconds, lower / seconds, upper / seconds, shares)

    def export(self) -> RateWindowState:
        """For `restore` in a later process."""
        return RateWindowState(
            self.seconds, self.since, self._at, self._work, self._work_squared, self._share_work
        )

    @classmethod
    def restore(cls, state: RateWindowState) -> "RateWindow":
        """The window as it was; it goes on in observed time, so the time between counts for nothing."""
        window = cls(state.seconds, state.since)
        window._at = state.at
        window._work = state.work
        window._work_squared = state.work_squared
        window._share_work = state.share_work
        return window

    def _exposure_seconds(self, now: float) -> float:
        """Seconds of full weight that the window has seen: τ·(1 − e^(−T/τ))."""
        return -self.seconds * math.expm1(-max(0.0, now - self.since) / self.seconds)


def _upper(held: float, shares: float, share_work: float) -> float:
    """The upper bound of the mean of a decayed sum, Fay and Feuer's: with one share more, of full weight."""
    if share_work <= 0:
        return math.inf
    variance = (held * held / shares if shares else 0.0) + share_work * share_work
    more = held + share_work
    return _quantile(more * more / variance, _UPPER) * variance / more


def _quantile(shape: float, probability: float) -> float:
    if shape < EXACT_BELOW:
        return gamma_quantile(shape, probability)
    return wilson_hilferty(shape, probability)
