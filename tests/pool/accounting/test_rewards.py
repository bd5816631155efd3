"""Blocks are divided once, when their window is whole; the sums are those of hand arithmetic."""

from pathlib import Path

import pytest

from config.payout_schema import FeeSettings
from payouts.plan import Fee, Payee, Plan, encode_plan
from pool.accounting.rebuild import rebuild
from pool.audit import statement as audit
from pool.spool.records import JobMade
from stratum.work.address import parse_address
from stratum.work.coin import network
from tests.pool.accounting.mined import (
    ALICE,
    BOB,
    CAROL,
    DEFINITIONS,
    JOB,
    START,
    Writing,
    candidate,
    replaced,
    share,
)
from tests.pool.accounting.pool_of import Pool, pool_of, settings_of

pytestmark = pytest.mark.usefixtures("either_database")

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
REWARD = 5_000_000_000


def mine(spool: Writing) -> None:
    """Slot 0: alice 6, bob 2 of 2^32; slot 10: bob 3, and his block in it; slot 20: carol."""
    spool.frame(1, *[share("alice")] * 6, *[share("bob")] * 2)
    spool.frame(12, *[share("bob")] * 3, candidate("bob", 1, 12))
    spool.frame(20.1, share("carol"))
    spool.frame(21)


async def test_a_window_is_cut_in_proportion_and_its_statement_says_so(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path, scheme="pplns", window={"multiple": 2})) as pool:
        mine(Writing(pool.spool))
        await pool.count(30)
        await pool.judge(1, "accepted", 31)
        assert await pool.settle(32) == 1
        assert await pool.settle(33) == 0
        # N is twice four shares: 8. Slot 10 has 3 of bob, 5 are missing of the 8 in slot 0 (alice 6, bob 2):
        # bob 3 + 5 × 2/8 = 4.25 of 8, alice 5 × 6/8 = 3.75 of 8
        assert await pool.owed() == {
            "@mined": -REWARD,
            "bob": REWARD * 425 // 800,
            "alice": REWARD * 375 // 800,
        }
        [path] = (tmp_path / "statements").glob("*.json")
        statement = audit.decode(path.read_bytes())
        window = statement.body.window
        assert (window.from_slot, window.through_slot) == (START, START + 10)
        assert window.edge is not None
        assert (window.edge.work, window.edge.inside, window.edge.seconds) == (
            str(8 * 2**32),
            str(5 * 2**32),
            10,
        )
        audit.verify(statement, {pool.key.key_id: pool.key.public_key})


async def test_a_block_waits_for_every_live_source_and_not_for_ever(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path)) as pool:
        mine(Writing(pool.spool))
        late = Writing(pool.spool, "gateway-1")
        late.frame(5, share("carol"))
        late.frame(6)
        await pool.count(30)
        await pool.judge(1, "accepted", 31)
        assert await pool.settle(32) == 0
        await pool.count(30 + 3_600)
        assert await pool.settle(30 + 3_600) == 0
        await pool.count(30.1 + 3_600)
        assert await pool.settle(30.1 + 3_600) == 1


async def test_time_that_has_passed_while_nobody_read_is_no_waiting(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path, window={"multiple": 4})) as pool:
        mine(Writing(pool.spool))
        late = Writing(pool.spool, "gateway-1")
        late.frame(5, share("carol"))
        late.frame(6)
        await pool.count(4_000)  # an hour late; the gateway may be so as well
        await pool.judge(1, "accepted", 4_001)
        assert await pool.settle(4_001) == 0
        late.frame(11, *[share("carol")] * 4)
        late.frame(20)
        late.frame(21)
        assert await pool.settle(9_000) == 0, "what has come since is not read yet"
        await pool.count(9_001)
        assert await pool.settle(9_001) == 1
        # N is 16 of difficulty 1: alice 6, bob 5, carol 1 + 4; all there is
        assert await pool.owed() == {
            "@mined": -REWARD,
            **{name: REWARD * part // 16 for name, part in (("alice", 6), ("bob", 5), ("carol", 5))},
        }


async def test_a_block_that_only_its_file_has_told_of_waits_for_the_spools(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path)) as pool:
        mine(Writing(pool.spool))
        await pool.count(30)
        pool.new_intake()  # as after a start; every source is read on from its mark
        await pool.judge(1, "accepted", 9_000)
        await pool.execute("UPDATE source SET state = 'closed'")
        assert await pool.settle(9_000) == 0
        await pool.intake.apply_all(START * 1_000_000)  # a clock that was put back
        assert await pool.settle(9_001) == 0
        await pool.intake.apply_all((START + 9_002) * 1_000_000)
        assert await pool.settle(9_002) == 1


