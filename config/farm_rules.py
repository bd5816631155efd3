"""What the settings of the farm must be that no bound can state: expressions that say a place. Pure.

Generators as in `config.rules`.
"""

import re
from collections.abc import Iterator

from config.draft import as_far_as_known
from config.farm_places_schema import MOST_LEVELS
from config.farm_schema import FarmSettings
from config.power_rules import power_problems
from config.problems import Problem
from config.schema import Settings

POSITION = "position"
_EXAMPLE = "(?P<row>[0-9]+)-(?P<rack>[0-9]+)"
_LEVEL = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)  # they stand in tables and in labels of metrics


def farm_problems(settings: Settings) -> Iterator[Problem]:
    """Everything about the farm that cannot be."""
    farm = settings.farm
    yield from as_far_as_known(_name_pattern(farm), _accounts(farm), _power(farm))


def levels_of(pattern: re.Pattern[str]) -> tuple[str, ...]:
    """The named groups of a name pattern in their order, without the machine's own `position`."""
    return tuple(name for name in pattern.groupindex if name != POSITION)


def _power(farm: FarmSettings) -> Iterator[Problem]:
    yield from power_problems(farm.power)


def _name_pattern(farm: FarmSettings) -> Iterator[Problem]:
    key, text = "farm.name_pattern", farm.name_pattern
    if text is None:
        return
    try:
        pattern = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        said = error.msg if isinstance(error, re.error) else "it is too large"
        place = f" at character {error.pos + 1}" if isinstance(error, re.error) and error.pos else ""
        yield Problem(key, None, f"is no regular expression: {said}{place}")
        return
    names, levels = list(pattern.groupindex), levels_of(pattern)
    odd = [name for name in names if _LEVEL.fullmatch(name) is None]
    if odd:
        message = f"names a level {odd[0]!r}; write small letters, digits and _, at most 32 of them"
        yield Problem(key, None, message)
    elif not levels:
        yield Problem(key, None, f"names no level: write at least one named group, as in {_EXAMPLE}")
    elif len(levels) > MOST_LEVELS:
        yield Problem(key, None, f"names {len(levels)} levels; at most {MOST_LEVELS} are possible")
    elif POSITION in names[:-1]:
        message = f"has {POSITION} before {names[-1]}; it is the place within a group and stands last"
        yield Problem(key, None, message)


def _accounts(farm: FarmSettings) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, account in enumerate(farm.accounts):
        if account in seen:
            yield Problem(f"farm.accounts.{place}", None, f"{account} is there twice; write each once")
        seen.add(account)
