"""The instruments on real spool files: restart of their process, of a gateway; a memory that is bad."""

import asyncio
import importlib.metadata
import platform
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from config.farm_schema import FarmSettings
from config.metrics_schema import MetricsSettings
from config.schema import Settings
from pool.accounting.control import Refused
from pool.farm.observation import Observation
from pool.farm.pause_file import PauseFile
from pool.farm.pauses import Pause, begun
from pool.instruments.instruments import Instruments
from pool.instruments.links import Links
from pool.instruments.memory import FILE_NAME, VERSION, Memory, MemoryRefused
from pool.notices.notice import NodeBack, Notice
from pool.spool.frames import FRAME_VERSION, Frame, encode_block
from pool.spool.records import Instrument, JobMade, Joined, Left, Readings, Record, TemplateFacts
from pool.spool.segments import segment_path
from tests.pool.settings_building import settings_in
from tests.pool.spool.writing import DIFFICULTY, NAME, head, share

TEMPLATE = TemplateFacts(
    4, 100, 0x20000000, bytes(32), 0x207FFFFF, (2**222 - 1).to_bytes(32, "big"), 50, 0, ()
)
JOB = JobMade(3, "0a", 4, 0x20000000, b"", b"", None, None, 700)
DEFINITIONS: list[Record] = [NAME, DIFFICULTY, TEMPLATE, JOB, Instrument(5, "has_work", ())]
HAS_WORK = Readings((5,), (1.0,))
KEY = (NAME.account, NAME.worker)


class Gateway:
    """One process of a gateway: a segment that grows, a frame for each call."""

    def __init__(self, spool: Path, epoch: str, at: float, number: int = 0) -> None:
        self.folder = spool / f"gateway-{number}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = segment_path(self.folder, epoch, 1, 1)
        first = head(1, epoch=epoch, at_us=round(at * 1e6), definitions=DEFINITIONS)
        self.path.write_bytes(encode_block(first))
        self.number = 0

    def frame(self, at: float, *records: Record) -> None:
        self.number += 1
        made = Frame(FRAME_VERSION, self.number, self.number - 1, round(at * 1e6), 7, list(records))
        with self.path.open("ab") as file:
            file.write(encode_block(made))


def connect(gateway: Gateway, at: float, instruments: Instruments) -> None:
    """A machine comes to it, hands in a share and stays; the instruments have seen it."""
    gateway.frame(at, HAS_WORK, Joined(1, "cgminer/4.12"))
    gateway.frame(at + 1, share())
    gateway.frame(at + 2)
    instruments.look()
    assert instruments.desk.floor.members[KEY].is_connected


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    farm = FarmSettings(name_pattern="(?P<row>[a-z]+)")
    return settings_in(tmp_path, farm=farm, metrics=MetricsSettings(enabled=False))


async def life(instruments: Instruments) -> None:
    """It starts, looks around, and is ended."""
    task = asyncio.create_task(instruments.run())
    async with asyncio.timeout(10):
        while not instruments.desk.floor.members:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_next_process_knows_machines_and_connections_and_reads_on_at_its_mark(
    settings: Settings,
) -> None:
    spool, now = Path(settings.data_directory) / "spool", time.time()
    gateway = Gateway(spool, "a" * 16, now - 20)
    gateway.frame(now - 19, HAS_WORK, Joined(1, "cgminer/4.12"))
    for second in range(18, 0, -1):
        gateway.frame(now - second, share(nonce=second))
    await life(Instruments(settings, Links()))
    later = Instruments(settings, Links())
    member = later.desk.floor.members[KEY]
    assert member.connections == {"gateway-0": 1}
    before = later.desk.floor.rate_of(KEY)
    assert before > 0
    gateway.frame(now, Left(1))
    gateway.frame(now)
    gateway.frame(now)
    later.look()
    assert member.connections == {"gateway-0": 0}
    # eighteen shares were read, the last one's frame was synced since; a second time they would double it
    assert later.desk.floor.rate_of(KEY) == pytest.approx(before, rel=0.2)


async def test_a_gateways_next_process_has_none_of_the_connections_of_the_one_before(
    settings: Settings,
) -> None:
    spool, now = Path(settings.data_directory) / "spool", time.time()
    instruments = Instruments(settings, Links())
    connect(Gateway(spool, "f" * 16, now - 20), now - 15, instruments)
    second = Gateway(spool, "0" * 16, now - 5)
    second.frame(now - 4, HAS_WORK)
    second.frame(now - 3)
    instruments.look()
    assert not instruments.desk.floor.members[KEY].is_connected
    assert instruments.desk.floor.members[KEY].watch.state.value == "new", "it has its time to be back"


