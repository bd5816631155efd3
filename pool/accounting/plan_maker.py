"""The plan that coinbases pay by: the window as it is now and what is owed; stored, then published.

A plan is a file of its own and in the database before a gateway can see it, since an accepted block is
credited by the plan of its own job. While a block of ours is undecided, or accepted and not yet counted,
plans carry nothing over: it may have paid that already. Nor do they while everything is on hold.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from payouts.plan import MOST_PAYEES, Fee, Payee, Plan, encode_plan
from payouts.window import cut, weights
from pool.accounting import ledger, left_open, policy_changes, windows
from pool.accounting.directories import PLANS
from pool.accounting.plan_store import store_plan
from pool.accounting.policy_changes import BY_OPERATOR, EVERYTHING, SHORT_WALLET
from pool.accounting.rewards import DAY_SECONDS, MICROSECONDS
from pool.gateway.plan_file import look_at_plan, publish_plan
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.logs.redaction import AddressText
from pool.storage.database import Database, Reader
from stratum.work.address import AddressError, parse_address
from stratum.work.coin import Network
from stratum.work.difficulty import work_of_target

log = Log("engineroom.accounting")


class PlanRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say of coinbases. `fees` are (address, script, basis points)."""

    scheme: str
    custody: bytes
    fees: tuple[tuple[str, bytes, int], ...]
    multiple: int
    max_days: int
    unfilled: str
    slot_seconds: int
    remainder: Literal["custody", "advance"]
    minimum_output_sats: int
    most_outputs: int
    dust_sats_per_kvb: int


