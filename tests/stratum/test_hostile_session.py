"""Hostile and malformed input at session level: row by row of the protocol's table, `now` as an argument.

The rows are numbered as in `docs/protocol.md`, which has the same table for readers. Which row is tested
where:

    here               1–4 9–23 25–54 58–62 65–68 (31–34, 37, 39, 43, 44 and 48–50 in more depth in
                       test_session.py, test_username.py and test_negotiation.py)
    at real sockets    1 3 5 6 7 9 12 13 55 56 57 63, and one of each class again (test_hostile_sockets.py)
    waits for TLS      the accepting side of 6; a ClientHello on a plain port is closed here
    waits for PROXY    8, and the trusted side of 7; a PROXY header is closed as from any stranger
    waits for bans     the temporary ban of 28, 30 and of the legend: penalties close connections for now
"""

import json
from typing import Any

import pytest

from stratum.extranonce import ExtranonceCounter
from stratum.messages import LONGEST_ID_BYTES
from tests.builders import ADDRESS, USER, FakeOwner, Peer, error_code, make_job, make_template

EASY = 1e-10  # every hash meets it: the target is 2^256 - 1, the work 1


def subscribed() -> Peer:
    peer = Peer(difficulty=EASY)
    peer.call("mining.subscribe", "cgminer/4.11.1")
    return peer


def mining(**rules: Any) -> Peer:
    peer = Peer(**{"difficulty": EASY, **rules})
    peer.handshake(password="d=0.0000000001")
    return peer


def line(text: str | bytes) -> bytes:
    return (text.encode() if isinstance(text, str) else text) + b"\n"


# ---------------------------------------------------------------------- silence and slowness


def test_row_1_a_silent_connection_is_dropped_after_fifteen_seconds() -> None:
    peer = Peer()
    peer.session.tick(14.9)
    assert not peer.is_closed
    peer.session.tick(15)
    assert peer.session.closed_for == "first_line_timeout"


def test_row_2_a_line_that_takes_ten_seconds_is_dropped() -> None:
    peer = mining()
    peer.session.receive_data(b"{", 20)
    for second in (24, 28):
        peer.session.receive_data(b'"', second)  # a byte now and then buys no time
    peer.session.tick(29.9)
    assert not peer.is_closed
    peer.session.tick(30)
    assert peer.session.closed_for == "line_timeout"


def test_row_2_a_slow_first_line_is_dropped_by_the_first_of_both_deadlines() -> None:
    peer = Peer()
    peer.session.receive_data(b"{", 1)
    peer.session.tick(11)
    assert peer.session.closed_for == "line_timeout"


def test_row_64_half_a_handshake_is_dropped_after_thirty_seconds() -> None:
    peer = subscribed()
    peer.session.tick(29.9)
    assert not peer.is_closed
    peer.session.tick(30)
    assert peer.session.closed_for == "handshake_timeout"


def test_a_miner_may_be_silent_for_hours_once_it_is_authorised() -> None:
    peer = mining()
    peer.announce(make_job())
    for second in range(0, 7200, 10):
        peer.session.tick(second)
        peer.session.data_to_send()
    assert not peer.is_closed


# ---------------------------------------------------------------------- length and framing


@pytest.mark.parametrize("finished", [b"", b"\n"])
def test_row_3_more_than_four_kilobytes_before_the_handshake_are_dropped(finished: bytes) -> None:
    peer = Peer()
    peer.session.receive_data(b"x" * 4097 + finished, 0)
    assert peer.session.closed_for == "line_too_long"


def test_row_3_a_miner_may_send_eight_kilobytes() -> None:
    peer = mining()
    pad = "x" * 7000
    assert peer.call("mining.ping", pad)["result"] == "pong"
    peer.session.receive_data(b"x" * 8193, 0)
    assert peer.session.closed_for == "line_too_long"


def test_row_4_empty_lines_are_ignored_until_there_are_two_hundred_in_a_minute() -> None:
    peer = Peer()
    assert peer.send_bytes(b"\n" * 100 + b"\r\n" * 99) == []
    assert not peer.is_closed
    peer.send_bytes(b"  \n")
    assert peer.session.closed_for == "empty_lines"


def test_row_4_a_blank_line_now_and_then_is_nothing() -> None:
    peer = Peer()
    for minute in range(10):
        peer.now = minute * 61.0
        peer.send_bytes(b"\n" * 150)
    assert not peer.is_closed


