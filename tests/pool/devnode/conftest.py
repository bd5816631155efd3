"""One empty chain for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.pool.devnode.chain import Chain, open_chain


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Chain]:
    async with open_chain(tmp_path / "node") as opened:
        yield opened
