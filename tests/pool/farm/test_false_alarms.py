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

# A farm of which nobody has said what it should do, by the settings as they come: a false alarm a day.
LEARNING, LEARNING_INTERVAL = WatchTerms(25, 1.0), 25.0


def false_alarms(terms: WatchTerms, interval: float, given: float | None, machine: int, days: float) -> int:
    rig = Rig(MachineWatch(terms, 0.0, given), interval, random.Random(machine))
    rig.run(days * 86_400.0)
    return sum(state in (MachineState.LOW, MachineState.SILENT) for _, state in rig.states)


def test_a_farm_without_faults_has_about_as_many_false_alarms_as_allowed() -> None:
    terms, given = WatchTerms(MACHINES, ALLOWED_A_DAY), SHARE_WORK / INTERVAL
    alarms = sum(false_alarms(terms, INTERVAL, given, machine, 1.5) for machine in range(MACHINES))
    # At most 65 in a day and a half, and fewer in fact: one stroke of bad luck trips several tests at once.
    assert 30 <= alarms <= 75


def test_a_farm_that_learns_what_its_machines_do_has_no_more_false_alarms_than_allowed() -> None:
    """From its first day on. A learned rate is off by luck: one that is taken with half of
    `STANDARD_ERRORS_OF_LOSS` gives twice as many alarms here."""
    alarms = sum(
        false_alarms(LEARNING, LEARNING_INTERVAL, None, machine, 3.0) for machine in range(LEARNING.machines)
    )
    # Three in three days; where that is the mean, eleven farms of twelve have five at most.
    assert alarms <= 5