def test_row_63_a_carriage_return_ends_no_line() -> None:
    peer = Peer()
    request = b'{"id":1,"method":"mining.subscribe","params":[]}'
    assert peer.send_bytes((request + b"\r") * 60) == []
    assert peer.send_bytes((request + b"\r") * 60) == []
    assert peer.session.closed_for == "line_too_long"


def test_row_63_windows_line_ends_are_fine() -> None:
    peer = Peer()
    [answer] = peer.send_bytes(b'{"id":1,"method":"mining.subscribe","params":[]}\r\n')
    assert answer["error"] is None


# ---------------------------------------------------------------------- not Stratum at all


def test_row_5_a_browser_is_told_that_this_is_no_web_server() -> None:
    peer = Peer()
    peer.session.receive_data(b"GET / HTTP/1.1\r\nHost: pool\r\n\r\n", 0)
    assert peer.session.data_to_send().startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert peer.session.closed_for == "http"


@pytest.mark.parametrize(
    "opening",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # row 6: a TLS ClientHello, without a line end
        b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 3333\r\n",  # row 7
        b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c",  # row 7, version 2
        b"SSH-2.0-OpenSSH_9.2\r\n",  # row 9
        b"*1\r\n$4\r\nPING\r\n",  # row 9: Redis
        b"\x00\x00\x00\x54\xffSMBr\n",  # row 9
        b"\xef\xbb\xbf" + b'{"id":1,"method":"mining.subscribe","params":[]}\n',  # row 23: a byte order mark
        b'{"id":1,"method":"mining.subscribe","params":["\xff\xfe"]}\n',  # row 23: no UTF-8
        b'{"id":1,"method":"mining.subscribe","params":["\\ud800"]}\n',  # row 23: half a surrogate pair
        b"[" * 4000 + b"\n",  # row 13
        b'{"id":1,"method":"x","params":' + b"[" * 4000 + b"\n",  # row 13
    ],
)
def test_rows_6_to_9_13_and_23_strangers_are_dropped_without_an_answer(opening: bytes) -> None:
    peer = Peer()
    peer.session.receive_data(opening, 0)
    assert peer.is_closed
    assert peer.session.data_to_send() == b""


def test_row_12_a_batch_is_dropped() -> None:
    peer = mining()
    requests = [{"id": n, "method": "mining.ping", "params": []} for n in range(100)]
    assert peer.send_bytes(line(json.dumps(requests))) == []
    assert peer.is_closed


def test_row_10_invalid_json_of_a_miner_is_answered_once() -> None:
    peer = mining()
    [answer] = peer.send_bytes(b'{"id":1,"method":\n')
    assert answer == {"id": None, "result": None, "error": [20, "Invalid JSON", None]}
    assert not peer.is_closed
    peer.send_bytes(b"}\n")
    assert peer.session.closed_for == "invalid_json"


def test_row_65_two_objects_on_a_line_are_answered_once() -> None:
    two = b'{"id":1,"method":"mining.subscribe","params":[]} {"id":2,"method":"mining.ping","params":[]}\n'
    peer = Peer()
    [answer] = peer.send_bytes(two)
    assert error_code(answer) == 20
    assert not peer.is_closed
    peer.send_bytes(two)
    assert peer.is_closed


# ---------------------------------------------------------------------- JSON, but no request


@pytest.mark.parametrize("text", ["1", '"x"', "null", "true", "-0.5"])
def test_row_11_json_that_is_no_object_is_an_error_with_a_penalty(text: str) -> None:
    peer = mining()
    for _ in range(9):
        [answer] = peer.send_bytes(line(text))
        assert answer == {"id": None, "result": None, "error": [20, "Malformed request", None]}
    peer.send_bytes(line(text))
    assert peer.session.closed_for == "too_many_errors"


@pytest.mark.parametrize(
    ("first", "last", "answered"),
    [("mining.ping", "mining.subscribe", 1), ("mining.submit", "mining.ping", 1)],
)
def test_row_14_of_a_member_that_stands_twice_the_last_one_counts(
    first: str, last: str, answered: int
) -> None:
    peer = mining()
    answers = peer.send_bytes(line(f'{{"id":1,"method":"{first}","id":2,"method":"{last}","params":[]}}'))
    assert [answer["id"] for answer in answers] == [2] * answered
    assert answers[0]["error"] is None


