"""The columns of `engineroom farm`: what every terminal has room for, and what only a wide one has."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from pool.farm.economics import Network
from pool.farm.group_view import GroupView
from pool.farm.member import FAULTY
from pool.farm.stale_losses import BlockChange
from pool.farm.summary import STATE_RANK, MachineLine
from pool.reports.farm import lost_sats, milliseconds, slowest
from pool.reports.rendering import GAP, Column, shortened
from pool.wording import counted, hashrate_text

WIDE = 110  # a terminal of so many columns has room for what is of interest second
LEAST_SHORTENED = 16  # columns of what is of interest second; of firmware its name and its version's end
UNKNOWN = "–"
_AGES = ((2 * 86_400, 86_400, "d"), (2 * 3_600, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))

T = TypeVar("T", bound=msgspec.Struct)
L = TypeVar("L", bound=GroupView | MachineLine)


def group_columns(lines: Sequence[GroupView], at_us: int, width: int) -> Sequence[Column[GroupView]]:
    """On a wide terminal also by which fault and for how long, and why work is refused."""
    is_wide = width >= WIDE
    columns: tuple[Column[GroupView], ...] = (
        Column("group", lambda one: one.group, is_path=True),
        Column("machines", lambda one: f"{one.machines:,}", is_number=True),
        Column("at fault", _faults if is_wide else lambda one: _count(one.faulty), is_number=not is_wide),
        Column("paused", lambda one: _count(one.paused), is_number=True),
        Column("measured", lambda one: hashrate_text(one.measured), is_number=True),
        Column("expected", lambda one: _hashrate(one.expected or None), is_number=True),
    )
    if not is_wide:
        return [*columns, Column("refused", lambda one: _percent(one.refused), is_number=True)]
    since: Column[GroupView] = Column("for", lambda one: _ago(one.faulty_since_us, at_us), is_number=True)
    columns = (*columns[:3], since, *columns[3:])
    further: tuple[Column[GroupView], ...] = (
        Column("up", lambda one: _uptime(one.uptime), is_number=True),
        Column("last share", lambda one: _ago(one.last_share_us, at_us), is_number=True),
        Column("firmware", _firmware),
        Column("best share", lambda one: _difficulty(one.best_difficulty), is_number=True),
    )
    return with_room([*columns, _refused_column(columns, lines, width)], further, lines, width)


def machine_columns(lines: Sequence[MachineLine], at_us: int, width: int) -> Sequence[Column[MachineLine]]:
    """On a wide terminal also what is known of the machine beside how it does now."""
    columns: tuple[Column[MachineLine], ...] = (
        Column("machine", lambda one: one.name, is_shortened=True),
        Column("group", lambda one: one.group, is_path=True),
        Column("state", lambda one: "never seen" if one.is_never_seen else one.state),
        Column("for", lambda one: _ago(one.state_since_us, at_us), is_number=True),
        Column("measured", lambda one: hashrate_text(one.measured), is_number=True),
        Column("expected", lambda one: _hashrate(one.expected), is_number=True),
    )
    columns = (*columns, _refused_column(columns, lines, width))
    if width < WIDE:
        return columns
    further: tuple[Column[MachineLine], ...] = (
        Column("last share", lambda one: _ago(one.last_share_us, at_us), is_number=True),
        Column("up", lambda one: _uptime(one.uptime), is_number=True),
        Column("model", lambda one: one.model or UNKNOWN, is_shortened=True),
        Column("firmware", lambda one: one.firmware or UNKNOWN, is_shortened=True),
        Column("best share", lambda one: _difficulty(one.best_difficulty), is_number=True),
    )
    return with_room(columns, further, lines, width)


def change_columns(
    lines: Sequence[BlockChange], network: Network | None, width: int
) -> Sequence[Column[BlockChange]]:
    """Who was last is told where there were others."""
    columns: tuple[Column[BlockChange], ...] = (
        Column("block", lambda one: str(one.height - 1), is_number=True),
        Column("template", lambda one: milliseconds(one.template_seconds), is_number=True),
        Column("first", lambda one: milliseconds(one.first_seconds), is_number=True),
        Column("last", lambda one: milliseconds(one.last_seconds), is_number=True),
    )
    further: tuple[Column[BlockChange], ...] = (
        Column("sats lost", lambda one: _sats(lost_sats(one, network)), is_number=True),
        Column("slowest node", lambda one: _slowest(one.nodes)),
        Column("slowest gateway", lambda one: _slowest(one.gateways)),
        Column("slowest group", lambda one: _slowest(one.groups)),
    )
    return with_room(columns, further, lines, width)


def _refused_column(before: Sequence[Column[L]], lines: Sequence[L], width: int) -> Column[L]:
    """With the main reason, unless that would shorten names: one cannot go to a machine without its name."""
    column: Column[L] = Column("refused", _refused)
    if _taken([*before, column], lines) <= width:
        return column
    return Column("refused", lambda one: _percent(one.refused), is_number=True)


def with_room(
    columns: Sequence[Column[T]], further: Sequence[Column[T]], lines: Sequence[T], width: int
) -> list[Column[T]]:
    """The columns, and further ones as far as there is room, those of most use first. One that knows nothing
    of any line is left out; one that may be shortened is, rather than that it shortens those before it."""
    return [*columns, *_further(further, lines, width - _taken(columns, lines))]


def _further(further: Sequence[Column[T]], lines: Sequence[T], room: int) -> Iterator[Column[T]]:
    for column in further:
        needed = GAP + _width(column, lines)
        least = min(needed, GAP + LEAST_SHORTENED) if column.is_shortened else needed
        if least <= room and any(column.text(line) != UNKNOWN for line in lines):
            yield _at_most(column, room - GAP) if needed > room else column
            room -= min(needed, room)


def _at_most(column: Column[T], width: int) -> Column[T]:
    return Column(column.heading, lambda line: shortened(column.text(line), width), column.is_number)


def _taken(columns: Sequence[Column[T]], lines: Sequence[T]) -> int:
    return sum(_width(column, lines) for column in columns) + GAP * (len(columns) - 1)


def _width(column: Column[T], lines: Sequence[T]) -> int:
    return max([len(column.heading), *(len(column.text(line)) for line in lines)])


# ---------------------------------------------------------------------- words


def _faults(line: GroupView) -> str:
    """`23 silent, 1 low`, the worst state first."""
    states = sorted((state.value for state in FAULTY), key=STATE_RANK.__getitem__)
    return ", ".join(f"{line.states[one]:,} {one}" for one in states if line.states[one]) or UNKNOWN


def _refused(line: GroupView | MachineLine) -> str:
    """The part, and its main reason where there is much of it."""
    if line.refused < 0.01 or not line.refused_by_reason:
        return _percent(line.refused)
    worst = max(line.refused_by_reason, key=lambda reason: line.refused_by_reason[reason])
    return f"{_percent(line.refused)} {worst.replace('_', ' ')}"


def _slowest(delays: Mapping[str, float]) -> str:
    """`hall-b 200 ms`."""
    if len(delays) < 2:
        return UNKNOWN
    name, seconds = slowest(delays)[0]
    return f"{name} {milliseconds(seconds)}"


def _sats(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def _firmware(line: GroupView) -> str:
    """`cgminer`; of several `24 cgminer, 3 others`."""
    if not line.firmware:
        return UNKNOWN
    family, count = next(iter(line.firmware.items()))
    others = sum(line.firmware.values()) - count
    return f"{count:,} {family}, {counted(others, 'other')}" if others else family


def _difficulty(value: float) -> str:
    """Written as a hashrate is, without its unit."""
    return hashrate_text(value).removesuffix("H/s").rstrip() if value else UNKNOWN


def _uptime(part: float | None) -> str:
    return UNKNOWN if part is None else _percent(part)


def _ago(since_us: int | None, at_us: int) -> str:
    return UNKNOWN if since_us is None else _age((at_us - since_us) / 1e6)


def _hashrate(value: float | None) -> str:
    return UNKNOWN if value is None else hashrate_text(value)


def _count(number: int) -> str:
    return f"{number:,}" if number else UNKNOWN


def _age(seconds: float) -> str:
    """`45 s`, `7 min`, `3 h`, `12 d`: as exact as one wants to know it."""
    for least, unit, name in _AGES:
        if seconds >= least:
            return f"{seconds / unit:,.0f} {name}"
    return "0 s"


def _percent(part: float) -> str:
    """Three digits at most; nearly everything is not everything."""
    if 0.999 <= part < 1:
        return "99.9 %"
    return f"{100 * part:.0f} %" if part >= 0.9995 or part < 0.0005 else f"{100 * part:.1f} %"
