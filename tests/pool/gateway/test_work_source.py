"""From templates to jobs: a salt for every job, latest wins, nothing handed out as new without a node."""

import itertools

import msgspec

from payouts.plan import Payee, Plan, sole
from pool.gateway.work_source import EPOCH_BYTES, SALT_BYTES, Variant, WorkRules, WorkSource
from pool.preflight import extranonce_bytes
from stratum.agents import UNKNOWN
from stratum.jobs import JobBook
from stratum.work.coin import network
from stratum.work.coinbase import Coinbase, build_coinbase, coinbase_cost, decode_outputs
from stratum.work.transaction import Output
from tests.builders import REGTEST, make_template

POOL_SCRIPT = b"\x00\x14" + bytes(20)
MINER_SCRIPT = b"\x00\x14" + b"\x01" * 20
POOL = Variant(None, 700)
OTHER_TIP = bytes(31) + b"\x01"


def make_source(chain: str = "regtest", plan: Plan | None = None) -> tuple[WorkSource, JobBook]:
    book = JobBook()
    rules = WorkRules(
        network=network("bitcoin", chain),
        tag=b"/test/",
        version_rolling_mask=0x1FFFE000,
        gateway=0x2A,
        epoch=b"\xde\xad\xbe\xef",
    )
    plan = plan or sole(POOL_SCRIPT)
    return WorkSource(rules, book, lambda v: plan if v.payee is None else sole(v.payee)), book


def test_without_a_template_there_is_no_job() -> None:
    source, _ = make_source()
    assert not source.has_work
    assert source.current_job(POOL, 0.0) is None
    assert source.fresh_job(POOL, 0.0) is None


def test_all_sessions_of_a_variant_share_one_job_and_another_variant_has_its_own() -> None:
    source, _ = make_source()
    source.new_template(make_template(), 0.0, 0.0)
    job = source.current_job(POOL, 0.0)
    assert job is not None
    assert source.current_job(Variant(None, 700), 1.0) is job
    solo = source.current_job(Variant(MINER_SCRIPT, 700), 0.0)
    assert solo is not None
    assert solo is not job
    [output] = decode_outputs(Coinbase(solo.coinbase_prefix, solo.coinbase_suffix))
    assert output == Output(value_sats=5_000_000_000, script=MINER_SCRIPT)


def test_job_ids_are_gateway_epoch_and_counter_of_at_most_sixteen_digits() -> None:
    source, _ = make_source()
    source.new_template(make_template(), 0.0, 0.0)
    first, second = source.fresh_job(POOL, 0.0), source.fresh_job(POOL, 0.0)
    assert first is not None
    assert second is not None
    assert (first.id, second.id) == ("2adeadbeef000001", "2adeadbeef000002")


def test_no_two_jobs_have_the_same_coinbase_however_they_came_about() -> None:
    """Firmware restarts extranonce2 with each job: the same coinbase would give the same hashes again."""
    source, _ = make_source()
    template = make_template()
    seen = set()
    for second in range(3):
        source.new_template(template, float(second), float(second))
        source.renew(second + 0.5)
        for variant in (POOL, Variant(None, 250)):
            for job in (source.current_job(variant, second + 0.6), source.fresh_job(variant, second + 0.7)):
                assert job is not None
                seen.add(job.coinbase_prefix)
    assert len(seen) == 12


def test_a_new_previous_hash_is_a_new_tip_and_the_same_one_is_not() -> None:
    source, book = make_source()
    assert source.new_template(make_template(), 0.0, 0.0)
    assert not source.new_template(make_template(coinbase_value_sats=5_000_000_001), 20.0, 20.0)
    assert book.tip == 1
    assert source.new_template(make_template(previous_hash=OTHER_TIP), 30.0, 30.0)
    assert source.new_template(make_template(), 31.0, 31.0), "back to the first tip: its jobs stay stale"
    assert book.tip == 3


def test_the_latest_template_wins() -> None:
    source, _ = make_source()
    source.new_template(make_template(), 0.0, 0.0)
    source.new_template(make_template(previous_hash=OTHER_TIP, height=840_001), 1.0, 1.0)
    job = source.current_job(POOL, 1.0)
    assert job is not None
    assert (job.previous_hash, job.template.height) == (OTHER_TIP, 840_001)


