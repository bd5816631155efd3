"""The share cases of the vectors, through the production path: session, job, header, hash, block.

The vectors' user names are no addresses: USER stands in for them. Their notify lines are the job; what a
template has and a notify line has not (height, mintime, value, transactions) is filled in below, and the
segwit case's template lacks mintime, target, limits and rules: they are filled in as well. Extranonce sizes
come from each vector's subscribe reply, so that the vectors with 4 bytes run with a proof of work of that
size.
"""

from typing import Any

import msgspec
import pytest

from stratum.errors import RejectReason
from stratum.work.block import assemble_block
from stratum.work.byteorder import displayed
from stratum.work.coin import network
from stratum.work.coinbase import Coinbase
from stratum.work.difficulty import (
    SHA256D_DIFFICULTY_1,
    difficulty_from_target,
    share_difficulty,
    target_from_bits,
)
from stratum.work.hashing import sha256d
from stratum.work.job import Job
from stratum.work.merkle import fold_branch
from stratum.work.share import prepare, version_bits_value
from stratum.work.template import Template, parse_template
from tests.builders import SHA256D, USER, FakeOwner, Peer, error_code, make_template
from tests.vectors import JOBS, VECTORS

SHARE_DIFFICULTY = 1 / 32768  # what the vectors call share_target_difficulty


def u32(text: str) -> int:
    return int(text, 16)


def template_of(vector: dict[str, Any]) -> Template:
    params = vector["notify"]["params"]
    ntime = u32(params[7])
    return make_template(
        previous_hash=bytes.fromhex(vector["prevhash_header_internal"]),
        version=u32(params[5]),
        bits=u32(params[6]),
        network_target=target_from_bits(u32(params[6])),
        current_time=ntime,
        minimum_time=ntime,
        merkle_branch=tuple(bytes.fromhex(sibling) for sibling in params[4]),
    )


def job_of(vector: dict[str, Any], template: Template | None = None) -> Job:
    """The vector's notify line as a job; its version-rolling mask is the session's."""
    params = vector["notify"]["params"]
    size = vector["subscribe_reply"]["result"][2]
    return Job(
        template or template_of(vector),
        Coinbase(bytes.fromhex(params[2]), bytes.fromhex(params[3])),
        job_id=params[0],
        tip=1,
        ntime=u32(params[7]),
        received_at=0.0,
        rolling_mask=u32(vector["version_mask"] or "0"),
        proof_of_work=msgspec.structs.replace(SHA256D, extranonce2_size=size),
        chain="bitcoin",
    )


def peer_of(vector: dict[str, Any]) -> Peer:
    """A peer with the vector's extranonce1 and mask that mines on the vector's job at difficulty 1/32768."""
    owner = FakeOwner()
    owner.identities = iter([bytes.fromhex(vector["subscribe_reply"]["result"][1])])
    job = job_of(vector)
    peer = Peer(owner, difficulty=SHARE_DIFFICULTY, proof_of_work=job.proof_of_work)
    peer.session.pace.fix(SHARE_DIFFICULTY)
    if vector["version_mask"]:
        reply = peer.call(
            "mining.configure", ["version-rolling"], {"version-rolling.mask": vector["version_mask"]}
        )
        assert reply["result"]["version-rolling.mask"] == vector["version_mask"]
    peer.handshake()
    peer.announce(job)
    return peer


def params_of(vector: dict[str, Any], **changes: Any) -> list[Any]:
    params = [USER, *vector["submit"]["params"][1:]]
    for key, value in changes.items():
        params[int(key[1:])] = value
    return params


def header_of(vector: dict[str, Any]) -> bytes:
    params = vector["submit"]["params"]
    header = prepare(
        job_of(vector),
        u32(vector["version_mask"] or "0"),
        bytes.fromhex(vector["subscribe_reply"]["result"][1]),
        vector["subscribe_reply"]["result"][2],
        *params[2:5],
        params[5] if len(params) > 5 else None,
    )
    assert isinstance(header, bytes)
    return header


