"""One machine watched: each state, what begins it, what ends it, and which of two comes first."""

import math
import random

import msgspec
import pytest

from pool.farm.exposure import START_GRACE_SECONDS, WatchTerms
from pool.farm.machine import MachineWatch
from pool.farm.machine_state import MachineMemory, MachineState
from pool.farm.presence import RECONNECT_GRACE_SECONDS
from tests.pool.farm.arrivals import SHARE_WORK, Rig

FOUNDING = WatchTerms(machines=2_500)
INTERVAL = 4.0
EXPECTED = SHARE_WORK / INTERVAL
OK, NEW, LOW = MachineState.OK, MachineState.NEW, MachineState.LOW
SILENT, REJECTING, PAUSED = MachineState.SILENT, MachineState.REJECTING, MachineState.PAUSED
# k = ln(2,500 · 86,400 / 4 · 5) for the fifth of a false alarm a day that silence is allowed: 19.41 intervals
SILENT_AFTER_SECONDS = 77.66


def rig(seed: int, expected: float | None = EXPECTED, terms: WatchTerms = FOUNDING) -> Rig:
    return Rig(MachineWatch(terms, 0.0, expected), INTERVAL, random.Random(seed))


def steady(expected: float | None = EXPECTED, shares: int = 10) -> MachineWatch:
    """A machine with a share every 4 s to the second, the last at 4 · `shares`."""
    watch = MachineWatch(FOUNDING, 0.0, expected)
    watch.joined(0.0)
    watch.difficulty(0.0, SHARE_WORK)
    for n in range(1, shares + 1):
        watch.shares(INTERVAL * n, 1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)
    return watch


def test_a_machine_that_does_as_the_inventory_says_is_ok_from_its_first_share() -> None:
    machine = rig(1)
    assert machine.watch.state is NEW
    machine.run(6 * 3_600.0)
    assert [state for _, state in machine.states] == [NEW, OK]


def test_without_a_share_for_k_intervals_it_is_silent_since_the_last_one() -> None:
    watch = steady()
    assert watch.next_look_at == pytest.approx(40.0 + SILENT_AFTER_SECONDS, abs=0.01)
    assert not watch.advance(40.0 + SILENT_AFTER_SECONDS - 0.1)
    assert watch.advance(40.0 + SILENT_AFTER_SECONDS + 0.1)
    assert (watch.state, watch.state_since) == (SILENT, 40.0)
    assert not watch.view(120.0).never_seen
    watch.shares(200.0, 1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)
    assert (watch.state, watch.state_since) == (OK, 200.0)


def test_a_higher_difficulty_gives_more_time() -> None:
    watch = steady()
    watch.difficulty(40.0, 4 * SHARE_WORK)  # an interval of 16 s, k = ln(270e6 / 4) = 18.03
    assert watch.next_look_at == pytest.approx(40.0 + 16 * 18.03, abs=0.1)


def test_a_gap_across_a_change_of_difficulty_counts_by_both() -> None:
    watch = steady()
    watch.difficulty(60.0, 4 * SHARE_WORK)  # 5 intervals have passed, 13.03 of 16 s are left
    assert watch.next_look_at == pytest.approx(60.0 + 16 * 13.03, abs=0.1)


def test_a_late_share_of_the_old_difficulty_does_not_bring_the_old_interval_back() -> None:
    watch = steady()
    watch.difficulty(40.0, 4 * SHARE_WORK)
    watch.shares(41.0, 1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)
    assert watch.next_look_at == pytest.approx(41.0 + 16 * 18.03, abs=0.1)


def test_where_no_difficulty_was_announced_the_last_share_tells_it() -> None:
    watch = MachineWatch(FOUNDING, 0.0, EXPECTED)
    watch.joined(0.0)
    watch.shares(4.0, 1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)
    assert watch.next_look_at == pytest.approx(4.0 + SILENT_AFTER_SECONDS, abs=0.01)
    watch.shares(20.0, 1, 4 * SHARE_WORK, (4 * SHARE_WORK) ** 2, 4 * SHARE_WORK)
    assert watch.next_look_at == pytest.approx(20.0 + 16 * 18.03, abs=0.1)