async def test_statements_of_one_moment_are_chained_in_the_order_of_settling(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path)) as pool:
        spool = Writing(pool.spool)
        for tag, second in ((9, 1), (3, 11), (7, 21), (1, 31)):
            spool.frame(second, share("alice"), candidate("alice", tag, second))
        spool.frame(41)
        spool.frame(42)
        await pool.count(50)
        for tag in (9, 3, 7, 1):
            await pool.judge(tag, "accepted", 51)
        assert await pool.settle(52) == 4
        paths = {path.stem.partition("-")[2][:2]: path for path in (tmp_path / "statements").glob("*.json")}
        ordered = [audit.decode(paths[tag].read_bytes()) for tag in ("09", "03", "07", "01")]
        assert audit.chain_problems(ordered) == []
        assert ordered[0].head.previous is None


async def proportional(pool: Pool) -> None:
    """Two blocks, the first of which falls before it is settled."""
    spool = Writing(pool.spool)
    spool.frame(1, *[share("alice")] * 3, candidate("alice", 1, 1))
    spool.frame(15, share("bob"), candidate("bob", 2, 15))
    spool.frame(25, share("carol"))
    spool.frame(35)
    spool.frame(36)
    await pool.count(40)


async def test_a_round_is_what_lies_between_two_blocks(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path, scheme="proportional")) as pool:
        await proportional(pool)
        await pool.judge(1, "accepted", 41)
        await pool.judge(2, "accepted", 41)
        assert await pool.settle(42) == 2
        assert await pool.owed() == {"@mined": -2 * REWARD, "alice": REWARD, "bob": REWARD}
        bob = next((tmp_path / "statements").glob("*-0202*.json"))
        window = audit.decode(bob.read_bytes()).body.window
        assert (window.from_slot - START, window.through_slot - START) == (10, 10)


