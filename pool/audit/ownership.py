"""Whether the holder of an address signed a message, by BIP 137 or BIP 322; it knows no payee.

Which format speaks for which address:

    p2pkh          BIP 137 (headers 27–34; what every wallet's "sign message" has made since 2011)
    p2sh-p2wpkh    BIP 137 (35–38, and Electrum's 31–34)
    p2wpkh         BIP 137 (39–42, and Electrum's 31–34), or BIP 322 simple
    p2tr           BIP 322 simple, key path
    anything else  nobody here can say: the operator has to decide

A script hash is taken for p2sh-p2wpkh; any other script behind it fails to match, and is refused.
"""

import base64
import binascii

import msgspec

from pool.audit.bip137 import COMPACT_BYTES, holder_of, signed_by_script
from pool.audit.bip322 import PREFIX, witness_problem
from stratum.work.address import Address
from stratum.work.coin import Network

LONGEST_SIGNATURE_CHARACTERS = 400
# A p2wpkh witness is 108 bytes, 144 characters; a person may have pasted line ends. Not a place
# to send a book to.

LONGEST_MESSAGE_BYTES = 4096

_P2WPKH_HEADER, _P2WPKH_BYTES = bytes.fromhex("0014"), 22
_P2TR_HEADER, _P2TR_BYTES = bytes.fromhex("5120"), 34


class Verified(msgspec.Struct, frozen=True):
    """The key of the address has signed the message. `method` names the format that it was checked by."""

    method: str


class Refusal(msgspec.Struct, frozen=True):
    """Not shown to be signed by the address; `reason` is a sentence for the person who sent the signature."""

    reason: str


def verify_message(
    address: Address, network: Network, message: str, signature_base64: str
) -> Verified | Refusal:
    """Whether `signature_base64` is the address's signature of exactly `message`. Never raises.

    White space around the signature, and line ends inside it, are forgiven; every character of the message
    counts. A signature may be malleable (BIP 137): it proves a signing, it is not an identity.
    """
    try:
        message_bytes = message.encode()
    except UnicodeEncodeError:
        return Refusal("the message holds characters that are no Unicode text")
    if len(message_bytes) > LONGEST_MESSAGE_BYTES:
        return Refusal(f"the message is longer than {LONGEST_MESSAGE_BYTES} bytes")
    text = "".join(signature_base64.split()) if len(signature_base64) <= LONGEST_SIGNATURE_CHARACTERS else ""
    signature = _decoded(text.removeprefix(PREFIX))
    if not signature:
        return Refusal("the signature is not base64 of a signed message")
    if is_taproot(address.script):
        return _by_bip322(address.script, message_bytes, signature)
    if _is_key_hash_witness(address.script) and len(signature) != COMPACT_BYTES:
        return _by_bip322(address.script, message_bytes, signature)
    return _by_bip137(address.script, network, message_bytes, signature)


def is_taproot(script: bytes) -> bool:
    """Whether the script is a p2tr output: OP_1 and 32 bytes."""
    return len(script) == _P2TR_BYTES and script[:2] == _P2TR_HEADER


def _is_key_hash_witness(script: bytes) -> bool:
    return len(script) == _P2WPKH_BYTES and script[:2] == _P2WPKH_HEADER


def _decoded(text: str) -> bytes | None:
    """The bytes; None also where bits that base64 leaves unused are set: one signature, one text."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None


def _by_bip322(script: bytes, message: bytes, signature: bytes) -> Verified | Refusal:
    problem = witness_problem(script, message, signature)
    return Verified("BIP 322 simple") if problem is None else Refusal(problem)


def _by_bip137(script: bytes, network: Network, message: bytes, signature: bytes) -> Verified | Refusal:
    holder = holder_of(network.coin, message, signature)
    if isinstance(holder, str):
        return Refusal(holder)
    problem = signed_by_script(holder, script)
    return Verified("BIP 137") if problem is None else Refusal(problem)
