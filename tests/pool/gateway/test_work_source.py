"""From templates to jobs: a salt for every job, latest wins, nothing handed out as new without a node."""

import itertools
from typing import Any

import msgspec

from payouts.plan import Payee, Plan, sole
from pool.gateway.coinbase_outputs import Shape
from pool.gateway.work_source import EPOCH_BYTES, SALT_BYTES, ShapeJudge, Variant, WorkRules, WorkSource
from pool.preflight import extranonce_bytes
from stratum.agents import UNKNOWN
from stratum.jobs import JobBook
from stratum.work.coin import network
from stratum.work.coinbase import Coinbase, build_coinbase, coinbase_cost, decode_outputs
from stratum.work.job import Job
from stratum.work.template import TemplateTransaction
from stratum.work.transaction import Output
from tests.builders import REGTEST, make_template

POOL_SCRIPT = b"\x00\x14" + bytes(20)
MINER_SCRIPT = b"\x00\x14" + b"\x01" * 20
POOL = Variant(None, 700)
OTHER_TIP = bytes(31) + b"\x01"


def make_source(
    chain: str = "regtest", plan: Plan | None = None, shapes: ShapeJudge | None = None
) -> tuple[WorkSource, JobBook]:
    book = JobBook()
    rules = WorkRules(
        network=network("bitcoin", chain),
        tag=b"/test/",
        version_rolling_mask=0x1FFFE000,
        gateway=0x2A,
        epoch=b"\xde\xad\xbe\xef",
    )
    plan = plan or sole(POOL_SCRIPT)
    return WorkSource(rules, book, lambda v: plan if v.payee is None else sole(v.payee), shapes), book


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


# ---------------------------------------------------------------------- coinbases that pay miners


class Judge:
    """Remembers what it was shown and refuses what it is told to."""

    def __init__(self) -> None:
        self.refused: set[Shape] = set()
        self.seen: list[tuple[Shape, Job]] = []

    def is_refused(self, shape: Shape) -> bool:
        return shape in self.refused

    def first_seen(self, shape: Shape, job: Job) -> None:
        self.seen.append((shape, job))


def miners_plan(*weights: int, **fields: Any) -> Plan:
    payees = tuple(
        Payee(b"\x00\x14" + bytes([n]) * 20, weight, f"m{n}") for n, weight in enumerate(weights, 1)
    )
    return Plan(payees=payees, custody=POOL_SCRIPT, generation=4, **fields)


def paid(job: Job | None) -> list[tuple[bytes, int]]:
    assert job is not None
    outputs = decode_outputs(Coinbase(job.coinbase_prefix, job.coinbase_suffix))
    return [(output.script, output.value_sats) for output in outputs if output.value_sats]


def test_the_outputs_are_the_plans_and_sum_to_the_reward() -> None:
    # 5,000,000,001 by weights 1:1:1 is 1,666,666,667 each: three times that is exactly the reward
    source, _ = make_source(plan=miners_plan(1, 1, 1))
    source.new_template(make_template(coinbase_value_sats=5_000_000_001), 0.0, 0.0)
    assert [sats for _, sats in paid(source.current_job(POOL, 0.0))] == [1_666_666_667] * 3


def test_a_job_says_what_it_was_built_from() -> None:
    plan = miners_plan(2, 1)
    source, _ = make_source(plan=plan.stripped)
    source.new_template(make_template(), 0.0, 0.0)
    job = source.current_job(Variant(None, 2250), 0.0)
    assert job is not None
    assert (job.plan_id, job.plan_generation, job.plan_is_stripped) == (plan.id, 4, True)
    assert (job.payee, job.size_class) == (None, 2250)
    solo = source.current_job(Variant(MINER_SCRIPT, 250), 0.0)
    assert solo is not None
    assert (solo.plan_id, solo.payee, solo.size_class) == (None, MINER_SCRIPT, 250)


