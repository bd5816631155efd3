"""Where accounts to test with are kept: in a file, and for modules that ask for it in PostgreSQL as well.

pytestmark = pytest.mark.usefixtures("either_database")    # each test of the module twice
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pool.storage.opening import ACCOUNTS_FILE
from tests.harness.postgres import Postgres


class _Place:
    """The server of the test that runs, and the databases that it lent, by data directory."""

    server: Postgres | None = None
    urls: dict[Path, str]
    lost: list[str]


def url_of(directory: Path) -> str | None:
    """What `database` in the settings is for this data directory; None for a file in it."""
    if _Place.server is None:
        return None
    if directory not in _Place.urls:
        _Place.urls[directory] = _Place.server.new_database()
    return _Place.urls[directory]


def lose_database(directory: Path) -> None:
    """Whoever opens the accounts of this data directory next finds an empty database."""
    for file in directory.glob(f"{ACCOUNTS_FILE}*"):
        file.unlink()
    if _Place.server is not None:
        _Place.lost.append(_Place.urls.pop(directory))


@contextlib.contextmanager
def kept_by(server: Postgres | None) -> Iterator[None]:
    """From now on, and for one test."""
    _Place.server, _Place.urls, _Place.lost = server, {}, []
    try:
        yield
    finally:
        if server is not None:
            for url in (*_Place.urls.values(), *_Place.lost):
                server.give_back(url)
        _Place.server = None
