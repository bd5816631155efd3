"""Everything the server says, as bytes: replies, errors and notifications; it decides nothing.

One JSON object a line, LF, ASCII only, all three members on a reply, `"id":null` on a notification: the
forms that every firmware read so far accepts. cgminer dereferences `reject-reason` unchecked and strict
clients dislike `jsonrpc`, so neither is ever sent.
"""

import json

from stratum.errors import RejectReason

_ID_HEAD = b'{"id":'
_ACCEPTED_TAIL = b',"result":true,"error":null}\n'
_REJECTED_TAIL = {
    reason: f',"result":null,"error":[{reason.code},"{reason.text}",null]}}\n'.encode("ascii")
    for reason in RejectReason
}
_DENIED_TAIL = {
    reason: f',"result":false,"error":[{reason.code},"{reason.text}",null]}}\n'.encode("ascii")
    for reason in RejectReason
}

BAD_REQUEST_HTTP = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def accepted(request_id: bytes) -> bytes:
    """`true` for the request with this id (JSON bytes)."""
    return b'{"id":' + request_id + _ACCEPTED_TAIL


def rejected(request_id: bytes, reason: RejectReason) -> bytes:
    """An error; `result` is null, which every client reads as a rejection."""
    return b'{"id":' + request_id + _REJECTED_TAIL[reason]


def revoked(accepted_line: bytes, reason: RejectReason) -> bytes:
    """The error that takes the place of an `accepted` line which was never sent."""
    return rejected(accepted_line[len(_ID_HEAD) : -len(_ACCEPTED_TAIL)], reason)


def denied(request_id: bytes, reason: RejectReason) -> bytes:
    """A refused authorize: `false` with an error, as all clients parse it."""
    return b'{"id":' + request_id + _DENIED_TAIL[reason]


def result(request_id: bytes, value: object) -> bytes:
    """A reply that carries a value."""
    return b'{"id":' + request_id + b',"result":' + _ascii_json(value) + b',"error":null}\n'


def subscribed(request_id: bytes, session_id: str, extranonce1: bytes, extranonce2_size: int) -> bytes:
    """The subscribe reply; cgminer scans its first element for `mining.notify`,
    NerdMiner reads `result[0][0][1]`."""
    pairs = [["mining.set_difficulty", session_id], ["mining.notify", session_id]]
    return result(request_id, [pairs, extranonce1.hex(), extranonce2_size])


def notification(method: str, params: list[object]) -> bytes:
    """A message of ours that expects no answer."""
    return b'{"id":null,"method":"' + method.encode("ascii") + b'","params":' + _ascii_json(params) + b"}\n"


def request(request_id: int, method: str, params: list[object]) -> bytes:
    """A message of ours that the client answers."""
    return b'{"id":%d,"method":"%s","params":%s}\n' % (
        request_id,
        method.encode("ascii"),
        _ascii_json(params),
    )


def set_difficulty(wire: bytes) -> bytes:
    """`wire` is the JSON number, as `ShareDifficulty.wire` holds it."""
    return b'{"id":null,"method":"mining.set_difficulty","params":[' + wire + b"]}\n"


def set_version_mask(mask: int) -> bytes:
    """BIP 310's push of a changed mask."""
    return b'{"id":null,"method":"mining.set_version_mask","params":["%08x"]}\n' % mask


def set_extranonce(extranonce1: bytes, extranonce2_size: int) -> bytes:
    """Valid from the next job on; only for a session that subscribed to it."""
    return b'{"id":null,"method":"mining.set_extranonce","params":["%s",%d]}\n' % (
        extranonce1.hex().encode("ascii"),
        extranonce2_size,
    )


def _ascii_json(value: object) -> bytes:
    # Off the hot path. msgspec writes UTF-8; firmware wants ASCII (cgminer ends a job id at one over 0x7e).
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode("ascii")
