"""Incidents over time: they grow, shrink, merge upward, wait out what flaps, and end; and their lines."""

import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pool.farm.cause import Cause
from pool.farm.faults import Fault, census_of
from pool.farm.incident_line import incident_line
from pool.farm.incidents import Departure, Incident, update
from tests.pool.farm.building import MINUTE, NOON, SECOND, Farm

HOUR = 60 * MINUTE
FARM = Farm()  # 2 halls of 5 rows of 6 racks of 40
CENSUS = FARM.census()
SHANGHAI = ZoneInfo("Asia/Shanghai")  # eight hours before UTC, all year


def look(faults: list[Fault], now_us: int, *previous: Incident) -> tuple[Incident, ...]:
    return update(previous, faults, CENSUS, now_us)


def rack(count: int = 40, since_us: int = NOON, prefix: str = "a-3-2-") -> list[Fault]:
    return FARM.faults(FARM.within(prefix)[:count], since_us)


def only(incidents: tuple[Incident, ...]) -> Incident:
    [incident] = incidents
    return incident


def told(incident: Incident) -> tuple[str, str, int]:
    return incident.cause.kind, incident.cause.name, len(incident.faults)


# ---------------------------------------------------------------------- growing and shrinking


def test_a_rack_that_fails_machine_by_machine_is_one_incident_from_its_first_on() -> None:
    first = only(look(rack(1), NOON + MINUTE))
    assert told(first) == ("machine", "x.a-3-2-1", 1)
    grown = only(look(rack(3), NOON + 2 * MINUTE, first))
    whole = only(look(rack(40), NOON + 3 * MINUTE, grown))
    assert told(whole) == ("group", "a/row-3/rack-2", 40)
    assert {(one.id, one.begun_us, one.first) for one in (first, grown, whole)} == {
        ("machine-598a0f92e670", NOON, "a-3-2-1")  # sha256("x.a-3-2-1@1796126400000000")
    }


def test_a_rack_fails_inside_a_failing_row_and_merges_upward() -> None:
    of_rack = only(look(rack(), NOON + MINUTE))
    row = FARM.faults(FARM.within("a-3-"), NOON + 2 * MINUTE)
    row = [*rack(), *(fault for fault in row if not fault.name.startswith("a-3-2-"))]
    of_row = only(look(row, NOON + 7 * MINUTE, of_rack))
    assert told(of_row) == ("group", "a/row-3", 240)
    assert (of_row.id, of_row.begun_us) == (of_rack.id, NOON)


def test_an_incident_shrinks_without_falling_apart() -> None:
    whole = only(look(rack(), NOON + MINUTE))
    few = only(look(rack(2), NOON + HOUR, whole))  # two alone would have nothing in common
    assert (told(few), few.id, few.most) == (("group", "a/row-3/rack-2", 2), whole.id, 40)
    row = only(look(FARM.faults(FARM.within("a-3-"), NOON), NOON + 5 * MINUTE))
    left = only(look([one for one in row.faults if one.name.startswith("a-3-2-")], NOON + HOUR, row))
    assert told(left) == ("group", "a/row-3", 40)


def test_an_incident_ends_five_minutes_after_its_last_machine_is_well() -> None:
    whole = only(look(rack(), NOON + MINUTE))
    well = only(look([], NOON + HOUR, whole))
    assert (well.faults, well.well_since_us, well.id) == ((), NOON + HOUR, whole.id)
    still = only(look([], NOON + HOUR + 5 * MINUTE - SECOND, well))
    assert still.well_since_us == NOON + HOUR
    assert look([], NOON + HOUR + 5 * MINUTE, still) == ()


def test_a_flapping_rack_is_one_incident() -> None:
    incident = only(look(rack(), NOON + MINUTE))
    for again in range(1, 6):
        at = NOON + again * 20 * MINUTE
        quiet = only(look([], at - 3 * MINUTE, incident))
        incident = only(look(rack(since_us=at - 2 * MINUTE), at, quiet))
        assert incident.well_since_us is None
    # sha256("a/row-3/rack-2@1796126400000000"), its first twelve digits
    assert incident.id == "rack-85f84df2262a"


