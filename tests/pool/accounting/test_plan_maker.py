"""Plans for coinbases: the window's weights, and what is owed once in each generation."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from payouts.block_credit import credit_of
from payouts.coinbase import Room, dues, outputs_of
from payouts.plan import Fee, Payee, Plan, decode_plan
from pool.accounting import blocks, journal_entries
from pool.accounting.ledger import OPERATOR
from pool.accounting.plan_maker import PlanMaker, PlanRules
from pool.gateway.plan_file import PLAN_FILE, look_at_plan
from stratum.work.address import parse_address
from stratum.work.coin import network
from tests.pool.accounting.building import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    EPOCH,
    ERIN,
    HOUR_US,
    NOW_US,
    SOURCE,
    Accounts,
    accounts_in,
)

pytestmark = pytest.mark.usefixtures("either_database")

REGTEST = network("bitcoin", "regtest")
NETWORK_WORK = 1_000
NETWORK_TARGET = f"{2**256 // NETWORK_WORK - 1:064x}"  # 2^256 // (target + 1) = 1,000


def script(address: str) -> bytes:
    return parse_address(address, REGTEST).script


CUSTODY = script(ERIN)
RULES = PlanRules(
    scheme="pplns",
    custody=CUSTODY,
    fees=(),
    multiple=2,
    max_days=30,
    unfilled="normalise",
    slot_seconds=10,
    remainder="custody",
    minimum_output_sats=500,
    most_outputs=100,
    dust_sats_per_kvb=3_000,
)


class Planning:
    """Accounts with one source that was applied until now, and the production maker."""

    def __init__(self, made: Accounts) -> None:
        self.made = made
        self.file = made.directory / PLAN_FILE
        self.follow(RULES)

    def follow(self, rules: PlanRules) -> None:
        self.maker = PlanMaker(self.made.database, REGTEST, rules, self.file)

    async def see_template(self) -> None:
        async with self.made.database.writing() as writer:
            await writer.execute(
                "INSERT INTO template_height (height, subsidy_sats, fees_sats, network_target, at_us) "
                "VALUES (900, 5000000000, 0, ?, ?)",
                *(NETWORK_TARGET, NOW_US),
            )

    async def publish(self) -> Plan:
        found = await self.maker.publish(self.made.now_us)
        assert found is not None
        assert self.published() == found
        return found

    def published(self) -> Plan | None:
        """What a gateway reads."""
        news = look_at_plan(self.file, None, None)
        return None if news is None else news.plan

    async def stored(self) -> dict[str, Plan]:
        async with self.made.database.reading() as reader:
            rows = await reader.rows("SELECT id, document FROM plan")
        return {number: decode_plan(document) for number, document in rows}

    async def candidate(self, tag: int = 1) -> str:
        """A block of ours that no node has been asked of yet."""
        new = blocks.NewBlock(
            hash=f"{tag:064x}",
            height=901,
            previous_hash="aa" * 32,
            found_us=NOW_US,
            slot=NOW_US // 1_000_000,
            account_id=None,
            worker="rig",
            job_id="1",
            plan_id=None,
            coinbase=b"\x01",
            network_target=NETWORK_TARGET,
            reward_sats=1_000,
        )
        async with self.made.database.writing() as writer:
            await blocks.record(writer, new, NOW_US)
        return new.hash


@pytest.fixture
async def planning(tmp_path: Path) -> AsyncIterator[Planning]:
    async with accounts_in(tmp_path) as made:
        await made.source(mark=41)
        found = Planning(made)
        await found.see_template()
        yield found


def weights(plan: Plan) -> dict[str, int]:
    return {payee.account: payee.weight for payee in plan.payees}


def carried(plan: Plan) -> dict[str, int]:
    parts: tuple[Payee | Fee, ...] = (*plan.payees, *plan.fees)
    return {one.account: one.carry_over_sats for one in parts if one.carry_over_sats}


# ---------------------------------------------------------------------- weights


async def test_before_the_first_template_there_is_no_plan(tmp_path: Path) -> None:
    async with accounts_in(tmp_path) as made:
        await made.source()
        await made.work(ALICE, 100)
        planning = Planning(made)
        assert await planning.maker.publish(NOW_US) is None
        assert planning.published() is None
        assert await planning.stored() == {}


async def test_weights_are_the_work_in_the_window(planning: Planning) -> None:
    await planning.made.work(ALICE, 300, seconds_ago=60)
    await planning.made.work(BOB, 500, seconds_ago=120)
    await planning.made.work(ALICE, 200, seconds_ago=4_000)
    plan = await planning.publish()
    assert weights(plan) == {ALICE: 500, BOB: 500}
    assert [payee.script for payee in plan.payees] == [script(one) for one in sorted((ALICE, BOB))]


async def test_the_slot_on_the_edge_counts_in_proportion(planning: Planning) -> None:
    """N is 2 × 1,000. 1,500 are newer; of the slot of 2,000 on the edge 500 are missing: all else × 2,000,
    that slot × 500. What is older is outside."""
    await planning.made.work(ALICE, 1_500, seconds_ago=60)
    await planning.made.work(BOB, 2_000, seconds_ago=7_200)
    await planning.made.work(CAROL, 9_000, seconds_ago=8_000)
    plan = await planning.publish()
    assert weights(plan) == {ALICE: 1_500 * 2_000, BOB: 2_000 * 500}


async def test_nothing_older_than_the_most_days_counts(planning: Planning) -> None:
    planning.follow(msgspec.structs.replace(RULES, max_days=1))
    await planning.made.work(ALICE, 10, seconds_ago=86_000)
    await planning.made.work(BOB, 10, seconds_ago=87_000)
    assert weights(await planning.publish()) == {ALICE: 10}


async def test_a_window_that_is_not_full_leaves_the_rest_to_the_operator_where_that_is_agreed(
    planning: Planning,
) -> None:
    planning.follow(msgspec.structs.replace(RULES, unfilled="operator"))
    await planning.made.work(ALICE, 300)
    plan = await planning.publish()
    assert weights(plan) == {ALICE: 300, OPERATOR: 1_700}
    assert [one.script for one in plan.payees if one.account == OPERATOR] == [CUSTODY]


async def test_where_nobody_has_worked_the_operator_is_paid(planning: Planning) -> None:
    for scheme in ("pplns", "proportional"):
        planning.follow(msgspec.structs.replace(RULES, scheme=scheme))
        plan = await planning.publish()
        assert [(one.account, one.script, one.weight) for one in plan.payees] == [(OPERATOR, CUSTODY, 1)]


async def test_a_round_is_the_work_since_the_last_block_that_stands(planning: Planning) -> None:
    planning.follow(msgspec.structs.replace(RULES, scheme="proportional"))
    planning.made.now_us -= 100 * 1_000_000
    block = await planning.made.block(ALICE, reward_sats=1_000)
    planning.made.now_us = NOW_US
    await planning.made.work(ALICE, 70, seconds_ago=200)
    await planning.made.work(BOB, 30, seconds_ago=50)
    assert weights(await planning.publish()) == {BOB: 30}
    await planning.made.go(block, blocks.ORPHANED)
    assert weights(await planning.publish()) == {ALICE: 70, BOB: 30}


async def test_a_plan_says_how_far_frames_were_counted_and_by_which_rules(planning: Planning) -> None:
    fee = (DAVE, script(DAVE), 150)
    planning.follow(msgspec.structs.replace(RULES, fees=(fee,), remainder="advance"))
    await planning.made.work(ALICE, 1)
    plan = await planning.publish()
    assert plan.marks == ((f"{SOURCE}/{EPOCH}", 41),)
    assert plan.fees == (Fee(script(DAVE), 150, DAVE, 0),)
    assert (plan.custody, plan.remainder, plan.minimum_output_sats) == (CUSTODY, "advance", 500)
    assert (plan.most_outputs, plan.dust_sats_per_kvb) == (100, 3_000)


async def test_a_payee_change_in_effect_is_honoured_and_one_that_waits_is_not(planning: Planning) -> None:
    made = planning.made
    await made.work(ALICE, 1)
    body = journal_entries.PayeeChanged(
        account=ALICE,
        address=DAVE,
        minimum_sats=None,
        requested_us=NOW_US,
        effective_us=NOW_US + HOUR_US,
        proof="op",
    )
    await made.changes.make(body, NOW_US)
    assert [(one.account, one.script) for one in (await planning.publish()).payees] == [
        (ALICE, script(ALICE))
    ]
    await made.later(hours=1)
    assert [(one.account, one.script) for one in (await planning.publish()).payees] == [(ALICE, script(DAVE))]


async def test_a_fee_recipient_that_mines_is_owed_once(planning: Planning) -> None:
    planning.follow(msgspec.structs.replace(RULES, fees=((ALICE, script(ALICE), 100),)))
    await planning.made.work(ALICE, 5)
    await planning.made.work(BOB, 5)
    await planning.made.earn(ALICE, 700)
    plan = await planning.publish()
    assert weights(plan) == {ALICE: 5, BOB: 5}
    assert [fee.carry_over_sats for fee in plan.fees] == [700]
    assert [payee.carry_over_sats for payee in plan.payees] == [0, 0]


async def test_of_more_accounts_than_a_plan_may_have_those_stay_to_whom_most_is_due(
    planning: Planning, caplog: pytest.LogCaptureFixture
) -> None:
    """Reward 5·10^9. Work 3 : 3 : 2 of 8: alice and bob 1.875·10^9 each, carol 1.25·10^9. Dave is owed
    1.5·10^9 and has left. With the operator's line three have room, and carol's work is the operator's."""
    made = planning.made
    for account, work in ((ALICE, 300), (BOB, 300), (CAROL, 200)):
        await made.work(account, work)
    await made.earn(DAVE, 1_500_000_000)
    planning.maker = PlanMaker(made.database, REGTEST, RULES, planning.file, most_payees=4)
    plan = await planning.publish()
    assert weights(plan) == {ALICE: 300, BOB: 300, CAROL: 200, DAVE: 0}
    assert caplog.messages == [], "four have room"
    await made.earn(ERIN, 1)
    for _ in range(2):
        plan = await planning.publish()
    assert weights(plan) == {ALICE: 300, BOB: 300, DAVE: 0, OPERATOR: 200}
    assert carried(plan) == {DAVE: 1_500_000_000}
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("5 accounts would be paid by a coinbase, and a plan has 4 at most")


