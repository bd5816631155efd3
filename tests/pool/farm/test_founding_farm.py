"""The founding farm: 2,500 machines, 600 TH/s in all, 400,000 RMB of electricity in 30 days; then and later.

Pinned, as of 1 October 2014:

    difficulty   34,661,425,924: compact bits 181fb893, blocks 322,560 to 324,575 (25 September to 9 October)
    subsidy      25 BTC; fees 0.1 BTC a block, an assumption: it was about that in those weeks
    price        2,350 CNY for a bitcoin, an assumption: near 383 USD, at 6.14 CNY for one
    machines     240 GH/s and 240 W each (1,000 J/TH), an assumption: 1 J/GH was what hardware of that year
                 needed; and 1.2 at the meter for each kilowatt-hour, for fans
    tariff       0.9000 CNY from 08:00 to 24:00 in Shanghai, 0.5148 by night, chosen so that the mean is what
                 400,000 CNY in 30 days make of it: 400,000 / 518,400 kWh = 0.7716

By hand:

    network work    target = 0x1fb893 × 2^168, so 2^256 / target = 2^88 / 2,078,867
                    = 3.0948500982e26 / 2,078,867 = 1.4887196e20 hashes
    blocks a day    600e12 × 86,400 / 1.4887196e20 = 5.184e19 / 1.4887196e20 = 0.348219
    coin a day      0.348219 × 25.1 = 8.74029
    revenue a day   8.74029 × 2,350 = 20,539.7
    power           2,500 × 240 W × 1.2 = 720 kW; × 720 h = 518,400 kWh in 30 days, 17,280 a day
    price           (16 × 0.9000 + 8 × 0.5148) / 24 = 18.5184 / 24 = 0.7716
    cost            518,400 × 0.7716 = 399,997.44 in 30 days, 13,333.248 a day
    profit          20,539.7 − 13,333.2 = 7,206.4 a day, 216,193 in 30 days
    breaks even     20,539.7 / 17,280 = 1.18864 CNY a kWh; 13,333.248 / 8.74029 = 1,525.49 CNY a coin
    alone           1 / 0.348219 = 2.87176 days for a block

The same farm at difficulty 1.5e14, subsidy 3.125, fees 0.02, 700,000 CNY for a bitcoin:

    network work    1.5e14 × 2^32 × 65,536/65,535 = 6.4425492e23 hashes (difficulty 1 is 0xffff × 2^208)
    blocks a day    5.184e19 / 6.4425492e23 = 8.04650e-5
    coin a day      8.04650e-5 × 3.145 = 2.530625e-4
    revenue a day   2.530625e-4 × 700,000 = 177.144
    profit          177.144 − 13,333.248 = −13,156.104 a day, −394,683 in 30 days
    breaks even     177.144 / 17,280 = 0.0102514 CNY a kWh; 13,333.248 / 2.530625e-4 = 52,687,600 CNY a coin
    alone           1 / 8.04650e-5 = 12,427.8 days = 34.0 years; in 30 days 1 − e^−0.00241395 = 0.241 %,
                    in 365 days 1 − e^−0.0293697 = 2.894 %
"""

import datetime
import io
from pathlib import Path

import pytest
from rich.console import Console

import config
from config.loading import load
from config.payout_schema import PLACEHOLDER_ADDRESS
from config.power_schema import PowerSettings
from pool.commands.farm_view import print_farm
from pool.farm.economics import Network, solo_odds
from pool.farm.finance import Finance, Market, Treasurer
from pool.farm.summary import FarmSums
from pool.farm.tariff import DAY_SECONDS
from pool.reports.farm import Losses, farm_report
from stratum.work.difficulty import (
    SHA256D_DIFFICULTY_1,
    target_from_bits,
    target_from_difficulty,
    work_of_target,
)
from tests.pool.farm.shop_floor import ShopFloor

EXAMPLE = Path(config.__file__).parent / "examples/farm.yaml"
DOCUMENT = Path(__file__).parents[3] / "docs/farm.md"
MACHINES, HASHES_PER_SECOND_EACH = 2_500, 240e9
FARM_HASHES_PER_SECOND = 600e12
FIRST_OF_OCTOBER = datetime.datetime(2014, 10, 1, tzinfo=datetime.UTC).timestamp()
THEN = Network(
    work=work_of_target(target_from_bits(0x181FB893)), subsidy_sats=2_500_000_000, mean_fees_sats=10_000_000
)
LATER = Network(
    work=work_of_target(target_from_difficulty(1.5e14, SHA256D_DIFFICULTY_1)),
    subsidy_sats=312_500_000,
    mean_fees_sats=2_000_000,
)


@pytest.fixture
def power(tmp_path: Path) -> PowerSettings:
    """As the example for such a farm has it."""
    path = tmp_path / "engineroom.yaml"
    path.write_text(EXAMPLE.read_text("utf-8").replace(PLACEHOLDER_ADDRESS, "bc1qx"), "utf-8")
    return load(path, {"HALL_A_RPC_PASSWORD": "a", "HALL_B_RPC_PASSWORD": "b"}).farm.power


