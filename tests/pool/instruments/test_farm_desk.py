"""The farm's desk: what charts and reports show of it; pauses by price, machines cut, money, restart."""

import datetime
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.farm_schema import FarmSettings
from config.metrics_schema import MetricsSettings
from config.power_schema import PowerSettings, TariffSettings
from pool.farm.economics import Network
from pool.farm.observation import Observation, Refusals, Shares, TipSeen
from pool.instruments.farm_desk import DeskMemory, FarmDesk
from pool.instruments.instruments import METRICS
from pool.metrics import Exposition
from pool.reports.farm import FarmReport
from tests.builders import ADDRESS, OTHER_ADDRESS
from tests.pool.settings_building import settings_in

RATE = 1e12
SHARE_WORK = RATE * 10
HEADING = "name,group,model,expected_ths,watts\n"
NETWORK = Network(work=10**20, subsidy_sats=312_500_000, mean_fees_sats=0.0)


class Desk:
    """A desk, and a clock that begins now: pauses go by the real one, or by one that stands at `unix`."""

    def __init__(
        self,
        directory: Path,
        inventory: str = "",
        *,
        metrics: Any = None,
        unix: float | None = None,
        **farm: Any,
    ) -> None:
        directory.mkdir(exist_ok=True)
        if inventory:
            path = directory / "machines.csv"
            path.write_text(HEADING + inventory)
            farm["inventory"] = str(path)
        self.settings = settings_in(
            directory, farm=FarmSettings(**farm), metrics=metrics or MetricsSettings()
        )
        self.unix = unix
        self.now = self.unix_time()
        self.desk = FarmDesk(self.settings, self.now, None, unix_time=self.unix_time)

    def unix_time(self) -> float:
        return time.time() if self.unix is None else self.unix

    def run(self, seconds: int, *workers: str, account: str = ADDRESS) -> None:
        """Each of these hands in a share every ten seconds."""
        for second in range(1, seconds + 1):
            seen = Observation(self.now + second)
            if second % 10 == 0:
                for worker in workers:
                    seen.shares[account, worker] = Shares(1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)
            self.desk.observe("gateway-0", seen)
            self.desk.advance(self.now + second, 0.0, is_working=True)
            self.desk.count_pauses(NETWORK)
        self.now += seconds

    def shown(self, network: Network | None = None) -> dict[tuple[str, tuple[str, ...]], float]:
        """All readings; none of them twice."""
        readings = list(self.desk.readings(network))
        assert len(readings) == len({series for series, _ in readings})
        return dict(readings)


EIGHT = datetime.datetime(2026, 11, 30, 8, tzinfo=datetime.UTC).timestamp()
DEAR_BY_DAY = PowerSettings(
    currency="CNY",
    time_zone="UTC",
    tariffs=(
        TariffSettings(from_="08:00", to="24:00", price_per_kwh=0.5),
        TariffSettings(from_="00:00", to="08:00", price_per_kwh=0.3),
    ),
    pause_above_price_per_kwh=0.4,
)


def test_a_dear_hour_pauses_the_whole_farm(tmp_path: Path) -> None:
    made = Desk(tmp_path, "m-1,hall,S19,1,3000\n", unix=EIGHT, power=DEAR_BY_DAY)
    made.run(1)
    shown = made.shown()
    assert shown["farm_machines", ("paused",)] == 1
    assert shown["group_paused_machines", ("hall",)] == 1
    assert shown["farm_expected_hashes_per_second", ()] == 0
    assert shown["farm_paused_hashes_per_second", ()] == RATE
    # a coin has no price, so what is saved is not known
    assert ("pause_saved_per_day", ()) not in shown
    # what it draws while it runs; by night, 8 hours of 24: 3 kW × 8 h × 0.3 = 7.2 a day
    assert shown["power_watts", ("nameplate",)] == 3_000
    assert shown["power_cost_per_day", ("nameplate",)] == pytest.approx(7.2)
    assert shown["power_cost_per_day", ("measured",)] == 0