# ---------------------------------------------------------------------- carry-over and generation


async def test_what_is_owed_is_carried_over_mature_or_not_also_to_those_who_have_left(
    planning: Planning,
) -> None:
    made = planning.made
    await made.work(ALICE, 1)
    await made.earn(BOB, 700)
    block = await made.block(ALICE, reward_sats=400)
    await made.settle(block, {ALICE: 300, OPERATOR: 100})
    plan = await planning.publish()
    assert carried(plan) == {ALICE: 300, BOB: 700}
    assert weights(plan) == {ALICE: 1, BOB: 0}


async def test_who_was_paid_too_much_carries_that_over_too(planning: Planning) -> None:
    await planning.made.work(ALICE, 1)
    body = journal_entries.Correction(
        account=ALICE, against=OPERATOR, pot="balance", sats=-250, reason="as an advance"
    )
    await planning.made.changes.make(body, NOW_US)
    assert carried(await planning.publish()) == {ALICE: -250}


async def test_nothing_is_carried_over_while_a_block_is_undecided(planning: Planning) -> None:
    made = planning.made
    await made.work(ALICE, 1)
    await made.earn(BOB, 700)
    generation = (await planning.publish()).generation
    block_hash = await planning.candidate()
    plan = await planning.publish()
    assert carried(plan) == {}
    assert plan.generation == generation
    await made.go(block_hash, blocks.ACCEPTED)
    assert carried(await planning.publish()) == {}  # accepted and not settled: it may have paid that already
    await made.settle(block_hash, {BOB: -700, ALICE: 1_000, OPERATOR: 700})
    plan = await planning.publish()
    assert carried(plan) == {ALICE: 1_000}
    assert plan.generation == generation + 1


