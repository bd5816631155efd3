"""The life of a payment and its attempts: what to do next, from what the chain shows. It sends nothing.

    planned ──▶ signed ──▶ broadcast ──▶ confirmed      set_aside: waits with a reason, and is still watched
                                                        abandoned: the payees are owed again

An attempt is a signed transaction. From the moment it is stored it may confirm, whoever sends it, whatever a
node says of it today: "unknown", "evicted", "missing inputs" and the wallet's `replaced_by_txid` are moods of
one memory pool and justify no second payment. Two facts alone settle a payment:

  * an attempt is `confirmations` deep in the chain: it is paid (and watched until `watched_confirmations`);
  * every attempt has an input that a foreign transaction spends, `conflict_depth` deep: it never will be.
    Unless that transaction pays one of the payees, as the wallet's own `bumpfee` or a malleated input leaves
    one: then they may have their money, and only a person can say so.

Attempts exclude one another, since a new one must spend an input of every earlier one that could still
confirm. So whichever of them the miners take, the payees have their money once.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from payouts.attempt import (
    Attempt,
    AttemptSight,
    Confirmed,
    Conflicted,
    InputsGone,
    NoAnswer,
    Unconfirmed,
)


class PaymentState(enum.StrEnum):
    """The values are what database and journal hold."""

    PLANNED = "planned"
    SIGNED = "signed"
    BROADCAST = "broadcast"
    CONFIRMED = "confirmed"
    SET_ASIDE = "set_aside"
    ABANDONED = "abandoned"


_P = PaymentState
TRANSITIONS: dict[PaymentState, frozenset[PaymentState]] = {
    _P.PLANNED: frozenset({_P.SIGNED, _P.SET_ASIDE, _P.ABANDONED}),
    _P.SIGNED: frozenset({_P.BROADCAST, _P.SET_ASIDE, _P.ABANDONED}),
    _P.BROADCAST: frozenset({_P.CONFIRMED, _P.SET_ASIDE, _P.ABANDONED}),
    _P.CONFIRMED: frozenset({_P.BROADCAST}),
    _P.SET_ASIDE: frozenset({_P.PLANNED, _P.SIGNED, _P.BROADCAST, _P.ABANDONED}),
    _P.ABANDONED: frozenset({_P.BROADCAST}),
}


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Depths and ages in blocks. `most_attempts` bounds what has to be watched; a fee limit ends bumping
    long before."""

    confirmations: int = 6
    watched_confirmations: int = 100
    conflict_depth: int = 100
    bump_after_blocks: int = 6
    most_attempts: int = 20


class Sign(msgspec.Struct, frozen=True):
    """Compose and sign the first attempt, store it, go to `signed`."""


class Broadcast(msgspec.Struct, frozen=True):
    """Record attempt `number` as broadcast (its height; the payment's state), then hand it to the node."""

    number: int


class Rebroadcast(msgspec.Struct, frozen=True):
    """Hand attempt `number` to the node again; nothing to record, no answer changes anything."""

    number: int


class Bump(msgspec.Struct, frozen=True):
    """Make a further attempt from attempt `number` with a higher fee, which must exclude all of `live`.
    Where that is refused: rebroadcast `number`."""

    number: int
    live: tuple[int, ...]


class Confirm(msgspec.Struct, frozen=True):
    """Go to `confirmed` by attempt `number`."""

    number: int
    sight: Confirmed


class Reopen(msgspec.Struct, frozen=True):
    """Go back to `broadcast`, take back what confirming or abandoning had entered, and ask again."""

    reason: str


class SetAside(msgspec.Struct, frozen=True):
    """Go to `set_aside`: people should look, and the payment is still watched.

    A payment with attempts is set aside for no other reason than this one. One that a node rejects stays as
    it is and is handed over again.
    """

    conflicting_txid: str
    reason: str


