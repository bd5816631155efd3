"""A proof for one account: that its work is in the total that a block's reward was divided by.

It holds the statement's head and seal, so that nothing else is needed to check it but the pool's public
key: no database, no statement, nobody else's name. On each row of the tree it shows one hash and one sum:
9 rows and 1.4 KB in all for 500 accounts, 14 rows and 1.8 KB for 10,000.
"""

import base64
import binascii
from collections.abc import Mapping

import msgspec

from pool.audit.document import BadSignature, Decimal, Seal, Unreadable, canonical, check_seal, decoded
from pool.audit.merkle_sum import HASH_BYTES, Path, Root, Step, root_of
from pool.audit.statement import KIND, VERSION, Head, Statement, tree_of

LARGEST_BYTES = 16 * 1024

_LEFT, _RIGHT = "L", "R"


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As in the file. A step is L or R (where the sibling stands) and base64 of its hash and sum."""

    head: Head
    seal: Seal
    account: str
    weight: Decimal
    salt: bytes
    steps: tuple[str, ...]


class Shown(msgspec.Struct, frozen=True):
    """What a proof shows: of the block's `total` weight, `weight` is the account's; divided by `scale`, both
    are work in expected hashes."""

    head: Head
    account: str
    weight: int
    total: int
    scale: int
    warnings: tuple[str, ...]


def prove(statement: Statement, account: str) -> Proof:
    """The proof for an account of a statement; raises KeyError where it did no work in it."""
    path = tree_of(statement.body).path_of(account)
    return Proof(
        head=statement.head,
        seal=statement.seal,
        account=account,
        weight=str(path.work),
        salt=path.salt,
        steps=tuple(_text_of(step) for step in path.steps),
    )


def encode(proof: Proof) -> bytes:
    """One line of canonical JSON."""
    return canonical(proof)


def decode(data: bytes) -> Proof:
    """Raises Unreadable or NewerDocument."""
    if len(data) > LARGEST_BYTES:
        raise Unreadable(f"this is no proof: it is larger than {LARGEST_BYTES} bytes")
    return decoded(data, Proof, "proof", VERSION)


def check(proof: Proof, trusted: Mapping[str, bytes] | None) -> Shown:
    """What the proof shows; raises an AuditError where it shows nothing. `trusted` as in `check_seal`."""
    head = proof.head
    warnings = check_seal(proof.seal, KIND, head, head.key_id, trusted)
    path = Path(proof.account, int(proof.weight), proof.salt, tuple(_step_of(text) for text in proof.steps))
    try:
        reached = root_of(path)
    except ValueError as error:
        raise Unreadable(f"this is no proof: {error}") from None
    if reached != Root(bytes.fromhex(head.root), int(head.total)):
        raise BadSignature("the path of this proof does not lead to the work root that was signed")
    return Shown(head, proof.account, path.work, reached.total, int(head.scale), warnings)


def _text_of(step: Step) -> str:
    total = step.sibling.total
    data = step.sibling.hash + total.to_bytes((total.bit_length() + 7) // 8, "big")
    return (_LEFT if step.sibling_is_left else _RIGHT) + base64.b64encode(data).decode()


def _step_of(text: str) -> Step:
    try:
        data = base64.b64decode(text[1:], validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if text[:1] not in (_LEFT, _RIGHT) or len(data) < HASH_BYTES:
        raise Unreadable("this is no proof: one of its steps is none")
    return Step(Root(data[:HASH_BYTES], int.from_bytes(data[HASH_BYTES:], "big")), text[0] == _LEFT)
