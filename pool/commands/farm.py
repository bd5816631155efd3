"""`engineroom farm`: the farm as it is, and what its operator says: planned pauses, machines gone."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from pool.commands.ending import SettingsFile, complain, fail, load_settings, run, said
from pool.commands.form import AsCsv, AsJson, form_of

if TYPE_CHECKING:
    from config.schema import Settings
    from pool.farm.pauses import Pause
    from pool.farm.places import Places

app = typer.Typer(help="The farm's machines and groups; planned pauses; what is gone for good.")
MICROSECONDS = 1_000_000
Group = Annotated[
    str, typer.Argument(help="A path like hall-a/row-3, with all inside it; `all` is the farm.")
]


@app.callback(invoke_without_command=True)
def farm(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option("-c", "--config", help="The settings file (YAML).")] = None,
    group: Annotated[
        str | None, typer.Option("--group", help="Only what is in it: a path like hall-a/row-3.")
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Every machine, not only the worst forty.")] = False,
    as_json: AsJson = False,
) -> None:
    """The farm: machines by state, incidents, groups and machines (worst first), what it earns and costs."""
    if context.invoked_subcommand is not None:
        return
    if config is None:
        raise typer.BadParameter("name the settings file", param_hint="-c")
    from pool.commands.farm_view import print_farm
    from pool.reports.farm import MOST_SHOWN, FarmReport
    from pool.reports.rendering import json_text, stdout_console

    wanted = None if group is None else group.strip("/ ")
    most = None if show_all or as_json else MOST_SHOWN
    report = msgspec.convert(_ask(load_settings(config), "farm", group=wanted, most=most), FarmReport)
    if as_json:
        typer.echo(json_text(report), nl=False)
    else:
        print_farm(report, stdout_console(), show_all=show_all)


@app.command()
def pause(
    config: SettingsFile,
    group: Group,
    until: Annotated[
        str | None, typer.Option(help="18:00, 2026-12-01T06:00 or +3h; left out: until `farm resume`.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it is listed.")] = "",
) -> None:
    """Tell that a group's machines are off on purpose: no alarms, no fall of difficulty or uptime."""
    from pool.farm.pauses import LONGEST_REASON, Pause, begun

    if len(reason) > LONGEST_REASON or not reason.isprintable():
        raise typer.BadParameter(f"one line of at most {LONGEST_REASON} characters", param_hint="--reason")
    now_us, until_us = _times(until)
    settings = load_settings(config)
    made = Pause(_known_group(settings, group), now_us, until_us, reason)
    _change(settings, lambda pauses: begun(pauses, made))
    typer.echo(f"{_named(made.group)} is paused {_until(until_us)}")


@app.command()
def resume(config: SettingsFile, group: Group) -> None:
    """End the pauses of a group and of all inside it; its machines have 15 minutes to come back."""
    from pool.commands.books import now_us as clock
    from pool.farm.pauses import Pause, ended, pause_of

    now_us, path = clock(), group.strip("/ ")
    stopped: list[Pause] = []
    left: tuple[Pause, ...] = ()

    def end(pauses: tuple[Pause, ...]) -> tuple[Pause, ...]:
        nonlocal stopped, left
        left, stopped = ended(pauses, path, now_us)
        return left

    _change(load_settings(config), end)
    for one in stopped:
        typer.echo(f"{_named(one.group)} is resumed; it was to be paused {_until(one.until_us)}")
    still = pause_of(left, path, now_us)
    if still is not None:
        fail(f"{_named(path)} is still paused with {_named(still.group)}, {_until(still.until_us)}")
    if not stopped:
        fail(f"{_named(path)} is not paused")


