"""The client's side of Stratum V1, line by line: what it asks for, what it makes of answers and jobs."""

import json
from typing import Any

import pytest

from pool.miner.client import StratumClient, StratumError, target_of
from tests.vectors import JOBS

SUBSCRIBED = [[["mining.notify", "1"]], "f0010203", 8]
DIFFICULTY_1 = 0xFFFF << 208
NOTIFY = JOBS["version_rolling_one_bit"]["notify"]["params"]


def told(client: StratumClient, method: str, *params: Any, request_id: int | None = None) -> str:
    return client.receive_line(json.dumps({"id": request_id, "method": method, "params": params}).encode())


def answered(client: StratumClient, request_id: int, result: Any, error: Any = None) -> str:
    return client.receive_line(json.dumps({"id": request_id, "result": result, "error": error}).encode())


def sent(client: StratumClient) -> list[dict[str, Any]]:
    return [json.loads(line) for line in client.data_to_send().splitlines()]


def connected(name: str = "version_rolling_one_bit", **options: Any) -> StratumClient:
    """A client that has gone through the handshake of a vector, and has its job."""
    vector = JOBS[name]
    client = StratumClient("addr.worker", **options)
    client.begin()
    for request in sent(client):
        match request["method"]:
            case "mining.configure":
                granted = {"version-rolling": vector["version_mask"] is not None}
                if vector["version_mask"] is not None:
                    granted["version-rolling.mask"] = vector["version_mask"]
                answered(client, request["id"], granted)
            case "mining.subscribe":
                answered(client, request["id"], vector["subscribe_reply"]["result"])
            case _:
                answered(client, request["id"], True)
    assert client.receive_line(json.dumps(vector["notify"]).encode()) == "job"
    return client


# ---------------------------------------------------------------------------- the handshake


def test_the_handshake_goes_out_at_once_in_the_order_that_pools_expect() -> None:
    client = StratumClient("addr.worker", "d=8", suggested_difficulty=0.5)
    client.begin()
    assert [(request["method"], request["params"]) for request in sent(client)] == [
        (
            "mining.configure",
            [
                ["version-rolling"],
                {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2},  # BIP 310
            ],
        ),
        ("mining.subscribe", ["engineroom-miner/1"]),
        ("mining.authorize", ["addr.worker", "d=8"]),
        ("mining.suggest_difficulty", [0.5]),
    ]
    assert sent(client) == []


@pytest.mark.parametrize("options", [{"rolls_version": False}, {"algorithm": "scrypt"}])
def test_version_rolling_is_not_asked_for_where_it_is_not_wanted(options: dict[str, Any]) -> None:
    client = StratumClient("addr.worker", **options)
    client.begin()
    assert [request["method"] for request in sent(client)] == ["mining.subscribe", "mining.authorize"]


@pytest.mark.parametrize("method", ["subscribe", "authorize"])
@pytest.mark.parametrize(
    ("result", "error", "reason"),
    [
        (None, [24, "unauthorised: no address of bitcoin regtest", None], "no address of bitcoin regtest"),
        (None, "no room", "no room"),
        (False, None, "no reason given"),
        (None, [20, "two\r\nlines\x1b[2J and a bell\x07"], "two lines[2J and a bell"),
    ],
)
def test_a_refused_handshake_is_one_line_that_says_why(
    method: str, result: Any, error: Any, reason: str
) -> None:
    client = StratumClient("addr.worker")
    client.begin()
    [request] = [request for request in sent(client) if request["method"] == f"mining.{method}"]
    with pytest.raises(StratumError) as refused:
        answered(client, request["id"], result, error)
    assert str(refused.value).startswith(f"the pool refuses {method} for addr.worker: ")
    assert str(refused.value).endswith(reason)
    assert str(refused.value).isprintable()
    assert not client.is_authorised


@pytest.mark.parametrize(
    ("result", "error"),
    [(None, [20, "unknown method", None]), (False, None), (True, None), ({"version-rolling": False}, None)],
)
def test_a_refused_configure_is_no_end_there_is_just_nothing_to_roll(result: Any, error: Any) -> None:
    client = StratumClient("addr.worker")
    client.begin()
    answered(client, 1, result, error)
    answered(client, 2, SUBSCRIBED)
    answered(client, 3, True)
    told(client, "mining.notify", *NOTIFY)
    assert client.job is not None
    assert client.job.mask == 0
    client.submit(client.job, bytes(8), 1)
    [*_, share] = sent(client)
    assert len(share["params"]) == 5  # without version bits


# ---------------------------------------------------------------------------- jobs


@pytest.mark.parametrize("name", JOBS)
def test_the_header_of_a_job_is_the_vectors_to_the_bit(name: str) -> None:
    vector = JOBS[name]
    client = connected(name)
    assert client.job is not None
    _, _, extranonce2, ntime, nonce, *version_bits = vector["submit"]["params"]
    header = client.job.header(
        bytes.fromhex(extranonce2), int(version_bits[0], 16) if version_bits else 0, int(ntime, 16)
    )
    assert (header + int(nonce, 16).to_bytes(4, "little")).hex() == vector["expect"]["header_hex"]


@pytest.mark.parametrize("name", ["version_rolling_one_bit", "legacy_5_params_ntime_rolled"])
def test_a_share_is_submitted_as_the_vector_has_it(name: str) -> None:
    vector = JOBS[name]
    client = connected(name)
    assert client.job is not None
    _, _, extranonce2, ntime, nonce, *version_bits = vector["submit"]["params"]
    client.submit(
        client.job,
        bytes.fromhex(extranonce2),
        int(nonce, 16),
        int(version_bits[0], 16) if version_bits else 0,
        int(ntime, 16),
    )
    [request] = sent(client)
    assert request["method"] == "mining.submit"
    assert request["params"] == vector["submit"]["params"]


