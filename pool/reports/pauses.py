"""The list of pauses: those that last, and those that are over and still count in uptime."""

from collections.abc import Iterable

import msgspec

from pool.farm.pauses import Pause


class PauseLine(msgspec.Struct, frozen=True, kw_only=True):
    """One pause: `state` is lasting or over; without an end `until_us` is None."""

    group: str
    state: str
    since_us: int
    until_us: int | None
    reason: str


def pause_lines(pauses: Iterable[Pause], now_us: int) -> list[PauseLine]:
    """Every pause by hand: lasting ones first, each kind from the newest on."""
    newest_first = sorted(pauses, key=lambda one: (one.is_over(now_us), -one.since_us, one.group))
    return [
        PauseLine(
            group=one.group,
            state="over" if one.is_over(now_us) else "lasting",
            since_us=one.since_us,
            until_us=one.until_us,
            reason=one.reason,
        )
        for one in newest_first
    ]
