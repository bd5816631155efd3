"""A node made of prepared answers: an HTTP server on 127.0.0.1 that speaks JSON-RPC, and misspeaks.

    async with ScriptedNode() as node:
        node.answers["getblockcount"] = 7                   # a result
        node.answers["getblockhash"] = Failure(-8, "no")    # an error, HTTP 500 as Core sends it
        node.answers["stop"] = Raw(503, b"Work queue depth exceeded")
        node.answers["getblocktemplate"] = Hang()           # never answered
        node.answers["submitblock"] = lambda *params: None  # computed, also by a coroutine

`requests` counts by method. It knows no chain, but `stand_at` makes it answer like a regtest node at some
tip.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import Callable
from inspect import isawaitable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web

from pool.node.endpoint import NodeEndpoint


class Failure(msgspec.Struct, frozen=True):
    code: int
    message: str


class Raw(msgspec.Struct, frozen=True):
    status: int
    body: bytes


class Hang(msgspec.Struct, frozen=True):
    """Accepts the question and says nothing."""


REGTEST_BITS = "207fffff"
REGTEST_TARGET = "7fffff" + "00" * 29

EMPTY_COMMITMENT = "6a24aa21a9ed" + "e2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9"
# BIP 141: sha256d of 64 zero bytes, in every block without witness transactions (see any empty block).


def tip_hash(number: int) -> str:
    """A made-up block hash as displayed: a number that a test can recognise."""
    return f"{number:064x}"


class ScriptedNode:
    def __init__(self, name: str = "scripted", user: str = "u", password: str = "p") -> None:
        self.name = name
        self.user, self.password = user, password
        self.answers: dict[str, Any] = {}
        self.requests: Counter[str] = Counter()
        self.refused_logins = 0
        self.port = 0
        self._asked: dict[str, asyncio.Event] = {}
        self._runner: web.ServerRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """On the same port as before, when it was started before."""
        self._runner = web.ServerRunner(web.Server(self._serve), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def endpoint(
        self, *, cookie_file: Path | None = None, longpoll: bool = False, zmq_hashblock: str | None = None
    ) -> NodeEndpoint:
        url = f"http://127.0.0.1:{self.port}"
        if cookie_file is not None:
            return NodeEndpoint(name=self.name, url=url, cookie_file=cookie_file)
        return NodeEndpoint(
            name=self.name,
            url=url,
            user="u",
            password=lambda: "p",
            longpoll=longpoll,
            zmq_hashblock=zmq_hashblock,
        )

    def stand_at(
        self, tip: str, *, height: int, chainwork: int, chain: str = "regtest", **changes: object
    ) -> None:
        """The answers of a Bitcoin node whose best block is `tip` at `height`; `changes` to its template."""
        self.answers["getbestblockhash"] = tip
        self.answers["getblockchaininfo"] = {
            "chain": chain,
            "blocks": height,
            "headers": height,
            "bestblockhash": tip,
            "initialblockdownload": False,
            "chainwork": f"{chainwork:064x}",
        }
        self.answers["getblocktemplate"] = regtest_template(tip, height) | changes

    async def asked(self, method: str) -> None:
        """Returns when `method` is asked for the next time."""
        await self._asked.setdefault(method, asyncio.Event()).wait()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {login}":
            self.refused_logins += 1
            return web.Response(status=401)
        call = msgspec.json.decode(await request.read())
        method, params = call["method"], call["params"]
        self.requests[method] += 1
        self._asked.pop(method, asyncio.Event()).set()
        return await self._answer(method, params)

    async def _answer(self, method: str, params: list[Any]) -> web.Response:
        answer = self.answers.get(method, Failure(-32601, "Method not found"))
        if isinstance(answer, Callable):  # type: ignore[arg-type]  # mypy knows no isinstance of Callable
            answer = answer(*params)
            if isawaitable(answer):
                answer = await answer
        match answer:
            case Failure(code=code, message=message):
                status = 404 if code == -32601 else 500
                return _json(status, {"result": None, "error": {"code": code, "message": message}, "id": 1})
            case Raw(status=status, body=body):
                return web.Response(status=status, body=body)
            case Hang():
                await asyncio.Event().wait()
        return _json(200, {"result": answer, "error": None, "id": 1})


def regtest_template(tip: str, height: int) -> dict[str, object]:
    return {
        "version": 0x20000000,
        "rules": ["csv", "!segwit", "taproot"],
        "vbavailable": {},
        "vbrequired": 0,
        "previousblockhash": tip,
        "transactions": [],
        "coinbaseaux": {},
        "coinbasevalue": 5_000_000_000,
        "longpollid": tip + "1",
        "target": REGTEST_TARGET,
        "mintime": 1_700_000_000,
        "mutable": ["time", "transactions", "prevblock"],
        "noncerange": "00000000ffffffff",
        "sigoplimit": 80_000,
        "sizelimit": 4_000_000,
        "weightlimit": 4_000_000,
        "curtime": 1_700_000_600,
        "bits": REGTEST_BITS,
        "height": height + 1,
        "default_witness_commitment": EMPTY_COMMITMENT,
    }


def _json(status: int, document: object) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(document), content_type="application/json")