def financed(power: PowerSettings, network: Network, coin_price: float) -> Finance:
    """Every machine does what it should; nobody has listed what it draws."""
    rate = MACHINES * HASHES_PER_SECOND_EACH
    sums = FarmSums(nameplate=rate, running=rate, unlisted_nameplate=rate, unlisted_running=rate)
    market = Market(network=network, coin_price=coin_price)
    return Treasurer(power).finance(sums, market, FIRST_OF_OCTOBER, {})


def printed(finance: Finance) -> list[str]:
    """The money of what `engineroom farm` prints of it."""
    floor = ShopFloor().floor
    losses = Losses((), None)
    report = farm_report(
        floor, floor.glances(), {}, finance, float, None, round(FIRST_OF_OCTOBER * 1e6), losses
    )
    text = io.StringIO()
    print_farm(report, Console(file=text, width=200, highlight=False, color_system=None), show_all=False)
    lines = [" ".join(line.split()) for line in text.getvalue().splitlines()]
    return lines[lines.index("measured nameplate") :]


def test_in_2014_it_earned_more_than_its_electricity(power: PowerSettings) -> None:
    found = financed(power, THEN, coin_price=2_350).measured
    assert THEN.work == pytest.approx(1.4887196e20, rel=1e-7)
    assert found.hashing.hashes_per_second == FARM_HASHES_PER_SECOND
    assert found.hashing.watts == pytest.approx(600_000)
    assert found.prices.price_per_kwh == pytest.approx(0.7716)
    assert found.day.coin_sats == pytest.approx(8.74029e8, rel=1e-6)
    assert found.day.revenue == pytest.approx(20_539.7, abs=0.1)
    assert (found.day.energy_kwh, found.day.energy_cost) == (
        pytest.approx(17_280),
        pytest.approx(13_333.248),
    )
    assert found.day.profit == pytest.approx(7_206.4, abs=0.1)
    assert found.month.energy_cost == pytest.approx(399_997.44)
    assert found.month.energy_cost == pytest.approx(400_000, abs=5)  # what the farm's people say
    assert found.month.profit == pytest.approx(216_193, abs=1)
    assert found.break_even_price_per_kwh == pytest.approx(1.18864, abs=1e-5)
    assert found.break_even_coin_price == pytest.approx(1_525.49, abs=0.01)


def test_in_2014_it_would_have_found_a_block_in_three_days_alone() -> None:
    odds = solo_odds(FARM_HASHES_PER_SECOND, THEN.work)
    assert odds.expected_wait_seconds == pytest.approx(2.87176 * DAY_SECONDS, rel=1e-5)
    # 30 × 0.348219 = 10.4466 blocks are expected; e^−10 is 4.53999e-5, e^−0.4466 is 0.63980
    assert 1 - odds.chance_in_30_days == pytest.approx(4.53999e-5 * 0.63980, rel=1e-3)


def test_at_a_difficulty_of_2026_it_loses_nearly_all_of_its_electricity(power: PowerSettings) -> None:
    found = financed(power, LATER, coin_price=700_000).measured
    assert found.day.coin_sats == pytest.approx(25_306.25, rel=1e-5)
    assert found.day.revenue == pytest.approx(177.144, abs=0.001)
    assert found.day.profit == pytest.approx(-13_156.104, abs=0.01)
    assert found.month.profit == pytest.approx(-394_683, abs=1)
    assert found.break_even_price_per_kwh == pytest.approx(0.0102514, rel=1e-5)
    assert found.break_even_coin_price == pytest.approx(52_687_600, rel=1e-5)


def test_and_what_the_command_prints_says_so(power: PowerSettings) -> None:
    """The figures are those by hand above, in the digits of each: 2.530625e-4 coins are 25,306 satoshis."""
    lines = printed(financed(power, LATER, coin_price=700_000))
    for row in (
        "hashrate 600 TH/s 600 TH/s",
        "power at the meter 720 kW 720 kW",
        "coin a day 0.00025306 0.00025306",
        "revenue a day 177 CNY 177 CNY",
        "electricity a day 13,333 CNY 13,333 CNY",
        "profit a day -13,156 CNY -13,156 CNY",
        "electricity in 30 days 399,997 CNY 399,997 CNY",
        "profit in 30 days -394,683 CNY -394,683 CNY",
        "breaks even at, a kWh 0.01025 CNY 0.01025 CNY",
    ):
        assert row in lines
    loss = (
        "loses 13,156 CNY a day at this difficulty, 394,683 in 30 days; "
        "breaks even at a power price of 0.01025 CNY a kWh or a coin price of 52,687,"
    )
    measured, nameplate, alone = lines[-3:]
    assert measured.startswith(f"as measured: {loss}")
    assert nameplate.startswith(f"by nameplate: {loss}")
    assert alone == (
        "mining alone: a block takes 34 years on average; "
        "the chance of one is 0.241 % in 30 days and 2.89 % in a year"
    )


def test_what_the_document_shows_is_what_is_printed(power: PowerSettings) -> None:
    document = " ".join(DOCUMENT.read_text("utf-8").split())
    for line in printed(financed(power, THEN, coin_price=2_350)):
        assert line in document
