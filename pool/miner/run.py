"""[shell] `engineroom mine`: a connection, worker processes that search, a line now and then.

The search runs in processes of their own, in slices of about a tenth of a second: a new job is taken up at
the next slice, and the socket is never kept waiting by Python's lock.
"""

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import NoReturn
from urllib.parse import urlsplit

import msgspec

from pool.miner.client import Job, StratumClient, StratumError
from pool.miner.grinding import Found, search

SLICE_NONCES = {"sha256d": 50_000, "scrypt": 150}
REPORT_SECONDS = 5.0
RECONNECT_SECONDS = (1.0, 2.0, 5.0, 10.0)
SILENCE_SECONDS = 120.0


class MinerOptions(msgspec.Struct, frozen=True):
    """What the command line asks for; `shares` is after how many accepted ones to end, 0 never."""

    url: str
    user: str
    password: str = "x"  # noqa: S105
    algorithm: str = "sha256d"
    threads: int = 1
    version_rolling: bool = True
    suggest_difficulty: float | None = None
    shares: int = 0


class Finished(Exception):
    """Enough shares were accepted."""


def host_and_port(url: str) -> tuple[str, int]:
    """Where stratum+tcp://HOST:PORT points; raises StratumError with a sentence where it points nowhere."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        port = None
    if port is None or parts.scheme not in ("stratum+tcp", "tcp") or not parts.hostname:
        raise StratumError(f"{url!r} is not a pool's address; write stratum+tcp://HOST:PORT")
    return parts.hostname, port


def slice_of(algorithm: str, header: bytes, target: int, start: int) -> list[Found]:
    """One slice of the search, in a worker process."""
    return list(search(algorithm, header, target, start, SLICE_NONCES[algorithm]))


def end_with_parent() -> None:
    """Make this worker process end when the miner does, however that ended: an orphan would search for ever.

    Ctrl-C reaches the whole group of processes; it is the miner's to act on.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("only for a worker process")

    def watch() -> None:
        parent.join()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


async def run_miner(options: MinerOptions, say: Callable[[str], None] | None = None) -> int:
    """Mine until enough shares, a refusal, or Ctrl-C; gives the exit code."""
    miner = Miner(options, say or _print)
    mining = asyncio.ensure_future(miner.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, mining.cancel)
    try:
        await mining
    except Finished:
        miner.total()
        return 0
    except StratumError as error:
        sys.stderr.write(f"engineroom mine: {error}\n")
        return 1
    except BrokenProcessPool:
        sys.stderr.write("engineroom mine: a worker process was killed; is the machine out of memory?\n")
        return 1
    except asyncio.CancelledError:
        miner.total()
        return 0
    return 0


