"""The protocol of one connection, from its handshake to its shares."""

import json
from typing import Any

import msgspec
import pytest

from stratum.events import Refused
from stratum.phases import Want
from stratum.work.difficulty import target_from_difficulty
from stratum.work.job import Job
from tests.builders import (
    ADDRESS,
    EASY_BITS,
    OTHER_ADDRESS,
    SHA256D,
    USER,
    FakeOwner,
    Peer,
    error_code,
    make_job,
    make_rules,
    make_template,
)

EASY = 1e-9  # a difficulty that every second hash meets: 2^-30 of difficulty 1, so a target above 2^253
REGTEST_TEMPLATE = make_template(bits=EASY_BITS, network_target=0x7FFFFF << 232)


def mining_peer(password: str = "d=0.000000001", **rules: Any) -> Peer:
    """A peer whose difficulty is easy and, but for another password, stays so."""
    peer = Peer(**{"difficulty": EASY, **rules})
    peer.handshake(password=password)
    return peer


# ---------------------------------------------------------------------- handshake


def test_the_subscribe_reply_nests_the_notify_pair_and_gives_eight_bytes_of_extranonce2() -> None:
    reply = Peer().call("mining.subscribe", "cgminer/4.11.1", request_id=1)
    session_id = "00000000f0010203"
    assert reply["result"] == [
        [["mining.set_difficulty", session_id], ["mining.notify", session_id]],
        "f0010203",
        8,
    ]


@pytest.mark.parametrize(
    "params",
    [
        [],
        ["cgminer/4.11.1", "f000000000000000"],
        ["bosminer-plus-tuner 2023", None],
        ["bosminer", None, "host:3333", None],
        ["NiceHash/1.0.0", "1713569952000", "a" * 64],
        [None, {"x": 1}, [1, 2]],
        ["rig", "abc"],
    ],
)
def test_every_form_of_subscribe_is_answered(params: list[Any]) -> None:
    assert Peer().call("mining.subscribe", *params)["error"] is None


def test_a_second_subscribe_is_a_probe_and_gets_the_same_answer() -> None:
    peer = mining_peer()
    peer.announce(make_job())
    first, second = peer.call("mining.subscribe", "stratum-work"), peer.call("mining.subscribe", "other")
    assert first["result"] == second["result"]
    assert peer.session.is_mining


def test_bitaxe_sends_everything_in_one_burst_and_gets_answers_in_order_before_any_work() -> None:
    peer = Peer()
    answers = peer.send(
        {
            "id": 1,
            "method": "mining.configure",
            "params": [["version-rolling"], {"version-rolling.mask": "ffffffff"}],
        },
        {"id": 2, "method": "mining.subscribe", "params": ["bitaxe/BM1370/v2.9"]},
        {"id": 3, "method": "mining.authorize", "params": [USER, "x"]},
        {"id": 4, "method": "mining.suggest_difficulty", "params": [1000]},
        {"id": 5, "method": "mining.extranonce.subscribe", "params": []},
    )
    assert [answer["id"] for answer in answers] == [1, 2, 3, 4, 5]
    assert peer.session.want is Want.CURRENT
    work = peer.announce(make_job())
    assert [line["method"] for line in work] == [
        "mining.set_version_mask",
        "mining.set_difficulty",
        "mining.notify",
    ]
    assert work[1]["params"] == [1000]
    assert work[2]["params"][-1] is True


def test_authorize_before_subscribe_is_as_good_as_after() -> None:
    peer = Peer()
    assert peer.call("mining.authorize", USER, "x")["result"] is True
    assert not peer.session.is_mining
    peer.call("mining.subscribe", "proxy")
    assert peer.session.is_mining


def test_the_first_work_is_one_difficulty_and_one_clean_job() -> None:
    peer = Peer(difficulty=16384)
    peer.handshake()
    difficulty, notify = peer.announce(make_job(job_id="a1"))
    assert difficulty == {"id": None, "method": "mining.set_difficulty", "params": [16384]}
    assert type(difficulty["params"][0]) is int  # some ASICs choke on 16384.0
    assert len(notify["params"]) == 9
    assert notify["params"][0] == "a1"
    assert notify["params"][8] is True


