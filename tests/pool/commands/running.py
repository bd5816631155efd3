"""Commands on a data directory of their own: settings, accounts that a coroutine fills, and how one ended."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from typer.testing import CliRunner

from pool.cli import app
from tests.harness.command import Ended
from tests.pool.accounting.building import ALICE, Accounts, accounts_in

SETTINGS = f"""
coin: bitcoin
network: regtest
data_directory: {{directory}}
payout:
  address: {ALICE}
nodes:
  - name: local
    url: http://127.0.0.1:1
    cookie_file: /nowhere/.cookie
"""


class Pool:
    """One data directory with a settings file beside it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "data"
        self.directory.mkdir()
        self.settings = directory / "engineroom.yaml"
        self.settings.write_text(SETTINGS.format(directory=self.directory))

    def fill(self, filling: Callable[[Accounts], Awaitable[None]]) -> None:
        """Make the accounts, or open them again, and let the coroutine write."""

        async def work() -> None:
            async with accounts_in(self.directory) as made:
                await filling(made)

        asyncio.run(work())

    def run(self, *arguments: str) -> Ended:
        """`engineroom ARGUMENTS -c FILE`, in this process."""
        return command(*arguments, "-c", str(self.settings))


def command(*arguments: str) -> Ended:
    """`engineroom ARGUMENTS`, in this process."""
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ended(result.exit_code, result.stdout, result.stderr)