def test_what_is_measured_while_machines_stand_still_for_the_price_is_neither_profit_nor_loss(
    tmp_path: Path,
) -> None:
    power = msgspec.structs.replace(DEAR_BY_DAY, coin_price=1_000.0)
    made = Desk(tmp_path, "m-1,hall,S19,1,3000\n", unix=EIGHT, power=power)
    made.run(1)
    shown = made.shown(NETWORK)
    assert shown["revenue_per_day", ("measured",)] == 0
    assert ("profit_per_day", ("measured",)) not in shown
    # in 8 hours 10^12 × 28,800 / 10^20 × 3.125 = 0.0009 coins at 1,000, and 3 kW × 8 h × 0.3 = 7.2
    assert shown["profit_per_day", ("nameplate",)] == pytest.approx(0.9 - 7.2)


def test_power_below_the_bound_pauses_nobody(tmp_path: Path) -> None:
    made = Desk(tmp_path, "m-1,hall,S19,1,3000\n", unix=EIGHT - 1, power=DEAR_BY_DAY)
    made.run(1)
    shown = made.shown()
    assert shown["farm_machines", ("paused",)] == 0
    assert shown["power_cost_per_day", ("nameplate",)] == pytest.approx(7.2)


def test_what_a_pause_has_saved_is_shown_told_and_remembered(tmp_path: Path) -> None:
    """Ten minutes of a dear morning."""
    power = msgspec.structs.replace(DEAR_BY_DAY, coin_price=1_000.0)
    made = Desk(tmp_path, "m-1,hall,S19,1,3000\n", unix=EIGHT - 60, power=power)
    made.run(61, "m-1")
    made.unix = EIGHT + 3_600
    made.run(600)
    shown = made.shown(NETWORK)
    # 3 kW × 600 s = 0.5 kWh at 0.5; 10^12 × 600 / 10^20 × 3.125 = 1.875e-5 coins at 1,000: 0.25 − 0.01875
    assert shown["pause_unspent_kwh_30_days", ("price",)] == pytest.approx(0.5)
    assert shown["pause_saved_30_days", ("price",)] == pytest.approx(0.23125)
    assert shown["pause_saved_30_days", ("hand",)] == shown["pause_unspent_kwh_30_days", ("hand",)] == 0
    report = made.desk.report(None, NETWORK)
    [entry] = report.finance.savings.pauses
    assert (entry.group, entry.by, entry.since_us, entry.seconds) == ("all", "price", EIGHT * 1e6, 600)
    assert any(
        line.startswith(
            "the whole farm, paused for the price of power since 2026-11-30 08:00 UTC: saved 0.23"
        )
        for line in report.money_lines
    )
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(report)), FarmReport) == report
    memory = msgspec.msgpack.decode(msgspec.msgpack.encode(made.desk.export()), type=DeskMemory)
    later = FarmDesk(made.settings, made.now, memory, unix_time=made.unix_time)
    assert later.report(None, NETWORK).finance.savings == report.finance.savings


def test_work_that_would_have_been_refused_is_no_coin_that_a_pause_costs(tmp_path: Path) -> None:
    """Of every two shares one is refused; then ten minutes of a dear morning, as above."""
    power = msgspec.structs.replace(DEAR_BY_DAY, coin_price=1_000.0)
    made = Desk(tmp_path, "m-1,hall,S19,1,3000\n", unix=EIGHT - 60, power=power)
    for _ in range(30):
        made.run(10, "m-1")
        seen = Observation(made.now)
        seen.refused[(ADDRESS, "m-1"), "stale"] = Refusals(1, SHARE_WORK)
        made.desk.observe("gateway-0", seen)
    nameplate = made.shown(NETWORK)["expected_coin_sats_per_day", ("nameplate",)]
    made.run(61)
    made.unix = EIGHT + 3_600
    made.run(600)
    shown = made.shown(NETWORK)
    assert shown["pause_saved_30_days", ("price",)] == pytest.approx(0.25 - 0.01875 / 2)
    # 8 hours of 10^12 hashes a second, half refused: 0.00045 coins, as before the pause
    assert nameplate == pytest.approx(45_000)
    assert shown["expected_coin_sats_per_day", ("nameplate",)] == pytest.approx(nameplate)


