"""The plan that coinbases pay by: the window as it is now and what is owed; stored, then published.

A plan is in the database before a gateway can see it, since an accepted block is credited by the plan of its
own job. While a block of ours is undecided, or accepted and not yet counted, plans carry nothing over: it may
have paid that already.
"""

import asyncio
import logging
from pathlib import Path
from typing import Literal

import msgspec

from payouts.plan import Fee, Payee, Plan, encode_plan
from payouts.window import cut, weights
from pool.accounting import blocks, ledger, windows
from pool.accounting.rewards import DAY_SECONDS, MICROSECONDS
from pool.gateway.plan_file import publish_plan
from pool.storage.database import Database, Reader
from stratum.work.address import AddressError, parse_address
from stratum.work.coin import Network
from stratum.work.difficulty import work_of_target

log = logging.getLogger("engineroom.accounting")


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

    def __init__(self, database: Database, network: Network, rules: PlanRules, plan_file: Path) -> None:
        self._database = database
        self._network = network
        self._rules = rules
        self._plan_file = plan_file

    async def publish(self, now_us: int) -> Plan | None:
        """Make, store and publish the plan of this moment; None while no template was seen.

        Raises DatabaseError, and OSError where the file cannot be written: the plan before stands then.
        """
        async with self._database.reading() as reader:
            plan = await self._make(reader)
        if plan is None:
            return None
        async with self._database.writing() as writer:
            await writer.execute(
                "INSERT INTO plan (id, generation, created_us, document) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET created_us = excluded.created_us",
                *(plan.id, plan.generation, now_us, encode_plan(plan)),
            )
        await asyncio.to_thread(publish_plan, self._plan_file, plan)
        return plan

    async def _make(self, reader: Reader) -> Plan | None:
        rules = self._rules
        worked = await self._weights(reader)
        if worked is None:
            return None
        owed = await self._carry_over(reader)
        fee_accounts = {address for address, _, _ in rules.fees}
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
        )

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
        undecided = await reader.row(
            "SELECT 1 FROM block WHERE state = ? OR (state IN ('accepted', 'mature') AND hash NOT IN "
            "(SELECT hash FROM settlement)) LIMIT 1",
            blocks.CANDIDATE,
        )
        if undecided is not None:
            return {}
        names: dict[int, str] = dict(await reader.rows("SELECT id, name FROM account"))
        balances = await ledger.owed(reader)
        return {
            names[account]: immature + balance
            for account, (immature, balance) in balances.items()
            if immature + balance
        }

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
                log.error("account %s cannot be paid by a coinbase: %s", account, error)
                scripts[account] = self._rules.custody
        return scripts

    async def _generation(self, reader: Reader) -> int:
        """One more whenever a block was credited, refused, orphaned or came back; the journal brings it back
        after a restore."""
        row = await reader.row(
            "SELECT (SELECT COUNT(*) FROM settlement) + (SELECT COUNT(*) FROM block_transition "
            "WHERE to_state IN ('orphaned', 'refused') OR from_state = 'orphaned')"
        )
        return 1 + (0 if row is None else int(row[0]))

    async def _marks(self, reader: Reader) -> tuple[tuple[str, int], ...]:
        rows = await reader.rows("SELECT name, epoch, mark FROM source ORDER BY name, epoch")
        return tuple((f"{name}/{epoch}", int(mark)) for name, epoch, mark in rows)
