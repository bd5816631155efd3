"""Blocks and transactions from bytes, as far as the bookkeeping needs them. It validates nothing."""

import msgspec

from stratum.work.hashing import sha256d

Outpoint = tuple[bytes, int]  # transaction id in internal order, output number

_LARGEST_REPLACEABLE = 0xFFFFFFFD  # BIP 125: a sequence up to this one signals


class TransactionOutput(msgspec.Struct, frozen=True):
    value_sats: int
    script: bytes


class Transaction(msgspec.Struct, frozen=True):
    """Ids in internal order; `raw` includes the witness, `stripped_bytes` is the length without it.

    `script_sigs`, `sequences` and `witnesses` have an entry for each input; a witness may be empty.
    """

    raw: bytes
    txid: bytes
    witness_txid: bytes
    version: int
    inputs: tuple[Outpoint, ...]
    script_sigs: tuple[bytes, ...]
    sequences: tuple[int, ...]
    outputs: tuple[TransactionOutput, ...]
    witnesses: tuple[tuple[bytes, ...], ...]
    lock_time: int
    stripped_bytes: int

    @property
    def weight(self) -> int:
        """BIP 141's weight."""
        return 3 * self.stripped_bytes + len(self.raw)

    @property
    def virtual_bytes(self) -> int:
        """A quarter of the weight, rounded up: what fee rates count."""
        return -(-self.weight // 4)

    @property
    def is_coinbase(self) -> bool:
        return self.inputs == ((bytes(32), 0xFFFFFFFF),)

    @property
    def signals_replacement(self) -> bool:
        """Whether it says of itself that it may be replaced (BIP 125)."""
        return any(sequence <= _LARGEST_REPLACEABLE for sequence in self.sequences)


class Unparsable(ValueError):
    """Bytes that are no transaction or block."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        piece = self.data[self.position : self.position + count]
        if len(piece) != count:
            raise Unparsable("the bytes end too early")
        self.position += count
        return piece

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def count(self) -> int:
        first = self.number(1)
        return first if first < 0xFD else self.number(2 << (first - 0xFD))


def parse_transaction(data: bytes) -> Transaction:
    """One transaction that is all of `data`; raises Unparsable."""
    reader = _Reader(data)
    transaction = _transaction(reader)
    if reader.position != len(data):
        raise Unparsable("there are bytes behind the transaction")
    return transaction


def parse_block(data: bytes) -> tuple[bytes, list[Transaction]]:
    """The header's 80 bytes and the transactions; raises Unparsable."""
    reader = _Reader(data)
    header = reader.take(80)
    return header, [_transaction(reader) for _ in range(reader.count())]


def _transaction(reader: _Reader) -> Transaction:
    start = reader.position
    version = reader.take(4)
    has_witness = reader.data[reader.position : reader.position + 2] == b"\x00\x01"
    if has_witness:
        reader.take(2)
    body_start = reader.position
    inputs = [_input(reader) for _ in range(reader.count())]
    outputs = tuple(_output(reader) for _ in range(reader.count()))
    body = reader.data[body_start : reader.position]
    witnesses = tuple(_witness(reader) if has_witness else () for _ in inputs)
    lock_time = reader.take(4)
    raw = reader.data[start : reader.position]
    stripped = version + body + lock_time
    return Transaction(
        raw=raw,
        txid=sha256d(stripped),
        witness_txid=sha256d(raw),
        version=int.from_bytes(version, "little"),
        inputs=tuple(outpoint for outpoint, _, _ in inputs),
        script_sigs=tuple(script for _, script, _ in inputs),
        sequences=tuple(sequence for _, _, sequence in inputs),
        outputs=outputs,
        witnesses=witnesses,
        lock_time=int.from_bytes(lock_time, "little"),
        stripped_bytes=len(stripped),
    )


def _input(reader: _Reader) -> tuple[Outpoint, bytes, int]:
    outpoint = (reader.take(32), reader.number(4))
    return outpoint, reader.take(reader.count()), reader.number(4)


def _witness(reader: _Reader) -> tuple[bytes, ...]:
    return tuple(reader.take(reader.count()) for _ in range(reader.count()))


def _output(reader: _Reader) -> TransactionOutput:
    value = reader.number(8)
    return TransactionOutput(value, reader.take(reader.count()))
