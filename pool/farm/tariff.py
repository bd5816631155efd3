"""What a kilowatt-hour costs at an instant, until when, what it costs on average; it measures nothing.

Tariffs go by the clock on the wall, instants are Unix seconds. As long as nobody moves that clock against UTC
(summer time) both run alike, and the next change of a price is found by counting minutes. Where it is moved
in between, the count goes on from there: the hour that a spring day lacks costs nothing, and the one that an
autumn day has twice is paid twice.
"""

import datetime
import math
from bisect import bisect_right
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import msgspec

from config.power_schema import PowerSettings
from config.week import WEEK_MINUTES, spans_of

DAY_SECONDS = 86_400
WEEK_SECONDS = 7 * DAY_SECONDS  # means over whole weeks have weekdays and weekends in their right proportion
AHEAD_SECONDS = 2 * DAY_SECONDS
_LONGEST_STEP_SECONDS = DAY_SECONDS  # no wall clock is changed twice within a day


class Tariff(msgspec.Struct, frozen=True):
    """Prices of a week by the wall clock of `zone`: (minute of the week, price per kWh from then on), the
    first at minute 0, Monday 00:00."""

    zone: datetime.tzinfo
    steps: tuple[tuple[int, float], ...]


class Period(msgspec.Struct, frozen=True):
    """From `start`, before `end` (Unix seconds), at one price."""

    start: float
    end: float
    price_per_kwh: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


class Running(msgspec.Struct, frozen=True):
    """Which share of the time machines run, and the mean price of power then; None where they never do. The
    same of the rest of the time, in which it is too dear."""

    time_share: float
    price_per_kwh: float | None
    dear_price_per_kwh: float | None


def tariff_of(power: PowerSettings) -> Tariff | None:
    """The prices of checked settings, None where they have none."""
    if power.tariffs:
        steps = [(start, entry.price_per_kwh) for entry in power.tariffs for start, _ in spans_of(entry)]
        return Tariff(ZoneInfo(power.time_zone or "UTC"), tuple(sorted(steps)))
    if power.price_per_kwh is not None:
        return Tariff(datetime.UTC, ((0, power.price_per_kwh),))
    return None


def price_at(tariff: Tariff, now: float) -> float:
    """Of a kilowatt-hour that is used at this instant."""
    minute = _wall_seconds(tariff, math.floor(now))[0] // 60
    return tariff.steps[bisect_right(tariff.steps, minute, key=lambda step: step[0]) - 1][1]


def mean_price(tariff: Tariff, start: float, end: float) -> float:
    """Of a kilowatt-hour of something that runs evenly. Raises ValueError where no time passes."""
    if not start < end:
        raise ValueError("a mean price needs an interval that lasts")
    return math.fsum(part.seconds * part.price_per_kwh for part in periods(tariff, start, end)) / (
        end - start
    )


def running(tariff: Tariff, bound: float | None, start: float, end: float) -> Running:
    """Of machines that stand still while power costs more than `bound`; None: they never do. Raises
    ValueError where no time passes."""
    if not start < end:
        raise ValueError("a share of time needs an interval that lasts")
    cheap: list[Period] = []
    dear: list[Period] = []
    for part in periods(tariff, start, end):
        (cheap if bound is None or part.price_per_kwh <= bound else dear).append(part)
    seconds = math.fsum(part.seconds for part in cheap)
    return Running(seconds / (end - start), _mean(cheap), _mean(dear))


def _mean(parts: list[Period]) -> float | None:
    """None of no time at all."""
    seconds = math.fsum(part.seconds for part in parts)
    return math.fsum(part.seconds * part.price_per_kwh for part in parts) / seconds if seconds else None


def dear_periods(
    tariff: Tariff, bound: float, now: float, ahead_seconds: float = AHEAD_SECONDS
) -> list[Period]:
    """When it costs more than `bound` from now on; one that has begun starts now, one that is not over then
    ends there. Neighbours are one period, at their mean price."""
    joined: list[Period] = []
    for part in periods(tariff, now, now + ahead_seconds):
        if part.price_per_kwh <= bound:
            continue
        if joined and joined[-1].end == part.start:
            start = joined.pop().start
            part = Period(start, part.end, mean_price(tariff, start, part.end))
        joined.append(part)
    return joined


def periods(tariff: Tariff, start: float, end: float) -> Iterator[Period]:
    """The interval in periods of one price, in order, each as long as it can be; none where it is empty."""
    begun, at, price = start, start, price_at(tariff, start)
    while at < end:
        at = min(_next_look(tariff, at), end)
        following = price_at(tariff, at)
        if at == end or following != price:
            yield Period(begun, at, price)
            begun, price = at, following


# ---------------------------------------------------------------------- the clock on the wall


def _wall_seconds(tariff: Tariff, at: int) -> tuple[int, int]:
    """Seconds since Monday 00:00 on the wall, and what the wall is ahead of UTC."""
    wall = datetime.datetime.fromtimestamp(at, tariff.zone)
    since_midnight = 3600 * wall.hour + 60 * wall.minute + wall.second
    ahead = wall.utcoffset()
    return wall.weekday() * DAY_SECONDS + since_midnight, 0 if ahead is None else int(ahead.total_seconds())


def _next_look(tariff: Tariff, at: float) -> int:
    """The next instant at which the price may be another one, a day later at most."""
    now = math.floor(at)
    second, ahead = _wall_seconds(tariff, now)
    place = bisect_right(tariff.steps, second // 60, key=lambda step: step[0])
    minute = tariff.steps[place][0] if place < len(tariff.steps) else WEEK_MINUTES
    then = now + min(60 * minute - second, _LONGEST_STEP_SECONDS)
    if _wall_seconds(tariff, then)[1] == ahead:
        return then
    return _first_of_other_clock(tariff, now, then, ahead)


def _first_of_other_clock(tariff: Tariff, before: int, after: int, ahead: int) -> int:
    """The first second at which the wall is not `ahead` of UTC by so much any more."""
    while after - before > 1:
        middle = (before + after) // 2
        if _wall_seconds(tariff, middle)[1] == ahead:
            before = middle
        else:
            after = middle
    return after
