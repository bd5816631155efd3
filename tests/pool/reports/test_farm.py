"""`engineroom farm` as it is read: the headline, the tables, the worst first, and no more than is known."""

import io
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from rich.console import Console

from config.power_schema import PowerSettings, TariffSettings
from pool.commands.farm_view import print_farm
from pool.farm.economics import Network
from pool.farm.finance import Market, Treasurer
from pool.farm.hashrate import RateWindow
from pool.farm.observation import Observation, TipSeen
from pool.farm.pause_savings import kept_from_running
from pool.farm.pauses import Pause
from pool.farm.stale_losses import BlockChange, StaleLosses
from pool.farm.summary import farm_sums
from pool.reports.farm import MOST_SHOWN, FarmReport, Losses, farm_report, headline, loss_lines
from tests.pool.farm.shop_floor import ALICE, START, US, ShopFloor, keys, listing

RACKS = 4
NAMES = [f"m-{rack}-{position:02}" for rack in range(1, RACKS + 1) for position in range(1, 11)]
NETWORK = Network(work=10**22, subsidy_sats=312_500_000, mean_fees_sats=0.0)
MONEY = PowerSettings(currency="USD", price_per_kwh=0.06, coin_price=1e5, joules_per_terahash=30)


def reported(
    shop: ShopFloor,
    group: str | None = None,
    power: PowerSettings | None = None,
    most: int | None = None,
) -> FarmReport:
    power = PowerSettings() if power is None else power
    market = Market(network=NETWORK, coin_price=power.coin_price)
    window = RateWindow(600, START)
    glances = shop.floor.glances()
    return farm_report(
        shop.floor,
        glances,
        {"10m": window.estimate(shop.now)},
        Treasurer(power).finance(farm_sums(glances), market, shop.now, kept_from_running(glances)),
        float,
        group,
        round(shop.now * US),
        Losses((), None),
        most,
    )


def printed(report: FarmReport, width: int = 80, *, show_all: bool = False) -> list[str]:
    text = io.StringIO()
    console = Console(file=text, width=width, highlight=False, color_system=None)
    print_farm(report, console, show_all=show_all)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def rows(lines: Sequence[str], heading: str) -> list[list[str]]:
    """The cells of the table that has this heading, up to the next empty line."""
    start = next(number for number, line in enumerate(lines) if line.startswith(heading))
    found = []
    for line in lines[start + 1 :]:
        if not line:
            break
        found.append(line.split())
    return found


@pytest.fixture
def shop() -> ShopFloor:
    """Forty machines in four racks: three are silent, and a rack is paused."""
    made = ShopFloor([listing(name, f"hall/rack-{name[2]}") for name in NAMES])
    made.join(keys(NAMES))
    made.run(400)
    made.hang(keys(["m-1-01", "m-2-05", "m-2-06"]))
    made.pause("hall/rack-4")
    made.run(300)
    return made


def test_the_headline_counts_machines_by_state(shop: ShopFloor) -> None:
    said = headline(reported(shop))
    assert said.startswith("40 machines: 27 ok, 10 paused, 3 silent; 27")
    assert said.endswith(" TH/s of 30 TH/s over ten minutes")


def test_the_headline_of_a_group_is_of_the_group(shop: ShopFloor) -> None:
    said = headline(reported(shop, "hall/rack-2"))
    assert said.startswith("hall/rack-2: 10 machines: 8 ok, 2 silent; 8.0")
    assert said.endswith("of 10 TH/s over ten minutes")


def test_without_machines_it_says_so() -> None:
    assert headline(reported(ShopFloor())) == "no machine yet"
    lines = printed(reported(ShopFloor()))
    assert "no machine is at fault" in lines
    assert "incidents: none" in lines
    assert "stale losses: no block change yet" in lines


def test_machines_at_fault_are_listed_and_paused_ones_are_not(shop: ShopFloor) -> None:
    found = rows(printed(reported(shop)), "machine")
    assert [row[0] for row in found] == ["m-1-01", "m-2-05", "m-2-06"]
    # the last share came at 400 s, and 700 s are over
    assert found[0] == ["m-1-01", "hall/rack-1", "silent", "5", "min", "0", "H/s", "1", "TH/s", "0", "%"]
    assert len(rows(printed(reported(shop), show_all=True), "machine")) == 40


