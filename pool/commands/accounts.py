"""`engineroom accounts`, `balance`, `blocks`: what the accounts say, and what a person does to them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from pool.commands.ending import SettingsFile, complain, fail, load_settings, run, said
from pool.commands.form import AsCsv, AsJson, Most, account_and_sats, form_of

if TYPE_CHECKING:
    from pool.reports.balance import BalanceReport

app = typer.Typer(
    help="Who mined, what they are owed, what they got; and whether the accounts are in order.",
    no_args_is_help=True,
)
MOST_FAULTS = 20
Reason = Annotated[str, typer.Option(help="Why; it is kept for good.")]


@app.callback(invoke_without_command=True)
def list_accounts(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option("-c", "--config", help="The settings file (YAML).")] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List all accounts: work of the last 24 hours, immature money, balance, paid so far."""
    if context.invoked_subcommand is not None:
        if config is not None or as_json or as_csv:
            raise typer.BadParameter("options stand behind the command, as in `accounts verify -c FILE`")
        return
    if config is None:
        raise typer.BadParameter("Missing option '-c' / '--config'.")
    from pool.commands.books import now_us, report
    from pool.commands.tables import accounts_columns
    from pool.reports.accounts import AccountLine, accounts
    from pool.reports.rendering import show, stdout_console

    form = form_of(as_json, as_csv)
    lines = report(load_settings(config), lambda reader: accounts(reader, now_us()))
    show(lines, accounts_columns(lines), AccountLine, form, stdout_console(), "nobody has mined here yet")