def test_a_flapping_machine_of_a_rack_that_is_down_for_hours_stays_in_its_incident() -> None:
    whole = only(look(rack(), NOON + MINUTE))
    without = only(look(rack(39), NOON + 3 * HOUR, whole))
    back = [*rack(39), FARM.fault("a-3-2-40", NOON + 3 * HOUR + MINUTE)]
    assert only(look(back, NOON + 3 * HOUR + 2 * MINUTE, without)).id == whole.id


# ---------------------------------------------------------------------- apart and together


def test_three_unrelated_machines_are_three_incidents() -> None:
    faults = [FARM.fault(name, NOON + at * HOUR) for at, name in enumerate(("a-1-1-1", "a-4-2-9", "b-2-6-3"))]
    assert [told(one) for one in look(faults, NOON + 5 * HOUR)] == [
        ("machine", "x.a-1-1-1", 1),
        ("machine", "x.a-4-2-9", 1),
        ("machine", "x.b-2-6-3", 1),
    ]


def test_a_new_failure_is_no_part_of_yesterdays() -> None:
    day = 24 * HOUR
    row = FARM.faults(FARM.within("a-3-"), NOON - day)
    old = only(look(row, NOON - day + HOUR))
    left = [fault for fault in row if fault.name.startswith("a-3-5-")][:3]
    old = only(look(left, NOON, only(look(left, NOON - HOUR, old))))
    new = rack(since_us=NOON + MINUTE)
    fresh, still = look([*left, *new], NOON + 2 * MINUTE, old)
    assert (told(fresh), fresh.begun_us) == (("group", "a/row-3/rack-2", 40), NOON + MINUTE)
    assert (told(still), still.id) == (("group", "a/row-3", 3), old.id)


def test_a_machine_that_was_silent_before_does_not_date_the_power_cut() -> None:
    before = only(look([FARM.fault("a-3-2-7", NOON - 24 * HOUR)], NOON - HOUR))
    cut = [one for one in rack() if one.name != "a-3-2-7"]
    both = only(look([*before.faults, *cut], NOON + MINUTE, before))
    assert (told(both), both.begun_us, both.first) == (("group", "a/row-3/rack-2", 40), NOON, "a-3-2-1")
    assert both.id != before.id


def test_a_late_machine_joins_while_the_incident_grows_and_not_for_ever() -> None:
    few = only(look(rack(2), NOON + HOUR, only(look(rack(), NOON + MINUTE))))
    latest = NOON + 39 * SECOND
    soon = FARM.fault("a-3-2-9", latest + 10 * MINUTE)
    assert [told(one) for one in look([*rack(2), soon], NOON + HOUR, few)] == [("group", "a/row-3/rack-2", 3)]
    late = [*rack(2), FARM.fault("a-3-3-9", latest + 2 * HOUR)]
    assert [told(one) for one in look(late, NOON + 3 * HOUR, few)] == [
        ("group", "a/row-3/rack-2", 2),
        ("machine", "x.a-3-3-9", 1),
    ]


def test_the_rack_may_fail_again_while_what_it_grew_into_lasts() -> None:
    of_rack = only(look(rack(), NOON + MINUTE))
    row = only(look(FARM.faults(FARM.within("a-3-"), NOON), NOON + 5 * MINUTE, of_rack))
    others = [one for one in row.faults if one.name.startswith("a-3-5-")][:3]
    left = only(look(others, NOON + HOUR + 5 * MINUTE, only(look(others, NOON + HOUR, row))))
    again = look([*others, *rack(since_us=NOON + 2 * HOUR)], NOON + 2 * HOUR + MINUTE, left)
    assert len({one.id for one in again}) == 2


def test_everything_silent_is_one_incident() -> None:
    incident = only(look(FARM.faults(FARM.names, NOON), NOON + MINUTE))
    assert told(incident) == ("farm", "", 2_400)


# ---------------------------------------------------------------------- lines


