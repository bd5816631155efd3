"""Contradictions in ledger, journal and statements: each is found, and named in one line."""

from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from pool.accounting.directories import JOURNAL
from pool.audit.statement import Statement, encode
from pool.reports.verification import Verification, verify
from tests.pool.accounting.building import ALICE, BOB, Accounts, accounts_in
from tests.pool.accounting.journals import files
from tests.pool.audit import settled
from tests.pool.audit.settled import OTHER_KEY, TRUSTED
from tests.pool.storage.places import Place


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with Place.lent(tmp_path, server) as lent:
        yield lent


@pytest.fixture
async def made(place: Place) -> AsyncIterator[Accounts]:
    async with accounts_in(place.directory, place.url) as accounts:
        yield accounts


async def look(made: Accounts) -> Verification:
    steps: list[tuple[int, int]] = []
    async with made.database.reading() as reader:
        found = await verify(
            reader, made.directory, made.directory / JOURNAL, TRUSTED, lambda *step: steps.append(step)
        )
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    return found


async def settle(made: Accounts, previous: Statement | None = None) -> tuple[Statement, Path]:
    """A block that is settled, with a statement that says so; its file."""
    block = await made.block(ALICE, reward_sats=1_000)
    statement = settled.statement(previous=previous)
    data = encode(statement)
    path = made.directory / "statements" / f"{statement.head.height}-{block}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    await made.settle(block, {ALICE: 1_000}, statement_hash=sha256(data).hexdigest())
    return statement, path


async def test_sound_accounts_have_no_fault(made: Accounts) -> None:
    first, _ = await settle(made)
    await settle(made, previous=first)
    found = await look(made)
    # two settlements of two rows each; two blocks found and two settled
    assert (found.ledger_rows, found.journal_entries, found.statements) == (4, 4, 2)
    assert (found.solvency.mined_sats, found.solvency.owed_immature_sats) == (2_000, 2_000)
    assert found.faults == ()


async def test_a_changed_row_of_the_ledger_is_named(made: Accounts) -> None:
    await settle(made)
    async with made.database.writing() as writer:
        await writer.execute("UPDATE ledger SET sats = sats + 1 WHERE sats > 0")
    faults = (await look(made)).faults
    assert any("sums to 1 sats, not to zero" in fault for fault in faults)
    assert f"{ALICE}: the immature is 1000 sats, its rows sum to 1001" in faults


async def test_a_changed_balance_is_named(made: Accounts) -> None:
    await settle(made)
    async with made.database.writing() as writer:
        await writer.execute("UPDATE balance SET sats = 5000 WHERE sats > 0")
    faults = (await look(made)).faults
    assert f"{ALICE}: the immature is 5000 sats, its rows sum to 1000" in faults
    assert any("less than the 5000 sats that are owed" in fault for fault in faults)


async def test_a_damaged_journal_is_named(made: Accounts) -> None:
    await settle(made)
    (file,) = files(made.directory / JOURNAL)
    file.write_bytes(file.read_bytes().replace(b'"reward_sats":1000', b'"reward_sats":1001'))
    (fault,) = (await look(made)).faults
    assert str(file) in fault


async def test_a_journal_that_is_older_than_the_database_is_named(made: Accounts) -> None:
    await settle(made)
    (file,) = files(made.directory / JOURNAL)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:1]))
    assert (await look(made)).faults == ("the database holds journal entry 2, the journal ends at 1",)


async def test_a_journal_of_another_history_is_named(made: Accounts) -> None:
    await settle(made)
    async with made.database.writing() as writer:
        await writer.execute("UPDATE meta SET value = ? WHERE key = 'journal'", f"2 {'ab' * 32}")
    assert (await look(made)).faults == ("journal entry 2 is not the one that the database holds",)


async def test_a_missing_statement_is_named(made: Accounts) -> None:
    _, path = await settle(made)
    path.unlink()
    (fault,) = (await look(made)).faults
    assert fault.startswith("the statement of block ")
    assert fault.endswith(" is missing")


async def test_another_statement_in_a_statements_place_is_named(made: Accounts) -> None:
    _, path = await settle(made)
    path.write_bytes(encode(settled.statement(settled.body(finder="carol"))))
    assert (await look(made)).faults == (f"{path} is not the statement that the block was settled with",)


async def test_a_changed_statement_is_named(made: Accounts) -> None:
    _, path = await settle(made)
    path.write_bytes(path.read_bytes().replace(b'"finder":"bob"', b'"finder":"eve"'))
    (fault,) = (await look(made)).faults
    assert "changed after it was signed" in fault


async def test_a_statement_of_another_key_is_named(made: Accounts) -> None:
    statement, path = await settle(made)
    foreign = msgspec.structs.replace(
        statement, seal=msgspec.structs.replace(statement.seal, public_key=OTHER_KEY.public_key)
    )
    path.write_bytes(encode(foreign))
    (fault,) = (await look(made)).faults
    assert "holds another one" in fault


async def test_a_chain_with_a_link_missing_is_named(made: Accounts) -> None:
    elsewhere = settled.statement(settled.body(finder="carol"))
    await settle(made, previous=elsewhere)
    (fault,) = (await look(made)).faults
    assert fault.endswith("follows one that is not here")


async def test_money_that_is_owed_and_was_never_mined_is_named(made: Accounts) -> None:
    await made.earn(ALICE, 1_000)
    await made.earn(BOB, 1_000)
    await made.pay({ALICE: 1_000})
    async with made.database.writing() as writer:
        mined = await made.names.account(writer, "@mined", made.now_us)
        for sql in (
            "UPDATE ledger SET sats = sats + 500 WHERE account_id = ? AND pot = 'balance'",
            "UPDATE balance SET sats = sats + 500 WHERE account_id = ? AND pot = 'balance'",
        ):
            await writer.execute(sql, mined)
    assert any("less than the 1000 sats that are owed" in fault for fault in (await look(made)).faults)
