"""The options that lists have in common: --json, --csv, and how many lines."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pool.reports.rendering import Form

AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="As CSV.")]
Most = Annotated[int, typer.Option(min=1, max=1_000_000, help="The newest so many.")]


def form_of(as_json: bool, as_csv: bool) -> "Form":
    """How to show it; both at once is a mistake."""
    from pool.reports.rendering import Form

    if as_json and as_csv:
        raise typer.BadParameter("give --json or --csv, not both")
    if as_json:
        return Form.JSON
    return Form.CSV if as_csv else Form.TABLE


def account_and_sats(text: str, option: str) -> dict[str, str | int]:
    """`ACCOUNT=SATS` as an operation takes it; anything else ends the command, since the command is wrong."""
    account, _, sats = text.partition("=")
    if not sats.isascii() or not sats.isdigit() or len(sats) > 18:
        raise typer.BadParameter(f"{text!r} is not ACCOUNT=SATS", param_hint=option)
    return {"account": account, "sats": int(sats)}
