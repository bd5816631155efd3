"""A farm on loopback: thousands of simulated machines in one process, whose shares are honest work.

A machine of so many hashes a second finds shares as a Poisson process: it draws when the next one comes at
the difficulty that it was told, and then really looks for a header that meets it. Machines can fall silent,
lose a part of their rate, or send rubbish in place of a part of their shares.

They share the cores with the pool that is measured: a machine costs a timer and a connection, and no task
for each share.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable

from pool.miner.client import Job, StratumClient
from pool.miner.grinding import search

CONNECTS_AT_ONCE = 100
AWAY_SECONDS = 5.0  # as firmware waits before it connects again


class Machine(asyncio.Protocol):
    """One connection. `rate` is in hashes a second; `rubbish` the part of its shares that miss the target."""

    def __init__(self, name: str, user: str, rate: float, chance: random.Random, address: str) -> None:
        self.name = name
        self.rate = rate
        self.rubbish = 0.0
        self._is_silent = False
        self._user = user
        self._chance = chance
        self._address = address
        self._nonce = chance.randrange(1 << 31)
        self._extranonce2 = 0
        self._loop = asyncio.get_running_loop()
        self._due: asyncio.TimerHandle | None = None
        self._target = 0  # that the next share was drawn for

    async def run(self, port: int, connected: Callable[[], None]) -> None:
        """Until cancelled; a connection that is closed is made again after a while."""
        told = False
        while True:
            with contextlib.suppress(OSError):
                self._lost = self._loop.create_future()
                transport, _ = await self._loop.create_connection(
                    lambda: self, "127.0.0.1", port, local_addr=(self._address, 0)
                )
                if not told:
                    told = True
                    connected()
                try:
                    await self._lost
                finally:
                    self._draw_nothing()
                    transport.close()
            await asyncio.sleep(AWAY_SECONDS)

    # ------------------------------------------------------------------ what breaks

    def fall_silent(self) -> None:
        """It stays connected, and sends nothing any more."""
        self._is_silent = True
        self._draw_nothing()

    def slow_down(self, part: float) -> None:
        """To this part of its rate. Exponential gaps forget: the next share is drawn anew."""
        self.rate *= part
        self._draw(self._loop.time())

    # ------------------------------------------------------------------ the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A new one, of which nothing is known yet."""
        self._transport = transport
        self._client = StratumClient(f"{self._user}.{self.name}", "x", rolls_version=False)
        self._rest = b""
        self._target = 0
        self._client.begin()
        transport.write(self._client.data_to_send())

    def data_received(self, data: bytes) -> None:
        """Lines, in any pieces."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._client.receive_line(line) == "job":
                self._job_came()
        if answers := self._client.data_to_send():
            self._transport.write(answers)

    def connection_lost(self, exc: Exception | None) -> None:
        """`run` makes another."""
        if not self._lost.done():
            self._lost.set_result(None)

    # ------------------------------------------------------------------ mining

    def _job_came(self) -> None:
        job = self._client.job
        if job is not None and job.target != self._target:
            self._target = job.target
            self._draw(self._loop.time())

    def _draw(self, since: float) -> None:
        """When the next share comes: at moments that were drawn, not some time after the last was sent. A
        busy simulation sends them late, and no fewer."""
        self._draw_nothing()
        if self._target and not self._is_silent:
            due = since + self._chance.expovariate(self.rate / (2**256 / (self._target + 1)))
            self._due = self._loop.call_at(due, self._found, due)

    def _draw_nothing(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _found(self, due: float) -> None:
        job = self._client.job
        if job is not None and not self._transport.is_closing():
            self._submit(job)
            self._draw(due)

    def _submit(self, job: Job) -> None:
        self._extranonce2 += 1
        extranonce2 = self._extranonce2.to_bytes(job.extranonce2_size, "big")
        nonce = self._nonce
        if self._chance.random() >= self.rubbish:
            header = job.header(extranonce2)
            nonce = next(iter(search("sha256d", header, job.target, self._nonce, 1 << 20))).nonce
        self._client.submit(job, extranonce2, nonce)
        self._transport.write(self._client.data_to_send())


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