async def test_nothing_is_carried_over_while_a_mature_block_is_not_settled(planning: Planning) -> None:
    await planning.made.earn(BOB, 700)
    block_hash = await planning.made.block(ALICE, reward_sats=1_000)
    await planning.made.mature(block_hash)
    assert carried(await planning.publish()) == {}


async def test_the_generation_rises_when_a_block_was_decided_upon_and_at_no_other_time(
    planning: Planning,
) -> None:
    made = planning.made
    await made.work(ALICE, 1)
    seen = [(await planning.publish()).generation]

    async def rise() -> int:
        seen.append((await planning.publish()).generation)
        return seen[-1] - seen[-2]

    assert seen == [1]
    await made.work(BOB, 5)
    assert await rise() == 0  # newer weights
    one = await planning.candidate(1)
    assert await rise() == 0
    await made.go(one, blocks.ACCEPTED)
    assert await rise() == 0
    await made.settle(one, {ALICE: 1_000})
    assert await rise() == 1  # credited
    await made.go(one, blocks.MATURE)
    assert await rise() == 0
    await made.go(one, blocks.ORPHANED)
    assert await rise() == 1
    await made.go(one, blocks.ACCEPTED)
    assert await rise() == 1  # back again
    await made.go(one, blocks.MATURE)
    assert await rise() == 0
    two = await planning.candidate(2)
    await made.go(two, blocks.REFUSED)
    assert await rise() == 1
    await made.go(two, blocks.ACCEPTED)
    await made.settle(two, {ALICE: 1_000})
    assert await rise() == 1
    await made.earn(BOB, 500)  # three changes, one decision: credited
    assert await rise() == 1


