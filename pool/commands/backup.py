"""`engineroom backup` and `restore`: the database as one file, and back."""

from pathlib import Path
from typing import Annotated

import typer

from pool.commands.ending import SettingsFile, complain, fail, load_settings, run, said


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
        fail(said(error))
    typer.echo(f"{file}: the accounts, whole")
    typer.echo(
        f"keep beside it what is not in it: {settings.data_directory}/{JOURNAL} (always the newest), keys, "
        "statements, archive"
    )


def restore(config: SettingsFile, file: Annotated[Path, typer.Argument(help="A backup.")]) -> None:
    """Put a backup in the place of accounts that are lost. The pool must not run; nothing is overwritten."""
    from pool.accounting.assembly import network_name
    from pool.accounting.changes import position
    from pool.accounting.directories import JOURNAL
    from pool.accounting.journal_reading import read_entries
    from pool.commands.books import EXPECTED, leased
    from pool.commands.progress import progress
    from pool.storage.backup import check_backup
    from pool.storage.backup import restore as copy_back

    settings = load_settings(config)
    journal = Path(settings.data_directory) / JOURNAL

    async def work() -> tuple[int, int]:
        """The last journal entry that the backup knows, and the journal's own."""
        made_for = await check_backup(file)
        if made_for not in (None, network_name(settings)):
            fail(f"{file} is of {made_for}, and the settings are of {network_name(settings)}")
        async with leased(settings, "engineroom restore") as database:
            with progress("copying back") as advance:
                await copy_back(file, database, advance)
            async with database.reading() as reader:
                held = await position(reader)
        last = 0
        for entry in read_entries(journal):
            last = entry.number
        return held.number, last

    if not file.is_file():
        fail(f"{file} is not a file", 2)
    try:
        known, last = run(work())
    except EXPECTED as error:
        fail(said(error))
    typer.echo(
        "the accounts are back. What the journal knows beyond them is written into them at the next start; "
        "payouts are on hold from then on until everything is matched"
    )
    if last < known:
        complain(
            f"the accounts know journal entry {known}, {journal} ends at {last}: put the newest journal "
            "there before the start, or see docs/operations.md, lost journal"
        )
