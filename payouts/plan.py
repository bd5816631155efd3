"""A plan: whom a coinbase pays and in which proportion; amounts follow from the reward."""

import msgspec

from payouts.amounts import split


class Payee(msgspec.Struct, frozen=True):
    """An output script and its weight in the plan."""

    script: bytes
    weight: int


class Plan(msgspec.Struct, frozen=True):
    """Payees in the order of their outputs; at least one."""

    payees: tuple[Payee, ...]


def sole(script: bytes) -> Plan:
    """Everything to one payee: a solo miner, or the operator of a farm."""
    return Plan((Payee(script, 1),))


def amounts(plan: Plan, reward_sats: int) -> list[tuple[bytes, int]]:
    """(script, sats) for each payee, summing to the reward exactly;
    raises ValueError for a plan that pays nobody."""
    shares = split(reward_sats, [payee.weight for payee in plan.payees])
    return [(payee.script, share) for payee, share in zip(plan.payees, shares, strict=True)]
