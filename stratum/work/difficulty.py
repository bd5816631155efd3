"""Targets, difficulties, bits and work, in exact arithmetic; floats only where a person reads them.

Stratum's difficulty 1 is *bdiff*, 0xffff << 208; scrypt pools count in units 65,536 times smaller. A hash
meets a target where it is not above it, both as 256-bit little-endian numbers.
"""

import math
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

import msgspec

MAX_TARGET = 2**256 - 1
SHA256D_DIFFICULTY_1 = 0xFFFF << 208
SCRYPT_DIFFICULTY_1 = 0xFFFF << 224

# Compact bits: one byte of length, three of mantissa, the highest bit a sign (arith_uint256::SetCompact).
_SIGN_BIT = 0x00800000
_MANTISSA = 0x007FFFFF


class InvalidBits(ValueError):
    """Compact bits that stand for no target: negative, zero or beyond 256 bits."""


def target_from_bits(bits: int) -> int:
    """The target of a header's `bits` field; raises InvalidBits where consensus would refuse them."""
    size, mantissa = bits >> 24, bits & _MANTISSA
    target = mantissa >> 8 * (3 - size) if size <= 3 else mantissa << 8 * (size - 3)
    if bits & _SIGN_BIT and mantissa:
        raise InvalidBits(f"bits {bits:08x} stand for a negative target")
    if target == 0:
        raise InvalidBits(f"bits {bits:08x} stand for a target of zero")
    if target > MAX_TARGET:
        raise InvalidBits(f"bits {bits:08x} stand for a target of more than 256 bits")
    return target


def bits_from_target(target: int) -> int:
    """The compact form of a target, rounded down as Core's GetCompact does."""
    size = (target.bit_length() + 7) // 8
    mantissa = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
    if mantissa & _SIGN_BIT:
        mantissa >>= 8
        size += 1
    return size << 24 | mantissa


def target_from_difficulty(difficulty: float | Fraction, difficulty_1: int) -> int:
    """floor(difficulty_1 / difficulty), a float taken as the exact number it is;
    1 at least, 2^256 − 1 at most."""
    target = Fraction(difficulty_1) / Fraction(difficulty)
    return max(1, min(MAX_TARGET, math.floor(target)))


def difficulty_from_target(target: int, difficulty_1: int) -> float:
    """For people and upper bounds, never for a judgement."""
    return difficulty_1 / target


def work_of_target(target: int) -> int:
    """The expected number of hashes to meet a target: 2^256 // (target + 1), as Core counts chain work."""
    return 2**256 // (target + 1)


class ShareDifficulty(msgspec.Struct, frozen=True):
    """One announced difficulty with everything that follows from it.

    `value` is an int at and above 1 and a float below; `target` what a share's hash must not exceed, `work`
    what the share is worth, `wire` the JSON number of set_difficulty.
    """

    value: float
    target: int
    work: int
    wire: bytes


@lru_cache(maxsize=4096)
def share_difficulty(value: float, difficulty_1: int) -> ShareDifficulty:
    """The difficulty that can be announced for a wished one: whole at and above 1, since some ASICs choke
    on `16384.0`.

    Below 1 it is written out as a plain decimal: no firmware's number parser is trusted with an exponent.
    """
    announced = round(value) if value >= 1 else float(value)
    target = target_from_difficulty(announced, difficulty_1)
    wire = str(announced) if isinstance(announced, int) else format(Decimal(repr(announced)), "f")
    return ShareDifficulty(announced, target, work_of_target(target), wire.encode("ascii"))
