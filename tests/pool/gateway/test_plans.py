"""The plan in force: the accountant's while it is there, less and less of it while it is not."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from payouts.plan import Payee, Plan, seal, sole
from pool.gateway.block_files import BLOCKS, BlockFiles, Folder, FoundBlock, SavedBlock
from pool.gateway.block_wins import MARGIN_SECONDS
from pool.gateway.plan_file import publish_plan
from pool.gateway.plans import SILENT_SECONDS, PlanHolder, Standing
from tests.pool.node.recording import eventually

MINER, POOL = (b"\x00\x14" + bytes([n]) * 20 for n in range(2))
POOL_PLAN = sole(POOL)
AGE_SECONDS = 600.0
UNIX = 1_700_000_000.0


def plan(generation: int, carry_over_sats: int = 500) -> Plan:
    payees = (Payee(MINER, 1, "miner", carry_over_sats),)
    return Plan(payees=payees, custody=POOL, generation=generation)


class Found:
    """Files of found blocks, as the submitter leaves them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._files = BlockFiles(directory)

    def block(self, generation: int, folder: Folder = Folder.PENDING, **facts: Any) -> Path:
        found = FoundBlock(
            network="bitcoin regtest",
            block_hash=f"{generation:064x}",
            height=generation,
            reward_sats=1,
            transactions=1,
            job_id="a",
            user="miner",
            account="miner",
            worker="",
            found_at=UNIX,
            crosses_time_edge=False,
            **({"plan_id": "ab" * 32, "plan_generation": generation} | facts),
        )
        saved = SavedBlock(found=found, block="00")
        path = self._files.save(saved)
        return path if folder is Folder.PENDING else self._files.settle(saved, folder)


