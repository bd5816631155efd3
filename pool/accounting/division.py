"""What a block's reward is divided into, by the rules that it was found under. It reads, and writes nothing.

By the work in its window or round; or, where the coinbase has paid already (a plan, solo), by the plan of its
own job and by the outputs that stand in the chain. Which of these it is says the job, not the settings.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from payouts.block_credit import credit_of
from payouts.plan import Fee as PlanFee
from payouts.plan import Payee, Plan, PlanError, decode_plan
from payouts.settlement import Settlement, Terms, settle
from payouts.window import cut, weights
from pool.accounting import rounds, windows
from pool.accounting.blocks import Block
from pool.accounting.in_force import in_force_for_job
from pool.accounting.journal_entries import Credit
from pool.accounting.ledger import MINED, OPERATOR, PAID
from pool.accounting.plan_store import plan_document
from pool.accounting.statements import Facts
from pool.storage.database import Reader
from stratum.work.coinbase import outputs_of_transaction

DAY_SECONDS = 86_400


class RewardRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say of dividing. `fee_scripts` are the fee accounts' scripts, in their order."""

    scheme: str
    method: str
    terms: Terms
    fee_scripts: tuple[bytes, ...]
    multiple: int
    max_days: int
    slot_seconds: int
    window_wait_us: int
    plans: Path | None = None  # DATA/plans
    earlier: "tuple[tuple[int, RewardRules], ...]" = ()

    def of(self, block: Block) -> "RewardRules":
        """What the block is divided by; `earlier` is (until, rules), oldest first."""
        is_solo = block.payee is not None
        return in_force_for_job(self, self.earlier, block.found_us, is_solo=is_solo)


class Divided(msgspec.Struct, frozen=True, kw_only=True):
    """A block's credits and what they were worked out from."""

    round: int
    from_slot: int
    through_slot: int
    joined: tuple[tuple[int, int], ...]
    credits: tuple[Credit, ...]
    facts: Facts


class PlanLost(Exception):
    """A block was mined on a plan that nothing here has any more: it waits for a person, the others go on."""


class PlanContradicted(PlanLost):
    """A block's coinbase is not one of its plan: what it owes to whom is not guessed at."""


