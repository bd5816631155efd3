"""Every request but the submission: one handler a method, in one table. State lives in the session.

The sets below are closed: a method is here, is a stranger's (−3, and closed at the third), is a server's
method sent by a client (−3 and a penalty, never acted on) or is unknown (−3). A request whose id is null or
absent is answered only where the client is known to wait for it: BFGMiner sends `suggest_target` with a
null id before subscribe and would take an answer for the subscribe reply.
"""

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from stratum import handover, replies, submissions
from stratum.agents import classify, sanitise
from stratum.closing import CloseCause
from stratum.errors import ProtocolViolation, RejectReason
from stratum.events import AddressBook, AuthorizeDenied, Identity, Joined, Worker
from stratum.limits import Limit
from stratum.messages import (
    LONGEST_METHOD,
    NULL_ID,
    DecodeFailure,
    Envelope,
    decode_envelope,
    echoed_id,
    has_array,
    parameters,
    submit_parameters,
)
from stratum.negotiation import negotiate
from stratum.pacing import difficulty_of_target
from stratum.phases import Phase, Step
from stratum.username import parse_password, parse_user

if TYPE_CHECKING:
    from stratum.session import Session

SERVER_AGENT = "engineroom"
LONGEST_USER = 256

TLS_HANDSHAKE = b"\x16"  # the first byte of a ClientHello, whose length may hold no line end
_HTTP = (b"GET ", b"POST ", b"HEAD ", b"OPTIONS ", b"PUT ", b"CONNECT ")
_SESSION_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
_OLD_SUGGESTION = re.compile(r"mining\.suggest_difficulty\(([0-9.]{1,20})\)", re.ASCII)


def handle(session: "Session", line: bytes, now: float) -> None:
    """Take any line that is no well-formed submission.
    Raises ProtocolViolation where it must end the connection."""
    session.has_spoken = True
    try:
        envelope = decode_envelope(line)
    except DecodeFailure as failure:
        _undecodable(session, line, failure, now)
        return
    if envelope.method is None:
        _no_method(session, envelope, now)
        return
    request_id = echoed_id(envelope.id)
    method = envelope.method
    if request_id is None or not isinstance(method, str) or len(method) > LONGEST_METHOD:
        session.refuse(NULL_ID, RejectReason.MALFORMED, now, penalty=True)
        return
    _dispatch(session, request_id, method, envelope, now)


def _undecodable(session: "Session", line: bytes, failure: Exception, now: float) -> None:
    text = line.strip()
    if not text:
        session.spend(Limit.EMPTY_LINES, now)
        return
    if line.startswith(TLS_HANDSHAKE) and not session.is_mining:
        raise ProtocolViolation(CloseCause.TLS)
    if isinstance(failure, RecursionError | UnicodeDecodeError) or text.startswith((b"[", b"\xef\xbb\xbf")):
        raise ProtocolViolation(CloseCause.NOT_STRATUM)
    is_json = "malformed" not in str(failure) and "truncated" not in str(failure)
    if is_json:  # 1, "x", null, true, or an object with a member that nobody can mean
        session.refuse(NULL_ID, RejectReason.MALFORMED, now, penalty=True)
        return
    if text.startswith(_HTTP):
        session.send(replies.BAD_REQUEST_HTTP)
        raise ProtocolViolation(CloseCause.HTTP)
    is_stranger = session.phase is Phase.CONNECTED
    has_second_object = text.startswith(b"{") and "trailing" in str(failure)
    if is_stranger and not has_second_object:
        raise ProtocolViolation(CloseCause.NOT_STRATUM)
    session.refuse(NULL_ID, RejectReason.INVALID_JSON, now)
    session.spend(Limit.INVALID_JSON, now)


def _no_method(session: "Session", envelope: Envelope, now: float) -> None:
    if bytes(envelope.result) or bytes(envelope.error):
        session.spend(Limit.UNSOLICITED_REPLIES, now)  # an answer to a ping of ours, and nothing that we need
    else:
        session.refuse(NULL_ID, RejectReason.MALFORMED, now, penalty=True)


