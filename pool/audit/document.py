"""Signed documents: their canonical bytes, their seal, and all that can be wrong with one.

Canonical JSON is what msgspec writes with `order="sorted"`: UTF-8, no white space, members in the order of
their names, no character escaped that need not be; no number is a float, and what may exceed 2^53 (work) is
a decimal string. What is signed is `engineroom <kind>\n` and those bytes, so that a signature of one kind
of document never stands for another. A file may be written otherwise, indented or in another order: it is
read first, and checked over its canonical bytes.

    AuditError           one line for the person who checks
    ├── Unreadable       not such a document
    ├── NewerDocument    written by a newer version
    ├── UnknownKey       signed by a key that is not among those trusted
    └── BadSignature     changed after it was signed, or not signed by that key
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64

Decimal = Annotated[str, msgspec.Meta(pattern=r"^(0|[1-9][0-9]{0,154})$")]
# An integer as text, in its one form; 155 digits hold 2^512, which the tree of a statement takes.
Sats = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
# Both coins' whole supplies (2.1e15 and 8.4e15) fit, and every JSON reader is exact up to here.
Sha256Hex = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
KeyId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]

UNSURE_OF_THE_KEY = (
    "the signature was checked with the key that the document itself holds: "
    "that shows that it is whole, not whose it is"
)


class AuditError(Exception):
    """A document that does not show what it should; one line."""


class Unreadable(AuditError):
    """Not a document of this kind."""


class NewerDocument(AuditError):
    """Of a version that this program does not know."""


class UnknownKey(AuditError):
    """Signed by a key that is not trusted here."""


class BadSignature(AuditError):
    """The signature does not fit the bytes."""


class Signer(Protocol):
    """Who can sign; `pool.audit.keys.SigningKey` is one."""

    @property
    def public_key(self) -> bytes:
        """32 bytes (RFC 8032)."""

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""


class Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An Ed25519 signature and the key to check it with (both base64 in JSON)."""

    public_key: bytes
    signature: bytes


def canonical(document: Any) -> bytes:
    """The bytes that are hashed and signed."""
    return msgspec.json.encode(document, order="sorted")


def fingerprint(document: Any) -> str:
    """sha256 of the canonical bytes, hex: what the next document of a chain names."""
    return sha256(canonical(document)).hexdigest()


def key_id_of(public_key: bytes) -> str:
    """The first 16 hex digits of the public key's sha256."""
    return sha256(public_key).hexdigest()[:16]


def sealed(signer: Signer, kind: str, document: Any) -> Seal:
    """The signer's seal under a document's canonical bytes."""
    return Seal(signer.public_key, signer.sign(_signed_bytes(kind, document)))


def check_seal(
    seal: Seal, kind: str, document: Any, key_id: str, trusted: Mapping[str, bytes] | None
) -> tuple[str, ...]:
    """Nothing where a trusted key signed the document; raises UnknownKey or BadSignature.

    `trusted` maps key ids to public keys (`keys.read_public_keys`); None takes the key in the seal and says
    so in the warnings that are returned.
    """
    if key_id_of(seal.public_key) != key_id:
        raise BadSignature(f"this {kind} names the key {key_id}, and holds another one")
    if trusted is not None and key_id not in trusted:
        known = ", ".join(sorted(trusted)) or "none"
        raise UnknownKey(
            f"this {kind} is signed by the key {key_id}, which is not trusted here (known: {known})"
        )
    public_key = seal.public_key if trusted is None else trusted[key_id]
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(seal.signature, _signed_bytes(kind, document))
    except (InvalidSignature, ValueError):
        raise BadSignature(
            f"this {kind} was changed after it was signed, or not signed by {key_id}"
        ) from None
    return (UNSURE_OF_THE_KEY,) if trusted is None else ()


T = TypeVar("T")


class _Versioned(msgspec.Struct):
    version: int


class _Headed(msgspec.Struct):
    head: _Versioned


def decoded(data: bytes, kind: type[T], name: str, known_version: int) -> T:
    """The document in `data`, whose `head` has its version; raises Unreadable or NewerDocument."""
    try:
        version = msgspec.json.decode(data, type=_Headed).head.version
        if version > known_version:
            raise NewerDocument(f"this {name} is of version {version}; this program knows {known_version}")
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"this is no {name}: {error}") from None


def _signed_bytes(kind: str, document: Any) -> bytes:
    return f"engineroom {kind}\n".encode() + canonical(document)
