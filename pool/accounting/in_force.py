"""Which of several rules held at a time. Pure."""

from typing import TypeVar

T = TypeVar("T")


def in_force(now: T, earlier: tuple[tuple[int, T], ...], at_us: int) -> T:
    """Of rules that were followed by others at some time, `earlier` as (until, rules) and oldest first, those
    that held at `at_us`."""
    for until_us, rules in earlier:
        if at_us < until_us:
            return rules
    return now
