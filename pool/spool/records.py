"""What a frame consists of, as values: definitions, which give a number to something, and what happened.

Numbers stand for texts and jobs that repeat in thousands of records. They mean something only within one
segment: a segment begins with no number known but those of its head, and defines each that it uses before or
in the frame that uses it, so that every segment reads alone. msgspec arrays with the tag first; a field is
only ever added at the end, and with a new FRAME_VERSION.

Nothing here knows a clock, a file or a socket.
"""

from hashlib import sha256

import msgspec

from stratum.work.difficulty import work_of_target
from stratum.work.hashing import sha256d
from stratum.work.merkle import fold_branch

TARGET_BYTES = 32


class Name(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """An account (canonical address), its output script, one of its workers; `agent` as it first appeared."""

    number: int
    account: str
    script: bytes
    worker: str
    agent: str


class Difficulty(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """What a share's hash was not to exceed: 32 bytes, big-endian."""

    number: int
    target: bytes

    @property
    def work(self) -> int:
        """Expected hashes of one share."""
        return work_of_target(int.from_bytes(self.target, "big"))


class TemplateFacts(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """What shares and rates need of a template. Hashes in internal order; `network_target` is 32 bytes,
    big-endian; `fees_sats` is part of `value_sats`."""

    number: int
    height: int
    version: int
    previous_hash: bytes
    bits: int
    network_target: bytes
    value_sats: int
    fees_sats: int
    branch: tuple[bytes, ...]

    @property
    def network_work(self) -> int:
        """Expected hashes of a block."""
        return work_of_target(int.from_bytes(self.network_target, "big"))


class JobMade(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """A job that is about to be announced. `template` is a number, `prefix` and `suffix` the coinbase around
    the extranonces.

    `plan` is the id of the plan it pays by, None where one script has the reward; `is_stripped` says without
    that plan's carry-over. `payee` is the script of a solo job, `size_class` the bytes its coinbase may have.
    """

    number: int
    job_id: str
    template: int
    version: int
    prefix: bytes
    suffix: bytes
    plan: str | None
    payee: bytes | None
    size_class: int
    is_stripped: bool = False


class ShareMade(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """A credited share: numbers of name, job and difficulty, and the header's fields that were the miner's.

    `version`, `ntime` and `nonce` are the header's integers, rolled bits included.
    """

    name: int
    job: int
    difficulty: int
    extranonce1: bytes
    extranonce2: bytes
    version: int
    ntime: int
    nonce: int
    is_late: bool


class RefusedMade(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=6):
    """So many submissions that were refused for one reason (its label) since the frame before.

    `name` is None where no authorised name stood behind them. `work_bytes` is what they would have been
    worth together, big-endian, since it may outgrow 64 bits.
    """

    name: int | None
    reason: str
    count: int
    work_bytes: bytes

    @property
    def work(self) -> int:
        return int.from_bytes(self.work_bytes, "big")


class Joined(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """A worker was authorised on a connection, under this agent."""

    name: int
    agent: str


class Left(msgspec.Struct, frozen=True, array_like=True, tag=8):
    """A connection of this worker has ended."""

    name: int


class CandidateMade(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """A header that meets a network target. `block_hash` in internal order, `user` as submitted.

    `name` is None where no authorised name stands behind it. `at_us` is when it was found by the record
    clock; the block's file says the same.
    """

    block_hash: bytes
    job: int
    name: int | None
    extranonce1: bytes
    extranonce2: bytes
    version: int
    ntime: int
    nonce: int
    user: str
    at_us: int


class Closing(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """The gateway stops: nothing follows until a process goes on in a new segment."""


class Instrument(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """One series of figures that the gateway measures: its name and the values of its labels."""

    number: int
    name: str
    labels: tuple[str, ...]


class Readings(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """What instruments show now, where that has changed; counts are since the gateway's process began.

    Nobody's money: readers that do not know an instrument pass it over.
    """

    instruments: tuple[int, ...]
    values: tuple[float, ...]


class BestMade(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=13):
    """A worker's lowest hash on a connection so far: `work` hashes are expected for one as low."""

    name: int
    work: float


class PacedMade(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=14):
    """A worker's jobs have this difficulty from now on: how often its shares are to be expected."""

    name: int
    difficulty: int


class TipTold(msgspec.Struct, frozen=True, array_like=True, tag=15):
    """The chain has a new tip, and some of the miners were sent work on it; others of this record tell of the
    rest. Times are of the record clock.

    `node_us` is when each of `nodes` was first seen to have it, as far as they had by then; `template_us` is
    when the template came that the work was made of. `names` were sent it `delays_ms` after that.
    """

    height: int
    previous_hash: bytes
    nodes: tuple[str, ...]
    node_us: tuple[int, ...]
    template_us: int
    names: tuple[int, ...]
    delays_ms: tuple[int, ...]


Definition = Name | Difficulty | TemplateFacts | JobMade | Instrument
Happening = (
    ShareMade
    | RefusedMade
    | Joined
    | Left
    | CandidateMade
    | Closing
    | Readings
    | BestMade
    | PacedMade
    | TipTold
)
Record = (
    Name
    | Difficulty
    | TemplateFacts
    | JobMade
    | ShareMade
    | RefusedMade
    | Joined
    | Left
    | CandidateMade
    | Closing
    | Instrument
    | Readings
    | BestMade
    | PacedMade
    | TipTold
)


def share_header(share: ShareMade | CandidateMade, job: JobMade, template: TemplateFacts) -> bytes:
    """The 80 bytes that the miner hashed, computed again: the proof behind a credit."""
    coinbase = share_coinbase(share, job)
    root = fold_branch(sha256(sha256(coinbase).digest()).digest(), template.branch)
    return (
        share.version.to_bytes(4, "little")
        + template.previous_hash
        + root
        + share.ntime.to_bytes(4, "little")
        + template.bits.to_bytes(4, "little")
        + share.nonce.to_bytes(4, "little")
    )


def share_coinbase(share: ShareMade | CandidateMade, job: JobMade) -> bytes:
    """The coinbase transaction, without its witness."""
    return job.prefix + share.extranonce1 + share.extranonce2 + job.suffix


def is_true_candidate(candidate: CandidateMade, job: JobMade, template: TemplateFacts) -> bool:
    """Whether the recorded fields give the recorded hash."""
    return sha256d(share_header(candidate, job, template)) == candidate.block_hash
