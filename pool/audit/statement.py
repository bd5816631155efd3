"""A block's statement: what was settled, from which work, by which rules; signed, chained to the last one.

    Statement
    ├── head   a few hundred bytes that commit to everything: block, work root and total, the body's sha256,
    │          the previous head's sha256, the key's id. A proof for one account carries only this.
    ├── body   window, work, fees, credits, marks, hashes of the segments that it was counted from
    └── seal   Ed25519 over the head's canonical bytes (`pool.audit.document`)

The *weight* of an account is what divides the reward. Where the window cuts a slot that holds W of work, of
which R is inside, weights are whole × W + edge × R, and nothing is rounded; elsewhere they are the work
itself. The Merkle-sum tree is over the weights, and the head names their scale (W, or 1).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated

import msgspec

from pool.audit.document import (
    BadSignature,
    Decimal,
    KeyId,
    Sats,
    Seal,
    Sha256Hex,
    Signer,
    Unreadable,
    canonical,
    check_seal,
    decoded,
    fingerprint,
    key_id_of,
    sealed,
)
from pool.audit.merkle_sum import MerkleSumTree

VERSION = 1
KIND = "statement"
LARGEST_BYTES = (
    256 * 2**20
)  # a file to read into memory: far above 10,000 accounts (2 MB) and 100,000 segments

Slot = Annotated[int, msgspec.Meta(ge=0)]
FrameNumber = Annotated[int, msgspec.Meta(ge=0)]
BasisPoints = Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a statement: what a reader does not know it must not pass over in silence."""


class AccountWork(_Part, frozen=True, kw_only=True):
    """Work of one account: in the window's whole slots, in the slot on its edge, and carried into this round
    from rounds that were settled (late frames) or orphaned."""

    account: str
    whole: Decimal = "0"
    edge: Decimal = "0"
    carried: Decimal = "0"


class Edge(_Part, frozen=True, kw_only=True):
    """The slot that the window cuts: it holds `work` (W), of which `inside` (R) counts. `seconds` is its
    length: an hour where slots had been rolled up; None where it is as all others."""

    slot: Slot
    work: Decimal
    inside: Decimal
    seconds: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Window(_Part, frozen=True, kw_only=True):
    """Slots whose work was paid, both ends included, by their start in Unix seconds. `edge`, where there is
    one, is the first slot. `needed` is N; None where the scheme has no size (a round, solo)."""

    from_slot: Slot
    through_slot: Slot
    slot_seconds: Annotated[int, msgspec.Meta(ge=1)]
    edge: Edge | None = None
    needed: Decimal | None = None

    @property
    def first_whole(self) -> int:
        """The first slot that counts whole."""
        if self.edge is None:
            return self.from_slot
        return self.edge.slot + (self.edge.seconds or self.slot_seconds)


class Fee(_Part, frozen=True, kw_only=True):
    """One fee on the full reward."""

    address: str
    basis_points: BasisPoints
    sats: Sats


class Rules(_Part, frozen=True, kw_only=True):
    """The settings that the block was settled by. `multiple` and `max_days` are the window's, for pplns."""

    scheme: str
    method: str
    unfilled: str
    multiple: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_days: Annotated[int, msgspec.Meta(ge=1)] | None = None


class SegmentHash(_Part, frozen=True, kw_only=True):
    """A raw segment that the work was counted from: its frames, and the sha256 of its uncompressed bytes."""

    source: str
    first_frame: FrameNumber
    last_frame: FrameNumber
    sha256: Sha256Hex


class PartHash(_Part, frozen=True, kw_only=True):
    """The same of a segment that was not finished when the block was settled: its bytes up to the last frame
    that was counted. The whole segment is in the archive later."""

    source: str
    epoch: str
    first_frame: FrameNumber
    last_frame: FrameNumber
    sha256: Sha256Hex


class DigestHash(_Part, frozen=True, kw_only=True):
    """A day whose raw segments were gone when the block was settled: the digest that stands for them."""

    day: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    sha256: Sha256Hex


