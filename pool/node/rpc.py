"""JSON-RPC to one node over HTTP. Owns the connections and the errors of asking; knows no method's meaning.

    NodeError              anything that can go wrong when a node is asked; one clear line
    ├── RpcError           the node answered an error (code, message)
    └── NodeUnreachable    the question could not be asked, or the answer is no answer
        └── NodeBusy       the node has no room for the question now (HTTP 503): ask again

Calls travel in three lanes, each a session with connections of its own, so that neither a hanging long-poll
nor a large template ever stands between a block and the node.
"""

import enum
import itertools
from decimal import Decimal
from typing import TypeVar

import aiohttp
import msgspec

from pool.node.credentials import Credentials, CredentialsError
from pool.node.endpoint import NodeEndpoint

QUESTION_TIMEOUT_SECONDS = 10.0
# A node that connects a full block keeps its main lock for seconds on a slow disk; questions wait for it.

CONNECT_TIMEOUT_SECONDS = 5.0

MAXIMUM_REPLY_BYTES = 64 << 20
# A template of 4,000,000 weight units is at most 8 MB of hex plus its keys; a verbose block takes about four
# times as much as that.

KEEPALIVE_SECONDS = 15.0
# Below the 30 s of -rpcservertimeout, after which the node closes an idle connection: a question sent into a
# connection that is being closed fails without having been asked.

UNAUTHORISED, FORBIDDEN, SERVICE_UNAVAILABLE = 401, 403, 503

T = TypeVar("T")


# What msgspec raises for bytes that are not the JSON asked for; the last two are not errors of its own.
UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class NodeError(Exception):
    """Asking a node failed. `str()` is one line for the operator."""