async def test_who_was_connected_to_a_gateway_that_is_gone_for_good_is_not_any_more(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Its machine is on the list: others are forgotten by then themselves."""
    caplog.set_level("INFO")
    (Path(settings.data_directory) / "machines.csv").write_text(
        "name,group,model,expected_ths,watts\nrig,a,,,\n"
    )
    farm = FarmSettings(inventory=str(Path(settings.data_directory) / "machines.csv"))
    settings = msgspec.structs.replace(settings, farm=farm)
    spool, now = Path(settings.data_directory) / "spool", time.time()
    instruments = Instruments(settings, Links())
    connect(Gateway(spool, "a" * 16, now - 86_500), now - 86_490, instruments)
    working = Gateway(spool, "b" * 16, now - 3, number=1)
    working.frame(now - 2, HAS_WORK)
    working.frame(now - 1)
    instruments.look()
    shown = {series: figure for series, figure in instruments._readings() if "0" in series[1][:1]}
    assert not any(name.startswith("gateway") for name, _ in shown), "it is not down, it is gone"
    assert shown["spool_bytes", ("0",)] > 0, "what it has left to be counted is not"
    assert shown["spool_age_seconds", ("0",)] > 86_000
    assert not instruments.desk.floor.members[KEY].is_connected
    assert "gateway 0 has written nothing for a day" in caplog.text


async def test_a_group_that_nobody_is_in_is_refused_with_those_that_it_may_be(settings: Settings) -> None:
    spool, now = Path(settings.data_directory) / "spool", time.time()
    gateway = Gateway(spool, "a" * 16, now - 20)
    instruments = Instruments(settings, Links())
    with pytest.raises(Refused, match="no machine is in 'rigs'; the nearest: all"):
        await instruments.farm("rigs")
    gateway.frame(now - 3, HAS_WORK, Joined(1, "cgminer/4.12"))
    gateway.frame(now - 2)
    instruments.look()
    with pytest.raises(Refused, match="no machine is in 'rigs'; the nearest: rig, all"):
        await instruments.farm("rigs")
    report = msgspec.json.decode(await instruments.farm("rig"))
    assert [line["name"] for line in report["machines"]] == ["rig"]


async def test_a_machine_that_is_gone_is_forgotten_when_its_operator_says_so_also_by_the_next_process(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    spool, now = Path(settings.data_directory) / "spool", time.time()
    instruments, gateway = Instruments(settings, Links()), Gateway(spool, "a" * 16, now - 20)
    connect(gateway, now - 15, instruments)
    with pytest.raises(Refused, match="'rig' is connected and would be here again: switch it off, or"):
        await instruments.forget(["rig"])
    gateway.frame(now - 10, Left(1))
    gateway.frame(now - 9)
    instruments.look()
    with pytest.raises(Refused, match="there is no machine 'rug': `engineroom farm --all` lists them"):
        await instruments.forget(["rig", "rug"])
    assert KEY in instruments.desk.floor.members, "all that are said, or none"
    assert await instruments.forget(["rig", "account.rig"]) is None
    assert not instruments.desk.floor.members
    assert "forgotten, as was said (1): account.rig" in caplog.text
    later = Instruments(settings, Links())
    later.look()
    assert not later.desk.floor.members, "it reads on behind the machine's last sign of life"


async def test_a_machine_that_is_listed_or_not_the_only_one_of_its_name_is_not_forgotten(
    settings: Settings,
) -> None:
    listed = Path(settings.data_directory) / "machines.csv"
    listed.write_text("name,group,model,expected_ths,watts\nspare,a,,,\n")
    instruments = Instruments(
        msgspec.structs.replace(settings, farm=FarmSettings(inventory=str(listed))), Links()
    )
    seen = Observation(time.time())
    seen.joined += [(("alice", "rig"), ""), (("bob", "rig"), "")]
    instruments.desk.floor.observe("gateway-0", seen)
    with pytest.raises(Refused, match="'spare' is in the inventory: take it out there, and start the pool"):
        await instruments.forget(["spare"])
    with pytest.raises(Refused, match=r"2 machines are called 'rig': say alice\.rig or bob\.rig"):
        await instruments.forget(["rig"])
    assert len(instruments.desk.floor.members) == 3


class UntilTheEnd(ThreadPoolExecutor):
    """What is under way may go on once the end has come."""

    def __init__(self) -> None:
        super().__init__(1)
        self.may_go_on = threading.Event()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        self.may_go_on.set()
        super().shutdown(wait=wait)


class Unhurried(Instruments):
    """Each look has a piece of news, and waits."""

    def __init__(self, settings: Settings, links: Links) -> None:
        super().__init__(settings, links)
        self.looks = asyncio.Semaphore(0)
        self._thread = UntilTheEnd()
        self.may_go_on = self._thread.may_go_on

    def look(self) -> None:
        super().look()
        self._news.append(NodeBack(at_us=1, node="home", down_us=0))
        self._loop.call_soon_threadsafe(self.looks.release)
        assert self.may_go_on.wait(10)


@asynccontextmanager
async def unhurried(settings: Settings, links: Links) -> AsyncIterator[Unhurried]:
    """In its first look, and with a machine that is gone. Ended when left."""
    gateway = Gateway(Path(settings.data_directory) / "spool", "a" * 16, time.time() - 20)
    gateway.frame(time.time() - 10, Joined(1, ""))
    gateway.frame(time.time() - 9, Left(1))
    gateway.frame(time.time() - 8)
    instruments = Unhurried(settings, links)
    running = asyncio.create_task(instruments.run())
    try:
        await asyncio.wait_for(instruments.looks.acquire(), 10)
        yield instruments
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_was_seen_is_told_before_it_is_remembered_with_who_was_forgotten(
    settings: Settings,
) -> None:
    """Else a crash between the two would tell it to nobody."""
    memory, remembered_before = Path(settings.data_directory) / FILE_NAME, []

    class Taker:
        def take(self, notice: Notice) -> None:
            remembered_before.append(memory.exists())

    async with unhurried(settings, Links(Taker())) as instruments:
        forgetting = asyncio.create_task(instruments.forget(["rig"]))
        await asyncio.sleep(0)
        instruments.may_go_on.set()
        # the loop waits here until all is done that was asked of the thread
        instruments._thread.submit(int).result(10)
        assert await asyncio.wait_for(forgetting, 10) is None
    assert remembered_before[0] is False


async def test_who_asks_while_the_instruments_end_is_refused(settings: Settings) -> None:
    async with unhurried(settings, Links()) as instruments:
        asked = asyncio.create_task(instruments.farm())
        await asyncio.sleep(0)
    with pytest.raises(Refused, match="the instruments are ending: ask again in a moment"):
        await asked
    with pytest.raises(Refused, match="the instruments are ending: ask again in a moment"):
        await instruments.forget(["rig"])


async def test_a_machine_that_is_paused_and_delivers_is_refused_for_what_it_is(settings: Settings) -> None:
    spool, now = Path(settings.data_directory) / "spool", time.time()
    instruments, gateway = Instruments(settings, Links()), Gateway(spool, "a" * 16, now - 20)
    connect(gateway, now - 15, instruments)
    PauseFile(Path(settings.data_directory)).change(lambda pauses: begun(pauses, Pause("all", 1)))
    instruments.look()
    with pytest.raises(
        Refused, match="'rig' is paused, and delivers: ask again a minute after it was switched"
    ):
        await instruments.forget(["rig"])


async def test_of_many_namesakes_some_are_told(settings: Settings) -> None:
    instruments = Instruments(settings, Links())
    seen = Observation(time.time())
    seen.joined += [((account, "rig"), "") for account in ("a", "b", "c", "d")]
    instruments.desk.floor.observe("gateway-0", seen)
    with pytest.raises(Refused) as refused:
        await instruments.forget(["rig"])
    assert str(refused.value) == (
        "4 machines are called 'rig': say a.rig or b.rig or c.rig, or whom else `engineroom farm --json` has"
    )


async def test_that_a_machine_is_forgotten_only_until_a_restart_is_said(settings: Settings) -> None:
    """The memory cannot be written: a folder is in the way."""
    spool, now = Path(settings.data_directory) / "spool", time.time()
    instruments, gateway = Instruments(settings, Links()), Gateway(spool, "a" * 16, now - 20)
    connect(gateway, now - 15, instruments)
    gateway.frame(now - 10, Left(1))
    gateway.frame(now - 9)
    instruments.look()
    (Path(settings.data_directory) / FILE_NAME).mkdir()
    trouble = await instruments.forget(["rig"])
    assert trouble is not None
    assert "directory" in trouble
    assert not instruments.desk.floor.members


async def test_a_memory_that_is_no_good_is_told_and_begins_anew(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(settings.data_directory) / FILE_NAME
    path.write_bytes(b"\x00" * 100)
    assert not Instruments(settings, Links()).desk.floor.members
    assert "damaged" in caplog.text


def test_a_memory_of_another_version_is_refused_by_its_number(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"\x81\xa7version" + bytes([VERSION + 1]))
    with pytest.raises(MemoryRefused, match=f"is of version {VERSION + 1}, and {VERSION} is read"):
        Memory(tmp_path).load()


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x81\xa7version" + bytes([VERSION]), b"\x00" * 4_096])
def test_a_memory_that_was_cut_or_zeroed_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(data)
    with pytest.raises(MemoryRefused, match="is damaged"):
        Memory(tmp_path).load()


def test_where_nothing_was_kept_there_is_no_memory(tmp_path: Path) -> None:
    assert Memory(tmp_path).load() is None


async def test_an_instrument_that_is_not_known_here_leaves_the_page_as_it_is(settings: Settings) -> None:
    """Of a gateway that is newer than this process, or in the memory of an older one."""
    gateway = Gateway(Path(settings.data_directory) / "spool", "f" * 16, time.time() - 20)
    gateway.frame(time.time() - 3, HAS_WORK, Instrument(6, "metric_of_tomorrow", ()), Readings((6,), (1.0,)))
    gateway.frame(time.time() - 2)
    instruments = Instruments(settings, Links())
    instruments.look()
    page = instruments._rendered().decode()
    assert 'engineroom_has_work{gateway="0"} 1.0' in page
    assert "tomorrow" not in page


async def test_what_a_long_stop_has_left_unread_is_read_in_portions(settings: Settings) -> None:
    """So that a page, or the end, does not wait for all of it."""
    gateway = Gateway(Path(settings.data_directory) / "spool", "f" * 16, time.time() - 4_000)
    for second in range(3_000):
        gateway.frame(time.time() - 3_500 + second, HAS_WORK)
    instruments = Instruments(settings, Links(), look_seconds=0.0)
    instruments.look()
    first = instruments._follower.marks[0].number
    instruments.look()
    second = instruments._follower.marks[0].number
    assert (first, second) == (1_000, 2_000)  # FRAMES_AT_ONCE


async def test_a_disk_that_cannot_be_read_is_asked_again_after_a_while_and_not_at_once(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Path(settings.data_directory) / "spool"
    segment_path(spool / "gateway-0", "a" * 16, 1, 1).mkdir(parents=True)  # a folder can be read by nobody
    instruments = Instruments(settings, Links())
    instruments.look()
    assert "Is a directory" in caplog.text
    assert not instruments._has_more


async def test_the_build_is_shown(settings: Settings) -> None:
    figures = dict(Instruments(settings, Links())._readings())
    version = importlib.metadata.version("engineroom")
    assert figures["build_info", (version, platform.python_version())] == 1.0


async def test_scrapes_that_come_together_share_a_page(settings: Settings) -> None:
    instruments = Instruments(settings, Links())
    task = asyncio.create_task(instruments.run())
    async with asyncio.timeout(10):
        first, second = await asyncio.gather(instruments._page(), instruments._page())
        assert first is second
        assert await instruments._page() is not first
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_page_waits_for_what_was_on_a_page_before_a_crash(settings: Settings) -> None:
    """The state is some seconds old then: Prometheus would take what is shown of it for a counter that began
    anew, and count everything twice."""
    spool, now = Path(settings.data_directory) / "spool", time.time()
    gateway = Gateway(spool, "a" * 16, now - 20)
    counter = Instrument(6, "shares_accepted", ())
    gateway.frame(now - 19, HAS_WORK, counter, Readings((6,), (100.0,)))
    for second in range(18, 0, -1):
        gateway.frame(now - second, Readings((6,), (118.0 - second,)))
    instruments = Instruments(settings, Links(), look_seconds=0.0)  # a look reads as little as it can
    page = asyncio.create_task(instruments._page())
    task = asyncio.create_task(instruments.run())
    async with asyncio.timeout(10):
        assert b"engineroom_shares_accepted_total" in await page
    assert b'engineroom_shares_accepted_total{gateway="0"} 116.0' in page.result(), (
        "the last frame that is synced"
    )
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_gateway_whose_record_clock_is_behind_is_up_while_its_frames_come(settings: Settings) -> None:
    """The wall clock was set forward by ten minutes, and record time follows by a second in a hundred."""
    spool, behind = Path(settings.data_directory) / "spool", time.time() - 600
    gateway = Gateway(spool, "a" * 16, behind - 20)
    instruments = Instruments(settings, Links())
    connect(gateway, behind - 5, instruments)
    gateway.frame(behind - 1, share())
    gateway.frame(behind)
    instruments.look()
    shown = dict(instruments._readings())
    assert shown["gateway_up", ("0",)] == 1.0
    assert shown["has_work", ("0",)] == 1.0
    floor = instruments.desk.floor
    assert floor.unix_us(floor.time) / 1e6 == pytest.approx(behind, abs=2), "time goes on as they say"


async def test_of_a_gateway_that_is_down_nothing_is_shown_but_what_it_has_counted(settings: Settings) -> None:
    spool, now = Path(settings.data_directory) / "spool", time.time()
    gateway = Gateway(spool, "a" * 16, now - 80)
    counter = Instrument(6, "shares_accepted", ())
    gateway.frame(now - 70, HAS_WORK, counter, Readings((6,), (7.0,)))
    gateway.frame(now - 69)
    instruments = Instruments(settings, Links())
    instruments.look()
    shown = dict(instruments._readings())
    assert shown["gateway_up", ("0",)] == 0.0
    assert shown["shares_accepted", ("0",)] == 7.0
    assert ("has_work", ("0",)) not in shown
