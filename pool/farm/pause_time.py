"""Until when: `18:00`, `2026-12-01T06:00` or `+3h` → a moment. Pure; whose clock it is, is an argument."""

import datetime
import re
from collections.abc import Callable

FURTHEST = datetime.timedelta(days=366)  # who pauses longer has sold the machines
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_SPAN = re.compile(r"\+(\d{1,5})([mhd])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
HOW = "write a time like 18:00, 2026-12-01T06:00 or +3h"

Localise = Callable[[datetime.datetime], datetime.datetime]


def moment_from(text: str, now: datetime.datetime, localise: Localise) -> datetime.datetime:
    """The moment that is meant. Raises ValueError with a line for the user.

    `now` has the user's zone, and `localise` gives a wall-clock time of theirs its own: a year has two
    offsets. 18:00 is the next one, today or tomorrow.
    """
    moment = _moment(text.strip(), now, localise)
    if moment <= now:
        raise ValueError(f"{text} is past; {HOW}")
    if moment - now > FURTHEST:
        raise ValueError(f"{text} is more than a year away; leave --until out for a pause without an end")
    return moment


def _moment(text: str, now: datetime.datetime, localise: Localise) -> datetime.datetime:
    clock, span = _CLOCK.fullmatch(text), _SPAN.fullmatch(text)
    if span is not None:
        return now + datetime.timedelta(**{_UNITS[span[2]]: int(span[1])})
    if clock is not None:
        today = datetime.datetime.combine(now.date(), datetime.time(int(clock[1]), int(clock[2])))
        at = localise(today)
        return at if at > now else localise(today + datetime.timedelta(days=1))
    if ":" not in text:  # a date alone would be its midnight, which somebody may not have meant
        raise ValueError(f"{text!r} is no time; {HOW}")
    try:
        given = datetime.datetime.fromisoformat(text)
        return given if given.tzinfo is not None else localise(given)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time; {HOW}") from None