@pytest.mark.parametrize("name", JOBS)
def test_the_subscribe_reply_and_the_notify_line_say_what_the_vector_says(name: str) -> None:
    vector = JOBS[name]
    owner = FakeOwner()
    result = vector["subscribe_reply"]["result"]
    owner.identities = iter([bytes.fromhex(result[1])])
    job = job_of(vector)
    peer = Peer(owner, difficulty=SHARE_DIFFICULTY, proof_of_work=job.proof_of_work)
    reply = peer.call("mining.subscribe", "x")["result"]
    assert reply[1:] == result[1:]
    assert [pair[0] for pair in reply[0]] == [pair[0] for pair in result[0]]
    peer.call("mining.authorize", USER)
    notify = peer.announce(job)[-1]
    assert notify == vector["notify"]


@pytest.mark.parametrize("name", JOBS)
def test_a_submission_becomes_the_vectors_header_and_hash(name: str) -> None:
    vector, expect = JOBS[name], JOBS[name]["expect"]
    header = header_of(vector)
    assert header.hex() == expect["header_hex"]
    assert header[:4][::-1].hex() == expect["header_version"]
    assert header[36:68].hex() == expect["merkle_root_internal"]
    assert displayed(header[36:68]) == expect["merkle_root_display"]
    assert displayed(SHA256D.hash(header)) == expect["hash_display"]
    value = int(expect["hash_display"], 16)
    assert difficulty_from_target(value, SHA256D_DIFFICULTY_1) == expect["share_difficulty"]
    assert (value <= job_of(vector).easiest_block_target) is expect["meets_nbits"]


@pytest.mark.parametrize("name", JOBS)
def test_the_coinbase_halves_make_the_vectors_transaction(name: str) -> None:
    vector, expect = JOBS[name], JOBS[name]["expect"]
    job = job_of(vector)
    extranonce1 = bytes.fromhex(vector["subscribe_reply"]["result"][1])
    extranonce2 = bytes.fromhex(vector["submit"]["params"][2])
    coinbase = job.coinbase_prefix + extranonce1 + extranonce2 + job.coinbase_suffix
    assert coinbase.hex() == expect["coinbase_hex"]
    assert displayed(sha256d(coinbase)) == expect["coinbase_txid"]
    assert fold_branch(sha256d(coinbase), job.branch).hex() == expect["merkle_root_internal"]


@pytest.mark.parametrize("name", JOBS)
def test_the_share_is_accepted_once(name: str) -> None:
    vector = JOBS[name]
    peer = peer_of(vector)
    reply = peer.call("mining.submit", *params_of(vector), request_id=4)
    assert reply == {"id": 4, "result": True, "error": None}
    assert error_code(peer.call("mining.submit", *params_of(vector), request_id=4)) == 22
    expected_blocks = 1 if vector["expect"]["meets_nbits"] else 0
    assert len({c.header for c in peer.owner.candidates}) == expected_blocks


def test_the_unpadded_nonce_is_a_duplicate_of_the_padded_one() -> None:
    peer = peer_of(JOBS["legacy_5_params_ntime_rolled"])
    padded = params_of(JOBS["legacy_5_params_ntime_rolled"])
    unpadded = params_of(JOBS["lenient_nonce_unpadded"])
    assert peer.call("mining.submit", *padded)["result"] is True
    assert error_code(peer.call("mining.submit", *unpadded)) == 22


@pytest.mark.parametrize("vector", VECTORS["negative_submits"], ids=lambda v: v["why"])
def test_a_mutated_submission_gets_the_vectors_code(vector: dict[str, Any]) -> None:
    base = JOBS[vector["base"]]
    peer = peer_of(base)
    params = params_of(base)
    mutation = vector["mutate"]
    if "repeat" in mutation:
        peer.call("mining.submit", *params)
    elif "drop" in mutation:
        params = params[: int(mutation["drop"][7:-1])]
    else:
        for key, value in mutation.items():
            params[int(key[7:-1])] = value
    assert error_code(peer.call("mining.submit", *params)) == vector["expect_code"]


def test_with_the_mask_cleared_from_the_jobs_version_all_readings_of_the_sixth_parameter_agree() -> None:
    """The vector shows how they differ otherwise; a job of ours never has a bit inside the mask."""
    vector = VECTORS["version_bits_semantics"]
    mask, hashed = u32(vector["mask"]), u32(vector["header_version_hashed"])
    for reading in vector["interpretations"]:
        bits = u32(reading["version_bits_param"])
        job_version = u32(vector["job_version"])
        # BIP 310, as prepare does it, on the vector's own version: the vector's column
        assert f"{(job_version & ~mask) | (bits & mask):08x}" == reading["bip310_replace"]
    job = job_of(
        {**JOBS["version_rolling_one_bit"], "version_mask": vector["mask"]},
        make_template(version=u32(vector["job_version"])),
    )
    assert job.version & mask == 0
    wanted = hashed & mask
    assert job.version | wanted == job.version ^ wanted == (job.version & ~mask) | wanted
    header = prepare(job, mask, bytes(4), 8, "00" * 8, f"{job.ntime:08x}", vector["nonce"], f"{wanted:08x}")
    assert isinstance(header, bytes)
    assert header[:4][::-1].hex() == vector["header_version_hashed"]


