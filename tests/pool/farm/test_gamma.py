"""The incomplete gamma function against sums of Poisson terms and published tables."""

import math

import pytest

from pool.farm.gamma import gamma_probability, gamma_quantile, wilson_hilferty


@pytest.mark.parametrize(
    ("shape", "x", "probability"),
    [
        (1.0, 2.0, 1 - math.exp(-2)),  # P(N ≥ 1) of mean 2
        (3.0, 2.0, 1 - 5 * math.exp(-2)),  # less the terms 1, 2 and 2²/2
        (3.0, 6.0, 1 - 25 * math.exp(-6)),  # 1 + 6 + 18; by the continued fraction
        (0.5, 1.0, math.erf(1.0)),  # P(1/2, z²) = erf z: Abramowitz and Stegun 6.5.16
        (0.5, 6.25, math.erf(2.5)),
    ],
)
def test_the_probability_of_a_count_or_more(shape: float, x: float, probability: float) -> None:
    assert gamma_probability(shape, x) == pytest.approx(probability, rel=1e-12)


def test_nothing_is_below_zero() -> None:
    assert gamma_probability(3.0, 0.0) == 0
    assert gamma_probability(3.0, -1.0) == 0


@pytest.mark.parametrize(
    ("count", "lower", "upper"),
    # Garwood's 95 % limits of a Poisson mean, as tabulated (Ulm 1990).
    [(1, 0.0253, 5.572), (2, 0.2422, 7.225), (5, 1.6235, 11.668), (10, 4.7954, 18.390), (30, 20.241, 42.827)],
)
def test_quantiles_are_garwoods_limits(count: int, lower: float, upper: float) -> None:
    assert gamma_quantile(count, 0.025) == pytest.approx(lower, abs=6e-4)
    assert gamma_quantile(count + 1, 0.975) == pytest.approx(upper, abs=6e-4)


def test_the_upper_limit_of_no_count_is_three_point_seven() -> None:
    assert gamma_quantile(1.0, 0.975) == pytest.approx(-math.log(0.025), rel=1e-10)  # 3.689


@pytest.mark.parametrize("shape", [0.3, 1.0, 1.7, 4.4, 29.9])
@pytest.mark.parametrize("probability", [0.001, 0.025, 0.5, 0.975, 0.999])
def test_the_quantile_is_the_inverse_between_whole_numbers_too(shape: float, probability: float) -> None:
    assert gamma_probability(shape, gamma_quantile(shape, probability)) == pytest.approx(
        probability, rel=1e-8
    )


@pytest.mark.parametrize("shape", [30.0, 100.0, 5_000.0])
@pytest.mark.parametrize("probability", [0.025, 0.975])
def test_above_thirty_the_cube_root_is_as_good(shape: float, probability: float) -> None:
    assert wilson_hilferty(shape, probability) == pytest.approx(gamma_quantile(shape, probability), abs=0.01)
