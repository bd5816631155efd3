"""How often is paid: by the settings' interval, whatever restarts the accountant in between."""

from pathlib import Path

import pytest

from config.payout_schema import WalletSettings
from payouts.wallet import WalletUnavailable
from pool.accounting.accountant import Accountant, now_us
from pool.storage.opening import open_database
from tests.pool.accounting.building import ALICE
from tests.pool.accounting.pool_of import settings_of

DAY_US = 86_400 * 1_000_000
WEEK_MINUTES = 10_080


async def pay_after_a_restart(directory: Path, *, last_paid_days_ago: float) -> None:
    """The wallet's node answers nothing, so that asking it shows."""
    database = await open_database(None, directory, holder="a test", now_us=now_us())
    async with database.writing() as writer:
        created_us = now_us() - int(last_paid_days_ago * DAY_US)
        await writer.execute(
            "INSERT INTO payment (id, state, fee_payer, reason, created_us, changed_us) "
            "VALUES (1, 'abandoned', 'payees', NULL, ?, ?)",
            *(created_us, created_us),
        )
    await database.close()
    wallet = WalletSettings(interval_minutes=WEEK_MINUTES)
    accountant = await Accountant.open(settings_of(directory, address=ALICE, wallet=wallet))
    assert accountant.payer is not None
    accountant.payer.is_in_doubt = False  # as once a node has been asked
    try:
        await accountant.pay()
    finally:
        await accountant.close()


async def test_nothing_is_paid_before_a_node_was_asked_and_that_costs_no_interval(tmp_path: Path) -> None:
    wallet = WalletSettings(interval_minutes=WEEK_MINUTES)
    accountant = await Accountant.open(settings_of(tmp_path, address=ALICE, wallet=wallet))
    try:
        await accountant.pay()
        assert accountant.payer is not None
        accountant.payer.is_in_doubt = False
        with pytest.raises(WalletUnavailable):  # it is tried, though nobody is there
            await accountant.pay()
    finally:
        await accountant.close()


async def test_a_restart_within_the_interval_pays_nobody(tmp_path: Path) -> None:
    await pay_after_a_restart(tmp_path, last_paid_days_ago=6)


async def test_a_restart_after_the_interval_pays(tmp_path: Path) -> None:
    with pytest.raises(WalletUnavailable):
        await pay_after_a_restart(tmp_path, last_paid_days_ago=8)