@pytest.mark.parametrize("vector", VECTORS["u32_fields"], ids=lambda v: v["field"])
def test_u32_fields_are_numbers_on_the_wire_and_little_endian_in_the_header(vector: dict[str, Any]) -> None:
    base = JOBS["legacy_5_params_ntime_rolled"]
    changed = {"version": 5, "nbits": 6, "ntime": 7}
    params = list(base["notify"]["params"])
    if vector["field"] in changed:
        params[changed[vector["field"]]] = vector["stratum_hex"]
    notify = {**base["notify"], "params": params}
    job = job_of({**base, "notify": notify})
    ntime = vector["stratum_hex"] if vector["field"] == "ntime" else params[7]
    nonce = vector["stratum_hex"] if vector["field"] == "nonce" else "00000000"
    header = prepare(job, 0, bytes(4), 4, "00000000", ntime, nonce, None)
    assert isinstance(header, bytes)
    place = {"version": 0, "ntime": 68, "nbits": 72, "nonce": 76}[vector["field"]]
    assert header[place : place + 4].hex() == vector["header_bytes"]
    assert version_bits_value(vector["stratum_hex"]) == vector["value"]


def test_extranonce2_is_opaque_however_a_miner_counts() -> None:
    vectors = VECTORS["extranonce2_counter_encodings"]
    job = job_of(JOBS["legacy_5_params_ntime_rolled"])
    roots = set()
    for name, text in vectors.items():
        if not name.endswith("size4"):
            continue
        header = prepare(job, 0, bytes(4), 4, text, f"{job.ntime:08x}", "00000000", None)
        assert isinstance(header, bytes)
        coinbase = job.coinbase_prefix + bytes(4) + bytes.fromhex(text) + job.coinbase_suffix
        assert header[36:68] == fold_branch(sha256d(coinbase), job.branch)
        roots.add(header[36:68])
    assert len(roots) == 2
    long = vectors["little_endian_counter_258_size8"]
    assert prepare(job, 0, bytes(4), 4, long, "00000000", "00000000", None) is RejectReason.BAD_EXTRANONCE2
    assert isinstance(prepare(job, 0, bytes(4), 8, long, "00000000", "00000000", None), bytes)


def test_the_segwit_block_is_assembled_byte_for_byte() -> None:
    vector = JOBS["segwit_commitment_block"]
    answer = {
        **vector["template"],
        "transactions": [
            {**tx, "fee": 0, "sigops": 1, "weight": 400} for tx in vector["template"]["transactions"]
        ],
        "rules": ["csv", "!segwit", "taproot"],
        "target": f"{target_from_bits(u32(vector['template']['bits'])):064x}",
        "mintime": vector["template"]["curtime"] - 1,
        "sigoplimit": 80000,
        "sizelimit": 4000000,
        "weightlimit": 4000000,
    }
    template = parse_template(msgspec.json.encode(answer), network("bitcoin", "regtest"))
    assert [sibling.hex() for sibling in template.merkle_branch] == vector["notify"]["params"][4]
    assert displayed(template.previous_hash) == vector["prevhash_display"]
    block = assemble_block(
        bytes.fromhex(vector["expect"]["header_hex"]),
        bytes.fromhex(vector["expect"]["coinbase_hex"]),
        template,
    )
    assert vector["coinbase_with_witness_hex"] in block.hex()
    assert block.hex() == vector["submitblock_hex"]
    assert displayed(sha256d(block[:80])) == vector["block_hash_display"]


def test_the_vectors_share_target_is_the_one_of_its_difficulty() -> None:
    share = share_difficulty(SHARE_DIFFICULTY, SHA256D_DIFFICULTY_1)
    for vector in JOBS.values():
        if "share_target_difficulty" in vector:
            assert vector["share_target_difficulty"] == "1/32768"
            assert int(vector["expect"]["hash_display"], 16) <= share.target
