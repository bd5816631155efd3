"""A change of scheme or fees between two blocks: each is divided by what was in force when it was found."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from config.loading import load
from config.schema import Settings
from pool.accounting import assembly, ledger
from pool.accounting.agreements import agree, agreement_of, history
from pool.accounting.in_force import in_force, in_force_for_job
from pool.accounting.intake import CaughtUp
from pool.accounting.rewards import Rewards
from pool.accounting.statements import Statements
from pool.audit.keys import open_signing_key
from stratum.work.coin import network
from tests.pool.accounting.building import ALICE, BOB, CAROL, SECOND_US, Accounts, accounts_in

SETTINGS = """\
coin: bitcoin
network: regtest
nodes: [{name: a, url: "http://127.0.0.1:18443", user: u, password_environment: RPC_PASSWORD}]
payout:
"""
PPLNS = f"  scheme: pplns\n  address: {ALICE}\n"
WITH_FEE = PPLNS + f"  fees: [{{address: {CAROL}, basis_points: 1000}}]\n"


def settings(directory: Path, payout: str) -> Settings:
    file = directory / "engineroom.yaml"
    file.write_text(SETTINGS + payout)
    return load(file, {"RPC_PASSWORD": "p"})


@pytest.mark.parametrize(
    ("at_us", "expected"), [(0, "first"), (9, "first"), (10, "second"), (19, "second"), (20, "now")]
)
def test_rules_hold_until_the_moment_that_others_follow(at_us: int, expected: str) -> None:
    assert in_force("now", ((10, "first"), (20, "second")), at_us) == expected


class Named(NamedTuple):
    scheme: str
    name: str


@pytest.mark.parametrize(
    ("at_us", "is_solo", "expected"),
    [
        (15, True, "solo"),
        (11, False, "first"),  # 2 after its end (it held through 9), 9 before the next one's beginning
        (19, False, "now"),  # 10 after the one's end, 1 before the other's beginning
        (5, True, "solo"),
        (25, True, "solo"),
        (25, False, "now"),
        (5, False, "first"),
    ],
)
def test_a_job_is_of_the_nearest_rules_that_have_such_jobs(at_us: int, is_solo: bool, expected: str) -> None:
    earlier = ((10, Named("pplns", "first")), (20, Named("solo", "solo")))
    assert in_force_for_job(Named("pps", "now"), earlier, at_us, is_solo=is_solo).name == expected


def test_without_any_rules_that_have_such_jobs_those_of_the_time_hold() -> None:
    earlier = ((10, Named("pplns", "first")),)
    assert in_force_for_job(Named("pps", "now"), earlier, 5, is_solo=True).name == "first"


async def test_an_agreement_is_written_down_once_and_when_it_changes(tmp_path: Path) -> None:
    before, after = settings(tmp_path, PPLNS), settings(tmp_path, WITH_FEE)
    async with accounts_in(tmp_path) as made:
        assert await agree(made.changes, before, made.now_us)
        assert not await agree(made.changes, before, made.now_us + 1)
        assert await agree(made.changes, after, made.now_us + 2)
        async with made.database.reading() as reader:
            past = await history(reader)
    assert [since.agreement for since in past] == [agreement_of(before), agreement_of(after)]
    assert past[0].since_us < past[1].since_us


async def test_a_block_found_before_a_new_fee_is_divided_without_it_and_the_next_one_with_it(
    tmp_path: Path,
) -> None:
    before, after = settings(tmp_path, PPLNS), settings(tmp_path, WITH_FEE)
    async with accounts_in(tmp_path) as made:
        await agree(made.changes, before, made.now_us - 3_600 * SECOND_US)
        await made.work(ALICE, 3_000_000, seconds_ago=600)
        await made.work(BOB, 1_000_000, seconds_ago=600)
        earlier = await made.block(BOB, reward_sats=1_000)
        made.now_us += SECOND_US
        await agree(made.changes, after, made.now_us)
        made.now_us += 60 * SECOND_US
        later = await made.block(BOB, reward_sats=1_000)
        made.now_us += 7_200 * SECOND_US  # no gateway is live; the wait is over in any case
        rewards = await rewards_by_all_agreements(made, after, tmp_path)
        caught_up = CaughtUp(made.now_us - 7_200 * SECOND_US, made.now_us)
        assert await rewards.settle_due(made.now_us, caught_up) == 2
        async with made.database.reading() as reader:
            given = {
                (block, name): sats
                for block, name, sats in await reader.rows(
                    "SELECT block_hash, account.name, SUM(sats) FROM ledger "
                    "JOIN account ON account.id = account_id GROUP BY block_hash, account.name"
                )
            }
            faults = await ledger.faults(reader)
    # 3 : 1 of 1,000; then 10 % of 1,000 to carol and 3 : 1 of 900
    assert of(given, earlier, (ALICE, BOB, CAROL)) == [750, 250, 0]
    assert of(given, later, (ALICE, BOB, CAROL)) == [675, 225, 100]
    assert faults == []


async def rewards_by_all_agreements(made: Accounts, settings: Settings, directory: Path) -> Rewards:
    async with made.database.reading() as reader:
        past = assembly.Past(tuple(await history(reader)))
    key = open_signing_key(directory)
    statements = Statements(directory, assembly.statement_rules(settings, past), key)
    rules = assembly.reward_rules(settings, network("bitcoin", "regtest"), past)
    return Rewards(made.database, made.changes, statements, rules)


def of(given: dict[tuple[str, str], int], block: str, accounts: Iterable[str]) -> list[int]:
    return [given.get((block, account), 0) for account in accounts]
