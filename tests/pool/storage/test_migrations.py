"""Numbered migrations: run once, in order, each whole or not at all; refused when the database is ahead."""

import pytest

from pool.storage.database import DatabaseError, DatabaseRefused, NewerDatabase
from pool.storage.migrate import POSTGRES, SQLITE, Migration, known_migrations
from tests.pool.storage.places import Place, add, names_in

SECOND = Migration(
    len(known_migrations()) + 1,
    "-- A comment; it ends no statement.\n"
    "CREATE TABLE note (id {id}, text TEXT NOT NULL, data {bytes}){strict};\n"
    "INSERT INTO note (text) VALUES ('a; b');\n"
    "CREATE TABLE pair (a {int} NOT NULL, b {int} NOT NULL, PRIMARY KEY (a, b)){without_rowid};\n",
)
BROKEN = Migration(SECOND.number, "CREATE TABLE half (id {id}){strict};\nINSERT INTO nowhere VALUES (1);\n")


async def test_a_new_database_is_of_the_newest_schema(place: Place) -> None:
    async with place.opened():
        assert place.meddle("SELECT value FROM meta WHERE key = 'schema'") == str(len(known_migrations()))


async def test_a_later_migration_keeps_what_is_there_and_runs_once(place: Place) -> None:
    async with place.opened() as database:
        await add(database, "a")
    for _ in range(2):
        async with place.opened_with((*known_migrations(), SECOND)) as database:
            assert await names_in(database) == ["a"]
    assert place.meddle("SELECT text FROM note") == "a; b"
    assert place.meddle("SELECT COUNT(*) FROM note") == "1"


async def test_a_migration_that_fails_leaves_nothing_and_the_schema_as_it_was(place: Place) -> None:
    with pytest.raises(DatabaseRefused, match="nowhere"):
        async with place.opened_with((*known_migrations(), BROKEN)):
            pass
    async with place.opened_with((*known_migrations(), SECOND)):
        assert place.meddle("SELECT value FROM meta WHERE key = 'schema'") == str(SECOND.number)


async def test_a_database_of_a_newer_version_is_refused_and_not_touched(place: Place) -> None:
    async with place.opened():
        pass
    place.meddle("UPDATE meta SET value = '999' WHERE key = 'schema'")
    known = len(known_migrations())
    with pytest.raises(NewerDatabase, match=f"of schema 999, and this version knows {known};"):
        async with place.opened():
            pass
    with pytest.raises(NewerDatabase, match="schema 999"):
        async with place.read():
            pass
    assert place.meddle("SELECT token FROM lease") == "1"


async def test_a_report_on_an_older_database_does_not_bring_it_up_to_date(place: Place) -> None:
    async with place.opened():
        pass
    place.meddle("UPDATE meta SET value = '0' WHERE key = 'schema'")
    with pytest.raises(DatabaseError, match="there are no accounts yet"):
        async with place.read():
            pass
    assert place.meddle("SELECT value FROM meta WHERE key = 'schema'") == "0"


async def test_a_report_on_accounts_that_do_not_exist_makes_none(place: Place) -> None:
    with pytest.raises(DatabaseError, match="there are no accounts yet; the pool makes them when it starts"):
        async with place.read():
            pass
    assert list(place.directory.iterdir()) == []


async def test_tables_of_something_else_are_refused(place: Place) -> None:
    place.meddle("CREATE TABLE meta (key TEXT, value TEXT)")
    with pytest.raises(DatabaseError, match="without a schema number"):
        async with place.opened():
            pass


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRES], ids=["sqlite", "postgres"])
def test_every_placeholder_of_every_migration_is_filled_in(dialect: object) -> None:
    chosen = SQLITE if dialect is SQLITE else POSTGRES
    statements = [s for migration in known_migrations() for s in migration.statements(chosen)]
    assert len(statements) >= 25
    assert not [statement for statement in statements if "{" in statement]


def test_statements_end_where_they_end_and_not_in_texts_and_comments() -> None:
    comment_and_table, text, pair = SECOND.statements(SQLITE)
    assert comment_and_table.endswith(
        "note (id INTEGER PRIMARY KEY, text TEXT NOT NULL, data BLOB) STRICT;\n"
    )
    assert text == "INSERT INTO note (text) VALUES ('a; b');\n"
    assert pair.endswith(" STRICT, WITHOUT ROWID;\n")
