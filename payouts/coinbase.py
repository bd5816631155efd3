"""A plan and a reward → the outputs of a coinbase. Pure: the same in the gateway and in an audit.

What is due to an account is its share of this reward plus its carry-over. The carry-overs lie at the custody
address, in blocks found earlier, so custody's own due is the pool's part of this reward less all of them:
dues sum to the reward, always. Whoever is owed most is paid first; when the money ends, the smallest wait.
What waits is owed, and the custody address holds it (or it is advanced to those who fit in). See
docs/decisions/0010-carry-over-is-paid-out-of-the-reward.md.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator

import msgspec

from payouts.amounts import split
from payouts.plan import WHOLE_BASIS_POINTS, Fee, Payee, Plan
from payouts.transaction import dust_sats

VALUE_BYTES = 8
LONGEST_SHORT_SCRIPT = 0xFC
WEIGHT_PER_BYTE = 4  # an output is no witness data
Outputs = tuple[tuple[bytes, int], ...]
SigopCost = Callable[[bytes], int]


class Room(msgspec.Struct, frozen=True):
    """What the outputs of a coinbase may take: bytes of the firmware's buffer, weight and signature
    operations of the block. Less than one output needs, even below zero, still makes one output."""

    size_bytes: int
    weight: int
    sigop_cost: int


class Dues(msgspec.Struct, frozen=True):
    """What is due by output script, the largest first; equal ones in the plan's order, fees first.

    `custody_sats` is what is due to the custody script itself; negative while it holds more for others than
    the pool earned. All of them sum to `value_sats`.
    """

    value_sats: int
    ranked: Outputs
    custody_sats: int


def dues(plan: Plan, value_sats: int) -> Dues:
    """Shares of the reward plus carry-over; raises ValueError for a plan that pays nobody."""
    due: dict[bytes, int] = defaultdict(int)
    for recipient, earned_sats in earned(plan, value_sats):
        if recipient.script != plan.custody:
            due[recipient.script] += earned_sats + carry_over(plan, recipient)
    ranked = sorted(due.items(), key=lambda item: -item[1])
    return Dues(value_sats, tuple(ranked), value_sats - sum(due.values()))


def outputs_of(plan: Plan, due: Dues, room: Room, sigop_cost: SigopCost) -> Outputs:
    """(script, sats) for each output, in order; at least one; they sum to the reward exactly.

    `sigop_cost` tells what an output script takes of the block's budget.
    """
    ranked = tuple(one for one in due.ranked if one[0] not in plan.held) if plan.held else due.ranked
    if plan.remainder == "advance" and not plan.held:  # what is held is nobody else's
        advanced = _advanced(plan, due, room, sigop_cost)
        if advanced is not None:
            return advanced
    # Custody's output is made only where something is left for it, so it is first tried without.
    for reserved in (0, 1):
        paid = _fill(plan, ranked, due.value_sats, room, reserved, sigop_cost)
        left_sats = due.value_sats - sum(paid.values())
        if paid and left_sats < max(1, dust_sats(plan.custody, plan.dust_sats_per_kvb)):
            paid[next(iter(paid))] += left_sats
            return tuple(paid.items())
    return (*paid.items(), (plan.custody, left_sats))


def _advanced(plan: Plan, due: Dues, room: Room, sigop_cost: SigopCost) -> Outputs | None:
    """Everything to those who fit in, the remainder in proportion to what each is paid; None where no payee
    fits in. Fee recipients are advanced nothing: who leaves is a loss, and it is not to be theirs to make."""
    queue = due.ranked
    if due.custody_sats > 0:
        queue = tuple(sorted((*queue, (plan.custody, due.custody_sats)), key=lambda item: -item[1]))
    paid = _fill(plan, queue, due.value_sats, room, 0, sigop_cost)
    fee_scripts = {plan.custody, *(fee.script for fee in plan.fees)}
    advanced = [script for script in paid if script not in fee_scripts]
    if not advanced:
        return None
    left_sats = due.value_sats - sum(paid.values())
    for script, sats in zip(advanced, split(left_sats, [paid[script] for script in advanced]), strict=True):
        paid[script] += sats
    return tuple(paid.items())


def _fill(
    plan: Plan, queue: Outputs, money_sats: int, room: Room, reserved: int, sigop_cost: SigopCost
) -> dict[bytes, int]:
    """Pay dues in order while money and room last, with room kept for `reserved` outputs to custody.

    One that does not fit is passed over: a shorter script behind it may.
    """
    paid: dict[bytes, int] = {}
    most = plan.most_outputs - reserved
    bytes_left = min(room.size_bytes, room.weight // WEIGHT_PER_BYTE) - reserved * output_bytes(plan.custody)
    sigops_left = room.sigop_cost - reserved * sigop_cost(plan.custody)
    for script, due_sats in queue:
        if len(paid) >= most or min(due_sats, money_sats) < max(1, plan.minimum_output_sats):
            break
        sats = min(due_sats, money_sats)
        size_bytes, sigops = output_bytes(script), sigop_cost(script)
        if (
            size_bytes <= bytes_left
            and sigops <= sigops_left
            and sats >= dust_sats(script, plan.dust_sats_per_kvb)
        ):
            paid[script] = sats
            money_sats -= sats
            bytes_left -= size_bytes
            sigops_left -= sigops
    return paid


def output_bytes(script: bytes) -> int:
    """What an output to this script takes of its transaction."""
    return VALUE_BYTES + (1 if len(script) <= LONGEST_SHORT_SCRIPT else 3) + len(script)


def earned(plan: Plan, value_sats: int) -> Iterator[tuple[Fee | Payee, int]]:
    """Each fee of the full reward, rounded down, then each payee's share of the rest by largest remainder.

    Raises ValueError where no payee has a weight.
    """
    fees = [value_sats * fee.basis_points // WHOLE_BASIS_POINTS for fee in plan.fees]
    yield from zip(plan.fees, fees, strict=True)
    shares = split(value_sats - sum(fees), [payee.weight for payee in plan.payees])
    yield from zip(plan.payees, shares, strict=True)


def carry_over(plan: Plan, recipient: Fee | Payee) -> int:
    """What the plan brings from before; nothing where it is stripped."""
    return 0 if plan.is_stripped else recipient.carry_over_sats
