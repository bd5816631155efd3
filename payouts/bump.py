"""A payment's further attempt: the same outputs to the payees, a higher fee, and no way beside the others.

It keeps every input of the attempt that it replaces and may add coins as deep in the chain as the first
choice demands (BIP 125 rule 2 knows no other reason to refuse those). What the payees get does not change:
their amounts are entered; the pool pays what is added to the fee. A node may replace nothing at all, as
Litecoin Core without -mempoolreplacement=1: Wallet.check says so before anything is stored.
"""

from collections.abc import Collection, Sequence

import msgspec

from payouts.attempt import Attempt, excludes_all, free_coins
from payouts.batch import Item
from payouts.composition import Composition, FeeShare, Refusal, Terms, too_dear, too_heavy, worth_spending
from payouts.transaction import Coin, Output, Spent, dust_sats, fee_for, output_weight

_COUNTS_GROW = 16
# Weight of the counts of inputs and outputs, should both outgrow one byte (2 more each, 4 units a byte).


class Replaced(msgspec.Struct, frozen=True, kw_only=True):
    """What is replaced: the attempt, its outputs as signed, and the scripts among them that are payees'."""

    attempt: Attempt
    outputs: tuple[Output, ...]
    payee_scripts: Collection[bytes]


def bump(
    replaced: Replaced,
    live: Sequence[Attempt],
    spare: Sequence[Coin],
    terms: Terms,
    incremental_sats_per_kvb: int,
) -> Composition | Refusal:
    """A transaction that may replace any of the live attempts in a memory pool (BIP 125).

    `live` are all attempts that could still confirm, `spare` coins that no other payment's attempt spends,
    `terms.change` a fresh address for where the replaced one had no change. `fee_shares` and `items` of the
    result are empty: the first attempt's stand. A refusal changes nothing; the replaced attempt is
    rebroadcast. Raises ValueError where none of the outputs is a payee's.
    """
    attempt = replaced.attempt
    if not excludes_all(attempt.inputs, live):
        return Refusal("it shares no input with an earlier attempt that may still confirm", passing=False)
    payees = [output for output in replaced.outputs if output.script in replaced.payee_scripts]
    if not payees:
        raise ValueError(f"attempt {attempt.number} pays none of the payment's payees")
    paid_sats = sum(output.sats for output in payees)
    change = next((out for out in replaced.outputs if out.script not in replaced.payee_scripts), None)
    bare_weight = attempt.weight - (output_weight(change.script) if change else 0)
    # A signature may come out a byte longer than it was; outside the witness a byte is 4 units.
    weight = bare_weight + _COUNTS_GROW + 4 * len(attempt.inputs)
    drawn = list(attempt.inputs)
    others = free_coins(spare, [attempt, *live])
    for extra in (None, *worth_spending(others, terms.sats_per_kvb)):
        if extra is not None:
            drawn.append(Spent(extra[0].outpoint, extra[0].sats))
            weight += extra[1]
        over_sats = sum(spent.sats for spent in drawn) - paid_sats
        found = _divide(over_sats, weight, change or terms.change, live, terms, incremental_sats_per_kvb)
        if found is not None:
            return _finish(drawn, payees, found, paid_sats, terms)
    return Refusal("the wallet has no further coins for a higher fee", passing=True)


class _Divided(msgspec.Struct, frozen=True):
    fee_sats: int
    weight: int
    change: Output | None


def _divide(
    over_sats: int, weight: int, change: Output, live: Sequence[Attempt], terms: Terms, incremental: int
) -> _Divided | None:
    with_change = weight + output_weight(change.script)
    change_fee = replacing_fee(with_change, live, terms.sats_per_kvb, incremental)
    change_sats = over_sats - change_fee
    if change_sats >= dust_sats(change.script, terms.dust_sats_per_kvb):
        return _Divided(change_fee, with_change, msgspec.structs.replace(change, sats=change_sats))
    if over_sats >= replacing_fee(weight, live, terms.sats_per_kvb, incremental):
        return _Divided(over_sats, weight, None)
    return None


def replacing_fee(
    weight: int, live: Sequence[Attempt], sats_per_kvb: int, incremental_sats_per_kvb: int
) -> int:
    """The least fee, at the wanted rate or above, with which this weight replaces each of the attempts.

    BIP 125: the fee is at least the replaced one's plus the relay cost of the new bytes (rules 3 and 4), and
    the rate, which Core reckons per 1,000 virtual bytes, is higher (PaysMoreThanConflicts).
    """
    fee = fee_for(weight, sats_per_kvb)
    relay = fee_for(weight, incremental_sats_per_kvb)
    for attempt in live:
        virtual_bytes = -(-attempt.weight // 4)
        rate = -(-attempt.fee_sats * 1000 // virtual_bytes)
        fee = max(fee, attempt.fee_sats + relay, fee_for(weight, rate + 1))
    return fee


def _finish(
    drawn: Sequence[Spent], payees: Sequence[Output], found: _Divided, paid_sats: int, terms: Terms
) -> Composition | Refusal:
    refusal = too_dear(found.fee_sats, paid_sats, terms.max_fee_percent) or too_heavy(found.weight)
    if refusal is not None:
        return refusal
    items: tuple[Item, ...] = ()
    shares: tuple[FeeShare, ...] = ()
    return Composition(
        inputs=tuple(drawn),
        outputs=(*payees, *((found.change,) if found.change else ())),
        fee_sats=found.fee_sats,
        weight=found.weight,
        items=items,
        fee_shares=shares,
    )
