"""The accountant's process without its database: what the instruments see is told all the same, and once."""

import time
from pathlib import Path

import pytest

from config.loading import load
from pool.accounting.control import INSTRUMENTS_SOCKET, ask
from pool.instruments.board import Board
from pool.instruments.farm_desk import FarmDesk
from pool.instruments.herald import HeraldMemory
from pool.instruments.memory import Memory
from pool.spool.frames import FRAME_VERSION, Frame, encode_block
from pool.spool.records import Instrument, Readings
from pool.spool.segments import segment_path
from tests.harness.accountant import RunningAccountant
from tests.harness.litecoind import free_ports
from tests.pool.notices.receiving import KEY, Answer, Receiver
from tests.pool.spool.writing import EPOCH, SOURCE, head

SETTINGS = """\
coin: bitcoin
network: regtest
data_directory: data
database: postgresql://engineroom@127.0.0.1:{port}/none
payout: {{scheme: pplns, address: bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080}}
metrics: {{enabled: false}}
nodes: [{{name: home, url: 'http://127.0.0.1:1', cookie_file: cookie}}]
notifications: [{{name: own, kind: webhook, url: 'http://127.0.0.1:{receiver}/hook', secret_file: key}}]
"""
LONG_US = 120_000_000  # more than the minute that trouble has to last
HEALTHY = Instrument(1, "node_healthy", ("home",))
TROUBLED = Instrument(2, "node_trouble", ("home", "unreachable"))
DOWN, BACK = Readings((1, 2), (0.0, 1.0)), Readings((1, 2), (1.0, 0.0))


class Pool:
    """A gateway's spool, and the accountant of a pool whose PostgreSQL is not there."""

    def __init__(self, directory: Path, receiver: Receiver) -> None:
        (directory / "key").write_text(KEY)
        self.settings_file = directory / "engineroom.yaml"
        [port] = free_ports(1)
        self.settings_file.write_text(SETTINGS.format(port=port, receiver=receiver.port))
        self._data = directory / "data"
        self._number = 0
        self._segment = segment_path(self._data / "spool" / SOURCE, EPOCH, 1, 1)
        self._segment.parent.mkdir(parents=True)
        began = head(1, at_us=time.time_ns() // 1000, definitions=[HEALTHY, TROUBLED])
        self._segment.write_bytes(encode_block(began))

    def was_troubled_since(self, at_us: int) -> None:
        """So the last accountant's instruments have seen it, and told nobody yet."""
        now = time.time()
        desk = FarmDesk(load(self.settings_file), now, None).export()
        herald = HeraldMemory(troubled={"home": (at_us, "unreachable")})
        Memory(self._data).save([], Board(now).export(), desk, herald)

    def shows(self, readings: Readings) -> None:
        """In a frame of now, which the next one says is durable."""
        with self._segment.open("ab") as file:
            for records in ([readings], []):
                self._number += 1
                at_us = time.time_ns() // 1000
                frame = Frame(FRAME_VERSION, self._number, self._number - 1, at_us, 7, list(records))
                file.write(encode_block(frame))

    async def has_been_looked_at(self) -> None:
        """By instruments that are at work: they answer behind the look before."""
        await ask(self._data, "farm", socket_name=INSTRUMENTS_SOCKET)


@pytest.mark.parametrize("ends", ["stop", "kill"])
async def test_a_node_that_is_down_is_told_without_a_database_and_over_a_restart(
    tmp_path: Path, ends: str
) -> None:
    async with Receiver() as receiver:
        pool = Pool(tmp_path, receiver)
        down_us = time.time_ns() // 1000 - LONG_US
        pool.was_troubled_since(down_us)
        receiver.answers["/hook"] = [Answer(500)]
        async with RunningAccountant(pool.settings_file) as accountant:
            await accountant.says("the accounts cannot be opened yet")
            pool.shows(DOWN)
            assert (await receiver.next("/hook")).json["id"] == f"node_down:home:{down_us}"
            await (accountant.stop() if ends == "stop" else accountant.kill())
            while receiver.count("/hook"):  # it may have tried again meanwhile
                await receiver.next("/hook")

            receiver.answers["/hook"] = [Answer(200)]
            seen = len(accountant.log)
            await accountant.start()
            pool.shows(DOWN)
            assert (await receiver.next("/hook")).json["id"] == f"node_down:home:{down_us}"
            await accountant.says("the accounts cannot be opened yet", after=seen)
            await pool.has_been_looked_at()
            pool.shows(BACK)
            assert (await receiver.next("/hook")).json["id"] == f"node_back:home:{down_us}"
            assert await accountant.stop() == 0

            pool.shows(BACK)
            seen = len(accountant.log)
            await accountant.start()
            await accountant.says("the accounts cannot be opened yet", after=seen)
            await pool.has_been_looked_at()
            assert await accountant.stop() == 0
        assert receiver.count("/hook") == 0, "nothing is told twice"