def test_an_easier_second_connection_without_shares_makes_no_machine_silent() -> None:
    watch = steady()
    watch.joined(40.0)
    watch.difficulty(40.0, SHARE_WORK / 4)
    assert watch.next_look_at == pytest.approx(40.0 + SILENT_AFTER_SECONDS, abs=0.01)
    watch.left(41.0)  # which of the two is gone is not known
    watch.shares(44.0, 1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)
    assert watch.next_look_at == pytest.approx(44.0 + SILENT_AFTER_SECONDS, abs=0.01)


def test_a_lost_connection_is_silence_after_a_short_grace() -> None:
    watch = steady()
    watch.left(41.0)
    assert not watch.advance(41.0 + RECONNECT_GRACE_SECONDS - 0.1)
    assert watch.advance(41.0 + RECONNECT_GRACE_SECONDS)
    assert (watch.state, watch.state_since) == (SILENT, 41.0)


def test_one_of_two_connections_may_go() -> None:
    watch = steady()
    watch.joined(40.0)
    watch.left(41.0)
    watch.advance(60.0)
    assert watch.state is OK
    assert (watch.view(60.0).connections, watch.view(60.0).connected_since) == (1, 0.0)


def test_a_connection_alone_does_not_end_silence_a_share_does() -> None:
    watch = steady()
    watch.left(41.0)
    watch.advance(60.0)
    watch.joined(100.0)
    assert (watch.state, watch.state_since) == (SILENT, 41.0)
    watch.shares(140.0, 1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)
    assert watch.state is OK


def test_a_machine_that_reconnects_forever_without_a_share_is_silent() -> None:
    watch = steady()
    for n in range(10):
        watch.left(41.0 + 10 * n)
        watch.joined(45.0 + 10 * n)
    assert watch.state is SILENT


def test_a_machine_that_never_came_is_silent_since_it_was_expected() -> None:
    watch = MachineWatch(FOUNDING, 50.0, EXPECTED)
    watch.advance(50.0 + START_GRACE_SECONDS - 1)
    assert watch.state is NEW
    watch.advance(50.0 + START_GRACE_SECONDS)
    assert (watch.state, watch.state_since) == (SILENT, 50.0)
    assert watch.view(400.0).never_seen


def test_a_machine_of_which_nothing_is_known_is_silent_after_minutes_without_a_share() -> None:
    watch = steady(expected=None, shares=3)
    watch.advance(12.0 + START_GRACE_SECONDS - 1)
    assert watch.state is NEW
    watch.advance(12.0 + START_GRACE_SECONDS)
    assert (watch.state, watch.state_since) == (SILENT, 12.0)


def test_half_the_rate_is_low_with_its_size_and_beginning() -> None:
    machine = rig(2)
    machine.run(3_600.0)
    machine.run(3_600.0 + 900.0, delivers=0.5)
    view = machine.watch.view(machine.now)
    assert view.state is LOW
    assert view.delivered == pytest.approx(0.5, abs=0.12)
    assert view.state_since == pytest.approx(3_600.0, abs=60.0)


def test_a_repaired_machine_is_ok_again_within_half_an_hour() -> None:
    machine = rig(2)
    machine.run(7_200.0, delivers=0.5)
    machine.run(9_000.0)
    assert [state for _, state in machine.states] == [NEW, OK, LOW, OK]


def test_a_new_difficulty_every_minute_makes_no_machine_low() -> None:
    rng = random.Random(6)
    for _ in range(20):
        watch = MachineWatch(WatchTerms(25), 0.0, EXPECTED)
        watch.joined(0.0)
        now, factor = 0.0, 1.0
        for minute in range(120):
            watch.difficulty(60.0 * minute, factor * SHARE_WORK)
            now = 60.0 * minute  # arrivals have no memory: draw anew
            while (now := now + rng.expovariate(1 / (INTERVAL * factor))) < 60.0 * (minute + 1):
                work = factor * SHARE_WORK
                watch.shares(now, 1, work, work * work, work)
                assert watch.state is OK
            factor = min(4.0, max(0.25, factor * rng.choice([0.5, 2.0])))


