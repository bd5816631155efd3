"""Each test that asks for `place` runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.postgres import Postgres
from tests.pool.storage.places import Place


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    server: Postgres | None = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with Place.lent(tmp_path, server) as lent:
        yield lent


@pytest.fixture
def file_place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def server_place(tmp_path: Path, postgres: Postgres) -> Iterator[Place]:
    with Place.lent(tmp_path, postgres) as lent:
        yield lent
