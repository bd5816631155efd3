"""`engineroom backup` and `restore`: the database as one file, and back."""

from pathlib import Path
from typing import Annotated

import typer

from pool.commands.ending import SettingsFile, fail, load_settings, run


def backup(
    config: SettingsFile, file: Annotated[Path, typer.Argument(help="A file that is not there yet.")]
) -> None:
    """Copy the accounts into one file, while the pool runs or not."""
    from pool.accounting.directories import JOURNAL
    from pool.commands.books import EXPECTED, readable
    from pool.commands.progress import progress
    from pool.storage.backup import backup as copy

    settings = load_settings(config)

    async def work() -> None:
        async with readable(settings) as database:
            with progress("copying") as advance:
                await copy(database, file, advance)

    try:
        run(work())
    except EXPECTED as error:
        fail(str(error))
    typer.echo(f"{file}: the accounts, whole")
    typer.echo(
        f"keep beside it what is not in it: {settings.data_directory}/{JOURNAL} (always the newest), keys, "
        "statements, archive"
    )


def restore(config: SettingsFile, file: Annotated[Path, typer.Argument(help="A backup.")]) -> None:
    """Put a backup in the place of accounts that are lost. The pool must not run; nothing is overwritten."""
    from pool.commands.books import EXPECTED, leased
    from pool.commands.progress import progress
    from pool.storage.backup import restore as copy_back

    settings = load_settings(config)

    async def work() -> None:
        async with leased(settings, "engineroom restore") as database:
            with progress("copying back") as advance:
                await copy_back(file, database, advance)

    if not file.is_file():
        fail(f"{file} is not a file", 2)
    try:
        run(work())
    except EXPECTED as error:
        fail(str(error))
    typer.echo(
        "the accounts are back. What the journal knows beyond them is written into them at the next start; "
        "payouts stay on hold until everything is matched"
    )
