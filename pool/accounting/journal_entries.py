"""The journal's entries: what each kind says. Pure values; journal_lines.py makes lines of them.

What an entry says is enough to write the rows that it stands for into a database that lacks them. Accounts
are named by their address, since ids are a database's own; hashes and txids are displayed hex, raw
transactions hex as `sendrawtransaction` takes them, so that a person with the file alone can send one again.
"""

import re
from typing import Annotated

import msgspec

LARGEST = 2**63 - 1  # what a column of either database holds
Sats = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
SignedSats = Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
Number = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})+$")]


def _kind(class_name: str) -> str:
    return re.sub("(?<!^)(?=[A-Z])", "_", class_name.rsplit(".", 1)[-1]).lower()


class _Body(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=_kind
):
    """What every kind of entry is: a field that is not known would be money that is not understood."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value inside a body."""


class BlockFacts(_Part, frozen=True, kw_only=True):
    """A block's row as it first appears. `network_target` is 64 hex digits, the most significant first;
    `payee` is the script of a solo job."""

    previous_hash: Hash
    source: str
    epoch: str
    frame: Number
    found_us: int
    slot: int
    account: str | None
    worker: str
    job_id: str
    plan_id: str | None
    coinbase: Hex
    network_target: Hash
    reward_sats: Sats
    payee: Hex | None = None


class BlockChanged(_Body, frozen=True, kw_only=True):
    """A block goes to another state; when it first appears, `from_state` is "" and `facts` are there."""

    hash: Hash
    height: Number
    transition: Number
    from_state: str
    to_state: str
    reason: str
    facts: BlockFacts | None = None


class Credit(_Part, frozen=True, kw_only=True):
    """What an account gets from a block, or gives: `kind` as the ledger has it (credit, fee, remainder …)."""

    account: str
    credit_kind: str
    sats: SignedSats


class BlockSettled(_Body, frozen=True, kw_only=True):
    """A block's reward is divided. Once raw segments are deleted, this alone says how it was. `reason` is of
    the person who did it by hand, else empty."""

    hash: Hash
    transition: Number
    round: Number
    scheme: str
    from_slot: int
    through_slot: int
    joined: tuple[tuple[int, int], ...] = ()  # slots of orphaned rounds: (after, through) each
    statement_hash: Hash
    credits: tuple[Credit, ...]
    reason: str = ""


class BlockLeftOpen(_Body, frozen=True, kw_only=True):
    """Nobody can say by which plan a block paid: it waits for a person, and holds up nobody else."""

    hash: Hash
    reason: str


class OrphanJoins(_Body, frozen=True, kw_only=True):
    """The slots of an orphaned round, (from_slot, through_slot], count in the round that is open now."""

    hash: Hash
    transition: Number
    round: Number
    from_slot: int
    through_slot: int
    joins_round: Number


class PlannedPayee(_Part, frozen=True, kw_only=True):
    """One output of a payment: the account whose balance it is taken from, and the address it goes to."""

    account: str
    address: str
    sats: Sats


class PaymentPlanned(_Body, frozen=True, kw_only=True):
    """Balances are set apart for a payment; its outputs will be signed in this order."""

    payment_id: Number
    fee_payer: str
    payees: tuple[PlannedPayee, ...]


class SpentOutput(_Part, frozen=True, kw_only=True):
    """An output of ours that an attempt spends."""

    txid: Hash
    output: Number
    sats: Sats


class FeeShare(_Part, frozen=True, kw_only=True):
    """The part of an attempt's fee that an account bears."""

    account: str
    sats: Sats


class PaymentSigned(_Body, frozen=True, kw_only=True):
    """An attempt exists: from now on its bytes may confirm, whoever sends them. `raw` is the whole."""

    payment_id: Number
    attempt: Number
    txid: Hash
    raw: Hex
    inputs: tuple[SpentOutput, ...]
    fee_sats: Sats
    weight: Number
    fee_shares: tuple[FeeShare, ...] = ()


class PaymentBroadcast(_Body, frozen=True, kw_only=True):
    """An attempt is about to be handed to nodes for the first time."""

    payment_id: Number
    attempt: Number
    txid: Hash
    height: Number


class PaymentConfirmed(_Body, frozen=True, kw_only=True):
    """An attempt is deep enough in the chain that the payment counts as done."""

    payment_id: Number
    attempt: Number
    txid: Hash
    block_hash: Hash
    height: Number


