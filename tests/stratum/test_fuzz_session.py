"""Whatever bytes come: never an exception, whole input is answered as single bytes are, memory is bounded."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from stratum.framing import MINER_LINE_BYTES
from stratum.phases import Phase
from stratum.session import Session
from tests.builders import USER, FakeOwner, make_job, make_rules

METHODS = [
    "mining.subscribe",
    "mining.authorize",
    "mining.submit",
    "mining.configure",
    "mining.suggest_difficulty",
    "mining.suggest_target",
    "mining.capabilities",
    "mining.extranonce.subscribe",
    "mining.multi_version",
    "mining.get_transactions",
    "mining.ping",
    "client.get_version",
    "eth_submitLogin",
    "mining.notify",
]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
hex_fields = st.text("0123456789abcdefABCDEF xX_+", max_size=20)
submissions = st.tuples(
    st.sampled_from([USER, "x", ""]) | values,
    st.sampled_from(["1", "2", "nope", ""]) | values,
    st.just("00" * 8) | hex_fields | values,
    st.just("662300a0") | hex_fields | values,
    hex_fields | values,
    hex_fields | values,
).map(list)
requests = st.fixed_dictionaries(
    {
        "id": values,
        "method": st.sampled_from(METHODS) | values,
        "params": submissions | st.lists(values, max_size=6) | values,
    }
).map(lambda request: json.dumps(request).encode())
mutations = st.tuples(requests, st.integers(0, 400), st.binary(max_size=3)).map(
    lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + len(parts[2]) :]
)
lines = requests | mutations | st.binary(max_size=60)
streams = st.lists(lines, max_size=12).map(lambda parts: b"\n".join(parts) + b"\n")

GREETING = (
    b'{"id":1,"method":"mining.subscribe","params":["cpuminer/2"]}\n'
    + json.dumps({"id": 2, "method": "mining.authorize", "params": [USER, "x"]}).encode()
    + b"\n"
)


def conversation(stream: bytes, pieces: list[bytes], greeting: bytes) -> tuple[bytes, str | None, list[Any]]:
    """Everything that a session says and reports to a stream that comes in these pieces."""
    assert b"".join(pieces) == stream
    owner = FakeOwner()
    session = Session(make_rules(difficulty=1e-10), owner, "192.0.2.1", 0.0)
    session.receive_data(greeting, 0.0)
    if session.is_mining:
        job = make_job(job_id="1")
        owner.book.install(job, None, 0.0)
        session.announce(job, 0.0)
    said = session.data_to_send()
    for piece in pieces:
        session.receive_data(piece, 1.0)
        said += session.data_to_send()
        assert len(session.unread()) <= MINER_LINE_BYTES + 1 or session.phase is Phase.CLOSED
    session.tick(2.0)
    events = [(type(event).__name__, getattr(event, "reason", None)) for event in session.events_received()]
    return said, session.closed_for, events


@example(b"\x16\n", b"")  # the first byte of a ClientHello, as a line of its own
@settings(max_examples=300)
@given(streams, st.sampled_from([b"", GREETING]))
def test_whole_input_and_byte_by_byte_get_the_same_replies(stream: bytes, greeting: bytes) -> None:
    whole = conversation(stream, [stream], greeting)
    single = conversation(stream, [stream[i : i + 1] for i in range(len(stream))], greeting)
    assert whole == single
    for line in whole[0].split(b"\r\n\r\n")[-1].splitlines():
        if not line.startswith(b"HTTP"):
            json.loads(line)


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=300), max_size=20), st.sampled_from([b"", GREETING]))
def test_random_bytes_never_raise(chunks: list[bytes], greeting: bytes) -> None:
    conversation(b"".join(chunks), chunks, greeting)


def size_of(session: Session) -> int:
    """What grows with input: unread bytes, queued bytes, names, offers, budgets."""
    return (
        len(session.unread())
        + sum(len(part) for part in session.out)
        + sum(len(user) for user in session._aliases or ())
        + len(session.workers) * 400
        + len(session.offers) * 200
    )


@settings(max_examples=50)
@given(st.lists(streams, min_size=1, max_size=20))
def test_memory_stays_bounded_however_long_it_goes_on(chunks: list[bytes]) -> None:
    session = Session(make_rules(difficulty=1e-10, names_per_connection=64), FakeOwner(), "192.0.2.1", 0.0)
    session.receive_data(GREETING, 0.0)
    for second, chunk in enumerate(chunks * 10):
        session.receive_data(chunk, float(second))
        session.data_to_send()
        session.events_received()
        assert size_of(session) <= MINER_LINE_BYTES + 64 * 400 + 64 * 200
