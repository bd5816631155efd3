"""Lists at the command line: tables, JSON, CSV, and one line with a code for what goes wrong."""

import csv
import io
import json
import time
from hashlib import sha256
from pathlib import Path

import pytest

from pool.accounting import journal_entries
from tests.pool.accounting.building import ALICE, BOB, CAROL, EPOCH, MAINNET, NOW_US, Accounts
from tests.pool.accounting.test_left_open import coinbase
from tests.pool.commands.running import Pool, command

LISTS = [
    ("accounts",),
    ("accounts", "sources"),
    ("balance", ALICE),
    ("blocks",),
    ("payouts", "list"),
    ("payouts", "preview"),
    ("payouts", "holds"),
]


async def filling(made: Accounts) -> None:
    await made.source(mark=17)
    await made.work(ALICE, 2**50)
    await made.earn(ALICE, 500_000)
    await made.earn(BOB, 90_000)
    await made.pay({ALICE: 200_000}, fee_sats=1_500)
    hold = journal_entries.HoldPlaced(scope=BOB, hold_kind="operator", reason="a court says so")
    await made.changes.make(hold, NOW_US)


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    made = Pool(tmp_path)
    made.fill(filling)
    return made


def test_accounts_into_a_pipe_have_whole_addresses(pool: Pool) -> None:
    ended = pool.run("accounts")
    assert (ended.code, ended.err) == (0, "")
    heading, *lines = ended.out.splitlines()
    assert heading.split() == [
        "account",
        "last",
        "seen,",
        "UTC",
        "24",
        "hours",
        "immature",
        "balance",
        "paid",
    ]
    assert {line.split()[0]: line.split()[-3:] for line in lines} == {
        ALICE: ["0.00000000", "0.00300000", "0.00198500"],
        BOB: ["0.00000000", "0.00090000", "0.00000000"],
    }


def test_a_balance_says_where_and_from_when_on_it_is_paid(pool: Pool) -> None:
    ended = pool.run("balance", ALICE.upper(), "--rows", "1")
    assert ended.code == 0
    lines = [line.rstrip() for line in ended.out.splitlines()]
    assert lines[:7] == [
        f"account     {ALICE}",
        "balance     0.00300000",
        "immature    0.00000000",
        "on its way  0.00000000",
        "paid        0.00198500",
        f"paid to     {ALICE}",
        "from        0.00100000 (the minimum of all)",
    ]
    assert lines[-1].split()[-4:] == ["balance", "-0.00200000", "payment", "1"]


@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_every_list_is_json_and_csv_as_well(pool: Pool, arguments: tuple[str, ...]) -> None:
    as_json = pool.run(*arguments, "--json")
    assert as_json.code == 0
    assert json.loads(as_json.out)
    as_csv = pool.run(*arguments, "--csv")
    assert as_csv.code == 0
    rows = list(csv.reader(io.StringIO(as_csv.out)))
    assert len(rows) >= 2
    assert {len(row) for row in rows} == {len(rows[0])}


@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_json_and_csv_at_once_are_a_mistake(pool: Pool, arguments: tuple[str, ...]) -> None:
    assert pool.run(*arguments, "--json", "--csv").code == 2


def test_json_has_satoshis_as_integers(pool: Pool) -> None:
    lines = {one["account"]: one for one in json.loads(pool.run("accounts", "--json").out)}
    assert lines[ALICE]["balance_sats"] == 300_000
    found = json.loads(pool.run("balance", ALICE, "--json").out)
    assert (found["balance_sats"], found["rows"][0]["sats"]) == (300_000, -200_000)


def test_holds_are_told_with_payments(pool: Pool) -> None:
    ended = pool.run("payouts", "list")
    assert ended.code == 0
    assert ended.out.splitlines()[1].split()[:5] == ["1", "confirmed", "1", "0.00200000", "0.00001500"]
    assert ended.err == f"engineroom: {BOB} is on hold: a court says so\n"


def test_what_a_coinbase_paid_is_a_payment_in_the_list(tmp_path: Path) -> None:
    found: list[str] = []

    async def paying(made: Accounts) -> None:
        await filling(made)
        made.now_us += 3_600_000_000
        found.append(await made.block(ALICE, reward_sats=1_000, coinbase=coinbase((ALICE, 600), (BOB, 400))))
        await made.settle(found[0], {ALICE: 600, BOB: 400}, paid={ALICE: 600, BOB: 300})

    pool = Pool(tmp_path)
    pool.fill(paying)
    lines = pool.run("payouts", "list").out.splitlines()
    assert lines[1].split()[:5] == ["block", "accepted", "2", "0.00000900", "0.00000000"]
    assert lines[2].split()[:2] == ["1", "confirmed"]
    one, other = json.loads(pool.run("payouts", "list", "--json").out)
    assert (one["id"], one["block_hash"], other["id"], other["block_hash"]) == (None, found[0], 1, None)
    transaction = bytes.fromhex(coinbase((ALICE, 600), (BOB, 400)))
    assert one["txid"] == sha256(sha256(transaction).digest()).digest()[::-1].hex()


