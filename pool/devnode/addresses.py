"""Scripts → addresses of regtest and their kinds, and private keys as wallets write them (WIF).

The other way round is stratum.work.address's.
"""

import msgspec

from stratum.work.coin import network
from stratum.work.hashing import sha256d

REGTEST = network("bitcoin", "regtest")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CONSTANTS = {0: 1, 1: 0x2BC830A3}  # bech32 for version 0, bech32m since
_WITNESS_KINDS = (
    (b"\x00\x14", 22, "witness_v0_keyhash", 0),
    (b"\x00\x20", 34, "witness_v0_scripthash", 0),
    (b"\x51\x20", 34, "witness_v1_taproot", 1),
)
_SECRET_VERSION = 0xEF  # of every test network


class ScriptKind(msgspec.Struct, frozen=True):
    """Core's name for the kind of a script, and the address that it stands for, if it does for one."""

    name: str
    address: str | None = None
    witness_version: int | None = None


def script_kind(script: bytes) -> ScriptKind:
    """What a script is."""
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return ScriptKind("pubkeyhash", _base58check(bytes((REGTEST.pubkey_version,)) + script[3:23]))
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22:] == b"\x87":
        return ScriptKind("scripthash", _base58check(bytes(REGTEST.script_versions[:1]) + script[2:22]))
    for head, length, name, version in _WITNESS_KINDS:
        if script.startswith(head) and len(script) == length:
            return ScriptKind(name, _bech32(version, script[2:]), version)
    return ScriptKind("nulldata" if script[:1] == b"\x6a" else "nonstandard")


def key_hash_address(public_hash: bytes) -> str:
    """The P2WPKH address of a public key's 20 bytes."""
    return _bech32(0, public_hash)


def secret_of_wif(text: str) -> bytes | None:
    """The 32 bytes of a compressed key of a test network; None for what is none."""
    number = 0
    for character in text:
        value = _BASE58.find(character)
        if value < 0:
            return None
        number = number * 58 + value
    if number >= 1 << 8 * 38:
        return None
    data = number.to_bytes(38, "big")
    is_key = data[0] == _SECRET_VERSION and data[33] == 1 and sha256d(data[:34])[:4] == data[34:]
    return data[1:33] if is_key else None


def _base58check(payload: bytes) -> str:
    data = payload + sha256d(payload)[:4]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def _bech32(version: int, program: bytes) -> str:
    padding = -len(program) * 8 % 5
    number = int.from_bytes(program, "big") << padding
    count = (len(program) * 8 + padding) // 5
    values = [version] + [number >> 5 * place & 31 for place in reversed(range(count))]
    prefix = REGTEST.bech32_prefix
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    checksum = _polymod(expanded + values + [0] * 6) ^ _CONSTANTS[version]
    values += [checksum >> 5 * place & 31 for place in reversed(range(6))]
    return prefix + "1" + "".join(_BECH32[value] for value in values)


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                checksum ^= generator
    return checksum
