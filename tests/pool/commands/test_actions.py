"""What a person does at the command line: by the accountant where one runs, else by the command itself."""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from pool.accounting import journal_entries
from pool.accounting.control import SOCKET_NAME, ControlSocket
from pool.accounting.directories import JOURNAL
from pool.accounting.journal import Journal
from pool.accounting.journal_reading import read_entries
from tests.harness.command import engineroom
from tests.pool.accounting.building import ALICE, BOB, CAROL, EPOCH, MAINNET, SECRET, SOURCE, Accounts
from tests.pool.accounting.places import Places
from tests.pool.accounting.test_left_open import LOST, coinbase
from tests.pool.audit.signing import sign_bip137, sign_key_hash, text, witness
from tests.pool.commands.running import Pool


async def filling(made: Accounts) -> None:
    await made.earn(ALICE, 500_000)
    await made.earn(BOB, 90_000)


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    made = Pool(tmp_path)
    made.fill(filling)
    return made


def last(pool: Pool) -> journal_entries.Body:
    return list(read_entries(pool.directory / JOURNAL))[-1].body


# ---------------------------------------------------------------------- nobody runs


def test_hold_and_release_where_nobody_runs(pool: Pool) -> None:
    held = pool.run("payouts", "hold", "all", "--reason", "a  long\nweekend")
    assert (held.code, held.out) == (0, "all is on hold: a  long\nweekend\n")
    assert last(pool) == journal_entries.HoldPlaced(
        scope="all", hold_kind="operator", reason="a long weekend"
    )
    preview = pool.run("payouts", "preview")
    assert (preview.code, preview.err) == (0, "engineroom: payouts are on hold: a long weekend\n")
    again = pool.run("payouts", "hold", "all", "--reason", "again")
    assert (again.code, again.err) == (1, "engineroom: all is on hold already: a long weekend\n")
    released = pool.run("payouts", "release", "all", "--reason", "monday")
    assert (released.code, released.out) == (0, "all is released; it was on hold: a long weekend\n")


def test_a_correction_is_told_with_both_sides(pool: Pool) -> None:
    ended = pool.run("accounts", "correct", ALICE, "--sats", "-1000", "--reason", "paid twice")
    assert ended.code == 0
    assert re.fullmatch(rf"journal entry \d+: {ALICE} -1000 sats, @operator \+1000 sats\n", ended.out)
    assert "0.00499000" in pool.run("balance", ALICE).out


def test_a_block_whose_plan_is_lost_is_divided_by_hand(tmp_path: Path) -> None:
    found: list[str] = []

    async def left_open(made: Accounts) -> None:
        await filling(made)
        paid = coinbase((ALICE, 600), (BOB, 400))
        found.append(await made.block(ALICE, reward_sats=1_000, plan_id=LOST, coinbase=paid))
        body = journal_entries.BlockLeftOpen(hash=found[0], reason=f"plan {LOST} is lost")
        await made.changes.make(body, made.now_us)

    pool = Pool(tmp_path)
    pool.fill(left_open)
    how = ("accounts", "settle", found[0].upper(), "--reason", "by the log")
    ended = pool.run(*how, "--to", f"{ALICE}=500", "--to", f"{BOB}=500")
    # alice's is the pool's own address too: 100 of its 600 it holds for bob
    assert ended.code == 0
    assert ended.out.splitlines() == [
        f"{ALICE}: earned 500 sats, 500 paid by the coinbase",
        f"{BOB}: earned 500 sats, 400 paid by the coinbase",
    ]
    again = pool.run(*how, "--to", f"{ALICE}=1000")
    assert (again.code, again.err) == (
        1,
        f"engineroom: block {found[0]} is settled; see `accounts correct`\n",
    )
    assert pool.run(*how, "--to", f"{ALICE}=1.5").code == 2


def test_where_coinbases_pay_neither_preview_nor_run_promise_a_payment(pool: Pool) -> None:
    text = pool.settings.read_text()
    pool.settings.write_text(text.replace("payout:\n", "payout:\n  method: coinbase\n"))
    preview = pool.run("payouts", "preview")
    assert preview.code == 0
    assert preview.out.splitlines()[1].endswith("no: carried over into the next coinbase")
    assert "no payment is made" in preview.out
    assert "paid, " not in preview.out
    ended = pool.run("payouts", "run")
    assert ended.code == 1
    assert ended.err.startswith("engineroom: coinbases pay here: what is owed is carried over")


