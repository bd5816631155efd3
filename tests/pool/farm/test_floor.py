"""The floor: who is a machine, which time counts, pauses and their end, and what a later process knows."""

import msgspec
import pytest

from pool.farm.floor import FloorMemory
from pool.farm.incident_line import incident_line
from pool.farm.observation import Observation
from tests.pool.farm.shop_floor import ALICE, BOB, START, US, ShopFloor, keys, listing

NAMES = [f"m-{number}" for number in range(1, 11)]
LISTED = [listing(name) for name in NAMES]
DAY = 86_400


@pytest.fixture
def shop() -> ShopFloor:
    """Ten listed machines that hash, all of them well."""
    made = ShopFloor(LISTED)
    made.join(keys(NAMES))
    made.run(400)
    assert made.states() == {"ok": 10}
    return made


# ---------------------------------------------------------------------- which time counts


def test_while_there_is_no_gateway_nobody_is_silent(shop: ShopFloor) -> None:
    shop.is_working = shop.has_frames = False
    shop.run(3_600)
    assert shop.states() == {"ok": 10}
    assert shop.floor.time == START + 400
    shop.is_working = shop.has_frames = True
    shop.run(30)
    assert shop.states() == {"ok": 10}
    assert shop.member("m-1").uptime(shop.floor.time) == 1.0


def test_work_that_comes_while_no_node_gives_any_inflates_no_hashrate(shop: ShopFloor) -> None:
    """Miners go on with the last job that they have."""
    before = shop.floor.rate_of((ALICE, "m-1"))
    shop.is_working = False
    shop.run(600)
    # 60 shares would come into a window that stands still, as many as it holds when it is full
    assert shop.floor.rate_of((ALICE, "m-1")) == pytest.approx(before, rel=0.01)
    shop.is_working = True
    shop.run(20)
    assert shop.states() == {"ok": 10}


def test_the_first_share_after_a_standstill_counts(shop: ShopFloor) -> None:
    """Frames of a gateway that has just come are read before anybody says that it works."""
    shop.is_working = shop.has_frames = False
    shop.run(100)
    before = shop.member("m-1").watch.glance(shop.floor.time).last_share_at
    shop.is_working = True
    for _ in range(10):
        shop.now += 1
        shop.frames()
    assert shop.member("m-1").watch.glance(shop.floor.time).last_share_at != before


def test_an_hour_without_a_node_that_is_read_at_once_is_no_time(shop: ShopFloor) -> None:
    shop.is_working = False
    for _ in range(3_600):
        shop.now += 1
        shop.frames()
    shop.is_working = True
    shop.run(30)
    assert shop.states() == {"ok": 10}
    assert shop.floor.time == START + 400 + 29, "the first second with work is the end of the hole"


def test_an_hour_of_frames_that_is_read_at_once_is_an_hour(shop: ShopFloor) -> None:
    """The process that reads was away, the gateway was not; and now the gateway is gone."""
    for _ in range(3_600):
        shop.now += 1
        shop.frames()
    shop.is_working = shop.has_frames = False
    shop.now += 5
    shop.advance()
    assert shop.floor.time == START + 400 + 3_600, "the five seconds after the last frame are nobody's"
    assert shop.states() == {"ok": 10}


def test_a_gateway_that_was_away_for_an_hour_finds_its_machines_well(shop: ShopFloor) -> None:
    """As after a restart of everything: the first look finds the new process's frames already."""
    later = shop.after_restart()
    later.now += 3_600
    later.running = {}
    later.floor.gateway_ended("gateway-0", later.now)
    later.join(keys(NAMES[:5]))
    later.run(60)
    later.join(keys(NAMES[5:]))  # firmware tries again at growing intervals
    later.run(60)
    assert later.states() == {"ok": 10}


def test_a_gateways_end_is_no_fault_of_its_machines_until_they_had_time_to_be_back(shop: ShopFloor) -> None:
    shop.running = {}
    shop.floor.gateway_ended("gateway-0", shop.now)
    shop.run(290)
    assert shop.states() == {"ok": 10}
    shop.join(keys(NAMES[:9]))
    shop.run(30)
    assert shop.states() == {"ok": 9, "silent": 1}