def test_every_attempt_of_a_payment_and_the_reason_it_waits_for_are_told(tmp_path: Path) -> None:
    async def bumped(made: Accounts) -> None:
        await filling(made)
        await made.pay({ALICE: 100_000}, is_confirmed=False)
        aside = journal_entries.PaymentSetAside(payment_id=2, reason="the node is silent")
        await made.changes.make(aside, NOW_US)
        second = journal_entries.PaymentSigned(
            payment_id=2, attempt=2, txid="ab" * 32, raw="00", inputs=(), fee_sats=777, weight=400
        )
        await made.changes.make(second, NOW_US)

    pool = Pool(tmp_path)
    pool.fill(bumped)
    lines = pool.run("payouts", "list").out.splitlines()
    assert "payment 2: the node is silent" in lines
    assert f"payment 2, attempt 2: {'ab' * 32}, fee 0.00000777, not sent" in lines
    assert any(line.startswith("payment 2, attempt 1: ") and "sent at height 900" in line for line in lines)
    line = pool.run("accounts").out.splitlines()
    assert "on its way" in line[0]
    assert next(one for one in line if one.startswith(ALICE)).split()[-2:] == ["0.00100000", "0.00198500"]


def test_who_came_an_hour_ago_has_the_hashrate_of_that_hour(tmp_path: Path) -> None:
    async def mining(made: Accounts) -> None:
        made.now_us = time.time_ns() // 1000
        await made.work(ALICE, 2**40, seconds_ago=3_600)
        await made.work(ALICE, 2**40, seconds_ago=60)
        await made.work(BOB, 2**40, seconds_ago=5)

    pool = Pool(tmp_path)
    pool.fill(mining)
    found = {
        one["account"]: one["hashes_per_second"] for one in json.loads(pool.run("accounts", "--json").out)
    }
    assert found[ALICE] == pytest.approx(2**41 / 3_600, rel=0.01)
    assert found[BOB] == pytest.approx(2**40 / 600, rel=0.01)  # at the least


def test_a_program_gets_all_faults_and_a_person_some(pool: Pool) -> None:
    found = json.loads(pool.run("accounts", "verify", "--json").out)
    assert len(found["faults"]) == len(pool.run("accounts", "verify").err.splitlines()) > 0
    assert any("ledger rows" in line for line in found["told"])


def test_the_sources_are_listed_as_accept_gap_wants_them(pool: Pool) -> None:
    line = pool.run("accounts", "sources").out.splitlines()[1]
    assert line.split()[:4] == ["gateway-0", EPOCH, "live", "17"]


def test_verifying_ends_with_code_0_only_where_nothing_contradicts_anything(pool: Pool) -> None:
    ended = pool.run("accounts", "verify")
    assert ended.code == 1
    assert ended.out.splitlines() == [
        # two blocks, each of 2 rows settled and 4 matured; a payment of 2 rows planned and 3 confirmed;
        # three entries a block, four of the payment, the hold
        "17 ledger rows, 11 journal entries, 0 statements",
        "mined 0.00590000, paid 0.00198500, network fees 0.00001500, on its way 0.00000000",
        "owed 0.00390000 and 0.00000000 immature; the operator's own 0.00000000",
    ]
    assert ended.err.count(" is missing\n") == 2  # the builder writes no statements


def test_a_rebuild_names_what_the_shares_do_not_show(pool: Pool, tmp_path: Path) -> None:
    ended = pool.run("accounts", "rebuild")
    assert ended.code == 1
    # the builder wrote the work straight into the accounts: there is no spool behind it
    assert f"work of {ALICE} in the hour of" in ended.err
    assert "counted up to frame 17, again only up to 0" in ended.err
    kept = tmp_path / "counted.sqlite"
    assert (
        f"{kept}: the accounts as they were counted"
        in pool.run("accounts", "rebuild", "--into", str(kept)).out
    )
    again = pool.run("accounts", "rebuild", "--into", str(kept))
    assert (again.code, again.out, again.err.count("\n")) == (1, "", 1)


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("balance", CAROL), 1, "there is no account"),
        (("balance", MAINNET), 2, "is an address of bitcoin mainnet; this pool mines bitcoin regtest"),
        (("balance", "nonsense"), 2, "is not an address"),
    ],
)
def test_an_account_that_is_not_there_is_one_line(
    pool: Pool, arguments: tuple[str, ...], code: int, why: str
) -> None:
    ended = pool.run(*arguments)
    assert (ended.code, ended.out) == (code, "")
    assert why in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("accounts",), ("payouts", "list"), ("payouts", "hold", "all", "--reason", "x")]
)
def test_accounts_that_are_not_there_are_one_line_and_are_not_made(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    pool = Pool(tmp_path)
    ended = pool.run(*arguments)
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert list(pool.directory.iterdir()) == []


def test_the_list_of_accounts_needs_its_settings() -> None:
    assert command("accounts", "--json").code == 2


def test_options_of_the_list_do_not_stand_before_another_command(pool: Pool) -> None:
    assert command("accounts", "-c", str(pool.settings), "verify").code == 2
