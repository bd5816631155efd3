"""The wallet that payments are made from: the interface, what its calls answer, and the errors of asking.

    WalletError           the wallet did not do what it was asked; one clear line
    ├── WalletUnavailable no answer, or the node is not ready: the payment waits, nothing is decided
    └── WalletRefused     the wallet answered and will not: `reason`, and whether it may pass by itself

node_wallet.py implements it over a node's RPC. What is handed to a node for broadcast has outcomes instead
of errors, since none of them says whether the transaction will confirm.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from payouts.attempt import Attempt, AttemptSight
from payouts.transaction import Coin, Outpoint, Output, Spent


class WalletError(Exception):
    """Asking the wallet failed. `str()` is one line for the operator."""


class WalletUnavailable(WalletError):
    """No usable answer came. The wallet may or may not have acted; ask again later."""


class WalletRefused(WalletError):
    """The wallet will not: locked, no keys left, an address that it does not know.

    `passing` where it may work later without anybody doing anything to the payment.
    """

    def __init__(self, reason: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passing = passing


class FeePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The node's rates, satoshis per 1,000 virtual bytes. `minimum` is what its memory pool takes now,
    `estimate` what confirms within the wanted blocks, None where the node does not know."""

    relay: int
    incremental: int
    minimum: int
    estimate: int | None

    def rate(self, fallback: int | None) -> int | None:
        """The rate to pay: the estimate, else the fallback, never below what the node takes; None if neither
        is there."""
        wanted = self.estimate if self.estimate is not None else fallback
        return None if wanted is None else max(wanted, self.relay, self.minimum)


class Balances(msgspec.Struct, frozen=True, kw_only=True):
    """The wallet's money in satoshis: `trusted` confirmed or own change, `pending` others' unconfirmed,
    `immature` coinbases."""

    trusted_sats: int
    pending_sats: int
    immature_sats: int


class SignedTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction as its bytes say. `weight` is real, not a bound."""

    txid: str
    raw: bytes
    weight: int
    inputs: tuple[Outpoint, ...]
    outputs: tuple[Output, ...]


class KnownTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction of the wallet's. `fee_sats` is None where not all inputs are its own, `confirmations` is
    negative for one that the chain excludes."""

    signed: SignedTransaction
    fee_sats: int | None
    confirmations: int


class WalletSend(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction in which the wallet paid others; `sats` without the fee. Negative confirmations: one
    that excludes it is in the chain."""

    txid: str
    sats: int
    confirmations: int
    addresses: tuple[str, ...]


class Sends(msgspec.Struct, frozen=True):
    """Sends since a block, and the block to ask from next time."""

    sends: tuple[WalletSend, ...]
    last_block: str


class Taken(msgspec.Struct, frozen=True):
    """The memory pool has it now."""


class AlreadyKnown(msgspec.Struct, frozen=True):
    """The memory pool had it before; it was announced again."""


class AlreadyConfirmed(msgspec.Struct, frozen=True):
    """It is in the chain. How deep, `look` tells."""


class MissingInputs(msgspec.Struct, frozen=True):
    """An input is spent or does not exist, as this node sees it now. It may have confirmed all the same: a
    node says this also of a transaction in the chain whose outputs are all spent."""


class Rejected(msgspec.Struct, frozen=True):
    """The node's policy or rules are against it now: the reason as the node gave it."""

    reason: str


class Unavailable(msgspec.Struct, frozen=True):
    """No answer; it may have been taken."""

    reason: str


_TAKEN = {
    Taken: "taken",
    AlreadyKnown: "it has it already",
    AlreadyConfirmed: "it is in the chain",
    MissingInputs: "it does not know an input, or sees it spent",
}
Handed = Taken | AlreadyKnown | AlreadyConfirmed | MissingInputs | Rejected | Unavailable


def handed_text(handed: Handed) -> str:
    """What became of a transaction that was handed over, in words."""
    if isinstance(handed, Rejected | Unavailable):
        return f"{'refused' if isinstance(handed, Rejected) else 'no answer'}: {handed.reason}"
    return _TAKEN[type(handed)]


class Wallet(Protocol):
    """What payments need. Methods raise WalletUnavailable unless they say that they never do, and
    WalletRefused where they say so."""

    async def tip_height(self) -> int:
        """Height of the node's best chain."""

    async def scripts(self, addresses: Sequence[str]) -> dict[str, bytes | None]:
        """The output script of each address; None for what the node cannot pay to."""

    async def coins(self, minimum_confirmations: int) -> list[Coin]:
        """Outputs that may be spent: at least that deep, not locked, not spent in the memory pool."""

    async def lock(self, outpoints: Sequence[Outpoint]) -> None:
        """Keep the wallet from spending these by itself. Repeating changes nothing; a node forgets locks
        when it ends, so the inputs of all unconfirmed payments are locked again after each of its starts."""

    async def unlock(self, outpoints: Sequence[Outpoint]) -> None:
        """Give them back, once their payment is settled."""

    async def change(self) -> Output:
        """A fresh address of the wallet for change, holding 0. WalletRefused where it has no keys left."""

    async def fee_policy(self, target_blocks: int) -> FeePolicy:
        """The node's rates now."""

    async def balances(self) -> Balances:
        """The wallet's money now."""

    async def sign(self, inputs: Sequence[Spent], outputs: Sequence[Output]) -> SignedTransaction:
        """Sign exactly these inputs and outputs, replaceable (BIP 125). Nothing is sent.

        WalletRefused: locked, a wrong passphrase, an address or input that it does not know.
        """

    async def decode(self, raw: bytes) -> SignedTransaction:
        """What stored bytes say; WalletRefused where they are no transaction."""

    async def check(self, raw: bytes) -> Rejected | None:
        """Whether the memory pool would take it; to be asked before it is stored. Nothing is sent."""

    async def broadcast(self, attempt: Attempt) -> Handed:
        """Hand a stored transaction to the node. Never raises WalletError; may be repeated for ever."""

    async def look(self, attempts: Sequence[Attempt], since_height: int | None) -> dict[str, AttemptSight]:
        """What the chain shows of one payment's attempts, by txid. `since_height`: the tip when the first
        was broadcast or signed, None where that is not known (blocks since their coins' are read then, where
        a coin has been spent). Never raises WalletError: attempts are NoAnswer then."""

    async def transaction(self, txid: str) -> KnownTransaction:
        """A transaction that touches the wallet; WalletRefused for one that it does not know."""

    async def sends_since(self, block_hash: str | None) -> Sends:
        """What the wallet paid to others in blocks after this one or not in a block yet; everything for None
        and for a block that is unknown to the node."""