def test_no_coinbase_is_larger_than_the_firmware_takes_and_a_larger_one_pays_more() -> None:
    source, _ = make_source(plan=miners_plan(*range(200, 0, -1)))
    template = make_template(witness_commitment=bytes.fromhex("6a24aa21a9ed") + bytes(32))
    source.new_template(template, 0.0, 0.0)
    counts = []
    for size_class in (60, 250, 384, 500, 700, 2250, 6500, 16000):
        job = source.current_job(Variant(None, size_class), 0.0)
        outputs = paid(job)
        counts.append(len(outputs))
        assert sum(sats for _, sats in outputs) == template.coinbase_value_sats
        assert job is not None
        cost = coinbase_cost(
            Coinbase(job.coinbase_prefix, job.coinbase_suffix), extranonce_bytes(REGTEST), has_witness=True
        )
        assert cost.size_bytes <= size_class or len(outputs) == 1
        if 1 < len(outputs) < 200:
            assert cost.size_bytes > size_class - 31, "one more output would have fitted"
    # 51 bytes, a script of 32 and the commitment's 47 leave 120 of 250: 3 outputs of 31; 254 of 384: 8; ...
    assert counts == [1, 3, 8, 11, 18, 68, 200, 200]


def test_a_full_block_leaves_room_for_one_output_and_there_always_is_one() -> None:
    source, _ = make_source(plan=miners_plan(3, 2, 1))
    full = TemplateTransaction("00", bytes(32), 0, 0, 3_999_000)
    source.new_template(make_template(transactions=(full,), merkle_branch=(bytes(32),)), 0.0, 0.0)
    # 4,000,000 − 324 − 3,999,000 are 676 weight units, 169 bytes; 83 of them before any output: two of 31
    assert [script for script, _ in paid(source.current_job(POOL, 0.0))] == [
        b"\x00\x14" + b"\x01" * 20,
        POOL_SCRIPT,
    ]
    over = TemplateTransaction("00", bytes(32), 0, 0, 4_100_000)
    source.new_template(make_template(transactions=(over,), merkle_branch=(bytes(32),)), 1.0, 1.0)
    assert paid(source.current_job(POOL, 1.0)) == [(POOL_SCRIPT, 5_000_000_000)]


def test_a_new_plan_is_used_by_the_next_job_and_not_by_those_that_are_out() -> None:
    plans = [miners_plan(1, 1)]
    book = JobBook()
    rules = WorkRules(network("bitcoin", "regtest"), b"/test/", 0x1FFFE000, 0x2A, b"\xde\xad\xbe\xef")
    source = WorkSource(rules, book, lambda _: plans[-1])
    source.new_template(make_template(), 0.0, 0.0)
    before = source.current_job(POOL, 0.0)
    plans.append(miners_plan(3, 1))
    assert source.current_job(POOL, 1.0) is before
    source.renew(28.0)
    # a half each, then three quarters and one
    assert [sats for _, sats in paid(before)] == [2_500_000_000] * 2
    assert [sats for _, sats in paid(source.current_job(POOL, 28.0))] == [3_750_000_000, 1_250_000_000]
    plans.append(plans[-1].stripped)
    source.renew(56.0)
    job = source.current_job(POOL, 56.0)
    assert job is not None
    assert job.plan_is_stripped


def test_the_node_is_shown_each_coinbase_of_several_outputs_and_what_it_refuses_pays_one() -> None:
    judge = Judge()
    source, _ = make_source(plan=miners_plan(2, 1), shapes=judge)
    source.new_template(make_template(), 0.0, 0.0)
    job = source.current_job(POOL, 0.0)
    source.current_job(Variant(MINER_SCRIPT, 700), 0.0)
    assert judge.seen == [(((22, 2),), job)]
    judge.refused.add(((22, 2),))
    source.renew(1.0)
    job = source.current_job(POOL, 1.0)
    assert paid(job) == [(POOL_SCRIPT, 5_000_000_000)]
    assert job is not None
    assert job.plan_id == miners_plan(2, 1).id, "the plan's accounts are owed it"
    assert len(judge.seen) == 1


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