def test_once_no_node_is_left_nothing_is_handed_out_as_new() -> None:
    source, book = make_source()
    source.new_template(make_template(), 0.0, 0.0)
    job = source.current_job(POOL, 0.0)
    assert job is not None
    source.lost()
    assert source.current_job(POOL, 1.0) is None
    assert source.fresh_job(POOL, 1.0) is None
    assert book.find(job.id) is job, "what is out already can still win"
    source.new_template(make_template(), 2.0, 2.0)
    again = source.current_job(POOL, 2.0)
    assert again is not None
    assert again.tip == job.tip, "the same tip: shares of the older job still count"


def test_ntime_is_the_nodes_clock_moved_on() -> None:
    source, _ = make_source()
    template = make_template()
    source.new_template(template, 100.0, 100.0)
    source.renew(130.9)
    job = source.current_job(POOL, 130.9)
    assert job is not None
    assert job.ntime == template.current_time + 30


def test_where_the_bits_depend_on_the_time_ntime_stays_the_templates() -> None:
    source, _ = make_source("testnet4")
    template = make_template()
    source.new_template(template, 100.0, 100.0)
    source.renew(130.9)
    job = source.current_job(POOL, 130.9)
    assert job is not None
    assert job.ntime == template.current_time
    assert job.minimum_difficulty_blocks_by_time


def test_work_is_renewed_when_it_is_old_and_a_node_is_there() -> None:
    source, _ = make_source()
    source.new_template(make_template(), 0.0, 0.0)
    assert not source.is_older_than(30.0, 29.9)
    assert source.is_older_than(30.0, 30.0)
    source.renew(30.0)
    assert not source.is_older_than(30.0, 59.9)
    source.lost()
    assert not source.is_older_than(30.0, 1000.0)


def test_a_variant_that_nobody_mines_on_is_let_go_and_its_job_ages() -> None:
    source, book = make_source()
    source.new_template(make_template(), 0.0, 0.0)
    variants = [Variant(bytes((0, 20)) + bytes([n]) * 20, 700) for n in range(100)]
    for variant in variants:
        source.current_job(variant, 0.0)
    source.forget_unused({variants[0]}, 10.0)
    book.expire(10.0 + 1201.0)
    assert len(book) == 1


def test_the_outputs_are_the_plans_and_sum_to_the_reward() -> None:
    # 5,000,000,001 by weights 1:1:1 is 1,666,666,667 each: three times that is exactly the reward
    payees = tuple(Payee(POOL_SCRIPT[:-1] + bytes([n]), 1) for n in range(3))
    source, _ = make_source(plan=Plan(payees))
    source.new_template(make_template(coinbase_value_sats=5_000_000_001), 0.0, 0.0)
    job = source.current_job(POOL, 0.0)
    assert job is not None
    outputs = decode_outputs(Coinbase(job.coinbase_prefix, job.coinbase_suffix))
    assert [output.value_sats for output in outputs] == [1_666_666_667] * 3


def test_the_longest_coinbase_that_settings_allow_fits_the_smallest_firmware() -> None:
    """NerdMiner cuts each half of a coinbase at 255 bytes; an output to a taproot address is the longest."""
    smallest_bytes = 250
    assert smallest_bytes <= UNKNOWN.coinbase_bytes
    template = make_template(witness_commitment=bytes.fromhex("6a24aa21a9ed") + bytes(32), height=0x7FFFFFFF)
    coinbase = build_coinbase(
        template,
        [Output(value_sats=template.coinbase_value_sats, script=b"\x51\x20" + bytes(32))],
        tag=b"x" * 40,
        uniqueness=bytes(EPOCH_BYTES + SALT_BYTES),
        extranonce_bytes=extranonce_bytes(REGTEST),
    )
    cost = coinbase_cost(coinbase, extranonce_bytes(REGTEST), has_witness=True)
    assert cost.size_bytes <= smallest_bytes


def test_a_template_that_changes_in_its_transactions_only_keeps_older_jobs_alive() -> None:
    source, book = make_source()
    values = itertools.count(5_000_000_000)
    jobs = []
    for second in range(0, 100, 20):
        template = msgspec.structs.replace(make_template(), coinbase_value_sats=next(values))
        source.new_template(template, float(second), float(second))
        jobs.append(source.current_job(POOL, float(second)))
    assert all(job is not None and job.tip == book.tip for job in jobs)
