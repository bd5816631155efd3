"""`engineroom notifications`: whether those who are to be told can be told."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from pool.commands.ending import SettingsFile, fail, load_settings, run

if TYPE_CHECKING:
    from config.schema import Settings

app = typer.Typer(help="Who is told of blocks, payments and incidents.", no_args_is_help=True)
Only = Annotated[str | None, typer.Option("--only", help="The name of one target; by default all.")]


@app.callback()
def notifications() -> None:
    """Who is told of blocks, payments and incidents."""


@app.command("test")
def send_test(config: SettingsFile, only: Only = None) -> None:
    """Send each target a test notice now and say what came of it; exit code 1 if any did not take it."""
    settings = load_settings(config)
    results = run(_sent(settings, only))
    if not results:
        what = "there are none under `notifications`" if only is None else f"there is no target {only}"
        fail(f"nobody to tell: {what} in {config}")
    for name, trouble in results:
        typer.echo(f"{name}: {trouble or 'ok'}")
    raise typer.Exit(1 if any(trouble for _, trouble in results) else 0)


async def _sent(settings: "Settings", only: str | None) -> list[tuple[str, str]]:
    """Each target's name, and what went wrong, or nothing; all of them at once."""
    from pool.accounting.assembly import network_name
    from pool.commands.books import now_us
    from pool.notices.delivery import Delivered, deliver, new_session
    from pool.notices.formats import request_of
    from pool.notices.notice import Test
    from pool.notices.targets import targets_of

    targets = [target for target in targets_of(settings) if only in (None, target.name)]
    notice, network = Test(at_us=now_us()), network_name(settings)
    requests = [request_of(target, [notice], network, notice.at_us // 1_000_000) for target in targets]
    async with new_session() as session:
        outcomes = await asyncio.gather(*(deliver(session, request) for request in requests))
    return [
        (target.name, "" if isinstance(outcome, Delivered) else outcome.reason)
        for target, outcome in zip(targets, outcomes, strict=True)
    ]
