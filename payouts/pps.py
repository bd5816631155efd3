"""Pay per share: what work is worth at a rate, kept to 2^-32 of a satoshi, and when it is bought no more.

A rate is what a job's template made of a share: a block's reward over the work of the block's target, less
the pool's fee. Work is paid for by slot and rate: units are rounded down once for each, and whole satoshis
move to the account while the fraction stays for the next time. What is bought is the operator's risk: its
account takes every block whole (payouts.settlement) and pays every credit, so that together they sum to zero.
"""

from collections.abc import Mapping
from fractions import Fraction

import msgspec

from payouts.plan import WHOLE_BASIS_POINTS

UNITS_PER_SAT = 2**32
MILLIONTHS = 1_000_000
FEE_MEAN_HEIGHTS = 144  # a day of Bitcoin's blocks
TRIMMED_PERCENT = 5
# Off each end, so that no single block full of someone's mistaken fees is paid for by the operator.


class Rate(msgspec.Struct, frozen=True):
    """What work is worth. `network_work` is the expected hashes of a block, `fees_sats` the part of a block's
    transaction fees that is paid for (0 but for FPPS), `fee_basis_points` what the pool keeps."""

    network_work: int
    subsidy_sats: int
    fees_sats: int
    fee_basis_points: int

    def __post_init__(self) -> None:
        if self.network_work < 1 or self.subsidy_sats < 0 or self.fees_sats < 0:
            raise ValueError("a rate has work to divide by, and no negative amounts")
        if not 0 <= self.fee_basis_points <= WHOLE_BASIS_POINTS:
            raise ValueError(f"a fee is between nothing and {WHOLE_BASIS_POINTS} basis points")

    @property
    def key(self) -> str:
        """The rate as text, the same for equal rates."""
        return f"{self.network_work}/{self.subsidy_sats}/{self.fees_sats}/{self.fee_basis_points}"


class Paid(msgspec.Struct, frozen=True):
    """Satoshis for the ledger, and the units that stay with the account: less than one satoshi."""

    sats: int
    fraction_units: int


def rate_of(key: str) -> Rate:
    """The rate that a key stands for; raises ValueError for any other text."""
    parts = key.split("/")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"{key!r} is no rate")
    network_work, subsidy_sats, fees_sats, fee_basis_points = map(int, parts)
    return Rate(network_work, subsidy_sats, fees_sats, fee_basis_points)


def bought_work(share_work: int, rate: Rate) -> int:
    """A share's work as it is bought: at most a block's, since nothing that was found is worth more."""
    return min(share_work, rate.network_work)


def units_for(work: int, rate: Rate) -> int:
    """What an account's work in one slot is worth at one rate, in units of 2^-32 satoshi, rounded down once.

    Raises ValueError for negative work.
    """
    if work < 0:
        raise ValueError("work is not negative")
    kept_points = WHOLE_BASIS_POINTS - rate.fee_basis_points
    reward_sats = rate.subsidy_sats + rate.fees_sats
    return work * reward_sats * kept_points * UNITS_PER_SAT // (WHOLE_BASIS_POINTS * rate.network_work)


def pay(fraction_units: int, earned_units: int) -> Paid:
    """Adds what was earned to what was left from before, and takes the whole satoshis out."""
    if fraction_units < 0 or earned_units < 0:
        raise ValueError("what was earned is not negative")
    return Paid(*divmod(fraction_units + earned_units, UNITS_PER_SAT))


def mean_fee_millionths(heights: Mapping[int, tuple[int, int]]) -> int:
    """The trimmed mean of fees to subsidy, in millionths, rounded down.

    `heights` maps a height to its last template's (subsidy, fees) in sats; those of the newest 144 heights
    count, fewer where not all were seen, and of n the floor of n/20 lowest and highest are left out. Raises
    ValueError where no template was seen or a subsidy is 0: then there is no ratio, and none is guessed.
    """
    if not heights:
        raise ValueError("no template was seen to take a mean of fees from")
    newest = max(heights)
    counted = [pair for height, pair in heights.items() if height > newest - FEE_MEAN_HEIGHTS]
    if any(subsidy_sats <= 0 or fees_sats < 0 for subsidy_sats, fees_sats in counted):
        raise ValueError("a mean of fees to subsidies needs subsidies above zero and no negative fees")
    ratios = sorted(Fraction(fees_sats, subsidy_sats) for subsidy_sats, fees_sats in counted)
    trimmed = len(ratios) * TRIMMED_PERCENT // 100
    kept = ratios[trimmed : len(ratios) - trimmed]
    return sum(kept, Fraction(0)) * MILLIONTHS // len(kept)


def fee_part_sats(subsidy_sats: int, fee_millionths: int) -> int:
    """The fees that FPPS pays for with a subsidy, rounded down."""
    return subsidy_sats * fee_millionths // MILLIONTHS


def reserve_left_sats(reserve_sats: int, operator_sats: int) -> int:
    """What is left of the operator's reserve; `operator_sats` is its account's sum, negative after bad luck.

    Blocks that may still be orphaned are not in that sum: money that may vanish is no reserve.
    """
    return max(0, reserve_sats + operator_sats)


def is_buying(reserve_sats: int, operator_sats: int) -> bool:
    """Whether new work is bought. Without a reserve it is credited by PPLNS, and an alarm is due."""
    return reserve_left_sats(reserve_sats, operator_sats) > 0