class PlanMaker:
    """Makes plans of one database into one file."""

    def __init__(
        self,
        database: Database,
        network: Network,
        rules: PlanRules,
        plan_file: Path,
        *,
        most_payees: int = MOST_PAYEES,
    ) -> None:
        """Plans are kept in the folder `plans` beside the file."""
        self._most_payees = most_payees
        self._database = database
        self._network = network
        self._rules = rules
        self._plan_file = plan_file
        self._plans = plan_file.parent / PLANS
        self._published: Plan | None = None
        self._stored_id: str | None = None
        self._is_cut = False

    async def publish(self, now_us: int) -> Plan | None:
        """Make, store and publish the plan of this moment; None while no template was seen.

        A plan that differs in nothing but how far frames were counted is the one before, published again: the
        file's youth is what gateways go by. Raises DatabaseError, and OSError where a file cannot be written:
        the plan before stands then.
        """
        async with self._database.reading() as reader:
            plan = await self._make(reader)
        if plan is None:
            return None
        before = await self._before()
        if before is not None and msgspec.structs.replace(plan, marks=before.marks) == before:
            plan = before
        if plan.id != self._stored_id:
            await store_plan(self._plans, plan)
            self._stored_id = plan.id
        async with self._database.writing() as writer:
            await writer.execute(
                "INSERT INTO plan (id, generation, created_us, document) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET created_us = excluded.created_us",
                *(plan.id, plan.generation, now_us, encode_plan(plan)),
            )
        await asyncio.to_thread(publish_plan, self._plan_file, plan)
        self._published = plan
        return plan

    async def _before(self) -> Plan | None:
        """The plan that gateways have: after a start it is read from their file."""
        if self._published is not None:
            return self._published
        news = await asyncio.to_thread(look_at_plan, self._plan_file, None, None)
        return None if news is None else news.plan

    async def _make(self, reader: Reader) -> Plan | None:
        rules = self._rules
        worked = await self._weights(reader)
        if worked is None:
            return None
        fee_accounts = {address for address, _, _ in rules.fees}
        held = await policy_changes.holds(reader)
        is_held = any(scope == EVERYTHING and kind != SHORT_WALLET for scope, kind, *_ in held)
        # Any hold on everything may mean that more was paid than is known here.
        carried = {} if is_held else await self._carry_over(reader)
        worked, owed = await self._fitting(reader, worked, carried, fee_accounts)
        scripts = await self._scripts(reader, sorted(worked.keys() | owed.keys()))
        payees = tuple(
            Payee(
                script,
                worked.get(account, 0),
                account,
                0 if account in fee_accounts else owed.get(account, 0),
            )
            for account, script in scripts.items()
            if account in worked or account not in fee_accounts
        )
        return Plan(
            payees=payees,
            custody=rules.custody,
            fees=tuple(
                Fee(script, points, address, owed.get(address, 0)) for address, script, points in rules.fees
            ),
            generation=await self._generation(reader),
            marks=await self._marks(reader),
            remainder=rules.remainder,
            minimum_output_sats=rules.minimum_output_sats,
            dust_sats_per_kvb=rules.dust_sats_per_kvb,
            most_outputs=rules.most_outputs,
            held=self._held(held, scripts),
        )

    def _held(
        self, holds: Sequence[tuple[str, str, str, int]], scripts: Mapping[str, bytes]
    ) -> tuple[bytes, ...]:
        """Scripts that a person has told not to pay: of one account, or of all."""
        by_person = {scope for scope, kind, _, _ in holds if kind == BY_OPERATOR}
        fees = {address: script for address, script, _ in self._rules.fees}
        paid = {**scripts, **fees}
        found = paid.values() if EVERYTHING in by_person else (paid[one] for one in by_person & paid.keys())
        return tuple(sorted(set(found) - {self._rules.custody}))

    async def _fitting(
        self, reader: Reader, worked: dict[str, int], owed: dict[str, int], fee_accounts: set[str]
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Weights and carry-over of as many accounts as a plan may have: those to whom most is due. The work
        of the others counts for the operator, whose output holds it; what they are owed stays owed."""
        accounts = worked.keys() | (owed.keys() - fee_accounts)
        if len(accounts) <= self._most_payees:
            self._is_cut = False
            return worked, owed
        row = await reader.row(
            "SELECT subsidy_sats + fees_sats FROM template_height ORDER BY height DESC LIMIT 1"
        )
        reward_sats, whole = 0 if row is None else int(row[0]), sum(worked.values())
        due = {one: reward_sats * worked.get(one, 0) // whole + owed.get(one, 0) for one in accounts}
        ranked = sorted(due.keys() - {ledger.OPERATOR}, key=lambda one: (-due[one], one))
        kept = {ledger.OPERATOR, *ranked[: self._most_payees - 1]}
        weights = {one: work for one, work in worked.items() if one in kept}
        weights[ledger.OPERATOR] = weights.get(ledger.OPERATOR, 0) + whole - sum(weights.values())
        if not self._is_cut:
            log.error(LogEvent.PLAN_CUT, accounts=len(accounts), most=self._most_payees)
        self._is_cut = True
        return weights, {one: sats for one, sats in owed.items() if one in kept | fee_accounts}

    async def _weights(self, reader: Reader) -> dict[str, int] | None:
        """Who would be paid, and in which proportion, for a block that is found now."""
        row = await reader.row("SELECT network_target FROM template_height ORDER BY height DESC LIMIT 1")
        if row is None:
            return None
        through = await self._through_slot(reader)
        if self._rules.scheme == "proportional":
            after = await reader.row("SELECT MAX(slot) FROM block WHERE state IN ('accepted', 'mature')")
            since = 0 if after is None or after[0] is None else int(after[0])
            found = await windows.between(reader, since, through)
            return found or {ledger.OPERATOR: 1}
        needed = self._rules.multiple * work_of_target(int(str(row[0]), 16))
        oldest = max(0, through - self._rules.max_days * DAY_SECONDS)
        edge = cut(await windows.totals(reader, oldest, through, needed), needed, oldest)
        whole = await windows.between(reader, edge.whole_after, through)
        at_edge = {} if edge.slot is None else await windows.at(reader, edge.slot)
        found = weights(whole, at_edge, edge)
        if edge.missing and self._rules.unfilled == "operator":
            found[ledger.OPERATOR] = found.get(ledger.OPERATOR, 0) + edge.missing
        return found or {ledger.OPERATOR: 1}

    async def _through_slot(self, reader: Reader) -> int:
        """The newest slot with work: a plan is of what has been counted, whole or not."""
        row = await reader.row("SELECT MAX(at_us) FROM source")
        at_us = 0 if row is None or row[0] is None else int(row[0])
        seconds = self._rules.slot_seconds
        return at_us // (MICROSECONDS * seconds) * seconds

    async def _carry_over(self, reader: Reader) -> dict[str, int]:
        if await left_open.is_any_undecided(reader):
            return {}
        names: dict[int, str] = dict(await reader.rows("SELECT id, name FROM account"))
        balances = await ledger.owed(reader)
        owed = {
            names[account]: immature + balance
            for account, (immature, balance) in balances.items()
            if immature + balance
        }
        paid = await left_open.paid_meanwhile(reader)
        return await self._less(reader, owed, paid) if paid else owed

    async def _less(self, reader: Reader, owed: dict[str, int], paid: dict[bytes, int]) -> dict[str, int]:
        """What is owed without what a block that is left open may have paid of it, to the payee of now or to
        the account's own address."""
        payees = await self._scripts(reader, sorted(owed))
        left = {}
        for account, sats in owed.items():
            scripts = {payees[account]}
            if account != ledger.OPERATOR:
                scripts.add(parse_address(account, self._network).script)
            least = min(sats, max(0, sats - sum(paid.get(script, 0) for script in scripts)))
            if least:
                left[account] = least
        return left

    async def _scripts(self, reader: Reader, accounts: list[str]) -> dict[str, bytes]:
        """Output scripts by account, of the payee that is in effect for it; the operator's is custody's."""
        payees: dict[str, str] = dict(
            await reader.rows(
                "SELECT account.name, payee.address FROM payee JOIN account ON account.id = account_id"
            )
        )
        scripts = {}
        for account in accounts:
            if account == ledger.OPERATOR:
                scripts[account] = self._rules.custody
                continue
            try:
                scripts[account] = parse_address(payees.get(account, account), self._network).script
            except AddressError as error:
                # Only a database of another network could hold it, and that is refused at the start.
                log.error(LogEvent.ACCOUNT_UNPAYABLE, account=AddressText(account), error=error)
                scripts[account] = self._rules.custody
        return scripts

    async def _generation(self, reader: Reader) -> int:
        """One more whenever a block was credited, refused, orphaned, came back or was left open; the journal
        brings it back after a restore."""
        row = await reader.row(
            "SELECT (SELECT COUNT(*) FROM settlement) + (SELECT COUNT(*) FROM block_left_open) "
            "+ (SELECT COUNT(*) FROM block_transition "
            "WHERE to_state IN ('orphaned', 'refused') OR from_state = 'orphaned')"
        )
        return 1 + (0 if row is None else int(row[0]))

    async def _marks(self, reader: Reader) -> tuple[tuple[str, int], ...]:
        rows = await reader.rows("SELECT name, epoch, mark FROM source ORDER BY name, epoch")
        return tuple((f"{name}/{epoch}", int(mark)) for name, epoch, mark in rows)
