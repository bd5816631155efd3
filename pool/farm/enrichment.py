"""Whether a group has more faults than chance gives it: the hypergeometric and the Poisson tail. Pure.

Of N machines K are at fault. Were faults spread by chance, a group of n machines would have X of them, and
P(X ≥ k) is the hypergeometric tail (Fisher's exact test, one-sided). A group is struck where that is below
1e-4: a farm has some hundred groups, so chance alone makes one out of nothing about once in a hundred looks
at different sets of faults, and what it then calls one incident are faults that do lie beside one another.
"""

import math

import msgspec

LEAST_FAULTS = 3  # two of a kind are a coincidence, and two lines are no flood
RAREST_BY_CHANCE = math.log(1e-4)
WHOLLY = 0.8
HARDLY = 0.1
# On a small farm the tail cannot get so small: 4 machines of 4 at fault, and none of 8 others, is 1 in 495. A
# group that is at fault almost wholly, while others hardly are, is struck all the same.


class Share(msgspec.Struct, frozen=True):
    """`faults` among `machines`."""

    faults: int
    machines: int

    def without(self, other: "Share") -> "Share":
        """The rest, where the other lies inside."""
        return Share(self.faults - other.faults, self.machines - other.machines)


def is_struck(group: Share, whole: Share) -> bool:
    """Whether a group within the whole has far more faults than all else; the whole itself never has."""
    outside = whole.without(group)
    if group.faults < LEAST_FAULTS or outside.machines <= 0:
        return False
    if group.faults >= WHOLLY * group.machines and outside.faults <= HARDLY * outside.machines:
        return True
    return log_chance(group, whole) < RAREST_BY_CHANCE


def log_chance(group: Share, whole: Share) -> float:
    """The natural logarithm of P(X ≥ faults) in this group, were the whole's faults spread by chance."""
    least, size = group.faults, group.machines
    faults, machines = whole.faults, whole.machines
    if least * machines <= size * faults:
        return 0.0  # no more than the mean: nothing to be surprised at
    if size - least > machines - faults:
        return 0.0  # more machines than there are: they were counted at another time than the faults
    first = (
        _log_choices(faults, least)
        + _log_choices(machines - faults, size - least)
        - _log_choices(machines, size)
    )
    total = term = 1.0
    for count in range(least, min(size, faults)):
        term *= (faults - count) * (size - count) / ((count + 1) * (machines - faults - size + count + 1))
        total += term
        if term < total * 1e-12:
            break
    return first + math.log(total)


def log_chance_of_arrivals(count: int, mean: float) -> float:
    """The natural logarithm of P(X ≥ count) for a Poisson mean; 0 where the mean is as large."""
    if count <= mean:
        return 0.0
    total = term = 1.0
    further = count
    while term > total * 1e-12:
        further += 1
        term *= mean / further
        total += term
    return count * math.log(mean) - mean - math.lgamma(count + 1) + math.log(total)


def _log_choices(among: int, count: int) -> float:
    return math.lgamma(among + 1) - math.lgamma(count + 1) - math.lgamma(among - count + 1)
