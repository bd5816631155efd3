"""An accountant as a process that stands still at one of its steps, so that a test can kill it just there.

The real accountant over the real journal, database and wallet, each with a wrapper that tells what it is
about to do and has done; nothing is replaced. stepped_accountant.py starts it, and is told each step. Its
duties come around much sooner than a pool's.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from config.loading import load
from config.schema import Settings
from payouts.attempt import Attempt
from payouts.node_wallet import NodeWallet
from payouts.transaction import Outpoint, Output, Spent
from payouts.wallet import Handed, SignedTransaction
from pool.accounting import assembly, directories
from pool.accounting.accountant import Accountant, now_us
from pool.accounting.journal import Journal
from pool.accounting.journal_entries import BlockChanged, Body
from pool.accounting.pace import Pace
from pool.accounting.process import run_accountant
from pool.node.rpc import NodeRpc
from pool.storage.database import Database, Reader, Row, Value, Writer, set_once
from pool.storage.opening import open_database
from pool.supervisor import end_with_parent

QUICK = Pace(
    plan_seconds=0.2,
    apply_seconds=0.1,
    chain_seconds=0.2,
    watch_payments_seconds=0.2,
    paying_seconds=0.2,
    trouble_seconds=0.2,
)


class Steps:
    """Tells each step; stands still at the one that was asked for, once, until it is told to go on."""

    def __init__(self, connection: Connection, name: str | None, number: int | None) -> None:
        self._connection = connection
        self._name = name
        self._number = number
        self._count = 0
        self._order = threading.Lock()

    def reach(self, name: str) -> None:
        """From whatever thread the step is made in, which is the one that stands still."""
        with self._order:
            self._count += 1
            is_it = name == self._name or self._count == self._number
            if is_it:
                self._name = self._number = None
            self._connection.send((name, is_it))
        if is_it:
            self._connection.recv()


def label(body: Body) -> str:
    """An entry's kind, and for a block the state that it goes to."""
    kind = str(type(body).__struct_config__.tag)
    return f"{kind} {body.to_state}" if isinstance(body, BlockChanged) else kind


class SteppedJournal(Journal):
    """Two steps around each append."""

    steps: Steps
    labels: dict[int, str]

    def append(self, body: Body, at_us: int) -> int:
        name = label(body)
        self.steps.reach(f"before append {name}")
        number = super().append(body, at_us)
        self.labels[number] = name
        self.steps.reach(f"after append {name}")
        return number


class SteppedDatabase:
    """Two steps around each commit, named by what is committed."""

    def __init__(self, inner: Database, steps: Steps, labels: dict[int, str]) -> None:
        self._inner = inner
        self._steps = steps
        self._labels = labels

    @property
    def description(self) -> str:
        return self._inner.description

    @property
    def token(self) -> int:
        return self._inner.token

    def reading(self) -> AbstractAsyncContextManager[Reader]:
        return self._inner.reading()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writer]:
        async with self._inner.writing() as writer:
            watched = WatchedWriter(writer, self._labels)
            yield watched
            self._steps.reach(f"before commit {watched.what}")
        self._steps.reach(f"after commit {watched.what}")

    async def close(self) -> None:
        await self._inner.close()


class WatchedWriter:
    """A transaction that notes what it is for: an entry of the journal, shares, or something else."""

    def __init__(self, inner: Writer, labels: dict[int, str]) -> None:
        self._inner = inner
        self._labels = labels
        self.what = "anything"

    async def rows(self, sql: str, *params: Value) -> list[Row]:
        return await self._inner.rows(sql, *params)

    async def row(self, sql: str, *params: Value) -> Row | None:
        return await self._inner.row(sql, *params)

    def batches(self, sql: str, *params: Value, most: int = 10_000) -> AsyncIterator[list[Row]]:
        return self._inner.batches(sql, *params, most=most)

    async def execute(self, sql: str, *params: Value) -> int:
        if sql.startswith("INSERT INTO meta (key, value) VALUES ('journal'"):
            self.what = self._labels.get(int(str(params[0]).split()[0]), "rolled forward")
        return await self._inner.execute(sql, *params)

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        if sql.startswith("INSERT INTO slot_account"):
            self.what = "shares"
        await self._inner.execute_many(sql, rows)

    async def insert(self, sql: str, *params: Value) -> int:
        return await self._inner.insert(sql, *params)


class SteppedWallet(NodeWallet):
    """Two steps around whatever a payment asks the wallet to do."""

    steps: Steps

    async def sign(self, inputs: Sequence[Spent], outputs: Sequence[Output]) -> SignedTransaction:
        self.steps.reach("before sign")
        signed = await super().sign(inputs, outputs)
        self.steps.reach("after sign")
        return signed

    async def lock(self, outpoints: Sequence[Outpoint]) -> None:
        self.steps.reach("before lock")
        await super().lock(outpoints)
        self.steps.reach("after lock")

    async def broadcast(self, attempt: Attempt) -> Handed:
        self.steps.reach("before broadcast")
        handed = await super().broadcast(attempt)
        self.steps.reach("after broadcast")
        return handed


async def open_stepped(settings: Settings, steps: Steps) -> Accountant:
    """As Accountant.open, with every part wrapped."""
    directory = Path(settings.data_directory)
    journal = SteppedJournal.open(directory / directories.JOURNAL)
    journal.steps, journal.labels = steps, {}
    try:
        opened = await open_database(settings.database, directory, holder="the test", now_us=now_us())
    except BaseException:
        journal.close()
        raise
    await set_once(opened, "slot_seconds", str(settings.accounting.slot_seconds))
    await set_once(opened, "network", assembly.network_name(settings))
    database = SteppedDatabase(opened, steps, journal.labels)
    return Accountant(settings, database, journal, _wallet(settings, steps), QUICK)


def _wallet(settings: Settings, steps: Steps) -> NodeWallet | None:
    if settings.payout.wallet is None:
        return None
    wallet = SteppedWallet(
        assembly.node_call(NodeRpc(assembly.wallet_endpoint(settings, settings.payout.wallet)))
    )
    wallet.steps = steps
    return wallet


def main(
    settings_file: Path,
    log_file: Path,
    connection: Connection,
    at: str | None,
    at_number: int | None,
    dies_after: float | None,
) -> None:
    """The process. `connection` takes (step, whether it stands there) and gives anything to go on."""
    end_with_parent()
    os.dup2(os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)  # a traceback, too
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    steps = Steps(connection, at, at_number)
    if dies_after is not None:
        signal.setitimer(signal.ITIMER_REAL, dies_after)  # SIGALRM, unhandled, is as sudden as SIGKILL
    sys.exit(asyncio.run(run_accountant(load(settings_file), lambda settings: open_stepped(settings, steps))))
