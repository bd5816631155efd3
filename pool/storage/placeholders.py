"""From `?` to `$1, $2, …`: the one thing in which our SQL is written differently for PostgreSQL. Pure."""

import functools
import re
from itertools import count

_PARTS = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|(\?)", re.DOTALL)
# A doubled quote inside a literal ends one match and begins the next: nothing between them can be lost.

MOST_REMEMBERED = 1_024


@functools.lru_cache(MOST_REMEMBERED)
def numbered(sql: str) -> str:
    """`sql` with each placeholder numbered; literals, quoted names and comments are left alone."""
    numbers = count(1)
    return _PARTS.sub(lambda part: f"${next(numbers)}" if part[1] else part[0], sql)