async def test_the_work_of_a_fallen_round_joins_the_open_one_once(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path, scheme="proportional")) as pool:
        await proportional(pool)
        await pool.judge(1, "accepted", 41)
        await pool.judge(1, "orphaned", 42)
        assert await pool.settle(43) == 1  # the joining
        await pool.judge(2, "accepted", 44)
        assert await pool.settle(45) == 1
        # Round of block 2: bob's share; the three of alice have joined it.
        assert await pool.owed() == {"@mined": -REWARD, "alice": REWARD * 3 // 4, "bob": REWARD // 4}


async def test_a_candidate_that_lost_its_race_leaves_its_work_in_the_round_that_goes_on(
    tmp_path: Path,
) -> None:
    async with pool_of(settings_of(tmp_path, scheme="proportional")) as pool:
        spool = Writing(pool.spool)
        spool.frame(1, *[share("alice")] * 3, candidate("alice", 1, 1))
        spool.frame(15, share("bob"))
        spool.frame(25, share("carol"), candidate("carol", 2, 25))
        spool.frame(35)
        spool.frame(36)
        await pool.count(40)
        await pool.judge(1, "orphaned", 41)
        assert await pool.settle(42) == 0
        await pool.judge(2, "accepted", 43)
        assert await pool.settle(44) == 1
        # alice 3, bob 1, carol 1: each share once
        fifth = REWARD // 5
        assert await pool.owed() == {"@mined": -REWARD, "alice": 3 * fifth, "bob": fifth, "carol": fifth}


@pytest.mark.parametrize("is_settled", [True, False])
async def test_a_fallen_block_of_another_scheme_was_no_round(tmp_path: Path, is_settled: bool) -> None:
    pplns = settings_of(tmp_path)
    async with pool_of(pplns) as pool:
        mine(Writing(pool.spool))
        await pool.count(30)
        await pool.judge(1, "accepted", 31)
        if is_settled:
            await pool.settle(32)
    async with pool_of(pplns, (40, settings_of(tmp_path, scheme="proportional"))) as pool:
        await pool.judge(1, "orphaned", 41)
        assert await pool.settle(42) == 0
        assert await pool.rows("SELECT hash FROM orphan_work") == []


async def test_a_round_that_falls_after_a_change_of_scheme_still_joins_the_one_behind_it(
    tmp_path: Path,
) -> None:
    before = settings_of(tmp_path, scheme="proportional")
    async with pool_of(before) as pool:
        await proportional(pool)
        await pool.judge(1, "accepted", 41)
    async with pool_of(before, (42, settings_of(tmp_path))) as pool:
        await pool.count(43)
        await pool.judge(1, "orphaned", 43)
        assert await pool.settle(44) == 1
        await pool.judge(2, "accepted", 45)
        assert await pool.settle(46) == 1
        assert await pool.owed() == {"@mined": -REWARD, "alice": REWARD * 3 // 4, "bob": REWARD // 4}


# ---------------------------------------------------------------------- solo


async def found_solo(pool: Pool, payee: bytes | None, *outputs: tuple[bytes, int]) -> None:
    """alice finds a block at 300 seconds, after work of bob's, on a job with this payee."""
    spool = Writing(pool.spool)
    job = replaced(coinbase_job("", *outputs), plan=None, payee=payee)
    spool.segment(0, [job if one is JOB else one for one in DEFINITIONS])
    spool.frame(1, *[share("bob")] * 6)
    spool.frame(300, share("alice"), share("alice"), candidate("alice", 1, 300))
    spool.frame(400)
    spool.frame(401)
    await pool.count(402)
    await pool.judge(1, "accepted", 403)


def stated_rules(directory: Path) -> audit.Rules:
    [path] = (directory / "statements").glob("*.json")
    return audit.decode(path.read_bytes()).body.rules


async def test_a_solo_block_is_its_payees_whatever_the_accountant_knew_of_the_settings(
    tmp_path: Path,
) -> None:
    async with pool_of(settings_of(tmp_path), (600, settings_of(tmp_path, scheme="solo"))) as pool:
        await found_solo(pool, ALICE.script, (ALICE.script, REWARD))
        assert await pool.settle(404) == 1
        assert await pool.owed() == {"@mined": -REWARD, "@paid": REWARD}
        assert await pool.rows("SELECT scheme FROM settlement") == [("solo",)]
    assert stated_rules(tmp_path).scheme == "solo"


async def test_a_block_that_paid_the_pool_is_divided_whatever_the_accountant_knew_of_the_settings(
    tmp_path: Path,
) -> None:
    solo = settings_of(tmp_path, scheme="solo")
    later = settings_of(tmp_path, window={"multiple": 2})
    async with pool_of(solo, (600, later)) as pool:
        await found_solo(pool, None, (CAROL.script, REWARD))
        assert await pool.settle(404) == 1
        # N is eight shares of difficulty 1: alice has two, bob six
        assert await pool.owed() == {"@mined": -REWARD, "alice": REWARD // 4, "bob": REWARD * 3 // 4}
    assert (stated_rules(tmp_path).scheme, stated_rules(tmp_path).multiple) == ("pplns", 2)


async def test_a_solo_block_from_the_journal_alone_is_credited_to_its_finder(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path, scheme="solo")) as pool:
        await found_solo(pool, ALICE.script, (ALICE.script, REWARD))
        await pool.execute("UPDATE account SET script = NULL")
        assert await pool.settle(404) == 1
        [path] = (tmp_path / "statements").glob("*.json")
        assert audit.decode(path.read_bytes()).body.credits == {"alice": REWARD}


# 1 % of the reward
SOLO_FEE = {"scheme": "solo", "fees": (FeeSettings(address=ADDRESS, basis_points=100),)}
FEE_SCRIPT = parse_address(ADDRESS, network("bitcoin", "regtest")).script


@pytest.mark.parametrize("has_room", [True, False])
async def test_a_solo_fee_that_had_no_room_is_the_finders_and_nobody_owes_it(
    tmp_path: Path, has_room: bool
) -> None:
    settings = settings_of(tmp_path, **SOLO_FEE)
    fee_sats = REWARD // 100 if has_room else 0
    async with pool_of(settings) as pool:
        outputs = [(ALICE.script, REWARD - fee_sats), (FEE_SCRIPT, fee_sats)]
        await found_solo(pool, ALICE.script, *[one for one in outputs if one[1]])
        assert await pool.settle(404) == 1
        assert await pool.owed() == {"@mined": -REWARD, "@paid": REWARD}
        [path] = (tmp_path / "statements").glob("*.json")
        body = audit.decode(path.read_bytes()).body
        assert body.credits == {"alice": REWARD - fee_sats}
        assert [fee.sats for fee in body.fees] == ([fee_sats] if has_room else [])
    told: list[str] = []
    assert (await rebuild(settings, told.append, lambda done, total: None), told) == ([], [])


async def test_bought_work_is_paid_by_slot_and_its_block_is_the_operators(tmp_path: Path) -> None:
    scheme = {"scheme": "pps", "pps": {"reserve_sats": 10**12}}
    async with pool_of(settings_of(tmp_path, **scheme)) as pool:
        mine(Writing(pool.spool))
        await pool.count(25)
        # A block is worth four shares; alice's six at (5·10^9 − 1,000 fees) / 4 each, slots 0 and 10 complete
        share_sats = (REWARD - 1_000) // 4
        assert await pool.owed("balance") == {
            "alice": 6 * share_sats,
            "bob": 5 * share_sats,
            "@operator": -11 * share_sats,
        }
        await pool.judge(1, "accepted", 31)
        await pool.settle(32)
        assert await pool.owed() == {"@mined": -REWARD, "@operator": REWARD}


async def test_without_a_reserve_new_work_is_credited_by_window(tmp_path: Path) -> None:
    scheme = {"scheme": "pps", "pps": {"reserve_sats": 1_000}}
    async with pool_of(settings_of(tmp_path, **scheme)) as pool:
        spool = Writing(pool.spool)
        spool.frame(1, share("alice"))
        spool.frame(15)
        spool.frame(16)
        await pool.count(20)  # buys one share with more than all there is
        spool.frame(21, share("bob"), candidate("bob", 1, 21))
        spool.frame(31)
        spool.frame(41)
        await pool.count(45)
        assert set(await pool.owed("balance")) == {"alice", "@operator"}
        await pool.judge(1, "accepted", 46)
        await pool.settle(47)
        # alice's share was bought, so its half is the operator's; bob's counts for himself
        assert await pool.owed() == {"@mined": -REWARD, "@operator": REWARD // 2, "bob": REWARD // 2}


def coinbase_job(plan_id: str, *outputs: tuple[bytes, int]) -> JobMade:
    """A job whose coinbase pays these scripts."""
    paid = b"".join(sats.to_bytes(8, "little") + bytes([len(script)]) + script for script, sats in outputs)
    job: JobMade = replaced(
        JOB,
        prefix=b"\x01\x00\x00\x00\x01" + bytes(32) + b"\xff" * 4 + b"\x0c",  # a script of both extranonces
        suffix=b"\xff" * 4 + bytes([len(outputs)]) + paid + bytes(4),
        plan=plan_id,
    )
    return job


# 10 % of the reward is a fee of alice's, who mines as well: 500,000,000. Of the 4,500,000,000 that are left
# she has three quarters, 3,375,000,000, and bob 1,125,000,000.
PLAN = Plan(
    payees=(Payee(ALICE.script, 3, "alice"), Payee(BOB.script, 1, "bob")),
    custody=CAROL.script,
    fees=(Fee(ALICE.script, 1_000, "alice"),),
    generation=1,
)


async def found_on_plan(pool: Pool, *outputs: tuple[bytes, int], is_known: bool = True) -> None:
    if is_known:
        await pool.execute(
            "INSERT INTO plan (id, generation, created_us, document) VALUES (?, 1, 0, ?)",
            *(PLAN.id, encode_plan(PLAN)),
        )
    spool = Writing(pool.spool)
    job = coinbase_job(PLAN.id, *outputs)
    spool.segment(0, [job if one is JOB else one for one in DEFINITIONS])
    spool.frame(1, share("bob"), candidate("bob", 1, 1))
    spool.frame(2)
    await pool.count(3)
    await pool.judge(1, "accepted", 4)


async def test_a_coinbase_that_paid_by_its_plan_is_credited_and_paid_at_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, method="coinbase", address=ADDRESS)
    async with pool_of(settings) as pool:
        await found_on_plan(pool, (ALICE.script, 3_875_000_000), (BOB.script, 1_125_000_000))
        assert await pool.settle(5) == 1
        assert await pool.owed() == {"@mined": -REWARD, "@paid": REWARD}
        [path] = (tmp_path / "statements").glob("*.json")
        body = audit.decode(path.read_bytes()).body
        assert [(fee.address, fee.sats) for fee in body.fees] == [("alice", 500_000_000)]
        assert body.credits == {"alice": 3_375_000_000, "bob": 1_125_000_000}
    told: list[str] = []
    found = await rebuild(settings, told.append, lambda done, total: None)
    assert (found, told) == ([], [])


async def test_what_custody_took_is_owed(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path, method="coinbase", address=ADDRESS)) as pool:
        await found_on_plan(pool, (ALICE.script, 3_875_000_000), (CAROL.script, 1_125_000_000))
        assert await pool.settle(5) == 1
        assert await pool.owed() == {"@mined": -REWARD, "@paid": 3_875_000_000, "bob": 1_125_000_000}


async def test_a_block_on_a_lost_plan_waits_and_so_does_one_that_pays_a_stranger(tmp_path: Path) -> None:
    async with pool_of(settings_of(tmp_path / "lost", method="coinbase", address=ADDRESS)) as pool:
        await found_on_plan(pool, (ALICE.script, REWARD), is_known=False)
        assert await pool.settle(5) == 0
    async with pool_of(settings_of(tmp_path / "stranger", method="coinbase", address=ADDRESS)) as pool:
        await found_on_plan(pool, (b"\x51", REWARD))
        assert await pool.settle(5) == 0
        assert await pool.owed() == {}
