"""The accountant: the one writer of the accounts, and all that it repeats; it is the way of money.

    frames → slots → blocks by the chain → settled → (plans for coinbases) → payments → kept small

Each task survives a database or a node that is gone: it says so once, waits, and goes on where the database
says it was. Bugs, a lost lease and histories that differ end the process; a bug in what only tells people
(notices) does not.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from config.schema import Settings
from payouts.node_wallet import NodeWallet
from payouts.transaction import DUST_RATE_FACTOR
from payouts.wallet import Balances, Wallet, WalletError
from pool.accounting import assembly, directories, ledger, payment_changes, policy_changes
from pool.accounting.agreements import Since, agree, agreement_of, history
from pool.accounting.block_watch import BlockWatch
from pool.accounting.bought import priced_slot
from pool.accounting.chain import BestNode, best_node
from pool.accounting.changes import Changes
from pool.accounting.control import SOCKET_NAME, ControlSocket
from pool.accounting.holding import hold_everything
from pool.accounting.intake import Horizon, Intake
from pool.accounting.journal import Journal
from pool.accounting.journal_reading import JournalUnwritable
from pool.accounting.keeping import Keeper
from pool.accounting.matching import Matching
from pool.accounting.names import Names
from pool.accounting.operations import OperationRules, Operations
from pool.accounting.pace import Pace
from pool.accounting.payer import Payer
from pool.accounting.plan_maker import PlanMaker
from pool.accounting.pricing import Pricing
from pool.accounting.rewards import Rewards
from pool.accounting.rollup import rolled_slot
from pool.accounting.statements import Statements
from pool.audit.keys import open_signing_key
from pool.gateway.plan_file import PLAN_FILE
from pool.instruments.account_figures import (
    AccountFigures,
    mean_fees_sats,
    money_readings,
    source_readings,
)
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.logs.redaction import UrlText
from pool.node.rpc import NodeRpc
from pool.notices.bugs import survive_bugs
from pool.notices.notifier import Notifier
from pool.storage.database import Database, DatabaseError, DatabaseUnavailable, LeaseLost, Reader, set_once
from pool.storage.opening import open_database
from pool.translation import endpoint_of
from pool.wording import counted
from stratum.work.coin import network

DEFAULT_DUST_SATS_PER_KVB = 3_000  # Bitcoin Core's
LITECOIN_DUST_SATS_PER_KVB = 30_000

DUE_SECONDS = 60.0  # how often is looked whether the settings' interval is over

log = Log("engineroom.accounting")


def now_us() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class Accountant:
    """One pool's accounts, from opening to closing. Make it with `open`."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        journal: Journal,
        wallet: Wallet | None = None,
        pace: Pace | None = None,
    ) -> None:
        """`wallet` is in place of the one that the settings name; they have `payout.wallet` all the same."""
        self._settings = settings
        self._pace = pace or Pace()
        self._pays_by_coinbase = assembly.pays_by_coinbase(settings)
        self._database = database
        self._journal = journal
        self._directory = Path(settings.data_directory)
        self._network = network(settings.coin, settings.network)
        self.figures = AccountFigures()
        self._names = Names()
        # Before what was agreed earlier is read from the database, what the settings say: see `_begin`.
        past = assembly.Past((Since(0, agreement_of(settings)),))
        self.changes = Changes(journal, database, self._names)
        self._pricing = Pricing(assembly.price_rules(settings, past), self._names, database, self.changes)
        self.matching = Matching(journal, database, self.changes)
        self._nodes = [(node.name, NodeRpc(endpoint_of(node))) for node in settings.nodes]
        self.intake = self._intake()
        slot_seconds = settings.accounting.slot_seconds
        self.watch = BlockWatch(
            database,
            self.changes,
            self._names,
            assembly.maturity_rules(settings),
            slot_seconds=slot_seconds,
        )
        key = open_signing_key(self._directory)
        self._statements = Statements(self._directory, assembly.statement_rules(settings, past), key)
        self._keeper = Keeper(
            self._directory,
            self._directory / directories.SPOOL,
            self._directory / directories.ARCHIVE,
            database,
            self.intake,
            key,
            assembly.keep_rules(settings, past),
        )
        self.rewards = Rewards(
            database,
            self.changes,
            self._statements,
            assembly.reward_rules(settings, self._network, past),
        )
        self._wallet_rpc: NodeRpc | None = None
        self.wallet = wallet if wallet is not None else self._opened_wallet()
        self.payer = self._payer()
        self.operations = self._operations()
        self._control = ControlSocket(self._directory / SOCKET_NAME, self.operations.by_name())
        self._plans: PlanMaker | None = None
        self._troubles: set[str] = set()
        self._paid_us = 0
        self._applying = asyncio.Lock()

    @classmethod
    async def open(cls, settings: Settings) -> "Accountant":
        """Take journal and database. Raises DatabaseError, JournalError, KeyRefused, OSError."""
        directory = Path(settings.data_directory)
        await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
        journal = await asyncio.to_thread(Journal.open, directory / directories.JOURNAL)
        try:
            password = settings.database_password
            database = await open_database(
                settings.database,
                directory,
                password=None if password is None else password.reveal(),
                holder=f"accountant {os.getpid()} on {socket.gethostname()}",
                now_us=now_us(),
            )
            try:
                await set_once(database, "slot_seconds", str(settings.accounting.slot_seconds))
                await set_once(database, "network", assembly.network_name(settings))
                return cls(settings, database, journal)
            except BaseException:
                await database.close()
                raise
        except BaseException:
            journal.close()
            raise

    def _intake(self) -> Intake:
        async def horizon(reader: Reader) -> Horizon:
            return Horizon(
                priced_slot=await priced_slot(reader),
                round_slot=await self._settled_round(reader),
                rolled_slot=await rolled_slot(reader),
            )

        return Intake(
            self._directory / directories.SPOOL,
            self._directory / directories.ARCHIVE,
            self._database,
            self._names,
            slot_seconds=self._settings.accounting.slot_seconds,
            prices=self._pricing,
            horizon=horizon,
            figures=self.figures,
        )

    async def _settled_round(self, reader: Reader) -> int:
        """Work that comes for a settled round counts in the oldest that is not."""
        if self._settings.payout.scheme != "proportional":
            return -1
        row = await reader.row("SELECT MAX(through_slot) FROM settlement")
        return -1 if row is None or row[0] is None else int(row[0])

    def _opened_wallet(self) -> NodeWallet | None:
        wallet = self._settings.payout.wallet
        if wallet is None:
            return None
        self._wallet_rpc = NodeRpc(assembly.wallet_endpoint(self._settings, wallet))
        passphrase = None if wallet.passphrase is None else wallet.passphrase.reveal
        return NodeWallet(assembly.node_call(self._wallet_rpc), passphrase)

    def _payer(self) -> Payer | None:
        settings = self._settings.payout.wallet
        if settings is None or self.wallet is None:
            return None
        rules = assembly.payer_rules(self._settings, settings)
        payer = Payer(
            self._database,
            self.changes,
            self.wallet,
            rules,
            self.matching.forgotten,
            is_paying=not self._pays_by_coinbase,
        )
        payer.is_in_doubt = True  # until the chain has been looked at
        return payer

    def _operations(self) -> Operations:
        payout = self._settings.payout
        rules = OperationRules(
            network=self._network,
            minimum_sats=payout.minimum_sats,
            payee_change_delay_us=payout.payee_change_delay_hours * 3_600 * 1_000_000,
            spool=self._directory / directories.SPOOL,
            custody=assembly.custody_script(self._settings, self._network),
            pays_by_coinbase=self._pays_by_coinbase,
            has_wallet=self.wallet is not None,
        )
        return Operations(
            self._database,
            self.changes,
            rules,
            now_us,
            payer=self.payer,
            wallet=self.wallet,
            matching=self.matching,
            statements=self._statements,
            marks_changed=self.intake.forget,
        )

    # ------------------------------------------------------------------ life

    async def run(self, stop: asyncio.Event, notifier: Notifier | None = None) -> None:
        """Until `stop`; then what the gateways have left is applied once more. Raises HistoriesDiffer,
        LeaseLost, and for bugs whatever they raise. `notifier` tells people what the accounts show; who made
        it runs it."""
        await self._begin()
        await self._control.open()
        log.info(LogEvent.ACCOUNTS_OPENED, database=UrlText(self._database.description))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._repeat(name, seconds, work), name=name)
                    for name, seconds, work in self._duties()
                ]
                if notifier is not None:
                    tasks.append(group.create_task(self._notice(notifier), name="noticing"))
                await stop.wait()
                for task in tasks:
                    task.cancel()
            await self._finish()
        finally:
            await self._control.close()
            await self.close()

    async def close(self) -> None:
        """Give everything back; after `run` it is done already."""
        for _, rpc in self._nodes:
            await rpc.close()
        if self._wallet_rpc is not None:
            await self._wallet_rpc.close()
        await self._database.close()
        await asyncio.to_thread(self._journal.close)

    def _duties(self) -> list[tuple[str, float, Callable[[], Awaitable[None]]]]:
        pace = self._pace
        duties: list[tuple[str, float, Callable[[], Awaitable[None]]]] = [
            ("counting shares", pace.apply_seconds, self.apply),
            ("watching blocks", pace.chain_seconds, self.follow_chain),
            ("keeping", pace.keep_seconds, self.keep),
            ("measuring", pace.measure_seconds, self.measure),
        ]
        if self._pays_by_coinbase:
            duties.append(("planning coinbases", pace.plan_seconds, self.plan))
        if self.payer is not None and self._settings.payout.wallet is not None:
            duties += [
                ("watching payments", pace.watch_payments_seconds, self.watch_payments),
            ]
            if not self._pays_by_coinbase:
                duties.append(("paying", min(DUE_SECONDS, self._paying_seconds), self.pay))
        return duties

    async def _begin(self) -> None:
        """The database is brought up to the journal before anything is added to either."""
        await self.matching.begin(now_us())
        if await agree(self.changes, self._settings, now_us()):
            log.info(LogEvent.POLICY_AGREED)
        async with self._database.reading() as reader:
            past = assembly.Past(tuple(await history(reader)))
        self._pricing.follow(assembly.price_rules(self._settings, past))
        self._statements.follow(assembly.statement_rules(self._settings, past))
        self._keeper.follow(assembly.keep_rules(self._settings, past))
        self.rewards.follow(assembly.reward_rules(self._settings, self._network, past))
        async with self._database.writing() as writer:
            await self._names.system(writer, now_us())
        async with self._database.reading() as reader:
            faults = await ledger.faults(reader)
            unwatched = await payment_changes.ids(reader, *payment_changes.UNDER_WAY)
        for fault in faults:
            log.error(LogEvent.LEDGER_CONTRADICTED, fault=fault)
        if unwatched and self.payer is None:
            log.error(LogEvent.PAYMENTS_UNWATCHED, payments=counted(len(unwatched), "payment"))
        if faults:
            await hold_everything(self.changes, "ledger", faults[0], now_us())

    async def _finish(self) -> None:
        with contextlib.suppress(DatabaseUnavailable):
            await self.apply()
            log.info(LogEvent.ACCOUNTS_CLOSED, frames=self.intake.frames, shares=self.intake.shares)

    async def _repeat(self, name: str, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do it for ever. What the world does to it is told once and tried again; bugs end the process."""
        while True:
            pause, is_waiting = seconds, False
            try:
                await work()
            except LeaseLost:
                raise
            except (DatabaseError, WalletError, JournalUnwritable, OSError) as error:
                self._tell_trouble(name, error)
                self.figures.failures[name] += 1
                if isinstance(error, DatabaseError):
                    is_waiting = True
                    self.figures.database_failed(name)
                    self.intake.forget()
                    pause = min(seconds, self._pace.database_seconds)
                pause = max(pause, self._pace.trouble_seconds)
            else:
                self._tell_recovery(name)
            finally:
                if not is_waiting:  # whatever else has kept it from being done
                    self.figures.database_served(name)
            await asyncio.sleep(pause)

    async def _notice(self, notifier: Notifier) -> None:
        """A duty like the others, but that no payment waits for whoever mends a bug in it."""

        async def look() -> None:
            await notifier.look(self._database)

        await survive_bugs(
            "reading the accounts for notices",
            lambda: self._repeat("noticing", self._pace.notice_seconds, look),
            self._pace.bug_seconds,
        )

    def _tell_trouble(self, name: str, error: Exception) -> None:
        if name not in self._troubles:
            self._troubles.add(name)
            log.error(LogEvent.DUTY_WAITING, duty=name, error=error)

    def _tell_recovery(self, name: str) -> None:
        if name in self._troubles:
            self._troubles.discard(name)
            log.warning(LogEvent.DUTY_RESUMED, duty=name)

    # ------------------------------------------------------------------ duties

    async def apply(self) -> None:
        """Frames into slots, and bought work into credits."""
        async with self._applying:
            await self.intake.apply_all(now_us())
            await self._pricing.pay_complete_slots(self._database, now_us())

    async def follow_chain(self) -> None:
        """Blocks by what a healthy node's chain shows, and their rewards.

        After a start the spools come first: they say more of a block than its file does.
        """
        if self.intake.caught_up is None:
            await self.apply()
        await self.watch.read_files(self._directory, now_us())
        node = await self._best_node()
        if node is not None:
            await self.watch.look(node, now_us())
            if self.payer is not None:
                self.payer.is_in_doubt = bool(self.watch.in_doubt)
        await self.rewards.join_orphans(now_us())
        if await self.rewards.settle_due(now_us(), self.intake.caught_up) and self._pays_by_coinbase:
            await self._check_books()

    async def _check_books(self) -> None:
        """Payments look before each of them; what coinbases carry over changes with each block.

        Whether there is enough is no question here: a coinbase pays what it brings, and may advance.
        """
        async with self._database.reading() as reader:
            faults = await ledger.faults(reader)
        if faults:
            await hold_everything(self.changes, "ledger", faults[0], now_us())

    async def _best_node(self) -> BestNode | None:
        return await best_node(self._nodes, self._network)

    async def plan(self) -> None:
        """Tell the gateways whom coinbases pay."""
        if self._plans is None:
            rules = assembly.plan_rules(self._settings, self._network, await self._dust_rate())
            self._plans = PlanMaker(self._database, self._network, rules, self._directory / PLAN_FILE)
        await self._plans.publish(now_us())

    async def _dust_rate(self) -> int:
        if self.wallet is not None:
            with contextlib.suppress(WalletError):
                return (await self.wallet.fee_policy(6)).relay * DUST_RATE_FACTOR
        is_litecoin = self._network.coin == "litecoin"
        return LITECOIN_DUST_SATS_PER_KVB if is_litecoin else DEFAULT_DUST_SATS_PER_KVB

    async def watch_payments(self) -> None:
        """Every open payment as far as the chain allows."""
        if self.payer is not None:
            await self.payer.lock_inputs()
            await self.payer.watch(now_us())
            await self.matching.look(self.wallet, now_us())

    async def pay(self) -> None:
        """The next payment, if the last one, or the last look whether anything is due, is an interval ago.

        A restart is no reason to pay again so soon: each payment costs its fee.
        """
        if self.payer is None or self.payer.is_in_doubt:
            return  # no node was asked yet, or a mature block is off its best chain
        if now_us() - await self._last_paid_us() < self._paying_seconds * 1_000_000:
            return
        outcome = await self.payer.pay(now_us())
        self._paid_us = now_us()
        if outcome.payment_id is None:
            log.info(LogEvent.PAYMENT_SKIPPED, reason=outcome.reason)
        else:
            await self.payer.watch(now_us())

    @property
    def _paying_seconds(self) -> float:
        wallet = self._settings.payout.wallet
        return self._pace.paying_seconds or (60.0 * wallet.interval_minutes if wallet is not None else 0.0)

    async def _last_paid_us(self) -> int:
        async with self._database.reading() as reader:
            row = await reader.row("SELECT COALESCE(MAX(created_us), 0) FROM payment")
        return max(self._paid_us, 0 if row is None else int(row[0]))

    async def measure(self) -> None:
        """The sums that the instruments show."""
        if self.wallet is not None:  # first: it can be asked though the database is away
            self.figures.wallet_asked(await self._wallet_balances(self.wallet))
        async with self._database.reading() as reader:
            readings = [*await source_readings(reader), *await money_readings(reader)]
            self.figures.mean_fees_sats = await mean_fees_sats(reader)
        self.figures.asked(readings)

    async def _wallet_balances(self, wallet: Wallet) -> Balances | None:
        try:
            return await wallet.balances()
        except WalletError:  # whoever has to do with it tells of it
            return None

    async def keep(self) -> None:
        """What is done now and then: payees that change, and all that keeps years small."""
        async with self._database.writing() as writer:
            count = await policy_changes.take_effect(writer, now_us())
        if count:
            log.info(LogEvent.PAYEES_CHANGED, accounts=count)
        await self._keeper.keep(now_us())