def test_only_the_connections_of_the_gateway_that_ended_are_gone() -> None:
    shop = ShopFloor(LISTED)
    shop.join(keys(NAMES[:5]), "gateway-0")
    shop.join(keys(NAMES[5:]), "gateway-1")
    shop.run(100)
    shop.floor.gateway_ended("gateway-1", shop.now)
    connected = [member.worker for member in shop.floor.members.values() if member.is_connected]
    assert connected == NAMES[:5]


def test_times_are_told_as_people_know_them_though_an_hour_of_frames_is_missing(shop: ShopFloor) -> None:
    """After a gap the board's time is an hour behind: a machine that is silent now was not an hour ago."""
    for second in range(1, 301):
        shop.floor.observe("gateway-0", Observation(shop.now + second))
        unix_us = round((shop.now + second + 3_600) * US)
        shop.floor.advance(shop.now + second, unix_us, (), is_working=True, missing_seconds=3_600)
    assert shop.states() == {"silent": 10}
    since = {fault.since_us for fault in shop.floor.faults()}
    assert since == {round((START + 400 + 3_600) * US)}, "the last share came at 400 s"


# ---------------------------------------------------------------------- who is a machine


def test_a_listed_machine_that_never_came_is_silent_after_five_minutes_and_well_with_its_first_shares() -> (
    None
):
    shop = ShopFloor(LISTED)
    shop.join(keys(NAMES[1:]))
    shop.run(290)
    assert shop.state("m-1", "") == "new"
    shop.run(20)
    assert shop.state("m-1", "") == "silent"
    assert [fault.name for fault in shop.floor.faults()] == ["m-1"]
    shop.join(keys(["m-1"]))
    shop.run(30)
    assert shop.state("m-1") == "ok"
    assert ("", "m-1") not in shop.floor.members
    assert len(shop.floor.members) == 10


def test_a_machine_listed_by_its_address_without_a_group_stands_where_its_name_says_when_it_comes() -> None:
    shop = ShopFloor([listing(f"{ALICE}.a-3-7", group="")])
    assert shop.member(f"{ALICE}.a-3-7", "").place.group == "ungrouped"
    shop.join(keys(["a-3-7"]))
    assert shop.member("a-3-7").place.group == "a/rack-3"
    assert shop.member("a-3-7").listing is not None


def test_a_machine_whose_connecting_was_never_read_is_known_by_its_work() -> None:
    """As where the memory of the process before is lost: the spool's newest segment says nothing of who
    connected before it."""
    shop = ShopFloor(LISTED)
    shop.running = dict.fromkeys(keys(NAMES), "gateway-0")
    shop.run(900)
    assert shop.states() == {"ok": 10}


def test_machines_that_change_their_address_are_the_same_ones_a_minute_later(shop: ShopFloor) -> None:
    shop.leave(keys(NAMES))
    shop.join(keys(NAMES, BOB))
    shop.run(70)
    assert set(shop.floor.members) == set(keys(NAMES, BOB))
    assert shop.states() == {"ok": 10}
    assert all(member.listing is not None for member in shop.floor.members.values())


def test_of_two_machines_of_one_listed_name_the_second_is_not_the_listed_one(shop: ShopFloor) -> None:
    shop.join(keys(["m-1"], BOB))
    shop.run(300)
    assert shop.member("m-1").listing is not None
    assert shop.member("m-1", BOB).listing is None
    assert shop.member("m-1", BOB).place == shop.member("m-1").place


def test_who_borrows_listed_names_under_many_addresses_is_bounded_and_forgotten() -> None:
    shop = ShopFloor(LISTED, most_machines=50)
    shop.join(keys(NAMES))
    shop.run(20)
    for number in range(200):
        shop.join(keys(["m-1"], f"stranger-{number}"))
    assert len(shop.floor.members) == 10 + 50
    assert shop.floor.turned_away == 150
    strangers = [key for key in shop.running if key[0].startswith("stranger")]
    shop.hang(strangers)
    for key in strangers:
        seen = Observation(shop.now)
        seen.left.append(key)
        shop.floor.observe("gateway-0", seen)
    shop.run(70)
    assert set(shop.floor.members) == set(keys(NAMES))


