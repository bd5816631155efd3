"""What faults have in common: racks, rows, firmware, a minute; and what has nothing in common."""

import time
from itertools import chain

import pytest

from pool.farm.cause import Cause, onset
from pool.farm.explanation import explain
from pool.farm.faults import Fault
from tests.pool.farm.building import MINUTE, NOON, SECOND, Farm

HOUR = 60 * MINUTE


def causes(farm: Farm, faults: list[Fault]) -> list[tuple[str, str, int]]:
    """Kind, name and size of each cluster."""
    found = explain(faults, farm.census())
    assert sorted(fault for cluster in found for fault in _keys(cluster.faults)) == sorted(_keys(faults))
    return [(cluster.cause.kind, cluster.cause.name, len(cluster.faults)) for cluster in found]


def _keys(faults: tuple[Fault, ...] | list[Fault]) -> list[str]:
    return [fault.machine for fault in faults]


@pytest.fixture
def farm() -> Farm:
    return Farm()  # 2 halls of 5 rows of 6 racks of 40: 2,400 machines


def test_a_rack_without_power_is_one_cause(farm: Farm) -> None:
    assert causes(farm, farm.faults(farm.within("a-3-2-"), NOON)) == [("group", "a/row-3/rack-2", 40)]


def test_most_of_a_rack_is_the_rack(farm: Farm) -> None:
    assert causes(farm, farm.faults(farm.within("a-3-2-")[:15], NOON)) == [("group", "a/row-3/rack-2", 15)]


def test_a_row_behind_a_dead_switch_is_one_cause(farm: Farm) -> None:
    assert causes(farm, farm.faults(farm.within("a-3-"), NOON)) == [("group", "a/row-3", 240)]


def test_most_racks_of_a_row_are_the_row_and_fewer_are_racks(farm: Farm) -> None:
    racks = [farm.within(f"a-3-{rack}-") for rack in range(1, 7)]
    four = [fault for at, rack in enumerate(racks[:4]) for fault in farm.faults(rack, NOON + at * HOUR)]
    assert causes(farm, four) == [("group", "a/row-3", 160)]
    assert causes(farm, four[:120]) == [("group", f"a/row-3/rack-{rack}", 40) for rack in (1, 2, 3)]


def test_a_few_faults_in_every_rack_of_a_row_are_the_row(farm: Farm) -> None:
    names = [f"a-3-{rack}-{position}" for rack in range(1, 7) for position in (1, 20)]
    assert causes(farm, farm.faults(names, NOON)) == [("group", "a/row-3", 12)]


def test_a_hall_is_one_cause(farm: Farm) -> None:
    assert causes(farm, farm.faults(farm.within("b-"), NOON)) == [("group", "b", 1_200)]


def test_everything_is_the_whole_farm(farm: Farm) -> None:
    assert causes(farm, farm.faults(farm.names, NOON)) == [("farm", "", 2_400)]


def test_one_site_alone_is_the_whole_farm_too() -> None:
    farm = Farm(halls="a")
    assert causes(farm, farm.faults(farm.names, NOON)) == [("farm", "", 1_200)]


def test_machines_without_a_place_can_be_the_whole_farm_and_nothing_smaller() -> None:
    farm = Farm()
    farm.names += [f"rig{number}" for number in range(600)]
    farm.family |= dict.fromkeys(farm.names[-600:], "stock")
    scattered = [farm.fault(name, NOON + at * HOUR) for at, name in enumerate(farm.names[-600::30])]
    assert {kind for kind, _, _ in causes(farm, scattered)} == {"machine"}
    assert causes(farm, farm.faults(farm.names, NOON)) == [("farm", "", 3_000)]


def test_one_firmware_in_many_racks_is_one_cause() -> None:
    bos = [f"{hall}-{row}-{rack}-7" for hall in "ab" for row in range(1, 6) for rack in range(1, 7)]
    farm = Farm(bos=bos)  # one machine in each of the 60 racks
    after_an_update = [farm.fault(name, NOON + at * HOUR, "rejecting") for at, name in enumerate(bos[:60:5])]
    assert causes(farm, after_an_update) == [("firmware", "bos", 12)]


def test_a_firmware_in_one_hall_alone_is_the_firmware_and_not_the_hall() -> None:
    bos = [f"a-{row}-{rack}-{position}" for row in range(1, 6) for rack in range(1, 7) for position in (7, 8)]
    farm = Farm(bos=bos)
    faults = [farm.fault(name, NOON + at * HOUR, "rejecting") for at, name in enumerate(bos)]
    assert causes(farm, faults) == [("firmware", "bos", 60)]


def test_a_rack_of_one_firmware_is_the_rack_while_others_of_the_firmware_are_well(farm: Farm) -> None:
    farm = Farm(bos=[*farm.within("a-3-2-"), *farm.within("b-1-1-")])
    assert causes(farm, farm.faults(farm.within("a-3-2-"), NOON)) == [("group", "a/row-3/rack-2", 40)]


def test_three_unrelated_machines_are_three(farm: Farm) -> None:
    faults = [
        farm.fault("a-1-1-1", NOON),
        farm.fault("a-4-2-9", NOON + 20 * MINUTE),
        farm.fault("b-2-6-3", NOON + 9 * HOUR),
    ]
    assert causes(farm, faults) == [
        ("machine", "x.a-1-1-1", 1),
        ("machine", "x.a-4-2-9", 1),
        ("machine", "x.b-2-6-3", 1),
    ]