def test_refused_work_makes_it_rejecting_even_where_it_is_low_too() -> None:
    machine = rig(3)
    machine.run(600.0)
    machine.run(3_600.0, refused=0.5)
    assert machine.watch.state is REJECTING
    view = machine.watch.view(machine.now)
    assert view.refused == pytest.approx(0.5, abs=0.15)
    assert list(view.refused_by_reason) == ["low difficulty"]
    machine.run(3_600.0 + 1_500.0)  # the refusals are forgotten first
    assert [state for _, state in machine.states][:3] == [NEW, OK, REJECTING]
    machine.run(3_600.0 + 5_400.0)
    assert machine.watch.state is OK


def test_a_machine_whose_every_share_is_refused_is_not_silent() -> None:
    machine = rig(4)
    machine.run(600.0)
    machine.run(1_800.0, refused=1.0)
    assert machine.watch.state is REJECTING
    assert SILENT not in [state for _, state in machine.states]


def test_silence_comes_before_refusals() -> None:
    machine = rig(4)
    machine.run(600.0, refused=0.5)
    assert machine.watch.state is REJECTING
    machine.run(900.0, delivers=0.0)
    assert machine.watch.state is SILENT


def test_nothing_counts_against_a_paused_machine() -> None:
    watch = steady()
    watch.pause(45.0)
    assert (watch.state, watch.state_since) == (PAUSED, 45.0)
    assert watch.next_look_at == math.inf
    watch.left(50.0)
    watch.advance(5_000.0)
    assert watch.state is PAUSED


def test_after_a_pause_it_has_time_to_start_and_then_is_silent_since_its_end() -> None:
    watch = steady()
    watch.pause(45.0)
    watch.left(50.0)
    watch.resume(10_000.0)
    watch.advance(10_000.0 + START_GRACE_SECONDS - 1)
    assert watch.state is OK
    watch.advance(10_000.0 + START_GRACE_SECONDS)
    assert (watch.state, watch.state_since) == (SILENT, 10_000.0)


def test_after_a_pause_the_tests_begin_anew() -> None:
    machine = rig(2)
    machine.run(3_600.0, delivers=0.5)
    assert machine.watch.state is LOW
    machine.watch.pause(3_600.0)
    machine.watch.resume(3_700.0)
    assert machine.watch.state is OK


def test_after_a_pause_or_a_power_cycle_earlier_refusals_count_no_more() -> None:
    for is_pause in (True, False):
        machine = rig(3)
        machine.run(600.0)
        machine.run(3_600.0, refused=0.5)
        watch = machine.watch
        assert watch.state is REJECTING
        if is_pause:
            watch.pause(3_600.0)
            watch.resume(3_700.0)
        else:
            watch.left(3_600.0)
            watch.advance(3_700.0)
            watch.joined(3_700.0)
        watch.shares(3_705.0, 1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)
        assert watch.state is OK
        assert (watch.view(3_705.0).refused, watch.view(3_705.0).refused_by_reason) == (0.0, {})
        watch.refused(3_710.0, "low difficulty", 9, 9 * SHARE_WORK)
        assert watch.state is REJECTING, "what comes now counts"


def test_a_machine_that_comes_paused_is_paused() -> None:
    watch = MachineWatch(FOUNDING, 0.0, EXPECTED, paused_since=-100.0)
    assert (watch.state, watch.state_since) == (PAUSED, -100.0)


def test_a_machine_that_was_off_begins_anew_one_that_reconnected_does_not() -> None:
    for offline, state in ((10.0, LOW), (60.0, OK)):
        machine = rig(2)
        machine.run(3_600.0, delivers=0.5)
        machine.watch.left(3_600.0)
        machine.watch.advance(3_600.0 + offline)
        machine.watch.joined(3_600.0 + offline)
        machine.watch.shares(3_601.0 + offline, 1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)
        assert machine.watch.state is state


def test_without_an_inventory_it_is_new_until_its_rate_is_known_then_losses_are_seen() -> None:
    machine = rig(7, expected=None)
    machine.run(2 * 3_600.0)
    assert [state for _, state in machine.states] == [NEW, OK]
    known_at = machine.states[1][0]
    assert 300.0 <= known_at <= 600.0  # 100 shares are 400 s
    assert machine.watch.view(machine.now).is_learned
    machine.run(3 * 3_600.0, delivers=0.5)
    assert machine.watch.state is LOW
    # What is low is not learned.
    assert machine.watch.view(machine.now).expected == pytest.approx(EXPECTED, rel=0.1)


