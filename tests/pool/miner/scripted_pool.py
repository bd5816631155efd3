"""A pool made of prepared answers, at the wire: a real TCP server for the miner to talk to. It checks
nothing.

    async with ScriptedPool() as pool:
        pool.verdicts = [Refusal(23, "low difficulty")]   # then `true` for ever
        pool.answers["mining.authorize"] = Refusal(24, "no")
        ... start a miner on pool.url ...
        params = await pool.asked("mining.submit")        # the next one, in order
        pool.drop()                                       # the connection is lost
"""

import asyncio
import contextlib
import json
from collections import defaultdict
from types import TracebackType
from typing import Any, Self

import msgspec

ASK_SECONDS = 30.0
# 2^-18 of difficulty 1 (2^32 hashes) is 2^14 hashes a share: about three in each slice of the search.
EASY_DIFFICULTY = 2**-18
MASK = "1fffe000"
NOTIFY = [
    "65a1",
    "ff0badf0bbccddee778899aa33445566ee0011220001c0ff0000000000000000",
    "02000000010000000000000000000000000000000000000000000000000000000000000000ffffffff170340d10c052f7665632f0c",
    "ffffffff01205fa01200000000160014751e76e8199196d454941c45d1b3a323f1433bd600000000",
    ["28119e3f33aa8c203c31ef210ad9bb91414a3607342db65be11280ecee354c8a"],
    "20000000",
    "17034219",
    "662300a0",
    True,
]


class Refusal(msgspec.Struct, frozen=True):
    code: int
    text: str


class ScriptedPool:
    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "mining.configure": {"version-rolling": True, "version-rolling.mask": MASK},
            "mining.subscribe": [[["mining.notify", "1"]], "f0010203", 8],
            "mining.authorize": True,
            "mining.suggest_difficulty": True,
        }
        self.verdicts: list[Refusal] = []
        self.connections = 0
        self.port = 0
        self._asked: dict[str, asyncio.Queue[list[Any]]] = defaultdict(asyncio.Queue)
        self._writers: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"stratum+tcp://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        self.drop()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def asked(self, method: str) -> list[Any]:
        """The parameters of the next request of this method that no test has looked at yet."""
        return await asyncio.wait_for(self._asked[method].get(), ASK_SECONDS)

    def drop(self) -> None:
        """Cut every connection, as a pool that dies does."""
        for writer in self._writers:
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._handlers.add(task)
        self.connections += 1
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError):
            async for line in reader:
                request = json.loads(line)
                method = request["method"]
                writer.write(_line(self._answer(method), request["id"]))
                if method == "mining.authorize" and self.answers[method] is True:
                    writer.write(_told("mining.set_difficulty", [EASY_DIFFICULTY]))
                    writer.write(_told("mining.notify", NOTIFY))
                self._asked[method].put_nowait(request["params"])
        self._writers.discard(writer)
        writer.close()

    def _answer(self, method: str) -> Any:
        if method == "mining.submit":
            return self.verdicts.pop(0) if self.verdicts else True
        return self.answers[method]


def _line(answer: Any, request_id: int) -> bytes:
    if isinstance(answer, Refusal):
        message = {"id": request_id, "result": None, "error": [answer.code, answer.text, None]}
    else:
        message = {"id": request_id, "result": answer, "error": None}
    return json.dumps(message).encode() + b"\n"


def _told(method: str, params: list[Any]) -> bytes:
    return json.dumps({"id": None, "method": method, "params": params}).encode() + b"\n"
