"""The spool's writer: what is written is read back, once, through full disks, failing syncs and restarts."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pool.gateway.alarms import Alarms
from pool.gateway.recovery import Resumption, lock_spool, recover
from pool.gateway.space import Space, SpaceLimits
from pool.gateway.spool import Spool, SpoolLimits
from pool.spool.frames import Frame, SpoolDamaged, SpoolError
from pool.spool.records import Left
from pool.spool.segments import segments_of
from pool.spool.tail import Delivery, SourceTail
from tests.pool.gateway.failing_disk import FailingDisk
from tests.pool.spool.writing import NAME, NETWORK

EPOCH_BYTES = bytes(range(8))
EPOCH = EPOCH_BYTES.hex()


class Writer:
    """A spool in a directory, with a clock that moves by hand; `sync` is what the thread does."""

    def __init__(self, directory: Path, **limits: float) -> None:
        self.directory = directory / "spool" / "gateway-0"
        self.disk = FailingDisk()
        self.alarms = Alarms()
        self.now = 0.0
        self.limits = SpoolLimits(**limits)  # type: ignore[arg-type]
        self.open()

    def open(self, epoch_bytes: bytes = EPOCH_BYTES) -> Resumption:
        self.directory.mkdir(parents=True, exist_ok=True)
        resumption = recover(self.directory, NETWORK, epoch_bytes)
        self.space = Space(self.directory, self.disk, self.alarms, SpaceLimits(reserve_bytes=10_000))
        self.space.open()
        self.spool = Spool(
            self.directory,
            NETWORK,
            resumption,
            self.disk,
            self.space,
            self.alarms,
            lambda: self.now,
            self.limits,
        )
        return resumption

    def write(self, name: int = 1, *, defines: bool = False, is_urgent: bool = False) -> bool:
        return self.spool.write([NAME] if defines else [], [Left(name)], 5, 9, is_urgent=is_urgent)

    def sync(self) -> bool:
        job = self.spool.sync_job()
        if job is None:
            return False
        try:
            job.run(self.disk)
        except OSError as error:
            self.spool.sync_failed(error)
            return False
        self.spool.synced(job)
        return True

    def read(self, mark: int = 0, *, is_over: bool = True) -> list[Delivery]:
        """All whole frames, durable or not, unless told that somebody still writes."""
        tail = SourceTail(self.directory, self.spool.epoch, mark, is_over=is_over)
        deliveries: list[Delivery] = []
        while ready := tail.poll():
            deliveries += ready
        return deliveries

    def frames(self) -> list[Frame]:
        return [delivery.frame for delivery in self.read()]

    def numbers(self) -> list[int]:
        return [frame.number for frame in self.frames()]

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.glob("*.frames*"))


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path)


def test_frames_are_numbered_from_one_and_say_what_is_synced(writer: Writer) -> None:
    assert writer.write()
    assert writer.write()
    assert writer.sync()
    assert writer.write()
    assert [(f.number, f.durable_through, f.at_us, f.extranonce_next) for f in writer.frames()] == [
        (1, 0, 5, 9),
        (2, 0, 5, 9),
        (3, 2, 5, 9),
    ]
    assert [d.frame.number for d in writer.read(is_over=False)] == [1, 2], "what an accountant may apply"


def test_a_sync_covers_what_was_written_before_it_and_no_more(writer: Writer) -> None:
    writer.write()
    job = writer.spool.sync_job()
    assert job is not None
    writer.write()
    job.run(writer.disk)
    writer.spool.synced(job)
    assert writer.spool.durable_through == 1
    assert writer.spool.is_dirty


def test_a_new_segments_name_is_synced_once_with_its_first_frames(writer: Writer) -> None:
    writer.write()
    writer.sync()
    writer.write()
    writer.sync()
    assert (writer.disk.synced_files, writer.disk.synced_directories) == (2, 1)
    assert writer.spool.sync_job() is None, "nothing was written since"


def test_a_segment_ends_by_size_and_the_next_one_reads_alone(tmp_path: Path) -> None:
    writer = Writer(tmp_path, segment_bytes=300)
    vocabularies = set()
    for _ in range(20):
        writer.write(defines=True)
        vocabularies.add(writer.spool.vocabulary)
    assert writer.numbers() == list(range(1, 21))
    assert len(writer.files) > 2
    assert len(vocabularies) == len(writer.files), "definitions are void with each new segment"


def test_a_segment_ends_by_age(tmp_path: Path) -> None:
    writer = Writer(tmp_path, segment_seconds=60)
    writer.write()
    writer.now = 59.0
    writer.spool.let_time_pass()
    writer.write()
    assert len(writer.files) == 1
    writer.now = 60.0
    writer.spool.let_time_pass()
    writer.write()
    writer.write()
    assert len(writer.files) == 2
    assert writer.numbers() == [1, 2, 3, 4]


# ---------------------------------------------------------------------- writes that fail


def test_after_a_short_write_the_same_frame_stands_in_a_fresh_segment(writer: Writer) -> None:
    writer.write(defines=True)
    first = writer.directory / writer.files[0]
    sound_bytes = first.stat().st_size
    writer.disk.next_write_takes = 5
    assert writer.write()
    assert first.stat().st_size == sound_bytes, "cut back to the frame's start"
    assert writer.numbers() == [1, 2]
    assert writer.read(1)[0].dictionary.name(1) == NAME, "the fresh segment knows what the frame may use"


@pytest.mark.parametrize("fails_truncate", [False, True])
def test_after_a_failed_write_the_same_frame_stands_in_a_fresh_segment(
    writer: Writer, fails_truncate: bool
) -> None:
    writer.write()
    writer.disk.failing = {writer.directory / writer.files[0]}
    writer.disk.fails_truncate = fails_truncate
    assert writer.write()
    assert writer.write()
    assert writer.numbers() == [1, 2, 3]
    assert writer.sync()
    assert writer.spool.durable_through == 3


def test_a_torn_frame_that_cannot_be_cut_off_is_passed_over(writer: Writer) -> None:
    writer.write()
    writer.disk.next_write_takes = 9
    writer.disk.fails_truncate = True
    assert writer.write()
    assert writer.numbers() == [1, 2]


def test_on_a_full_disk_a_frame_is_refused_whole_and_writing_goes_on_as_soon_as_it_can(
    writer: Writer,
) -> None:
    writer.write(1)
    writer.disk.room = 20
    vocabulary = writer.spool.vocabulary
    assert not writer.write(2)
    assert writer.spool.vocabulary != vocabulary, "its definitions are void as well"
    assert "spool-write" in writer.alarms.active
    writer.now += 1
    assert not writer.write(2)
    writer.disk.room = None
    assert not writer.write(2), "not tried again at once"
    writer.now += 1
    assert writer.write(3)
    assert "spool-write" not in writer.alarms.active
    assert [frame.records for frame in writer.frames()] == [[Left(1)], [Left(3)]]
    assert writer.numbers() == [1, 2]


def test_a_refused_frame_leaves_no_file_behind(writer: Writer) -> None:
    writer.disk.room = 3
    assert not writer.write()
    assert writer.files == []
    writer.disk.is_read_only = True
    writer.now += 1
    assert not writer.write()
    assert writer.files == []


def test_a_block_is_recorded_in_the_space_kept_for_it_when_the_disk_is_full(writer: Writer) -> None:
    writer.write(1)
    writer.disk.room = 0
    assert not writer.write(2)
    assert writer.write(3, is_urgent=True), "at once, without waiting for the next try"
    assert [frame.records for frame in writer.frames()] == [[Left(1)], [Left(3)]]
    assert "spool-reserve" in writer.alarms.active
    assert not writer.write(4), "there is room now, and it is for blocks"
    assert writer.write(5, is_urgent=True)
    writer.space.check()
    assert "spool-reserve" not in writer.alarms.active, "taken back when there is room again"
    assert writer.write(6)
    assert writer.numbers() == [1, 2, 3, 4]


def test_where_no_new_segment_can_begin_the_old_one_goes_on(tmp_path: Path) -> None:
    writer = Writer(tmp_path, segment_bytes=100)
    writer.write()
    writer.disk.is_read_only = True  # no new file, say for want of inodes
    assert all(writer.write() for _ in range(20))
    assert "spool-segment" in writer.alarms.active
    assert len(writer.files) == 1
    writer.disk.is_read_only = False
    writer.now += 1
    assert writer.write()
    assert writer.write()
    assert len(writer.files) == 2
    assert writer.alarms.active == {}
    assert writer.numbers() == list(range(1, 24))


# ---------------------------------------------------------------------- syncs that fail


def test_after_a_failed_sync_what_is_in_doubt_is_written_again_and_only_that_counts(writer: Writer) -> None:
    writer.write(defines=True)
    assert writer.sync()
    writer.write()
    writer.write()
    writer.disk.sync_failures = 1
    assert not writer.sync()
    assert writer.spool.durable_through == 1
    assert "spool-sync" in writer.alarms.active
    writer.write()
    assert writer.sync()
    assert writer.spool.durable_through == 4
    assert "spool-sync" not in writer.alarms.active
    first, second = segments_of(writer.directory)[EPOCH]
    assert (first.first, second.first) == (1, 2)
    assert writer.numbers() == [1, 2, 3, 4]
    # what the failed file held may be gone: the second holds it all, with what its numbers stand for
    first.path.write_bytes(first.path.read_bytes()[:-60])
    assert writer.numbers() == [1, 2, 3, 4]
    assert writer.read(2)[0].dictionary.name(1) == NAME


def test_a_file_that_failed_to_sync_is_never_believed_later(writer: Writer) -> None:
    writer.write()
    writer.disk.sync_failures = 1
    writer.sync()
    writer.disk.is_read_only = True
    # the kernel would answer a second fdatasync of the same file with success
    assert not writer.sync()
    assert writer.spool.durable_through == 0
    writer.disk.is_read_only = False
    assert writer.sync()
    assert writer.spool.durable_through == 1
    assert writer.numbers() == [1]


def test_syncs_that_fail_for_ever_do_not_fill_the_disk(writer: Writer) -> None:
    writer.write()
    writer.sync()
    writer.disk.sync_failures = 50
    for _ in range(50):
        writer.write()
        writer.sync()
    assert len(writer.files) <= 2
    writer.sync()
    assert writer.numbers() == list(range(1, 52))
    assert writer.spool.durable_through == 51


def test_a_disk_that_does_not_sync_takes_only_so_much_and_then_frames_are_refused(tmp_path: Path) -> None:
    writer = Writer(tmp_path, unsynced_bytes=200)
    while writer.write():
        assert writer.spool.next_number < 50
    assert "spool-sync" in writer.alarms.active
    assert writer.write(is_urgent=True), "a block is always recorded"
    assert writer.sync()
    assert writer.write()
    assert writer.numbers() == list(range(1, writer.spool.next_number))


def test_a_kill_in_the_middle_of_writing_again_leaves_what_was_there(writer: Writer) -> None:
    for _ in range(5):
        writer.write()
    writer.disk.sync_failures = 1
    writer.sync()
    writer.disk.room = 100
    assert not writer.sync(), "the disk is full: writing again fails as well"
    assert writer.numbers() == [1, 2, 3, 4, 5]
    (writer.directory / "left.frames.part").write_bytes(b"half of it")
    assert writer.open().number == 6
    assert not list(writer.directory.glob("*.part"))


@settings(max_examples=60)
@given(
    steps=st.lists(
        st.sampled_from(
            ["write", "sync", "late", "full", "room", "deaf", "short", "broken", "restart", "kill"]
        ),
        max_size=40,
    )
)
def test_through_any_history_every_frame_that_was_taken_is_read_once_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    writer = Writer(tmp_path_factory.mktemp("history"), segment_bytes=400)
    taken: list[int] = []
    late = None
    for count, step in enumerate(steps):
        writer.now += 1
        if step == "write" and writer.write(count):
            taken.append(count)
        elif step == "sync" and late is None:
            writer.sync()
        elif step == "late" and late is None:
            late = writer.spool.sync_job()  # runs, and is told of, when the next one comes
        elif step == "full":
            writer.disk.room = count
        elif step == "room":
            writer.disk.room = None
        elif step == "deaf":
            writer.disk.sync_failures = 1
        elif step == "short":
            writer.disk.next_write_takes = count
        elif step == "broken":
            writer.disk.failing = {writer.directory / name for name in writer.files}
        elif step in ("restart", "kill"):
            if step == "restart":
                writer.spool.close()
            late = None
            writer.open()
        if late is not None and step != "late":
            try:
                late.run(writer.disk)
            except OSError as error:
                writer.spool.sync_failed(error)
            else:
                writer.spool.synced(late)
            late = None
    frames = writer.frames()
    assert [frame.records for frame in frames] == [[Left(count)] for count in taken]
    assert [frame.number for frame in frames] == list(range(1, len(taken) + 1))
    assert all(frame.durable_through < frame.number for frame in frames)


# ---------------------------------------------------------------------- restarts


def test_a_restart_goes_on_in_a_new_segment_of_the_same_epoch(writer: Writer) -> None:
    writer.write()
    writer.write()
    writer.spool.close()
    resumption = writer.open(b"another ")
    assert resumption == Resumption(EPOCH, serial=2, number=3, at_us=5, extranonce_next=9)
    writer.write()
    assert writer.frames()[2].durable_through == 2, "what was there was synced at the start"
    assert len(writer.files) == 2


def test_only_the_torn_tail_of_the_newest_segment_is_cut(writer: Writer) -> None:
    for _ in range(3):
        writer.write()
    path = writer.directory / writer.files[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert writer.open().number == 3
    assert writer.write(7)
    assert [frame.records for frame in writer.frames()] == [[Left(1)], [Left(1)], [Left(7)]]
    assert whole.startswith(path.read_bytes())


def test_a_segment_whose_head_was_never_whole_holds_nothing(writer: Writer) -> None:
    writer.write()
    (writer.directory / f"{EPOCH}-000002-{2:016d}.frames").write_bytes(b"\xf7ERf\x40")
    resumption = writer.open()
    assert (resumption.number, resumption.epoch) == (2, EPOCH)
    writer.write()
    assert writer.numbers() == [1, 2]


def test_damage_in_the_middle_is_left_as_it_is_and_mining_goes_on_in_a_new_epoch(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(4):
        writer.write()
    path = writer.directory / writer.files[0]
    data = bytearray(path.read_bytes())
    data[-60] ^= 1  # a frame has 22 bytes: in the second of four
    path.write_bytes(data)
    resumption = writer.open(b"new-new-")
    assert resumption == Resumption(b"new-new-".hex(), 1, 1, at_us=5, extranonce_next=9)
    assert path.read_bytes() == data
    assert f"of {path}" in caplog.text
    with pytest.raises(SpoolDamaged):
        SourceTail(writer.directory, EPOCH, 1).poll()
    writer.write()
    assert writer.numbers() == [1]


def test_a_damaged_head_is_told_of_and_time_goes_on_behind_its_frames(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    writer.write()
    path = writer.directory / writer.files[0]
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    assert writer.open(b"new-new-") == Resumption(b"new-new-".hex(), 1, 1, at_us=5, extranonce_next=9)
    assert f"the head of {path} is damaged" in caplog.text


def test_an_empty_directory_begins_an_epoch(tmp_path: Path) -> None:
    assert recover(tmp_path, NETWORK, EPOCH_BYTES) == Resumption(EPOCH, 1, 1, 0, 0)
    with pytest.raises(ValueError, match=r"8 bytes"):
        recover(tmp_path, NETWORK, b"short")


def test_another_network_is_refused(writer: Writer) -> None:
    writer.write()
    with pytest.raises(SpoolError, match=r"one of bitcoin regtest, the settings say litecoin mainnet"):
        recover(writer.directory, "litecoin mainnet", EPOCH_BYTES)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    directory = tmp_path / "data" / "spool" / "gateway-0"
    descriptor = lock_spool(directory)
    with pytest.raises(SpoolError, match=r"in use: is this pool running already"):
        lock_spool(directory)
    FailingDisk().close(descriptor)
    FailingDisk().close(lock_spool(directory))


def test_the_space_left_is_told_in_two_steps(writer: Writer) -> None:
    limits = writer.space.limits
    writer.disk.free = limits.low_bytes
    writer.space.check()
    assert writer.alarms.active == {}
    writer.disk.free = limits.low_bytes - 1
    writer.space.check()
    assert set(writer.alarms.active) == {"spool-space"}
    assert writer.space.admits
    writer.disk.free = limits.refused_bytes - 1
    writer.space.check()
    assert set(writer.alarms.active) == {"spool-space", "spool-full"}
    assert not writer.space.admits
    writer.disk.free = limits.low_bytes
    writer.space.check()
    assert writer.alarms.active == {}
    assert writer.space.admits


def test_a_start_without_room_for_the_reserve_alarms(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.disk.free = 0
    space = Space(writer.directory, writer.disk, writer.alarms)
    space.open()
    assert "spool-reserve" in writer.alarms.active
    assert not space.make_room()
    assert space.is_for_blocks, "what little there is"


def test_a_reserve_that_found_too_little_room_gives_it_back(tmp_path: Path) -> None:
    """As posix_fallocate leaves it on ext4: what there was is allocated, and the call has failed."""
    writer = Writer(tmp_path)
    writer.disk.reserve_error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    space = Space(writer.directory, writer.disk, writer.alarms)
    space.open()
    assert "spool-reserve" in writer.alarms.active
    assert not (writer.directory / "reserve").exists()


def test_a_file_system_that_keeps_no_space_back_alarms_and_takes_shares(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.disk.reserve_error = OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    space = Space(writer.directory, writer.disk, writer.alarms)
    space.open()
    assert "spool-reserve" in writer.alarms.active
    assert not space.is_for_blocks
