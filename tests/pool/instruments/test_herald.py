"""Who is told of incidents and nodes, and when: what lasts a minute, once, and its end once."""

import msgspec

from pool.farm.faults import Fault, census_of
from pool.farm.incidents import Departure, Incident, update
from pool.farm.places import Place
from pool.instruments.herald import Herald, HeraldMemory
from pool.notices import notice

MINUTE_US = 60_000_000
START_US = 1_800_000_000_000_000
RACK = Place((("row", "row-1"), ("rack", "rack-1")))
OTHER = Place((("row", "row-1"), ("rack", "rack-2")))
CENSUS = census_of([(RACK, "cgminer")] * 20 + [(OTHER, "cgminer")] * 180)


def faults(count: int, since_us: int = START_US) -> list[Fault]:
    return [Fault(f"a.m-{n}", f"m-{n}", "silent", since_us, RACK, "cgminer", 1e12) for n in range(count)]


def at(minutes: float) -> int:
    return START_US + round(minutes * MINUTE_US)


def test_an_incident_is_told_when_it_has_lasted_a_minute_and_once() -> None:
    herald, incidents = Herald(), update((), faults(10), CENSUS, at(1.5))
    assert herald.incidents(incidents, at(1.5)) == [], "found now, though it began before"
    assert herald.incidents(incidents, at(2)) == []
    [told] = herald.incidents(incidents, at(2.5))
    assert isinstance(told, notice.Incident)
    assert (told.group, told.machines, told.at_us) == ("row-1/rack-1", 10, START_US)
    assert "10 of 20 machines silent" in told.what
    assert herald.incidents(incidents, at(3)) == []


def test_a_machine_whose_rack_turns_out_to_be_dead_is_told_again_as_the_rack() -> None:
    herald = Herald()
    first = update((), faults(1), CENSUS, at(0))
    herald.incidents(first, at(0))
    [told] = herald.incidents(first, at(1))
    assert isinstance(told, notice.Incident)
    assert told.machines == 1
    rack = update(first, faults(10), CENSUS, at(1.5))
    assert [one.id for one in rack] == [one.id for one in first], "the same incident, grown"
    [again] = herald.incidents(rack, at(1.5))
    assert isinstance(again, notice.Incident)
    assert (again.group, again.machines) == ("row-1/rack-1", 10)
    assert again.id != told.id
    assert herald.incidents(rack, at(2)) == []


def test_its_end_is_told_when_its_machines_have_stayed_well() -> None:
    herald, incidents = Herald(), update((), faults(10), CENSUS, at(0))
    herald.incidents(incidents, at(0))
    herald.incidents(incidents, at(1))
    incidents = update(incidents, [], CENSUS, at(2))
    assert herald.incidents(incidents, at(2)) == [], "they may be silent again in a moment"
    incidents = update(incidents, [], CENSUS, at(8))
    assert incidents == ()
    [told] = herald.incidents(incidents, at(8))
    assert isinstance(told, notice.IncidentOver)
    assert (told.machines, told.began_us) == (10, START_US)


def test_the_end_of_what_was_forgotten_is_not_told_as_well_again() -> None:
    herald, incidents = Herald(), update((), faults(10), CENSUS, at(0))
    herald.incidents(incidents, at(0))
    herald.incidents(incidents, at(1))
    departed: dict[str, Departure] = {f"a.m-{n}": "forgotten" for n in range(9)}
    incidents = update(incidents, [], CENSUS, at(2), departed)
    herald.incidents(incidents, at(2))
    incidents = update(incidents, [], CENSUS, at(8))
    [told] = herald.incidents(incidents, at(8))
    assert isinstance(told, notice.IncidentOver)
    assert "rack row-1/rack-1: 9 forgotten, others well again since " in told.what


def test_an_incident_that_is_part_of_a_wider_one_is_not_over() -> None:
    herald = Herald()
    small = update((), faults(10), CENSUS, at(0))
    herald.incidents(small, at(0))
    assert herald.incidents(small, at(1))
    assert herald.incidents((), at(2)) == []  # gone while its machines are silent


def test_what_ends_within_a_minute_is_told_to_nobody() -> None:
    herald = Herald()
    incidents: tuple[Incident, ...] = update((), faults(10), CENSUS, at(0.1))
    herald.incidents(incidents, at(0.2))
    incidents = update(incidents, [], CENSUS, at(0.3))
    assert herald.incidents(incidents, at(0.4)) == []
    assert herald.incidents((), at(9)) == []


def test_a_node_is_told_down_after_a_minute_and_back_at_once() -> None:
    herald = Herald()
    assert herald.nodes({"home": None, "away": "unreachable"}, at(0)) == []
    assert herald.nodes({"home": None, "away": "unreachable"}, at(0.9)) == []
    [down] = herald.nodes({"home": None, "away": "catching_up"}, at(1))
    assert isinstance(down, notice.NodeDown)
    assert (down.node, down.reason, down.at_us) == ("away", "catching up", START_US)
    assert herald.nodes({"home": None, "away": "unreachable"}, at(5)) == []
    [back] = herald.nodes({"home": None, "away": None}, at(6))
    assert isinstance(back, notice.NodeBack)
    assert (back.node, back.down_us, back.at_us) == ("away", START_US, at(6))


def test_a_node_that_was_down_for_a_moment_is_told_to_nobody() -> None:
    herald = Herald()
    herald.nodes({"home": "unreachable"}, at(0))
    assert herald.nodes({"home": None}, at(0.5)) == []
    assert herald.nodes({"home": "unreachable"}, at(1)) == []


def test_the_next_process_tells_nothing_twice_and_knows_what_is_over() -> None:
    herald, incidents = Herald(), update((), faults(10), CENSUS, at(0.1))
    herald.incidents(incidents, at(0.1))
    assert herald.incidents(incidents, at(1.1))
    herald.nodes({"away": "unreachable"}, at(0))
    herald.nodes({"away": "unreachable"}, at(1))
    memory = msgspec.msgpack.decode(msgspec.msgpack.encode(herald.export()), type=HeraldMemory)
    later = Herald(memory)
    assert later.incidents(incidents, at(2)) == []
    assert later.nodes({"away": "unreachable"}, at(2)) == []
    incidents = update(incidents, [], CENSUS, at(3))
    later.incidents(incidents, at(3))
    assert [type(one) for one in later.incidents((), at(9))] == [notice.IncidentOver]
    assert [type(one) for one in later.nodes({"away": None}, at(9))] == [notice.NodeBack]