def test_a_group_that_misses_nothing_is_last_though_it_is_paused_and_hashes_on(shop: ShopFloor) -> None:
    found = rows(printed(reported(shop)), "group")
    assert [row[0] for row in found][:2] == ["hall", "hall/rack-2"]
    assert found[1][:4] == ["hall/rack-2", "10", "2", "–"]
    paused = next(row for row in found if row[0] == "hall/rack-4")
    assert paused[:4] == ["hall/rack-4", "10", "–", "10"]
    assert paused[6] == "–", "nothing is expected of it"


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_terminal(shop: ShopFloor, width: int) -> None:
    lines = printed(reported(shop), width)
    tables = [line for line in lines if line.startswith(("machine", "group", "m-", "hall"))]
    assert max(map(len, tables)) <= width
    assert any("last share" in line for line in lines) == (width == 120)


def test_a_narrow_terminal_has_whole_names_and_ends_of_paths_rather_than_reasons() -> None:
    made = ShopFloor(
        [listing(f"hall-a-1-2-{number:02}", "shenzhen/hall-a/row-1/rack-2") for number in (1, 2)]
    )
    made.join(keys(["hall-a-1-2-01"]))
    for _ in range(40):
        made.run(10)
        made.refuse((ALICE, "hall-a-1-2-01"), 1)
    [silent, rejecting] = rows(printed(reported(made)), "machine")
    assert (silent[0], rejecting[0]) == ("hall-a-1-2-02", "hall-a-1-2-01")
    assert silent[1] == rejecting[1]
    assert rejecting[1].startswith("…")
    assert rejecting[1].endswith("/row-1/rack-2")
    assert rejecting[-2:] == ["50.0", "%"]
    [_, rejecting] = rows(printed(reported(made), 110), "machine")
    assert rejecting[1] == "shenzhen/hall-a/row-1/rack-2"
    assert "stale" in rejecting


def test_a_wide_terminal_has_room_for_why_a_group_is_at_fault_and_what_machines_run(shop: ShopFloor) -> None:
    wide, narrow = (printed(reported(shop), width) for width in (160, 80))
    found = next(line for line in wide if line.startswith("hall/rack-2"))
    # silent since 400 s, and 700 s are over; the others of the rack deliver every ten seconds
    assert found.split()[2:6] == ["2", "silent", "5", "min"]
    assert rows(wide, "group")[0][-1] == "cgminer"
    assert next(line for line in wide if line.startswith("m-1-01")).endswith("cgminer/4.12")
    assert not any("cgminer" in line for line in narrow)
    # nobody has said which are the best shares
    assert not any("best share" in line for line in wide)


def test_of_several_firmwares_a_group_names_the_most_common_and_a_long_one_takes_what_room_there_is() -> None:
    machines = keys(["m-1", "m-2", "m-3", "m-4"])
    made = ShopFloor([listing(name) for _, name in machines])
    agents = [
        "cgminer/4.12",
        "cgminer/4.11.1",
        "whatsminer/v1.1",
        "Antminer S19j Pro/Tue Dec 14 2021 as the maker wrote it",
    ]
    seen = Observation(made.now)
    seen.joined = list(zip(machines, agents, strict=True))
    seen.bests = [(machines[0], 4e12), (machines[1], 5e12)]
    made.floor.observe("gateway-0", seen)
    made.run(10)
    report = reported(made)
    found = rows(printed(report, 160), "group")
    assert found[0][-6:] == ["2", "cgminer,", "2", "others", "5", "T"]
    whole, cut = (printed(report, width, show_all=True) for width in (160, 110))
    assert any(agents[3] in line for line in whole)
    assert not any(agents[3] in line for line in cut)
    [machine] = [line for line in cut if line.startswith("m-4")]
    assert "Antminer" in machine
    assert len(machine) <= 110


@pytest.mark.parametrize("most", [None, MOST_SHOWN])
def test_what_everybody_waits_for_is_shown_once_forty_are_at_fault(most: int | None) -> None:
    made = ShopFloor([listing(f"m-{number}") for number in range(45)])
    made.run(400)
    lines = printed(reported(made, most=most))
    assert len(rows(lines, "machine")) == 41  # forty, and the line that says how many there are besides
    assert "… and 5 more: --all" in lines


