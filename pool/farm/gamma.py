"""The regularised incomplete gamma function and its inverse, which Poisson counts are judged by; no more.

P(a, x) is the probability that a Poisson count of mean x is at least a, for whole a; between whole numbers it
is the distribution function of the gamma distribution. Series and continued fraction are those of Abramowitz
and Stegun 6.5.29 and 6.5.31, in the order of evaluation of Numerical Recipes (3rd edition, 6.2).
"""

import functools
import math
from statistics import NormalDist

_EXACT = 1e-14  # relative; a double carries 2.2e-16
_TINY = 1e-300  # keeps Lentz's method from dividing by zero
# Terms needed grow as a few roots of the shape; this is enough beyond a shape of 10⁶.
_MOST_TERMS = 20_000
# Halley's method makes an error of 10⁻⁵ one of 10⁻¹⁵ times a factor that grows as the shape does.
_LAST_STEP = 1e-5
_normal_quantile = functools.lru_cache(maxsize=64)(NormalDist().inv_cdf)


def gamma_probability(shape: float, x: float) -> float:
    """P(shape, x), from 0 to 1, to 12 digits; `shape` above 0."""
    if x <= 0:
        return 0.0
    return _probability(shape, x, _mass(shape, x))


def gamma_quantile(shape: float, probability: float) -> float:
    """The x with P(shape, x) = `probability` (strictly between 0 and 1), to 10 digits.

    Halley's method inside a bracket, from the better of two first guesses: Wilson and Hilferty's, or, where
    that one gives out in the lower tail, the first term of the series, x^a / Γ(a+1).
    """
    low, high = 0.0, math.inf
    first_term = math.exp((math.log(probability) + math.lgamma(shape + 1)) / shape)
    x = max(wilson_hilferty(shape, probability), min(first_term, shape))
    for _ in range(200):
        mass = _mass(shape, x)
        error = _probability(shape, x, mass) - probability
        low, high = (x, high) if error < 0 else (low, x)
        step = x * error / mass
        step /= 1 - min(1.0, step * ((shape - 1) / x - 1)) / 2
        nearer = x - step
        if abs(step) <= _LAST_STEP * x:
            return nearer
        if not low < nearer < high:
            nearer = (low + high) / 2 if high < math.inf else 2 * x
        x = nearer
    return x


def wilson_hilferty(shape: float, probability: float) -> float:
    """The same quantile by the cube root that is nearly normal (Wilson and Hilferty 1931).

    Off by 0.01 at most above a shape of 30, at probabilities from 0.025 to 0.975; 0 where it would be
    negative."""
    ninth = 1 / (9 * shape)
    return shape * max(0.0, 1 - ninth + _normal_quantile(probability) * math.sqrt(ninth)) ** 3


def _mass(shape: float, x: float) -> float:
    """x times the density at x; never 0."""
    return math.exp(shape * math.log(x) - x - math.lgamma(shape)) or _TINY


def _probability(shape: float, x: float, mass: float) -> float:
    if x < shape + 1:
        return mass * _series(shape, x)
    return 1.0 - mass * _continued_fraction(shape, x)


def _series(shape: float, x: float) -> float:
    """P over the mass."""
    term = total = 1 / shape
    for n in range(1, _MOST_TERMS):
        term *= x / (shape + n)
        total += term
        if term < total * _EXACT:
            break
    return total


def _continued_fraction(shape: float, x: float) -> float:
    """1 - P over the mass, by Lentz's method."""
    b = x + 1 - shape
    c = 1 / _TINY
    d = 1 / b
    result = d
    for n in range(1, _MOST_TERMS):
        an = n * (shape - n)
        b += 2
        d = 1 / ((an * d + b) or _TINY)
        c = (b + an / c) or _TINY
        result *= d * c
        if abs(d * c - 1) < _EXACT:
            break
    return result
