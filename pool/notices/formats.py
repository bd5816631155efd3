"""Notices as HTTP requests, for each kind of target: method, address, headers and body. It sends nothing.

A webhook's body is signed: X-Engineroom-Signature holds `sha256=` and the hex HMAC-SHA256, by the target's
key, of the timestamp, a full stop and the body; X-Engineroom-Timestamp holds that timestamp (Unix seconds),
so that a receiver can refuse what is old. docs/notifications.md tells receivers how to check it.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import msgspec

from config.secret import Secret
from pool.notices.notice import Notice, NoticeKind
from pool.notices.targets import Target
from pool.notices.texts import moment, shortened, text, title, together

VERSION = 1  # of the webhook's JSON; it goes up when a field that was there changes or goes
SIGNATURE_HEADER = "X-Engineroom-Signature"
TIMESTAMP_HEADER = "X-Engineroom-Timestamp"
ADDRESSES = ("account", "address")  # the fields of notices that hold one
ENCODED_WORD_BYTES = 45  # RFC 2047: at most 75 characters, of which base64 has 60 here

# ntfy's priorities (3 is its default, 4 rings longer), and tags, which it shows as emoji where it knows one.
NTFY: dict[NoticeKind, tuple[int, str]] = {
    NoticeKind.BLOCK_FOUND: (4, "tada"),
    NoticeKind.BLOCK_ORPHANED: (4, "broken_heart"),
    NoticeKind.INCIDENT: (4, "warning"),
    NoticeKind.INCIDENT_OVER: (3, "white_check_mark"),
    NoticeKind.PAYMENT_SENT: (3, "moneybag"),
    NoticeKind.PAYEE_CHANGE: (4, "key"),
    NoticeKind.NODE_DOWN: (5, "rotating_light"),
    NoticeKind.NODE_BACK: (3, "white_check_mark"),
    NoticeKind.TEST: (3, "wave"),
}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request. It holds secrets, and shows none of them."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    secret: Secret | None  # what must not come back in an error's text

    def __repr__(self) -> str:
        return f"Request({self.method}, {len(self.body)} bytes)"


def request_of(target: Target, notices: Sequence[Notice], network: str, now_seconds: int) -> Request:
    """One notice, or several in one where the target's kind merges them. `network`: `bitcoin mainnet`.

    `now_seconds` (Unix) is what a signature is made for.
    """
    if target.kind == "webhook":
        (notice,) = notices
        return _webhook(target, notice, network, now_seconds)
    first = max(notices, key=lambda notice: notice.rank)
    head, lines = (title(first), text(first, network)) if len(notices) == 1 else together(notices, network)
    return _ntfy(target, first.kind, head, lines) if target.kind == "ntfy" else _telegram(target, head, lines)


# ---------------------------------------------------------------------- webhook


def _webhook(target: Target, notice: Notice, network: str, now_seconds: int) -> Request:
    body = msgspec.json.encode(
        {
            "version": VERSION,
            "id": notice.id,
            "kind": str(notice.kind),
            "at": moment(notice.at_us),
            "network": network,
            "title": title(notice),
            "text": text(notice, network),
            "fields": _fields(notice, target.full_addresses),
        }
    )
    key = b"" if target.secret is None else target.secret.reveal().encode()
    headers = {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: str(now_seconds),
        SIGNATURE_HEADER: f"sha256={signature(key, now_seconds, body)}",
    }
    return Request(method="POST", url=target.url, headers=headers, body=body, secret=target.secret)


def signature(key: bytes, timestamp: int, body: bytes) -> str:
    """Hex HMAC-SHA256 of `<timestamp>.<body>`."""
    return hmac.new(key, b"%d.%s" % (timestamp, body), hashlib.sha256).hexdigest()


def _fields(notice: Notice, full_addresses: bool) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(notice)
    del fields["kind"]
    if not full_addresses:
        for name in ADDRESSES:
            if fields.get(name) is not None:
                fields[name] = shortened(fields[name])
    return fields


# ---------------------------------------------------------------------- ntfy and Telegram


def _ntfy(target: Target, kind: NoticeKind, head: str, lines: str) -> Request:
    """https://docs.ntfy.sh/publish/: the body is the message, the rest are headers."""
    priority, tag = NTFY[kind]
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Title": encoded(head),
        "Priority": str(priority),
        "Tags": tag,
    }
    if target.secret is not None:
        headers["Authorization"] = f"Bearer {target.secret.reveal()}"
    return Request(method="POST", url=target.url, headers=headers, body=lines.encode(), secret=target.secret)


def encoded(header: str) -> str:
    """A header's text as it is where it is ASCII, else as words of RFC 2047, whole characters in each."""
    if header.isascii():
        return header
    words: list[bytes] = [b""]
    for letter in header:
        if len(words[-1]) + len(letter.encode()) > ENCODED_WORD_BYTES:
            words.append(b"")
        words[-1] += letter.encode()
    return " ".join(f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in words)


def _telegram(target: Target, head: str, lines: str) -> Request:
    """https://core.telegram.org/bots/api#sendmessage: without a parse mode, text is taken as it is."""
    message = {
        "chat_id": target.chat_id,
        "text": f"{head}\n{lines}",
        "link_preview_options": {"is_disabled": True},
    }
    token = "" if target.secret is None else target.secret.reveal()
    return Request(
        method="POST",
        url=f"{target.url}/bot{token}/sendMessage",
        headers={"Content-Type": "application/json"},
        body=msgspec.json.encode(message),
        secret=target.secret,
    )