def test_a_routine_job_interrupts_nobody_and_a_new_tip_everybody() -> None:
    peer = mining_peer()
    peer.announce(make_job(job_id="1"))
    assert [line["params"][-1] for line in peer.announce(make_job(job_id="2"))] == [False]
    assert [line["params"][-1] for line in peer.announce(make_job(job_id="3", tip=2))] == [True]


@pytest.mark.parametrize("request_id", [5, -1, 2**80, 1.5, "auth", "txlist\u0031", "", 'quote"\\\n'])
def test_ids_come_back_as_they_were_sent(request_id: object) -> None:
    assert Peer().call("mining.subscribe", request_id=request_id)["id"] == request_id


def test_an_id_comes_back_byte_for_byte() -> None:
    peer = Peer()
    peer.session.receive_data(b'{"id":1.50e1,"method":"mining.subscribe","params":[]}\n', 0)
    assert peer.session.data_to_send().startswith(b'{"id":1.50e1,"result":')


def test_bfgminers_null_id_suggestion_before_subscribe_stays_unanswered() -> None:
    peer = Peer()
    assert peer.send({"id": None, "method": "mining.suggest_target", "params": ["00" * 3 + "ff" * 29]}) == []
    assert peer.call("mining.subscribe", request_id=None)["id"] is None  # subscribe is answered all the same


def test_several_names_share_a_connection_and_each_is_credited_by_its_own() -> None:
    peer = mining_peer()
    assert peer.call("mining.authorize", f"{OTHER_ADDRESS}.b", "x")["result"] is True
    job = make_job()
    peer.announce(job)
    accepted_nonces(peer, job, 2, user=f"{OTHER_ADDRESS}.b")
    credited = {event.worker.account for event in peer.session.events_received() if hasattr(event, "header")}
    assert credited == {OTHER_ADDRESS}


def test_an_upper_case_bech32_name_is_the_same_worker() -> None:
    peer = mining_peer()
    job = make_job()
    peer.announce(job)
    codes = {error_code(peer.submit(job, nonce=n, user=f"{ADDRESS.upper()}.rig")) for n in range(8)}
    assert 24 not in codes


def test_a_name_that_was_not_authorised_here_is_never_credited_to_another() -> None:
    peer = mining_peer()
    job = make_job()
    peer.announce(job)
    assert error_code(peer.submit(job, user=f"{ADDRESS}.other")) == 24


@pytest.mark.parametrize(
    ("user", "text"),
    [
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "Address of another network"),
        ("not-an-address.rig", "User must be an address"),
        ("../../etc/passwd", "User must be an address"),
        ("{{7*7}}", "User must be an address"),
        ("", "User must be an address"),
        ("a" * 10_000, None),
    ],
)
def test_a_user_that_is_no_address_of_this_network_is_denied_and_the_connection_ends(
    user: str, text: str | None
) -> None:
    peer = Peer()
    peer.call("mining.subscribe")
    if text is None:
        peer.send_bytes(
            json.dumps({"id": 1, "method": "mining.authorize", "params": [user]}).encode() + b"\n"
        )
        assert peer.session.closed_for == "line_too_long"
        return
    reply = peer.call("mining.authorize", user, "x")
    assert reply["result"] is False
    assert reply["error"] == [24, text, None]
    peer.session.tick(1.1)
    assert peer.session.closed_for == "authorize_denied"


def test_a_solo_connection_belongs_to_its_first_address() -> None:
    peer = mining_peer(is_solo=True)
    assert peer.call("mining.authorize", f"{ADDRESS}.second", "x")["result"] is True
    assert peer.call("mining.authorize", OTHER_ADDRESS, "x")["error"] == [
        24,
        "One address per connection",
        None,
    ]


# ---------------------------------------------------------------------- difficulty


def test_a_fixed_difficulty_in_the_password_outranks_a_suggestion() -> None:
    peer = Peer(difficulty=16384)
    peer.handshake(password="d=512")
    peer.call("mining.suggest_difficulty", 2048)
    assert peer.announce(make_job())[0]["params"] == [512]