def test_machines_beyond_the_limit_are_cut_and_counted_those_at_fault_are_not(tmp_path: Path) -> None:
    inventory = "".join(f"m-{number},hall,S19,1,\n" for number in range(1, 6))
    made = Desk(tmp_path, inventory, metrics=MetricsSettings(workers_limit=2))
    made.run(400, "m-1", "m-2", "m-3", "m-4")  # m-5 never comes
    shown = made.shown()
    assert (shown["workers_shown", ()], shown["workers_cut", ()]) == (2, 3)
    workers = {labels[1] for name, labels in shown if name == "worker_hashrate_hashes_per_second"}
    assert workers == {"m-5", "m-1"}
    assert shown["worker_state", ("", "m-5", "hall", "silent")] == 1


@pytest.mark.parametrize(("worker", "name"), [("m-1", "m-1"), ("", f"{ADDRESS[:6]}…{ADDRESS[-6:]}")])
def test_an_incident_of_one_machine_is_called_as_the_machine_is_and_has_no_whole_address(
    tmp_path: Path, worker: str, name: str
) -> None:
    made = Desk(tmp_path, expected_terahashes=1.0)
    made.run(100, worker)
    made.run(300)
    shown = made.shown()
    [(_, kind, called)] = [labels for series, labels in shown if series == "incident_machines"]
    assert (kind, called) == ("machine", name)
    assert shown["incidents", ()] == 1


def test_a_page_of_a_farm_has_no_series_twice_and_two_accounts_of_one_name_apart(tmp_path: Path) -> None:
    made = Desk(tmp_path, "m-1,hall,S19,1,\n")
    made.run(20, "m-1")
    made.run(20, "m-1", account=OTHER_ADDRESS)
    made.shown(NETWORK)
    page = Exposition(METRICS, lambda: made.desk.readings(NETWORK)).render().decode()
    for account in (ADDRESS, OTHER_ADDRESS):
        series = f'engineroom_worker_rejected_ratio{{account="{account}",group="hall",worker="m-1"}}'
        assert page.count(series) == 1


def test_a_farm_without_machines_has_a_page_and_a_report(tmp_path: Path) -> None:
    made = Desk(tmp_path)
    made.run(1)
    assert made.shown(NETWORK)["farm_machines", ("ok",)] == 0
    report = made.desk.report(None, NETWORK)
    assert (report.machines, report.groups, report.has_money) == ((), (), False)


def test_a_report_reads_the_same_at_the_other_end_of_the_socket(tmp_path: Path) -> None:
    """Nothing in it is more than JSON can say: a bound that is infinite is none."""
    made = Desk(tmp_path, "m-1,hall,S19,1,\nm-2,hall,,,\n")
    made.run(100, "m-1")
    seen = Observation(made.now)
    seen.refused[(ADDRESS, "m-1"), "stale"] = Refusals(1, SHARE_WORK)
    tip = bytes(31) + b"\x01"
    seen.tips = [TipSeen(tip, 101, {"home": made.now - 1}, made.now, {(ADDRESS, "m-1"): 0.2})]
    made.desk.observe("gateway-0", seen)
    report = made.desk.report(None, NETWORK)
    over = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(report)))
    assert msgspec.convert(over, FarmReport) == report
    [change] = report.losses.changes
    assert (change.tip, change.template_seconds) == ("01" + "00" * 31, pytest.approx(1.0))


