"""[shell] JSON-RPC over HTTP as Bitcoin Core speaks it: its status codes, its cookie, its error objects."""

import base64
import hmac
import json
import secrets
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from pool.devnode.failures import UNKNOWN_METHOD, RpcFailure
from pool.devnode.methods import Methods
from pool.devnode.waiting import SATS, coins_text

LARGEST_REQUEST_BYTES = 32 << 20  # a full block in hex is 8 MB
_PARSE_ERROR = -32700
_INVALID_REQUEST = -32600
_COOKIE_USER = "__cookie__"
_WALLET_PATH = "/wallet/"


class Credentials:
    """User and password, or a cookie file that is written at start and removed at the end."""

    def __init__(self, directory: Path, user: str | None, password: str | None) -> None:
        self._cookie: Path | None = None
        if user is None or password is None:
            user, password = _COOKIE_USER, secrets.token_hex(32)
            self._cookie = directory / ".cookie"
            self._cookie.unlink(missing_ok=True)
            self._cookie.touch(mode=0o600)
            self._cookie.write_text(f"{user}:{password}")
        self._expected = b"Basic " + base64.b64encode(f"{user}:{password}".encode())

    def accepts(self, header: str) -> bool:
        """Whether an Authorization header holds them."""
        return hmac.compare_digest(header.encode("utf-8", "replace"), self._expected)

    def remove(self) -> None:
        """Remove the cookie file."""
        if self._cookie is not None:
            self._cookie.unlink(missing_ok=True)


def application(methods: Methods, credentials: Credentials) -> web.Application:
    """The web application of one node."""

    async def handle(request: web.Request) -> web.Response:
        if not credentials.accepts(request.headers.get("Authorization", "")):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="jsonrpc"'})
        try:
            call = json.loads(await request.read(), parse_float=Decimal)  # amounts never become floats
        except ValueError:
            return _failed(None, RpcFailure(_PARSE_ERROR, "Parse error"))
        if not isinstance(call, dict) or not isinstance(call.get("method"), str):
            return _failed(None, RpcFailure(_INVALID_REQUEST, "Invalid Request object (no batches here)"))
        params = call.get("params") or []
        if not isinstance(params, list):
            return _failed(call.get("id"), RpcFailure(_INVALID_REQUEST, "Params must be an array"))
        try:
            result = await methods.call(call["method"], params, _wallet(request.path))
        except RpcFailure as failure:
            return _failed(call.get("id"), failure)
        return _answer(result, None, call.get("id"))

    app = web.Application(client_max_size=LARGEST_REQUEST_BYTES)
    app.router.add_post("/{path:.*}", handle)
    return app


def _wallet(path: str) -> str | None:
    """The wallet of an address /wallet/NAME; None for every other address."""
    return path.removeprefix(_WALLET_PATH) if path.startswith(_WALLET_PATH) else None


def _failed(request_id: Any, failure: RpcFailure) -> web.Response:
    status = {UNKNOWN_METHOD: 404, _INVALID_REQUEST: 400}.get(failure.code, 500)
    # the text may hold what a caller sent: half of a surrogate pair is no UTF-8
    text = failure.text.encode("utf-8", "replace").decode()
    return _answer(None, {"code": failure.code, "message": text}, request_id, status)


def _answer(result: Any, error: dict[str, Any] | None, request_id: Any, status: int = 200) -> web.Response:
    echoed = msgspec.Raw(json.dumps(request_id, default=str).encode())  # whatever it was
    body = msgspec.json.encode({"result": _written(result), "error": error, "id": echoed})
    return web.Response(body=body, status=status, content_type="application/json")


def _written(value: Any) -> Any:
    """The value with its amounts as Core writes them: numbers with eight decimals and no exponent."""
    if isinstance(value, Decimal):
        return msgspec.Raw(coins_text(int(value * SATS)).encode())
    if isinstance(value, dict):
        return {key: _written(member) for key, member in value.items()}
    return [_written(member) for member in value] if isinstance(value, list) else value
