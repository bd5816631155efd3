"""How often a farm without faults cries wolf: about as often as it may, in all its tests together."""

import random

from pool.farm.exposure import WatchTerms
from pool.farm.machine import MachineWatch
from pool.farm.machine_state import MachineState
from tests.pool.farm.arrivals import SHARE_WORK, Rig

INTERVAL = 4.0
MACHINES, ALLOWED_A_DAY = 10, 43.2
# 10 · 21,600 intervals a day, by 43.2 / 5 for each test: each has a false alarm every 25,000 intervals.
# With 2,500 machines and one a day it is one in 270,000,000, which no test suite has the time to see.


def false_alarms(machine: int, days: float) -> int:
    watch = MachineWatch(WatchTerms(MACHINES, ALLOWED_A_DAY), 0.0, SHARE_WORK / INTERVAL)
    rig = Rig(watch, INTERVAL, random.Random(machine))
    rig.run(days * 86_400.0)
    return sum(state in (MachineState.LOW, MachineState.SILENT) for _, state in rig.states)


def test_a_farm_without_faults_has_about_as_many_false_alarms_as_allowed() -> None:
    alarms = sum(false_alarms(machine, 1.5) for machine in range(MACHINES))
    # At most 65 in a day and a half, and fewer in fact: one stroke of bad luck trips several tests at once.
    assert 30 <= alarms <= 75
