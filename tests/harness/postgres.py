"""A PostgreSQL of the tests' own, from the Debian package: started, killed, started again, never as root.

    with Postgres() as server:                     # a cluster in a folder of its own: 1 s
        url = server.new_database()                # postgresql://engineroom@127.0.0.1:PORT/test_1
        server.give_back(url)                      # when its test is over
        server.kill()                              # SIGKILL to every process of it, as a power cut would
        server.start()                             # the same cluster, the same port

POSTGRES_BIN names another folder of binaries. As root the server runs as `nobody`: it refuses to run as root.
"""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.litecoind import free_ports

START_SECONDS = 60
STOP_SECONDS = 30

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "16MB",
    # A kill loses nothing that the kernel has, and no test cuts the power: the disk is not waited for.
    "fsync": "off",
    "synchronous_commit": "on",
    "autovacuum": "off",
    "log_checkpoints": "off",
}


class Postgres:
    """One cluster and its server; trust for whoever connects, since only this machine can."""

    user = "engineroom"

    def __init__(self) -> None:
        # Below /tmp and not in pytest's folders, which only their owner may enter; a socket's path is short.
        self.directory = Path(tempfile.mkdtemp(prefix="engineroom-pg-"))
        [self.port] = free_ports(1)
        self._numbers = count(1)
        self._free: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.directory.chmod(0o755)
        self._data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(self._data, "nobody")
        arguments = ("--username", self.user, "--auth", "trust", "--encoding", "UTF8", "--locale", "C")
        self._run("initdb", "--pgdata", str(self._data), "--no-sync", "--no-instructions", *arguments)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.quit()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self) -> None:
        """Returns when it takes connections; after a kill that is when it has recovered."""
        settings = SETTINGS | {"port": str(self.port), "unix_socket_directories": str(self._data)}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        log = self.directory / "server.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *_unprivileged("--pdeathsig", "QUIT"),
                    str(_binaries() / "postgres"),
                    "-D",
                    str(self._data),
                    *options,
                ],
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        waiting = ("--host", "127.0.0.1", "--port", str(self.port), "--timeout", str(START_SECONDS))
        while subprocess.run([str(_binaries() / "pg_isready"), "-q", *waiting], check=False).returncode:
            assert self._process.poll() is None, f"PostgreSQL has ended:\n{log.read_text()[-3000:]}"

    def stop(self) -> None:
        """Fast shutdown: connections are cut, everything is on disk."""
        self._end(signal.SIGINT)

    def quit(self) -> None:
        """Immediate shutdown: every session ends at once, and the next start recovers."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """SIGKILL of the server and all its sessions, as a power cut looks to a client."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGSTOP)  # it would answer a dead session with a recovery
        sessions = [os.pidfd_open(pid) for pid in _children(self._process.pid)]
        self._end(signal.SIGKILL)
        for session in sessions:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(session, signal.SIGKILL)
            select.select([session], [], [], STOP_SECONDS)  # a server does not start beside one that lives
            os.close(session)

    def new_database(self) -> str:
        """The address of an empty one; `give_back` makes it the next one's."""
        if self._free:
            return self._free.pop()
        name = f"test_{next(self._numbers)}"
        self.query(f"CREATE DATABASE {name}", "postgres")
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{name}"

    def give_back(self, url: str) -> None:
        """Emptied, which is a tenth of the work of a new one, and of its 7 MB on the disk."""
        self.empty(url)
        self._free.append(url)

    def empty(self, url: str) -> None:
        """Nothing is left in this database."""
        anew = "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO public"
        self.query(anew, url.rpartition("/")[2])

    def query(self, sql: str, database: str) -> str:
        """What psql prints of a statement, without decoration."""
        where = ("--host", "127.0.0.1", "--port", str(self.port), "--username", self.user, database)
        return self._run(
            "psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--quiet", "-At", "--command", sql, *where
        )

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.wait(STOP_SECONDS)
        self._process = None

    def _run(self, binary: str, *arguments: str) -> str:
        command = [*_unprivileged(), str(_binaries() / binary), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, f"{binary}: {done.stderr}"
        return done.stdout.strip()


def _binaries() -> Path:
    """Debian keeps them out of PATH, by major version; the newest is taken."""
    named = os.environ.get("POSTGRES_BIN")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    assert named or found, "PostgreSQL is missing: apt-get install postgresql"
    return Path(named) if named else found[-1]


def _unprivileged(*arguments: str) -> list[str]:
    """setpriv replaces itself by the program, so that a signal reaches PostgreSQL and no wrapper.

    With --pdeathsig the server ends even with tests that are killed.
    """
    user = ("--reuid", "nobody", "--regid", "nogroup", "--clear-groups") if os.geteuid() == 0 else ()
    return ["setpriv", *user, *(arguments or ("--pdeathsig", "clear"))]


def _children(parent: int) -> list[int]:
    listing = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(pid) for pid in listing.read_text().split()]