def test_row_15_replies_to_nothing_are_ignored_up_to_fifty_a_minute() -> None:
    peer = mining()
    reply = {"id": 99, "result": True, "error": None}
    assert peer.send(*[reply] * 49) == []
    assert not peer.is_closed
    peer.send(reply)
    assert peer.session.closed_for == "unsolicited_replies"


@pytest.mark.parametrize("method", [7, True, ["mining.ping"], {"a": 1}, "m" * 1024])
def test_row_16_a_method_that_is_no_name_is_an_error_with_a_penalty(method: object) -> None:
    peer = mining()
    [answer] = peer.send({"id": 1, "method": method, "params": []})
    assert error_code(answer) == 20


@pytest.mark.parametrize(
    "method", ["Mining.Subscribe", "mining.subscribe ", " mining.ping", "mining.ping\u0000", ""]
)
def test_row_17_a_method_is_matched_exactly(method: str) -> None:
    assert mining().call(method)["error"] == [-3, "Method not found", None]


@pytest.mark.parametrize("params", [None, {}, "x", 5])
def test_row_18_parameters_may_be_missing_where_none_are_needed(params: object) -> None:
    for method in ("mining.subscribe", "mining.extranonce.subscribe", "mining.ping", "mining.configure"):
        [answer] = mining().send({"id": 1, "method": method, "params": params})
        assert answer["error"] is None
    for method in ("mining.authorize", "mining.submit"):
        [answer] = mining().send({"id": 1, "method": method, "params": params})
        assert error_code(answer) == 20


def test_row_18_no_params_member_at_all() -> None:
    [answer] = Peer().send({"id": 1, "method": "mining.subscribe"})
    assert answer["error"] is None


def test_row_19_thousands_of_parameters_are_bounded_by_the_line() -> None:
    peer = mining()
    assert error_code(peer.call("mining.submit", *[0] * 2000)) == 20
    peer = mining()
    peer.send({"id": 1, "method": "mining.submit", "params": [0] * 100_000})
    assert peer.session.closed_for == "line_too_long"


@pytest.mark.parametrize("request_id", ["x" * LONGEST_ID_BYTES, {"a": 1}, [1, 2], True, False, "é", 10**70])
def test_row_20_an_id_that_is_no_id_is_not_echoed(request_id: object) -> None:
    peer = mining()
    data = json.dumps({"id": request_id, "method": "mining.ping", "params": []}, ensure_ascii=False).encode()
    [answer] = peer.send_bytes(data + b"\n")
    assert answer == {"id": None, "result": None, "error": [20, "Malformed request", None]}


@pytest.mark.parametrize("request_id", [1.5, -7, 2**80, 'a"b\\n', "\n\t"])
def test_rows_21_and_22_odd_ids_are_echoed_as_json(request_id: object) -> None:
    assert mining().call("mining.ping", request_id=request_id)["id"] == request_id


# ---------------------------------------------------------------------- subscribe and authorize


@pytest.mark.parametrize("text", ["\u0000", "\u202eevil", "\u001b[31mred", "a\nb"])
def test_row_24_control_and_override_characters_do_not_get_past_the_door(text: str) -> None:
    peer = Peer()
    assert peer.call("mining.subscribe", text + "agent")["error"] is None
    assert peer.session.agent.isprintable()
    assert peer.session.agent.isascii()
    assert error_code(peer.call("mining.authorize", f"{ADDRESS}.{text}")) == 24


def test_row_25_a_user_agent_is_cut_and_kept_plain() -> None:
    peer = Peer()
    peer.call("mining.subscribe", "<script>alert(1)</script>" + "x" * 3000)
    assert len(peer.session.agent) == 128


def test_row_26_subscribing_all_the_time_is_dropped() -> None:
    peer = subscribed()
    for _ in range(4):
        assert peer.call("mining.subscribe")["error"] is None
    peer.send({"id": 1, "method": "mining.subscribe", "params": []})
    assert peer.session.closed_for == "too_many_subscribes"


def test_row_26_a_probe_every_minute_is_welcome() -> None:
    peer = mining()
    for minute in range(1, 60):
        peer.now = minute * 60.0
        assert peer.call("mining.subscribe")["error"] is None


