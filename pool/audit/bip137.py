"""BIP 137: from a compact signature the signer's key is recovered; and the scripts that this key may hold.

The header byte says which of up to four keys to recover (its two low bits, from 27), and what kind of address
its signer meant. Electrum writes the header of a p2pkh address for every kind, and is understood.
"""

from hashlib import new, sha256

import msgspec
from coincurve import PublicKey

from stratum.work.hashing import sha256d
from stratum.work.transaction import compact_size

COMPACT_BYTES = 65

_FIRST_HEADER, _LAST_HEADER = 27, 42
_UNCOMPRESSED = range(27, 31)
_COMPRESSED = range(31, 35)  # a p2pkh address to BIP 137, any address to Electrum
_SCRIPT_HASH = range(35, 39)
_WITNESS = range(39, 43)

_MAGIC = {
    # src/validation.cpp's strMessageMagic of Bitcoin Core 0.9 and src/util/message.cpp of both coins' nodes
    "bitcoin": b"Bitcoin Signed Message:\n",
    "litecoin": b"Litecoin Signed Message:\n",
}


class Holder(msgspec.Struct, frozen=True):
    """Who signed: the 20-byte hash of the recovered public key, and the signature's header byte."""

    key_hash: bytes
    header: int


def message_digest(coin: str, message: bytes) -> bytes:
    """The 32 bytes that are signed: sha256d(magic ‖ message), each with its length before it.
    Raises KeyError for a coin without a magic; every coin of `stratum.work.coin` has one."""
    magic = _MAGIC[coin]
    return sha256d(compact_size(len(magic)) + magic + compact_size(len(message)) + message)


def holder_of(coin: str, message: bytes, signature: bytes) -> Holder | str:
    """The one who signed `message`, or a sentence that says why there is none. Never raises.

    Somebody is found for nearly any signature: only the comparison with an address says something.
    """
    if coin not in _MAGIC:
        return f"messages signed by {coin} addresses cannot be checked here"
    if len(signature) != COMPACT_BYTES:
        return (
            f"the signature has {len(signature)} bytes; a signed message of this address has {COMPACT_BYTES}"
        )
    header = signature[0]
    if not _FIRST_HEADER <= header <= _LAST_HEADER:
        return f"the signature's first byte is {header}, which BIP 137 does not know"
    recovery = (header - _FIRST_HEADER) & 3
    try:
        key = PublicKey.from_signature_and_message(
            signature[1:] + bytes((recovery,)), message_digest(coin, message), hasher=None
        )
        return Holder(hash160(key.format(compressed=header not in _UNCOMPRESSED)), header)
    except ValueError:
        return "the signature belongs to no key"
    except HashMissing as missing:
        return str(missing)


def signed_by_script(holder: Holder, script: bytes) -> str | None:
    """None where `script` belongs to the holder, else a sentence that says why not."""
    allowed = _headers_by_script(holder.key_hash)
    kinds = [headers for candidate, headers in allowed if candidate == script]
    if not kinds:
        return "the signature is not this address's signature of this message"
    if not any(holder.header in headers for headers in kinds[0]):
        return (
            f"the signature's first byte ({holder.header}) says that it was made for another kind of address"
        )
    return None


def _headers_by_script(key_hash: bytes) -> tuple[tuple[bytes, tuple[range, ...]], ...]:
    """The three scripts of a key's hash, each with the headers that may speak for it (BIP 137's table)."""
    witness = bytes.fromhex("0014") + key_hash
    return (
        (bytes.fromhex("76a914") + key_hash + bytes.fromhex("88ac"), (_UNCOMPRESSED, _COMPRESSED)),
        (bytes.fromhex("a914") + hash160(witness) + bytes.fromhex("87"), (_SCRIPT_HASH, _COMPRESSED)),
        (witness, (_WITNESS, _COMPRESSED)),
    )


class HashMissing(Exception):
    """This Python's OpenSSL was built without RIPEMD-160; one line that says so."""


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256: what an address of a key shows of it. Raises HashMissing."""
    try:
        return new("ripemd160", sha256(data).digest()).digest()
    except ValueError:
        raise HashMissing(
            "this machine's OpenSSL has no RIPEMD-160 (its legacy provider is off), so that "
            "messages signed by such an address cannot be checked on it"
        ) from None
