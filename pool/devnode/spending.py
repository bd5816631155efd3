"""Keys and signed transactions for the demo and for tests. No wallet."""

from hashlib import new, sha256

import coincurve
import msgspec

from stratum.work.hashing import sha256d
from stratum.work.script import push_data
from stratum.work.transaction import Output, compact_size, serialise_outputs

_VERSION = (2).to_bytes(4, "little")
_SEQUENCE = b"\xfd\xff\xff\xff"
_SIGHASH_ALL = 1


class Key:
    """A private key from 32 bytes, and its P2WPKH script."""

    def __init__(self, secret: bytes) -> None:
        self._private = coincurve.PrivateKey(secret)
        self.public = self._private.public_key.format(compressed=True)
        self.public_hash = new("ripemd160", sha256(self.public).digest()).digest()
        self.script = b"\x00\x14" + self.public_hash

    def sign(self, digest: bytes) -> bytes:
        """A DER signature of 32 bytes."""
        return self._private.sign(digest, hasher=None)


class Spendable(msgspec.Struct, frozen=True):
    """An output of this key: the transaction's id (internal order), the output's number and its amount."""

    txid: bytes
    number: int
    value_sats: int


def spend(key: Key, coin: Spendable, outputs: list[Output]) -> bytes:
    """A signed transaction of one P2WPKH input (BIP 143); what the outputs leave is the fee."""
    outpoint = coin.txid + coin.number.to_bytes(4, "little")
    body = serialise_outputs(outputs)
    preimage = (
        _VERSION
        + sha256d(outpoint)
        + sha256d(_SEQUENCE)
        + outpoint
        + push_data(b"\x76\xa9\x14" + key.public_hash + b"\x88\xac")
        + coin.value_sats.to_bytes(8, "little")
        + _SEQUENCE
        + sha256d(body[1:])  # BIP 143 hashes the outputs without their count
        + bytes(4)
        + _SIGHASH_ALL.to_bytes(4, "little")
    )
    signature = key.sign(sha256d(preimage)) + bytes((_SIGHASH_ALL,))
    witness = b"".join(compact_size(len(item)) + item for item in (signature, key.public))
    return (
        _VERSION
        + b"\x00\x01"
        + b"\x01"
        + outpoint
        + b"\x00"
        + _SEQUENCE
        + body
        + b"\x02"
        + witness
        + bytes(4)
    )
