"""Twenty of 2,500 machines break in three ways at once: a quarter of an hour later all of them are named."""

import random

from pool.farm.exposure import WatchTerms
from pool.farm.machine import MachineWatch
from pool.farm.machine_state import MachineState
from tests.pool.farm.arrivals import SHARE_WORK, Rig

MACHINES, INTERVAL = 2_500, 4.0
BREAKS_AT, WATCHED_SECONDS = 60.0, 15 * 60.0
HONEST_REFUSED = 0.005
FAULTS = {MachineState.SILENT, MachineState.REJECTING, MachineState.LOW}


def faults_of(rng: random.Random, delivers: float, refused: float) -> tuple[MachineState, set[MachineState]]:
    """The state a machine ends in, and the faults it was called by on the way."""
    watch = MachineWatch(WatchTerms(MACHINES), 0.0, SHARE_WORK / INTERVAL)
    rig = Rig(watch, INTERVAL, rng)
    rig.run(BREAKS_AT, refused=HONEST_REFUSED)
    rig.run(BREAKS_AT + WATCHED_SECONDS, delivers, refused)
    return watch.state, {state for _, state in rig.states} & FAULTS


def test_all_twenty_are_named_by_what_is_wrong_and_at_most_one_other() -> None:
    rng = random.Random(2_500)
    silent = [faults_of(rng, 0.0, 0.0) for _ in range(7)]
    half = [faults_of(rng, 0.5, HONEST_REFUSED) for _ in range(7)]
    rejecting = [faults_of(rng, 1.0, 0.5) for _ in range(6)]
    sound = [faults_of(rng, 1.0, HONEST_REFUSED) for _ in range(MACHINES - 20)]
    assert [state for state, _ in silent] == [MachineState.SILENT] * 7
    assert [state for state, _ in half] == [MachineState.LOW] * 7
    assert [state for state, _ in rejecting] == [MachineState.REJECTING] * 6
    assert sum(bool(faults) for _, faults in sound) <= 1


def test_half_the_rate_is_found_in_a_quarter_of_an_hour_however_unlucky() -> None:
    """300 machines at half their rate: one of a hundred may take longer."""
    rng = random.Random(9)
    found = sum(faults_of(rng, 0.5, HONEST_REFUSED)[0] is MachineState.LOW for _ in range(300))
    assert found >= 297
