"""A session of PostgreSQL as the accounts need it: how it is made, what is refused, the lock of its lease."""

import datetime
from decimal import Decimal

import asyncpg
import msgspec

from pool.storage.database import DatabaseError, DatabaseUnavailable, LeaseTaken
from pool.storage.postgres_errors import FAILURES, meaning_of

CONNECT_TIMEOUT_SECONDS = 10.0
OLDEST_SERVER = 15

LEASE_LOCK = 0x656E67696E65726F  # "enginero": one writer in each database of a server

LOCK_WAIT = "1s"
# A session ends a moment after its process: who starts again at once finds its own lock, and waits for that.

SETTINGS = {
    "jit": "off",  # milliseconds of compiling for queries of microseconds
    "default_transaction_isolation": "read committed",
    # A process that stands still inside a transaction holds the lease's row, and keeps old rows from vacuum.
    "idle_in_transaction_session_timeout": "300s",
    # What makes the server notice within half a minute that a client's host is gone, and free its lock.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "client_connection_check_interval": "5s",
}

_FACTS = (
    "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'), "
    "pg_is_in_recovery(), pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
)
_HOLDER = (
    "SELECT pg_locks.pid, backend_start, application_name, host(client_addr) FROM pg_locks "
    "JOIN pg_database ON pg_database.oid = pg_locks.database "
    "LEFT JOIN pg_stat_activity ON pg_stat_activity.pid = pg_locks.pid "
    "WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pg_database.datname = current_database() "
    "AND (classid::bigint << 32) + objid::bigint = $1"
)


class Backend(msgspec.Struct, frozen=True):
    """A session as the server knows it; a pid alone may be another's after a restart."""

    pid: int
    started: datetime.datetime


async def connect(url: str, password: str | None, application: str, *, writes: bool) -> asyncpg.Connection:
    """A connection whose sums are ints. Raises DatabaseUnavailable; DatabaseError of a server not to use."""
    settings = SETTINGS | {"application_name": application[:63]}  # NAMEDATALEN - 1
    try:
        connection = await asyncpg.connect(
            url, password=password, timeout=CONNECT_TIMEOUT_SECONDS, server_settings=settings
        )
    except FAILURES as error:
        raise meaning_of(error, url) from error
    try:
        await _prepare(connection, url, writes)
    except FAILURES as error:
        connection.terminate()
        raise meaning_of(error, url) from error
    except BaseException:
        connection.terminate()
        raise
    return connection


async def _prepare(connection: asyncpg.Connection, url: str, writes: bool) -> None:
    [(version, encoding, is_standby, *_)] = await connection.fetch(_FACTS)
    if version < OLDEST_SERVER:
        raise DatabaseError(f"{url}: is PostgreSQL {version}, and {OLDEST_SERVER} is the oldest that serves")
    if encoding != "UTF8":
        raise DatabaseError(f"{url}: its encoding is {encoding}; make it anew: createdb --encoding=UTF8")
    if writes and is_standby:
        raise DatabaseUnavailable(f"{url}: is a standby, and takes no writing until it is promoted")
    if writes:  # `off` acknowledges before anything is on a disk
        await connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
    await connection.set_type_codec(
        "numeric", schema="pg_catalog", encoder=str, decoder=_integer, format="text"
    )


def _integer(text: str) -> int | Decimal:
    """SUM of BIGINT is NUMERIC; ours are of integers."""
    return Decimal(text) if "." in text else int(text)


async def backend_of(connection: asyncpg.Connection) -> Backend:
    """Which session of the server a connection is."""
    [(*_, pid, started)] = await connection.fetch(_FACTS)
    return Backend(pid, started)


async def lock(connection: asyncpg.Connection, url: str, former: Backend | None) -> None:
    """Take the lease's lock for as long as the session lives.

    Raises LeaseTaken where another process has it. `former` is our own last session: where the server still
    holds the lock for that one, it is told to end it, and DatabaseUnavailable says to try again.
    """
    try:
        await connection.execute(f"SET lock_timeout = '{LOCK_WAIT}'")
        await connection.fetchval("SELECT pg_advisory_lock($1)", LEASE_LOCK)
        await connection.execute("SET lock_timeout = '30s'")
    except asyncpg.LockNotAvailableError as error:
        await _refuse(connection, url, former, error)


async def _refuse(
    connection: asyncpg.Connection, url: str, former: Backend | None, error: asyncpg.PostgresError
) -> None:
    row = await connection.fetchrow(_HOLDER, LEASE_LOCK)
    if row is None:
        raise DatabaseUnavailable(f"{url}: the lease has just been given up") from error
    pid, started, application, address = row
    if former is not None and former == Backend(pid, started):
        await connection.execute("SELECT pg_terminate_backend($1)", pid)
        raise DatabaseUnavailable(f"{url}: our former session still held the lease, and was ended") from error
    where = f" at {address}" if address else ""
    raise LeaseTaken(f"{url}: held by {application or 'another process'}{where} (session {pid})") from error
