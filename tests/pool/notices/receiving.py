"""A server on 127.0.0.1 that plays webhook, ntfy and Telegram's Bot API, and those whom it is told for.

async with Receiver() as receiver:
    receiver.answers["/hook"] = [Answer(500), Answer(200)]    # in turn, the last one for ever; 200 by default
    got = await receiver.next("/hook")                         # waits for a request there
"""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web

from config.secret import Secret
from pool.notices.notice import BlockFound, Incident, NoticeKind, PayeeChange
from pool.notices.targets import Target

KEY = "correct horse battery staple"
NTFY_TOKEN = "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"  # the example of ntfy's documentation
BOT_TOKEN = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"  # the example of Telegram's
SECRETS = (KEY, NTFY_TOKEN, BOT_TOKEN)

SECOND_US = 1_000_000
NOW_US = 1_800_000_000 * SECOND_US  # 2027-01-15 08:00:00 UTC
NETWORK = "bitcoin mainnet"
SECONDS = 20.0  # a test that waits longer has failed

FINDER = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"  # BIP 173
PAYEE = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"  # an address of the Bitcoin wiki
TELEGRAM_PATH = f"/bot{BOT_TOKEN}/sendMessage"


class Answer(msgspec.Struct, frozen=True):
    """`hangs`: the question is read and never answered."""

    status: int = 200
    body: str = "{}"
    headers: dict[str, str] = {}
    hangs: bool = False


class Got(msgspec.Struct, frozen=True):
    method: str
    headers: dict[str, str]
    body: bytes
    at: float  # the loop's time

    @property
    def json(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body, type=dict[str, Any])


class Receiver:
    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.port = 0
        self._got: dict[str, asyncio.Queue[Got]] = {}
        self._released = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        at = asyncio.get_running_loop().time()
        self._queue(request.path).put_nowait(Got(request.method, dict(request.headers), body, at))
        answers = self.answers.get(request.path, [Answer()])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer.hangs:
            await self._released.wait()
        return web.Response(status=answer.status, text=answer.body, headers=answer.headers)

    async def next(self, path: str) -> Got:
        async with asyncio.timeout(SECONDS):
            return await self._queue(path).get()

    def count(self, path: str) -> int:
        """Requests that nobody has taken yet."""
        return self._queue(path).qsize()

    def _queue(self, path: str) -> asyncio.Queue[Got]:
        return self._got.setdefault(path, asyncio.Queue())

    # ------------------------------------------------------------------ targets of it

    def webhook(self, name: str = "own", path: str = "/hook", **changes: Any) -> Target:
        return target(name, "webhook", f"http://127.0.0.1:{self.port}{path}", KEY, **changes)

    def ntfy(self, name: str = "phone", path: str = "/topic", **changes: Any) -> Target:
        return target(name, "ntfy", f"http://127.0.0.1:{self.port}{path}", NTFY_TOKEN, **changes)

    def telegram(self, name: str = "chat", **changes: Any) -> Target:
        return target(name, "telegram", f"http://127.0.0.1:{self.port}", BOT_TOKEN, chat_id=-100, **changes)


def target(name: str, kind: Any, url: str, secret: str | None, **changes: Any) -> Target:
    parts: dict[str, Any] = {
        "chat_id": None,
        "events": frozenset(NoticeKind),
        "full_addresses": False,
        "secret": None if secret is None else Secret(secret),
    }
    return Target(name=name, kind=kind, url=url, **(parts | changes))


def incidents(*numbers: int, at_us: int = NOW_US) -> Sequence[Incident]:
    return [Incident(at_us=at_us, incident_id=f"i{number}", what=f"Incident {number}") for number in numbers]


def block(height: int = 840_000, *, at_us: int = NOW_US) -> BlockFound:
    return BlockFound(
        at_us=at_us,
        hash_hex=f"{height:064x}",
        height=height,
        reward_sats=325_104_233,
        found_us=at_us,
        account=FINDER,
        worker="rig",
    )


CHANGE = PayeeChange(
    at_us=NOW_US,
    account=FINDER,
    address=PAYEE,
    minimum_sats=50_000,
    effective_us=NOW_US + 48 * 3_600 * SECOND_US,
    asked_by="signature",
)