@app.command()
def sources(config: SettingsFile, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """List the gateways' spools: how far each was counted, and what keeps one from going on."""
    from pool.commands.books import now_us, report
    from pool.commands.tables import SOURCES
    from pool.reports.rendering import show, stdout_console
    from pool.reports.sources import SourceLine
    from pool.reports.sources import sources as read

    form = form_of(as_json, as_csv)
    lines = report(load_settings(config), lambda reader: read(reader, now_us()))
    show(lines, SOURCES, SourceLine, form, stdout_console(), "no gateway has written anything yet")


@app.command()
def verify(config: SettingsFile, as_json: AsJson = False) -> None:
    """Look for contradictions in ledger, journal, statements, digests and archive; exit code 0 or 1."""
    from pool.accounting.verify import verify as look
    from pool.audit.keys import KeyRefused
    from pool.commands.books import EXPECTED
    from pool.commands.progress import progress

    settings, told = load_settings(config), list[str]()
    try:
        with progress("verifying") as advance:
            faults = run(look(settings, told.append, advance))
    except (*EXPECTED, KeyRefused, OSError) as error:
        fail(said(error))
    _end_with(_Found(told, faults), as_json, "nothing contradicts anything")


@app.command()
def rebuild(
    config: SettingsFile,
    into: Annotated[
        Path | None,
        typer.Option(help="A new SQLite file that keeps what was counted: for lost accounts."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count the accounts again from archive and journal, and compare them; exit code 0 or 1."""
    from pool.accounting.archive_file import ArchiveError
    from pool.accounting.rebuild import rebuild as count_again
    from pool.commands.books import EXPECTED
    from pool.commands.progress import progress
    from pool.spool.frames import SpoolError

    settings, told = load_settings(config), list[str]()
    try:
        with progress("counting again") as advance:
            differences = run(count_again(settings, told.append, advance, into))
    except (*EXPECTED, ArchiveError, SpoolError) as error:
        fail(said(error))
    if into is not None:
        told.append(f"{into}: the accounts as they were counted")
    _end_with(_Found(told, differences), as_json, "the accounts are what archive and journal make them")


class _Found(NamedTuple):
    """What was looked at or could not be, and what is wrong: sentences."""

    told: list[str]
    faults: list[str]


def _end_with(found: _Found, as_json: bool, all_is_well: str) -> None:
    """Some examples for a person, all of them for a program."""
    if as_json:
        from pool.reports.rendering import json_text

        typer.echo(json_text({"told": found.told, "faults": found.faults}), nl=False)
        raise typer.Exit(1 if found.faults else 0)
    for line in found.told:
        typer.echo(line)
    for fault in found.faults[:MOST_FAULTS]:
        complain(fault)
    if len(found.faults) > MOST_FAULTS:
        complain(f"… and {len(found.faults) - MOST_FAULTS:,} more: --json has them all")
    if found.faults:
        raise typer.Exit(1)
    typer.echo(all_is_well)


@app.command()
def accept_gap(
    config: SettingsFile,
    source: Annotated[str, typer.Argument(help="As `accounts sources` lists it.")],
    epoch: Annotated[str, typer.Option(help="Its epoch, 16 hex digits.")],
    reason: Reason,
) -> None:
    """Give up the frames of a stopped source that cannot be read: their shares are never counted."""
    from pool.accounting.requests import GapResult
    from pool.commands.books import act

    found = act(
        load_settings(config), "accept_gap", GapResult, source=source, epoch=epoch.lower(), reason=reason
    )
    if found.last_frame < found.first_frame:
        typer.echo(f"{source} {epoch} ends with frame {found.last_frame}: nothing follows it")
    else:
        typer.echo(f"{source} {epoch}: frames {found.first_frame} to {found.last_frame} are given up")


@app.command()
def correct(
    config: SettingsFile,
    account: Annotated[str, typer.Argument(help="Whose balance changes.")],
    sats: Annotated[int, typer.Option(help="Satoshis to give; negative to take.")],
    reason: Reason,
    against: Annotated[str, typer.Option(help="Who gives them, or takes them.")] = "@operator",
) -> None:
    """Put a mistake right: rows with a reason, never a change of what stands."""
    from pool.commands.books import act

    number = act(
        load_settings(config), "correct", int, account=account, against=against, sats=sats, reason=reason
    )
    typer.echo(f"journal entry {number}: {account} {sats:+d} sats, {against} {-sats:+d} sats")


@app.command()
def begin_journal(config: SettingsFile, reason: Reason) -> None:
    """Where the journal is lost for good: begin another. Payouts wait until everything paid is matched."""
    from pool.accounting.lost_journal import begin_journal as begin
    from pool.commands.books import EXPECTED, leased, now_us, readable

    settings = load_settings(config)

    async def work() -> int:
        async with readable(settings):
            pass  # accounts that are not there yet are not made by a slip of a path
        async with leased(settings, "engineroom accounts begin-journal") as database:
            return await begin(Path(settings.data_directory), database, reason, now_us())

    try:
        number = run(work())
    except EXPECTED as error:
        fail(said(error))
    typer.echo(
        f"journal entry {number} begins a new journal; payouts are on hold until every send of the wallet "
        "has found its payment, see `payouts adopt`"
    )


@app.command()
def settle(
    config: SettingsFile,
    block: Annotated[str, typer.Argument(help="The block's hash, as `blocks` lists it.")],
    to: Annotated[list[str], typer.Option(help="ACCOUNT=SATS: what it earned; once for each.")],
    reason: Reason,
) -> None:
    """Divide a block by hand whose plan is lost; what its coinbase paid is read from the block."""
    from pool.accounting.requests import SettledPart
    from pool.commands.books import act

    settings, parts = load_settings(config), [account_and_sats(text, "--to") for text in to]
    made = act(settings, "settle", list[SettledPart], block_hash=block.lower(), parts=parts, reason=reason)
    for part in made:
        typer.echo(f"{part.account}: earned {part.earned_sats} sats, {part.paid_sats} paid by the coinbase")


def balance(
    config: SettingsFile,
    address: Annotated[str, typer.Argument(help="The account.")],
    rows: Most = 20,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Show one account: what it is owed, where it is paid, and its newest rows of the ledger."""
    from pool.commands.books import address_of, report
    from pool.commands.tables import LEDGER
    from pool.reports.balance import LedgerLine
    from pool.reports.balance import balance as read
    from pool.reports.rendering import Form, json_text, show, stdout_console

    form, settings = form_of(as_json, as_csv), load_settings(config)
    account, minimum = address_of(address, settings), settings.payout.minimum_sats
    found = report(settings, lambda reader: read(reader, account, minimum, rows))
    if found is None:
        fail(f"there is no account {account}: it has neither mined here nor been credited")
    if form is Form.JSON:
        typer.echo(json_text(found), nl=False)
        return
    if form is Form.TABLE:
        _say_balance(found)
    show(found.rows, LEDGER, LedgerLine, form, stdout_console(), "no rows yet")


def _say_balance(found: "BalanceReport") -> None:
    from pool.reports.rendering import moment
    from pool.wording import coins_text

    lines: dict[str, Any] = {
        "account": found.account,
        "balance": coins_text(found.balance_sats),
        "immature": coins_text(found.immature_sats),
        "on its way": coins_text(found.on_its_way_sats),
        "paid": coins_text(found.paid_sats),
        "paid to": found.payee,
        "from": coins_text(found.minimum_sats) + (" (the minimum of all)" if found.is_pools_minimum else ""),
    }
    if found.pending is not None:
        pending = found.pending
        minimum = "the minimum of all" if pending.minimum_sats is None else coins_text(pending.minimum_sats)
        lines["will be"] = f"{pending.address}, from {minimum}, as of {moment(pending.effective_us)} UTC"
    for reason in found.holds:
        lines["on hold"] = reason
    for name, value in lines.items():
        typer.echo(f"{name:<12}{value}")
    typer.echo()


def blocks(config: SettingsFile, most: Most = 50, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """List the blocks that were found: state, confirmations, reward, finder."""
    from pool.commands.books import report
    from pool.commands.tables import BLOCKS
    from pool.reports.blocks import BlockLine
    from pool.reports.blocks import blocks as read
    from pool.reports.rendering import show, stdout_console

    form = form_of(as_json, as_csv)
    lines = report(load_settings(config), lambda reader: read(reader, most))
    show(lines, BLOCKS, BlockLine, form, stdout_console(), "no block has been found yet")
