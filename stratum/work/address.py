"""Addresses → output scripts: base58check, bech32 and bech32m, with the network checked; it asks no node.

No library knows the addresses of all coins here, and a lookup over RPC at each authorise would be a way to
stall the pool. Errors are sentences for the person who typed the address.

    AddressError
    └── WrongNetwork      well-formed, but of another coin or network
"""

import functools

import msgspec

from stratum.work.coin import COINS, Network
from stratum.work.hashing import sha256d

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUES = {character: value for value, character in enumerate(_BASE58)}
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_VALUES = {character: value for value, character in enumerate(_BECH32)}
_BECH32_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CONSTANT = 1
_BECH32M_CONSTANT = 0x2BC830A3
_LONGEST = 90  # BIP 173; the longest base58 address has 36

# each with the length of the 20 bytes that it pushes
_OP_DUP_HASH160 = bytes.fromhex("76a914")
_OP_EQUALVERIFY_CHECKSIG = bytes.fromhex("88ac")
_OP_HASH160 = bytes.fromhex("a914")
_OP_EQUAL = bytes.fromhex("87")
_OP_1 = 0x51


class AddressError(ValueError):
    """Not an address that can be paid here; the message is a whole sentence."""


class WrongNetwork(AddressError):
    """An address of another network."""


class Address(msgspec.Struct, frozen=True):
    """`text` is canonical, so that one payee has one name: bech32 in lower case, base58 with the version byte
    that nodes write today (litecoin's M… for an old 3…). `script` is what a coinbase pays.
    """

    text: str
    script: bytes


def parse_address(text: str, network: Network) -> Address:
    """The address, or AddressError. Accepts what the network's node calls valid and a coinbase can pay.

    MWEB addresses have no script and are refused; so are witness versions above 1, whose coins anybody
    could take.
    """
    if not 14 <= len(text) <= _LONGEST or not text.isascii() or not text.isalnum():
        if _mweb_prefix_of(text) is not None:
            raise AddressError(_MWEB_REFUSED)
        raise AddressError(f"{text[:_LONGEST]!r} is not an address")
    if _has_bech32_shape(text):
        return _from_bech32(text, network)
    return _from_base58(text, network)


_MWEB_REFUSED = (
    "an MWEB address has no output script and cannot be paid by a block; use an ordinary address (ltc1…)"
)


def _mweb_prefix_of(text: str) -> str | None:
    lowered = text.lower()
    prefixes = {network.mweb_prefix for networks in COINS.values() for network in networks.values()}
    return next((p for p in prefixes if p is not None and lowered.startswith(p + "1")), None)


def _has_bech32_shape(text: str) -> bool:
    """A known prefix, whatever follows: a mistyped bech32 address is not to be reported as bad base58."""
    return any(text.lower().startswith(prefix + "1") for prefix in _networks_by_prefix())


@functools.cache
def _networks_by_prefix() -> dict[str, list[Network]]:
    found: dict[str, list[Network]] = {}
    for networks in COINS.values():
        for network in networks.values():
            found.setdefault(network.bech32_prefix, []).append(network)
    return found


# ---------------------------------------------------------------------- base58check


def _from_base58(text: str, network: Network) -> Address:
    payload = _base58check(text)
    if payload is None or len(payload) != 21:
        raise AddressError(f"{text!r} is not an address: its checksum does not fit")
    version, digest = payload[0], payload[1:]
    if version == network.pubkey_version:
        return Address(text, _OP_DUP_HASH160 + digest + _OP_EQUALVERIFY_CHECKSIG)
    if version in network.script_versions:
        text = _to_base58check(bytes(network.script_versions[:1]) + digest)
        return Address(text, _OP_HASH160 + digest + _OP_EQUAL)
    owners = [
        other
        for networks in COINS.values()
        for other in networks.values()
        if version == other.pubkey_version or version in other.script_versions
    ]
    raise _wrong_network(text, owners, network)


def _base58check(text: str) -> bytes | None:
    number = 0
    for character in text:
        value = _BASE58_VALUES.get(character)
        if value is None:
            return None
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(data) < 5 or sha256d(data[:-4])[:4] != data[-4:]:
        return None
    return data[:-4]


def _to_base58check(payload: bytes) -> str:
    data = payload + sha256d(payload)[:4]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


# ---------------------------------------------------------------------- bech32


def _from_bech32(text: str, network: Network) -> Address:
    lowered = text.lower()
    if text not in (lowered, text.upper()):
        raise AddressError(f"{text!r} mixes upper and lower case; a bech32 address is all of one")
    prefix, _, body = lowered.rpartition("1")
    values = [_BECH32_VALUES.get(character, -1) for character in body]
    if -1 in values or len(values) < 7:
        raise AddressError(f"{text!r} is not an address: it holds a character that bech32 has not")
    version = values[0]
    constant = _BECH32_CONSTANT if version == 0 else _BECH32M_CONSTANT
    if _polymod(_expanded(prefix) + values) != constant:
        raise AddressError(f"{text!r} is not an address: its checksum does not fit")
    program = _regrouped(values[1:-6])
    if prefix != network.bech32_prefix:
        raise _wrong_network(text, _networks_by_prefix().get(prefix, []), network)
    if version == 0 and program is not None and len(program) in (20, 32):
        return Address(lowered, bytes((0, len(program))) + program)
    if version == 1 and program is not None and len(program) == 32:
        return Address(lowered, bytes((_OP_1, len(program))) + program)
    raise AddressError(f"{text!r} has a witness program that nobody could spend safely today")


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATORS):
            if top >> bit & 1:
                checksum ^= generator
    return checksum


def _expanded(prefix: str) -> list[int]:
    codes = [ord(character) for character in prefix]
    return [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]


def _regrouped(values: list[int]) -> bytes | None:
    """Groups of five bits as bytes; None where the padding is too long or not zero."""
    number = 0
    for value in values:
        number = number << 5 | value
    padding = 5 * len(values) % 8
    if padding > 4 or number & ((1 << padding) - 1):
        return None
    return (number >> padding).to_bytes(5 * len(values) // 8, "big")


def _wrong_network(text: str, owners: list[Network], network: Network) -> AddressError:
    here = f"{network.coin} {network.name}"
    if not owners:
        return AddressError(f"{text!r} is not an address of {here}")
    names = " or ".join(f"{owner.coin} {owner.name}" for owner in owners)
    return WrongNetwork(f"{text!r} is an address of {names}; this pool mines {here}")
