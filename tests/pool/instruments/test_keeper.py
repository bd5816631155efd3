"""The instruments beside the accounts: they may fail without them, and tell people without them."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from config.loading import load
from config.schema import Settings
from pool.accounting.control import Refused
from pool.instruments.account_figures import AccountFigures
from pool.instruments.instruments import Instruments
from pool.instruments.keeper import InstrumentKeeper
from pool.instruments.links import Links
from pool.notices.notice import NodeDown, Notice

SETTINGS = """\
coin: bitcoin
network: regtest
data_directory: data
payout: {scheme: pplns, address: bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080}
metrics: {enabled: false}
nodes: [{name: home, url: 'http://127.0.0.1:1', cookie_file: cookie}]
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "engineroom.yaml"
    path.write_text(SETTINGS)
    (tmp_path / "data").mkdir()
    return load(path, {})


class Broken(Instruments):
    """Fails in its first look."""

    def look(self) -> list[Notice]:
        raise KeyError("a bug")


class Teller:
    def __init__(self) -> None:
        self.told: list[Notice] = []

    def take(self, notice: Notice) -> None:
        self.told.append(notice)


def down(number: int) -> NodeDown:
    return NodeDown(at_us=number, node="home", reason="unreachable")


async def test_a_bug_sets_the_memory_aside_and_the_next_ones_work(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    data = Path(settings.data_directory)
    made: list[Instruments] = []
    second = asyncio.Event()

    def make(settings: Settings, links: Links) -> Instruments:
        made.append((Instruments if made else Broken)(settings, links))
        if len(made) == 2:
            second.set()
        return made[-1]

    keeper = InstrumentKeeper(settings, make, pause_seconds=0.0)
    running = asyncio.create_task(keeper.run())
    await asyncio.wait_for(second.wait(), 10)
    assert not msgspec.json.decode(await keeper.farm())["machines"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert "the instruments have failed by a bug" in caplog.text
    assert "KeyError: 'a bug'" in caplog.text
    assert (data / "instruments.failed").exists()
    assert (data / "instruments.state").exists(), "of the second ones"


async def test_a_bug_that_comes_with_the_end_does_not_hold_it_up(settings: Settings) -> None:
    running = asyncio.Event()

    class BrokenAtTheEnd(Instruments):
        async def run(self) -> None:
            try:
                running.set()
                await asyncio.Event().wait()
            finally:
                raise KeyError("a bug")

    task = asyncio.create_task(InstrumentKeeper(settings, BrokenAtTheEnd, pause_seconds=3_600).run())
    await asyncio.wait_for(running.wait(), 10)
    task.cancel()
    await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 10)


async def test_between_two_instruments_the_farm_is_refused_in_one_line(settings: Settings) -> None:
    with pytest.raises(Refused, match="started anew"):
        await InstrumentKeeper(settings).farm()


def test_what_is_to_be_told_waits_for_no_accounts() -> None:
    teller = Teller()
    links = Links(teller)
    links.take(down(1))
    assert teller.told == [down(1)]
    links.opened(AccountFigures())
    links.take(down(2))
    assert teller.told == [down(1), down(2)]


def test_where_nobody_is_to_be_told_nothing_is() -> None:
    Links().take(down(1))