def test_the_line_of_a_rack() -> None:
    incident = only(look(rack(38), NOON + 5 * MINUTE))
    # 38 machines of 100 TH/s; noon in UTC is eight in the evening in Shanghai
    assert incident_line(incident, NOON + HOUR) == (
        "rack a/row-3/rack-2: 38 of 40 machines silent since 12:00 (first: a-3-2-1), −3.8 PH/s"
    )
    assert incident_line(incident, NOON + HOUR, SHANGHAI) == (
        "rack a/row-3/rack-2: 38 of 40 machines silent since 20:00 (first: a-3-2-1), −3.8 PH/s"
    )
    assert "since 2026-12-01 20:00 (" in incident_line(incident, NOON + 4 * HOUR, SHANGHAI)


def test_the_line_of_the_whole_farm() -> None:
    incident = only(look(FARM.faults(FARM.names, NOON), NOON + HOUR))
    assert incident_line(incident, NOON + HOUR) == (
        "the whole farm: 2,400 of 2,400 machines silent since 12:00 (first: a-1-1-1), −240 PH/s"
    )


def test_the_line_of_one_machine_and_of_one_without_a_place() -> None:
    fault = FARM.fault("a-3-2-1", NOON, "low")
    assert incident_line(only(look([fault], NOON)), NOON) == (
        "machine a-3-2-1 in a/row-3/rack-2: low since 12:00, −100 TH/s"
    )
    bare = Fault("x.rig", "rig", "rejecting", NOON, Farm().fault("a-1-1-1", 0).place.__class__())
    assert incident_line(only(look([bare], NOON)), NOON) == "machine rig: rejecting since 12:00"


def test_the_line_of_a_minute_and_of_a_firmware() -> None:
    names = ["a-1-1-1", "a-4-2-9", "b-2-6-3", "b-5-1-2"]
    assert incident_line(only(look(FARM.faults(names, NOON), NOON)), NOON) == (
        "in one minute: 4 machines silent since 12:00 (first: a-1-1-1), −400 TH/s"
    )
    bos = Farm(bos=[name for name in FARM.names if name.endswith("-7")])
    faults = bos.faults([name for name in bos.names if name.endswith("-7")][::5], NOON, "rejecting")
    [incident] = update((), faults, bos.census(), NOON)
    assert incident_line(incident, NOON) == (
        "firmware bos: 12 of 60 machines rejecting since 12:00 (first: a-1-1-7), −1.2 PH/s"
    )


def test_the_line_tells_states_apart() -> None:
    faults = rack()
    mixed = [msgspec.structs.replace(one, state="low") for one in faults[:2]] + faults[2:]
    line = incident_line(only(look(mixed, NOON)), NOON)
    assert "40 of 40 machines at fault (38 silent, 2 low) since" in line


def test_the_line_of_what_is_over() -> None:
    well = only(look([], NOON + HOUR, only(look(rack(38), NOON + MINUTE))))
    assert incident_line(well, NOON + HOUR, datetime.UTC) == (
        "rack a/row-3/rack-2: well again since 13:00; 38 of 40 machines at fault since 12:00"
    )


def test_who_is_back_from_a_pause_is_not_told_as_paused_when_the_others_are_well_again() -> None:
    three = rack(3)
    incident = only(look(three, NOON + MINUTE))
    paused: dict[str, Departure] = {three[0].machine: "paused"}
    two = only(update([incident], three[1:], CENSUS, NOON + 2 * MINUTE, paused))
    assert two.departed == paused
    resumed = only(update([two], three[1:], CENSUS, NOON + 3 * MINUTE, {}))
    assert resumed.departed == {}
    over = only(update([resumed], [], CENSUS, NOON + HOUR, {}))
    assert ": well again since 13:00" in incident_line(over, NOON + HOUR)


def test_the_line_of_what_is_over_since_it_is_paused_or_forgotten() -> None:
    whole = only(look(rack(38), NOON + MINUTE))
    departed: dict[str, Departure] = {f"x.a-3-2-{n}": "paused" for n in range(1, 31)}
    departed["x.a-3-2-31"] = "forgotten"
    few = only(update([whole], rack(38)[31:], CENSUS, NOON + 30 * MINUTE, departed))
    over = only(update([few], [], CENSUS, NOON + HOUR, departed))
    assert incident_line(over, NOON + HOUR) == (
        "rack a/row-3/rack-2: 30 paused, 1 forgotten, others well again since 13:00; "
        "38 of 40 machines at fault since 12:00"
    )
    machine = only(look(rack(1), NOON + MINUTE))
    forgotten = only(update([machine], [], CENSUS, NOON + HOUR, {"x.a-3-2-1": "forgotten"}))
    assert incident_line(forgotten, NOON + HOUR) == (
        "machine a-3-2-1: forgotten since 13:00; 1 machine at fault since 12:00"
    )