class Body(_Part, frozen=True, kw_only=True):
    """The account itself. `credits` are by payee, fees and `operator_sats` (what no payee earned: an unfilled
    or empty window, PPS) apart; all three sum to `reward_sats`. `rounding` names who was given the satoshis
    that were left over, and is part of `credits`. `marks`: of each source, the last frame that was counted.
    `by_hand`: the reason of a person who divided it; the weights are the amounts that were given then.
    """

    found_at_us: Annotated[int, msgspec.Meta(ge=0)]
    finder: str
    network_target: Sha256Hex
    rules: Rules
    window: Window
    marks: dict[str, FrameNumber]
    work: tuple[AccountWork, ...]
    reward_sats: Sats
    fees: tuple[Fee, ...]
    operator_sats: Sats
    credits: dict[str, Sats]
    rounding: dict[str, Sats]
    segments: tuple[SegmentHash, ...]
    parts: tuple[PartHash, ...] = ()
    digests: tuple[DigestHash, ...]
    leaf_secret: Sha256Hex
    plan_id: str | None = None
    by_hand: str | None = None


class Head(_Part, frozen=True, kw_only=True):
    """What is signed. `previous` is None in the first statement of a database."""

    version: int
    network: str
    block_hash: Sha256Hex
    height: Annotated[int, msgspec.Meta(ge=0)]
    root: Sha256Hex
    total: Decimal
    scale: Decimal
    body: Sha256Hex
    previous: Sha256Hex | None
    key_id: KeyId


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The three parts, as they stand in the file."""

    head: Head
    body: Body
    seal: Seal


def scale_of(body: Body) -> int:
    """What a weight is divided by to be work (expected hashes)."""
    return int(body.window.edge.work) if body.window.edge else 1


def weights_of(body: Body) -> dict[str, int]:
    """What divides the reward, by account. Raises Unreadable where an account stands there twice."""
    scale = scale_of(body)
    inside = int(body.window.edge.inside) if body.window.edge else 0
    weights = {
        row.account: (int(row.whole) + int(row.carried)) * scale + int(row.edge) * inside for row in body.work
    }
    if len(weights) != len(body.work):
        raise Unreadable("an account stands twice in the work of this statement")
    return weights


def tree_of(body: Body) -> MerkleSumTree:
    """The tree over the weights; raises Unreadable for weights beyond every window (2^512)."""
    try:
        return MerkleSumTree(weights_of(body), bytes.fromhex(body.leaf_secret))
    except ValueError as error:
        raise Unreadable(f"the work of this statement is none: {error}") from None


def sign_statement(
    body: Body, *, network: str, block_hash: str, height: int, previous: Statement | None, signer: Signer
) -> Statement:
    """The statement of a block. `block_hash` as displayed. The same arguments give the same bytes."""
    root = tree_of(body).root
    head = Head(
        version=VERSION,
        network=network,
        block_hash=block_hash,
        height=height,
        root=root.hash.hex(),
        total=str(root.total),
        scale=str(scale_of(body)),
        body=fingerprint(body),
        previous=fingerprint(previous.head) if previous else None,
        key_id=key_id_of(signer.public_key),
    )
    return Statement(head=head, body=body, seal=sealed(signer, KIND, head))


def encode(statement: Statement) -> bytes:
    """The file: canonical JSON."""
    return canonical(statement)


def decode(data: bytes) -> Statement:
    """Raises Unreadable or NewerDocument; the signature is not looked at."""
    if len(data) > LARGEST_BYTES:
        raise Unreadable(f"this is no {KIND}: it is larger than {LARGEST_BYTES} bytes")
    return decoded(data, Statement, KIND, VERSION)


def verify(statement: Statement, trusted: Mapping[str, bytes] | None) -> tuple[str, ...]:
    """Warnings, where the statement is what its signer signed; raises an AuditError where it is not.

    Says nothing about whether the signer counted rightly: that is `recompute`'s.
    """
    warnings = check_seal(statement.seal, KIND, statement.head, statement.head.key_id, trusted)
    head, body = statement.head, statement.body
    if fingerprint(body) != head.body:
        raise BadSignature("this statement's body was changed after it was signed")
    root = tree_of(body).root
    if (root.hash.hex(), str(root.total), str(scale_of(body))) != (head.root, head.total, head.scale):
        raise BadSignature("this statement's work root is not that of the work in it")
    return warnings


def chain_problems(statements: Sequence[Statement]) -> list[str]:
    """One line for each statement that does not name the one before it, oldest first."""
    return [
        f"the statement of block {later.head.height} {later.head.block_hash} does not follow that of "
        f"block {earlier.head.height} {earlier.head.block_hash}: one between them is missing or was changed"
        for earlier, later in pairwise(statements)
        if later.head.previous != fingerprint(earlier.head)
    ]
