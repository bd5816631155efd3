"""A farm on loopback: thousands of simulated machines in one process, whose shares are honest work.

A machine of so many hashes a second finds shares as a Poisson process: it draws when the next one comes at
the difficulty that it was told, and then really looks for a header that meets it. Machines can fall silent,
lose a part of their rate, or send rubbish in place of a part of their shares.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable

from pool.miner.client import Job, StratumClient
from pool.miner.grinding import search

CONNECTS_AT_ONCE = 100


class Machine:
    """One connection. `rate` is in hashes a second; `rubbish` the part of its shares that miss the target."""

    def __init__(self, name: str, user: str, rate: float, chance: random.Random, address: str) -> None:
        self.name = name
        self.rate = rate
        self.rubbish = 0.0
        self.is_silent = False
        self.slowest_reply_seconds = 0.0
        self._user = user
        self._chance = chance
        self._address = address
        self._client = StratumClient(f"{user}.{name}", "x", rolls_version=False)
        self._changed = asyncio.Event()
        self._nonce = chance.randrange(1 << 31)
        self._extranonce2 = 0
        self._submitted_at: dict[int, float] = {}

    async def run(self, port: int, connected: Callable[[], None]) -> None:
        """Until cancelled; a connection that is closed is made again after a while, as firmware does."""
        told = False
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, local_addr=(self._address, 0)
                )
                if not told:
                    told = True
                    connected()
                try:
                    await self._serve(reader, writer)
                finally:
                    writer.close()
            await asyncio.sleep(5.0)
            self._client = StratumClient(f"{self._user}.{self.name}", "x", rolls_version=False)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._client.begin()
        writer.write(self._client.data_to_send())
        mining = asyncio.create_task(self._mine(writer))
        try:
            while line := await reader.readline():
                answered = self._client.receive_line(line)
                if answered in ("accepted", "rejected"):
                    self._replied()
                elif answered == "job":
                    self._changed.set()
                writer.write(self._client.data_to_send())
        finally:
            mining.cancel()

    def _replied(self) -> None:
        """Answers come in order: the oldest submission is meant."""
        if self._submitted_at:
            oldest = next(iter(self._submitted_at))
            took = time.perf_counter() - self._submitted_at.pop(oldest)
            self.slowest_reply_seconds = max(self.slowest_reply_seconds, took)

    async def _mine(self, writer: asyncio.StreamWriter) -> None:
        """Shares come at moments that were drawn, not some time after the last was sent: a busy simulation
        sends them late, and no fewer. Exponential gaps forget: one that another difficulty, another rate or
        silence interrupts is drawn anew."""
        drawn_for: tuple[int, float] | None = None
        due = 0.0
        while True:
            job = self._client.job
            if job is None or self.is_silent:
                drawn_for = None
                await asyncio.sleep(0.5)
                continue
            if drawn_for != (job.target, self.rate):
                drawn_for, due = (job.target, self.rate), time.monotonic() + self._gap(job.target)
            if time.monotonic() >= due:
                self._submit(writer, job)
                due += self._gap(job.target)
                continue
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(1.0, due - time.monotonic()))

    def _gap(self, target: int) -> float:
        return self._chance.expovariate(self.rate / (2**256 / (target + 1)))

    def _submit(self, writer: asyncio.StreamWriter, job: Job) -> None:
        self._extranonce2 += 1
        extranonce2 = self._extranonce2.to_bytes(job.extranonce2_size, "big")
        nonce = self._nonce
        if self._chance.random() >= self.rubbish:
            header = job.header(extranonce2)
            nonce = next(iter(search("sha256d", header, job.target, self._nonce, 1 << 20))).nonce
        request = self._client.submit(job, extranonce2, nonce)
        self._submitted_at[request] = time.perf_counter()
        writer.write(self._client.data_to_send())


class SimulatedFarm:
    """Machines by name, on one loop. `addresses` are those that they come from, in turn."""

    def __init__(self, names: list[str], user: str, rate: float, seed: int, addresses: list[str]) -> None:
        self.machines = {
            name: Machine(
                name, user, rate, random.Random(f"{seed} {name}"), addresses[place % len(addresses)]
            )
            for place, name in enumerate(names)
        }
        self._tasks: list[asyncio.Task[None]] = []
        self._connected = 0
        self._all = asyncio.Event()

    async def start(self, port: int) -> None:
        """Returns when every machine has connected once."""
        for place, machine in enumerate(self.machines.values()):
            self._tasks.append(asyncio.create_task(machine.run(port, self._one_more)))
            if place % CONNECTS_AT_ONCE == CONNECTS_AT_ONCE - 1:
                await asyncio.sleep(0.25)
        await self._all.wait()

    def _one_more(self) -> None:
        self._connected += 1
        if self._connected == len(self.machines):
            self._all.set()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
