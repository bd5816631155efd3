"""What all tests may ask for: a PostgreSQL, started when one first needs it, and folders with short paths."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.harness.postgres import Postgres

# How long an example takes says how busy the machine is, and nothing of what is tested.
hypothesis.settings.register_profile("engineroom", deadline=None)
hypothesis.settings.load_profile("engineroom")


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder of one's own for what opens Unix sockets, whose paths may have 107 bytes (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="er-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server