def test_who_finds_no_room_is_counted_once_however_much_it_hands_in_and_for_ten_minutes() -> None:
    shop = ShopFloor(most_machines=1)
    shop.join(keys(["one", "two", "three"]))
    shop.run(300)
    assert shop.floor.turned_away == 2
    shop.hang(keys(["two", "three"]))
    shop.run(610)
    assert shop.floor.turned_away == 0


def test_invented_names_are_forgotten_a_minute_after_they_are_gone_while_real_ones_stay() -> None:
    shop = ShopFloor(own_accounts=frozenset({BOB}))
    shop.join(keys(["a-1-1"]))
    shop.run(3_600)
    for churn in range(5):
        invented = keys([f"x{churn}-{number}" for number in range(100)])
        shop.join(invented)
        shop.run(10)
        shop.leave(invented)
        shop.run(10)
    assert len(shop.floor.members) <= 1 + 100 * 4
    shop.leave(keys(["a-1-1"]))
    shop.run(70)
    assert set(shop.floor.members) == set(keys(["a-1-1"]))
    shop.run(3_000)
    assert shop.state("a-1-1") == "silent"
    shop.run(1_000)
    assert not shop.floor.members, "gone for longer than the 3,700 s that it was here"


RACK = keys([f"a-1-{number}" for number in range(1, 5)])


def over(shop: ShopFloor) -> str:
    """The line of the one incident, which is over."""
    [incident] = shop.floor.incidents
    assert incident.well_since_us is not None
    return incident_line(incident, incident.well_since_us).partition(" since ")[0]


def dead(shop: ShopFloor, here_seconds: int) -> ShopFloor:
    """A rack that has just lost its power, after so long."""
    shop.join(RACK)
    shop.run(here_seconds)
    shop.leave(RACK)
    shop.run(30)
    assert shop.states() == {"silent": 4}
    return shop


def test_a_dead_rack_is_kept_for_a_week_and_then_told_forgotten_and_not_well() -> None:
    shop = dead(ShopFloor(), 3_700)
    for _ in range(7):
        shop.wait(DAY - 10)
        assert shop.states() == {"silent": 4}
        assert [len(one.faults) for one in shop.floor.incidents] == [4]
    shop.wait(70)
    assert not shop.floor.members
    assert over(shop) == "the whole farm: 4 forgotten"


def test_a_rack_that_was_new_when_it_died_is_told_forgotten_when_it_is() -> None:
    shop = dead(ShopFloor(), 600)
    shop.wait(600)
    assert not shop.floor.members
    assert over(shop) == "the whole farm: 4 forgotten"


def test_a_silent_rack_that_is_paused_is_told_paused_and_not_well() -> None:
    shop = dead(ShopFloor(), 3_700)
    shop.pause("all")
    shop.run(5)
    assert over(shop) == "the whole farm: 4 paused"


def test_a_rack_of_which_two_are_repaired_and_two_are_paused_is_told_so() -> None:
    shop = dead(ShopFloor(), 3_700)
    shop.join(RACK[:2])
    shop.run(20)
    shop.pause("all")
    shop.run(5)
    assert over(shop) == "the whole farm: 2 paused, others well again"


def test_a_rack_that_is_paused_and_then_forgotten_is_told_forgotten() -> None:
    shop = dead(ShopFloor(), 3_700)
    shop.pause("all")
    shop.run(5)
    shop.floor.forget([shop.member(f"a-1-{place}") for place in range(1, 5)])
    shop.run(10)
    assert over(shop) == "the whole farm: 4 forgotten"