def test_a_machine_that_was_paused_and_then_forgotten_was_forgotten() -> None:
    whole = only(look(rack(38), NOON + MINUTE))
    paused = only(update([whole], rack(38)[1:], CENSUS, NOON + 2 * MINUTE, {"x.a-3-2-1": "paused"}))
    gone = only(update([paused], rack(38)[1:], CENSUS, NOON + 3 * MINUTE, {"x.a-3-2-1": "forgotten"}))
    later = only(update([gone], rack(38)[1:], CENSUS, NOON + 4 * MINUTE, {}))
    assert later.departed == {"x.a-3-2-1": "forgotten"}


def test_of_a_rack_that_has_become_smaller_than_its_incident_was_the_line_says_no_size() -> None:
    incident = only(look(rack(38), NOON + MINUTE))
    left = census_of([(fault.place, fault.firmware) for fault in rack(2)])
    over = only(update([incident], [], left, NOON + HOUR, dict.fromkeys(("x.a-3-2-1",), "forgotten")))
    assert incident_line(over, NOON + HOUR) == (
        "rack a/row-3/rack-2: 1 forgotten, others well again since 13:00; 38 machines at fault since 12:00"
    )


def test_a_machine_that_was_paused_is_well_again_if_it_was_at_fault_once_more_and_is_not() -> None:
    whole = only(look(rack(38), NOON + MINUTE))
    paused = only(update([whole], rack(38)[1:], CENSUS, NOON + 2 * MINUTE, {"x.a-3-2-1": "paused"}))
    again = only(look(rack(38), NOON + 3 * MINUTE, paused))
    assert (paused.departed, again.departed) == ({"x.a-3-2-1": "paused"}, {})
    assert "well again since" in incident_line(only(look([], NOON + HOUR, again)), NOON + HOUR)


# ---------------------------------------------------------------------- any history

SMALL = Farm(halls="ab", rows=2, racks=2, positions=4, bos=("a-1-1-1", "a-2-1-1", "b-1-2-1", "b-2-2-1"))
FAULT = st.builds(
    SMALL.fault,
    st.sampled_from(SMALL.names),
    st.integers(0, 120).map(lambda minutes: NOON + minutes * MINUTE),
    st.sampled_from(["silent", "low", "rejecting"]),
)


@settings(max_examples=200)
@given(st.lists(st.lists(FAULT, max_size=32, unique_by=lambda fault: fault.machine), max_size=6))
def test_each_fault_is_in_exactly_one_incident_whatever_happened(history: list[list[Fault]]) -> None:
    incidents: tuple[Incident, ...] = ()
    for number, faults in enumerate(history):
        known = {one.id: one for one in incidents}
        incidents = update(incidents, faults, SMALL.census(), NOON + (120 + number) * MINUTE)
        held = [fault for incident in incidents for fault in incident.faults]
        assert sorted(one.machine for one in held) == sorted(one.machine for one in faults)
        assert {one.machine: one for one in held} == {one.machine: one for one in faults}
        assert len({one.id for one in incidents}) == len(incidents)
        for incident in incidents:
            assert (incident.well_since_us is None) == bool(incident.faults)
            assert incident_line(incident, NOON)
            if incident.id in known:
                assert incident.begun_us == known[incident.id].begun_us


@pytest.mark.parametrize("cause", [Cause("farm"), Cause("group", "a", "hall")])
def test_the_order_of_faults_does_not_matter(cause: Cause) -> None:
    faults = FARM.faults(FARM.names if cause.kind == "farm" else FARM.within("a-"), NOON)
    forward, backward = look(faults, NOON), look(faults[::-1], NOON)
    assert forward == backward
    assert forward[0].cause == cause