def test_a_suggestion_is_obeyed_with_a_job_of_its_own_and_its_repetition_with_nothing() -> None:
    peer = Peer(difficulty=16384)
    peer.handshake()
    peer.announce(make_job(job_id="1"))
    peer.call("mining.suggest_difficulty", 0.00015)
    assert peer.session.want is Want.FRESH
    difficulty, notify = peer.announce(make_job(job_id="2"), forced=True)
    assert difficulty["params"] == [0.00015]
    assert notify["params"][-1] is True
    peer.now = 30
    peer.call("mining.suggest_difficulty", 0.00015)  # NerdMiner's keep-alive
    assert peer.session.want is Want.NOTHING


@pytest.mark.parametrize("wish", [None, 0, -1, "abc", [], True, {}, "1e5", "-5"])
def test_a_suggestion_that_is_no_positive_number_is_answered_true_and_ignored(wish: object) -> None:
    peer = Peer(difficulty=1024)
    peer.handshake()
    assert peer.call("mining.suggest_difficulty", wish)["result"] is True
    assert peer.announce(make_job())[0]["params"] == [1024]


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "1e999", "1e300", "1e-300"])
def test_numbers_beyond_all_measure_do_no_harm(literal: str) -> None:
    peer = Peer(difficulty=1024)
    peer.handshake()
    line = f'{{"id":9,"method":"mining.suggest_difficulty","params":[{literal}]}}\n'
    peer.send_bytes(line.encode())
    assert not peer.is_closed
    assert 1e-9 <= peer.announce(make_job())[0]["params"][0] <= 1e12


def test_the_difficulty_stays_inside_the_listeners_bounds() -> None:
    rules = make_rules(difficulty=1024)
    import msgspec

    pace = msgspec.structs.replace(rules.pace, minimum=512, maximum=4096)
    for wish, given in ((1, 512), (10**9, 4096)):
        peer = Peer(difficulty=1024, pace=pace)
        peer.handshake(password=f"d={wish}")
        assert peer.announce(make_job())[0]["params"] == [given]


def test_the_networks_difficulty_is_an_upper_bound_above_the_listeners_minimum() -> None:
    # bits 1b0404cb: difficulty 16307.42; 16307 is the largest whole number below
    template = make_template(bits=0x1B0404CB, network_target=0x0404CB << 192)
    peer = Peer(difficulty=65536)
    peer.handshake()
    assert peer.announce(make_job(template))[0]["params"] == [16307]


def test_nicehash_starts_at_the_marketplaces_minimum() -> None:
    rules = make_rules(difficulty=1024)
    import msgspec

    peer = Peer(difficulty=1024, pace=msgspec.structs.replace(rules.pace, marketplace_minimum=524288))
    peer.handshake(agent="NiceHash/1.0.0")
    assert peer.announce(make_job())[0]["params"] == [524288]


def test_only_who_understands_fractions_is_sent_below_one() -> None:
    peer = Peer(difficulty=4)
    peer.handshake(agent="nerdqaxe++/1.0")
    peer.announce(make_job(job_id="1"))
    peer.now = 100
    peer.announce(make_job(job_id="2"))
    peer.now = 200
    assert peer.session.pace.difficulty == 1


def test_a_returning_worker_starts_where_the_memory_says() -> None:
    owner = FakeOwner()
    owner.recalled[ADDRESS, "rig", "cpuminer"] = 4096.0
    peer = Peer(owner, difficulty=16384)
    peer.handshake()
    assert peer.announce(make_job())[0]["params"] == [4096]


def test_an_idle_asic_falls_two_halvings_and_no_further() -> None:
    peer = Peer(difficulty=65536)
    peer.handshake(agent="whatsminer/v1.1")
    for n in range(20):
        peer.now = 60.0 * n
        peer.announce(make_job(job_id=str(n)))
    assert peer.session.pace.difficulty == 16384


def test_a_flood_forces_a_higher_difficulty() -> None:
    peer = mining_peer(password="x")
    job = make_job()
    peer.announce(job)
    for nonce in range(64):
        peer.now += 0.001
        peer.submit(job, nonce=nonce)
    assert peer.session.want is Want.FRESH
    raised, _ = peer.announce(make_job(job_id="2"), forced=True)
    assert raised["params"][0] >= 16 * EASY


# ---------------------------------------------------------------------- shares


def accepted_nonces(peer: Peer, job: Any, count: int, **fields: Any) -> list[int]:
    found: list[int] = []
    nonce = 0
    while len(found) < count:
        if peer.submit(job, nonce=nonce, **fields)["result"] is True:
            found.append(nonce)
        nonce += 1
        assert nonce < 200, "the difficulty is not easy"
    return found


