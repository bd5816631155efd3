"""Fixtures of the accountant's tests."""

from collections.abc import Iterator

import pytest

from tests.pool.accounting.kept import kept_by


@pytest.fixture(params=["sqlite", "postgres"])
def either_database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Accounts that are opened meanwhile are in a file, then in PostgreSQL."""
    with kept_by(request.getfixturevalue("postgres") if request.param == "postgres" else None):
        yield
