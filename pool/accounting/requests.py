"""What is asked of the one writer, and what it answers: the arguments and results of its operations. Values.

They travel as JSON through the accountant's socket, and are the same when nobody listens there and a command
does the work itself.
"""

import msgspec


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of one operation: an argument that is not known would be a wish that is not understood."""


class Nothing(_Request, frozen=True, kw_only=True):
    """No arguments."""


class HoldRequest(_Request, frozen=True, kw_only=True):
    """Stop payments of a scope: all, an account, or payment:NUMBER."""

    scope: str
    reason: str


class ReleaseRequest(_Request, frozen=True, kw_only=True):
    """Let payments of a scope go on."""

    scope: str
    reason: str


class AdoptedPart(_Request, frozen=True, kw_only=True):
    """What an account got: of a payment that the pool knows nothing of, or of a block settled by hand."""

    account: str
    sats: int


class AdoptRequest(_Request, frozen=True, kw_only=True):
    """`what` is `all`, a journal entry's number, or a txid. `is_nobodys`: nobody here was owed it."""

    what: str
    payees: tuple[AdoptedPart, ...] = ()
    is_nobodys: bool = False
    reason: str


class PayeeRequest(_Request, frozen=True, kw_only=True):
    """Pay an account elsewhere, or from another amount on (None: the pool's). Either the account's signature
    of `pool.audit.payee_change`'s text, or `is_operators` and the reason."""

    account: str
    address: str
    minimum_sats: int | None = None
    signature: str | None = None
    is_operators: bool = False
    reason: str = ""


class GapRequest(_Request, frozen=True, kw_only=True):
    """Give up what of a source cannot be read."""

    source: str
    epoch: str
    reason: str


class CorrectionRequest(_Request, frozen=True, kw_only=True):
    """Move satoshis to an account (negative: from it) against another."""

    account: str
    against: str
    sats: int
    reason: str


class SettleRequest(_Request, frozen=True, kw_only=True):
    """Settle a block that was left open: what each account earned of its reward."""

    block_hash: str
    parts: tuple[AdoptedPart, ...]
    reason: str


class SettledPart(msgspec.Struct, frozen=True, kw_only=True):
    """What a block that was settled by hand did for an account: earned, and paid by its coinbase."""

    account: str
    earned_sats: int
    paid_sats: int


class PreviewLine(msgspec.Struct, frozen=True, kw_only=True):
    """An account with a balance: `reason` is why it is not in the next payment, empty where it is."""

    account: str
    address: str
    sats: int
    reason: str


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The next payment: `paid` accounts get `sats`. `lines` are those who are paid, then the others, and
    `more` is how many did not fit into an answer.

    `obstacle` is what keeps all of it back; `is_wallet_asked`: the node was asked what it can pay to, and for
    its fee rates.
    """

    lines: tuple[PreviewLine, ...]
    more: int
    paid: int
    sats: int
    obstacle: str | None
    is_wallet_asked: bool


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """Payments that were made, by number; why there are no more; and those who were left out."""

    payment_ids: tuple[int, ...]
    reason: str | None
    left_out: tuple[PreviewLine, ...]


class PayeeResult(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was taken, and when it takes effect."""

    account: str
    address: str
    minimum_sats: int | None
    effective_us: int


class GapResult(msgspec.Struct, frozen=True, kw_only=True):
    """Frames that were given up; none, with `first_frame` one above `last_frame`, where the source ended."""

    first_frame: int
    last_frame: int


class AdoptResult(msgspec.Struct, frozen=True, kw_only=True):
    """One line for each thing that was adopted, and for each that still waits."""

    adopted: tuple[str, ...]
    waiting: tuple[str, ...]
    is_released: bool
