"""A payment's transaction before it is signed: which coins it spends, what each output gets, what the fee is.

Inputs are chosen here and the wallet adds none: two transactions that are to exclude each other must share
an input, and only who chooses inputs can see to that. Every function returns a Composition, in which inputs
equal outputs plus fee, or a Refusal with the reason.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from payouts.amounts import split
from payouts.batch import Item, LeftOut
from payouts.transaction import (
    MOST_STANDARD_WEIGHT,
    Coin,
    Output,
    Spent,
    dust_sats,
    fee_for,
    input_weight,
    transaction_weight,
)

FeePayer = Literal["pool", "payees"]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a composition is made under. `change` is a fresh address of the wallet; its amount is ignored."""

    sats_per_kvb: int
    dust_sats_per_kvb: int
    fee_paid_by: FeePayer
    max_fee_percent: int
    change: Output


class FeeShare(msgspec.Struct, frozen=True):
    """The part of the fee that is kept back from an account's amount."""

    account: str
    sats: int


class Composition(msgspec.Struct, frozen=True, kw_only=True):
    """Outputs are the payees' in the items' order, then the change if there is one.

    `fee_shares` name every item in order, with 0 where the pool pays; what the shares do not cover of
    `fee_sats` the pool pays. `weight` is an upper bound until the transaction is signed.
    """

    inputs: tuple[Spent, ...]
    outputs: tuple[Output, ...]
    fee_sats: int
    weight: int
    items: tuple[Item, ...]
    fee_shares: tuple[FeeShare, ...]
    left_out: tuple[LeftOut, ...] = ()


class Refusal(msgspec.Struct, frozen=True):
    """Why there is no transaction. A `passing` reason may be gone at the next try, others need a person."""

    reason: str
    passing: bool


class _Funding(msgspec.Struct, frozen=True):
    """How a sum of inputs is divided: `payees_fee_sats` is kept back from the payees."""

    change_sats: int
    fee_sats: int
    payees_fee_sats: int
    weight: int


def compose(items: Sequence[Item], coins: Sequence[Coin], terms: Terms) -> Composition | Refusal:
    """The first transaction of a payment, from the fewest coins (largest first, equal ones by outpoint).

    `coins` are those that may be spent: deep enough, not locked, in no other open attempt. An item that its
    share of the fee pushes below dust stays out and is named in `left_out`.
    """
    dust_rate = terms.dust_sats_per_kvb
    left_out: list[LeftOut] = []
    kept = list(items)
    while kept:
        made = _compose_exactly(kept, coins, terms)
        if isinstance(made, Refusal):
            return made
        dusty = {out.script for out in made.outputs if out.sats < dust_sats(out.script, dust_rate)}
        if not dusty:
            return msgspec.structs.replace(made, left_out=tuple(left_out))
        left_out += [
            LeftOut(item.account, item.sats, "less its share of the fee it is dust", needs_person=False)
            for item in kept
            if item.script in dusty
        ]
        kept = [item for item in kept if item.script not in dusty]
    return Refusal("no amount is above dust once the fee is taken off", passing=True)


def _compose_exactly(items: Sequence[Item], coins: Sequence[Coin], terms: Terms) -> Composition | Refusal:
    gross_sats = sum(item.sats for item in items)
    scripts = list(dict.fromkeys(item.script for item in items))
    drawn: list[Spent] = []
    weights: list[int] = []
    total_sats = 0
    for coin, weight in worth_spending(coins, terms.sats_per_kvb):
        drawn.append(Spent(coin.outpoint, coin.sats))
        weights.append(weight)
        total_sats += coin.sats
        if total_sats < gross_sats:
            continue
        funding = _fund(total_sats, gross_sats, weights, scripts, terms)
        if funding is not None:
            return _finish(items, drawn, funding, terms)
    return Refusal(
        f"the wallet's spendable coins hold {total_sats} sats, which does not cover {gross_sats} sats"
        + (" and the fee" if terms.fee_paid_by == "pool" else ""),
        passing=True,
    )