def test_row_27_only_a_dead_session_of_the_same_peer_can_be_resumed() -> None:
    owner = FakeOwner()
    first = Peer(owner, difficulty=EASY)
    first.handshake()
    first.announce(make_job())
    session_id = first.session.identity.session_id if first.session.identity else ""
    thief = Peer(owner)
    reply = thief.call("mining.subscribe", "x", session_id)  # still alive: not in the park
    assert reply["result"][1] == "f0010204"
    owner.parked[session_id] = (first.session.export(), "198.51.100.9")  # closed, but from another address
    assert Peer(owner).call("mining.subscribe", "x", session_id)["result"][1] == "f0010205"
    owner.parked[session_id] = (first.session.export(), "192.0.2.1")
    assert Peer(owner).call("mining.subscribe", "x", session_id)["result"][1] == "f0010203"


def test_row_28_no_extranonce_is_ever_given_out_twice() -> None:
    owner = FakeOwner()
    counter = ExtranonceCounter(0, 0)
    counter._held = set(range(1 << 24))
    owner.identities = iter(())
    peer = Peer(owner)
    [answer] = peer.send({"id": 1, "method": "mining.subscribe", "params": []})
    assert answer["error"] == [20, "Try later", None]
    assert peer.is_closed
    assert counter.take() is None


def test_row_29_names_are_bounded() -> None:
    peer = Peer(names_per_connection=64)
    peer.handshake()
    for n in range(63):
        assert peer.call("mining.authorize", f"{ADDRESS}.{n}", "x")["result"] is True
    assert peer.call("mining.authorize", f"{ADDRESS}.one-more", "x")["error"][1] == "Too many workers"
    assert peer.call("mining.authorize", USER, "x")["result"] is True  # a known one is no new one


def test_row_30_guessing_names_ends_at_the_tenth() -> None:
    peer = mining()
    for n in range(9):
        assert error_code(peer.call("mining.authorize", f"guess{n}", "x")) == 24
    peer.send({"id": 1, "method": "mining.authorize", "params": ["guess", "x"]})
    assert peer.session.closed_for == "too_many_denied_names"


@pytest.mark.parametrize("password", ["d=1e309", "d=-1", "d=nan", "d=0", "d=1_000", "d=" + "9" * 2000])
def test_row_33_a_password_cannot_ask_for_nonsense(password: str) -> None:
    peer = Peer(difficulty=1024)
    peer.handshake(password=password)
    assert peer.announce(make_job())[0]["params"] == [1024]


# ---------------------------------------------------------------------- wishes


def test_row_35_flip_flopping_suggestions_are_obeyed_once_in_ten_seconds() -> None:
    peer = Peer(difficulty=1024)
    peer.handshake()
    peer.announce(make_job(job_id="0"))
    jobs = 0
    for n in range(1000):
        peer.now = n * 0.01
        assert peer.call("mining.suggest_difficulty", 64 if n % 2 else 4096)["result"] is True
        if peer.session.want.value:
            jobs += 1
            peer.announce(make_job(job_id=f"{n}x"), forced=True)
    assert jobs == 1


def test_row_36_a_low_suggestion_is_clamped_and_a_flood_raised() -> None:
    import msgspec

    from tests.builders import make_rules

    pace = msgspec.structs.replace(make_rules(difficulty=1024).pace, minimum=512)
    peer = Peer(difficulty=1024, pace=pace)
    peer.handshake()
    peer.call("mining.suggest_difficulty", 0.001)
    assert peer.announce(make_job())[0]["params"] == [512]


def test_row_36_a_fixed_difficulty_gives_way_to_a_flood_above_the_limit() -> None:
    import msgspec

    from tests.builders import make_rules

    pace = msgspec.structs.replace(make_rules(difficulty=EASY).pace, shares_per_second=20)
    peer = Peer(difficulty=EASY, pace=pace)
    peer.handshake(password="d=0.0000000001")
    job = make_job()
    peer.announce(job)
    for nonce in range(400):
        peer.now += 0.001
        peer.submit(job, nonce=nonce)
        if peer.session.want.value:
            break
    raised = peer.announce(make_job(job_id="2"), forced=True)[0]
    assert raised["method"] == "mining.set_difficulty"
    assert raised["params"][0] > EASY


def test_row_38_a_thousand_extensions_get_a_short_answer() -> None:
    peer = Peer()
    reply = peer.call("mining.configure", [f"e{n}" for n in range(300)], {"a": {"b": {"c": []}}})
    assert len(reply["result"]) == 16