class PaymentReopened(_Body, frozen=True, kw_only=True):
    """A confirmed, abandoned or set-aside payment is under way again, in `to_state`."""

    payment_id: Number
    to_state: str
    reason: str


class PaymentAbandoned(_Body, frozen=True, kw_only=True):
    """No attempt can confirm any more, a conflicting transaction is 100 deep: the payees are owed again."""

    payment_id: Number
    conflicting_txid: Hash | None
    reason: str


class PaymentSetAside(_Body, frozen=True, kw_only=True):
    """The payment waits, the others go on: the transaction spends its coins."""

    payment_id: Number
    conflicting_txid: Hash | None = None
    reason: str


class PaymentReplaced(_Body, frozen=True, kw_only=True):
    """A person has taken a foreign transaction for a payment that it excludes. `payees` are what it paid to
    whom; of the rest they are owed again. `fee_sats` is its fee, which the operator bears."""

    payment_id: Number
    txid: Hash
    payees: tuple[PlannedPayee, ...]
    excess_sats: Sats  # what it paid to payees beyond the payment, at the operator's cost
    fee_sats: Sats
    reason: str


class PayeeChanged(_Body, frozen=True, kw_only=True):
    """From `effective_us` on an account is paid at `address`, from `minimum_sats` (None: the pool's) on.

    `proof` is the signed message that asked for it, or says which operator did.
    """

    account: str
    address: str
    minimum_sats: Sats | None
    requested_us: int
    effective_us: int
    proof: str


class HoldPlaced(_Body, frozen=True, kw_only=True):
    """Payments of a scope (all, an account, payment:NUMBER) stop; `hold_kind` says what placed it."""

    scope: str
    hold_kind: str
    reason: str


class HoldReleased(_Body, frozen=True, kw_only=True):
    """The hold of this scope and kind ends."""

    scope: str
    hold_kind: str
    reason: str


class GapAccepted(_Body, frozen=True, kw_only=True):
    """Frames first to last of a source are given up for good, by a person who says why."""

    source: str
    epoch: str
    first_frame: Number
    last_frame: Number
    reason: str


class AgreementChanged(_Body, frozen=True, kw_only=True):
    """From now on blocks are divided by other settings: `document` holds them, as JSON."""

    document: str


class SourceMark(_Part, frozen=True, kw_only=True):
    """A source has been counted up to a frame."""

    source: str
    epoch: str
    frame: Number


class BuyingChanged(_Body, frozen=True, kw_only=True):
    """In frames behind these marks work is bought, or is not. Sources that are not named have the mark that
    the entry of this kind before it gave them, 0 where none did."""

    is_buying: bool
    marks: tuple[SourceMark, ...]
    reason: str


class FeeMeanFixed(_Body, frozen=True, kw_only=True):
    """FPPS: the mean of fees that work of an hour is bought at; `hour` counts from 1970, the mean is in
    millionths of the subsidy."""

    hour: Number
    fee_millionths: Number


class Adopted(_Body, frozen=True, kw_only=True):
    """A person has matched what matched no payment: a journal entry by number, or a wallet's send by txid.

    `payees` are those whose balances it was paid from; empty where the money was not the pool's to owe.
    `fee_sats` is what the send cost besides, the operator's to bear.
    """

    entry: Number | None
    txid: Hash | None
    payees: tuple[PlannedPayee, ...]
    reason: str
    fee_sats: int = 0


class Restored(_Body, frozen=True, kw_only=True):
    """A database came back from a backup or a rebuild that knew the journal up to `database_number` only."""

    database_number: Number
    database_hash: Hash
    reason: str


class JournalBegun(_Body, frozen=True, kw_only=True):
    """The journal before this entry is lost, and the database was all that knew it: this entry follows the
    one that the database had last. Payouts are on hold from here on, until everything is matched."""

    reason: str


class Correction(_Body, frozen=True, kw_only=True):
    """A person moves sats from one account's pot to another's, and says why."""

    account: str
    against: str
    pot: str
    sats: SignedSats
    reason: str


Body = (
    BlockChanged
    | BlockSettled
    | BlockLeftOpen
    | OrphanJoins
    | PaymentPlanned
    | PaymentSigned
    | PaymentBroadcast
    | PaymentConfirmed
    | PaymentReopened
    | PaymentAbandoned
    | PaymentSetAside
    | PaymentReplaced
    | PayeeChanged
    | HoldPlaced
    | HoldReleased
    | GapAccepted
    | AgreementChanged
    | BuyingChanged
    | FeeMeanFixed
    | Adopted
    | Restored
    | JournalBegun
    | Correction
)