def test_an_accepted_share_is_reported_with_what_it_is_worth() -> None:
    peer = mining_peer()
    job = make_job()
    peer.announce(job)
    [nonce] = accepted_nonces(peer, job, 1)
    share = next(e for e in peer.session.events_received() if hasattr(e, "header"))
    assert share.worker.account == ADDRESS
    assert share.worker.name == "rig"
    # the work of a target t is 2^256 // (t + 1)
    assert share.offer.difficulty.work == 2**256 // (target_from_difficulty(EASY, SHA256D.difficulty_1) + 1)
    assert share.header[76:] == nonce.to_bytes(4, "little")


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"extranonce2": "AB" * 8},
        {"version_bits": "00000000"},
        {"version_bits": ""},
        {"version_bits": None},
        {"version_bits": 0},
    ],
)
def test_a_share_in_another_spelling_is_the_same_share(again: dict[str, Any]) -> None:
    peer = mining_peer()
    job = make_job()
    peer.announce(job)
    [nonce] = accepted_nonces(peer, job, 1, extranonce2="ab" * 8)
    spelled = {"extranonce2": "ab" * 8, **again}
    assert error_code(peer.submit(job, nonce=nonce, **spelled)) == 22
    # NerdMiner drops leading zeros: a field of its own in the request, not our formatting
    unpadded = peer.call("mining.submit", USER, job.id, "ab" * 8, f"{job.ntime:08x}", f"{nonce:x}")
    assert error_code(unpadded) == 22


def test_a_share_is_judged_by_the_difficulty_its_job_was_announced_at() -> None:
    peer = mining_peer(password="x")
    old = make_job(job_id="1")
    peer.announce(old)
    peer.call("mining.suggest_difficulty", 1000)
    new = make_job(job_id="2")
    peer.announce(new, forced=True)
    assert accepted_nonces(peer, old, 3)
    assert error_code(peer.submit(new)) == 23


def test_shares_of_the_previous_tip_count_for_a_second_and_are_stale_after_it() -> None:
    peer = mining_peer()
    old = make_job(job_id="1", tip=1)
    peer.announce(old)
    peer.now = 100.0
    peer.announce(make_job(job_id="2", tip=2))
    peer.now = 101.0
    accepted_nonces(peer, old, 1)
    late = [e for e in peer.session.events_received() if hasattr(e, "header")]
    assert [share.is_late for share in late] == [True]
    peer.now = 101.001
    assert peer.submit(old, nonce=500)["error"] == [21, "Stale share", None]


def test_a_return_to_an_earlier_tip_revives_none_of_its_jobs() -> None:
    peer = mining_peer()
    first = make_job(job_id="1", tip=1)
    peer.announce(first)
    peer.announce(make_job(job_id="2", tip=2))
    peer.now = 10
    peer.announce(make_job(job_id="3", tip=3))  # the same previous hash as job 1
    peer.now = 20
    assert error_code(peer.submit(first)) == 21


def test_a_job_is_credited_for_ten_minutes_after_a_newer_one() -> None:
    peer = mining_peer()
    job = make_job(job_id="1")
    peer.announce(job)
    peer.now = 30
    peer.announce(make_job(job_id="2"))
    peer.now = 629
    peer.announce(make_job(job_id="3"))
    assert accepted_nonces(peer, job, 1)
    peer.now = 631
    peer.announce(make_job(job_id="4"))
    assert error_code(peer.submit(job, nonce=1000)) == 21