class RpcError(NodeError):
    """The node answered with an error: `code` and `message` as the node gave them."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} (code {code})")
        self.code = code
        self.message = message


class NodeUnreachable(NodeError):
    """No usable answer came. The node may or may not have acted; nothing but asking again will tell."""


class NodeBusy(NodeUnreachable):
    """HTTP 503, "Work queue depth exceeded": all RPC threads are taken and the queue is full. Ask again."""


class Lane(enum.Enum):
    """Which connections a call may use."""

    QUESTION = enum.auto()
    SUBMISSION = enum.auto()
    LONGPOLL = enum.auto()


class _ErrorBody(msgspec.Struct):
    code: int
    message: str


class _Reply(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _ErrorBody | None = None


_reply_decoder = msgspec.json.Decoder(_Reply)


class NodeRpc:
    """Asks one node. Sessions open at the first call on the running loop; `close()` ends them."""

    def __init__(self, endpoint: NodeEndpoint) -> None:
        self._url = endpoint.url
        self._credentials = Credentials(endpoint)
        self._uses_cookie = endpoint.cookie_file is not None
        self._sessions: dict[Lane, aiohttp.ClientSession] = {}
        self._ids = itertools.count(1)

    async def call(
        self,
        method: str,
        *params: object,
        result: type[T],
        timeout_seconds: float = QUESTION_TIMEOUT_SECONDS,
        lane: Lane = Lane.QUESTION,
    ) -> T:
        """The method's result as `result`. Where that is Any or Decimal, fractions are exact Decimals.

        Raises RpcError when the node answers an error, NodeUnreachable when no usable answer comes. Nothing
        is asked twice here, since only the caller knows whether that is harmless.
        """
        raw = await self.ask(method, *params, timeout_seconds=timeout_seconds, lane=lane)
        try:
            # float_hook covers what a typed Decimal does not, untyped places: money never becomes a float.
            return msgspec.json.Decoder(result, float_hook=Decimal).decode(raw)
        except UNDECODABLE as error:
            raise NodeUnreachable(
                f"{self._url} answered {method} with something unexpected ({error}): "
                "check that the url is that of a node of this coin"
            ) from None

    async def ask(
        self,
        method: str,
        *params: object,
        timeout_seconds: float = QUESTION_TIMEOUT_SECONDS,
        lane: Lane = Lane.QUESTION,
    ) -> msgspec.Raw:
        """The method's result as JSON, for a caller that decodes it in a thread. Raises like `call`."""
        status, body = await self._authorised(
            lane, self._request(method, params), method, timeout_seconds, read_body=True
        )
        return self._unwrap(status, body, method)

    async def wait_for_longpoll(self, template_request: dict[str, object]) -> None:
        """Returns when the node answers a long-poll (BIP 22: `longpollid` in the request); no time limit.

        Only the reply's head is read: the news is that there is news, and a template fetched in the ordinary
        way is read together with the chain's state. By then the node has its worker thread back, so that
        closing the connection is harmless; cancelling earlier leaves that thread taken until the next block.
        """
        body = self._request("getblocktemplate", (template_request,))
        status, answer = await self._authorised(
            Lane.LONGPOLL, body, "getblocktemplate", None, read_body=False
        )
        if status != 200:
            self._unwrap(status, answer, "getblocktemplate")

    async def close(self) -> None:
        sessions = list(self._sessions.values())
        self._sessions.clear()
        for session in sessions:
            await session.close()

    def _request(self, method: str, params: tuple[object, ...]) -> bytes:
        request = {"jsonrpc": "1.0", "id": next(self._ids), "method": method, "params": params}
        return msgspec.json.encode(request)

    async def _authorised(
        self, lane: Lane, body: bytes, method: str, timeout_seconds: float | None, *, read_body: bool
    ) -> tuple[int, bytes]:
        # The node writes a new cookie at each start: one 401 means no more than that ours may be an old one.
        status, answer = await self._post(lane, body, method, timeout_seconds, read_body)
        if status == UNAUTHORISED:
            self._credentials.forget()
            status, answer = await self._post(lane, body, method, timeout_seconds, read_body)
        return status, answer

    async def _post(
        self, lane: Lane, body: bytes, method: str, timeout_seconds: float | None, read_body: bool
    ) -> tuple[int, bytes]:
        try:
            headers = {"Authorization": self._credentials.header(), "Content-Type": "application/json"}
            timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=CONNECT_TIMEOUT_SECONDS)
            session = self._session(lane)
            async with session.post(
                self._url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if not read_body and response.status == 200:
                    response.close()
                    return 200, b""
                return response.status, await _read_bounded(response)
        except (CredentialsError, TimeoutError, aiohttp.ClientError, OSError) as error:
            raise NodeUnreachable(self._why_unreachable(error, method, timeout_seconds)) from None

    def _session(self, lane: Lane) -> aiohttp.ClientSession:
        session = self._sessions.get(lane)
        if session is None:
            session = self._sessions[lane] = aiohttp.ClientSession(
                connector=_connector(lane), cookie_jar=aiohttp.DummyCookieJar()
            )
        return session

    def _unwrap(self, status: int, body: bytes, method: str) -> msgspec.Raw:
        # 404 and 500 carry a JSON error like 200 does (httprpc.cpp, JSONErrorReply); the others carry prose.
        if status == SERVICE_UNAVAILABLE:
            raise NodeBusy(
                f"{self._url} is too busy to answer {method} (HTTP 503): raise the node's rpcworkqueue"
            )
        if status in (UNAUTHORISED, FORBIDDEN):
            raise NodeUnreachable(self._why_refused(status))
        try:
            reply = _reply_decoder.decode(body)
        except UNDECODABLE:
            raise NodeUnreachable(
                f"{self._url} answered {method} with HTTP {status} and no JSON-RPC reply: "
                "check that the url is the node's RPC address"
            ) from None
        if reply.error is not None:
            raise RpcError(reply.error.code, reply.error.message)
        return reply.result

    def _why_refused(self, status: int) -> str:
        if status == FORBIDDEN:
            return f"{self._url} refuses this machine (HTTP 403): add its address to the node's rpcallowip"
        what = "the cookie (is cookie_file of another node?)" if self._uses_cookie else "user and password"
        return f"{self._url} refuses {what} (HTTP 401): compare them with the node's settings"

    def _why_unreachable(self, error: Exception, method: str, timeout_seconds: float | None) -> str:
        match error:
            case CredentialsError():
                return f"cannot ask {self._url}: {error}"
            case aiohttp.InvalidURL():
                return f"{self._url} is not an address: write http://HOST:PORT"
            case aiohttp.ClientConnectorDNSError():
                return f"the host of {self._url} is unknown: check the url and the name service"
            case aiohttp.ConnectionTimeoutError():
                return f"{self._url} does not answer: check the address, the network and any firewall"
            case TimeoutError():
                return (
                    f"{self._url} did not answer {method} within {timeout_seconds:g} s: "
                    "the node is overloaded or hangs"
                )
            case aiohttp.ClientConnectorError():
                return (
                    f"cannot connect to {self._url} ({error.os_error.strerror or error}): "
                    "is the node running, with server=1 and this rpcport?"
                )
            case _:
                return f"{self._url} broke off its answer to {method}: was the node stopped?"


def _connector(lane: Lane) -> aiohttp.TCPConnector:
    """Submissions get a fresh connection each: an idle one may be just closing, and blocks are rare."""
    if lane is Lane.QUESTION:
        return aiohttp.TCPConnector(limit=8, keepalive_timeout=KEEPALIVE_SECONDS)
    return aiohttp.TCPConnector(limit=1 if lane is Lane.LONGPOLL else 0, force_close=True)


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAXIMUM_REPLY_BYTES:
            response.close()
            raise aiohttp.ClientPayloadError("the reply is larger than any that a node gives")
        chunks.append(chunk)
    return b"".join(chunks)
