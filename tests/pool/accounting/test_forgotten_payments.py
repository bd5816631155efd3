"""Database and journal of yesterday, brought back together: what was paid since is not paid again."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from payouts.wallet import WalletSend
from pool.accounting import policy_changes
from pool.accounting.adoption import Adoption
from pool.accounting.control import Refused
from pool.accounting.journal_entries import PayeeChanged
from pool.accounting.lost_journal import begin_journal
from pool.accounting.matching import Matching
from pool.accounting.payer import Payer
from pool.accounting.policy_changes import RESTORED
from pool.accounting.requests import AdoptRequest
from pool.storage.backup import backup, restore
from pool.storage.opening import open_database
from stratum.work.coin import network
from tests.pool.accounting.building import ALICE, BOB, ERIN, HOUR_US, NOW_US, Accounts, accounts_in
from tests.pool.accounting.paying import RULES, paying_in
from tests.pool.accounting.scripted_wallet import ScriptedWallet, Transaction

TXID = "ee" * 32


def payer_of(made: Accounts, wallet: ScriptedWallet) -> Payer:
    """As the accountant makes it."""
    matching = Matching(made.journal, made.database, made.changes)
    return Payer(made.database, made.changes, wallet, RULES, matching.forgotten)


async def holds(made: Accounts) -> list[tuple[str, str]]:
    async with made.database.reading() as reader:
        return [(scope, kind) for scope, kind, *_ in await policy_changes.holds(reader)]


async def test_a_whole_data_directory_of_yesterday_pays_nobody_twice(tmp_path: Path) -> None:
    today, yesterday = tmp_path / "today", tmp_path / "yesterday"
    today.mkdir()
    async with accounts_in(today) as made:
        await made.earn(ALICE, 500_000)
    shutil.copytree(today, yesterday)
    wallet = ScriptedWallet()
    wallet.fund(2_000_000)  # more than is owed: nothing but the hold stands in the way
    async with accounts_in(today) as made:
        payer = payer_of(made, wallet)
        paid = await payer.pay(made.now_us)
        assert paid.payment_id == 1
        await payer.watch(made.now_us)
        wallet.mine(6)
    sent = next(iter(made_sends(wallet)))
    wallet.sends = (sent,)
    async with accounts_in(yesterday) as made:
        refused = await payer_of(made, wallet).pay(made.now_us)
        assert refused.payment_id is None
        assert refused.reason is not None
        assert sent.txid in refused.reason
        assert await holds(made) == [("all", RESTORED)]


def made_sends(wallet: ScriptedWallet) -> list[WalletSend]:
    """What the node would list of the payment: alice is paid at her own address."""
    return [WalletSend(txid=TXID, sats=500_000, confirmations=6, addresses=(ALICE,))]


async def test_a_send_to_a_stranger_is_the_operators_own_affair(tmp_path: Path) -> None:
    async with paying_in(tmp_path) as pool:
        await pool.made.earn(ALICE, 500_000)
        pool.wallet.fund(2_000_000)
        pool.wallet.sends = (WalletSend(txid=TXID, sats=1, confirmations=6, addresses=(BOB,)),)
        paid = await payer_of(pool.made, pool.wallet).pay(pool.made.now_us)
        assert paid.payment_id == 1
        assert await holds(pool.made) == []


async def test_its_own_payments_are_explained(tmp_path: Path) -> None:
    async with paying_in(tmp_path) as pool:
        await pool.made.earn(ALICE, 500_000)
        pool.wallet.fund(2_000_000)
        payer = payer_of(pool.made, pool.wallet)
        assert (await payer.pay(pool.made.now_us)).payment_id == 1
        async with pool.made.database.reading() as reader:
            row = await reader.row("SELECT txid FROM attempt")
        assert row is not None
        pool.wallet.sends = (WalletSend(txid=row[0], sats=1, confirmations=1, addresses=(ALICE,)),)
        await pool.made.earn(ALICE, 300_000)
        pool.wallet.fund(2_000_000)
        await payer.watch(pool.made.now_us)
        assert (await payer.pay(pool.made.now_us)).payment_id == 2


def told_by_the_node(wallet: ScriptedWallet, address: str) -> None:
    """The wallet lists what paid an address, and its locks are gone as after a restart."""
    wallet.by_hand.append(
        next(one for block in wallet.chain for one in block if address in dict(one.outputs))
    )
    wallet.locked.clear()


async def test_a_payee_that_yesterday_was_to_be_changed_is_known_when_it_was_paid_today(
    tmp_path: Path,
) -> None:
    today, yesterday = tmp_path / "today", tmp_path / "yesterday"
    today.mkdir()
    wallet = ScriptedWallet()
    for _ in range(2):
        wallet.fund(2_000_000)
    async with accounts_in(today) as made:
        await made.earn(ALICE, 500_000)
        change = PayeeChanged(
            account=ALICE,
            address=ERIN,
            minimum_sats=None,
            requested_us=made.now_us,
            effective_us=made.now_us + HOUR_US,
            proof="operator",
        )
        await made.changes.make(change, made.now_us)
    shutil.copytree(today, yesterday)
    async with accounts_in(today) as made:
        await made.later(2)
        payer = payer_of(made, wallet)
        await payer.pay(made.now_us)
        await payer.watch(made.now_us)
        wallet.mine(7)
    told_by_the_node(wallet, ERIN)
    async with accounts_in(yesterday) as made:
        assert (await payer_of(made, wallet).pay(made.now_us)).payment_id is None
        assert await holds(made) == [("all", RESTORED)]


async def locked_then_paid(today: Path, wallet: ScriptedWallet, before_signing: Callable[[], object]) -> None:
    """A payment is planned while the wallet is locked, and carried out later the same day."""
    for _ in range(2):
        wallet.fund(2_000_000)
    wallet.is_locked = True
    async with accounts_in(today) as made:
        await made.earn(ALICE, 500_000)
        await payer_of(made, wallet).pay(made.now_us)
        await backup(made.database, today / "backup")
    before_signing()
    wallet.is_locked = False
    async with accounts_in(today) as made:
        payer = payer_of(made, wallet)
        await payer.watch(made.now_us)
        wallet.mine(7)
        await payer.watch(made.now_us)
    told_by_the_node(wallet, ALICE)
    assert wallet.received()[ALICE] < 500_000  # its part of the fee is taken off


async def test_what_yesterday_was_planned_and_not_signed_is_not_signed_unasked(tmp_path: Path) -> None:
    today, yesterday = tmp_path / "today", tmp_path / "yesterday"
    today.mkdir()
    wallet = ScriptedWallet()
    await locked_then_paid(today, wallet, lambda: shutil.copytree(today, yesterday))
    async with accounts_in(yesterday) as made:
        payer = payer_of(made, wallet)
        for _ in range(2):
            await payer.watch(made.now_us)
            await payer.pay(made.now_us)
        wallet.mine(7)
        assert wallet.received()[ALICE] < 500_000
        assert await holds(made) == [("all", RESTORED)]
        async with made.database.reading() as reader:
            assert await reader.rows("SELECT id, state FROM payment") == [(1, "abandoned")]


async def test_what_was_planned_before_a_restore_is_planned_anew_once_all_is_matched(tmp_path: Path) -> None:
    """Backup restored, journal begun anew: only the wallet knows that payment 1 was made."""
    today, restored = tmp_path / "today", tmp_path / "restored"
    today.mkdir()
    restored.mkdir()
    wallet = ScriptedWallet()
    await locked_then_paid(today, wallet, lambda: None)
    database = await open_database(None, restored, holder="restore", now_us=NOW_US)
    await restore(today / "backup", database)
    await begin_journal(restored, database, "its disk is gone", NOW_US)
    await database.close()
    async with accounts_in(restored) as made:
        matching = Matching(made.journal, made.database, made.changes)
        payer = payer_of(made, wallet)
        await matching.begin(made.now_us)
        await payer.watch(made.now_us)
        adoption = Adoption(made.database, made.changes, network("bitcoin", "regtest"), wallet, matching)
        found = await adoption.adopt(AdoptRequest(what="all", reason="it was alice's"), NOW_US)
        assert found.is_released
        await payer.watch(made.now_us)
        await payer.pay(made.now_us)
        wallet.mine(7)
        assert wallet.received()[ALICE] < 500_000


async def test_a_conflict_that_pays_somebody_else_of_ours_is_not_explained_by_the_payment(
    tmp_path: Path,
) -> None:
    async with paying_in(tmp_path) as pool:
        made, wallet = pool.made, pool.wallet
        await made.earn(ALICE, 500_000)
        wallet.fund(2_000_000)
        payer = payer_of(made, wallet)
        await payer.pay(made.now_us)
        await payer.watch(made.now_us)
        await made.earn(BOB, 400_000)
        by_hand = Transaction(wallet.signed[0].inputs, ((BOB, 400_000), ("change 0", 1_500_000)))
        wallet.take(by_hand)
        wallet.by_hand.append(by_hand)
        wallet.fund(5_000_000)
        await payer.watch(made.now_us)
        assert (await pool.payment(1)).state == "set_aside"
        assert (await payer.pay(made.now_us)).payment_id is None
        assert await holds(made) == [("all", RESTORED)]
        wallet.bury(5)
        adoption = Adoption(made.database, made.changes, network("bitcoin", "regtest"), wallet, None)
        await adoption.adopt(AdoptRequest(what=by_hand.txid, reason="bob asked for it"), made.now_us)
        assert await pool.owed(BOB) == 0
        wallet.mine(7)
        assert wallet.received() == {BOB: 400_000}


async def test_a_bump_that_nobody_has_confirmed_is_not_adopted_beside_its_original(tmp_path: Path) -> None:
    async with paying_in(tmp_path) as pool:
        await pool.made.earn(ALICE, 500_000)
        twins = [
            WalletSend(txid=txid * 32, sats=499_000, confirmations=depth, addresses=(ALICE,))
            for txid, depth in (("11", 0), ("22", 5))
        ]
        pool.wallet.sends = tuple(twins)
        adoption = Adoption(
            pool.made.database, pool.made.changes, network("bitcoin", "regtest"), pool.wallet, None
        )
        for one in twins:
            with pytest.raises(Refused, match=f"{one.confirmations} confirmations; adopt it when it has 6"):
                await adoption.adopt(AdoptRequest(what=one.txid, reason="it is ours"), pool.made.now_us)
        assert await pool.owed(ALICE) == 500_000


async def test_a_conflict_with_two_payments_that_pays_the_payees_of_both_is_explained(tmp_path: Path) -> None:
    async with paying_in(tmp_path) as pool:
        payer = payer_of(pool.made, pool.wallet)
        for account in (ALICE, BOB):
            await pool.made.earn(account, 500_000)
            pool.wallet.fund(600_000)
            await payer.pay(pool.made.now_us)
            await payer.watch(pool.made.now_us)
        inputs = (*pool.wallet.signed[0].inputs, *pool.wallet.signed[1].inputs)
        foreign = Transaction(inputs, ((ALICE, 500_000), (BOB, 500_000)))
        pool.wallet.take(foreign)
        pool.wallet.by_hand.append(foreign)
        pool.wallet.fund(5_000_000)
        await payer.watch(pool.made.now_us)
        await pool.made.earn(ERIN, 300_000)
        assert (await payer.pay(pool.made.now_us)).payment_id == 3
        assert await holds(pool.made) == []