def test_money_is_hidden_where_nothing_of_it_is_set_and_a_block_is_not(shop: ShopFloor) -> None:
    lines = printed(reported(shop))
    assert not any("profit" in line or "whether it pays" in line for line in lines)
    assert lines[-1].startswith("mining alone: a block takes ")


def test_money_is_shown_where_it_is_set(shop: ShopFloor) -> None:
    lines = printed(reported(shop, power=MONEY))
    assert any(line.startswith("profit a day") for line in lines)
    # 10 machines × 1 TH/s × 30 W × 24 h = 7.2 kWh at 0.06 = 0.432 a day; their coin: 1e13 × 86,400 / 1e22
    # × 3.125 × 100,000 = 27 USD, so that the pause costs 26.57
    assert lines[-1] == "pauses cost 26.57 USD a day"


DEAR_BY_DAY = PowerSettings(
    currency="USD",
    time_zone="UTC",
    tariffs=(
        TariffSettings(from_="08:00", to="20:00", price_per_kwh=0.09),
        TariffSettings(from_="20:00", to="08:00", price_per_kwh=0.03),
    ),
    pause_above_price_per_kwh=0.06,
    coin_price=1e5,
    joules_per_terahash=30,
)
DEAR_BY_NIGHT = msgspec.structs.replace(
    DEAR_BY_DAY,
    tariffs=(
        TariffSettings(from_="08:00", to="20:00", price_per_kwh=0.03),
        TariffSettings(from_="20:00", to="08:00", price_per_kwh=0.09),
    ),
)
HALF_OF_THE_TIME = (
    "machines run for 50 % of the time, 12 hours a day on average; for the rest power costs more than "
    "farm.power.pause_above_price_per_kwh, and what a day and 30 days bring and cost leaves it out"
)


def test_that_machines_stand_still_for_the_price_is_told_and_is_no_loss(shop: ShopFloor) -> None:
    """It is past eight in the morning of 15 January 2027, in UTC."""
    shop.pauses = [Pause("all", round(shop.now * US), None, by="price")]
    shop.run(1)
    lines = printed(reported(shop, power=DEAR_BY_DAY))
    assert HALF_OF_THE_TIME in lines
    until = "until 2027-01-15 20:00 UTC"
    assert f"machines stand still for the price of power {until}: what they do not do is no loss" in lines
    assert not any(line.startswith("as measured: ") for line in lines)
    # 4e13 hashes a second × 43,200 s / 1e22 × 3.125 × 100,000 = 54 USD a day; 1.2 kW × 12 h × 0.03 = 0.432
    assert any(line.startswith("by nameplate: earns 53.57 USD a day ") for line in lines)
    assert any(line.startswith("mining alone: a block takes ") for line in lines)


def test_who_comes_back_from_a_dear_night_has_lost_nothing_yet(shop: ShopFloor) -> None:
    since_us = round(shop.now * US)
    shop.pauses = [Pause("all", since_us, since_us + 2 * US, by="price")]
    shop.running.clear()
    shop.run(3)
    lines = printed(reported(shop, power=DEAR_BY_NIGHT))
    told = "machines come back from a pause for the price of power: what they do not do yet is no loss"
    assert told in lines
    assert not any(line.startswith("as measured: ") for line in lines)


def test_while_machines_run_what_they_do_is_a_verdict_though_they_stand_still_by_night(
    shop: ShopFloor,
) -> None:
    lines = printed(reported(shop, power=DEAR_BY_NIGHT))
    assert HALF_OF_THE_TIME in lines
    assert any(line.startswith("as measured: earns ") for line in lines)
    assert not any("no loss" in line for line in lines)


def test_a_group_has_no_money_of_its_own(shop: ShopFloor) -> None:
    lines = printed(reported(shop, "hall/rack-2", MONEY))
    assert not any(word in line for line in lines for word in ("profit", "mining alone", "stale losses"))