def worth_spending(coins: Sequence[Coin], sats_per_kvb: int) -> list[tuple[Coin, int]]:
    """Coins that bring more than they cost, and their weights; largest first. Kinds that we cannot weigh are
    left alone."""
    weighed = [(coin, input_weight(coin)) for coin in coins]
    useful = [(c, w) for c, w in weighed if w is not None and c.sats > fee_for(w, sats_per_kvb)]
    return sorted(useful, key=lambda pair: (-pair[0].sats, pair[0].outpoint))


def _fund(
    total_sats: int, gross_sats: int, weights: Sequence[int], scripts: Sequence[bytes], terms: Terms
) -> _Funding | None:
    bare = transaction_weight(weights, scripts)
    with_change = transaction_weight(weights, [*scripts, terms.change.script])
    bare_fee, change_fee = fee_for(bare, terms.sats_per_kvb), fee_for(with_change, terms.sats_per_kvb)
    by_payees = terms.fee_paid_by == "payees"
    excess_sats = total_sats - gross_sats
    change_sats = excess_sats if by_payees else excess_sats - change_fee
    if change_sats >= dust_sats(terms.change.script, terms.dust_sats_per_kvb):
        return _Funding(change_sats, change_fee, change_fee if by_payees else 0, with_change)
    if by_payees:  # what is too little for change goes to the fee, and the payees give that much less
        kept_back = max(0, bare_fee - excess_sats)
        return _Funding(0, excess_sats + kept_back, kept_back, bare)
    return _Funding(0, excess_sats, 0, bare) if excess_sats >= bare_fee else None


def _finish(
    items: Sequence[Item], drawn: Sequence[Spent], funding: _Funding, terms: Terms
) -> Composition | Refusal:
    gross_sats = sum(item.sats for item in items)
    refusal = too_dear(funding.fee_sats, gross_sats, terms.max_fee_percent) or too_heavy(funding.weight)
    if refusal is not None:
        return refusal
    # In proportion to the amounts: so the limit in percent holds for every payee, however small.
    shares = split(funding.payees_fee_sats, [item.sats for item in items])
    outputs = merged_outputs(items, shares)
    if funding.change_sats:
        outputs.append(msgspec.structs.replace(terms.change, sats=funding.change_sats))
    return Composition(
        inputs=tuple(drawn),
        outputs=tuple(outputs),
        fee_sats=funding.fee_sats,
        weight=funding.weight,
        items=tuple(items),
        fee_shares=tuple(FeeShare(item.account, share) for item, share in zip(items, shares, strict=True)),
    )


def merged_outputs(items: Sequence[Item], fee_shares: Sequence[int]) -> list[Output]:
    """The payees' outputs: one per script, since nodes refuse an address that is there twice."""
    addresses: dict[bytes, str] = {}
    sums: dict[bytes, int] = {}
    for item, share in zip(items, fee_shares, strict=True):
        addresses.setdefault(item.script, item.address)
        sums[item.script] = sums.get(item.script, 0) + item.sats - share
    return [Output(addresses[script], script, sats) for script, sats in sums.items()]


def too_dear(fee_sats: int, gross_sats: int, max_fee_percent: int) -> Refusal | None:
    """A refusal where the fee exceeds the limit; it passes, since fees fall and balances grow."""
    if fee_sats * 100 <= max_fee_percent * gross_sats:
        return None
    text = f"the fee of {fee_sats} sats is more than {max_fee_percent} % of {gross_sats} sats"
    return Refusal(text, passing=True)


def too_heavy(weight: int) -> Refusal | None:
    """A refusal where nodes would not relay the transaction for its size."""
    if weight <= MOST_STANDARD_WEIGHT:
        return None
    return Refusal(
        f"the transaction would weigh {weight} units, nodes relay {MOST_STANDARD_WEIGHT}: "
        "join the wallet's small coins first",
        passing=False,
    )
