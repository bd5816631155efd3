"""The accountant as a process: what it waits for, and what needs a person: one clear line and code 3."""

import asyncio
import logging
import shutil
import sqlite3
from pathlib import Path

import pytest

from config.loading import load
from pool.accounting.accountant import Accountant
from pool.accounting.control import INSTRUMENTS_SOCKET
from pool.accounting.directories import JOURNAL
from pool.accounting.process import run_accountant
from pool.instruments.account_figures import AccountFigures
from pool.storage.opening import ACCOUNTS_FILE
from pool.supervisor import NEEDS_A_PERSON
from tests.harness.accountant import RunningAccountant
from tests.harness.command import engineroom
from tests.harness.litecoind import free_ports
from tests.harness.postgres import Postgres
from tests.pool.accounting.building import ALICE, BOB, accounts_in

SETTINGS = """\
coin: bitcoin
network: regtest
data_directory: data
payout: {{scheme: pplns, address: {address}}}
nodes:
  - {{name: node, url: 'http://127.0.0.1:{port}', user: u, password_file: password}}
stratum:
  listeners:
    - {{address: 127.0.0.1, port: 0, difficulty: {{start: 1, minimum: 1}}}}
"""


def settings_in(directory: Path, extra: str = "") -> Path:
    """Of a pool whose node is not there."""
    (directory / "password").write_text("p")
    [port] = free_ports(1)
    file = directory / "engineroom.yaml"
    file.write_text(SETTINGS.format(address=ALICE, port=port) + extra)
    return file


async def refusal(file: Path) -> str:
    """What an accountant that cannot start says: one line, and the code for a person."""
    ended = await engineroom("accountant", "-c", file)
    assert ended.code == NEEDS_A_PERSON, ended
    lines = [line for line in ended.err.splitlines() if "CRITICAL" in line]
    assert len(lines) == 1, ended.err
    assert "Traceback" not in ended.err
    return lines[0]


async def run_once(file: Path) -> None:
    """So that there are accounts."""
    async with RunningAccountant(file) as accountant:
        await accountant.says("accounts in")
        assert await accountant.stop() == 0


async def test_it_makes_its_accounts_and_ends_by_sigterm_with_code_0(tmp_path: Path) -> None:
    file = settings_in(tmp_path)
    await run_once(file)
    assert (tmp_path / "data" / ACCOUNTS_FILE).exists()
    await run_once(file)


async def test_a_newer_database_needs_a_person(tmp_path: Path) -> None:
    file = settings_in(tmp_path)
    await run_once(file)
    with sqlite3.connect(tmp_path / "data" / ACCOUNTS_FILE) as connection:
        connection.execute("UPDATE meta SET value = '999' WHERE key = 'schema'")
    connection.close()
    assert "of schema 999" in await refusal(file)


async def test_a_key_that_others_may_read_needs_a_person(tmp_path: Path) -> None:
    file = settings_in(tmp_path)
    await run_once(file)
    key = tmp_path / "data" / "keys" / "signing.pem"
    key.chmod(0o644)
    assert str(key) in await refusal(file)


async def test_a_journal_that_is_behind_the_database_needs_a_person(tmp_path: Path) -> None:
    file = settings_in(tmp_path)
    (tmp_path / "data").mkdir()
    async with accounts_in(tmp_path / "data") as made:
        await made.earn(BOB, 500)
    shutil.rmtree(tmp_path / "data" / JOURNAL)
    assert "put the newer journal back" in await refusal(file)


async def test_a_damaged_journal_needs_a_person(tmp_path: Path) -> None:
    file = settings_in(tmp_path)
    (tmp_path / "data").mkdir()
    async with accounts_in(tmp_path / "data") as made:
        await made.earn(BOB, 500)
    [journal] = (tmp_path / "data" / JOURNAL).glob("*.jsonl")
    journal.write_bytes(journal.read_bytes().replace(b"500", b"501", 1))
    assert str(journal) in await refusal(file)


async def test_accounts_of_other_settings_need_a_person(tmp_path: Path) -> None:
    file = settings_in(tmp_path)
    await run_once(file)
    file.write_text(file.read_text() + "accounting: {slot_seconds: 20}\n")
    assert "slot_seconds" in await refusal(file)