def test_where_blocks_pay_and_no_wallet_is_asked_a_person_ends_the_hold_after_a_restore(pool: Pool) -> None:
    async def restored(made: Accounts) -> None:
        hold = journal_entries.HoldPlaced(scope="all", hold_kind="restored", reason="restored from b1")
        await made.changes.make(hold, made.now_us)

    pool.fill(restored)
    how = ("payouts", "release", "all", "--reason", "no block was found since")
    refused = pool.run(*how)
    assert (refused.code, "see `payouts adopt`" in refused.err) == (1, True)
    text = pool.settings.read_text()
    pool.settings.write_text(text.replace("payout:\n", "payout:\n  method: coinbase\n  wallet:\n"))
    assert pool.run(*how).code == 1, "the wallet knows what it has paid"
    pool.settings.write_text(text.replace("payout:\n", "payout:\n  method: coinbase\n"))
    released = pool.run(*how)
    assert (released.code, released.out) == (0, "all is released; it was on hold: restored from b1\n")


def test_a_lost_journal_is_begun_again_behind_the_database(pool: Pool) -> None:
    (pool.directory / JOURNAL).rename(pool.directory / "lost")
    refused = pool.run("payouts", "hold", "all", "--reason", "x")
    assert refused.code == 1
    assert "docs/operations.md, lost journal" in refused.err
    begun = pool.run("accounts", "begin-journal", "--reason", "its disk is gone")
    assert begun.code == 0
    assert begun.out.startswith("journal entry 7 begins a new journal; payouts are on hold until")
    assert last(pool) == journal_entries.JournalBegun(reason="its disk is gone")
    assert "on hold: the journal was lost: its disk is gone" in pool.run("payouts", "preview").err
    again = pool.run("accounts", "begin-journal", "--reason", "again")
    assert (again.code, again.err.count("\n")) == (1, 1)
    assert "holds a journal, up to entry 7: move it away first" in again.err


def test_a_preview_says_who_is_paid_and_that_no_wallet_was_asked(pool: Pool) -> None:
    ended = pool.run("payouts", "preview")
    assert ended.code == 0
    assert [line.split() for line in ended.out.splitlines()[1:3]] == [
        [ALICE, "the", "same", "0.00500000", "yes"],
        [BOB, "the", "same", "0.00090000", "no:", "below", "the", "minimum", "of", "100000", "sats"],
    ]
    assert "1 account is paid, 0.00500000 together" in ended.out
    assert "without the wallet" in ended.out


def test_paying_where_nobody_runs_says_who_pays(pool: Pool) -> None:
    ended = pool.run("payouts", "run")
    assert (ended.code, ended.out) == (1, "")
    assert "a running pool" in ended.err


def test_adopting_a_send_takes_it_off_a_balance(pool: Pool) -> None:
    ended = pool.run("payouts", "adopt", "ee" * 32, "--payee", f"{ALICE}=200000", "--reason", "sent by hand")
    assert (ended.code, ended.out) == (0, f"adopted: transaction {'ee' * 32}\n")
    assert "paid        0.00200000" in pool.run("balance", ALICE).out


