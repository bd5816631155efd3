"""PostgreSQL that goes away, comes back, does not answer, or is not to be used."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pool.storage.database import Database, DatabaseError, DatabaseUnavailable
from tests.harness.litecoind import free_ports
from tests.harness.postgres import Postgres
from tests.harness.tcp_proxy import TcpProxy
from tests.pool.storage.places import NEW_ACCOUNT, Place, add, names_in


@pytest.fixture(scope="module")
def own_server() -> Iterator[Postgres]:
    """One that may be killed: nobody else's tests run on it."""
    with Postgres() as server:
        yield server


async def kill_inside(database: Database, server: Postgres) -> None:
    async with database.writing() as writer:
        await writer.insert(NEW_ACCOUNT, "undone", 1)
        server.kill()
        await writer.insert(NEW_ACCOUNT, "undone too", 1)


async def test_a_killed_server_is_unavailable_until_it_is_back_and_nothing_is_lost(
    own_server: Postgres, tmp_path: Path
) -> None:
    async with Place(tmp_path, own_server, own_server.new_database()).opened() as database:
        await add(database, "before")
        assert await names_in(database) == ["before"]
        with pytest.raises(DatabaseUnavailable):
            await kill_inside(database, own_server)
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable):
                await add(database, "while it is gone")
            with pytest.raises(DatabaseUnavailable):
                await names_in(database)
        own_server.start()
        await add(database, "after")
        assert await names_in(database) == ["after", "before"]


async def test_a_server_that_restarts_between_transactions_costs_at_most_one(
    own_server: Postgres, tmp_path: Path
) -> None:
    async with Place(tmp_path, own_server, own_server.new_database()).opened() as database:
        await add(database, "before")
        own_server.quit()
        own_server.start()
        for _ in range(2):
            try:
                await add(database, "after")
            except DatabaseUnavailable:
                continue
            break
        assert await names_in(database) == ["after", "before"]
        assert database.token == 1


async def test_a_session_that_is_ended_inside_a_transaction_leaves_nothing_of_it(server_place: Place) -> None:
    async def end_inside(database: Database) -> None:
        async with database.writing() as writer:
            await writer.insert(NEW_ACCOUNT, "undone", 1)
            server_place.meddle(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name LIKE 'engineroom %'"
            )
            await writer.insert(NEW_ACCOUNT, "undone too", 1)

    async with server_place.opened() as database:
        with pytest.raises(DatabaseUnavailable, match="no connection to PostgreSQL"):
            await end_inside(database)
        await add(database, "after")
        assert await names_in(database) == ["after"]


async def test_a_commit_whose_answer_is_lost_is_unavailable_and_may_stand(
    server_place: Place, postgres: Postgres, tmp_path: Path
) -> None:
    async with TcpProxy(postgres.port) as proxy, through(server_place, proxy).opened() as database:
        proxy.lose_answer_to(b"COMMIT\0")
        with pytest.raises(DatabaseUnavailable):
            await add(database, "stands")
        assert await names_in(database) == ["stands"]
        proxy.heal()
        await add(database, "after")
        assert await names_in(database) == ["after", "stands"]


async def test_a_former_session_that_the_server_still_believes_in_is_ended_by_its_successor(
    server_place: Place, postgres: Postgres
) -> None:
    async with TcpProxy(postgres.port) as proxy, through(server_place, proxy).opened() as database:
        await add(database, "before")
        proxy.cut_clients()
        failures = []
        for _ in range(5):
            try:
                await add(database, "after")
            except DatabaseUnavailable as error:
                failures.append(str(error))
                continue
            break
        assert await names_in(database) == ["after", "before"]
        assert any("our former session still held the lease, and was ended" in line for line in failures)


async def test_what_is_not_to_be_used_is_refused_in_one_clear_line(
    server_place: Place, postgres: Postgres, tmp_path: Path
) -> None:
    assert server_place.url is not None
    [unused] = free_ports(1)
    base = server_place.url.rpartition("/")[0]
    postgres.query("CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0", "postgres")
    postgres.query("DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN", "postgres")
    for url, kind, line in (
        (f"{base}/missing", DatabaseError, "there is no such database; make it: createdb"),
        (f"{base}/latin", DatabaseError, "its encoding is LATIN1"),
        (server_place.url.replace("engineroom@", "nobody@"), DatabaseError, "does not let this user in"),
        (server_place.url.replace("engineroom@", "stranger@"), DatabaseError, "this user may not do that"),
        (base.replace(str(postgres.port), str(unused)) + "/x", DatabaseUnavailable, "no connection to"),
        ("postgresql://engineroom@127.0.0.1/x?sslmode=odd", DatabaseError, "sslmode"),
    ):
        place = Place(tmp_path, url=url)
        with pytest.raises(kind, match=line) as refusal:
            async with place.opened():
                pass
        assert "\n" not in str(refusal.value)
        assert isinstance(refusal.value, DatabaseUnavailable) == (kind is DatabaseUnavailable)


async def test_commits_are_waited_for_where_the_server_is_told_not_to(server_place: Place) -> None:
    server_place.meddle("ALTER ROLE engineroom SET synchronous_commit = off")
    try:
        async with server_place.opened() as database, database.writing() as writer:
            assert await writer.row("SHOW synchronous_commit") == ("on",)
    finally:
        server_place.meddle("ALTER ROLE engineroom RESET synchronous_commit")


def through(place: Place, proxy: TcpProxy) -> Place:
    """The same database, by way of a proxy."""
    assert place.url is not None
    assert place.server is not None
    return Place(place.directory, url=place.url.replace(f":{place.server.port}/", f":{proxy.port}/"))
