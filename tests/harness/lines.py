"""A client of lines over a real socket, and a server of one variant to talk to: for tests of the shell."""

import asyncio
import json
from collections.abc import AsyncIterator, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from stratum.events import Event
from stratum.server import FanOut, Listener, ServerLimits, StratumServer
from stratum.session import Session
from stratum.work.difficulty import ShareDifficulty
from stratum.work.job import Job
from tests.builders import USER, FakeOwner, make_job, make_rules, make_template

EASIEST = 1e-10  # every hash meets it


class Owner(FakeOwner):
    """A gateway of one variant; notes the order of records, commits and closes."""

    def __init__(self) -> None:
        super().__init__()
        self.job: Job | None = None
        self.notes: list[str] = []
        self.events: list[Event] = []
        self.made = 0
        self.has_room = True
        self.fan_outs: list[FanOut] = []
        self.paces: list[float] = []
        self.one_closed = asyncio.Event()

    def make(self, **more: Any) -> Job:
        self.made += 1
        job = make_job(job_id=f"{self.made:x}", **more)
        self.book.tip = job.tip
        self.book.install(job, self.job, 0)
        self.job = job
        return job

    def variant_of(self, session: Session) -> Hashable:
        return "only"

    def current_job(self, variant: Hashable, now: float) -> Job | None:
        return self.job

    def fresh_job(self, variant: Hashable, now: float) -> Job | None:
        return self.make() if self.job is not None else None

    def admits(self) -> bool:
        return self.has_room

    def record(self, session: Session, events: list[Event]) -> None:
        self.notes.append("record")
        self.events += events

    def commit(self) -> None:
        self.notes.append("commit")

    def paced(self, session: Session, difficulty: ShareDifficulty) -> None:
        self.paces.append(float(difficulty.value))

    def fanned_out(self, fan_out: FanOut) -> None:
        self.fan_outs.append(fan_out)

    def session_closed(self, session: Session, now: float) -> None:
        self.notes.append(f"closed {session.closed_for}")
        self.one_closed.set()


class Client:
    """Lines over a real socket, with deadlines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def line(self) -> dict[str, Any] | None:
        raw = await asyncio.wait_for(self.reader.readline(), 30)
        return json.loads(raw) if raw else None

    async def until(self, method: str) -> dict[str, Any]:
        while True:
            line = await self.line()
            assert line is not None, f"closed before {method}"
            if line.get("method") == method:
                return line

    async def call(self, method: str, *params: Any, request_id: int = 1) -> dict[str, Any]:
        self.send({"id": request_id, "method": method, "params": list(params)})
        while True:
            line = await self.line()
            assert line is not None, f"closed before the answer to {method}"
            if "method" not in line:
                return line

    def send(self, *requests: dict[str, Any]) -> None:
        self.writer.write(b"".join(json.dumps(r).encode() + b"\n" for r in requests))

    async def handshake(self) -> dict[str, Any]:
        """Subscribe, authorise; gives the first notify."""
        await self.call("mining.subscribe", "cpuminer/2")
        self.send({"id": 2, "method": "mining.authorize", "params": [USER, "d=0.0000000001"]})
        return await self.until("mining.notify")

    async def is_closed(self) -> bool:
        """Whether the server closes within five seconds."""
        try:
            while await asyncio.wait_for(self.reader.read(65536), 30):
                pass
        except ConnectionResetError:
            pass
        return True


class Running:
    """A server on a port of 127.0.0.1, and clients of it."""

    def __init__(self, server: StratumServer, owner: Owner, port: int) -> None:
        self.server = server
        self.owner = owner
        self.port = port
        self.writers: list[asyncio.StreamWriter] = []

    async def client(self, source: str = "127.0.0.1") -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        self.writers.append(writer)
        return Client(reader, writer)


@asynccontextmanager
async def running(limits: ServerLimits | None = None, **rules: Any) -> AsyncIterator[Running]:
    owner = Owner()
    hashers = ThreadPoolExecutor(2)
    server = StratumServer(owner, limits or ServerLimits(), hashers)
    session_rules = make_rules(**{"difficulty": EASIEST, **rules})
    [(_, port)] = await server.start([Listener("127.0.0.1", 0, session_rules)])
    run = Running(server, owner, port)
    try:
        yield run
    finally:
        await server.drain(0)
        for writer in run.writers:
            writer.close()
        hashers.shutdown()


def submission(job_id: str, nonce: int, request_id: int) -> dict[str, Any]:
    params = [USER, job_id, "00" * 8, f"{make_template().current_time:08x}", f"{nonce:08x}"]
    return {"id": request_id, "method": "mining.submit", "params": params}
