"""BIP 322 simple signatures of p2wpkh and p2tr (key path): a witness for a transaction that cannot be sent.

`to_spend` commits to the message and pays to the address's script; `to_sign` spends it into OP_RETURN. Their
form is fixed, so that neither is sent along: a signature is the witness of `to_sign` and nothing else. What
BIP 322 asks of a verifier holds here: SIGHASH_ALL (or taproot's default), strict DER, low S.
"""

from hashlib import sha256

from coincurve import PublicKey, PublicKeyXOnly

from pool.audit.bip137 import HashMissing, hash160
from stratum.work.hashing import sha256d
from stratum.work.transaction import compact_size

PREFIX = "smp"
# What the BIP's final text writes before the base64 of a simple signature; older wallets leave it out. It can
# begin no other: as base64 it would be a witness of 178 items.

_VERSION = _LOCKTIME = _SEQUENCE = bytes(4)
_AMOUNT = bytes(8)
_TO_SIGN_OUTPUT = _AMOUNT + bytes.fromhex("016a")  # nothing, to OP_RETURN
_SIGHASH_ALL = 1
_SCHNORR_BYTES = 64
_COMPRESSED_KEY_BYTES = 33
_MOST_ITEMS = 2
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0

_WRONG = "the signature is not this address's signature of this message"
_NOT_A_WITNESS = "the signature is no BIP 322 simple signature (a witness) for this kind of address"


def tagged_hash(tag: str, data: bytes) -> bytes:
    """BIP 340's hash for one purpose."""
    prefix = sha256(tag.encode()).digest()
    return sha256(prefix + prefix + data).digest()


def message_hash(message: bytes) -> bytes:
    """What `to_spend` holds of the message, 32 bytes."""
    return tagged_hash("BIP0322-signed-message", message)


def to_spend_id(script: bytes, message: bytes) -> bytes:
    """The txid of `to_spend`, 32 bytes in internal order."""
    no_output = bytes(32) + b"\xff" * 4
    script_sig = b"\x00\x20" + message_hash(message)
    return sha256d(
        _VERSION
        + b"\x01"
        + no_output
        + compact_size(len(script_sig))
        + script_sig
        + _SEQUENCE
        + b"\x01"
        + _AMOUNT
        + compact_size(len(script))
        + script
        + _LOCKTIME
    )


def key_hash_digest(script: bytes, message: bytes) -> bytes:
    """What a p2wpkh key signs: BIP 143's digest of `to_sign`, SIGHASH_ALL."""
    spent = to_spend_id(script, message) + bytes(4)
    script_code = bytes.fromhex("1976a914") + script[2:] + bytes.fromhex("88ac")
    return sha256d(
        _VERSION
        + sha256d(spent)
        + sha256d(_SEQUENCE)
        + spent
        + script_code
        + _AMOUNT
        + _SEQUENCE
        + sha256d(_TO_SIGN_OUTPUT)
        + _LOCKTIME
        + _SIGHASH_ALL.to_bytes(4, "little")
    )


def taproot_digest(script: bytes, message: bytes, hash_type: int) -> bytes:
    """What a p2tr output key signs: BIP 341's digest of `to_sign` for the key path, no annex."""
    spent = to_spend_id(script, message) + bytes(4)
    return tagged_hash(
        "TapSighash",
        bytes((0, hash_type))  # epoch 0
        + _VERSION
        + _LOCKTIME
        + sha256(spent).digest()
        + sha256(_AMOUNT).digest()
        + sha256(compact_size(len(script)) + script).digest()
        + sha256(_SEQUENCE).digest()
        + sha256(_TO_SIGN_OUTPUT).digest()
        + bytes(5),  # no annex, key path; input 0
    )


def witness_problem(script: bytes, message: bytes, witness: bytes) -> str | None:
    """None where `witness` signs `message` for a p2wpkh or p2tr `script`, else a sentence. Never raises."""
    items = _items(witness)
    try:
        if items is not None and len(script) == 22 and len(items) == 2:
            return None if _key_hash_signed(script, message, *items) else _WRONG
        if items is not None and len(script) == 34 and len(items) == 1:
            return None if _taproot_signed(script, message, items[0]) else _WRONG
    except HashMissing as missing:
        return str(missing)
    except ValueError:  # a key or a signature that is not one
        return _WRONG
    return _NOT_A_WITNESS


def _items(witness: bytes) -> list[bytes] | None:
    """The items of a serialised witness; None where it is none, or holds more or longer ones than count."""
    if not witness or witness[0] > _MOST_ITEMS:
        return None
    items, position = [], 1
    for _ in range(witness[0]):
        length = witness[position] if position < len(witness) else 0xFF
        item = witness[position + 1 : position + 1 + length]
        if length >= 0xFD or len(item) != length:
            return None
        items.append(item)
        position += 1 + length
    return items if position == len(witness) else None


def _key_hash_signed(script: bytes, message: bytes, signature: bytes, key: bytes) -> bool:
    if len(key) != _COMPRESSED_KEY_BYTES or hash160(key) != script[2:]:
        return False
    if signature[-1:] != bytes((_SIGHASH_ALL,)) or not _is_strict_low_s(signature[:-1]):
        return False
    return PublicKey(key).verify(signature[:-1], key_hash_digest(script, message), hasher=None)


def _taproot_signed(script: bytes, message: bytes, signature: bytes) -> bool:
    hash_type = 0
    if len(signature) == _SCHNORR_BYTES + 1:
        # BIP 341: a 65th byte that says "default" is invalid, so that the signature has one form
        hash_type, signature = signature[-1], signature[:-1]
        if hash_type != _SIGHASH_ALL:
            return False
    if len(signature) != _SCHNORR_BYTES:
        return False
    return PublicKeyXOnly(script[2:]).verify(signature, taproot_digest(script, message, hash_type))


def _is_strict_low_s(der: bytes) -> bool:
    """BIP 66's encoding (by making it again from its numbers), and BIP 146's low S."""
    if len(der) < 8 or der[3] > 33 or len(der) < 6 + der[3]:
        return False
    r_end = 4 + der[3]
    r, s = int.from_bytes(der[4:r_end], "big"), int.from_bytes(der[r_end + 2 :], "big")
    return der == _der(r, s) and s <= _HALF_ORDER


def _der(r: int, s: int) -> bytes:
    numbers = b""
    for number in (r, s):
        data = number.to_bytes(number.bit_length() // 8 + 1, "big")  # with a bit for the sign
        numbers += bytes((2, len(data))) + data
    return bytes((0x30, len(numbers))) + numbers if len(numbers) < 0x80 else b""