class PlanAnew(msgspec.Struct, frozen=True):
    """Go to `abandoned`: no attempt can confirm, the payees are owed again."""

    conflicting_txid: str
    reason: str


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do now."""


class Done(msgspec.Struct, frozen=True):
    """Confirmed so deep that it need not be watched any more."""


Action = Sign | Broadcast | Rebroadcast | Bump | Confirm | Reopen | SetAside | PlanAnew | Wait | Done


def next_step(
    state: PaymentState,
    attempts: Sequence[Attempt],
    sights: Mapping[str, AttemptSight],
    tip_height: int,
    rules: Rules | None = None,
    payees: frozenset[bytes] | None = None,
) -> Action:
    """What to do now for one payment. `attempts` by number, `sights` by txid (a missing one is NoAnswer);
    `payees` are the scripts that it pays, None where they are not known.

    After each action that changes a state, ask again with what is then stored.
    """
    rules = rules or Rules()
    if not attempts:
        return Sign() if state is _P.PLANNED else Wait()
    seen = [(attempt, sights.get(attempt.txid, NoAnswer())) for attempt in attempts]
    for attempt, sight in seen:
        if isinstance(sight, Confirmed) and sight.confirmations > 0:
            return _in_chain(state, attempt, sight, attempts, rules)
    if any(isinstance(sight, NoAnswer) for _, sight in seen):
        return Wait()
    if state is _P.CONFIRMED:
        return Reopen("the confirmed attempt has left the chain")
    if state is _P.ABANDONED:
        return Wait()
    possible = [attempt for attempt, sight in seen if not isinstance(sight, Conflicted)]
    if not possible:
        return _all_conflicted(state, attempts, seen, rules, payees)
    return _under_way(state, possible[-1], seen, tip_height, rules)


def _in_chain(
    state: PaymentState, attempt: Attempt, sight: Confirmed, attempts: Sequence[Attempt], rules: Rules
) -> Action:
    counted = [other.number for other in attempts if other.is_counted]
    if state is _P.CONFIRMED:
        if attempt.number not in counted:
            return Reopen(f"attempt {attempt.number} is in the chain, not the one counted")
        return Done() if sight.confirmations >= rules.watched_confirmations else Wait()
    if attempt.broadcast_height is None and state in (_P.SIGNED, _P.BROADCAST):
        return Broadcast(attempt.number)  # a crash came between handing it over and recording that
    if sight.confirmations < rules.confirmations:
        return Wait()
    if state in (_P.SET_ASIDE, _P.ABANDONED, _P.PLANNED):
        return Reopen(f"attempt {attempt.number} has {sight.confirmations} confirmations")
    return Confirm(attempt.number, sight)


def _all_conflicted(
    state: PaymentState,
    attempts: Sequence[Attempt],
    seen: Sequence[tuple[Attempt, AttemptSight]],
    rules: Rules,
    payees: frozenset[bytes] | None,
) -> Action:
    conflicts = [sight for _, sight in seen if isinstance(sight, Conflicted)]
    shallowest = min(conflicts, key=lambda conflict: conflict.confirmations)
    own = {attempt.txid for attempt in attempts}
    if any(conflict.txid in own for conflict in conflicts):
        return Wait()  # then one of ours has confirmed, and the next look says so
    reason = f"transaction {shallowest.txid} spends the same coins, {shallowest.confirmations} deep"
    paying = [one for one in conflicts if payees is None or not one.scripts.isdisjoint(payees)]
    if not paying and shallowest.confirmations >= rules.conflict_depth:
        return PlanAnew(shallowest.txid, reason)
    if state is _P.SET_ASIDE:
        return Wait()
    if paying:
        return SetAside(
            paying[0].txid,
            f"transaction {paying[0].txid} spends the same coins and pays a payee of it: "
            "`engineroom payouts adopt` takes it for the payment",
        )
    depth = rules.conflict_depth
    return SetAside(shallowest.txid, f"{reason}; the payees are owed again when it is {depth} deep")


def _under_way(
    state: PaymentState,
    newest: Attempt,
    seen: Sequence[tuple[Attempt, AttemptSight]],
    tip_height: int,
    rules: Rules,
) -> Action:
    if state is _P.SET_ASIDE:
        if all(isinstance(sight, InputsGone | Conflicted) for _, sight in seen):
            return Wait()  # that what spends its coins was not found does not mean that it is not there
        return Reopen(f"nothing in the chain prevents attempt {newest.number}")
    if newest.broadcast_height is None:
        return Broadcast(newest.number)
    old = tip_height - newest.broadcast_height >= rules.bump_after_blocks
    gone = any(isinstance(sight, InputsGone) for attempt, sight in seen if attempt is newest)
    if old and not gone and len(seen) < rules.most_attempts:
        return Bump(newest.number, tuple(attempt.number for attempt in live(seen, rules)))
    return Wait() if _in_a_mempool(seen) else Rebroadcast(newest.number)


def _in_a_mempool(seen: Sequence[tuple[Attempt, AttemptSight]]) -> bool:
    return any(isinstance(sight, Unconfirmed) and sight.in_mempool for _, sight in seen)


def live(seen: Iterable[tuple[Attempt, AttemptSight]], rules: Rules) -> list[Attempt]:
    """The attempts that could still confirm: all but those whose conflict is deep enough to stay."""
    return [
        attempt
        for attempt, sight in seen
        if not (isinstance(sight, Conflicted) and sight.confirmations >= rules.conflict_depth)
    ]