def test_a_rack_that_is_paused_and_forgotten_just_before_a_restart_is_told_forgotten() -> None:
    shop = dead(ShopFloor(), 3_700)
    shop.pause("all")
    shop.run(5)
    shop.floor.forget([shop.member(f"a-1-{place}") for place in range(1, 5)])
    later = ShopFloor(memory=shop.floor.export(), now=shop.now)
    later.run(5)
    assert over(later) == "the whole farm: 4 forgotten"


def test_a_list_that_cannot_be_used_strikes_off_nobody() -> None:
    """Then there is none."""
    shop = ShopFloor([listing("m-1"), listing("m-2")])
    shop.join(keys(["m-1", "m-2"]))
    shop.run(4_000)
    shop.leave(keys(["m-1"]))
    shop.run(400)
    later = ShopFloor([], memory=shop.floor.export(), now=shop.now)
    later.run(5)
    assert later.state("m-1") == "silent"
    mended = ShopFloor([listing("m-1"), listing("m-2")], memory=later.floor.export(), now=later.now)
    assert mended.state("m-1") == "silent"
    assert mended.member("m-1").listing is not None


def test_a_silent_machine_that_was_taken_out_of_the_list_is_forgotten_one_that_works_is_not() -> None:
    shop = ShopFloor([listing("m-1"), listing("m-2"), listing("m-3")])
    shop.join(keys(["m-1", "m-2", "m-3"]))
    shop.run(4_000)
    shop.leave(keys(["m-1"]))
    shop.run(400)
    assert shop.states() == {"silent": 1, "ok": 2}
    later = ShopFloor([listing("m-3")], memory=shop.floor.export(), now=shop.now)
    assert set(later.floor.members) == {(ALICE, "m-2"), (ALICE, "m-3")}
    later.run(5)
    assert over(later) == "machine m-1: forgotten"


def test_what_is_no_more_the_farms_after_a_restart_is_told_forgotten() -> None:
    shop = dead(ShopFloor(), 3_700)
    later = ShopFloor(memory=shop.floor.export(), now=shop.now, accounts=[BOB])
    later.run(5)
    assert over(later) == "the whole farm: 4 forgotten"


def test_machines_that_are_gone_for_good_are_no_fault_any_more_and_new_if_they_come_again() -> None:
    shop = dead(ShopFloor(), 3_700)
    shop.floor.forget([shop.member("a-1-1"), shop.member("a-1-2")])
    shop.run(5)
    assert shop.states() == {"silent": 2}
    shop.floor.forget([shop.member("a-1-3"), shop.member("a-1-4")])
    shop.run(5)
    assert over(shop) == "the whole farm: 4 forgotten"
    assert not ShopFloor(memory=shop.floor.export(), now=shop.now).floor.members
    shop.join(RACK[:1])
    assert shop.states() == {"new": 1}


def test_machines_are_found_by_their_names_and_by_their_accounts() -> None:
    shop = ShopFloor()
    shop.join([*keys(["rig", ""]), *keys(["rig"], BOB)])
    rigs, nameless = [shop.member("rig"), shop.member("rig", BOB)], [shop.member("")]
    assert shop.floor.named(["rig", "bob.rig", "alice.", "alice…alice", "alice", "bob"]) == {
        "rig": rigs,
        "bob.rig": rigs[1:],
        "alice.": nameless,
        "alice…alice": nameless,
        "alice": nameless,
        "bob": [],
    }


def test_a_stranger_who_calls_his_machine_as_the_whole_name_of_another_hides_none() -> None:
    shop = ShopFloor()
    shop.join([*keys(["rig"]), *keys(["alice.rig"], BOB)])
    assert shop.floor.named(["alice.rig", "bob.alice.rig"]) == {
        "alice.rig": [shop.member("rig")],
        "bob.alice.rig": [shop.member("alice.rig", BOB)],
    }