def test_version_bits_outside_the_mask_do_not_reach_the_header_and_the_jobs_own_inside_it_go() -> None:
    """BIP 310: version = (job & ~mask) | (bits & mask); the numbers are worked out by hand."""
    client = connected()
    told(client, "mining.set_version_mask", "00c00000")
    told(client, "mining.notify", *NOTIFY[:5], "20800000", *NOTIFY[6:])
    assert client.job is not None
    header = client.job.header(bytes(8), 0xFF40_0000)
    assert header[:4].hex() == "00004020"  # 20400000: 00800000 was the job's, inside the mask


def test_a_difficulty_counts_from_the_next_job_on() -> None:
    client = connected()
    first = client.job
    assert told(client, "mining.set_difficulty", 8) == "difficulty"
    assert client.job is first
    assert first is not None
    assert (first.difficulty, first.target) == (1, DIFFICULTY_1)
    told(client, "mining.notify", *NOTIFY)
    assert client.job is not None
    assert (client.job.difficulty, client.job.target) == (8, 0x1FFFE000 << 192)  # ffff << 208 >> 3


def test_an_extranonce_and_a_mask_count_from_the_next_job_on() -> None:
    client = connected()
    first = client.job
    told(client, "mining.set_extranonce", "aabb", 6)
    told(client, "mining.set_version_mask", "00ffe000")
    assert client.job is first
    assert first is not None
    assert (first.extranonce1.hex(), first.extranonce2_size, first.mask) == ("f0010203", 8, 0x1FFFE000)
    told(client, "mining.notify", *NOTIFY)
    assert client.job is not None
    assert (client.job.extranonce1.hex(), client.job.extranonce2_size) == ("aabb", 6)
    assert client.job.mask == 0x00FFE000


@pytest.mark.parametrize(
    ("difficulty", "difficulty_1", "target"),
    [
        (1, 0xFFFF << 208, 0xFFFF << 208),
        (0.5, 0xFFFF << 208, 0xFFFF << 209),
        (3, 0xFFFF << 208, 0x5555 << 208),  # ffff = 3 * 5555
        (2**-10, 0xFFFF << 224, 0xFFFF << 234),  # scrypt's unit
        (2**-100, 0xFFFF << 208, 2**256 - 1),
    ],
)
def test_the_target_of_a_difficulty_is_exact(difficulty: float, difficulty_1: int, target: int) -> None:
    assert target_of(difficulty, difficulty_1) == target


def test_scrypt_has_a_difficulty_1_of_its_own() -> None:
    client = connected("legacy_5_params_ntime_rolled", algorithm="scrypt")
    assert client.job is not None
    assert client.job.target == 0xFFFF << 224


# ---------------------------------------------------------------------------- answers to shares, and the rest


def test_accepted_shares_are_counted_and_refused_ones_by_their_reason() -> None:
    client = connected()
    assert client.job is not None
    ids = [client.submit(client.job, bytes(8), nonce) for nonce in range(5)]
    assert answered(client, ids[0], True) == "accepted"
    assert answered(client, ids[1], None, [23, "low difficulty", None]) == "rejected"
    assert answered(client, ids[2], None, [21, "stale", None]) == "rejected"
    assert answered(client, ids[3], None, [23, "low difficulty", None]) == "rejected"
    assert answered(client, ids[4], False) == "rejected"
    assert client.accepted == 1
    assert client.rejected == {"low difficulty": 2, "stale": 1, "no reason given": 1}


def test_an_answer_counts_once_and_one_to_nothing_not_at_all() -> None:
    client = connected()
    assert client.job is not None
    request_id = client.submit(client.job, bytes(8), 1)
    answered(client, request_id, True)
    answered(client, request_id, True)
    answered(client, 999, True)
    assert client.accepted == 1


def test_questions_of_the_pool_are_answered() -> None:
    client = connected()
    told(client, "mining.ping", request_id=7)
    told(client, "client.get_version", request_id=8)
    told(client, "client.show_message", "hello", request_id=9)
    told(client, "client.show_message", "hello")
    assert sent(client) == [
        {"id": 7, "result": "pong", "error": None},
        {"id": 8, "result": "engineroom-miner/1", "error": None},
        {"id": 9, "result": None, "error": [-3, "Method not found", None]},
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"7",
        b"{}",
        b'{"id": [], "result": true}',
        b'{"id": null, "method": "mining.notify", "params": ["1"]}',
        b'{"id": null, "method": "mining.notify", "params": 5}',
        b'{"id": null, "method": "mining.set_difficulty", "params": ["much"]}',
        b'{"id": null, "method": "mining.set_difficulty", "params": []}',
        b'{"id": null, "method": "mining.set_extranonce", "params": ["zz", 4]}',
    ],
)
def test_a_line_that_makes_no_sense_is_passed_over(line: bytes) -> None:
    client = connected()
    before = client.job
    assert client.receive_line(line) == "garbage"
    assert client.job is before
    assert told(client, "mining.notify", *NOTIFY) == "job"


@pytest.mark.parametrize("number", ["0", "-1", "NaN", "Infinity", "1e999"])
def test_a_difficulty_that_is_none_is_passed_over(number: str) -> None:
    client = connected()
    client.receive_line(b'{"id": null, "method": "mining.set_difficulty", "params": [%s]}' % number.encode())
    assert told(client, "mining.notify", *NOTIFY) == "job"
    assert client.job is not None
    assert client.job.target == DIFFICULTY_1
