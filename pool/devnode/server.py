"""[shell] JSON-RPC over HTTP as Bitcoin Core speaks it: its status codes, its cookie, its error objects."""

import base64
import hmac
import json
import secrets
from pathlib import Path
from typing import Any

from aiohttp import web

from pool.devnode.methods import UNKNOWN_METHOD, Methods, RpcFailure

LARGEST_REQUEST_BYTES = 32 << 20  # a full block in hex is 8 MB
_PARSE_ERROR = -32700
_INVALID_REQUEST = -32600
_COOKIE_USER = "__cookie__"


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
            call = json.loads(await request.read())
        except ValueError:
            return _failed(None, RpcFailure(_PARSE_ERROR, "Parse error"))
        if not isinstance(call, dict) or not isinstance(call.get("method"), str):
            return _failed(None, RpcFailure(_INVALID_REQUEST, "Invalid Request object (no batches here)"))
        params = call.get("params") or []
        if not isinstance(params, list):
            return _failed(call.get("id"), RpcFailure(_INVALID_REQUEST, "Params must be an array"))
        try:
            result = await methods.call(call["method"], params)
        except RpcFailure as failure:
            return _failed(call.get("id"), failure)
        return web.json_response({"result": result, "error": None, "id": call.get("id")})

    app = web.Application(client_max_size=LARGEST_REQUEST_BYTES)
    app.router.add_post("/{path:.*}", handle)
    return app


def _failed(request_id: Any, failure: RpcFailure) -> web.Response:
    status = {UNKNOWN_METHOD: 404, _INVALID_REQUEST: 400}.get(failure.code, 500)
    error = {"code": failure.code, "message": failure.text}
    return web.json_response({"result": None, "error": error, "id": request_id}, status=status)