def test_a_machine_is_here_while_it_is_connected_and_delivers() -> None:
    """One is connected for ever and has stopped: it was sold, and its proxy is still here. Of two that are
    paused, one goes on."""
    shop = ShopFloor()
    shop.join(keys(["well", "gone", "sold"]))
    shop.run(60)
    assert {one.worker: shop.floor.is_here(one) for one in shop.floor.members.values()} == {
        "well": True,
        "gone": True,
        "sold": True,
    }
    shop.leave(keys(["gone"]))
    shop.hang(keys(["sold"]))
    shop.run(1_200)
    assert shop.states() == {"ok": 1, "silent": 1}, "who was here for a minute is forgotten by itself"
    assert [shop.floor.is_here(shop.member(name)) for name in ("well", "sold")] == [True, False]
    shop.pause("all")
    shop.run(60)
    assert shop.states() == {"paused": 2}
    assert [shop.floor.is_here(shop.member(name)) for name in ("well", "sold")] == [True, False]
    shop.hang(keys(["well"]))
    shop.run(61)
    assert not shop.floor.is_here(shop.member("well"))


def test_dead_machines_keep_nobody_out_for_a_week() -> None:
    shop = dead(ShopFloor(most_machines=4), 3_700)
    shop.wait(3_700)
    assert not shop.floor.members, "of four places nine tenths are three"


def test_only_the_farms_accounts_have_machines() -> None:
    shop = ShopFloor(accounts=[ALICE])
    shop.join(keys(["a-1-1"], BOB))
    shop.run(20)
    assert not shop.floor.members
    assert shop.floor.group_of((BOB, "a-1-1")) is None


# ---------------------------------------------------------------------- pauses


def test_a_group_is_paused_resumed_and_back_without_an_alarm(shop: ShopFloor) -> None:
    shop.pause("hall")
    shop.run(10)
    assert shop.states() == {"paused": 10}
    shop.leave(keys(NAMES))
    shop.run(3_600)
    shop.resume()
    shop.run(10)
    assert shop.states() == {"paused": 10}, "they have a quarter of an hour to come back"
    shop.join(keys(NAMES[:9]))
    shop.run(30)
    assert shop.states() == {"ok": 9, "paused": 1}
    assert not list(shop.floor.faults())
    shop.run(14 * 60 + 30)
    assert not list(shop.floor.faults()), "then it is expected as one that starts"
    shop.run(301)
    assert shop.state("m-10") == "silent"
    # 400 s before the pause, ten at most until it was seen, and what followed the last of it
    assert shop.member("m-1").uptime(shop.floor.time) == 1.0


def test_a_machine_that_comes_for_the_first_time_after_a_pause_is_not_paused_for_good() -> None:
    shop = ShopFloor(LISTED)
    shop.pause("hall")
    shop.run(10)
    shop.resume()
    shop.run(10)
    assert shop.state("m-1", "") == "paused"
    shop.join(keys(["m-1"]))
    shop.run(30)
    assert shop.state("m-1") == "ok"


def test_what_is_paused_is_not_forgotten_over_a_weekend() -> None:
    shop = ShopFloor()
    shop.join(keys(["a-1-1"]))
    shop.run(3_700)
    shop.pause("all")
    shop.run(10)
    shop.leave(keys(["a-1-1"]))
    shop.wait(2 * DAY)
    assert shop.state("a-1-1") == "paused"


# ---------------------------------------------------------------------- uptime


def test_a_machine_that_never_came_was_up_for_no_part_of_its_time() -> None:
    shop = ShopFloor(LISTED[:1])
    for state in ("new", "silent"):
        shop.run(200)
        assert (shop.state("m-1", ""), shop.member("m-1", "").uptime(shop.floor.time)) == (state, None)


def test_an_outage_counts_from_its_beginning_though_it_is_read_only_when_it_is_over(shop: ShopFloor) -> None:
    shop.hang(keys(["m-1"]))
    for second in range(1, 601):
        shop.floor.observe("gateway-0", Observation(shop.now + second))
    shop.now += 600
    shop.running[ALICE, "m-1"] = "gateway-0"
    shop.frames()
    shop.advance()
    assert shop.state("m-1") == "ok"
    assert shop.member("m-1").uptime(shop.floor.time) == pytest.approx(0.4), "600 s of 1,000"


