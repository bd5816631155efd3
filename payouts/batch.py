"""Who is in the next payment: accounts whose balance has reached their minimum, and why others stay out."""

from collections.abc import Iterable

import msgspec

from payouts.transaction import dust_sats

MOST_OUTPUTS = 1000


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """An account's balance and where it goes: the account's own address or another that it has named.

    `script` is what the node says the address stands for, None where it says that it cannot be paid.
    `obstacle` is what else stands against paying it.
    """

    account: str
    address: str
    script: bytes | None
    sats: int
    minimum_sats: int
    obstacle: str | None = None


class Item(msgspec.Struct, frozen=True):
    """One account in a payment. `sats` leave its balance; with the fee on the payees, less arrives."""

    account: str
    address: str
    script: bytes
    sats: int


class LeftOut(msgspec.Struct, frozen=True):
    """An account that has reached its minimum and is not paid. `needs_person` where waiting will not help."""

    account: str
    sats: int
    reason: str
    needs_person: bool


class BatchRules(msgspec.Struct, frozen=True, kw_only=True):
    """`daily_limit_sats` None is no limit; `spendable_sats` is what is left of it."""

    dust_sats_per_kvb: int
    most_outputs: int = MOST_OUTPUTS
    daily_limit_sats: int | None = None
    spendable_sats: int | None = None


class Batch(msgspec.Struct, frozen=True):
    """Items in the order of their outputs; one output for items of the same script."""

    items: tuple[Item, ...]
    left_out: tuple[LeftOut, ...]


def choose(owed: Iterable[Owed], rules: BatchRules) -> Batch:
    """The next payment's items, possibly none; largest balance first, equal ones by account.

    The largest first, so that a daily limit that is nearly used up does not keep the same large account
    waiting behind small ones for ever. An account that is left out changes nothing for the others.
    """
    items: list[Item] = []
    left_out: list[LeftOut] = []
    scripts: set[bytes] = set()
    left_sats = rules.spendable_sats
    for one in sorted(owed, key=lambda one: (-one.sats, one.account)):
        if one.sats <= 0 or one.sats < one.minimum_sats:
            continue
        if one.script is None:
            left_out.append(_left_out(one, f"the node cannot pay to {one.address}", needs_person=True))
            continue
        if one.obstacle is not None:
            left_out.append(_left_out(one, one.obstacle, needs_person=True))
            continue
        obstacle = _obstacle(one, one.script, rules, left_sats, scripts)
        if obstacle is not None:
            left_out.append(obstacle)
            continue
        items.append(Item(one.account, one.address, one.script, one.sats))
        scripts.add(one.script)
        left_sats = None if left_sats is None else left_sats - one.sats
    return Batch(tuple(items), tuple(left_out))


def _obstacle(
    one: Owed, script: bytes, rules: BatchRules, left_sats: int | None, scripts: set[bytes]
) -> LeftOut | None:
    dust = dust_sats(script, rules.dust_sats_per_kvb)
    if one.sats < dust:
        reason = f"{one.sats} sats are dust for this address, the least is {dust}"
        return _left_out(one, reason, needs_person=False)
    if rules.daily_limit_sats is not None and one.sats > rules.daily_limit_sats:
        reason = f"{one.sats} sats are more than the daily limit of {rules.daily_limit_sats}"
        return _left_out(one, reason, needs_person=True)
    if left_sats is not None and one.sats > left_sats:
        return _left_out(one, f"the daily limit leaves {max(0, left_sats)} sats for now", needs_person=False)
    if script not in scripts and len(scripts) >= rules.most_outputs:
        return _left_out(one, f"the payment has its {rules.most_outputs} outputs", needs_person=False)
    return None


def _left_out(one: Owed, reason: str, *, needs_person: bool) -> LeftOut:
    return LeftOut(one.account, one.sats, reason, needs_person)