class Division:
    """Divides by rules."""

    def __init__(self, rules: RewardRules) -> None:
        self._rules = rules

    def follow(self, rules: RewardRules) -> None:
        """Go on by these rules."""
        self._rules = rules

    def is_paid_by_coinbase(self, block: Block) -> bool:
        """Whether its outputs were the payment: nothing has to be waited for."""
        return block.plan_id is not None or self._rules.of(block).scheme == "solo"

    async def divide(self, reader: Reader, block: Block) -> Divided:
        """Raises PlanLost where nobody can say by which plan."""
        if self.is_paid_by_coinbase(block):
            return await self._as_planned(reader, block)
        if self._rules.of(block).scheme == "proportional":
            return await self._by_round(reader, block)
        return await self._by_window(reader, block)

    # ------------------------------------------------------------------ by work

    async def _by_window(self, reader: Reader, block: Block) -> Divided:
        rules = self._rules.of(block)
        needed = rules.multiple * block.network_work
        oldest = max(0, block.slot - rules.max_days * DAY_SECONDS)
        edge = cut(await windows.totals(reader, oldest, block.slot, needed), needed, oldest)
        whole = await windows.between(reader, edge.whole_after, block.slot)
        at_edge = {} if edge.slot is None else await windows.at(reader, edge.slot)
        settlement = settle(block.reward_sats, weights(whole, at_edge, edge), rules.terms, edge.missing)
        facts = Facts(
            needed=needed,
            edge=edge if edge.slot is not None else None,
            edge_seconds=None if edge.slot is None else await windows.length_of(reader, edge.slot),
            from_slot=edge.from_slot,
            whole=whole,
            at_edge=at_edge,
            carried={},
            settlement=settlement,
        )
        return self._divided(block, edge.from_slot, edge.from_slot, (), settlement, facts)

    async def _by_round(self, reader: Reader, block: Block) -> Divided:
        found = (await rounds.read(reader)).ending(block.slot)
        whole = await windows.between(reader, found.span.after_slot, found.span.through_slot)
        carried = windows.together(
            *[await windows.between(reader, span.after_slot, span.through_slot) for span in found.joined]
        )
        settlement = settle(block.reward_sats, windows.together(whole, carried), self._rules.of(block).terms)
        facts = Facts(
            needed=None,
            edge=None,
            from_slot=found.span.after_slot + self._rules.slot_seconds,
            whole=whole,
            at_edge={},
            carried=carried,
            settlement=settlement,
        )
        spans = tuple((span.after_slot, span.through_slot) for span in found.joined)
        return self._divided(block, found.number, found.span.after_slot, spans, settlement, facts)

    def _divided(
        self,
        block: Block,
        number: int,
        from_slot: int,
        joined: tuple[tuple[int, int], ...],
        settlement: Settlement,
        facts: Facts,
    ) -> Divided:
        lines = [Credit(account=MINED, credit_kind="block", sats=-block.reward_sats)]
        lines += [
            Credit(account=one.account, credit_kind=one.kind, sats=one.sats)
            for one in settlement.credits
            if one.sats
        ]
        return Divided(
            round=number,
            from_slot=from_slot,
            through_slot=block.slot,
            joined=joined,
            credits=tuple(lines),
            facts=facts,
        )

    # ------------------------------------------------------------------ by what the coinbase paid

    async def _as_planned(self, reader: Reader, block: Block) -> Divided:
        """Earned by the plan, paid by the outputs: both in one entry, so that neither is ever without the
        other."""
        plan = await self._plan_of(reader, block)
        try:
            credited = credit_of(plan, block.reward_sats, outputs_of_transaction(block.coinbase))
        except ValueError as error:
            raise PlanContradicted(f"block {block.hash} is not what its plan makes: {error}") from error
        lines = [Credit(account=MINED, credit_kind="block", sats=-block.reward_sats)]
        paid_sats = 0
        for position, line in enumerate(credited.credits):
            kind = "fee" if position < len(plan.fees) else "credit"
            if line.earned_sats:
                lines.append(Credit(account=line.account, credit_kind=kind, sats=line.earned_sats))
            if line.paid_sats:
                lines.append(Credit(account=line.account, credit_kind="coinbase", sats=-line.paid_sats))
            paid_sats += line.paid_sats
        if paid_sats:
            lines.append(Credit(account=PAID, credit_kind="coinbase", sats=paid_sats))
        # Fees stand first. Whoever has a fee may mine as well: these are two lines, not one.
        fees, payees = credited.credits[: len(plan.fees)], credited.credits[len(plan.fees) :]
        facts = Facts(
            needed=None,
            edge=None,
            from_slot=block.slot,
            whole=_plan_weights(plan),
            at_edge={},
            carried={},
            settlement=None,
            earned={line.account: line.earned_sats for line in payees},
            fees=tuple(
                (fee.account, fee.basis_points, line.earned_sats)
                for fee, line in zip(plan.fees, fees, strict=True)
            ),
            plan_id=block.plan_id,
        )
        number = from_slot = block.slot
        joined: tuple[tuple[int, int], ...] = ()
        if self._rules.of(block).scheme == "proportional":
            # The plan was of the round that the block has ended: should it be orphaned, these slots fall.
            found = (await rounds.read(reader)).ending(block.slot)
            number, from_slot = found.number, found.span.after_slot
            joined = tuple((span.after_slot, span.through_slot) for span in found.joined)
        return Divided(
            round=number,
            from_slot=from_slot,
            through_slot=block.slot,
            joined=joined,
            credits=tuple(lines),
            facts=facts,
        )

    async def _plan_of(self, reader: Reader, block: Block) -> Plan:
        if block.plan_id is None:
            return await self._solo_plan(reader, block)
        plan_id, _, suffix = block.plan_id.partition(":")
        document = await plan_document(reader, self._rules.plans, plan_id)
        if document is None:
            raise PlanLost(
                f"block {block.hash} was mined on plan {plan_id}, which is neither in the database nor a file"
            )
        try:
            plan = decode_plan(document)
        except PlanError as error:
            raise PlanLost(f"block {block.hash} was mined on plan {plan_id}: {error}") from error
        return plan.stripped if suffix else plan

    async def _solo_plan(self, reader: Reader, block: Block) -> Plan:
        """The job's payee has all but the fees. A file of an earlier version names none: there it is whoever
        the outputs pay and who is no fee's account.

        A fee that had no room in the coinbase went to the payee, and nobody owes it: see payouts.plan.sole.
        """
        scripts = [script for script, _ in outputs_of_transaction(block.coinbase)]
        rules = self._rules.of(block)
        fees = tuple(
            PlanFee(script, fee.basis_points, fee.account)
            for fee, script in zip(rules.terms.fees, rules.fee_scripts, strict=True)
            if script in scripts
        )
        of_fees = set(rules.fee_scripts)
        payee = block.payee or next((script for script in scripts if script not in of_fees), scripts[0])
        account = await self._account_of(reader, payee, block)
        return Plan(payees=(Payee(payee, 1, account),), custody=payee, fees=fees)

    async def _account_of(self, reader: Reader, payee: bytes, block: Block) -> str:
        """Whose script it is. An account that only the journal has told of yet has none: it is the finder's,
        whose connection every solo job belongs to."""
        row = await reader.row("SELECT name FROM account WHERE script = ?", payee)
        if row is None and block.payee is not None and block.account_id is not None:
            row = await reader.row("SELECT name FROM account WHERE id = ?", block.account_id)
        return OPERATOR if row is None else str(row[0])


def _plan_weights(plan: Plan) -> Mapping[str, int]:
    return {payee.account: payee.weight for payee in plan.payees if payee.weight}