def test_a_session_holds_sixty_four_jobs() -> None:
    peer = mining_peer()
    for n in range(100):
        peer.announce(make_job(job_id=f"{n}"))
    assert len(peer.session.offers) == 64


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"extranonce2": "00" * 7}, 20),
        ({"extranonce2": "00" * 9}, 20),
        ({"extranonce2": "0" * 15}, 20),
        ({"extranonce2": "00" * 7 + " 0"}, 20),
        ({"extranonce2": " " + "00" * 7 + " "}, 20),
        ({"extranonce2": "0x" + "00" * 7}, 20),
        ({"extranonce2": "+0" + "00" * 7}, 20),
        ({"extranonce2": "0_" + "00" * 7}, 20),
        ({"extranonce2": "٠٠" * 8}, 20),
        ({"nonce": "000000000"}, 20),
        ({"nonce": ""}, 20),
        ({"nonce": "0x123456"}, 20),
        ({"nonce": "1_000000"}, 20),
        ({"nonce": 2**32}, 20),
        ({"nonce": -1}, 20),
        ({"ntime": "6622ff"}, 20),
        ({"ntime": "00000000"}, 20),
        ({"ntime": "ffffffff"}, 20),
        ({"ntime": 2**40}, 20),
        ({"version_bits": "20000000"}, 20),
        ({"version_bits": "80000000"}, 20),
        ({"version_bits": "zz"}, 20),
        ({"version_bits": "000000000"}, 20),
    ],
)
def test_fields_that_are_no_fields_are_refused(fields: dict[str, Any], code: int) -> None:
    peer = mining_peer()
    job = make_job()
    peer.announce(job)
    assert error_code(peer.submit(job, **fields)) == code


def test_numbers_in_place_of_hex_are_read_as_what_they_are() -> None:
    peer = mining_peer()
    job = make_job()
    peer.announce(job)
    [nonce] = accepted_nonces(peer, job, 1)
    again = peer.call("mining.submit", USER, job.id, "00" * 8, job.ntime, nonce)
    assert error_code(again) == 22


def test_version_bits_need_a_negotiated_mask_and_stay_inside_it() -> None:
    peer = mining_peer()
    job = make_job()
    peer.announce(job)
    assert error_code(peer.submit(job, version_bits="00002000")) == 20
    reply = peer.call("mining.configure", ["version-rolling"], {"version-rolling.mask": "0000e000"})
    assert reply["result"]["version-rolling.mask"] == "0000e000"
    assert error_code(peer.submit(job, version_bits="00010000")) == 20
    accepted_nonces(peer, job, 1, version_bits="00002000")  # valid for jobs already sent as well


def test_ntime_may_run_from_mintime_to_the_nodes_clock_plus_seven_thousand_seconds() -> None:
    peer = mining_peer()
    template = make_template()
    job = make_job(template)
    peer.announce(job)
    peer.now = 100
    edge = template.current_time + 100 + 7000
    for ntime, text in (
        (template.minimum_time - 1, "Ntime too old"),
        (edge + 1, "Ntime too new"),
    ):
        assert peer.submit(job, ntime=f"{ntime:08x}")["error"] == [20, text, None]
    for ntime in (template.minimum_time, edge):
        assert accepted_nonces(peer, job, 1, ntime=f"{ntime:08x}")


# ---------------------------------------------------------------------- blocks


def test_a_block_is_handed_over_even_where_its_share_is_refused() -> None:
    """On an easy network target: stale, unauthorised, below the share difficulty, with a bad ntime, twice."""
    peer = Peer(difficulty=1e6)
    peer.handshake()
    hard = make_rules(difficulty=1e6).pace
    assert hard.minimum <= 1e-9
    job = make_job(REGTEST_TEMPLATE, job_id="1")
    peer.session.pace.rules = hard
    peer.announce(job)
    refused = [
        error_code(peer.submit(job, nonce=n, **fields))
        for n, fields in enumerate(
            [{}, {"user": "nobody.here"}, {"ntime": f"{job.template.minimum_time - 5:08x}"}] * 8
        )
    ]
    assert set(refused) <= {23, 24, 20, None}
    found = len(peer.owner.candidates)
    assert found > 4
    peer.announce(make_job(REGTEST_TEMPLATE, job_id="2", tip=2))
    peer.now = 60
    for n in range(100, 110):
        assert error_code(peer.submit(job, nonce=n)) == 21
    assert len(peer.owner.candidates) > found


def test_a_candidate_holds_the_rolled_header_and_the_whole_coinbase() -> None:
    peer = mining_peer()
    peer.call("mining.configure", ["version-rolling"], {"version-rolling.mask": "1fffe000"})
    job = make_job(REGTEST_TEMPLATE)
    peer.announce(job)
    while not peer.owner.candidates:
        peer.submit(
            job, nonce=peer.session.accepted + 50, version_bits="00004000", extranonce2="0102030405060708"
        )
        job = make_job(REGTEST_TEMPLATE, job_id=job.id + "1")
        peer.announce(job)
    found = peer.owner.candidates[0]
    assert found.header[:4] == bytes.fromhex("00400020")  # 0x20004000, little-endian
    assert b"\xf0\x01\x02\x03" + bytes(range(1, 9)) in found.coinbase
    assert found.account == ADDRESS


