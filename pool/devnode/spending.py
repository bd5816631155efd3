"""Keys, and transactions that spend what is paid to them (P2WPKH, signed by BIP 143). No wallet."""

from collections.abc import Callable, Sequence
from hashlib import new, sha256

import coincurve
import msgspec

from pool.devnode.parsing import Outpoint, Transaction, TransactionOutput, parse_transaction
from stratum.work.hashing import sha256d
from stratum.work.script import push_data
from stratum.work.transaction import Output, compact_size, serialise_outputs

REPLACEABLE = 0xFFFFFFFD  # BIP 125's signal, as Core's wallet sets it
_VERSION = (2).to_bytes(4, "little")
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


def spend(key: Key, coin: Spendable, outputs: list[Output], *, sequence: int = REPLACEABLE) -> bytes:
    """A signed transaction of one P2WPKH input; what the outputs leave is the fee."""
    transaction = parse_transaction(unsigned([((coin.txid, coin.number), sequence)], outputs))
    return signed(transaction, [TransactionOutput(coin.value_sats, key.script)], {key.script: key}.get)


def unsigned(inputs: Sequence[tuple[Outpoint, int]], outputs: Sequence[Output], lock_time: int = 0) -> bytes:
    """A transaction without signatures from outpoints with their sequences, and outputs; at least one
    input, since the bytes of one without are also those of a witness's marker."""
    parts = [_VERSION, compact_size(len(inputs))]
    for (txid, number), sequence in inputs:
        parts += (txid, number.to_bytes(4, "little"), b"\x00", sequence.to_bytes(4, "little"))
    return b"".join([*parts, serialise_outputs(outputs), lock_time.to_bytes(4, "little")])


def signed(
    transaction: Transaction,
    spent: Sequence[TransactionOutput | None],
    key_of: Callable[[bytes], Key | None],
) -> bytes:
    """The transaction with a signature for every input whose output (of `spent`, by position) has a key;
    the others are as they were."""
    witnesses = list(transaction.witnesses)
    digest_of = _digests(transaction)
    for position, output in enumerate(spent):
        key = None if output is None else key_of(output.script)
        if output is not None and key is not None:
            digest = digest_of(position, key.public_hash, output.value_sats)
            witnesses[position] = (key.sign(digest) + bytes((_SIGHASH_ALL,)), key.public)
    return _with_witnesses(transaction, witnesses)


def _digests(transaction: Transaction) -> Callable[[int, bytes, int], bytes]:
    """BIP 143's digest of an input, by position, key hash and amount. What all inputs share is hashed once:
    a payment may have hundreds of them."""
    outpoints = [txid + number.to_bytes(4, "little") for txid, number in transaction.inputs]
    sequences = [sequence.to_bytes(4, "little") for sequence in transaction.sequences]
    shared = (
        transaction.version.to_bytes(4, "little")
        + sha256d(b"".join(outpoints))
        + sha256d(b"".join(sequences))
    )
    outputs_hash = sha256d(_outputs_without_count(transaction))
    end = transaction.lock_time.to_bytes(4, "little") + _SIGHASH_ALL.to_bytes(4, "little")

    def digest(position: int, public_hash: bytes, value_sats: int) -> bytes:
        script_code = push_data(b"\x76\xa9\x14" + public_hash + b"\x88\xac")
        middle = outpoints[position] + script_code + value_sats.to_bytes(8, "little") + sequences[position]
        return sha256d(shared + middle + outputs_hash + end)

    return digest


def _outputs_without_count(transaction: Transaction) -> bytes:
    serialised = serialise_outputs(_outputs(transaction))
    return serialised[len(compact_size(len(transaction.outputs))) :]


def _outputs(transaction: Transaction) -> list[Output]:
    return [Output(output.value_sats, output.script) for output in transaction.outputs]


def _with_witnesses(transaction: Transaction, witnesses: Sequence[tuple[bytes, ...]]) -> bytes:
    has_witness = any(witnesses)
    parts = [transaction.version.to_bytes(4, "little"), b"\x00\x01" if has_witness else b""]
    parts.append(compact_size(len(transaction.inputs)))
    for (txid, number), script, sequence in zip(
        transaction.inputs, transaction.script_sigs, transaction.sequences, strict=True
    ):
        parts += (txid, number.to_bytes(4, "little"), compact_size(len(script)), script)
        parts.append(sequence.to_bytes(4, "little"))
    parts.append(serialise_outputs(_outputs(transaction)))
    for witness in witnesses if has_witness else ():
        parts.append(compact_size(len(witness)))
        parts += [compact_size(len(item)) + item for item in witness]
    return b"".join([*parts, transaction.lock_time.to_bytes(4, "little")])