class Place:
    """A data directory with its clocks, and the holders that are started in it one after another."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "plan.json"
        self.won_file = directory / "won.json"
        self.files = Found(directory)
        self.now = 1000.0

    def holder(self) -> PlanHolder:
        return PlanHolder(
            self.file,
            self.won_file,
            self.files.directory / BLOCKS,
            POOL_PLAN,
            plan_age_seconds=AGE_SECONDS,
            now=lambda: self.now,
            unix_now=lambda: UNIX + self.now,
        )

    def publish(self, one: Plan, written_at: float | None = None) -> None:
        """As the accountant does; the file's time is the test's."""
        publish_plan(self.file, one)
        at = UNIX + (self.now if written_at is None else written_at)
        os.utime(self.file, (at, at))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_without_any_plan_the_pools_address_is_paid(place: Place) -> None:
    holder = place.holder()
    assert holder.current() is POOL_PLAN
    await holder.refresh()
    assert holder.standing is Standing.POOL


async def test_the_first_start_of_all_is_no_alarm_until_a_minute_is_over(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    holder = place.holder()
    await holder.refresh()
    await holder.refresh()
    assert [record.levelno for record in caplog.records] == [logging.INFO]
    place.now += SILENT_SECONDS
    await holder.refresh()
    await holder.refresh()
    assert [record.levelno for record in caplog.records] == [logging.INFO, logging.ERROR]


async def test_the_accountants_newest_plan_is_paid_by(place: Place) -> None:
    place.publish(plan(1))
    holder = place.holder()
    assert holder.current() == plan(1)
    place.publish(plan(2))
    assert holder.current() == plan(1), "nothing is read but in refresh"
    await holder.refresh()
    assert holder.current() == plan(2)


async def test_a_win_strips_its_generation_and_older_ones_until_a_newer_one_comes(place: Place) -> None:
    place.publish(plan(5))
    holder = place.holder()
    holder.won(5)
    assert holder.current() == plan(5).stripped
    place.publish(plan(5, carry_over_sats=400))  # newer weights, the same carry-over to the generation
    await holder.refresh()
    assert holder.current() == plan(5, carry_over_sats=400).stripped
    place.publish(plan(4))
    await holder.refresh()
    assert holder.current() == plan(4).stripped
    place.publish(plan(6))
    await holder.refresh()
    assert holder.current() == plan(6)


async def test_a_late_win_of_an_older_generation_leaves_a_newer_plan_whole(place: Place) -> None:
    place.publish(plan(6))
    holder = place.holder()
    holder.won(5)
    assert holder.current() == plan(6)
    holder.won(7)
    holder.won(6)
    place.publish(plan(7))
    await holder.refresh()
    assert holder.current() == plan(7).stripped


async def test_a_win_is_remembered_through_a_restart(place: Place) -> None:
    place.publish(plan(5))
    holder = place.holder()
    task = asyncio.create_task(holder.run())
    await eventually(lambda: holder.standing is Standing.WHOLE)
    holder.won(5)
    await eventually(place.won_file.exists)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert place.holder().current() == plan(5).stripped
    place.publish(plan(6))
    assert place.holder().current() == plan(6)


@pytest.mark.parametrize("folder", [Folder.PENDING, Folder.ACCEPTED, Folder.SIDE_BRANCH])
async def test_a_win_that_a_kill_kept_from_being_noted_is_in_the_blocks_file(
    place: Place, folder: Folder
) -> None:
    place.publish(plan(5))
    assert place.holder().standing is Standing.WHOLE
    place.files.block(5, folder)
    assert place.holder().current() == plan(5).stripped
    place.publish(plan(6))
    assert place.holder().current() == plan(6)


async def test_a_win_that_is_only_in_a_blocks_file_is_noted_for_good(place: Place) -> None:
    place.publish(plan(5))
    path = place.files.block(5)
    await place.holder().refresh()
    path.unlink()
    assert place.holder().current() == plan(5).stripped


async def test_decided_blocks_from_long_before_the_note_are_not_read_again(place: Place) -> None:
    place.publish(plan(9))
    place.won_file.write_bytes(b'{"version":1,"generation":4}')
    noted_at = place.won_file.stat().st_mtime
    for generation, seconds_before in ((9, 2 * MARGIN_SECONDS), (8, MARGIN_SECONDS / 2)):
        path = place.files.block(generation, Folder.ACCEPTED)
        os.utime(path, (noted_at - seconds_before, noted_at - seconds_before))
    assert place.holder().current() == plan(9), "9 is old news, told by the note if it were true"
    place.publish(plan(8))
    assert place.holder().current() == plan(8).stripped
    os.utime(place.files.block(9), (0, 0))  # one that waits for a verdict is read whatever its age
    place.publish(plan(9))
    assert place.holder().current() == plan(9).stripped


async def test_a_blocks_file_that_tells_no_generation_is_taken_for_a_win(place: Place) -> None:
    place.publish(plan(5))
    path = place.files.block(1, plan_generation=0)  # as an earlier version wrote it
    assert place.holder().current() == plan(5).stripped
    path.write_bytes(b'{"found": {"plan_id":')
    assert place.holder().current() == plan(5).stripped
    path.unlink()
    place.files.block(1, plan_id=None, plan_generation=0)  # a solo block has no plan
    assert place.holder().current() == plan(5)


async def test_a_damaged_memory_of_wins_is_taken_for_a_win(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.publish(plan(5))
    for damaged in (b"", b'{"version":1,"gener', b'{"version":2,"generation":1}'):
        place.won_file.write_bytes(damaged)
        assert place.holder().current() == plan(5).stripped
    assert "won.json cannot be read" in caplog.text
    place.publish(plan(6))
    holder = place.holder()
    place.publish(plan(7))
    await holder.refresh()
    assert holder.current() == plan(7)


async def test_a_silent_accountants_last_plan_is_stripped_and_after_a_while_not_used(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.publish(plan(5))
    holder = place.holder()
    started_at = place.now
    steps = [
        (SILENT_SECONDS - 0.1, plan(5)),
        (SILENT_SECONDS, plan(5).stripped),
        (AGE_SECONDS - 0.1, plan(5).stripped),
        (AGE_SECONDS, POOL_PLAN),
    ]
    for seconds, expected in steps:
        place.now = started_at + seconds
        await holder.refresh()
        assert holder.current() == expected
    alarms = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert alarms == [Standing.SILENT.value, Standing.POOL.value], "each is said once"


async def test_the_same_plan_written_again_is_a_sign_of_life(place: Place) -> None:
    place.publish(plan(5))
    holder = place.holder()
    first = holder.current()
    for _ in range(20):
        place.now += SILENT_SECONDS - 1
        place.publish(plan(5))
        await holder.refresh()
    assert holder.current() is first, "not read anew"


async def test_a_plan_that_was_old_at_the_start_is_old(place: Place) -> None:
    place.publish(plan(5), written_at=place.now - SILENT_SECONDS)
    assert place.holder().standing is Standing.SILENT
    place.publish(plan(5), written_at=place.now - AGE_SECONDS)
    assert place.holder().standing is Standing.POOL
    place.publish(plan(5), written_at=place.now + 9999)  # the clock was set back
    assert place.holder().standing is Standing.WHOLE


async def test_a_damaged_file_is_no_news_and_the_last_plan_stands(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.publish(plan(5))
    holder = place.holder()
    place.file.write_bytes(seal(plan(6)).replace(b"500", b"900"))
    place.now += SILENT_SECONDS
    await holder.refresh()
    await holder.refresh()
    assert holder.current() == plan(5).stripped
    assert caplog.text.count("the plan is damaged") == 1
    place.file.unlink()
    await holder.refresh()
    assert holder.current() == plan(5).stripped
    place.publish(plan(6))
    await holder.refresh()
    assert holder.current() == plan(6)


async def test_a_win_that_cannot_be_written_down_is_tried_again_and_complained_of_once(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.publish(plan(5))
    place.won_file.mkdir()  # a file cannot take its place
    holder = place.holder()
    holder.won(6)
    await holder.refresh()
    await holder.refresh()
    assert holder.current() == plan(5).stripped
    assert caplog.text.count("cannot be written") == 1
    place.won_file.rmdir()
    await holder.refresh()
    assert msgspec.json.decode(place.won_file.read_bytes()) == {"version": 1, "generation": 6}