def test_a_job_forgotten_by_the_session_but_not_by_the_gateway_is_still_tried_as_a_block() -> None:
    peer = mining_peer()
    peer.announce(make_job(job_id="9"))
    other = make_job(REGTEST_TEMPLATE, job_id="elsewhere")
    peer.owner.book.install(other, None, 0)
    for n in range(16):
        assert error_code(peer.submit(other, nonce=n)) == 21
    assert peer.owner.candidates


# ---------------------------------------------------------------------- keeping alive, ending


def test_a_miner_is_pinged_when_there_is_no_work_to_be_had() -> None:
    peer = mining_peer()
    peer.announce(make_job())
    peer.session.tick(34)  # with a node there is new work every 29 s at the latest
    assert peer.received() == []
    peer.session.tick(36)
    [ping] = [json.loads(line) for line in peer.session.data_to_send().splitlines()]
    assert ping["method"] == "mining.ping"
    assert ping["id"] >= 1000


@pytest.mark.parametrize(
    "answer",
    [
        {"id": 1000, "result": "pong", "error": None},
        {"id": 1000, "method": "pong", "params": []},  # Bitaxe
        {"id": 1001, "result": "cgminer/4.11.1", "error": None},
    ],
)
def test_answers_of_the_client_are_swallowed(answer: dict[str, Any]) -> None:
    peer = mining_peer()
    assert peer.send(answer) == []
    assert not peer.is_closed


def test_messages_of_the_server_have_the_forms_that_firmware_knows() -> None:
    peer = mining_peer()
    peer.session.show_message("maintenance at noon\n\u202e")
    peer.session.request_version()
    peer.session.reconnect()
    show, version, reconnect = [json.loads(line) for line in peer.session.data_to_send().splitlines()]
    assert show["params"] == ["maintenance at noon"]
    assert version["method"] == "client.get_version"
    assert reconnect == {"id": None, "method": "client.reconnect", "params": []}


def test_set_extranonce_goes_only_to_who_subscribed_and_holds_from_the_next_job() -> None:
    peer = mining_peer()
    job = make_job(job_id="1")
    peer.announce(job)
    identity = peer.owner.new_identity()
    assert identity is not None
    assert not peer.session.change_extranonce1(identity)
    peer.call("mining.extranonce.subscribe")
    assert peer.session.change_extranonce1(identity)
    [told] = [json.loads(line) for line in peer.session.data_to_send().splitlines()]
    assert told["params"] == [identity.extranonce1.hex(), 8]
    accepted_nonces(peer, job, 2)  # the old job is still hashed with the old extranonce1
    shares = [e for e in peer.session.events_received() if hasattr(e, "header")]
    assert {share.extranonce1 for share in shares} == {b"\xf0\x01\x02\x03"}
    new = make_job(job_id="2")
    peer.announce(new, forced=True)
    accepted_nonces(peer, new, 1)
    shares = [e for e in peer.session.events_received() if hasattr(e, "header")]
    assert {share.extranonce1 for share in shares} == {identity.extranonce1}


# ---------------------------------------------------------------------- slow hashes


EVERY_HASH = 1e-10  # the target is 2^256 - 1
SLOW = msgspec.structs.replace(SHA256D, slow=True)


def slow_peer_with_a_job(difficulty: float = EASY, **template: Any) -> tuple[Peer, Job]:
    peer = Peer(difficulty=difficulty, proof_of_work=SLOW)
    peer.handshake()
    job = make_job(make_template(**template), proof_of_work=SLOW)
    peer.announce(job)
    return peer, job


def submission_of(job: Job, nonce: int) -> dict[str, Any]:
    params = [USER, job.id, "00" * 8, f"{job.ntime:08x}", f"{nonce:08x}"]
    return {"id": nonce, "method": "mining.submit", "params": params}


