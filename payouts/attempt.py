"""An attempt at a payment: a stored signed transaction, what the chain shows of it, and what excludes it."""

import enum
from collections.abc import Iterable

import msgspec

from payouts.transaction import Coin, Outpoint, Spent


class AttemptState(enum.StrEnum):
    """The values are what the database holds."""

    SIGNED = "signed"
    BROADCAST = "broadcast"
    CONFIRMED = "confirmed"
    CONFLICTED = "conflicted"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A stored signed transaction. `broadcast_height` is the tip's height when it was first handed to a node,
    None before; `is_counted` says that the payment is recorded as confirmed by this attempt."""

    number: int
    txid: str
    raw: bytes
    inputs: tuple[Spent, ...]
    fee_sats: int
    weight: int
    broadcast_height: int | None = None
    is_counted: bool = False

    def outpoints(self) -> frozenset[Outpoint]:
        """What it spends."""
        return frozenset(spent.outpoint for spent in self.inputs)


class Confirmed(msgspec.Struct, frozen=True):
    """In the best chain, in this block; its own block counts as 1."""

    confirmations: int
    block_hash: str
    height: int


class Unconfirmed(msgspec.Struct, frozen=True):
    """Not in the chain, and nothing in the chain prevents it; whether this node's memory pool has it."""

    in_mempool: bool


class Conflicted(msgspec.Struct, frozen=True):
    """A transaction in the best chain spends one of its inputs; `confirmations` are that one's.

    `scripts` are what all transactions in the chain pay to that spend one of its inputs: one of them may have
    paid the very payees.
    """

    txid: str
    confirmations: int
    scripts: frozenset[bytes] = frozenset()


class InputsGone(msgspec.Struct, frozen=True):
    """An input neither exists nor was seen spent: what made it has left the chain, for now."""


class NoAnswer(msgspec.Struct, frozen=True):
    """The node could not be asked."""

    reason: str = ""


AttemptSight = Confirmed | Unconfirmed | Conflicted | InputsGone | NoAnswer


def excludes_all(inputs: Iterable[Spent], attempts: Iterable[Attempt]) -> bool:
    """Whether a transaction with these inputs could never confirm beside any of the attempts."""
    outpoints = {spent.outpoint for spent in inputs}
    return all(outpoints & attempt.outpoints() for attempt in attempts)


def free_coins(coins: Iterable[Coin], attempts: Iterable[Attempt]) -> list[Coin]:
    """The coins that none of the attempts spends. A node that has restarted, or has dropped an attempt from
    its memory pool, takes an attempt's inputs for spendable."""
    taken = {spent.outpoint for attempt in attempts for spent in attempt.inputs}
    return [coin for coin in coins if coin.outpoint not in taken]


def attempt_state(attempt: Attempt, sight: AttemptSight) -> AttemptState:
    """The attempt's row, as it should now read: `confirmed` only for the attempt that is counted."""
    match sight:
        case Confirmed() if attempt.is_counted:
            return AttemptState.CONFIRMED
        case Conflicted():
            return AttemptState.CONFLICTED
        case _:
            return AttemptState.SIGNED if attempt.broadcast_height is None else AttemptState.BROADCAST