def test_frames_that_are_lost_are_given_up(pool: Pool) -> None:
    Places(pool.directory).write(2, 11, 20)

    async def stopped(made: Accounts) -> None:
        await made.source(mark=4, state="stopped", trouble="frames are missing")

    pool.fill(stopped)
    ended = pool.run("accounts", "accept-gap", SOURCE, "--epoch", EPOCH.upper(), "--reason", "disk lost")
    assert (ended.code, ended.out) == (0, f"{SOURCE} {EPOCH.upper()}: frames 5 to 10 are given up\n")
    assert pool.run("accounts", "sources").out.splitlines()[1].split()[2:4] == ["live", "10"]


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("payouts", "hold", CAROL, "--reason", "x"), 1, "there is no account"),
        (("payouts", "hold", MAINNET, "--reason", "x"), 1, "this pool mines bitcoin regtest"),
        (("payouts", "hold", "all"), 2, "--reason"),
        (("payouts", "release", "all", "--reason", "x"), 1, "nothing holds all"),
        (("payouts", "adopt", "all"), 1, "nothing waits to be adopted"),
        (("payouts", "adopt", "ee" * 32), 1, "the wallet cannot be asked"),
        (("payouts", "adopt", "ee" * 32, "--payee", ALICE), 2, "is not ACCOUNT=SATS"),
        (("payouts", "adopt", "ee" * 32, "--payee", f"{ALICE}=-5"), 2, "is not ACCOUNT=SATS"),
        (("payouts", "adopt", "ee" * 32, "--payee", f"{ALICE}=1.5"), 2, "is not ACCOUNT=SATS"),
        (("payouts", "adopt", "ee" * 32, "--payee", f"{ALICE}={10**17}"), 1, "more than all there will"),
        (("payouts", "adopt", "ee" * 32, "--payee", f"{ALICE}=5", "--payee", f"{ALICE}=5"), 1, "named twice"),
        (("accounts", "correct", ALICE, "--sats", "0", "--reason", "x"), 1, "0 sats changes nothing"),
        (
            ("accounts", "correct", ALICE, "--sats", str(10**17), "--reason", "x"),
            1,
            "more than all there will",
        ),
        (("accounts", "correct", ALICE, "--sats", "1.5", "--reason", "x"), 2, "as an integer"),
        (("accounts", "correct", CAROL, "--sats", "5", "--reason", "x"), 1, "there is no account"),
        (("accounts", "accept-gap", SOURCE, "--epoch", EPOCH, "--reason", "x"), 1, "there is no source"),
        (("payee", "set", ALICE, "--to", BOB), 2, "--signature or"),
        (("payee", "set", ALICE, "--to", BOB, "--as-operator"), 2, "--reason"),
        (("payee", "set", ALICE, "--to", MAINNET, "--as-operator", "--reason", "x"), 1, "this pool mines"),
        (
            ("payee", "set", ALICE, "--to", BOB, "--minimum", "-5", "--as-operator", "--reason", "x"),
            2,
            "or equal",
        ),
        (("payee", "set", ALICE, "--to", BOB, "--minimum", "5", "--as-operator", "--reason", "x"), 1, "dust"),
        (("payee", "set", ALICE, "--to", BOB, "--signature", "nonsense"), 1, "no BIP 322 simple signature"),
        (("payee", "message", CAROL, "--to", BOB), 1, "there is no account"),
        (("payee", "message", ALICE, "--to", MAINNET), 1, "this pool mines bitcoin regtest"),
    ],
    ids=lambda one: " ".join(one)[:60] if isinstance(one, tuple) else "",
)
def test_a_wrong_wish_is_refused_and_changes_nothing(
    pool: Pool, arguments: tuple[str, ...], code: int, why: str
) -> None:
    before = last(pool)
    ended = pool.run(*arguments)
    assert (ended.code, ended.out) == (code, "")
    assert why in " ".join(ended.err.replace("│", " ").split())
    if code == 1:
        assert ended.err.count("\n") == 1
    assert last(pool) == before


def test_two_writers_at_once_cannot_be(pool: Pool) -> None:
    with Journal.open(pool.directory / JOURNAL):
        ended = pool.run("payouts", "hold", "all", "--reason", "x")
    assert ended.code == 1
    assert "another process appends to this journal" in ended.err
    assert ended.err.count("\n") == 1


# ---------------------------------------------------------------------- payees


def test_a_payee_is_set_by_the_signature_of_the_text_that_was_printed(pool: Pool) -> None:
    wish = (ALICE, "--to", BOB, "--minimum", "20000")
    message = pool.run("payee", "message", *wish).out.removesuffix("\n")
    assert re.fullmatch(
        rf"Engineroom payee change 1 on bitcoin regtest: account {ALICE} is paid to {BOB} "
        r"from 20000 satoshis on, asked \d{4}-\d\d-\d\d",
        message,
    )
    signature = text(witness(sign_key_hash(SECRET, message)))
    ended = pool.run("payee", "set", *wish, "--signature", signature)
    assert ended.code == 0
    assert ended.out.startswith(f"{ALICE} is paid to {BOB} from 0.00020000 on, as of 20")
    assert f"will be     {BOB}, from 0.00020000, as of 20" in pool.run("balance", ALICE).out
    again = pool.run("payee", "set", *wish, "--signature", signature)
    assert (again.code, again.out) == (1, "")


def test_a_legacy_address_signs_what_was_printed(pool: Pool) -> None:
    message = pool.run("payee", "message", BOB, "--to", ALICE).out.removesuffix("\n")
    signature = text(sign_bip137(SECRET, message, 31))
    ended = pool.run("payee", "set", BOB, "--to", ALICE, "--signature", signature)
    assert ended.code == 0
    assert "from the minimum of all on" in ended.out


def test_the_operator_answers_for_a_change(pool: Pool) -> None:
    ended = pool.run("payee", "set", ALICE, "--to", CAROL, "--as-operator", "--reason", "asked by letter")
    assert ended.code == 0
    body = last(pool)
    assert isinstance(body, journal_entries.PayeeChanged)
    assert (body.address, body.proof) == (CAROL, "operator: asked by letter")
    assert body.effective_us - body.requested_us == 48 * 3_600 * 1_000_000


# ---------------------------------------------------------------------- the accountant runs


