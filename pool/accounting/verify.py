"""`accounts verify`: whether what is kept contradicts itself. Ledger, journal, statements, digests, archive.

Reads only, without a lease, beside a running pool. Each fault is one line.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from config.schema import Settings
from pool.accounting import directories
from pool.accounting.archive import archived
from pool.accounting.archive_file import ArchiveDamaged, ArchiveError, read_archive_file
from pool.accounting.daily_digests import FOLDER
from pool.accounting.digest_files import read_digests
from pool.audit import digest as audit
from pool.audit.document import AuditError
from pool.audit.keys import FOLDER as KEYS
from pool.audit.keys import read_public_keys
from pool.reports.verification import verify as verify_accounts
from pool.storage.database import Reader
from pool.storage.opening import open_for_reading
from pool.wording import coins_text, counted

Progress = Callable[[int, int], None]


async def verify(settings: Settings, tell: Callable[[str], object], progress: Progress) -> list[str]:
    """Every fault; `tell` gets what was looked at. Raises DatabaseError, KeyRefused, OSError."""
    directory = Path(settings.data_directory)
    trusted = await asyncio.to_thread(_trusted, directory)
    password = None if settings.database_password is None else settings.database_password.reveal()
    live = await open_for_reading(settings.database, directory, password=password)
    try:
        async with live.reading() as reader:
            found = await verify_accounts(
                reader,
                directory,
                directory / directories.JOURNAL,
                trusted,
                _untold,
                settings.payout.pps.reserve_sats or 0,
            )
            faults = list(found.faults)
            faults += await digest_faults(reader, directory, trusted)
            faults += await archive_faults(reader, directory / directories.ARCHIVE, progress)
    finally:
        await live.close()
    tell(
        f"{counted(found.ledger_rows, 'ledger row')}, {found.journal_entries:,} journal "
        f"{'entry' if found.journal_entries == 1 else 'entries'}, {counted(found.statements, 'statement')}"
    )
    sums = found.solvency
    tell(
        f"mined {coins_text(sums.mined_sats)}, paid {coins_text(sums.paid_sats)}, network fees "
        f"{coins_text(sums.network_fee_sats)}, on its way {coins_text(sums.on_its_way_sats)}"
    )
    tell(
        f"owed {coins_text(sums.owed_mature_sats)} and {coins_text(sums.owed_immature_sats)} immature; "
        f"the operator's own {coins_text(sums.operator_sats)}"
    )
    return faults


def _trusted(directory: Path) -> Mapping[str, bytes] | None:
    return read_public_keys(directory / KEYS) if (directory / KEYS).is_dir() else None


async def digest_faults(
    reader: Reader, data_directory: Path, trusted: Mapping[str, bytes] | None
) -> list[str]:
    """Signatures, the chain from day to day, and files against the database."""
    digests, faults = await asyncio.to_thread(read_digests, data_directory)
    for digest in digests:
        try:
            audit.verify(digest, trusted)
        except AuditError as error:
            faults.append(f"the digest of {digest.head.day}: {error}")
    faults += audit.chain_problems(digests)
    files = {digest.head.day: digest for digest in digests}
    for day, digest_hash, document in await reader.rows(
        "SELECT day, hash, document FROM digest ORDER BY day"
    ):
        held = files.get(day)
        if held is None:
            faults.append(f"the digest of {day} is missing in {data_directory / FOLDER}")
        elif audit.hash_of(held) != digest_hash or audit.encode(held) != bytes(document):
            faults.append(f"the digest of {day} is not the one that the database holds")
    return faults


async def archive_faults(reader: Reader, archive: Path, progress: Progress) -> list[str]:
    """Every file unpacked and compared with its record, and the records with the database."""
    rows = await reader.rows("SELECT path, sha256 FROM archive_segment WHERE deleted_us IS NULL")
    return await asyncio.to_thread(_archive_faults, dict(rows), archive, progress)


def _archive_faults(expected: dict[str, str], archive: Path, progress: Progress) -> list[str]:
    faults: list[str] = []
    try:
        held = archived(archive)
    except ArchiveError as error:
        return [str(error)]
    names = {str(one.path.relative_to(archive)): one for one in held}
    faults += [f"{archive / name} is missing" for name in sorted(expected.keys() - names.keys())]
    for done, (name, one) in enumerate(sorted(names.items())):
        progress(done, len(names))
        try:
            for _ in read_archive_file(one.path):
                pass
        except FileNotFoundError:
            continue  # deleted meanwhile, when its time had come
        except (ArchiveDamaged, OSError) as error:
            faults.append(str(error))
        if name in expected and one.record.sha256 != expected[name]:
            faults.append(f"{one.path} is another segment than the database names")
    progress(len(names), len(names))
    return faults


def _untold(done: int, total: int) -> None:
    """The ledger takes seconds; the archive is what takes time, and tells."""
