"""Database and journal of yesterday, brought back together: what was paid since is not paid again."""

import shutil
from pathlib import Path

from payouts.wallet import WalletSend
from pool.accounting import policy_changes
from pool.accounting.matching import Matching
from pool.accounting.payer import Payer
from pool.accounting.policy_changes import RESTORED
from tests.pool.accounting.building import ALICE, BOB, Accounts, accounts_in
from tests.pool.accounting.paying import RULES, paying_in
from tests.pool.accounting.scripted_wallet import ScriptedWallet

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