def test_an_incident_of_two_racks_is_shown_with_either(shop: ShopFloor) -> None:
    shop.hang(keys([name for name in NAMES if name[2] in "12" and name in dict(shop_names(shop))]))
    shop.run(300)
    for group in ("hall/rack-1", "hall/rack-2"):
        assert reported(shop, group).incidents
    assert not reported(shop, "hall/rack-3").incidents


def shop_names(shop: ShopFloor) -> list[tuple[str, Any]]:
    return [(worker, source) for (_, worker), source in shop.running.items()]


def test_what_a_block_change_cost_is_told_by_cause() -> None:
    losses = StaleLosses(START)
    tip = TipSeen(bytes(32), 101, {"home": START}, START + 0.25, {("a", "one"): 0.05, ("a", "two"): 0.5})
    losses.changed("gateway-0", tip, START, lambda key: 1e12, lambda key: f"rack-{key[1]}")
    per_day = {"node": 1_200.4, "gateway": 30.0, "miner": 0.0}
    assert loss_lines(Losses(tuple(losses.changes), per_day)) == [
        "block changes cost 1,230 sats a day: node 1,200, gateway 30, miner 0",
        (
            "at block 100 the first machine had new work after 300 ms, the last after 750 ms; the template "
            "came after 250 ms"
        ),
        "the last groups: rack-two 750 ms, rack-one 300 ms",
    ]


def test_where_there_are_several_gateways_each_ones_template_is_told() -> None:
    losses = StaleLosses(START)
    for gateway, late in (("gateway-0", 0.25), ("gateway-1", 0.5)):
        tip = TipSeen(bytes(32), 101, {"home": START}, START + late, {("a", gateway): 0.1})
        losses.changed(gateway, tip, START, lambda key: 1e12, lambda key: "rack")
    lines = loss_lines(Losses(tuple(losses.changes), None))
    assert lines[-1] == "templates came to gateway-0 250 ms, gateway-1 500 ms"


def test_each_nodes_lateness_is_told_where_there_are_several() -> None:
    losses = StaleLosses(START)
    nodes = {"home": START + 0.2, "away": START}
    tip = TipSeen(bytes(32), 101, nodes, START + 0.25, {("a", "one"): 0.1})
    losses.changed("gateway-0", tip, START, lambda key: 1e12, lambda key: "rack")
    lines = loss_lines(Losses(tuple(losses.changes), None))
    assert lines[-1] == "nodes had the block: away 0 ms, home 200 ms"


def changes(count: int) -> tuple[BlockChange, ...]:
    """Block changes ten minutes apart: at each the second node is 200 ms late, the template 50 ms, and the
    machines of 10^18 hashes a second each wait for their jobs for 20 ms and 500 ms."""
    losses = StaleLosses(START)
    for number in range(count):
        at = START + 600 * number
        tip = TipSeen(
            bytes(32),
            101 + number,
            {"home": at, "away": at + 0.2},
            at + 0.05,
            {("a", "one"): 0.02, ("a", "two"): 0.5},
        )
        losses.changed("gateway-0", tip, at, lambda key: 1e18, lambda key: f"rack-{key[1]}")
    return tuple(losses.changes)


def test_the_last_block_changes_are_a_table_the_newest_first(shop: ShopFloor) -> None:
    report = msgspec.structs.replace(reported(shop), losses=Losses(changes(7), None))
    lines = printed(report, 120)
    found = rows(lines, "block")
    assert [row[0] for row in found[:5]] == ["106", "105", "104", "103", "102"]
    # 2 × 10^18 × 50 ms + 10^18 × (20 ms + 500 ms) = 6.2 × 10^17 hashes of the 10^22 that give 3.125 coins
    assert " ".join(found[0][1:]) == "50 ms 70 ms 550 ms 19,375 away 200 ms rack-two 550 ms"
    assert "… and 2 more: --all" in lines
    assert len(rows(printed(report, 120, show_all=True), "block")) == 7
    assert not any("slowest gateway" in line for line in lines), "there is but one"


def test_a_single_block_change_is_told_in_words_alone(shop: ShopFloor) -> None:
    report = msgspec.structs.replace(reported(shop), losses=Losses(changes(1), None))
    assert not any("slowest" in line for line in printed(report, 120))
