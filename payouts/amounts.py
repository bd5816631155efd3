"""Splitting an amount by weights, exactly: integers in, integers out, and they sum. It knows no payee."""

from collections.abc import Sequence


def split(total_sats: int, weights: Sequence[int]) -> list[int]:
    """Shares of `total_sats` in proportion to `weights`, by largest remainder; they sum to it exactly.

    Of equal remainders the earlier position comes first. Raises ValueError for a negative total or weight,
    and where no weight is above zero: a reward that cannot be attributed is not to vanish in silence.
    """
    whole = sum(weights)
    if total_sats < 0 or any(weight < 0 for weight in weights):
        raise ValueError("amounts and weights are not negative")
    if whole == 0:
        raise ValueError("there is nobody to split among: every weight is zero")
    floors = [total_sats * weight // whole for weight in weights]
    remainders = [total_sats * weight % whole for weight in weights]
    left = total_sats - sum(floors)
    by_remainder = sorted(range(len(weights)), key=lambda position: (-remainders[position], position))
    for position in by_remainder[:left]:
        floors[position] += 1
    return floors
