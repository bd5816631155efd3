"""The farm in lines: sums, groups and machines, the worst first."""

import pytest

from pool.farm.pauses import Pause
from pool.farm.summary import farm_sums, group_lines, machine_lines
from tests.pool.farm.shop_floor import ALICE, RATE, US, ShopFloor, keys, listing

LISTED = [
    *(listing(f"m-{number}", "hall/row-1", watts=3_000.0) for number in range(1, 5)),
    *(listing(f"n-{number}", "hall/row-2") for number in range(1, 5)),
]
NAMES = [one.name for one in LISTED]


@pytest.fixture
def shop() -> ShopFloor:
    made = ShopFloor(LISTED)
    made.join(keys(NAMES))
    made.run(400)
    return made


def test_sums_of_machines_that_run_are_silent_and_are_paused(shop: ShopFloor) -> None:
    shop.hang(keys(["m-1"]))
    shop.pause("hall/row-2")
    shop.run(400)
    sums = farm_sums(shop.floor.glances())
    assert sums.states == {"paused": 4, "silent": 1, "rejecting": 0, "low": 0, "new": 0, "ok": 3}
    # eight machines of 1 TH/s: four are paused; of the other four one is silent
    assert (sums.nameplate, sums.paused) == (4 * RATE, 4 * RATE)
    assert sums.running == pytest.approx(3 * RATE, rel=0.02)
    assert (sums.nameplate_watts, sums.running_watts) == (12_000, 9_000)
    assert (sums.unlisted_nameplate, sums.unlisted_running) == (0, 0)


def test_what_stands_still_only_for_the_price_is_summed_apart(shop: ShopFloor) -> None:
    """The whole farm for the price, and the second row by hand too."""
    since_us = round(shop.now * US)
    shop.pauses = [Pause("all", since_us, None, by="price"), Pause("hall/row-2", since_us)]
    shop.run(1)
    sums = farm_sums(shop.floor.glances())
    assert (sums.nameplate, sums.paused, sums.for_price) == (0, 8 * RATE, 4 * RATE)
    assert (sums.for_price_watts, sums.unlisted_for_price) == (12_000, 0)


def test_until_a_machine_is_back_from_a_pause_for_the_price_it_stands_still_for_it(shop: ShopFloor) -> None:
    since_us = round(shop.now * US)
    shop.pauses = [Pause("all", since_us, since_us + 60 * US, by="price")]
    shop.hang(keys(["m-1", "n-1"]))
    shop.run(400)
    sums = farm_sums(shop.floor.glances())
    assert (sums.states["ok"], sums.states["paused"]) == (6, 2)
    assert (sums.for_price, sums.for_price_watts, sums.unlisted_for_price) == (2 * RATE, 3_000, RATE)


def test_sums_of_one_group_leave_the_others_out(shop: ShopFloor) -> None:
    assert farm_sums(shop.floor.glances(), "hall/row-1").states["ok"] == 4
    assert farm_sums(shop.floor.glances(), "hall").states["ok"] == 8
    assert farm_sums(shop.floor.glances(), "hall/row").states["ok"] == 0


def test_groups_within_groups_are_lines_and_the_one_that_misses_most_is_first(shop: ShopFloor) -> None:
    shop.hang(keys(["n-1", "n-2"]))
    shop.run(400)
    lines = group_lines(shop.floor.glances())
    found = {one.group: one for one in lines}
    assert {name: (one.machines, one.faulty) for name, one in found.items()} == {
        "hall": (8, 2),
        "hall/row-2": (4, 2),
        "hall/row-1": (4, 0),
    }
    assert lines[-1].group == "hall/row-1"
    assert found["hall"].expected == 8 * RATE
    assert found["hall"].measured == pytest.approx(6 * RATE, rel=0.02)
    assert found["hall/row-2"].missing == pytest.approx(2 * RATE, rel=0.03)