def _dispatch(session: "Session", request_id: bytes, method: str, envelope: Envelope, now: float) -> None:
    handler = _HANDLERS.get(method)
    if handler is None:
        _unknown(session, request_id, method, now)
        return
    if method not in _CHEAP_TO_REPEAT:
        session.spend(Limit.REQUESTS, now)
    if method in _NEEDS_ARRAY and not has_array(envelope):
        session.refuse(request_id, RejectReason.MALFORMED, now, penalty=method == "mining.submit")
        return
    if method == "mining.submit":
        _odd_submit(session, request_id, envelope, now)
        return
    try:
        values = parameters(envelope)
    except msgspec.ValidationError:  # 1e999: JSON, but no number that anybody can mean
        values = []
    except DecodeFailure as failure:
        raise ProtocolViolation(CloseCause.NOT_STRATUM) from failure
    handler(session, request_id, values, now)


def _odd_submit(session: "Session", request_id: bytes, envelope: Envelope, now: float) -> None:
    """A submission that the fast decoder refused:
    twice the same member, or parameters of a wrong type or number."""
    try:
        params = submit_parameters(envelope)
    except DecodeFailure:
        session.refuse(request_id, RejectReason.MALFORMED, now, penalty=True)
        return
    submissions.submit(session, request_id, params, now)


def _unknown(session: "Session", request_id: bytes, method: str, now: float) -> None:
    suggestion = _OLD_SUGGESTION.fullmatch(method)
    if suggestion is not None:
        _suggest(session, request_id, _number(suggestion[1]), now)
        return
    if request_id != NULL_ID:
        session.send(replies.rejected(request_id, RejectReason.UNKNOWN_METHOD))
    if method in _FOREIGN_METHODS or method.startswith("eth_"):
        session.spend(Limit.FOREIGN_METHODS, now)
    else:
        session.spend(Limit.PENALTIES if method in _PRIVILEGED_METHODS else Limit.REQUESTS, now)


# ---------------------------------------------------------------------- subscribe


def _subscribe(session: "Session", request_id: bytes, values: list[Any], now: float) -> None:
    session.spend(Limit.SUBSCRIBES, now)
    if session.identity is None:
        if values and isinstance(values[0], str):
            session.agent = sanitise(values[0])
            session.pace.agent = classify(session.agent)
        identity = _resumed(session, values, now) or session.owner.new_identity()
        if identity is None:
            session.send(replies.rejected(request_id, RejectReason.TRY_LATER))
            raise ProtocolViolation(CloseCause.NO_EXTRANONCE_LEFT)
        session.identity = identity
    identity = session.identity
    size = session.rules.proof_of_work.extranonce2_size
    session.send(replies.subscribed(request_id, identity.session_id, identity.extranonce1, size))
    session.step(Step.SUBSCRIBE)


def _resumed(session: "Session", values: list[Any], now: float) -> Identity | None:
    """The identity of a session of ours that ended lately, with what it knew;
    None where there is none to resume."""
    hint = values[1] if len(values) > 1 else None
    if not isinstance(hint, str) or _SESSION_ID.fullmatch(hint) is None:
        return None
    if session.workers:  # authorised before it subscribed: these names stand, whoever was here before
        return None
    parked = session.owner.resume(hint, session.peer, now)
    if parked is None:
        return None
    handover.resume(session, parked)
    return parked.identity


# ---------------------------------------------------------------------- authorize