def test_the_same_first_minute_is_a_cause(farm: Farm) -> None:
    names = ["a-1-1-1", "a-4-2-9", "b-2-6-3", "b-5-1-2"]
    faults = [*farm.faults(names, NOON + 59 * SECOND), farm.fault("a-2-2-2", NOON - HOUR)]
    assert causes(farm, faults) == [
        ("minute", str(NOON + 59 * SECOND), 4),
        ("machine", "x.a-2-2-2", 1),
    ]


def test_on_a_farm_where_faults_come_every_minute_one_more_minute_is_no_cause() -> None:
    farm = Farm(rows=500)  # 240,000 machines: 5.6 faults a minute by the reckoning of one a month
    names = [f"{hall}-{row}-1-1" for row in (1, 90, 200, 300) for hall in "ab"]
    assert {kind for kind, _, _ in causes(farm, farm.faults(names, NOON))} == {"machine"}


def test_groups_of_different_causes_are_told_apart(farm: Farm) -> None:
    faults = [
        *farm.faults(farm.within("a-3-2-"), NOON),
        *farm.faults(farm.within("b-1-"), NOON + HOUR),
        farm.fault("a-5-5-5", NOON - HOUR),
    ]
    assert causes(farm, faults) == [
        ("group", "b/row-1", 240),
        ("group", "a/row-3/rack-2", 40),
        ("machine", "x.a-5-5-5", 1),
    ]


def test_a_dead_hall_hides_no_smaller_fault_in_the_other(farm: Farm) -> None:
    # 9 of 40 are nothing beside a farm that is half dead; without the dead half they are
    faults = [*farm.faults(farm.within("b-"), NOON), *farm.faults(farm.within("a-3-2-")[:9], NOON + HOUR)]
    assert causes(farm, faults) == [("group", "b", 1_200), ("group", "a/row-3/rack-2", 9)]


def test_two_racks_at_once_are_two_and_four_are_what_they_lie_in(farm: Farm) -> None:
    racks = [farm.within(prefix) for prefix in ("a-1-1-", "a-2-2-", "a-3-3-", "a-4-4-")]
    at_once = [farm.faults(rack, NOON + at * SECOND) for at, rack in enumerate(racks)]
    assert causes(farm, [*at_once[0], *at_once[1]]) == [
        ("group", "a/row-1/rack-1", 40),
        ("group", "a/row-2/rack-2", 40),
    ]
    assert causes(farm, [*chain(*at_once), farm.fault("a-5-5-5", NOON - HOUR)]) == [
        ("group", "a", 160),
        ("machine", "x.a-5-5-5", 1),
    ]


def test_one_rack_in_each_row_is_not_the_rows(farm: Farm) -> None:
    faults = [
        fault
        for row in range(1, 6)
        for fault in farm.faults(farm.within(f"a-{row}-{row}-"), NOON + row * HOUR)
    ]
    assert causes(farm, faults) == [("group", f"a/row-{row}/rack-{row}", 40) for row in range(1, 6)]


def test_a_small_farm_has_racks_too() -> None:
    farm = Farm(halls="a", rows=1, racks=3, positions=4)
    faults = [farm.fault(name, NOON + at * HOUR) for at, name in enumerate(farm.within("a-1-2-"))]
    assert causes(farm, faults) == [("group", "a/row-1/rack-2", 4)]


def test_faults_of_machines_that_nobody_counted_are_explained(farm: Farm) -> None:
    found = explain(farm.faults(farm.within("a-3-2-"), NOON), Farm(halls="").census())
    assert [(cluster.cause.kind, len(cluster.faults)) for cluster in found] == [("farm", 40)]


def test_the_order_of_faults_does_not_matter(farm: Farm) -> None:
    faults = [*farm.faults(farm.within("a-3-2-"), NOON), *farm.faults(farm.names[::97], NOON + HOUR)]
    assert explain(faults, farm.census()) == explain(faults[::-1], farm.census())


def test_no_faults_have_no_cause(farm: Farm) -> None:
    assert causes(farm, []) == []


def test_a_cause_covers_what_lies_below_and_nothing_that_begins_alike() -> None:
    farm = Farm(rows=11)
    row = Cause("group", "a/row-1", "row")
    assert row.covers(farm.fault("a-1-2-3", NOON))
    assert not row.covers(farm.fault("a-11-2-3", NOON))


def test_the_onset_is_where_most_of_it_began(farm: Farm) -> None:
    faults = farm.faults(farm.within("a-3-2-"), NOON)
    assert onset([farm.fault("a-3-3-1", NOON - HOUR), *faults]) == NOON
    assert onset([farm.fault("a-3-3-1", NOON - 9 * MINUTE), *faults]) == NOON - 9 * MINUTE


def test_a_farm_of_2500_is_explained_at_once() -> None:
    """About 10 ms; the bound is loose, since tests share their processors."""
    farm = Farm(positions=42)
    faults = [farm.fault(name, NOON + at * MINUTE) for at, name in enumerate(farm.names[::2])]
    census = farm.census()
    began = time.process_time()
    explain(faults, census)
    assert time.process_time() - began < 0.5
