"""A pool that pays, to test with: the accounts of building.py, a wallet in memory, and the production payer.

async with paying_in(tmp_path) as pool:
    await pool.made.earn(ALICE, 500_000)
    pool.wallet.fund(1_000_000)
    outcome = await pool.pay()
    await pool.restart()                # as after a kill: nothing but journal and database is left
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from payouts.payment import PaymentState, Rules
from pool.accounting import journal_entries, ledger, payment_changes, policy_changes, solvency
from pool.accounting.changes import Changes
from pool.accounting.matching import Matching
from pool.accounting.names import Names
from pool.accounting.payer import Outcome, Payer
from pool.accounting.payment_changes import Payment
from pool.accounting.signer import PayerRules
from tests.pool.accounting.building import Accounts, accounts_in
from tests.pool.accounting.scripted_wallet import ScriptedWallet

RULES = PayerRules(
    minimum_sats=100_000,
    fee_paid_by="payees",
    max_fee_percent=2,
    most_outputs=1000,
    input_confirmations=6,
    confirmation_target_blocks=6,
    fallback_sats_per_kvb=None,
    daily_limit_sats=None,
    rules=Rules(),
)


class PayingPool:
    """One wallet, one set of accounts; the payer is made anew by `restart`."""

    def __init__(self, made: Accounts, wallet: ScriptedWallet, rules: PayerRules) -> None:
        self.made = made
        self.wallet = wallet
        self.rules = rules
        self.payer = Payer(made.database, made.changes, wallet, rules)

    def settle_for(self, **changes: object) -> None:
        """Other rules from now on."""
        self.rules = msgspec.structs.replace(self.rules, **changes)
        self.payer = Payer(self.made.database, self.made.changes, self.wallet, self.rules)

    async def restart(self) -> None:
        made = self.made
        made.names = Names()
        made.changes = Changes(made.journal, made.database, made.names)
        await Matching(made.journal, made.database, made.changes).begin(made.now_us)
        self.payer = Payer(made.database, made.changes, self.wallet, self.rules)

    async def pay(self) -> Outcome:
        return await self.payer.pay(self.made.now_us)

    async def watch(self) -> None:
        await self.payer.watch(self.made.now_us)

    async def send(self) -> int:
        """A payment that is in the memory pool; its number."""
        outcome = await self.pay()
        assert outcome.payment_id is not None, outcome
        assert outcome.reason is None
        await self.watch()
        return outcome.payment_id

    async def payment(self, number: int) -> Payment:
        async with self.made.database.reading() as reader:
            found = await payment_changes.find(reader, number)
        assert found is not None
        return found

    async def state(self, number: int) -> PaymentState:
        return (await self.payment(number)).state

    async def payments(self) -> list[Payment]:
        async with self.made.database.reading() as reader:
            numbers = await payment_changes.ids(reader, *PaymentState)
        return [await self.payment(number) for number in numbers]

    async def owed(self, account: str) -> int:
        return (await self.made.balances()).get(account, 0)

    async def holds(self) -> list[tuple[str, str, str]]:
        async with self.made.database.reading() as reader:
            return [hold[:3] for hold in await policy_changes.holds(reader)]

    async def faults(self) -> list[str]:
        """What does not add up in the books."""
        async with self.made.database.reading() as reader:
            report = await solvency.report(reader)
            return [*await ledger.faults(reader), *report.breaches]


@contextlib.asynccontextmanager
async def paying_in(directory: Path, rules: PayerRules = RULES) -> AsyncIterator[PayingPool]:
    async with accounts_in(directory) as made:
        yield PayingPool(made, ScriptedWallet(), rules)


async def hold(pool: PayingPool, scope: str, kind: str = "operator") -> None:
    body = journal_entries.HoldPlaced(scope=scope, hold_kind=kind, reason="stop")
    await pool.made.changes.make(body, pool.made.now_us)


async def release(pool: PayingPool, scope: str) -> None:
    body = journal_entries.HoldReleased(scope=scope, hold_kind="operator", reason="go on")
    await pool.made.changes.make(body, pool.made.now_us)