async def test_a_data_directory_that_is_a_file_needs_a_person(tmp_path: Path) -> None:
    file = settings_in(tmp_path)
    (tmp_path / "data").write_text("")
    assert str(tmp_path / "data") in await refusal(file)


async def test_another_accountant_of_the_same_directory_needs_a_person_after_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = settings_in(tmp_path)
    async with RunningAccountant(file) as first:
        await first.says("accounts in")
        assert await run_accountant(load(file), letting_go_seconds=0.2) == NEEDS_A_PERSON
        critical = [record for record in caplog.records if record.levelno == logging.CRITICAL]
        assert len(critical) == 1
        assert "is in use: another process appends to this journal" in critical[0].message


async def test_an_accountant_that_is_still_ending_is_waited_for(tmp_path: Path) -> None:
    """As after a kill of the supervisor: the next one's accountant comes up beside the last one's."""
    file = settings_in(tmp_path)
    async with RunningAccountant(file) as first:
        await first.says("accounts in")
        async with RunningAccountant(file) as second:
            await second.says("the accounts cannot be opened yet")
            assert await first.stop() == 0
            await second.says("accounts in")


async def test_another_accountant_of_the_same_server_needs_a_person_after_a_while(
    tmp_path: Path, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    extra = f"database: {postgres.new_database()}\n"
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    async with RunningAccountant(settings_in(folders[0], extra)) as first:
        await first.says("accounts in postgresql://")
        code = await run_accountant(load(settings_in(folders[1], extra)), letting_go_seconds=0.2)
    assert code == NEEDS_A_PERSON
    critical = [record.message for record in caplog.records if record.levelno == logging.CRITICAL]
    assert len(critical) == 1
    assert "accountant" in critical[0]  # who holds it


async def test_a_database_that_is_gone_at_the_start_is_waited_for(tmp_path: Path) -> None:
    with Postgres() as server:
        file = settings_in(tmp_path, f"database: {server.new_database()}\n")
        server.kill()
        async with RunningAccountant(file) as accountant:
            await accountant.says("the accounts cannot be opened yet")
            server.start()
            await accountant.says("accounts in postgresql://")
            assert await accountant.stop() == 0
        told = [line for line in accountant.log if "cannot be opened yet" in line]
        assert len(told) == len({line.partition("cannot be opened yet")[2] for line in told})  # once each


async def test_it_may_be_told_to_stop_while_it_waits(tmp_path: Path) -> None:
    [port] = free_ports(1)
    file = settings_in(tmp_path, f"database: postgresql://engineroom@127.0.0.1:{port}/none\n")
    async with RunningAccountant(file) as accountant:
        await accountant.says("the accounts cannot be opened yet")
        assert await accountant.stop() == 0


async def test_the_farm_is_shown_while_the_database_is_away(tmp_path: Path) -> None:
    [port] = free_ports(1)
    file = settings_in(tmp_path, f"database: postgresql://engineroom@127.0.0.1:{port}/none\n")
    async with RunningAccountant(file) as accountant:
        await accountant.says("the accounts cannot be opened yet")
        shown = await engineroom("farm", "-c", file)
        assert (shown.code, shown.out.splitlines()[0]) == (0, "no machine yet"), shown
        assert await accountant.stop() == 0
    assert not (tmp_path / "data" / INSTRUMENTS_SOCKET).exists()


async def test_a_failing_end_of_the_accounts_gives_code_3_and_every_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Errors of several tasks at once are lines of their own."""

    class Breaking:
        figures = AccountFigures()

        async def run(self, stop: asyncio.Event, notifier: None) -> None:
            raise ExceptionGroup("two duties", [OSError("a disk"), OSError("another disk")])

    async def opening(_: object) -> Accountant:
        return Breaking()  # type: ignore[return-value]

    assert await run_accountant(load(settings_in(tmp_path)), opening) == NEEDS_A_PERSON
    critical = [record.message for record in caplog.records if record.levelno == logging.CRITICAL]
    assert critical == ["a disk", "another disk"]


async def test_a_bug_is_no_matter_for_a_person_and_keeps_its_traceback(tmp_path: Path) -> None:
    async def opening(_: object) -> Accountant:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_accountant(load(settings_in(tmp_path)), opening)
