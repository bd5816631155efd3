"""`engineroom farm` on a terminal: headline, incidents, groups and machines, the worst first, and money."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from pool.farm.economics_text import MONEY, MoneyRow, money_rows
from pool.farm.summary import GroupLine, MachineLine
from pool.reports.farm import MOST_SHOWN, NO_NEWS, FarmReport, headline, loss_lines, noteworthy, rates_line
from pool.reports.rendering import Column, Form, show
from pool.wording import hashrate_text

MOST_GROUPS = 15  # of a farm with hundreds of racks, those that miss most
WIDE = 110  # a terminal of so many columns has room for what is of interest second
UNKNOWN = "–"
_AGES = ((2 * 86_400, 86_400, "d"), (2 * 3_600, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))


def print_farm(report: FarmReport, console: Console, *, show_all: bool) -> None:
    """Everything of a report that a person looks at; of a group only what is the group's own."""
    _say(console, headline(report))
    if report.group is None:
        _say(console, rates_line(report))
    _section(console, "incidents", report.incidents, "none")
    _groups(report, console, show_all=show_all)
    _machines(report, console, show_all=show_all)
    if report.group is None:
        _section(console, "stale losses", loss_lines(report.losses), "no block change yet")
        _money(report, console)


def _say(console: Console, line: str) -> None:
    console.print(Text(line), soft_wrap=True)


def _section(console: Console, title: str, lines: Sequence[str], empty: str) -> None:
    console.print()
    _say(console, f"{title}:" if lines else f"{title}: {empty}")
    for line in lines:
        _say(console, f"  {line}")


def _groups(report: FarmReport, console: Console, *, show_all: bool) -> None:
    lines = report.groups if show_all else report.groups[:MOST_GROUPS]
    if not lines:
        return
    console.print()
    show(lines, GROUPS, GroupLine, Form.TABLE, console, empty="")
    _more(console, len(report.groups) - len(lines), "group")


def _machines(report: FarmReport, console: Console, *, show_all: bool) -> None:
    """The report may have no more of them than are shown."""
    worst = [line for line in report.machines[:MOST_SHOWN] if line.state not in NO_NEWS]
    lines = report.machines if show_all else worst
    console.print()
    columns = _columns(report.at_us, is_wide=console.width >= WIDE)
    show(lines, columns, MachineLine, Form.TABLE, console, empty="no machine is at fault")
    _more(console, noteworthy(report) - len(lines), "machine")


def _more(console: Console, count: int, what: str) -> None:
    if count > 0:
        _say(console, f"… and {count:,} more: --all" if count > 1 else f"… and one {what} more: --all")


def _money(report: FarmReport, console: Console) -> None:
    """The table only where something of money is set."""
    if not report.money_lines:
        return
    console.print()
    if report.has_money:
        show(money_rows(report.finance), MONEY, MoneyRow, Form.TABLE, console, empty="")
    for line in report.money_lines:
        _say(console, line)


GROUPS: tuple[Column[GroupLine], ...] = (
    Column("group", lambda one: one.group, is_shortened=True),
    Column("machines", lambda one: f"{one.machines:,}", is_number=True),
    Column("at fault", lambda one: _count(one.faulty), is_number=True),
    Column("paused", lambda one: _count(one.paused), is_number=True),
    Column("measured", lambda one: hashrate_text(one.measured), is_number=True),
    Column("expected", lambda one: _hashrate(one.expected or None), is_number=True),
    Column("refused", lambda one: _percent(one.refused), is_number=True),
)


def _columns(at_us: int, *, is_wide: bool) -> tuple[Column[MachineLine], ...]:
    def ago(since_us: int | None) -> str:
        return UNKNOWN if since_us is None else _age((at_us - since_us) / 1e6)

    columns: tuple[Column[MachineLine], ...] = (
        Column("machine", lambda one: one.name, is_shortened=True),
        Column("group", lambda one: one.group, is_shortened=True),
        Column("state", lambda one: "never seen" if one.is_never_seen else one.state),
        Column("for", lambda one: ago(one.state_since_us), is_number=True),
        Column("measured", lambda one: hashrate_text(one.measured), is_number=True),
        Column("expected", lambda one: _hashrate(one.expected), is_number=True),
        Column("refused", _refused),
    )
    if not is_wide:
        return columns
    return (
        *columns,
        Column("last share", lambda one: ago(one.last_share_us), is_number=True),
        Column("up", lambda one: UNKNOWN if one.uptime is None else _percent(one.uptime), is_number=True),
        Column("model", lambda one: one.model or UNKNOWN),
    )


def _refused(line: MachineLine) -> str:
    """The part, and its main reason where there is much of it."""
    if line.refused < 0.01 or not line.refused_by_reason:
        return _percent(line.refused)
    worst = max(line.refused_by_reason, key=lambda reason: line.refused_by_reason[reason])
    return f"{_percent(line.refused)} {worst.replace('_', ' ')}"


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