async def test_a_command_asks_the_accountant_that_runs(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    asked: list[dict[str, Any]] = []

    async def hold(**arguments: Any) -> str:
        asked.append(arguments)
        return "all"

    control = ControlSocket(pool.directory / SOCKET_NAME, {"hold": hold})
    await control.open()
    try:
        ended = await engineroom("payouts", "hold", "all", "--reason", "stop", "-c", str(pool.settings))
        unknown = await engineroom("payouts", "run", "-c", str(pool.settings))
    finally:
        await control.close()
    assert (ended.code, ended.out, ended.err) == (0, "all is on hold: stop\n", "")
    assert asked == [{"scope": "all", "reason": "stop"}]
    assert (unknown.code, unknown.err) == (1, "engineroom: there is no operation 'payouts_run'\n")


# ---------------------------------------------------------------------- backup


def test_a_backup_is_restored_where_the_accounts_are_lost(pool: Pool, tmp_path: Path) -> None:
    before = pool.run("accounts", "--json").out
    file = tmp_path / "yesterday.sqlite"
    made = pool.run("backup", str(file))
    assert made.code == 0
    assert "keep beside it" in made.out
    refused = pool.run("backup", str(file))
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    in_use = pool.run("restore", str(file))
    assert (in_use.code, in_use.out) == (1, "")
    for path in pool.directory.glob("accounts.sqlite*"):
        path.unlink()
    assert pool.run("restore", str(file)).code == 0
    assert pool.run("accounts", "--json").out == before


def test_a_restore_without_its_journal_says_so_at_once(pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "yesterday.sqlite"
    pool.run("backup", str(file))
    for path in pool.directory.glob("accounts.sqlite*"):
        path.unlink()
    (pool.directory / JOURNAL).rename(tmp_path / "lost")
    ended = pool.run("restore", str(file))
    assert ended.code == 0
    assert "the accounts know journal entry 6" in ended.err
    assert "ends at 0: put the newest journal there" in ended.err


def test_what_is_no_backup_leaves_nothing_behind(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    junk = tmp_path / "junk"
    junk.write_bytes(b"SQLite format 3\0" + bytes(5_000))
    ended = pool.run("restore", str(junk))
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert list(pool.directory.iterdir()) == []


def test_a_data_directory_that_is_not_there_is_named(tmp_path: Path, pool: Pool) -> None:
    file = tmp_path / "yesterday.sqlite"
    pool.run("backup", str(file))
    pool.directory.rename(tmp_path / "elsewhere")
    for how in (("restore", str(file)), ("accounts", "rebuild"), ("accounts", "rebuild", "--into", "/x.db")):
        ended = pool.run(*how)
        assert ended.code == 1
        assert f"{pool.directory} does not exist" in ended.err
        assert ended.err.count("\n") == 1


async def other_network(made: Accounts) -> None:
    await filling(made)
    async with made.database.writing() as writer:
        await writer.execute("INSERT INTO meta (key, value) VALUES ('network', 'litecoin mainnet')")


def test_accounts_of_another_network_are_neither_shown_nor_changed(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    pool.fill(other_network)
    file = tmp_path / "yesterday.sqlite"
    for how in (
        ("accounts",),
        ("balance", ALICE),
        ("payouts", "hold", "all", "--reason", "x"),
        ("backup", str(file)),
    ):
        ended = pool.run(*how)
        assert (ended.code, ended.out) == (1, "")
        assert ended.err.endswith("is of litecoin mainnet, and the settings are of bitcoin regtest\n")
        assert ended.err.count("\n") == 1


def test_without_a_journal_nothing_is_counted_again(pool: Pool, tmp_path: Path) -> None:
    (pool.directory / JOURNAL).rename(tmp_path / "lost")
    for how in ((), ("--into", str(tmp_path / "new.sqlite"))):
        ended = pool.run("accounts", "rebuild", *how)
        assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
        assert "holds no journal: put it back" in ended.err
    assert not (tmp_path / "new.sqlite").exists()


async def test_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    await asyncio.to_thread(pool.fill, filling)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pool.entry", "accounts", "-c", str(pool.settings)),
            stdout=full,
            stderr=asyncio.subprocess.PIPE,
        )
        _, err = await process.communicate()
    finally:
        os.close(full)
    assert (process.returncode, err.decode()) == (
        1,
        "engineroom: the output cannot be written: No space left on device\n",
    )


def test_a_backup_that_is_no_file_makes_no_accounts(tmp_path: Path) -> None:
    pool = Pool(tmp_path)
    ended = pool.run("restore", str(tmp_path / "nothing.sqlite"))
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert list(pool.directory.iterdir()) == []