class Miner:
    """One connection at a time, and the processes that search for it."""

    def __init__(self, options: MinerOptions, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._host, self._port = "", 0
        self._client: StratumClient | None = None
        self._accepted = 0
        self._rejected: dict[str, int] = {}
        self._hashes = 0
        self._started_at = time.monotonic()
        self._new_job = asyncio.Event()

    async def run(self) -> NoReturn:
        """Connect, mine, and come back after a lost connection."""
        self._host, self._port = host_and_port(self._options.url)
        if self._options.algorithm not in SLICE_NONCES:
            raise StratumError(f"there is no algorithm {self._options.algorithm!r}; choose sha256d or scrypt")
        context = multiprocessing.get_context("spawn")
        attempt = 0
        with ProcessPoolExecutor(
            self._options.threads, mp_context=context, initializer=end_with_parent
        ) as workers:
            while True:
                try:
                    reader, writer = await asyncio.open_connection(self._host, self._port)
                except OSError as error:
                    if self._client is None and attempt == 0:
                        reason = (error.strerror or str(error)).lower()
                        raise StratumError(
                            f"cannot connect to {self._options.url}: {reason}; is the pool running there?"
                        ) from error
                else:
                    attempt = 0
                    await self._converse(reader, writer, workers)
                    self._say("connection lost")
                await asyncio.sleep(RECONNECT_SECONDS[min(attempt, len(RECONNECT_SECONDS) - 1)])
                attempt += 1

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, workers: ProcessPoolExecutor
    ) -> None:
        options = self._options
        client = self._client = StratumClient(
            options.user,
            options.password,
            options.algorithm,
            rolls_version=options.version_rolling,
            suggested_difficulty=options.suggest_difficulty,
        )
        client.begin()
        writer.write(client.data_to_send())
        self._say(f"connected to {self._host} port {self._port}")
        tasks = [
            asyncio.create_task(self._listen(client, reader, writer)),
            asyncio.create_task(self._report(client)),
            *(
                asyncio.create_task(self._mine(client, writer, workers, number))
                for number in range(options.threads)
            ),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            writer.close()

    async def _listen(
        self, client: StratumClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            try:
                # not wait_for: before Python 3.12 it loses a cancellation that comes together with a line
                async with asyncio.timeout(SILENCE_SECONDS):
                    line = await reader.readline()
            except (OSError, TimeoutError, ValueError):
                return
            if not line:
                return
            self._show(client, client.receive_line(line))
            writer.write(client.data_to_send())

    def _show(self, client: StratumClient, what: str) -> None:
        if what == "difficulty":
            self._say(f"difficulty {client.difficulty:g}")
        elif what == "job" and client.job is not None:
            if client.job.is_clean:
                self._say(f"new work {client.job.id}")
            self._new_job.set()
        elif what == "accepted":
            self._accepted += 1
            if self._options.shares and self._accepted >= self._options.shares:
                raise Finished
        elif what == "rejected":
            reason = client.last_reason
            self._rejected[reason] = self._rejected.get(reason, 0) + 1
            self._say(f"share rejected: {reason}")

    async def _mine(
        self, client: StratumClient, writer: asyncio.StreamWriter, workers: ProcessPoolExecutor, number: int
    ) -> None:
        """One worker: a stretch of the extranonce2 space of its own, so that no two hash the same header."""
        loop = asyncio.get_running_loop()
        slice_nonces = SLICE_NONCES[self._options.algorithm]
        job: Job | None = None
        counter, start, version_bits, header, extranonce2 = 0, 0, 0, b"", b""
        while True:
            if client.job is None:
                self._new_job.clear()
                await self._new_job.wait()
                continue
            if job is not client.job or start >= 1 << 32:
                if job is not client.job:
                    counter = 0
                job = client.job
                extranonce2 = (counter * self._options.threads + number).to_bytes(
                    job.extranonce2_size, "little"
                )
                counter, start = counter + 1, 0
                version_bits = _some_bits_of(job.mask, counter)
                header = job.header(extranonce2, version_bits)
            found = await loop.run_in_executor(
                workers, slice_of, self._options.algorithm, header, job.target, start
            )
            self._hashes += slice_nonces
            start += slice_nonces
            for one in found:
                client.submit(job, extranonce2, one.nonce, version_bits)
            writer.write(client.data_to_send())

    async def _report(self, client: StratumClient) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            rejected = sum(self._rejected.values())
            self._say(
                f"{self._rate()}, {self._accepted} accepted, {rejected} rejected, at {client.difficulty:g}"
            )

    def total(self) -> None:
        """The last line."""
        reasons = ", ".join(f"{count} × {text}" for text, count in self._rejected.items()) or "none"
        self._say(f"done: {self._accepted} shares accepted, rejected: {reasons}; {self._rate()}")

    def _rate(self) -> str:
        rate = self._hashes / max(time.monotonic() - self._started_at, 1e-3)
        return f"{rate / 1000:.1f} kH/s"


def _some_bits_of(mask: int, counter: int) -> int:
    """Spread a counter over the bits of a mask: honest version rolling needs some rolled."""
    bits = 0
    for position in range(32):
        if mask >> position & 1:
            bits |= (counter & 1) << position
            counter >>= 1
    return bits


def _print(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()
