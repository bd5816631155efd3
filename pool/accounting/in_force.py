"""Which of several rules held at a time. Pure."""

from typing import Protocol, TypeVar


class OfScheme(Protocol):
    """Rules that name the scheme that they are of."""

    @property
    def scheme(self) -> str: ...


T = TypeVar("T")
S = TypeVar("S", bound=OfScheme)


def in_force(now: T, earlier: tuple[tuple[int, T], ...], at_us: int) -> T:
    """Of rules that were followed by others at some time, `earlier` as (until, rules) and oldest first, those
    that held at `at_us`."""
    for until_us, rules in earlier:
        if at_us < until_us:
            return rules
    return now


def in_force_for_job(now: S, earlier: tuple[tuple[int, S], ...], at_us: int, *, is_solo: bool) -> S:
    """Of those rules whose jobs are solo jobs, or are none, the ones that held nearest to `at_us`; where
    there never were any, what held then.

    A gateway mines by new settings before the accountant has written them down, and miners work on for a
    moment on what they were given before: it is the job that says who was paid.
    """
    nearest, distance_us, since_us = None, 0, 0
    for until_us, rules in (*earlier, (None, now)):
        away_us = max(since_us - at_us, 0 if until_us is None else 1 + at_us - until_us, 0)
        if (rules.scheme == "solo") is is_solo and (nearest is None or away_us < distance_us):
            nearest, distance_us = rules, away_us
        since_us = 0 if until_us is None else until_us
    return in_force(now, earlier, at_us) if nearest is None else nearest
