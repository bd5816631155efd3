"""`engineroom payouts`: the next payment, all payments so far, and what stops or starts them."""

from typing import Annotated

import typer

from pool.commands.ending import SettingsFile, complain, load_settings
from pool.commands.form import AsCsv, AsJson, Most, account_and_sats, form_of

app = typer.Typer(help="Payments: what is next, what was, hold and release.", no_args_is_help=True)
Scope = Annotated[str, typer.Argument(help="`all`, an account's address, or payment:NUMBER.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept for good.")]


@app.command()
def preview(config: SettingsFile, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Show who would be paid now, and who not and why."""
    from pool.accounting.assembly import pays_by_coinbase
    from pool.accounting.requests import Preview, PreviewLine
    from pool.commands.books import act
    from pool.commands.tables import PREVIEW
    from pool.reports.rendering import Form, json_text, show, stdout_console
    from pool.wording import coins_text, counted

    form, settings = form_of(as_json, as_csv), load_settings(config)
    found = act(settings, "payouts_preview", Preview)
    if form is Form.JSON:
        typer.echo(json_text(found), nl=False)
        return
    show(found.lines, PREVIEW, PreviewLine, form, stdout_console(), "nobody has a balance")
    if form is Form.TABLE:
        if found.more:
            typer.echo(f"… and {found.more} more")
        if pays_by_coinbase(settings):
            typer.echo("\ncoinbases pay here: what is owed is carried over into the next, no payment is made")
            return
        are = "is" if found.paid == 1 else "are"
        typer.echo(f"\n{counted(found.paid, 'account')} {are} paid, {coins_text(found.sats)} together")
        if not found.is_wallet_asked:
            typer.echo("without the wallet: network fees, dust and the daily limit are left aside")
        if found.obstacle is not None:
            complain(found.obstacle)


@app.command("list")
def list_payments(
    config: SettingsFile, most: Most = 50, as_json: AsJson = False, as_csv: AsCsv = False
) -> None:
    """List payments, coinbases' too: state, amount, fee, transaction; and what holds them."""
    from pool.commands.books import report
    from pool.commands.tables import PAYMENTS
    from pool.reports.payments import PaymentLine, holds, payments
    from pool.reports.rendering import Form, show, stdout_console
    from pool.storage.database import Reader
    from pool.wording import coins_text

    async def read(reader: Reader) -> tuple[list[PaymentLine], list[str]]:
        held = [f"{hold.scope} is on hold: {hold.reason}" for hold in await holds(reader)]
        return await payments(reader, most), held

    form = form_of(as_json, as_csv)
    lines, held = report(load_settings(config), read)
    show(lines, PAYMENTS, PaymentLine, form, stdout_console(), "nothing has been paid yet")
    if form is Form.TABLE:
        for line in lines:
            name = f"the coinbase of {line.block_hash}" if line.id is None else f"payment {line.id}"
            if line.reason:
                typer.echo(f"{name}: {line.reason}")
            for one in line.attempts if len(line.attempts) > 1 else ():
                sent = f"sent at height {one.broadcast_height}" if one.broadcast_height else "not sent"
                became = f"fee {coins_text(one.fee_sats)}, {'confirmed' if one.is_confirmed else sent}"
                typer.echo(f"{name}, attempt {one.number}: {one.txid}, {became}")
        for hold in held:
            complain(hold)


@app.command()
def holds(config: SettingsFile, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """List what stops payments."""
    from pool.commands.books import report
    from pool.commands.tables import HOLDS
    from pool.reports.payments import HoldLine
    from pool.reports.payments import holds as read
    from pool.reports.rendering import show, stdout_console

    form = form_of(as_json, as_csv)
    show(report(load_settings(config), read), HOLDS, HoldLine, form, stdout_console(), "nothing is on hold")


@app.command()
def run(config: SettingsFile) -> None:
    """Pay whoever is due now, not waiting for the interval. The pool has to run."""
    from pool.accounting.requests import RunResult
    from pool.commands.books import act

    found = act(load_settings(config), "payouts_run", RunResult)
    for number in found.payment_ids:
        typer.echo(f"payment {number} is made")
    for line in found.left_out:
        typer.echo(f"left out: {line.account}, {line.sats} sats: {line.reason}")
    if found.reason is not None and not found.payment_ids:
        complain(found.reason)
        raise typer.Exit(1)
    if found.reason is not None:
        typer.echo(found.reason)


@app.command()
def hold(config: SettingsFile, scope: Scope, reason: Reason) -> None:
    """Stop payments: all, one account's, or one payment."""
    from pool.commands.books import act

    typer.echo(f"{act(load_settings(config), 'hold', str, scope=scope, reason=reason)} is on hold: {reason}")


@app.command()
def release(config: SettingsFile, scope: Scope, reason: Reason) -> None:
    """Let payments go on."""
    from pool.commands.books import act

    for was in act(load_settings(config), "release", list[str], scope=scope, reason=reason):
        typer.echo(f"{scope} is released; it was on hold: {was}")


@app.command()
def adopt(
    config: SettingsFile,
    what: Annotated[str, typer.Argument(help="`all`, a transaction's id, or a journal entry's number.")],
    payee: Annotated[
        list[str] | None, typer.Option(help="ACCOUNT=SATS: whose money it was; once for each.")
    ] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Nobody here was owed it.")] = False,
    reason: Reason = "adopted by the operator",
) -> None:
    """Say whose money it was that no payment explains, after a restore or a payment by hand."""
    from pool.accounting.requests import AdoptResult
    from pool.commands.books import act

    found = act(
        load_settings(config),
        "adopt",
        AdoptResult,
        what=what,
        payees=[account_and_sats(text, "--payee") for text in payee or ()],
        is_nobodys=nobody,
        reason=reason,
    )
    for line in found.adopted:
        typer.echo(f"adopted: {line}")
    if found.is_released:
        typer.echo("everything is matched")
    for line in found.waiting:
        complain(line)
    if found.waiting:
        raise typer.Exit(1)
