"""A block that was left open, settled by a person: what was earned is given, what was paid is read.

The outputs of the coinbase are in the chain, so they are never given by hand. An output of no account that is
known here was the operator's doing, and is charged to the operator.
"""

from collections import defaultdict
from collections.abc import Mapping

from payouts.block_credit import BlockCredit, credit_of
from payouts.plan import Payee, Plan
from pool.accounting import blocks, rounds
from pool.accounting.blocks import Block
from pool.accounting.changes import Changes
from pool.accounting.checked import checked_account, checked_amount, checked_reason
from pool.accounting.control import Refused
from pool.accounting.journal_entries import BlockSettled, Body, Credit
from pool.accounting.ledger import MINED, OPERATOR, PAID
from pool.accounting.left_open import is_left_open
from pool.accounting.requests import SettledPart, SettleRequest
from pool.accounting.statements import Facts, Statements
from pool.storage.database import Reader
from stratum.work.address import parse_address
from stratum.work.coin import Network
from stratum.work.coinbase import outputs_of_transaction

NO_SCRIPT = b""  # of a custody address, where there is none: no output pays it
OPERATORS_OWN = b"operator"  # no script either: what the operator earned then was not paid


class HandSettling:
    """Settles blocks of one pool. `custody` is the script of the pool's own address."""

    def __init__(
        self, changes: Changes, statements: Statements | None, network: Network, custody: bytes | None
    ) -> None:
        self._changes = changes
        self._statements = statements
        self._network = network
        self._custody = custody or NO_SCRIPT

    async def settle(self, request: SettleRequest, now_us: int) -> tuple[SettledPart, ...]:
        """Journal and post it; what each account earned and was paid. Raises Refused."""
        reason = checked_reason(request.reason)
        made: tuple[SettledPart, ...] = ()

        async def choose(reader: Reader) -> Body | None:
            nonlocal made
            block = await _open_block(reader, request.block_hash)
            given = await self._given(reader, request, block)
            try:
                made = _parts(await self._credited(reader, block, given))
            except ValueError as error:
                raise Refused(f"block {block.hash} cannot be settled so: {error}") from None
            return await self._body(reader, block, given, made, reason)

        await self._changes.decide(choose, now_us)
        return made

    async def _given(self, reader: Reader, request: SettleRequest, block: Block) -> dict[str, int]:
        given: dict[str, int] = {}
        for part in request.parts:
            account = await checked_account(reader, part.account, self._network)
            if account.startswith("@") and account != OPERATOR:
                raise Refused(f"{account} earns nothing; {OPERATOR} is the operator's account")
            if account in given:
                raise Refused(f"{account} is named twice")
            given[account] = checked_amount(part.sats, self._network)
        if sum(given.values()) != block.reward_sats:
            raise Refused(
                f"the amounts sum to {sum(given.values())} sats, the block's reward is {block.reward_sats}"
            )
        return given

    async def _credited(self, reader: Reader, block: Block, given: Mapping[str, int]) -> BlockCredit:
        """As by a plan of these weights: they sum to the reward, so each account earns what was given."""
        outputs = outputs_of_transaction(block.coinbase)
        paid = {script for script, _ in outputs} - {self._custody}
        scripts = await self._scripts(reader)
        payees = []
        for account, sats in given.items():
            known = scripts[account] if account != OPERATOR else (self._custody or OPERATORS_OWN,)
            script = next((one for one in known if one in paid), known[0])
            payees.append(Payee(script, sats, account))
        missing = paid - {payee.script for payee in payees}
        for account, known in scripts.items():
            for script in missing & set(known):
                payees.append(Payee(script, 0, account))
                missing.discard(script)
        payees += [Payee(script, 0, OPERATOR) for script in sorted(missing)]
        return credit_of(
            Plan(payees=tuple(payees), custody=self._custody, generation=1), block.reward_sats, outputs
        )

    async def _scripts(self, reader: Reader) -> dict[str, tuple[bytes, ...]]:
        """Of every miner's account: its payee's script, then its own."""
        rows = await reader.rows(
            "SELECT account.name, payee.address FROM account "
            "LEFT JOIN payee ON payee.account_id = account.id ORDER BY account.name"
        )
        return {
            name: tuple(
                parse_address(address, self._network).script
                for address in (payee, name)
                if address is not None
            )
            for name, payee in rows
            if not name.startswith("@")
        }

    async def _body(
        self,
        reader: Reader,
        block: Block,
        given: Mapping[str, int],
        made: tuple[SettledPart, ...],
        reason: str,
    ) -> BlockSettled:
        if self._statements is None:
            raise Refused("no signing key is at hand: settle it where the pool runs")
        scheme = self._statements.scheme_of(block)
        number = from_slot = block.slot
        joined: tuple[tuple[int, int], ...] = ()
        if scheme == "proportional":
            found = (await rounds.read(reader)).ending(block.slot)
            number, from_slot = found.number, found.span.after_slot
            joined = tuple((span.after_slot, span.through_slot) for span in found.joined)
        return BlockSettled(
            hash=block.hash,
            transition=block.transition,
            round=number,
            scheme=scheme,
            from_slot=from_slot,
            through_slot=block.slot,
            joined=joined,
            statement_hash=await self._statements.write(reader, block, _facts(block, given, reason)),
            credits=_credits(block, made),
            reason=reason,
        )


async def _open_block(reader: Reader, block_hash: str) -> Block:
    block = await blocks.find(reader, block_hash)
    if block is None:
        raise Refused(f"there is no block {block_hash[:80]}")
    if block.state not in blocks.STANDING:
        raise Refused(f"block {block.hash} is {block.state}: only one that stands in the chain is settled")
    if await reader.row("SELECT 1 FROM settlement WHERE hash = ?", block.hash) is not None:
        raise Refused(f"block {block.hash} is settled; see `accounts correct`")
    if not await is_left_open(reader, block.hash):
        raise Refused(
            f"block {block.hash} will be settled by its own plan or window: nothing is wrong with it"
        )
    return block


def _parts(credited: BlockCredit) -> tuple[SettledPart, ...]:
    """By account: an output of no known account joins the operator's line."""
    earned: dict[str, int] = defaultdict(int)
    paid: dict[str, int] = defaultdict(int)
    for line in credited.credits:
        earned[line.account] += line.earned_sats
        paid[line.account] += line.paid_sats
    return tuple(
        SettledPart(account=account, earned_sats=sats, paid_sats=paid[account])
        for account, sats in earned.items()
        if sats or paid[account]
    )


def _credits(block: Block, made: tuple[SettledPart, ...]) -> tuple[Credit, ...]:
    lines = [Credit(account=MINED, credit_kind="block", sats=-block.reward_sats)]
    for part in made:
        if part.earned_sats:
            lines.append(Credit(account=part.account, credit_kind="credit", sats=part.earned_sats))
        if part.paid_sats:
            lines.append(Credit(account=part.account, credit_kind="coinbase", sats=-part.paid_sats))
    paid_sats = sum(part.paid_sats for part in made)
    if paid_sats:
        lines.append(Credit(account=PAID, credit_kind="coinbase", sats=paid_sats))
    return tuple(lines)


def _facts(block: Block, given: Mapping[str, int], reason: str) -> Facts:
    """For the statement: the amounts are the weights, so that it follows from its own rules."""
    return Facts(
        needed=None,
        edge=None,
        from_slot=block.slot,
        whole=given,
        at_edge={},
        carried={},
        settlement=None,
        earned=given,
        plan_id=block.plan_id,
        by_hand=reason,
    )
