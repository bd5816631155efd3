"""Signatures as wallets make them, for tests: private keys → addresses, BIP 137 and BIP 322 simple."""

import base64
from hashlib import new, sha256

from coincurve import PrivateKey

from pool.audit import bip137, bip322
from stratum.work.address import Address

SECRET = sha256(b"a key that only tests use").digest()


def hash160(data: bytes) -> bytes:
    return new("ripemd160", sha256(data).digest()).digest()


def p2pkh(secret: bytes, *, compressed: bool = True) -> Address:
    key = PrivateKey(secret).public_key.format(compressed=compressed)
    return Address("p2pkh", bytes.fromhex("76a914") + hash160(key) + bytes.fromhex("88ac"))


def p2wpkh(secret: bytes) -> Address:
    return Address("p2wpkh", bytes.fromhex("0014") + hash160(PrivateKey(secret).public_key.format()))


def p2sh_p2wpkh(secret: bytes) -> Address:
    return Address("p2sh", bytes.fromhex("a914") + hash160(p2wpkh(secret).script) + bytes.fromhex("87"))


def p2tr(secret: bytes) -> Address:
    """An output key used as it is, without BIP 86's tweak: to a verifier it is a key like any other."""
    return Address("p2tr", bytes.fromhex("5120") + PrivateKey(secret).public_key.format()[1:])


def sign_bip137(secret: bytes, message: str, first_header: int, coin: str = "bitcoin") -> bytes:
    """`first_header` is 27, 31, 35 or 39: what kind of address the wallet says it signs for."""
    digest = bip137.message_digest(coin, message.encode())
    signature = PrivateKey(secret).sign_recoverable(digest, hasher=None)
    return bytes((first_header + signature[64],)) + signature[:64]


def sign_key_hash(secret: bytes, message: str) -> list[bytes]:
    """The witness's items for p2wpkh."""
    digest = bip322.key_hash_digest(p2wpkh(secret).script, message.encode())
    key = PrivateKey(secret)
    return [key.sign(digest, hasher=None) + b"\x01", key.public_key.format()]


def sign_taproot(secret: bytes, message: str, hash_type: int = 0) -> list[bytes]:
    digest = bip322.taproot_digest(p2tr(secret).script, message.encode(), hash_type)
    signature = PrivateKey(secret).sign_schnorr(digest)
    return [signature + bytes((hash_type,)) if hash_type else signature]


def witness(items: list[bytes]) -> bytes:
    return bytes((len(items),)) + b"".join(bytes((len(item),)) + item for item in items)


def text(signature: bytes) -> str:
    return base64.b64encode(signature).decode()