def _authorize(session: "Session", request_id: bytes, values: list[Any], now: float) -> None:
    user = values[0] if values else None
    if not isinstance(user, str):
        session.refuse(request_id, RejectReason.MALFORMED, now, penalty=True)
        return
    worker = worker_of(user, session.rules.parse_address)
    if isinstance(worker, Worker) and session.resumed_names:
        _check_resumed(session, worker)
    denied = worker if isinstance(worker, RejectReason) else _not_welcome(session, user, worker)
    if denied is not None or isinstance(worker, RejectReason):
        _deny(session, request_id, denied or RejectReason.BAD_USER, now)
        return
    if user not in session.workers:
        session.workers[user] = worker
        session.forget_aliases()
        session.report(Joined(worker, session.agent))
    _obey_password(session, values[1] if len(values) > 1 else None, worker, now)
    session.send(replies.accepted(request_id))
    session.step(Step.AUTHORISE)


def worker_of(user: str, parse_address: AddressBook) -> Worker | RejectReason:
    """The account and device behind a user name, or why there is none; computation only."""
    if len(user) > LONGEST_USER:
        return RejectReason.BAD_USER
    name = parse_user(user)
    if name is None:
        return RejectReason.BAD_USER
    address = parse_address(name.address)
    if isinstance(address, RejectReason):
        return address
    return Worker(account=address.text, script=address.script, name=name.worker)


def _not_welcome(session: "Session", user: str, worker: Worker) -> RejectReason | None:
    if user in session.workers:
        return None
    if len(session.workers) >= session.rules.names_per_connection:
        return RejectReason.TOO_MANY_NAMES
    first = session.first_worker
    if session.rules.is_solo and first is not None and first.account != worker.account:
        return RejectReason.ONE_ADDRESS
    return None


def _check_resumed(session: "Session", worker: Worker) -> None:
    """A resumed session whose user is another one after all is a new one:
    nothing of the old is left to it."""
    session.resumed_names = False
    if worker not in session.workers.values():
        handover.undo_resume(session)
        return
    for resumed in session.workers.values():
        session.report(Joined(resumed, session.agent))


def _deny(session: "Session", request_id: bytes, reason: RejectReason, now: float) -> None:
    session.send(replies.denied(request_id, reason))
    session.report(AuthorizeDenied(reason))
    session.spend(Limit.DENIED_NAMES, now)
    if not session.workers:
        session.close_soon(now)


def _obey_password(session: "Session", password: object, worker: Worker, now: float) -> None:
    options = parse_password(password)
    if options.minimum_difficulty is not None:
        session.raise_floor(options.minimum_difficulty)
    if options.fixed_difficulty is not None:
        session.pace.fix(options.fixed_difficulty)
        return
    if not session.is_mining:
        recalled = session.owner.recall_difficulty(session.memory_key(worker), now)
        if recalled is not None:
            session.pace.begin_at(recalled)


# ---------------------------------------------------------------------- everything else


def _configure(session: "Session", request_id: bytes, values: list[Any], now: float) -> None:
    proof_of_work = session.rules.proof_of_work
    grantable = session.rules.version_rolling_mask if proof_of_work.version_rolling else 0
    negotiated = negotiate(values, grantable)
    session.send(replies.result(request_id, negotiated.reply))
    if negotiated.requested_mask is not None:
        session.grant_mask(negotiated.requested_mask & grantable)
    if negotiated.minimum_difficulty:
        session.raise_floor(negotiated.minimum_difficulty)
    session.wants_extranonce |= negotiated.wants_extranonce


def _subscribe_extranonce(session: "Session", request_id: bytes, values: list[Any], now: float) -> None:
    session.wants_extranonce = True
    _say_true(session, request_id, values, now)


def _suggest_difficulty(session: "Session", request_id: bytes, values: list[Any], now: float) -> None:
    _suggest(session, request_id, _number(values[0]) if values else None, now)


def _suggest_target(session: "Session", request_id: bytes, values: list[Any], now: float) -> None:
    difficulty_1 = session.rules.proof_of_work.difficulty_1
    _suggest(session, request_id, difficulty_of_target(values[0], difficulty_1) if values else None, now)