def test_a_slow_fall_is_not_learned() -> None:
    machine = rig(8, expected=None)
    machine.run(24 * 3_600.0)
    for hour in range(12):  # down by 2 % an hour
        machine.run((25 + hour) * 3_600.0, delivers=1 - 0.02 * (hour + 1))
    assert machine.watch.state is LOW


def test_the_inventory_takes_the_place_of_what_was_learned_and_gives_it_back() -> None:
    machine = rig(7, expected=None)
    machine.run(3_600.0)
    learned = machine.watch.view(3_600.0).expected
    machine.watch.expect(3_600.0, 2 * EXPECTED)
    assert machine.watch.view(3_600.0).expected == 2 * EXPECTED
    machine.run(5_000.0)
    assert machine.watch.state is LOW  # it does half of what it is now said to do
    machine.watch.expect(5_000.0, None)
    assert machine.watch.state is OK
    assert machine.watch.view(5_000.0).expected == pytest.approx(learned, rel=0.05)


def test_a_larger_farm_waits_longer_for_each_machine() -> None:
    watch = steady()
    before = watch.next_look_at
    watch.watch_by(40.0, WatchTerms(machines=25_000))
    assert watch.next_look_at - before == pytest.approx(INTERVAL * math.log(10), abs=0.01)


@pytest.mark.parametrize("delivers", [1.0, 0.5])
def test_a_restart_of_the_process_changes_no_state_and_no_number(delivers: float) -> None:
    machine = rig(2)
    machine.run(3_600.0, delivers=delivers)
    before = machine.watch.view(3_600.0)
    watch = MachineWatch.restore(machine.watch.export(), FOUNDING, 3_600.0, EXPECTED)
    after = watch.view(3_600.0)
    assert (after.state, after.state_since) == (before.state, before.state_since)
    assert after.ten_minutes == before.ten_minutes
    assert (after.last_share_at, after.delivered) == (before.last_share_at, before.delivered)
    assert after.connections == 0
    watch.joined(3_660.0)  # a minute to come back is no fault after a restart
    watch.shares(3_665.0, 1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)
    assert watch.state is before.state


def test_what_a_corrected_inventory_expects_is_judged_anew_after_a_restart() -> None:
    machine = rig(2)
    machine.run(6 * 3_600.0, delivers=0.85)  # 240 GH/s are listed, 204 come
    assert machine.watch.state is LOW
    memory = machine.watch.export()
    for expected, state in ((EXPECTED, LOW), (0.85 * EXPECTED, OK), (None, NEW)):
        assert MachineWatch.restore(memory, FOUNDING, machine.now, expected).state is state


def test_after_a_restart_what_does_not_come_back_is_silent_since_then() -> None:
    watch = MachineWatch.restore(steady().export(), FOUNDING, 41.0, EXPECTED)
    watch.advance(41.0 + START_GRACE_SECONDS)
    assert (watch.state, watch.state_since) == (SILENT, 41.0)


def test_what_was_silent_before_a_restart_is_so_afterwards() -> None:
    watch = steady()
    watch.advance(200.0)
    restored = MachineWatch.restore(watch.export(), FOUNDING, 300.0, EXPECTED)
    assert (restored.state, restored.state_since) == (SILENT, 40.0)


def test_a_learned_rate_survives_a_restart() -> None:
    machine = rig(7, expected=None)
    machine.run(3_600.0)
    restored = MachineWatch.restore(machine.watch.export(), FOUNDING, 3_600.0)
    assert restored.state is OK
    assert restored.view(3_600.0).expected == pytest.approx(EXPECTED, rel=0.1)


@pytest.mark.parametrize("expected", [EXPECTED, None])
def test_what_is_kept_can_be_written_down(expected: float | None) -> None:
    machine = rig(2, expected)
    machine.run(600.0, refused=0.3)
    memory = machine.watch.export()
    assert msgspec.json.decode(msgspec.json.encode(memory), type=MachineMemory) == memory


def test_a_watch_that_is_looked_at_early_does_nothing() -> None:
    watch = steady()
    before = watch.export()
    for n in range(100):
        assert not watch.advance(40.0 + n / 100)
    assert watch.export() == before
