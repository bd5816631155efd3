"""When a learned rate is exact enough to be compared with: by shares, as docs/farm.md has it."""

import pytest

from pool.farm.baseline import Baseline


@pytest.mark.parametrize(
    ("shares", "tests"),
    # 1 − ρ is 0.4, 0.2, 0.1 and 0.05: four times 1/√100, and six times 1/√900, 1/√3,600 and 1/√14,400
    [(99, 0), (101, 1), (899, 1), (901, 2), (3_599, 2), (3_601, 3), (14_399, 3), (14_401, 4)],
)
def test_each_test_waits_until_the_rate_is_exact_enough_for_it(shares: int, tests: int) -> None:
    baseline = Baseline()
    for _ in range(shares):
        baseline.learn(0.0, 1.0, 1.0)
    assert baseline.tests_fit == tests
