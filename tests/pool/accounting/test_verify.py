"""`accounts verify`: nothing to say of sound accounts; one line for each thing that was changed."""

import asyncio
import shutil
from pathlib import Path

import pytest

from config.schema import Settings
from pool.accounting.verify import verify
from tests.pool.accounting.pool_of import pool_of, settings_of
from tests.pool.accounting.test_keeping import HOUR, aged
from tests.pool.spool.test_tail import flip


async def faults(settings: Settings) -> list[str]:
    told: list[str] = []
    found = await verify(settings, told.append, lambda done, total: None)
    assert [line.split()[0] for line in told[1:]] == ["mined", "owed"]
    return found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of accounts with a statement, two digests and an archive."""
    directory = tmp_path_factory.mktemp("kept")

    async def live() -> None:
        async with pool_of(settings_for(directory)) as pool:
            await aged(pool)
            await pool.settle(72 * HOUR)
            await pool.keep(72 * HOUR)

    asyncio.run(live())
    return directory


def settings_for(directory: Path) -> Settings:
    return settings_of(directory, accounting={"retention_days": 1}, window={"multiple": 2, "max_days": 1})


@pytest.fixture
def data(kept: Path, tmp_path: Path) -> Path:
    shutil.copytree(kept, tmp_path / "data")
    return tmp_path / "data"


async def test_sound_accounts_have_no_faults(data: Path) -> None:
    assert await faults(settings_for(data)) == []


async def test_a_digest_that_was_changed_no_longer_carries_its_signature(data: Path) -> None:
    path = data / "digests" / "2023-11-14.json"
    path.write_bytes(path.read_bytes().replace(b'"alice":"', b'"alice":"1', 1))
    found = await faults(settings_for(data))
    assert any("digest of 2023-11-14: this digest was changed after it was signed" in line for line in found)
    assert any("does not follow that of 2023-11-14" in line for line in found)
    assert any("is not the one that the database holds" in line for line in found)


async def test_a_digest_that_is_missing_is_named(data: Path) -> None:
    (data / "digests" / "2023-11-15.json").unlink()
    [line] = await faults(settings_for(data))
    assert line.startswith("the digest of 2023-11-15 is missing")


async def test_a_flipped_bit_in_the_archive_is_named_with_its_file(data: Path) -> None:
    path = min((data / "archive" / "gateway-0").iterdir())
    flip(path, path.stat().st_size - 30)
    [line] = await faults(settings_for(data))
    assert str(path) in line


async def test_a_segment_that_is_missing_is_named(data: Path) -> None:
    path = min((data / "archive" / "gateway-0").iterdir())
    path.unlink()
    assert await faults(settings_for(data)) == [f"{path} is missing"]


async def test_a_statement_and_the_ledger_are_looked_at_too(data: Path) -> None:
    [statement] = (data / "statements").iterdir()
    statement.unlink()
    async with pool_of(settings_for(data)) as pool:
        await pool.execute("UPDATE balance SET sats = sats + 7 WHERE sats > 0")
    found = await faults(settings_for(data))
    assert any("statement" in line and "missing" in line for line in found)
    assert any("its rows sum to" in line for line in found)


async def test_a_journal_line_that_was_changed_is_named(data: Path) -> None:
    path = data / "journal" / "journal-000001.jsonl"
    flip(path, 60)
    assert any(str(path) in line for line in await faults(settings_for(data)))
