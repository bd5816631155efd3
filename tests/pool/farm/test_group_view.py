"""A group as a report shows it: states, faults, refusals, shares, uptime and firmware of its machines."""

import pytest

from pool.farm.group_view import GroupView, group_views
from pool.farm.observation import Observation
from pool.farm.summary import group_lines
from tests.pool.farm.shop_floor import ALICE, START, US, ShopFloor, keys, listing

ROWS = {"m": "hall/row-1", "n": "hall/row-2"}
LISTED = [listing(f"{row}-{number}", group) for row, group in ROWS.items() for number in range(1, 5)]


@pytest.fixture
def shop() -> ShopFloor:
    """Two rows of four machines, 400 seconds after they have come."""
    made = ShopFloor(LISTED)
    made.join(keys([one.name for one in LISTED]))
    made.run(400)
    return made


def viewed(shop: ShopFloor, group: str | None = None) -> dict[str, GroupView]:
    return {one.group: one for one in group_views(shop.floor, shop.floor.glances(), halved, group)}


def halved(work: float) -> float:
    return work / 2


def test_a_view_has_what_the_line_of_the_group_has_in_the_same_order(shop: ShopFloor) -> None:
    shop.hang(keys(["n-1"]))
    shop.run(400)
    lines = group_lines(shop.floor.glances())
    views = group_views(shop.floor, shop.floor.glances(), halved)
    names = lines[0].__struct_fields__
    assert [[getattr(one, name) for name in names] for one in views] == [
        [getattr(one, name) for name in names] for one in lines
    ]


def test_a_group_is_as_bad_as_it_is_since_its_oldest_fault(shop: ShopFloor) -> None:
    shop.hang(keys(["n-1"]))
    shop.run(100)
    shop.hang(keys(["n-2"]))
    shop.pause("hall/row-1")
    shop.run(400)
    found = viewed(shop)
    states = {"paused": 0, "silent": 0, "rejecting": 0, "low": 0, "new": 0, "ok": 0}
    assert found["hall"].states == states | {"silent": 2, "ok": 2, "paused": 4}
    assert found["hall/row-1"].states == states | {"paused": 4}
    # the last share of n-1 came at 400 s, the others deliver until 900 s
    for group in ("hall", "hall/row-2"):
        assert found[group].faulty_since_us == (START + 400) * US
        assert found[group].last_share_us == (START + 900) * US
    assert found["hall/row-1"].faulty_since_us is None, "a pause is no fault"


def test_the_refused_part_of_a_group_is_told_by_reason_the_largest_first() -> None:
    """Every ten seconds one share is credited, one is stale and two are of low difficulty: four in all."""
    shop = ShopFloor([listing("m-1"), listing("m-2"), listing("m-3")])
    shop.join(keys(["m-1"]))
    for _ in range(60):
        shop.run(10)
        shop.refuse((ALICE, "m-2"), 1, "stale")
        shop.refuse((ALICE, "m-3"), 2, "low_difficulty")
    for view in group_views(shop.floor, shop.floor.glances(), halved):
        assert list(view.refused_by_reason) == ["low_difficulty", "stale"]
        assert view.refused_by_reason["low_difficulty"] == pytest.approx(0.5, abs=0.01)
        assert view.refused_by_reason["stale"] == pytest.approx(0.25, abs=0.01)
        assert sum(view.refused_by_reason.values()) == pytest.approx(view.refused)


def test_a_groups_best_share_is_that_of_its_best_machine(shop: ShopFloor) -> None:
    seen = Observation(shop.now)
    seen.bests = [((ALICE, "m-1"), 6e15), ((ALICE, "m-2"), 2e15), ((ALICE, "n-1"), 4e15)]
    shop.floor.observe("gateway-0", seen)
    found = viewed(shop)
    assert {path: one.best_difficulty for path, one in found.items()} == {
        "hall": 3e15,
        "hall/row-1": 3e15,
        "hall/row-2": 2e15,
    }


def test_a_groups_uptime_is_the_mean_of_its_machines(shop: ShopFloor) -> None:
    shop.hang(keys(["n-1", "n-2"]))
    shop.run(400)
    at = shop.floor.time
    [one, two] = [shop.member(name).uptime(at) for name in ("n-1", "n-2")]
    assert one is not None
    assert two is not None
    assert one < 0.8
    found = viewed(shop)
    assert found["hall/row-1"].uptime == 1.0
    assert found["hall/row-2"].uptime == pytest.approx((one + two + 1 + 1) / 4)
    assert found["hall"].uptime == pytest.approx((one + two + 6) / 8)


def test_a_groups_firmware_is_counted_by_family_the_most_common_first() -> None:
    shop = ShopFloor(LISTED)
    seen = Observation(shop.now)
    agents = {"m-1": "bosminer-plus-tuner 0.2", "m-2": "cgminer/4.11.1", "m-3": "cgminer/4.12"}
    seen.joined = [((ALICE, name), agent) for name, agent in agents.items()]
    shop.floor.observe("gateway-0", seen)
    shop.run(1)
    found = viewed(shop)
    assert list(found["hall"].firmware.items()) == [("cgminer", 2), ("braiins", 1)]
    assert found["hall/row-2"].firmware == {}, "nobody has come to say"


def test_a_row_of_which_nothing_was_heard_has_no_share_of_any_kind() -> None:
    shop = ShopFloor(LISTED)
    shop.join(keys(["m-1"]))
    shop.run(400)
    row = viewed(shop)["hall/row-2"]
    assert (row.states["silent"], row.refused_by_reason) == (4, {})
    assert (row.best_difficulty, row.last_share_us) == (0, None)
    assert viewed(shop)["hall"].last_share_us == (START + 400) * US


def test_views_of_one_group_are_of_what_is_inside(shop: ShopFloor) -> None:
    everything = viewed(shop)
    assert viewed(shop, "hall/row-1") == {"hall/row-1": everything["hall/row-1"]}
    assert viewed(shop, "hall") == viewed(shop, "all") == everything
    assert viewed(shop, "hall/row") == {}
