"""SIGKILL of the accountant at random: at a step by its number, and at a moment; up to three times in a row.

The seed is in a pool's name, so that one that fails can be run again alone.
"""

import random

import pytest

from tests.crash.matrix import POINTS, Life, Plan, Result, outcome, run

POOLS_ON_A_NODE = 48  # about 500 blocks: regtest's subsidy is halved every 150, and must be worth paying out
MOST_DEATHS = 3
STEPS_IN_A_LIFE = 60
SECONDS_IN_A_LIFE = 1.5


def plan_of(seed: int) -> Plan:
    """Its deaths: the first anywhere, later ones soon after the start."""
    chance = random.Random(seed)
    lives = []
    for death in range(chance.randint(1, MOST_DEATHS)):
        if chance.random() < 0.6:
            lives.append(Life(at_number=chance.randint(1, STEPS_IN_A_LIFE >> (2 * death))))
        else:
            lives.append(Life(dies_after=chance.uniform(0.02, SECONDS_IN_A_LIFE / (1 + death))))
    return Plan(name=f"seed {seed}", lives=tuple(lives))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    found: dict[str, Result] = {}
    for first in range(0, POINTS, POOLS_ON_A_NODE):
        plans = [plan_of(seed) for seed in range(first, min(first + POOLS_ON_A_NODE, POINTS))]
        found |= run(tmp_path_factory.mktemp("random"), plans)
    return found


@pytest.mark.parametrize("seed", range(POINTS))
def test_killed_at_random_it_goes_on_and_everything_is_right(seed: int, results: dict[str, Result]) -> None:
    outcome(results, f"seed {seed}")
