"""`engineroom statement`: a block's account, shown, counted again, and proved to one miner."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pool.commands.ending import SettingsFile, complain, fail, load_settings, said
from pool.commands.form import AsJson

if TYPE_CHECKING:
    from pool.audit.recompute import Span

app = typer.Typer(help="How a block was divided, signed; and whether that is right.", no_args_is_help=True)
Keys = Annotated[
    Path | None,
    typer.Option(help="A directory with the public keys (*.pub.pem) that you trust."),
]
NOT_ALL_CHECKED = 3
SlotRanges = tuple[tuple[int, int], ...]


@app.command()
def show(
    config: SettingsFile,
    block: Annotated[str, typer.Argument(help="Its hash or height.")],
    as_json: AsJson = False,
) -> None:
    """Show the statement of a block; with --json the signed document itself, to be handed out."""
    from pool.audit.document import AuditError
    from pool.commands.statement_text import statement_lines
    from pool.reports.statements import NoStatement, find, read

    settings = load_settings(config)
    try:
        stored = find(Path(settings.data_directory), block)
        statement = read(stored.path)
        if as_json:
            typer.echo(stored.path.read_text(), nl=not stored.path.read_bytes().endswith(b"\n"))
            return
    except (NoStatement, AuditError, OSError) as error:
        fail(said(error))
    for line in statement_lines(statement):
        typer.echo(line)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The signed document.")],
    archive: Annotated[
        Path | None, typer.Option(help="The pool's archive, or a copy: shares are counted again.")
    ] = None,
    digests: Annotated[
        Path | None,
        typer.Option(help="Digests (*.json) of days whose shares are gone; by default beside the archive."),
    ] = None,
    keys: Keys = None,
) -> None:
    """Count a statement again, without the database, and say from what.

    Exit code 0: nothing differs; 1: something does; 3: nothing does, and the archive does not show it all.
    """
    from pool.accounting.archive import is_archive
    from pool.accounting.archive_file import ArchiveError
    from pool.accounting.evidence import gather
    from pool.accounting.settling import settled_as_stated
    from pool.audit import statement as audit
    from pool.audit.document import AuditError
    from pool.audit.keys import KeyRefused, read_public_keys
    from pool.audit.recompute import recompute
    from pool.commands.progress import progress
    from pool.reports.statements import read
    from pool.spool.frames import SpoolError

    if archive is not None and not is_archive(archive):
        fail(f"{archive} holds no segments of any source: it is no archive of a pool", 2)
    if digests is not None and not digests.is_dir():
        fail(f"{digests} is no folder: digests are files (*.json) in one", 2)
    try:
        statement = read(file)
        trusted = None if keys is None else read_public_keys(keys)
        for warning in audit.verify(statement, trusted):
            complain(warning)
        beside = None if archive is None else archive.parent / "digests"
        spans = _digest_spans(digests or beside, trusted)
        with progress("counting shares") as advance:
            found = gather(statement.body, archive, spans, advance)
        result = recompute(statement.body, found.spans, settled_as_stated)
    except (AuditError, KeyRefused, ArchiveError, SpoolError, OSError) as error:
        fail(said(error))
    typer.echo(f"block {statement.head.height} {statement.head.block_hash}: signed, and whole")
    for note in found.notes:
        typer.echo(note)
    _say_ranges("counted from shares", result.from_shares)
    _say_ranges("compared with digests", result.from_digests)
    _say_ranges("not checked, window and amounts excepted", result.unchecked)
    differences = (*found.differences, *result.differences)
    for difference in differences:
        complain(difference)
    if differences:
        raise typer.Exit(1)
    if archive is not None and result.unchecked and not found.is_by_other_rules:
        typer.echo("nothing differs in what was checked")
        raise typer.Exit(NOT_ALL_CHECKED)
    typer.echo("nothing differs" if archive is not None else "nothing differs; shares were not counted")


def _digest_spans(directory: Path | None, trusted: dict[str, bytes] | None) -> "list[Span]":
    from pool.audit import digest
    from pool.audit.document import AuditError

    spans = []
    for path in sorted(directory.glob("*.json")) if directory is not None else ():
        try:
            one = digest.decode(path.read_bytes())
            digest.verify(one, trusted)
        except AuditError as error:
            raise AuditError(f"{path}: {error}") from None
        spans += digest.spans_of(one)
    return spans


def _say_ranges(what: str, ranges: SlotRanges) -> None:
    from pool.reports.rendering import moment

    for start, end in ranges:
        typer.echo(f"{what}: {moment(start * 1_000_000)} to {moment(end * 1_000_000)} UTC")


@app.command()
def prove(
    config: SettingsFile,
    address: Annotated[str, typer.Argument(help="The account.")],
    block: Annotated[
        str | None, typer.Option(help="Hash or height; by default the newest that it has work in.")
    ] = None,
) -> None:
    """Print a proof for one miner: that its work is in the total that a block was divided by."""
    from pool.audit import proof
    from pool.audit.document import AuditError
    from pool.commands.books import address_of
    from pool.reports.statements import NoStatement, find, read, with_account

    settings = load_settings(config)
    account, directory = address_of(address, settings), Path(settings.data_directory)
    try:
        found = next(with_account(directory, account), None) if block is None else None
        statement = read(find(directory, block).path) if block is not None else found
        if statement is None:
            fail(f"{account} has no work in any statement")
        typer.echo(proof.encode(proof.prove(statement, account)))
    except KeyError:
        fail(f"{account} has no work in the statement of block {block}")
    except (NoStatement, AuditError, OSError) as error:
        fail(said(error))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="PROOF", help="A file with a proof.")], keys: Keys = None
) -> None:
    """Check a proof; exit code 0 or 1."""
    from pool.audit import proof
    from pool.audit.document import AuditError
    from pool.audit.keys import KeyRefused, read_public_keys

    try:
        trusted = None if keys is None else read_public_keys(keys)
        shown = proof.check(proof.decode(file.read_bytes().strip()), trusted)
    except (AuditError, KeyRefused, OSError) as error:
        fail(said(error))
    for warning in shown.warnings:
        complain(warning)
    part = 100 * shown.weight / shown.total if shown.total else 0
    typer.echo(
        f"block {shown.head.height} {shown.head.block_hash}: {shown.account} has {part:.6g} % of the work, "
        f"{shown.weight // shown.scale} of {shown.total // shown.scale} hashes"
    )