def _capabilities(session: "Session", request_id: bytes, values: list[Any], now: float) -> None:
    wish = values[0].get("suggested_target") if values and isinstance(values[0], dict) else None
    _suggest(session, request_id, difficulty_of_target(wish, session.rules.proof_of_work.difficulty_1), now)


def _suggest(session: "Session", request_id: bytes, difficulty: float | None, now: float) -> None:
    """cgminer counts an error to a suggestion as a rejected share,
    so that every suggestion is answered `true`."""
    _say_true(session, request_id, [], now)
    if difficulty is not None and session.pace.suggest(difficulty, now):
        session.want_fresh()


def _number(field: object) -> float | None:
    """A finite number above 0, from a number or (cpuminer-opt) digits in a string; None for anything else."""
    if isinstance(field, str) and not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?", field, re.ASCII):
        return None
    if isinstance(field, bool) or not isinstance(field, int | float | str):
        return None
    try:
        value = float(field)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and value > 0 else None


def _say_true(session: "Session", request_id: bytes, values: list[Any], now: float) -> None:
    if request_id != NULL_ID:
        session.send(replies.accepted(request_id))


def _say_pong(session: "Session", request_id: bytes, values: list[Any], now: float) -> None:
    if request_id != NULL_ID:
        session.send(replies.result(request_id, "pong"))


def _say_version(session: "Session", request_id: bytes, values: list[Any], now: float) -> None:
    if request_id != NULL_ID:
        session.send(replies.result(request_id, SERVER_AGENT))


def _say_nothing(session: "Session", request_id: bytes, values: list[Any], now: float) -> None:
    pass


def _not_supported(session: "Session", request_id: bytes, values: list[Any], now: float) -> None:
    """get_transactions asks for megabytes; BFGMiner then calls the pool opaque, which harms nobody."""
    if request_id != NULL_ID:
        session.send(replies.rejected(request_id, RejectReason.NOT_SUPPORTED))


Handler = Callable[["Session", bytes, list[Any], float], None]

_HANDLERS: dict[str, Handler] = {
    "mining.submit": _say_nothing,  # its odd shapes are dispatched before the table is asked
    "mining.subscribe": _subscribe,
    "mining.authorize": _authorize,
    "mining.configure": _configure,
    "mining.extranonce.subscribe": _subscribe_extranonce,
    "mining.subscribe.extranonce": _subscribe_extranonce,
    "mining.suggest_difficulty": _suggest_difficulty,
    "mining.suggest_target": _suggest_target,
    "mining.capabilities": _capabilities,
    "mining.get_transactions": _not_supported,
    "mining.get_txnhashes": _not_supported,
    "mining.multi_version": _say_true,
    "mining.hashes_done": _say_true,
    "mining.term": _say_true,
    "mining.resume": _say_true,
    "mining.unsubscribe": _say_true,
    "eth_submitHashrate": _say_true,
    "mining.ping": _say_pong,
    "mining.pong": _say_nothing,
    "pong": _say_nothing,  # Bitaxe answers our ping with this request
    "client.get_version": _say_version,
}

_NEEDS_ARRAY = frozenset({"mining.submit", "mining.authorize"})
_CHEAP_TO_REPEAT = frozenset({"mining.submit", "mining.subscribe"})

# Ethereum and CryptoNote families on the wrong port, and BTCAgent.
_FOREIGN_METHODS = frozenset(
    {
        "login",
        "getjob",
        "submit",
        "keepalived",
        "mining.hello",
        "mining.noop",
        "mining.hashrate",
        "mining.bye",
        "agent.get_capabilities",
    }
)

# ckpool's private upgrades, and methods that only a server sends.
_PRIVILEGED_METHODS = frozenset(
    {
        "mining.node",
        "mining.remote",
        "mining.passthrough",
        "mining.notify",
        "mining.set_difficulty",
        "mining.set_extranonce",
        "mining.set_version_mask",
        "mining.set_goal",
        "mining.set_target",
        "client.reconnect",
        "client.show_message",
    }
)