def test_a_slow_hash_holds_later_requests_back_and_keeps_their_order() -> None:
    peer, job = slow_peer_with_a_job()
    submit = submission_of(job, 1)
    assert peer.send(submit, {"id": 2, "method": "mining.ping", "params": []}) == []
    pending = peer.session.pending_hash
    assert pending is not None
    assert pending.request_id == b"1"
    peer.session.hash_done(SHA256D.hash(pending.header), 1.0)
    assert [answer["id"] for answer in peer.received()] == [1, 2]


def test_a_slow_hash_that_comes_after_the_close_is_still_a_share_and_a_block() -> None:
    peer, job = slow_peer_with_a_job(EVERY_HASH, bits=EASY_BITS, network_target=2**256 - 1)
    peer.send(submission_of(job, 1))
    pending = peer.session.pending_hash
    assert pending is not None
    peer.session.events_received()
    peer.session.close("disconnected")
    peer.session.hash_done(SHA256D.hash(pending.header), 1.0)
    assert [block.header for block in peer.owner.candidates] == [pending.header]
    assert [type(event).__name__ for event in peer.session.events_received()] == ["Share"]


def test_too_many_bad_shares_close_a_session_of_slow_hashes_too() -> None:
    """Difficulty 1e12: no hash of a test ever meets it."""
    peer, job = slow_peer_with_a_job(difficulty=1e12)
    for nonce in range(1, 101):
        peer.send(submission_of(job, nonce))
        pending = peer.session.pending_hash
        assert pending is not None
        peer.session.hash_done(SHA256D.hash(pending.header), 1.0)
    assert peer.session.closed_for == "bad_shares"


# ---------------------------------------------------------------------- names, spellings, deadlines


def test_a_good_name_after_a_bad_one_keeps_the_connection() -> None:
    """A proxy works through its list; the first entry may be mistyped."""
    peer = Peer()
    peer.call("mining.subscribe", "proxy/1")
    assert peer.call("mining.authorize", "not-an-address.x", "x")["error"] is not None
    assert peer.call("mining.authorize", USER, "x")["result"] is True
    peer.session.tick(5.0)
    assert not peer.is_closed


def test_a_refused_share_in_another_spelling_is_its_workers() -> None:
    peer = mining_peer()
    job = make_job()
    peer.announce(job)
    peer.session.events_received()
    shouted = f"{ADDRESS.upper()}.rig"
    peer.submit(job, 1, user=shouted, ntime="00000000")
    [refused] = peer.session.events_received()
    assert isinstance(refused, Refused)
    assert refused.worker is not None
    assert refused.worker.account == ADDRESS


def test_a_name_that_is_added_later_is_found_in_another_spelling_too() -> None:
    peer = mining_peer()
    job = make_job()
    peer.announce(job)
    shouted = f"{ADDRESS.upper()}.second"
    assert error_code(peer.submit(job, 1, user=shouted)) == 24
    peer.call("mining.authorize", f"{ADDRESS}.second", "x")
    assert error_code(peer.submit(job, 2, user=shouted)) != 24


@pytest.mark.parametrize(
    ("fields", "count", "cause"),
    [
        ({"ntime": "00000000"}, 100, "bad_shares"),
        ({"user": "nobody.here"}, 1200, "shares_of_strangers"),  # behind a proxy others do honest work
    ],
)
def test_a_machine_whose_shares_are_all_refused_is_dropped_in_the_end(
    fields: dict[str, str], count: int, cause: str
) -> None:
    peer = mining_peer()
    job = make_job()
    peer.announce(job)
    for nonce in range(count - 1):
        peer.submit(job, nonce, **fields)
    assert not peer.is_closed
    peer.submit(job, count - 1, **fields)
    assert peer.session.closed_for == cause


def test_long_names_of_strangers_are_not_remembered() -> None:
    peer = mining_peer()
    peer.announce(make_job())
    for number in range(200):
        peer.submit("unknown", user=f"{number}" + "x" * 7_000)
    assert len(str(peer.session._aliases)) < 100


def test_a_first_line_of_any_kind_meets_the_first_deadline() -> None:
    peer = Peer()
    peer.now = 1.0
    peer.call("mining.configure", ["version-rolling"], {})
    peer.session.tick(16.0)
    assert not peer.is_closed
    peer.session.tick(31.0)
    assert peer.session.closed_for == "handshake_timeout"