async def test_plans_of_one_generation_that_carry_over_carry_the_same(planning: Planning) -> None:
    """Whatever happens in between: what a generation carries is to be paid once."""
    made = planning.made
    await made.work(ALICE, 1)
    by_generation: dict[int, dict[str, int]] = {}
    steps: list[Any] = [
        lambda: made.earn(BOB, 700),
        lambda: made.work(CAROL, 3),
        lambda: planning.candidate(1),
        lambda: made.go(f"{1:064x}", blocks.REFUSED),
        lambda: made.earn(ALICE, 50),
        lambda: planning.candidate(2),
        lambda: made.go(f"{2:064x}", blocks.ACCEPTED),
        lambda: made.settle(f"{2:064x}", {ALICE: 100, BOB: 30}),
        lambda: made.go(f"{2:064x}", blocks.ORPHANED),
        lambda: made.go(f"{2:064x}", blocks.ACCEPTED),
        lambda: made.go(f"{2:064x}", blocks.MATURE),
    ]
    for step in steps:
        await step()
        plan = await planning.publish()
        if carried(plan):
            assert by_generation.setdefault(plan.generation, carried(plan)) == carried(plan)
    assert len(by_generation) >= 4


# ---------------------------------------------------------------------- holds


async def held(planning: Planning, scope: str, kind: str = "operator") -> Plan:
    body = journal_entries.HoldPlaced(scope=scope, hold_kind=kind, reason="the key was stolen")
    await planning.made.changes.make(body, NOW_US)
    return await planning.publish()


def paid_by(plan: Plan) -> dict[bytes, int]:
    """What a coinbase of 1,000 pays by it."""
    room = Room(size_bytes=10_000, weight=10_000, sigop_cost=10_000)
    return dict(outputs_of(plan, dues(plan, 1_000), room, lambda script: 0))