def test_row_37_configure_without_its_second_parameter() -> None:
    assert Peer().call("mining.configure", ["version-rolling"])["result"]["version-rolling"] is True


# ---------------------------------------------------------------------- submissions


def test_row_40_submitting_before_the_handshake_is_answered_twice_and_then_dropped() -> None:
    peer = Peer()
    assert [error_code(peer.submit("1")) for _ in range(2)] == [25, 25]
    peer.send({"id": 1, "method": "mining.submit", "params": [USER, "1", "00" * 8, "00000000", "00000000"]})
    assert peer.session.closed_for == "submit_before_handshake"
    peer = subscribed()
    assert error_code(peer.submit("1")) == 24


def test_row_41_four_parameters_are_too_few_and_seven_are_enough() -> None:
    peer = mining()
    job = make_job()
    peer.announce(job)
    assert error_code(peer.call("mining.submit", USER, job.id, "00" * 8, f"{job.ntime:08x}")) == 20
    answers = {
        error_code(
            peer.call(
                "mining.submit", USER, job.id, "00" * 8, f"{job.ntime:08x}", f"{n:08x}", None, "extra", 1
            )
        )
        for n in range(20)
    }
    assert answers <= {None, 23}


@pytest.mark.parametrize(
    "params",
    [
        [1, "1", "00" * 8, "00000000", "00000000"],
        [USER, 1, "00" * 8, "00000000", "00000000"],
        [USER, "1", 0, "00000000", "00000000"],
        [USER, "1", "00" * 8, None, "00000000"],
        [USER, "1", "00" * 8, [], "00000000"],
        [USER, "1", "00" * 8, "00000000", {}],
        [USER, "1", "00" * 8, "00000000", 1.5],
        [USER, "1", "00" * 8, "00000000", True],
        [USER, "1", "00" * 8, "00000000", 10**30],
    ],
)
def test_row_42_parameters_of_the_wrong_type_cost_a_penalty(params: list[Any]) -> None:
    peer = mining()
    for _ in range(9):
        assert error_code(peer.call("mining.submit", *params)) in {20, 21}
    peer.send({"id": 1, "method": "mining.submit", "params": params})
    assert peer.is_closed is (
        params[4] != 10**30
    )  # a number beyond 2^64 is a number: the job is asked for first


@pytest.mark.parametrize("job_id", ["", "nope", "x" * 64, "00\u0000", "é"])
def test_row_46_an_unknown_job_is_21_and_never_a_penalty(job_id: str) -> None:
    peer = mining()
    for _ in range(50):
        assert error_code(peer.submit(job_id)) == 21
    assert not peer.is_closed


def test_row_46_a_job_id_of_kilobytes_is_malformed() -> None:
    assert error_code(mining().submit("x" * 65)) == 20


def test_rows_43_and_49_fields_that_no_firmware_gets_wrong_cost_a_penalty() -> None:
    peer = mining()
    job = make_job()
    peer.announce(job)
    for n in range(9):
        assert (
            error_code(peer.submit(job, extranonce2="zz" * 8) if n % 2 else peer.submit(job, "0" * 9)) == 20
        )
    peer.send({"id": 1, "method": "mining.submit", "params": [USER, job.id, "0", "00000000", "00000000"]})
    assert peer.session.closed_for == "too_many_errors"


def test_row_45_a_share_replayed_on_a_resumed_connection_is_a_duplicate() -> None:
    owner = FakeOwner()
    first = Peer(owner, difficulty=EASY)
    first.handshake(password="d=0.0000000001")
    job = make_job()
    first.announce(job)
    nonce = next(n for n in range(100) if first.submit(job, n)["result"] is True)
    assert first.session.identity is not None
    session_id = first.session.identity.session_id
    owner.parked[session_id] = (first.session.export(), "192.0.2.1")
    again = Peer(owner, difficulty=EASY)
    again.call("mining.subscribe", "cgminer/4.11.1", session_id)
    assert error_code(again.submit(job, nonce)) == 22
    fresh = next(n for n in range(nonce + 1, 200) if again.submit(job, n)["result"] is True)
    assert fresh  # what it found before the drop counts


