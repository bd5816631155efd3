"""What a block did for each account of its job's plan: earned, paid, owed. Values for the accountant."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from payouts.coinbase import carry_over, earned
from payouts.plan import Fee, Payee, Plan


class Credit(msgspec.Struct, frozen=True):
    """What one block did for one account. `carry_over_sats` is what its plan brought, 0 where stripped."""

    account: str
    carry_over_sats: int
    earned_sats: int
    paid_sats: int

    @property
    def owed_sats(self) -> int:
        """The carry-over into the next generation; negative where more was paid than was due."""
        return self.carry_over_sats + self.earned_sats - self.paid_sats


class BlockCredit(msgspec.Struct, frozen=True):
    """What a block did for all accounts of its plan, in the plan's order, fees first.

    Earnings sum to the reward. `custody_sats` is the output to the custody address. `held_change_sats` is by
    how much that address holds more for others than before: the change of the pool's liability, and exactly
    the change of what all accounts together are owed. An account whose script is custody's counts as paid
    what is due to it, since that lies at its own address.
    """

    credits: tuple[Credit, ...]
    custody_sats: int
    held_change_sats: int


def credit_of(plan: Plan, value_sats: int, outputs: Sequence[tuple[bytes, int]]) -> BlockCredit:
    """`plan` as the job had it (stripped or not), and the block's outputs but for the witness commitment.

    The outputs are what the chain says, not what the plan would make: whatever was paid is accounted for.
    Raises ValueError for outputs that do not sum to the reward, or that pay somebody outside of the plan.
    """
    paid: dict[bytes, int] = defaultdict(int)
    for script, sats in outputs:
        paid[script] += sats
    if sum(paid.values()) != value_sats:
        raise ValueError(f"the outputs sum to {sum(paid.values())} sats, the reward is {value_sats}")
    custody_sats = paid.pop(plan.custody, 0)
    earnings = list(earned(plan, value_sats))
    strangers = paid.keys() - {recipient.script for recipient, _ in earnings}
    if strangers:
        raise ValueError(f"an output pays {min(strangers).hex()}, which is not in plan {plan.id}")
    lines = _lines(plan, earnings, paid)
    return BlockCredit(
        tuple(lines),
        custody_sats,
        held_change_sats=sum(line.earned_sats - line.paid_sats for line in lines),
    )


def _lines(plan: Plan, earnings: list[tuple[Fee | Payee, int]], paid: dict[bytes, int]) -> list[Credit]:
    """Of accounts that share a script each has its due, in order, and the last one the rest."""
    last_at = {recipient.script: position for position, (recipient, _) in enumerate(earnings)}
    lines: list[Credit] = []
    for position, (recipient, earned_sats) in enumerate(earnings):
        before_sats = carry_over(plan, recipient)
        due_sats = max(0, before_sats + earned_sats)
        if recipient.script == plan.custody:
            paid_sats = due_sats
        else:
            left_sats = paid.get(recipient.script, 0)
            paid_sats = left_sats if last_at[recipient.script] == position else min(due_sats, left_sats)
            paid[recipient.script] = left_sats - paid_sats
        lines.append(Credit(recipient.account, before_sats, earned_sats, paid_sats))
    return lines