@pytest.mark.parametrize("remainder", ["custody", "advance"])
async def test_an_account_on_hold_gets_no_output_and_is_owed_its_share(
    planning: Planning, remainder: Literal["custody", "advance"]
) -> None:
    planning.follow(
        msgspec.structs.replace(RULES, remainder=remainder, minimum_output_sats=0, dust_sats_per_kvb=0)
    )
    await planning.made.work(ALICE, 3)
    await planning.made.work(BOB, 1)
    await planning.made.earn(BOB, 100)
    plan = await held(planning, BOB)
    assert weights(plan) == {ALICE: 3, BOB: 1}
    assert paid_by(plan) == {script(ALICE): 750, CUSTODY: 250}
    credited = credit_of(plan, 1_000, list(paid_by(plan).items()))
    assert {line.account: line.owed_sats for line in credited.credits} == {ALICE: 0, BOB: 350}


async def test_what_a_person_holds_is_not_paid_at_all_and_comes_later(planning: Planning) -> None:
    planning.follow(msgspec.structs.replace(RULES, minimum_output_sats=0, dust_sats_per_kvb=0))
    await planning.made.work(ALICE, 3)
    await planning.made.earn(BOB, 100)
    plan = await held(planning, "all")
    assert (paid_by(plan), carried(plan)) == ({CUSTODY: 1_000}, {})
    body = journal_entries.HoldReleased(scope="all", hold_kind="operator", reason="it is found")
    await planning.made.changes.make(body, NOW_US)
    assert carried(await planning.publish()) == {BOB: 100}


@pytest.mark.parametrize("kind", ["restored", "ledger", "solvency"])
async def test_while_the_accounts_are_in_doubt_shares_are_paid_and_nothing_of_before(
    planning: Planning, kind: str
) -> None:
    planning.follow(msgspec.structs.replace(RULES, minimum_output_sats=0, dust_sats_per_kvb=0))
    await planning.made.work(ALICE, 3)
    await planning.made.earn(BOB, 100)
    plan = await held(planning, "all", kind)
    assert (paid_by(plan), carried(plan)) == ({script(ALICE): 1_000}, {})


async def test_a_wallet_that_is_short_is_no_matter_of_coinbases(planning: Planning) -> None:
    await planning.made.work(ALICE, 3)
    await planning.made.earn(BOB, 100)
    assert carried(await held(planning, "all", "wallet")) == {BOB: 100}


# ---------------------------------------------------------------------- stored, then published


async def test_a_plan_is_stored_under_its_id_before_a_gateway_can_see_it(planning: Planning) -> None:
    await planning.made.work(ALICE, 1)
    plan = await planning.publish()
    assert await planning.stored() == {plan.id: plan}


async def test_a_crash_between_storing_and_publishing_leaves_the_plan_before(planning: Planning) -> None:
    await planning.made.work(ALICE, 1)
    first = await planning.publish()
    await planning.made.work(BOB, 1)
    beside = planning.file.with_name(planning.file.name + ".part")
    beside.mkdir()  # the file cannot be written
    with pytest.raises(OSError, match="directory"):
        await planning.maker.publish(NOW_US)
    assert planning.published() == first
    stored = await planning.stored()
    assert len(stored) == 2
    assert first.id in stored
    beside.rmdir()
    assert (await planning.publish()).id in stored


async def test_the_same_plan_is_published_again_with_the_same_id_and_a_younger_file(
    planning: Planning,
) -> None:
    await planning.made.work(ALICE, 1)
    first = await planning.publish()
    status = planning.file.stat()
    planning.made.now_us += 5
    assert (await planning.publish()).id == first.id
    assert planning.file.stat().st_ino != status.st_ino
    async with planning.made.database.reading() as reader:
        assert await reader.rows("SELECT created_us FROM plan") == [(NOW_US + 5,)]


async def test_a_database_that_cannot_be_written_publishes_nothing(planning: Planning) -> None:
    await planning.made.work(ALICE, 1)
    first = await planning.publish()
    await planning.made.work(BOB, 1)
    async with planning.made.database.writing() as writer:
        await writer.execute("ALTER TABLE plan RENAME TO plan_away")
    with pytest.raises(Exception, match="plan"):
        await planning.maker.publish(NOW_US)
    assert planning.published() == first