def test_a_machine_of_which_everything_is_refused_counts_in_its_groups_refused_part() -> None:
    """Two machines, one credited and one refused share each in ten seconds: half of all work."""
    shop = ShopFloor([listing("m-1"), listing("m-2")])
    shop.join(keys(["m-1"]))
    for _ in range(60):
        shop.run(10)
        shop.refuse((ALICE, "m-2"), 1)
    [hall, row] = group_lines(shop.floor.glances())
    assert hall.refused == row.refused == pytest.approx(0.5, abs=0.01)
    assert farm_sums(shop.floor.glances()).refused == pytest.approx(0.5, abs=0.01)


def test_machines_are_lines_the_worst_first(shop: ShopFloor) -> None:
    shop.hang(keys(["n-3"]))
    shop.pause("hall/row-1")
    shop.run(400)
    lines = machine_lines(shop.floor, shop.floor.glances(), lambda work: work / 2**32)
    assert [(one.name, one.state) for one in lines[:2]] == [("n-3", "silent"), ("m-1", "paused")]
    assert lines[0].missing == RATE
    assert lines[0].last_share_us == lines[0].state_since_us
    assert lines[1].missing == 0, "nobody expects anything of it"
    row = machine_lines(shop.floor, shop.floor.glances(), float, "hall/row-2")
    assert [one.name for one in row] == ["n-3", "n-1", "n-2", "n-4"]


def test_while_all_are_paused_their_refused_part_is_what_it_was_before() -> None:
    """Of every two shares of m-1 one is refused, of n-1's none. They should do the same, so that a quarter
    of all is. A week later that is still known, whatever was handed in meanwhile."""
    shop = ShopFloor([listing("m-1", "hall/row-1"), listing("n-1", "hall/row-2")])
    shop.join(keys(["m-1", "n-1"]))
    for _ in range(60):
        shop.run(10)
        shop.refuse((ALICE, "m-1"), 1)
    shop.pause("hall/row-1")
    shop.hang(keys(["m-1"]))
    shop.run(1)
    assert farm_sums(shop.floor.glances()).refused == 0, "who runs is what counts"
    shop.run(3_600)
    shop.pause("hall")
    shop.hang(keys(["n-1"]))
    shop.wait(1)
    assert farm_sums(shop.floor.glances()).refused == pytest.approx(1 / 4, abs=0.01)
    shop.wait(7 * 86_400)
    shop.refuse((ALICE, "n-1"), 1)
    shop.wait(60)
    for one in (shop, shop.after_restart()):
        assert farm_sums(one.floor.glances()).refused == pytest.approx(1 / 4, abs=0.01)
        assert farm_sums(one.floor.glances(), "hall/row-1").refused == pytest.approx(0.5, abs=0.01)


def test_of_some_lines_those_of_the_worst_are_made(shop: ShopFloor) -> None:
    shop.hang(keys(["n-3"]))
    shop.run(400)
    shop.hang(keys(["n-1"]))  # silent later than n-3, with the same loss: the names decide
    shop.pause("hall/row-1")
    shop.run(400)
    glances = shop.floor.glances()
    everything = machine_lines(shop.floor, glances, float)
    assert [one.name for one in everything[:3]] == ["n-1", "n-3", "m-1"]
    assert machine_lines(shop.floor, glances, float, None, 3) == everything[:3]
    assert [one.name for one in machine_lines(shop.floor, glances, float, "hall/row-1", 1)] == ["m-1"]


def test_a_machine_that_is_connected_and_never_delivers_is_silent_and_was_seen() -> None:
    shop = ShopFloor([listing("m-1"), listing("m-2")])
    shop.join(keys(["m-1"]))
    shop.hang(keys(["m-1"]))
    shop.run(400)
    found = {one.name: one for one in machine_lines(shop.floor, shop.floor.glances(), float)}
    assert [one.state for one in found.values()] == ["silent", "silent"]
    assert (found["m-1"].is_never_seen, found["m-2"].is_never_seen) == (False, True)


def test_a_farm_without_machines_has_sums_of_nothing() -> None:
    floor = ShopFloor().floor
    assert sum(farm_sums(floor.glances()).states.values()) == 0
    assert farm_sums(floor.glances()).refused == 0
    assert group_lines(floor.glances()) == machine_lines(floor, floor.glances(), float) == []
