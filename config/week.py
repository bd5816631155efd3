"""A week of minutes, and which of them a tariff is for: clock times and weekdays as spans. Pure; no dates.

Minute 0 is Monday 00:00, minute 10,080 the end of Sunday, all by the clock on the wall: what a change to
summer time does to them is the business of whoever knows the date (`pool.farm.tariff`).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from config.power_schema import TariffSettings, Weekday

WEEKDAYS: tuple[str, ...] = get_args(Weekday)
DAY_MINUTES = 1_440
WEEK_MINUTES = 7 * DAY_MINUTES

Span = tuple[int, int]
"""Minutes of the week from the first, and before the second."""


def minutes_of(clock: str) -> int:
    """`06:30` as minutes since midnight."""
    hours, _, minutes = clock.partition(":")
    return 60 * int(hours) + int(minutes)


def spans_of(tariff: TariffSettings) -> list[Span]:
    """When it applies, sorted; what lasts past midnight on Sunday goes on where the week begins."""
    begin, end = minutes_of(tariff.from_), minutes_of(tariff.to)
    length = end - begin if end > begin else end + DAY_MINUTES - begin
    spans: list[Span] = []
    for day in set(tariff.days) or WEEKDAYS:
        start = WEEKDAYS.index(day) * DAY_MINUTES + begin
        spans.append((start, min(start + length, WEEK_MINUTES)))
        if start + length > WEEK_MINUTES:
            spans.append((0, start + length - WEEK_MINUTES))
    return sorted(spans)


def gaps(spans: Iterable[Span]) -> Iterator[Span]:
    """The minutes of the week that none of the spans has."""
    reached = 0
    for start, end in sorted(spans):
        if start > reached:
            yield reached, start
        reached = max(reached, end)
    if reached < WEEK_MINUTES:
        yield reached, WEEK_MINUTES


def shared(left: Iterable[Span], right: Sequence[Span]) -> Iterator[Span]:
    """The minutes that both have."""
    for start, end in left:
        for other_start, other_end in right:
            if max(start, other_start) < min(end, other_end):
                yield max(start, other_start), min(end, other_end)


def spans_text(spans: Iterable[Span]) -> str:
    """`22:00 to 24:00 every day; 06:00 to 08:00 on sat and sun`: the same hours of several days at once."""
    days_of: dict[tuple[int, int], list[str]] = {}
    for start, end in sorted(_within_days(spans)):
        day = start // DAY_MINUTES
        hours = (start - day * DAY_MINUTES, end - day * DAY_MINUTES)
        days_of.setdefault(hours, []).append(WEEKDAYS[day])
    return "; ".join(
        f"{_clock(begin)} to {_clock(end)} {_days(days)}" for (begin, end), days in days_of.items()
    )


def _within_days(spans: Iterable[Span]) -> Iterator[Span]:
    for start, end in spans:
        while start < end:
            midnight = (start // DAY_MINUTES + 1) * DAY_MINUTES
            yield start, min(end, midnight)
            start = midnight


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _days(days: Sequence[str]) -> str:
    if len(days) == len(WEEKDAYS):
        return "every day"
    *first, last = days
    return f"on {', '.join(first)} and {last}" if first else f"on {last}"
