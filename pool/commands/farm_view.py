"""`engineroom farm` on a terminal: headline, incidents, groups and machines, the worst first, and money."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from pool.commands.farm_columns import change_columns, group_columns, machine_columns
from pool.farm.group_view import GroupView
from pool.farm.stale_losses import BlockChange
from pool.farm.summary import MachineLine
from pool.reports.economics import MONEY, MoneyRow, money_rows
from pool.reports.farm import MOST_SHOWN, NO_NEWS, FarmReport, headline, loss_lines, noteworthy, rates_line
from pool.reports.rendering import Form, show

MOST_GROUPS = 15  # of a farm with hundreds of racks, those that miss most
MOST_CHANGES = 5  # of blocks: enough to see whether it is always the same node


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
        _changes(report, console, show_all=show_all)
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
    columns = group_columns(lines, report.at_us, console.width)
    show(lines, columns, GroupView, Form.TABLE, console, empty="")
    _more(console, len(report.groups) - len(lines), "group")


def _machines(report: FarmReport, console: Console, *, show_all: bool) -> None:
    """The report may have no more of them than are shown."""
    worst = [line for line in report.machines[:MOST_SHOWN] if line.state not in NO_NEWS]
    lines = report.machines if show_all else worst
    console.print()
    columns = machine_columns(lines, report.at_us, console.width)
    show(lines, columns, MachineLine, Form.TABLE, console, empty="no machine is at fault")
    _more(console, noteworthy(report) - len(lines), "machine")


def _changes(report: FarmReport, console: Console, *, show_all: bool) -> None:
    """The newest first; of a single one the lines above have told everything."""
    newest = report.losses.changes[::-1]
    if len(newest) < 2:
        return
    lines = newest if show_all else newest[:MOST_CHANGES]
    console.print()
    columns = change_columns(lines, report.finance.measured.network, console.width)
    show(lines, columns, BlockChange, Form.TABLE, console, empty="")
    _more(console, len(newest) - len(lines), "block change")


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