def test_row_27_a_resume_is_undone_when_another_user_authorises() -> None:
    owner = FakeOwner()
    first = Peer(owner, difficulty=EASY)
    first.handshake()
    job = make_job()
    first.announce(job)
    assert first.session.identity is not None
    session_id = first.session.identity.session_id
    owner.parked[session_id] = (first.session.export(), "192.0.2.1")
    other = Peer(owner, difficulty=EASY)
    other.call("mining.subscribe", "x", session_id)
    other.call("mining.authorize", f"{ADDRESS}.someone-else", "x")
    assert error_code(other.submit(job)) == 24  # the name is gone
    assert (
        error_code(other.submit(job, user=f"{ADDRESS}.someone-else")) == 21
    )  # and so is the promise of the job


def test_row_51_mostly_bad_shares_are_dropped_at_the_hundredth() -> None:
    peer = Peer(difficulty=1e6)
    peer.handshake()
    job = make_job()
    peer.announce(job)
    for nonce in range(99):
        assert error_code(peer.submit(job, nonce)) == 23
    peer.send(
        {
            "id": 1,
            "method": "mining.submit",
            "params": [USER, job.id, "00" * 8, f"{job.ntime:08x}", "ffffffff"],
        }
    )
    assert peer.session.closed_for == "bad_shares"


def test_row_51_a_machine_with_a_third_of_bad_shares_is_kept() -> None:
    peer = mining()
    job = make_job()
    peer.announce(job)
    for nonce in range(200):
        assert error_code(peer.submit(job, nonce)) is None
        if nonce % 2:
            assert error_code(peer.submit(job, nonce)) == 22
    assert not peer.is_closed


def test_rows_52_and_54_a_stale_block_is_tried_and_a_second_copy_is_for_the_submitter_to_see() -> None:
    template = make_template(bits=0x207FFFFF, network_target=0x7FFFFF << 232)
    peer = mining()
    job = make_job(template, job_id="1")
    peer.announce(job)
    peer.announce(make_job(template, job_id="2", tip=2))
    peer.now = 100
    for nonce in range(20):
        assert error_code(peer.submit(job, nonce)) == 21
    assert peer.owner.candidates


def test_row_58_transactions_are_refused_cheaply() -> None:
    assert mining().call("mining.get_transactions", "1")["error"] == [20, "Not supported", None]


@pytest.mark.parametrize(
    "method",
    [
        "mining.node",
        "mining.remote",
        "mining.passthrough",
        "mining.notify",
        "client.reconnect",
        "mining.set_difficulty",
    ],
)
def test_rows_59_and_60_a_client_has_no_privileges_and_is_no_server(method: str) -> None:
    peer = mining()
    peer.announce(make_job())
    difficulty = peer.session.pace.difficulty
    for _ in range(9):
        assert error_code(peer.call(method, 1)) == -3
    assert peer.session.pace.difficulty == difficulty
    peer.send({"id": 1, "method": method, "params": []})
    assert peer.session.closed_for == "too_many_errors"


@pytest.mark.parametrize("method", ["eth_submitLogin", "login", "mining.hello", "agent.get_capabilities"])
def test_quirk_44_miners_of_another_family_are_told_three_times(method: str) -> None:
    peer = Peer()
    assert [error_code(peer.call(method, "addr")) for _ in range(2)] == [-3, -3]
    peer.send({"id": 3, "method": method, "params": []})
    assert peer.session.closed_for == "foreign_protocol"


def test_row_62_a_claimed_hashrate_is_heard_and_believed_by_nobody() -> None:
    assert mining().call("eth_submitHashrate", "0x" + "f" * 25, "0x1")["result"] is True


def test_row_67_a_low_difficulty_of_the_past_earns_what_it_was_announced_at() -> None:
    peer = mining()
    low = make_job(job_id="low")
    peer.announce(low)
    share_before = next(n for n in range(100) if peer.submit(low, n)["result"] is True)
    events = [e for e in peer.session.events_received() if hasattr(e, "offer")]
    assert events[-1].offer.difficulty.value == EASY
    assert share_before >= 0


def test_requests_without_end_end() -> None:
    peer = mining()
    for n in range(1198):  # one was the authorize
        peer.call("mining.ping", request_id=n)
    peer.send({"id": 1, "method": "mining.ping", "params": []})
    assert peer.session.closed_for == "too_many_requests"


def test_a_closed_session_hears_nothing_more() -> None:
    peer = mining()
    peer.session.close("test")
    assert peer.send({"id": 1, "method": "mining.ping", "params": []}) == []
