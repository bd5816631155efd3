"""A block whose plan is lost: its file may still know it, else it waits for a person and holds up nobody."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from config.schema import Settings
from payouts.plan import Payee, Plan
from pool.accounting import assembly, blocks, ledger
from pool.accounting.agreements import Since, agreement_of
from pool.accounting.control import Refused
from pool.accounting.evidence import gather
from pool.accounting.hand_settling import HandSettling
from pool.accounting.intake import CaughtUp
from pool.accounting.journal_entries import BlockLeftOpen
from pool.accounting.ledger import OPERATOR
from pool.accounting.plan_store import delete_plans, plan_path, store_plan
from pool.accounting.rebuild import rebuild
from pool.accounting.requests import AdoptedPart, SettledPart, SettleRequest
from pool.accounting.rewards import Rewards
from pool.accounting.settling import settled_as_stated
from pool.accounting.statements import Statements
from pool.audit import statement as audit
from pool.audit.keys import open_signing_key
from pool.audit.recompute import recompute
from pool.commands.statement_text import statement_lines
from stratum.work.address import parse_address
from stratum.work.coin import network
from tests.pool.accounting.building import ALICE, BOB, CAROL, DAVE, ERIN, Accounts, accounts_in
from tests.pool.accounting.pool_of import pool_of, settings_of
from tests.pool.accounting.test_plan_maker import RULES, PlanMaker, carried
from tests.pool.accounting.test_rewards import ADDRESS, PLAN, REWARD, found_on_plan
from tests.pool.accounting.test_rewards import ALICE as ALICE_NAME
from tests.pool.accounting.test_rewards import BOB as BOB_NAME

pytestmark = pytest.mark.usefixtures("either_database")

REGTEST = network("bitcoin", "regtest")
LOST = "ab" * 32
HOUR_US = 3_600 * 1_000_000


def script(address: str) -> bytes:
    return parse_address(address, REGTEST).script


def coinbase(*outputs: tuple[str, int]) -> str:
    """A transaction of one input, by hand, in hex."""
    paid = b"".join(
        sats.to_bytes(8, "little") + bytes([len(script(address))]) + script(address)
        for address, sats in outputs
    )
    start = b"\x01\x00\x00\x00\x01" + bytes(32) + b"\xff" * 4 + b"\x01\x51" + b"\xff" * 4
    return (start + bytes([len(outputs)]) + paid + bytes(4)).hex()


# 600 to alice, 150 to bob, 200 to the pool's own address, 50 to somebody who has no account
COINBASE = coinbase((ALICE, 600), (BOB, 150), (ERIN, 200), (DAVE, 50))
GIVEN = ((ALICE, 500), (BOB, 300), (OPERATOR, 200))


class Books:
    """Accounts with rewards and a person who settles."""

    def __init__(self, made: Accounts) -> None:
        self.made = made
        settings = settings_of(made.directory, method="coinbase", address=ERIN)
        past = assembly.Past((Since(0, agreement_of(settings)),))
        key = open_signing_key(made.directory)
        statements = Statements(made.directory, assembly.statement_rules(settings, past), key)
        rules = assembly.reward_rules(settings, REGTEST, past)
        self.rewards = Rewards(made.database, made.changes, statements, rules)
        self.person = HandSettling(made.changes, statements, REGTEST, script(ERIN))
        self.planner = PlanMaker(made.database, REGTEST, RULES, made.directory / "plan.json")

    async def settle_due(self) -> int:
        """Long after every wait is over."""
        self.made.now_us += 2 * HOUR_US
        caught_up = CaughtUp(self.made.now_us - 2 * HOUR_US, self.made.now_us)
        return await self.rewards.settle_due(self.made.now_us, caught_up)

    async def left_open(self, **changes: Any) -> str:
        """A block on a lost plan that has been given up."""
        facts: dict[str, Any] = {"reward_sats": 1_000, "plan_id": LOST, "coinbase": COINBASE}
        block = await self.made.block(ALICE, **(facts | changes))
        await self.settle_due()
        return block

    async def settle(self, block: str, *parts: tuple[str, int]) -> tuple[SettledPart, ...]:
        given = tuple(AdoptedPart(account=account, sats=sats) for account, sats in parts)
        request = SettleRequest(block_hash=block, parts=given, reason="by the gateway's log")
        return await self.person.settle(request, self.made.now_us)

    async def plan(self) -> Plan:
        plan = await self.planner.publish(self.made.now_us)
        assert plan is not None
        return plan


@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    async with accounts_in(tmp_path) as made:
        await made.work(ALICE, 3_000_000, seconds_ago=600)
        await made.work(BOB, 1_000_000, seconds_ago=600)
        async with made.database.writing() as writer:
            await writer.execute(
                "INSERT INTO template_height (height, subsidy_sats, fees_sats, network_target, at_us) "
                "VALUES (900, 5000000000, 0, ?, ?)",
                *("00" * 4 + "ff" * 28, made.now_us),
            )
        yield Books(made)


# ---------------------------------------------------------------------- plans as files


async def counted_again(settings: Settings) -> list[str]:
    told: list[str] = []
    return await rebuild(settings, told.append, lambda done, total: None) + told


async def test_a_plan_that_only_its_file_knows_still_divides_its_block(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, method="coinbase", address=ADDRESS)
    async with pool_of(settings) as pool:
        await store_plan(tmp_path / "plans", PLAN)
        outputs = ((ALICE_NAME.script, 3_875_000_000), (BOB_NAME.script, 1_125_000_000))
        await found_on_plan(pool, *outputs, is_known=False)
        assert await pool.settle(5) == 1
        assert await pool.owed() == {"@mined": -REWARD, "@paid": REWARD}
    assert await counted_again(settings) == []


async def test_a_plan_file_that_is_damaged_is_none_until_it_is_put_right(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path, method="coinbase", address=ADDRESS)) as pool:
        await store_plan(tmp_path / "plans", PLAN)
        path = plan_path(tmp_path / "plans", PLAN.id)
        document = path.read_bytes()
        path.write_bytes(document.replace(b'"alice"', b'"carol"'))
        outputs = ((ALICE_NAME.script, 3_875_000_000), (BOB_NAME.script, 1_125_000_000))
        await found_on_plan(pool, *outputs, is_known=False)
        assert await pool.settle(5) == 0
        path.write_bytes(document)
        assert await pool.settle(6) == 1, "what was left open is divided by its own plan when that is back"


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


async def test_a_plan_that_cannot_be_read_leaves_its_block_open(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path, method="coinbase", address=ADDRESS)) as pool:
        await pool.execute(
            "INSERT INTO plan (id, generation, created_us, document) VALUES (?, 1, 0, ?)", PLAN.id, b"{}"
        )
        await found_on_plan(pool, (ALICE_NAME.script, REWARD), is_known=False)
        assert await pool.settle(5) == 0
        assert len(await pool.rows("SELECT hash FROM block_left_open")) == 1


async def test_old_plan_files_go_but_for_those_that_are_named(tmp_path: Path) -> None:
    plans = [Plan(payees=(Payee(b"\x51", n, "a"),), custody=b"\x51", generation=1) for n in (1, 2)]
    for plan in plans:
        await store_plan(tmp_path, plan)
    (tmp_path / "notes.json").write_text("an operator's own")
    assert delete_plans(tmp_path, 1, ()) == 0, "they are younger"
    assert delete_plans(tmp_path, 2**62, {plans[0].id}) == 1
    assert names(tmp_path) == {f"{plans[0].id}.json", "notes.json"}
    assert delete_plans(tmp_path / "nowhere", 2**62, ()) == 0


# ---------------------------------------------------------------------- left open


async def test_a_block_that_nobody_can_divide_is_left_open_once_and_the_others_go_on(books: Books) -> None:
    block = await books.left_open()
    later = await books.made.block(BOB, reward_sats=400)
    await books.settle_due()
    await books.settle_due()
    entries = [one for one in books.made.entries() if isinstance(one, BlockLeftOpen)]
    assert [one.hash for one in entries] == [block]
    assert LOST in entries[0].reason
    async with books.made.database.reading() as reader:
        assert await reader.rows("SELECT hash FROM settlement") == [(later,)]
        assert await ledger.faults(reader) == []


async def test_what_an_open_block_may_have_paid_is_not_carried_over_and_plans_go_on(books: Books) -> None:
    await books.made.earn(ALICE, 700)
    await books.made.earn(BOB, 40)
    await books.made.earn(CAROL, 9)
    first = await books.plan()
    block = await books.left_open()
    plan = await books.plan()
    # 600 of alice's 700 may have been paid, all of bob's 40, and nothing of carol's
    assert carried(plan) == {ALICE: 100, CAROL: 9}
    assert plan.generation == first.generation + 1
    await books.settle(block, *GIVEN)
    # alice: 700 + 500 − 600, bob: 40 + 300 − 150
    assert carried(await books.plan()) == {ALICE: 600, BOB: 190, CAROL: 9}


# ---------------------------------------------------------------------- settled by hand


async def test_what_was_earned_is_given_and_what_was_paid_is_read_from_the_block(books: Books) -> None:
    block = await books.left_open()
    made = await books.settle(block, *GIVEN)
    assert made == (
        SettledPart(account=ALICE, earned_sats=500, paid_sats=600),
        SettledPart(account=BOB, earned_sats=300, paid_sats=150),
        # its own 200 lie at the pool's address; the 50 to a stranger were its doing
        SettledPart(account=OPERATOR, earned_sats=200, paid_sats=250),
    )
    expected = {ALICE: -100, BOB: 150, OPERATOR: -50, ledger.MINED: -1_000, ledger.PAID: 1_000}
    assert await books.made.balances() == expected
    assert await books.settle_due() == 0
    await books.made.mature(block)
    assert await books.made.balances() == expected
    await books.made.go(block, blocks.ORPHANED)
    assert await books.made.balances() == {}
    async with books.made.database.reading() as reader:
        assert await ledger.faults(reader) == []


async def test_its_statement_is_signed_follows_from_what_was_given_and_says_by_whom(books: Books) -> None:
    block = await books.left_open()
    await books.settle(block, *GIVEN)
    [path] = (books.made.directory / "statements").glob("*.json")
    statement = audit.decode(path.read_bytes())
    [warning] = audit.verify(statement, None)  # raises where it is not what was signed
    assert "shows that it is whole" in warning
    assert "by hand   by the gateway's log" in list(statement_lines(statement))
    evidence = gather(statement.body, None, (), lambda done, total: None)
    assert evidence.notes == ("it was divided by hand (by the gateway's log): shares say nothing of that",)
    assert recompute(statement.body, evidence.spans, settled_as_stated).differences == ()


async def test_an_empty_database_has_it_from_the_journal(books: Books, tmp_path: Path) -> None:
    block = await books.left_open()
    await books.settle(block, *GIVEN)
    before = await books.made.balances()
    other = tmp_path / "other"
    other.mkdir()
    shutil.copytree(books.made.directory / "journal", other / "journal")
    async with accounts_in(other) as again:
        await again.changes.catch_up()
        assert await again.balances() == before
        async with again.database.reading() as reader:
            assert await reader.rows("SELECT hash FROM block_left_open") == [(block,)]


REFUSED: dict[str, tuple[tuple[tuple[str, int], ...], str]] = {
    "less than the reward": (((ALICE, 999),), "the amounts sum to 999 sats, the block's reward is 1000"),
    "twice": (((ALICE, 500), (ALICE, 500)), "is named twice"),
    "a stranger": (((CAROL, 1_000),), "there is no account"),
    "the books' own": ((("@mined", 1_000),), "@mined earns nothing"),
    "nothing": (((ALICE, 0), (BOB, 1_000)), "above zero"),
    "no address": ((("alice", 1_000),), "alice"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_division_that_cannot_be_is_refused(books: Books, case: str) -> None:
    parts, why = REFUSED[case]
    block = await books.left_open()
    with pytest.raises(Refused, match=why):
        await books.settle(block, *parts)
    assert await books.made.balances() == {}


async def test_only_a_block_that_stands_and_was_left_open_is_settled_by_hand(books: Books) -> None:
    with pytest.raises(Refused, match="there is no block"):
        await books.settle("00" * 32, *GIVEN)
    sound = await books.made.block(ALICE, reward_sats=1_000)
    with pytest.raises(Refused, match="nothing is wrong with it"):
        await books.settle(sound, *GIVEN)
    block = await books.left_open()
    await books.made.go(block, blocks.ORPHANED)
    with pytest.raises(Refused, match="only one that stands"):
        await books.settle(block, *GIVEN)
    await books.made.go(block, blocks.ACCEPTED)
    await books.settle(block, *GIVEN)
    with pytest.raises(Refused, match="accounts correct"):
        await books.settle(block, *GIVEN)


async def test_a_coinbase_that_does_not_pay_the_reward_is_no_ground_to_settle_on(books: Books) -> None:
    block = await books.left_open(coinbase=coinbase((ALICE, 999)))
    with pytest.raises(Refused, match="the outputs sum to 999 sats"):
        await books.settle(block, *GIVEN)
