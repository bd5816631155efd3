"""How fast a target is told, and how long it is left alone after a failure; nothing waits here."""

from collections.abc import Sequence

import msgspec

BUG_SECONDS = 60.0  # what failed by a bug mostly fails again, and each time is a traceback in the log


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """At most `most` requests within `window_seconds`. Where it `merges`, the last of them takes everything
    that waits: a storm becomes one notice `and 14 more`."""

    most: int
    window_seconds: float = 60.0
    merges: bool

    def next_step(self, sent_at: Sequence[float], waiting: int, now: float) -> "Send | Wait":
        """What to do with what waits (one or more); `sent_at` are the times of requests, the oldest first."""
        recent = [at for at in sent_at if at > now - self.window_seconds]
        if len(recent) >= self.most:
            return Wait(recent[-self.most] + self.window_seconds - now)
        is_last = len(recent) == self.most - 1
        return Send(waiting if self.merges and is_last else 1)


class Send(msgspec.Struct, frozen=True):
    """So many notices in one request, now."""

    notices: int


class Wait(msgspec.Struct, frozen=True):
    """Not yet."""

    seconds: float


PACES: dict[str, Pace] = {
    # A program reads each notice for itself; this is what a small one bears.
    "webhook": Pace(most=60, merges=False),
    # A person reads no more; Telegram takes 20 a minute in a group, ntfy.sh one each five seconds.
    "ntfy": Pace(most=10, merges=True),
    "telegram": Pace(most=10, merges=True),
}


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """Pauses after failures: they double, up to the longest, and each is cut at random by up to a half, lest
    everybody whom a server has turned away be back in the same second."""

    first_pause_seconds: float = 5.0
    longest_pause_seconds: float = 600.0
    longest_asked_seconds: float = 3_600.0
    """What a server may ask for: one that asks for a week is asked again in an hour."""
    after_bug_seconds: float = BUG_SECONDS

    def pause_seconds(self, failures: int, jitter: float, asked_seconds: float | None) -> float:
        """After so many failures in a row (1 or more); `jitter` is from 0 to below 1, `asked_seconds` what
        the server's answer asked to wait."""
        doubled = self.first_pause_seconds * 2.0 ** min(failures - 1, 32)
        pause = min(doubled, self.longest_pause_seconds) * (1 - jitter / 2)
        return max(pause, min(asked_seconds or 0.0, self.longest_asked_seconds))
