"""What docs/farm.md shows at its beginning is what the program prints of such a farm."""

import datetime
import io
import random
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

import config
from config.loading import load
from config.payout_schema import PLACEHOLDER_ADDRESS
from config.schema import Settings
from pool.commands.farm_view import print_farm
from pool.farm.economics import Network, PauseSaving
from pool.farm.finance import Market, Treasurer
from pool.farm.floor import Floor
from pool.farm.floor_rules import FloorRules
from pool.farm.hashrate import RateWindow
from pool.farm.observation import MachineKey, Observation, Refusals, Shares, TipSeen
from pool.farm.pause_savings import Idle, PauseLedger, kept_from_running
from pool.farm.pauses import Pause
from pool.farm.places import Places
from pool.farm.rate_windows import WINDOWS
from pool.farm.stale_losses import StaleLosses
from pool.farm.summary import farm_sums
from pool.reports.farm import FarmReport, Losses, farm_report
from stratum.work.difficulty import SHA256D_DIFFICULTY_1, target_from_bits, work_of_target

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs/farm.md"
EXAMPLE = Path(config.__file__).parent / "examples/farm.yaml"
ACCOUNT = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"  # BIP 173
BEGIN = datetime.datetime(2014, 10, 1, 12, 0, tzinfo=datetime.UTC).timestamp()
MINUTE = 60.0
RATE = 240e9  # hashes a second of a machine of 2014
SHARE_WORK = RATE * 4  # a share every four seconds
RACKS, PLACES = (6, 7, 8, 9), 25
HALVED, REJECTING, SURVIVORS = "a-3-6-11", "a-3-8-2", ("a-3-7-0", "a-3-7-1")
NETWORK = Network(  # as in test_founding_farm: 1 October 2014
    work=work_of_target(target_from_bits(0x181FB893)), subsidy_sats=2_500_000_000, mean_fees_sats=10_000_000
)
MARKET = Market(network=NETWORK, coin_price=2_350.0)
BLOCKS = {1_000: 323_311, 2_000: 323_312, 3_400: 323_313}  # by the second of the hour
PAUSED = Pause("a/row-3/rack-9", round((BEGIN + 30 * MINUTE) * 1e6), None, "fans")


class Story:
    """An hour of 100 machines: one halved from the tenth minute on, one rejecting from the twentieth, a rack
    paused in the thirtieth, another one without power in the fiftieth."""

    def __init__(self, settings: Settings) -> None:
        rules = FloorRules(expected_hashes_per_second=RATE)
        self.floor = Floor(rules, Places(pattern=settings.farm.name_pattern), BEGIN)
        self.losses = StaleLosses(BEGIN)
        self.ledger = PauseLedger(settings.farm.power.currency)
        self.treasurer = Treasurer(settings.farm.power)
        self.windows = {label: RateWindow(seconds, BEGIN) for label, seconds in WINDOWS.items()}
        self._chance = random.Random(2)
        self._names = [f"a-3-{rack}-{place}" for rack in RACKS for place in range(PLACES)]

    def run(self) -> float:
        """The end of the hour."""
        joining = Observation(BEGIN)
        joining.joined.extend(((ACCOUNT, name), "cgminer/4.6.0") for name in self._names)
        self.floor.observe("gateway-0", joining)
        for second in range(1, 3_600):
            at = BEGIN + second
            seen = Observation(at)
            for name in self._names:
                self._mine(name, second / MINUTE, seen)
            if second in BLOCKS:
                seen.tips.append(self._tip(at, BLOCKS[second] + 1))
            self._take(seen)
            pauses = [PAUSED] if at * 1e6 >= PAUSED.since_us else []
            now_us = round(at * 1e6)
            self.floor.advance(at, now_us, pauses, is_working=True)
            self.ledger.count(self.floor.time, now_us, pauses, self.floor.glances, self._worth)
        return at

    def _worth(self, idle: Idle) -> PauseSaving:
        return self.treasurer.worth(idle, MARKET)

    def _mine(self, name: str, minute: float, seen: Observation) -> None:
        """One second of a machine: a share with a chance of one in four."""
        if self._chance.random() >= self._chances(name, minute):
            return
        key: MachineKey = (ACCOUNT, name)
        if name == REJECTING and minute >= 20 and self._chance.random() < 0.3:
            seen.refused[key, "low_difficulty"] = Refusals(1, SHARE_WORK)
        else:
            seen.shares[key] = Shares(1, SHARE_WORK, SHARE_WORK**2, SHARE_WORK)

    def _chances(self, name: str, minute: float) -> float:
        is_off = name.startswith("a-3-9-") and minute >= 30
        is_dark = name.startswith("a-3-7-") and name not in SURVIVORS and minute >= 50
        if is_off or is_dark:
            return 0.0
        return 0.125 if name == HALVED and minute >= 10 else 0.25

    def _tip(self, at: float, height: int) -> TipSeen:
        """The second node is 200 ms later than the first, the template comes after 60 ms, and the last of
        the machines has its job 25 ms after that."""
        delays = {(ACCOUNT, name): 0.001 + 0.00024 * place for place, name in enumerate(self._names)}
        return TipSeen(bytes(32), height, {"hall-a": at - 1, "hall-b": at - 0.8}, at - 0.94, delays)

    def _take(self, seen: Observation) -> None:
        self.floor.observe("gateway-0", seen)
        for shares in seen.shares.values():
            for window in self.windows.values():
                window.add(seen.at, shares.work, shares.work_squared)
        for tip in seen.tips:
            self.losses.changed("gateway-0", tip, seen.at, self.floor.rate_of, self.floor.group_of)


def told(settings: Settings) -> FarmReport:
    story = Story(settings)
    at = story.run()
    glances = story.floor.glances()
    finance = story.treasurer.finance(
        farm_sums(glances),
        MARKET,
        at,
        kept_from_running(glances),
        story.ledger.savings(round(at * 1e6)),
    )
    per_hash = (NETWORK.subsidy_sats + 10_000_000) / NETWORK.work
    return farm_report(
        story.floor,
        glances,
        {label: window.estimate(at) for label, window in story.windows.items()},
        finance,
        lambda work: work * SHA256D_DIFFICULTY_1 / 2**256,
        None,
        round(at * 1e6),
        Losses(tuple(story.losses.changes), story.losses.sats_per_day(at, per_hash)),
    )


def example(directory: Path) -> Settings:
    path = directory / "engineroom.yaml"
    path.write_text(EXAMPLE.read_text("utf-8").replace(PLACEHOLDER_ADDRESS, ACCOUNT), "utf-8")
    return load(path, {"HALL_A_RPC_PASSWORD": "a", "HALL_B_RPC_PASSWORD": "b"})


def printed(report: FarmReport) -> Iterator[str]:
    """Lines for a terminal, without the spaces at their ends."""
    text = io.StringIO()
    print_farm(report, Console(file=text, width=130, highlight=False, color_system=None), show_all=False)
    return (line.rstrip() for line in text.getvalue().splitlines())


def shown() -> list[str]:
    """The document's first output of the command, without the lines that it leaves out."""
    document = DOCUMENT.read_text("utf-8")
    block = document.partition("$ engineroom farm -c engineroom.yaml\n")[2].partition("```")[0]
    return [line for line in block.splitlines() if line != "…"]


def test_the_document_shows_what_is_printed(tmp_path: Path) -> None:
    lines = printed(told(example(tmp_path)))  # an iterator: each line is looked for behind the one before
    documented = shown()
    assert len(documented) > 30
    for line in documented:
        assert line in lines, f"not printed, or not in this order: {line!r}"
