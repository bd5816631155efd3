"""Planned silence: which groups are paused, by hand or by a price. Pure.

A pause of a group is one of everything inside it, and a pause of `all` is one of the farm. Pauses may
overlap: a machine is paused while any of them lasts. A pause that has ended is kept for three months, and
what it has saved is told of that long (`pool.farm.pause_savings`).
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pool.farm.inventory import WHOLE_FARM

MINUTE_US = 60_000_000
RETURNING_US = 15 * MINUTE_US
# After a pause machines come back one by one. A container's breakers close in steps over some minutes, an
# ASIC boots in two to five, warms up in the cold, and firmware that tunes its chips takes some more until the
# first shares. What is still silent after a quarter of an hour is a fault that somebody has to look at.
KEPT_US = 92 * 24 * 60 * MINUTE_US  # three months: a quarter's bill of electricity
MOST_PAUSES = 1_000  # ten a day for as long as they are kept; a script that runs wild fills no disk
LONGEST_GROUP = 6 * 65  # the most levels, of the longest parts
LONGEST_REASON = 200

By = Literal["hand", "price"]
Moment = Annotated[int, Meta(ge=0, le=1 << 53)]  # Unix microseconds; beyond, JSON readers lose digits


class Pause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group's planned silence, from `since_us` until just before `until_us`; None: until it is ended."""

    group: Annotated[str, Meta(min_length=1, max_length=LONGEST_GROUP)]
    since_us: Moment
    until_us: Moment | None = None
    reason: Annotated[str, Meta(max_length=LONGEST_REASON)] = ""
    by: By = "hand"

    def lasts(self, now_us: int) -> bool:
        """Whether it has begun and not ended."""
        return self.since_us <= now_us and not self.is_over(now_us)

    def is_over(self, now_us: int) -> bool:
        """Whether it has ended."""
        return self.until_us is not None and self.until_us <= now_us

    @property
    def end_us(self) -> int:
        """Without an end, after everything."""
        return 1 << 62 if self.until_us is None else self.until_us

    def us_within(self, from_us: int, to_us: int) -> int:
        """How many microseconds of a span it lasts."""
        return max(0, min(self.end_us, to_us) - max(self.since_us, from_us))


def covers(paused: str, group: str) -> bool:
    """Whether a pause of one group is one of the other too."""
    return paused == WHOLE_FARM or f"{group}/".startswith(f"{paused}/")


# ---------------------------------------------------------------------- what is paused


def pause_of(pauses: Iterable[Pause], group: str, now_us: int) -> Pause | None:
    """The pause that a group is in, the one that lasts longest; None where it is in none."""
    lasting = [one for one in pauses if one.lasts(now_us) and covers(one.group, group)]
    return max(lasting, key=lambda one: one.end_us, default=None)


def is_silence_planned(pauses: Sequence[Pause], group: str, now_us: int) -> bool:
    """Whether silence of a machine is no fault: it is paused, or its pause ended not long ago."""
    return silence_planned_by(pauses, group, now_us) is not None


def silence_planned_by(pauses: Sequence[Pause], group: str, now_us: int) -> By | None:
    """By what silence of a machine is no fault, None where it is one. What lasts goes before what has ended,
    and of both a hand before the price."""
    planned = [
        one
        for one in pauses
        if one.since_us <= now_us < one.end_us + RETURNING_US and covers(one.group, group)
    ]
    kinds = {one.by for one in planned if one.lasts(now_us)} or {one.by for one in planned}
    if "hand" in kinds:
        return "hand"
    return "price" if kinds else None


# ---------------------------------------------------------------------- by hand


def begun(pauses: Iterable[Pause], pause: Pause) -> tuple[Pause, ...]:
    """With one more. Where one by hand of the same group lasts, it is that one with a new end and reason."""
    since_us, others = pause.since_us, []
    for one in pauses:
        if one.group == pause.group and one.by == pause.by == "hand" and one.lasts(pause.since_us):
            since_us = min(since_us, one.since_us)
        else:
            others.append(one)
    return _kept([*others, msgspec.structs.replace(pause, since_us=since_us)], pause.since_us)


def ended(pauses: Iterable[Pause], group: str, now_us: int) -> tuple[tuple[Pause, ...], list[Pause]]:
    """With the pauses of a group, and of those inside it, ended now; and those that were."""
    known = list(pauses)
    stopped = [one for one in known if covers(group, one.group) and one.lasts(now_us)]
    others = [one for one in known if one not in stopped]
    now_over = [msgspec.structs.replace(one, until_us=now_us) for one in stopped]
    return _kept([*others, *now_over], now_us), stopped


def _kept(pauses: Iterable[Pause], now_us: int) -> tuple[Pause, ...]:
    young = [one for one in pauses if one.end_us > now_us - KEPT_US and one.end_us > one.since_us]
    return tuple(sorted(young, key=lambda one: (one.since_us, one.group)))[-MOST_PAUSES:]


# ---------------------------------------------------------------------- by price


class PriceStep(msgspec.Struct, frozen=True):
    """What a kilowatt-hour costs from then on, until the next step."""

    since_us: int
    price_per_kwh: float


def priced_pauses(group: str, above_per_kwh: float, steps: Iterable[PriceStep]) -> list[Pause]:
    """A group's pauses while the price is above a limit. Steps come in the order of time; what follows the
    last is not known, so that a pause that lasts there has no end yet."""
    found: list[Pause] = []
    for step in steps:
        is_dear = step.price_per_kwh > above_per_kwh
        lasts = bool(found) and found[-1].until_us is None
        if is_dear and not lasts:
            reason = f"electricity costs more than {above_per_kwh:g} per kWh"
            found.append(Pause(group, step.since_us, reason=reason, by="price"))
        elif lasts and not is_dear:
            found[-1] = msgspec.structs.replace(found[-1], until_us=step.since_us)
    return found
