"""The founding farm on the floor: 2,500 machines of a list, in 63 racks, told by shares; then its money.

By hand, with the figures of test_founding_farm.py:

    nameplate   2,500 × 240 GH/s = 600 TH/s, and 2,500 × 240 W = 600 kW
    measured    100 machines of the second row never came: 2,400 × 240 GH/s = 576 TH/s, 576 kW
    power       600 kW × 1.2 = 720 kW at the meter, × 24 h = 17,280 kWh a day; measured 16,588.8
    price       0.9000 CNY by day in Shanghai (the moment is noon there), 0.5148 by night; the mean of a day
                is (16 × 0.9 + 8 × 0.5148) / 24 = 0.7716: 13,333.25 CNY a day; measured 12,799.92
    coin        8.74029e8 satoshis a day; measured 0.96 of it, 8.39068e8
    revenue     20,539.7 CNY; measured 19,718.1
    profit      20,539.7 − 13,333.3 = 7,206.4; measured 19,718.1 − 12,799.9 = 6,918.2

With farm.power.pause_above_price_per_kwh at 0.6 it runs by night alone, 8 hours of 24:

    coin        8.74029e8 / 3 = 2.91343e8 satoshis a day
    revenue     616,191 / 3 = 205,397 CNY in 30 days
    power       518,400 / 3 = 172,800 kWh in 30 days, × 0.5148 = 88,957.4 CNY; 5,760 kWh a day
    profit      205,397 − 88,957 = 116,440 CNY in 30 days; of the measured 0.96, 111,782
    alone       2.87176 × 3 = 8.61528 days for a block
"""

from collections.abc import Iterable

import msgspec
import pytest

from config.power_schema import PowerSettings, TariffSettings
from pool.farm.finance import Market, Treasurer
from pool.farm.inventory import InventoryMachine
from pool.farm.observation import Observation, Shares
from pool.farm.pause_savings import kept_from_running
from pool.farm.pauses import Pause
from pool.farm.summary import farm_sums, group_lines
from tests.pool.farm.shop_floor import ALICE, US, ShopFloor, keys
from tests.pool.farm.test_founding_farm import FIRST_OF_OCTOBER, THEN

EACH, WATTS, MACHINES, LACKING = 240e9, 240.0, 2_500, 100
SHARE_SECONDS = 20
SHARE_WORK = EACH * SHARE_SECONDS
NOON = FIRST_OF_OCTOBER + 4 * 3_600  # in Shanghai
POWER = PowerSettings(
    currency="CNY",
    tariffs=(
        TariffSettings(from_="08:00", to="24:00", price_per_kwh=0.9),
        TariffSettings(from_="00:00", to="08:00", price_per_kwh=0.5148),
    ),
    time_zone="Asia/Shanghai",
    overhead_factor=1.2,
)


def listed() -> list[InventoryMachine]:
    """Rows of 500, racks of 40."""
    return [
        InventoryMachine(f"m-{n:04}", f"hall/row-{n // 500}/rack-{n // 40}", "S3", EACH, WATTS)
        for n in range(MACHINES)
    ]


@pytest.fixture(scope="module")
def shop() -> ShopFloor:
    """A quarter of an hour: a share of each machine every twenty seconds, a twentieth of them each second."""
    made = ShopFloor(listed())
    names = [f"m-{n:04}" for n in range(MACHINES) if not 500 <= n < 500 + LACKING]
    joined = Observation(made.now)
    joined.joined = [((ALICE, name), "cgminer/4.6") for name in names]
    made.floor.observe("gateway-0", joined)
    share = Shares(1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)
    for second in range(1, 901):
        made.now += 1
        seen = Observation(made.now)
        seen.shares = dict.fromkeys(keys(names[second % SHARE_SECONDS :: SHARE_SECONDS]), share)
        made.floor.observe("gateway-0", seen)
        made.advance()
    return made


def test_it_should_do_600_terahashes_and_does_what_2400_machines_do(shop: ShopFloor) -> None:
    sums = farm_sums(shop.floor.glances())
    assert {state: count for state, count in sums.states.items() if count} == {"ok": 2_400, "silent": 100}
    assert sums.nameplate == pytest.approx(600e12)
    assert sums.running == pytest.approx(576e12, rel=0.001)
    assert (sums.nameplate_watts, sums.running_watts) == (600_000, 576_000)
    assert sums.unlisted_running == 0


def test_each_row_has_its_500_and_the_second_misses_a_hundred(shop: ShopFloor) -> None:
    lines = {line.group: line for line in group_lines(shop.floor.glances())}
    # 2,500 / 40 = 62.5, so 63 racks; those on the borders at 500 and 1,500 are one of each row
    assert len(lines) == 1 + 5 + 63 + 2
    assert [lines[f"hall/row-{row}"].machines for row in range(5)] == [500] * 5
    assert [lines[f"hall/row-{row}"].faulty for row in range(5)] == [0, 100, 0, 0, 0]
    assert lines["hall/row-1"].missing == pytest.approx(100 * EACH, rel=0.02)


def test_what_is_lacking_is_told_as_few_incidents_not_as_a_hundred(shop: ShopFloor) -> None:
    assert 1 <= len(shop.floor.incidents) <= 3
    assert sum(len(one.faults) for one in shop.floor.incidents) == LACKING
    missing = sum(one.missing_hashes_per_second for one in shop.floor.incidents)
    assert missing == pytest.approx(LACKING * EACH)


