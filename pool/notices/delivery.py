"""[shell] One request to a target, and what its answer means. Nothing is tried again here.

No text here repeats an address or a header: both hold secrets. Errors of aiohttp name their url, so they are
told by their type and the system's reason alone.
"""

import os
import ssl
from collections.abc import Mapping

import aiohttp
import msgspec

from config.secret import Secret
from pool.notices.formats import Request

TIMEOUT_SECONDS = 20.0
CONNECT_TIMEOUT_SECONDS = 10.0
MOST_ANSWER_BYTES = 4_096  # of what a server says; it is a sentence
LONGEST_SAID = 120  # characters of that in a log line
REQUEST_TIMEOUT, TOO_MANY_REQUESTS = 408, 429


class Delivered(msgspec.Struct, frozen=True):
    """The target has it."""


class Failed(msgspec.Struct, frozen=True):
    """Not now: it is worth trying again, after `asked_seconds` where the server said so."""

    reason: str
    asked_seconds: float | None = None


class Refused(msgspec.Struct, frozen=True):
    """Not this, however often it is tried: somebody has to mend the settings, or the receiver."""

    reason: str


Outcome = Delivered | Failed | Refused


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: float | None = None


class _Answer(msgspec.Struct, frozen=True):
    """What Telegram (`description`, `parameters`) and ntfy (`error`) say in an answer that is no success."""

    description: str | None = None
    error: str | None = None
    parameters: _Parameters = _Parameters()


def new_session() -> aiohttp.ClientSession:
    """For all targets; on the running loop, to be closed by who asked for it."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())


async def deliver(
    session: aiohttp.ClientSession, request: Request, timeout_seconds: float = TIMEOUT_SECONDS
) -> Outcome:
    """Send it once."""
    timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=CONNECT_TIMEOUT_SECONDS)
    try:
        async with session.request(
            request.method,
            request.url,
            data=request.body,
            headers=request.headers,
            timeout=timeout,
            allow_redirects=False,
        ) as response:
            body = await response.content.read(MOST_ANSWER_BYTES)
            return _outcome(response.status, response.headers, body, request.secret)
    except (TimeoutError, aiohttp.ClientError, OSError, UnicodeError) as error:
        return _broken(error, timeout_seconds)


def _outcome(status: int, headers: Mapping[str, str], body: bytes, secret: Secret | None) -> Outcome:
    if 200 <= status < 300:
        return Delivered()
    answer = _answer(body)
    reason = f"it answers HTTP {status}{_said(answer, secret)}"
    if status in (REQUEST_TIMEOUT, TOO_MANY_REQUESTS) or status >= 500:
        return Failed(reason, _asked_seconds(headers.get("Retry-After"), answer))
    if 300 <= status < 400:
        return Refused(f"{reason}: a redirect; put the address that it leads to into the settings")
    return Refused(reason)


def _answer(body: bytes) -> _Answer:
    try:
        return msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the last of a thousand nested `[`
        return _Answer()


def _said(answer: _Answer, secret: Secret | None) -> str:
    said = answer.description or answer.error or ""
    if not said or (secret is not None and secret.reveal() in said):
        return ""
    shown = "".join(letter if letter.isprintable() else " " for letter in said[:LONGEST_SAID])
    return f" ({shown})"


def _asked_seconds(header: str | None, answer: _Answer) -> float | None:
    """Seconds alone; a date (RFC 9110 allows one) is left to the ordinary pauses."""
    if header is not None and header.isascii() and header.isdigit():
        return float(header[:9])
    return answer.parameters.retry_after


def _broken(error: Exception, timeout_seconds: float) -> Outcome:
    match error:
        case aiohttp.InvalidURL() | UnicodeError():  # the latter for a host's label that is empty or too long
            return Refused("its url is no address: write https://HOST/PATH")
        case aiohttp.ClientConnectorDNSError():
            return Failed("its host is unknown: check the url and the name service")
        case aiohttp.ConnectionTimeoutError():
            return Failed("it does not answer: check the address, the network and any firewall")
        case TimeoutError():
            return Failed(f"it did not answer within {timeout_seconds:g} s")
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return Failed("its certificate is not trusted")
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return Failed("it does not speak TLS")
        case aiohttp.ClientConnectorError():
            # by its number: asyncio puts the address into the text
            return Failed(f"cannot connect to it ({_reason(error.os_error)})")
        case _:
            return Failed("it broke off its answer")


def _reason(error: OSError) -> str:
    """The system's words; several addresses that failed in several ways have no number together."""
    return os.strerror(error.errno) if error.errno else "none of its addresses answers"