def test_a_hashrate_that_has_died_away_is_none_and_makes_no_price_absurd(tmp_path: Path) -> None:
    """A machine of which everything was refused for two days: of 10^12 hashes a second e^−288 is left."""
    power = PowerSettings(price_per_kwh=0.1, currency="USD", coin_price=1e5, joules_per_terahash=20)
    made = Desk(tmp_path, power=power)
    made.run(100, "m-1")
    for hour in range(1, 49):
        seen = Observation(made.now + 3_600 * hour)
        seen.refused[(ADDRESS, "m-1"), "stale"] = Refusals(10, 10 * SHARE_WORK)
        for second in range(3_600 * (hour - 1), 3_600 * hour, 4):
            made.desk.floor.observe("gateway-0", Observation(made.now + second))
        made.desk.floor.observe("gateway-0", seen)
        made.desk.advance(made.now + 3_600 * hour, 0.0, is_working=True)
    shown = made.shown(NETWORK)
    assert shown["farm_machines", ("rejecting",)] == 1
    assert ("break_even_coin_price", ("measured",)) not in shown
    assert ("solo_block_wait_seconds", ()) not in shown
    assert shown["solo_block_chance_year_ratio", ()] == 0


def test_sums_of_a_groups_report_are_the_groups(tmp_path: Path) -> None:
    made = Desk(tmp_path, "m-1,hall/a,S19,1,\nm-2,hall/b,S19,1,\n")
    made.run(400, "m-1", "m-2")
    report = made.desk.report("hall/a", NETWORK)
    assert report.sums.states["ok"] == 1
    assert [line.name for line in report.machines] == ["m-1"]
    assert made.desk.report("hall/a", NETWORK, most=0).sums == report.sums, "of all, however few have lines"
    assert report.finance.measured.hashing.hashes_per_second == pytest.approx(2 * RATE, rel=0.02)


def test_a_list_that_cannot_be_used_leaves_the_accounts_of_the_farm_as_they_are(tmp_path: Path) -> None:
    made = Desk(tmp_path, "m-1,hall,S19,a lot,\n", accounts=(ADDRESS,), name_pattern="(?P<row>[a-z])-.*")
    made.run(20, "m-1")
    made.run(20, "m-2", account=OTHER_ADDRESS)
    assert set(made.desk.floor.members) == {(ADDRESS, "m-1")}


def test_another_desk_goes_on_where_one_left_off(tmp_path: Path) -> None:
    made = Desk(tmp_path, "m-1,hall,S19,1,\nm-2,hall,S19,1,\n")
    made.run(400, "m-1")
    memory = msgspec.msgpack.decode(msgspec.msgpack.encode(made.desk.export()), type=DeskMemory)
    before = made.shown()
    made.desk = FarmDesk(made.settings, made.now, memory)
    made.desk.advance(made.now, 0.0, is_working=True)
    after = made.shown()
    for series in (
        ("farm_machines", ("silent",)),
        ("worker_hashrate_hashes_per_second", (ADDRESS, "m-1", "hall")),
        ("farm_hashrate_hashes_per_second", ("1h",)),
        ("incidents", ()),
    ):
        assert after[series] == pytest.approx(before[series])


def test_groups_beyond_the_limit_are_cut_and_counted_those_that_miss_most_are_not(tmp_path: Path) -> None:
    inventory = "".join(f"m-{number},hall-{number},S19,1,\n" for number in range(1, 5))
    made = Desk(tmp_path, inventory, metrics=MetricsSettings(groups_limit=2))
    made.run(400, "m-1", "m-2", "m-3")  # m-4 never comes, and its hall misses all
    shown = made.shown()
    assert shown["groups_cut", ()] == 2
    groups = {labels[0] for name, labels in shown if name == "group_machines"}
    assert len(groups) == 2
    assert "hall-4" in groups


@pytest.mark.parametrize(
    ("farm", "own"),
    [
        ({}, {ADDRESS}),  # a pool for others: the machines that mine to its own address
        ({"name_pattern": "(?P<row>[a-z]+)"}, None),
        ({"accounts": (OTHER_ADDRESS,)}, None),
    ],
)
def test_whose_faults_are_incidents_is_said_by_the_settings(
    tmp_path: Path, farm: dict[str, Any], own: set[str] | None
) -> None:
    assert Desk(tmp_path, **farm).desk.floor._rules.own_accounts == own