@app.command()
def pauses(config: SettingsFile, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """List pauses: those that last, those of the next two days by price, and past ones by hand."""
    from pool.commands.books import now_us as clock
    from pool.commands.tables import PAUSES
    from pool.farm.pause_file import PauseFile, PauseFileError
    from pool.farm.planned_pauses import price_pauses
    from pool.reports.pauses import PauseLine, pause_lines
    from pool.reports.rendering import show, stdout_console

    form, settings, now_us = form_of(as_json, as_csv), load_settings(config), clock()
    try:
        found = PauseFile(Path(settings.data_directory)).read()
    except (OSError, PauseFileError) as error:
        fail(said(error))
    by_price = (
        one for one in price_pauses(settings.farm.power, now_us / MICROSECONDS) if not one.is_over(now_us)
    )
    lines = pause_lines([*found, *by_price], now_us)
    show(lines, PAUSES, PauseLine, form, stdout_console(), "nothing is paused")


@app.command()
def forget(
    config: SettingsFile,
    machines: Annotated[
        list[str], typer.Argument(help="Their names, or ACCOUNT.worker where several have one.")
    ],
) -> None:
    """Machines are gone for good, or have another name now: no fault any more."""
    trouble = _ask(load_settings(config), "forget", machines=machines)
    for name in dict.fromkeys(machines):
        typer.echo(f"{name} is forgotten; if it comes again, it is a new machine")
    if trouble is not None:
        fail(f"that is not kept, and after a crash they may be here again: {trouble}")


def _ask(settings: "Settings", operation: str, **arguments: Any) -> Any:
    """The instruments' answer; the command ends where there is none."""
    from pool.accounting.control import INSTRUMENTS_SOCKET, NobodyThere, Refused, ask

    directory = Path(settings.data_directory)
    try:
        return run(ask(directory, operation, socket_name=INSTRUMENTS_SOCKET, **arguments))
    except (Refused, NobodyThere) as error:
        fail(str(error))


def _change(settings: "Settings", how: "Callable[[tuple[Pause, ...]], tuple[Pause, ...]]") -> None:
    from pool.farm.pause_file import PauseFile, PauseFileError

    try:
        PauseFile(Path(settings.data_directory)).change(how)
    except (OSError, PauseFileError) as error:
        fail(said(error))


# ---------------------------------------------------------------------- words


def _times(until: str | None) -> tuple[int, int | None]:
    """Now, and the end that was typed, in the zone of this machine."""
    from pool.commands.books import now_us as clock
    from pool.farm.pause_time import moment_from

    now_us = clock()
    if until is None:
        return now_us, None
    now = datetime.datetime.fromtimestamp(now_us // MICROSECONDS, datetime.UTC).astimezone()
    try:
        moment = moment_from(until, now, datetime.datetime.astimezone)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--until") from None
    return now_us, int(moment.timestamp()) * MICROSECONDS


def _until(until_us: int | None) -> str:
    if until_us is None:
        return "until it is resumed"
    moment = datetime.datetime.fromtimestamp(until_us // MICROSECONDS, datetime.UTC).astimezone()
    return f"until {moment:%Y-%m-%d %H:%M %Z}"


def _named(group: str) -> str:
    from pool.farm.inventory import WHOLE_FARM

    return "the whole farm" if group == WHOLE_FARM else group


# ---------------------------------------------------------------------- groups


def _known_group(settings: "Settings", text: str) -> str:
    """The group's path. One that is none ends the command, as far as it is known which there are."""
    from pool.farm.inventory import UNGROUPED, WHOLE_FARM
    from pool.farm.places import nearest

    path = text.strip("/ ")
    if path in (WHOLE_FARM, UNGROUPED):
        return path
    groups = _groups(settings, path)
    if groups is None:
        complain(f"whether there is a group {path!r} is not known yet; it is paused all the same")
    elif path not in groups:
        fail(f"there is no group {path!r}; the nearest: {', '.join(nearest(path, groups))}", 2)
    return path


def _groups(settings: "Settings", path: str) -> set[str] | None:
    """The groups that are known, at least up to this one; None where accounts cannot be asked for more."""
    if settings.farm.name_pattern is None and settings.farm.inventory is None:
        fail(f"there is no group but `all`: set farm.name_pattern or farm.inventory to have {path!r}", 2)
    places = _places(settings)
    known = places.inventory.groups()
    if path in known or settings.farm.name_pattern is None:
        return known
    workers = _workers(settings)
    if workers is None:
        return None
    for account, worker in workers:
        if places.has(account):
            known.update(group for _, group in places.place(account, worker).groups())
    return known


def _places(settings: "Settings") -> "Places":
    from pool.farm.opening import InventoryUnusable, open_places

    try:
        return open_places(settings)
    except InventoryUnusable as error:
        for line in error.lines:
            complain(line)
        raise typer.Exit(1) from None


def _workers(settings: "Settings") -> list[tuple[str, str]] | None:
    """All that the accounts have seen; None where they cannot be asked."""
    from pool.commands.books import EXPECTED, readable
    from pool.reports.workers import worker_names

    async def read() -> list[tuple[str, str]]:
        async with readable(settings) as database, database.reading() as reader:
            return await worker_names(reader)

    try:
        return run(read())
    except EXPECTED as error:
        complain(said(error))
        return None
