"""`engineroom payee`: pay an account elsewhere, or from another amount on."""

from typing import Annotated

import typer

from pool.commands.ending import SettingsFile, fail, load_settings, said

app = typer.Typer(help="Where an account is paid, and from which amount on.", no_args_is_help=True)
Account = Annotated[str, typer.Argument(help="The account: the address that it mines with.")]
To = Annotated[str, typer.Option("--to", help="The address that is paid.")]
Minimum = Annotated[
    int | None, typer.Option(min=1, help="Satoshis that a balance has to reach; left out: as for all.")
]


@app.command()
def message(config: SettingsFile, account: Account, to: To, minimum: Minimum = None) -> None:
    """Print the text that the account's address signs, to the character; it is good for seven days."""
    from pool.accounting.control import Refused
    from pool.accounting.payee_wishes import text_to_sign
    from pool.accounting.requests import PayeeRequest
    from pool.commands.books import now_us, report
    from stratum.work.coin import network

    settings = load_settings(config)
    request = PayeeRequest(account=account, address=to, minimum_sats=minimum)
    here = network(settings.coin, settings.network)
    try:
        typer.echo(report(settings, lambda reader: text_to_sign(reader, request, here, now_us())))
    except Refused as error:
        fail(said(error))


@app.command("set")
def set_payee(
    config: SettingsFile,
    account: Account,
    to: To,
    minimum: Minimum = None,
    signature: Annotated[
        str | None, typer.Option(help="Base64, by the account's address, of `payee message`'s text.")
    ] = None,
    as_operator: Annotated[
        bool, typer.Option("--as-operator", help="Instead of a signature: you answer for it.")
    ] = False,
    reason: Annotated[str, typer.Option(help="With --as-operator: why; it is kept for good.")] = "",
) -> None:
    """Change it, once payee_change_delay_hours are over; a later change takes the place of one that waits."""
    from pool.accounting.requests import PayeeResult
    from pool.commands.books import act
    from pool.reports.rendering import moment
    from pool.wording import coins_text

    if (signature is None) != as_operator:
        raise typer.BadParameter("give either --signature or --as-operator")
    if as_operator and not reason.strip():
        raise typer.BadParameter("--as-operator needs a --reason")
    found = act(
        load_settings(config),
        "payee_set",
        PayeeResult,
        account=account,
        address=to,
        minimum_sats=minimum,
        signature=signature,
        is_operators=as_operator,
        reason=reason,
    )
    minimum_text = "the minimum of all" if found.minimum_sats is None else coins_text(found.minimum_sats)
    typer.echo(
        f"{found.account} is paid to {found.address} from {minimum_text} on, "
        f"as of {moment(found.effective_us)} UTC"
    )
