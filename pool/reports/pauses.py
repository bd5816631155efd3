"""The list of pauses: those that last, those by price that come next, and those that are over."""

from collections.abc import Iterable

import msgspec

from pool.farm.pauses import By, Pause


class PauseLine(msgspec.Struct, frozen=True, kw_only=True):
    """One pause: `state` is lasting, planned or over; without an end `until_us` is None."""

    group: str
    by: By
    state: str
    since_us: int
    until_us: int | None
    reason: str


def pause_lines(pauses: Iterable[Pause], now_us: int) -> list[PauseLine]:
    """Lasting ones first, from the newest on; then what comes, from the next on; then what is over."""
    return [
        PauseLine(
            group=one.group,
            by=one.by,
            state=_state(one, now_us),
            since_us=one.since_us,
            until_us=one.until_us,
            reason=one.reason,
        )
        for one in sorted(pauses, key=lambda one: (*_order(one, now_us), one.group))
    ]


def _state(pause: Pause, now_us: int) -> str:
    if pause.is_over(now_us):
        return "over"
    return "lasting" if pause.lasts(now_us) else "planned"


def _order(pause: Pause, now_us: int) -> tuple[int, int]:
    state = _state(pause, now_us)
    return ("lasting", "planned", "over").index(state), (1 if state == "planned" else -1) * pause.since_us
