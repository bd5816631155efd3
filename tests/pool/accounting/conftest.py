"""Fixtures of the accountant's tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.pool.accounting.building import ALICE
from tests.pool.accounting.kept import kept_by
from tests.pool.accounting.paying import PayingPool, paying_in


@pytest.fixture(params=["sqlite", "postgres"])
def either_database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Accounts that are opened meanwhile are in a file, then in PostgreSQL."""
    with kept_by(request.getfixturevalue("postgres") if request.param == "postgres" else None):
        yield


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[PayingPool]:
    async with paying_in(tmp_path) as made:
        await made.made.earn(ALICE, 500_000)
        made.wallet.fund(1_000_000)
        yield made
