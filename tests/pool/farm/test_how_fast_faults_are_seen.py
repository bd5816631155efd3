"""The table of docs/farm.md against simulations of the classes that it speaks of."""

import random
import re
import statistics
from pathlib import Path

import pytest

from pool.farm.exposure import WatchTerms
from pool.farm.machine import MachineWatch
from pool.farm.machine_state import MachineState
from pool.farm.shortfall import Shortfall
from tests.pool.farm.arrivals import SHARE_WORK, Rig

DOCUMENT = Path(__file__).parents[3] / "docs" / "farm.md"
SECONDS = {"s": 1.0, "min": 60.0, "h": 3_600.0}
FARMS = [(2_500, 4.0), (25, 10.0)]  # the columns of the table: machines, seconds between shares
TOLERANCE = 0.20  # medians of 80 runs are good to 4 % for a loss of half, to 8 % for one of a twentieth


def documented(lost: str) -> list[float]:
    """The row's times in seconds, one for each farm."""
    row = re.search(rf"^\| {re.escape(lost)} \|(.*)\|$", DOCUMENT.read_text(), re.MULTILINE)
    assert row, f"no row for a loss of {lost}"
    cells = [cell.split() for cell in row[1].split("|")]
    return [float(number) * SECONDS[unit] for number, unit in cells]


def seconds_until_low(farm: tuple[int, float], delivers: float, rng: random.Random) -> float:
    machines, interval = farm
    tests = Shortfall(0.0)
    tests.tune(WatchTerms(machines).intervals_per_false_alarm(interval))
    at = 0.0  # in expected shares
    while not tests.is_low:
        gap = rng.expovariate(delivers)
        at += gap
        tests.observe(at, gap, 1.0)
    return at * interval


def seconds_until_silent(farm: tuple[int, float], rng: random.Random) -> float:
    machines, interval = farm
    watch = MachineWatch(WatchTerms(machines), 0.0, SHARE_WORK / interval)
    rig = Rig(watch, interval, rng)
    rig.run(300.0)
    rig.run(900.0, delivers=0.0)
    at, state = rig.states[-1]
    assert state is MachineState.SILENT
    return at - 300.0


@pytest.mark.parametrize("farm", FARMS)
@pytest.mark.parametrize(("lost", "delivers"), [("5 %", 0.95), ("10 %", 0.9), ("20 %", 0.8), ("50 %", 0.5)])
def test_losses_are_seen_as_fast_as_documented(farm: tuple[int, float], lost: str, delivers: float) -> None:
    rng = random.Random(f"{farm} {lost}")
    median = statistics.median(seconds_until_low(farm, delivers, rng) for _ in range(80))
    assert median == pytest.approx(documented(lost)[FARMS.index(farm)], rel=TOLERANCE)


@pytest.mark.parametrize("farm", FARMS)
def test_silence_is_seen_as_fast_as_documented(farm: tuple[int, float]) -> None:
    rng = random.Random(f"{farm}")
    median = statistics.median(seconds_until_silent(farm, rng) for _ in range(80))
    assert median == pytest.approx(documented("all")[FARMS.index(farm)], rel=0.05)
