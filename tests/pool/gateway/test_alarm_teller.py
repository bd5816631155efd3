"""A gateway's alarms, told past its spool: over the real socket to the instruments, forgotten in time."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from config.metrics_schema import MetricsSettings
from config.schema import Settings
from pool.accounting.control import INSTRUMENTS_SOCKET, LONGEST_ANSWER_BYTES, ControlSocket, Refused, ask
from pool.gateway.alarm_teller import AlarmTeller
from pool.gateway.alarms import Alarm, Alarms
from pool.instruments.alarms_told import HEARD_SECONDS, AlarmsTold
from pool.instruments.instruments import Instruments
from pool.instruments.keeper import InstrumentKeeper
from pool.instruments.links import Links
from tests.pool.settings_building import settings_in


@pytest.fixture
def settings(short_path: Path) -> Settings:
    return settings_in(short_path, metrics=MetricsSettings(enabled=False))


class Listening:
    """Instruments that hear what is told, and the directory of both."""

    def __init__(self, settings: Settings) -> None:
        self.directory = Path(settings.data_directory)
        self.made: list[Instruments] = []
        self.keeper = InstrumentKeeper(settings, self._make)
        self.heard = asyncio.Event()

    def _make(self, settings: Settings, links: Links) -> Instruments:
        self.made.append(Instruments(settings, links))
        return self.made[-1]

    async def alarms(self, source: str, alarms: list[str]) -> None:
        await self.keeper.alarms(source, alarms)
        self.heard.set()


@asynccontextmanager
async def listening(settings: Settings) -> AsyncIterator[Listening]:
    there = Listening(settings)
    control = ControlSocket(there.directory / INSTRUMENTS_SOCKET, {"alarms": there.alarms})
    await control.open()
    keeping = asyncio.create_task(there.keeper.run())
    try:
        yield there
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await control.close()


async def test_a_spool_that_does_not_sync_is_named_though_nothing_of_it_can_be_read(
    settings: Settings,
) -> None:
    alarms = Alarms()
    async with listening(settings) as there:
        teller = AlarmTeller(there.directory, "gateway-0", alarms, tell_seconds=0.01)
        telling = asyncio.create_task(teller.run())
        alarms.raised(Alarm.SYNC, "the disk does not sync")
        async with asyncio.timeout(10):
            await there.heard.wait()
        health = await there.made[0].health()
        assert health.checks["spool"].cause == "a gateway's spool has the alarms spool-sync: see its log"
        shown = dict(there.made[0]._readings())
        assert shown["alarm", ("0", "spool-sync")] == 1.0
        assert shown["alarm", ("0", "spool-write")] == 0.0
        alarms.over(Alarm.SYNC)
        async with asyncio.timeout(10):
            while dict(there.made[0]._readings())["alarm", ("0", "spool-sync")]:
                there.heard.clear()
                await there.heard.wait()
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def test_where_nobody_listens_the_gateway_goes_on(settings: Settings) -> None:
    alarms = Alarms()
    alarms.raised(Alarm.FULL, "full")
    teller = AlarmTeller(Path(settings.data_directory), "gateway-0", alarms, tell_seconds=0.001)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(teller.run(), 0.1)


async def test_an_answer_that_is_none_does_not_end_the_gateway(settings: Settings) -> None:
    """Of a program that is not Engineroom's, and of one whose answer has no end."""
    answers = iter((b"HTTP/1.1 400 Bad Request\r\n", b"x" * (LONGEST_ANSWER_BYTES + 1), b'{"result": 1}\n'))
    asked = asyncio.Queue[bytes]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.put_nowait(await reader.readline())
        writer.write(next(answers, b""))
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    directory, alarms = Path(settings.data_directory), Alarms()
    server = await asyncio.start_unix_server(answer, directory / INSTRUMENTS_SOCKET)
    alarms.raised(Alarm.FULL, "full")
    telling = asyncio.create_task(AlarmTeller(directory, "gateway-0", alarms, tell_seconds=0.01).run())
    async with server:
        async with asyncio.timeout(10):
            for _ in range(4):  # once more than there are answers
                await asked.get()
        assert not telling.done()
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def test_an_alarm_that_is_none_is_refused(settings: Settings) -> None:
    async with listening(settings) as there:
        with pytest.raises(Refused, match="'fire' is not a valid Alarm"):
            await ask(
                there.directory,
                "alarms",
                socket_name=INSTRUMENTS_SOCKET,
                source="gateway-0",
                alarms=["fire"],
            )


def test_what_is_not_said_again_is_not_believed_for_long() -> None:
    told, now = AlarmsTold(), time.monotonic()
    told.take("gateway-0", ["spool-write"], now)
    assert told.at(now + HEARD_SECONDS - 0.1) == {"gateway-0": {Alarm.WRITE}}
    assert told.at(now + HEARD_SECONDS) == {}