def test_asking_for_the_uptime_changes_nothing(shop: ShopFloor) -> None:
    shop.hang(keys(["m-1"]))
    shop.run(300)
    before = shop.floor.export()
    shop.member("m-1").uptime(shop.floor.time + 1_000)
    assert shop.floor.export() == before


# ---------------------------------------------------------------------- the next process


def as_kept(memory: FloorMemory) -> FloorMemory:
    """Through the file's format."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(memory), type=FloorMemory)


def test_what_is_remembered_survives_the_files_format(shop: ShopFloor) -> None:
    shop.hang(keys(["m-1"]))
    shop.run(300)
    assert shop.floor.incidents
    memory = shop.floor.export()
    assert as_kept(memory) == memory


def test_states_connections_uptime_and_incidents_go_on_in_the_next_process(shop: ShopFloor) -> None:
    shop.hang(keys(["m-1"]))
    shop.run(600)
    [incident] = shop.floor.incidents
    uptime = shop.member("m-1").uptime(shop.floor.time)
    assert uptime == pytest.approx(0.4), "of 1,000 s it was silent for the last 600"
    later = shop.after_restart()
    later.run(5)
    assert later.states() == {"ok": 9, "silent": 1}
    assert later.member("m-2").connections == {"gateway-0": 1}
    assert [(one.id, one.begun_us) for one in later.floor.incidents] == [(incident.id, incident.begun_us)]
    assert later.member("m-1").uptime(later.floor.time) == pytest.approx(uptime, abs=0.01)
    later.run(600)
    assert later.states() == {"ok": 9, "silent": 1}


def test_one_that_never_came_is_still_silent_in_the_next_process_and_not_for_the_first_time() -> None:
    shop = ShopFloor(LISTED)
    shop.join(keys(NAMES[1:]))
    shop.run(400)
    later = shop.after_restart()
    later.run(1)
    assert later.state("m-1", "") == "silent"
    assert [one.id for one in later.floor.incidents] == [one.id for one in shop.floor.incidents]


def test_machines_on_their_way_back_from_a_pause_have_their_time_in_the_next_process_too(
    shop: ShopFloor,
) -> None:
    shop.pause("hall")
    shop.run(10)
    shop.leave(keys(NAMES))
    shop.run(600)
    shop.resume()
    shop.run(10)
    later = shop.after_restart()
    later.run(800)
    assert later.states() == {"paused": 10}


def test_a_machine_that_is_listed_no_more_is_one_of_the_others_then(shop: ShopFloor) -> None:
    later = ShopFloor(LISTED[1:], memory=shop.floor.export(), now=shop.now)
    assert later.member("m-1").listing is None
    assert len(later.floor.members) == 10


def test_machines_of_an_account_that_is_the_farms_no_more_are_not_remembered(shop: ShopFloor) -> None:
    later = ShopFloor(memory=shop.floor.export(), now=shop.now, accounts=[BOB])
    assert not later.floor.members


def test_on_a_pool_for_others_only_the_operators_machines_are_incidents() -> None:
    """A stranger who leaves is silent, which is shown, and nobody is called for it."""
    made = ShopFloor(own_accounts=frozenset({ALICE}))
    mine, strangers = (ALICE, "rig"), (BOB, "rig")
    made.join([mine, strangers])
    made.run(400)
    made.leave([mine, strangers])
    made.run(120)
    assert made.states() == {"silent": 2}
    assert [fault.machine for fault in made.floor.faults()] == [f"{ALICE}.rig"]


def test_a_machine_that_found_no_group_for_strangers_names_has_its_own_when_they_are_gone() -> None:
    shop = ShopFloor(most_groups=3)
    strangers = keys(["z-1-1", "z-2-1", "z-3-1"], BOB)
    shop.join(strangers)
    shop.join(keys(["a-7-1"]))
    assert shop.member("a-7-1").place.group == "ungrouped"
    shop.run(30)
    shop.leave(strangers)
    shop.run(100)
    assert shop.member("a-7-1").place.group == "a/rack-7"