def test_its_money_is_that_of_the_machines_that_run(shop: ShopFloor) -> None:
    market = Market(network=THEN, coin_price=2_350.0)
    found = Treasurer(POWER).finance(farm_sums(shop.floor.glances()), market, NOON, {})
    assert found.price_per_kwh == 0.9
    named, measured = found.nameplate.day, found.measured.day
    assert named.energy_kwh == pytest.approx(17_280)
    assert measured.energy_kwh == pytest.approx(16_588.8)
    assert named.coin_sats == pytest.approx(8.74029e8, rel=1e-5)
    assert measured.coin_sats == pytest.approx(8.39068e8, rel=1e-3)
    assert named.profit == pytest.approx(7_206.4, abs=0.2)
    assert measured.profit == pytest.approx(6_918.2, abs=20)
    assert found.saved_per_day is None
    assert found.solo is not None
    assert found.solo.expected_wait_seconds == pytest.approx(2.87176 / 0.96 * 86_400, rel=1e-3)


def running(listings: Iterable[InventoryMachine]) -> ShopFloor:
    """Every machine has delivered a share."""
    made = ShopFloor(listings)
    names = keys(one.name for one in made.places.inventory.machines.values())
    seen = Observation(made.now)
    seen.shares = dict.fromkeys(names, Shares(1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK))
    made.floor.observe("gateway-0", seen)
    return made


AT_NIGHT = msgspec.structs.replace(POWER, pause_above_price_per_kwh=0.6)
MARKET = Market(network=THEN, coin_price=2_350.0)


def test_a_farm_that_runs_by_night_has_a_third_of_the_money_of_one_that_always_runs(shop: ShopFloor) -> None:
    four_at_night = FIRST_OF_OCTOBER - 4 * 3_600
    found = Treasurer(AT_NIGHT).finance(farm_sums(shop.floor.glances()), MARKET, four_at_night, {})
    assert found.time_share == pytest.approx(1 / 3)
    assert (found.is_standing_still, found.dear_until_us) == (False, None)
    assert found.nameplate.day.coin_sats == pytest.approx(2.91343e8, rel=1e-5)
    assert found.nameplate.day.energy_kwh == pytest.approx(5_760)
    assert found.nameplate.month.profit == pytest.approx(116_440, abs=2)
    assert found.measured.month.profit == pytest.approx(111_782, abs=400)
    assert found.solo is not None
    assert found.solo.expected_wait_seconds == pytest.approx(8.61528 / 0.96 * 86_400, rel=1e-3)


def test_by_day_it_stands_still_and_nothing_but_what_is_measured_is_another_figure() -> None:
    """At eight in the morning power is dear until midnight in Shanghai, sixteen hours later."""
    made = running(listed())
    made.pauses = [Pause("all", round(made.now * US), None, by="price")]
    made.run(1)
    glances = made.floor.glances()
    sums = farm_sums(glances)
    assert (sums.nameplate, sums.for_price) == (0, pytest.approx(600e12))
    found = Treasurer(AT_NIGHT).finance(sums, MARKET, FIRST_OF_OCTOBER, kept_from_running(glances))
    assert found.is_standing_still
    assert found.dear_until_us == (FIRST_OF_OCTOBER + 16 * 3_600) * US
    assert found.nameplate.hashing.hashes_per_second == pytest.approx(600e12)
    assert found.nameplate.hashing.watts == 600_000
    assert found.nameplate.month.profit == pytest.approx(116_440, abs=2)
    assert (found.measured.day.coin_sats, found.measured.day.energy_cost) == (0, 0)
    assert found.solo is not None
    assert found.solo.expected_wait_seconds == pytest.approx(8.61528 * 86_400, rel=1e-5)
    # 16 hours a day: 11,520 kWh × 0.9 = 10,368 CNY unspent, two thirds of 20,539.7 unearned
    assert found.saved_per_day == pytest.approx(10_368 - 13_693.13, abs=0.2)


def test_who_is_paused_by_hand_is_no_part_of_the_nameplate_while_power_is_dear() -> None:
    """Half of it, so that 300 TH/s are left for the night: 58,220 CNY in 30 days."""
    made = ShopFloor([msgspec.structs.replace(one, group=f"half-{n % 2}") for n, one in enumerate(listed())])
    since_us = round(made.now * US)
    made.pauses = [Pause("all", since_us, None, by="price"), Pause("half-1", since_us)]
    made.run(1)
    found = Treasurer(AT_NIGHT).finance(farm_sums(made.floor.glances()), MARKET, FIRST_OF_OCTOBER, {})
    assert found.nameplate.month.profit == pytest.approx(58_220, abs=1)


def test_the_farm_of_two_halves_of_which_one_is_paused_saves_its_power_and_loses_its_coin() -> None:
    made = running(msgspec.structs.replace(one, group=f"half-{n % 2}") for n, one in enumerate(listed()))
    made.pause("half-1")
    made.run(1)
    glances = made.floor.glances()
    stopped = kept_from_running(glances)
    assert (stopped["hand"].hashes_per_second, stopped["hand"].watts) == (pytest.approx(300e12), 300_000)
    market = Market(network=THEN, coin_price=2_350.0)
    found = Treasurer(POWER).finance(farm_sums(glances), market, NOON, stopped)
    # at noon's price half of 17,280 × 0.9 = 15,552 CNY unspent, half of 20,539.7 unearned: 7,776 − 10,269.85
    assert found.saved_per_day == pytest.approx(-2_493.85, abs=0.2)
