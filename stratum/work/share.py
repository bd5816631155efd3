"""The share check: a submission's fields → header, and what its hash is worth. No session, no clock.

Two steps with the hash between them, so that a slow hash can run elsewhere:

    prepare   refuses only what makes the header undefined: sizes, strict hex, version bits outside the mask
    judge     asks first whether the hash is a block, whatever else may be wrong with the share, and only then
              whether the share counts: authorised, ntime, stale, target, duplicate, in this order

Of the 28 SHA-256 of a share with twelve branches none can be saved: a fresh extranonce2 changes the
coinbase, and with it every node on the way to the root. They are done here in one loop, without a call of
ours in between.
"""

from hashlib import sha256

import msgspec

from stratum.errors import RejectReason
from stratum.work.hashing import sha256d
from stratum.work.job import Job
from stratum.work.template import Template

HEADER_BYTES = 80
U32_HEX_DIGITS = 8
_from_hex = bytes.fromhex
_int_from_bytes = int.from_bytes


class BlockCandidate(msgspec.Struct, frozen=True):
    """A header whose hash meets a network target of its job: to be submitted at once, whatever the share is
    worth.

    `block_hash` is sha256d of the header (the block's id on every coin), `coinbase` the full non-witness
    transaction, `user` the name as submitted; `account` and its `script` are None where no authorised name
    stands behind it.
    `crosses_time_edge` says that a refusal by the node is to be expected and not to be counted.
    """

    header: bytes
    block_hash: bytes
    coinbase: bytes
    template: Template
    chains: tuple[str, ...]
    job_id: str
    user: str
    account: str | None
    worker: str
    crosses_time_edge: bool
    script: bytes | None = None


def prepare(
    job: Job,
    mask: int,
    extranonce1: bytes,
    extranonce2_size: int,
    extranonce2: str,
    ntime: str | int,
    nonce: str | int,
    version_bits: str | int | None,
) -> bytes | RejectReason:
    """Build the 80-byte header that the miner hashed, or say which field makes it undefined.

    `bytes.fromhex` accepts white space between digits and nothing else beyond hex; comparing the length of
    the text with the length of the result excludes that too, so no pattern is needed. NerdMiner drops
    leading zeros of the nonce: shorter ones are padded on the left.
    """
    try:
        extranonce2_bytes = _from_hex(extranonce2)
    except ValueError:
        return RejectReason.BAD_EXTRANONCE2
    if len(extranonce2_bytes) != extranonce2_size or len(extranonce2) != 2 * extranonce2_size:
        return RejectReason.BAD_EXTRANONCE2
    ntime_bytes = _u32(ntime, shortest=U32_HEX_DIGITS)
    if ntime_bytes is None:
        return RejectReason.BAD_NTIME
    nonce_bytes = _u32(nonce, shortest=1)
    if nonce_bytes is None:
        return RejectReason.BAD_NONCE
    if version_bits is None or version_bits == "00000000":
        start = job.header_start
    else:
        bits = version_bits_value(version_bits)
        if bits is None or bits & ~mask:
            return RejectReason.BAD_VERSION_BITS
        start = (job.version | bits).to_bytes(4, "little") + job.previous_hash
    root = sha256(
        sha256(job.coinbase_prefix + extranonce1 + extranonce2_bytes + job.coinbase_suffix).digest()
    ).digest()
    for sibling in job.branch:
        root = sha256(sha256(root + sibling).digest()).digest()
    return start + root + ntime_bytes + job.bits_bytes + nonce_bytes


def _u32(field: str | int, shortest: int) -> bytes | None:
    """Four header bytes of a big-endian hex number, or None; some JSON writers send the number itself."""
    if isinstance(field, str):
        length = len(field)
        if length != U32_HEX_DIGITS:
            if not shortest <= length < U32_HEX_DIGITS:
                return None
            field = field.rjust(U32_HEX_DIGITS, "0")
        try:
            value = _from_hex(field)
        except ValueError:
            return None
        return value[::-1] if len(value) == 4 else None
    if 0 <= field <= 0xFFFFFFFF:
        return field.to_bytes(4, "little")
    return None


def version_bits_value(field: str | int) -> int | None:
    """The sixth parameter as a number: 1 to 8 hex digits, an empty string for none;
    None where it is neither."""
    if field == "":
        return 0
    value = _u32(field, shortest=1)
    return None if value is None else int.from_bytes(value, "little")


def judge(
    job: Job,
    target: int | None,
    header: bytes,
    pow_hash: bytes,
    is_authorised: bool,
    is_stale: bool,
    now: float,
) -> tuple[bool, RejectReason | None]:
    """What a hash is: whether it is a block candidate, and why it is no share (None: it is one, and now
    claimed).

    `target` is the share target under which the job was announced to this session; None where the session
    no longer holds it and only the block test is left. `now` is when the submission came, in the clock of
    the job's `received_at`.
    """
    value = _int_from_bytes(pow_hash, "little")
    is_block = value <= job.easiest_block_target
    if not is_authorised:
        return is_block, RejectReason.UNAUTHORIZED
    ntime = _int_from_bytes(header[68:72], "little")
    if ntime < job.minimum_ntime:
        return is_block, RejectReason.NTIME_TOO_OLD
    if ntime > now + job.latest_ntime_offset:
        return is_block, RejectReason.NTIME_TOO_NEW
    if is_stale or target is None:
        return is_block, RejectReason.STALE
    if value > target:
        return is_block, RejectReason.LOW_DIFFICULTY
    claimed = job.claimed
    if pow_hash in claimed:
        return is_block, RejectReason.DUPLICATE
    claimed.add(pow_hash)
    return is_block, None


def candidate(
    job: Job,
    header: bytes,
    pow_hash: bytes,
    extranonce1: bytes,
    extranonce2: str,
    user: str,
    account: str | None,
    worker: str,
    script: bytes | None = None,
) -> BlockCandidate:
    """Everything that is needed to submit the block, from a submission that `judge` called one."""
    value = int.from_bytes(pow_hash, "little")
    return BlockCandidate(
        header=header,
        block_hash=sha256d(header),
        coinbase=job.coinbase_prefix + extranonce1 + bytes.fromhex(extranonce2) + job.coinbase_suffix,
        template=job.template,
        chains=tuple(block.chain for block in job.block_targets if value <= block.target),
        job_id=job.id,
        user=user,
        account=account,
        worker=worker,
        crosses_time_edge=job.minimum_difficulty_blocks_by_time
        and header[68:72] != job.ntime.to_bytes(4, "little"),
        script=script,
    )
