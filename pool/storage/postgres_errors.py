"""What asyncpg's errors mean for who asked: gone for now, refused for good, or not to be used at all."""

import asyncpg

from pool.storage.database import DatabaseError, DatabaseRefused, DatabaseUnavailable

FAILURES = (
    *(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
    *(OSError, TimeoutError, EOFError),  # of a connection that breaks while it is being made
    UnicodeEncodeError,
)

_GONE = "no connection to PostgreSQL"

_MEANINGS: dict[str, tuple[type[DatabaseError], str]] = {
    "08": (DatabaseUnavailable, _GONE),
    "25006": (DatabaseUnavailable, "it takes no writing; is it a standby?"),
    "25P03": (DatabaseUnavailable, "a transaction stood still for too long, and the server ended it"),
    "28": (DatabaseError, "it does not let this user in"),
    "3D": (
        DatabaseError,
        "there is no such database; make it: createdb --encoding=UTF8 --template=template0",
    ),
    "3F": (DatabaseError, "it has no schema that this user may use"),
    "40": (DatabaseUnavailable, "the transaction collided with another"),
    "42501": (DatabaseError, "this user may not do that there"),
    "53100": (DatabaseUnavailable, "its disk is full"),
    "53": (DatabaseUnavailable, "it has no room: too many connections, or too little memory"),
    "55P03": (DatabaseUnavailable, "rows are locked by another program"),
    "57014": (DatabaseUnavailable, "a statement took too long, and was given up"),
    "57": (DatabaseUnavailable, _GONE),
    "58": (DatabaseUnavailable, "its disk cannot be read or written"),
    "XX001": (DatabaseError, "it is damaged; restore a backup"),
    "XX002": (DatabaseError, "an index of it is damaged; restore a backup, or: reindexdb"),
}
# By SQLSTATE, the longest beginning first: https://www.postgresql.org/docs/15/errcodes-appendix.html


def meaning_of(error: BaseException, name: str) -> DatabaseError:
    """One of FAILURES as one of ours; `name` is the database's address."""
    if isinstance(error, asyncpg.PostgresError):
        return _by_state(error, name)
    if isinstance(error, TimeoutError):
        return DatabaseUnavailable(f"{name}: PostgreSQL does not answer")
    if isinstance(error, asyncpg.ClientConfigurationError):
        return DatabaseError(f"{name}: {_line(error)}")
    if isinstance(error, ValueError):  # asyncpg's DataError of a value that a column cannot take, and UTF-8
        return DatabaseRefused(f"{name}: {_line(error)}")
    if isinstance(error, asyncpg.InterfaceError) and "closed" not in str(error):
        return DatabaseRefused(f"{name}: {_line(error)}")
    return DatabaseUnavailable(f"{name}: {_GONE}: {_line(error)}")


def _by_state(error: asyncpg.PostgresError, name: str) -> DatabaseError:
    state = error.sqlstate or ""
    for length in (5, 2):
        found = _MEANINGS.get(state[:length])
        if found is not None:
            kind, text = found
            return kind(f"{name}: {text} ({_line(error)})")
    return DatabaseRefused(f"{name}: {_line(error)} ({state})")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
