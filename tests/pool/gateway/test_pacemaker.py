"""The spool in time: writes are synced and told of soon, a frame comes every second, the end is told."""

import asyncio
import threading
from pathlib import Path

from pool.gateway.recording import Recording
from pool.spool.frames import Frame
from pool.spool.records import Closing, Joined
from pool.spool.segments import newest_epoch
from pool.spool.tail import SourceTail
from stratum import events
from tests.builders import make_job
from tests.pool.gateway.failing_disk import FailingDisk

WORKER = events.Worker("account", b"\x51", "rig")


class Pace:
    """A recording with its pacemaker beating, and a reader as the accountant is one."""

    def __init__(self, directory: Path, disk: FailingDisk | None = None) -> None:
        self.disk = disk or FailingDisk()
        self.recording = Recording(directory, 0, "bitcoin regtest", disk=self.disk)
        self.committed: list[bool] = []
        self.pacemaker = self.recording.pacemaker(self.commit)
        self.directory = directory / "spool" / "gateway-0"
        self.tail: SourceTail | None = None

    def commit(self) -> None:
        self.committed.append(self.recording.recorder.commit())

    def record_something(self) -> None:
        """What must be written at once: a new job."""
        self.recording.recorder.record([events.Joined(WORKER, "agent")])
        self.recording.recorder.job_made(make_job())
        self.commit()

    async def applied(self, kind: type) -> Frame:
        """The first durable frame with a record of this kind."""
        async with asyncio.timeout(5):
            while True:
                if self.tail is None and (epoch := newest_epoch(self.directory)) is not None:
                    self.tail = SourceTail(self.directory, epoch)
                for delivery in self.tail.poll() if self.tail else []:
                    if any(isinstance(record, kind) for record in delivery.frame.records):
                        return delivery.frame
                await asyncio.sleep(0.002)


async def test_what_is_written_is_synced_and_readers_are_told_without_further_traffic(tmp_path: Path) -> None:
    pace = Pace(tmp_path)
    pace.record_something()
    assert (await pace.applied(Joined)).number == 1
    # one frame tells of the other; nothing tells of that one, or it would go on for ever
    frames = pace.recording.spool.next_number
    assert frames == 3
    await pace.pacemaker.close()


async def test_a_frame_comes_every_second_however_little_there_is_to_say(tmp_path: Path) -> None:
    pace = Pace(tmp_path)
    beating = asyncio.create_task(pace.pacemaker.run())
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(10):
        while pace.recording.spool.next_number < 4:
            await asyncio.sleep(0.01)
    assert asyncio.get_running_loop().time() - began <= 3.5
    await pace.pacemaker.close()
    await beating


async def test_a_clean_end_is_told_of_and_nothing_is_written_behind_it(tmp_path: Path) -> None:
    pace = Pace(tmp_path)
    pace.record_something()
    await pace.pacemaker.close()
    closing = await pace.applied(Closing)
    assert closing.number == 2
    assert pace.recording.spool.next_number == 4, "the frame that calls the closing one synced"
    pace.recording.recorder.job_made(make_job(job_id="2"))
    pace.commit()
    assert pace.committed[-1] is False
    assert pace.recording.spool.next_number == 4


async def test_after_a_failed_sync_it_tries_again_until_all_is_synced(tmp_path: Path) -> None:
    disk = FailingDisk()
    disk.sync_failures = 1
    pace = Pace(tmp_path, disk)
    pace.record_something()
    assert (await pace.applied(Joined)).number == 1
    assert pace.recording.alarms.active == {}
    await pace.pacemaker.close()


class HangingDisk(FailingDisk):
    """Its syncs wait for the gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def sync(self, descriptor: int) -> None:
        assert self.gate.wait(20)
        super().sync(descriptor)


async def test_a_sync_that_hangs_holds_up_no_frame(tmp_path: Path) -> None:
    disk = HangingDisk()
    pace = Pace(tmp_path, disk)
    beating = asyncio.create_task(pace.pacemaker.run())
    pace.record_something()
    async with asyncio.timeout(10):
        while pace.recording.spool.next_number < 4:
            await asyncio.sleep(0.01)
    assert pace.recording.spool.durable_through == 0
    disk.gate.set()
    assert (await pace.applied(Joined)).number == 1
    await pace.pacemaker.close()
    await beating
