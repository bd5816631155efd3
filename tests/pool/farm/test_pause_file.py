"""The file of pauses: whole or not there, read again when it changes, one line where it is damaged."""

import threading
from pathlib import Path

import pytest

from pool.farm.pause_file import PauseFile, PauseFileError
from pool.farm.pauses import Pause, begun
from tests.pool.farm.building import NOON


def add(group: str, file: PauseFile) -> None:
    file.change(lambda pauses: begun(pauses, Pause(group, NOON)))


def test_no_file_is_no_pauses(tmp_path: Path) -> None:
    file = PauseFile(tmp_path)
    assert (file.pauses(), file.trouble) == ((), None)


def test_what_one_writes_another_reads(tmp_path: Path) -> None:
    reader = PauseFile(tmp_path)
    add("hall-a", PauseFile(tmp_path))
    assert reader.pauses() == (Pause("hall-a", NOON),)
    assert reader.pauses() is reader.pauses()  # not read again: the file is the same
    add("厂房-b", PauseFile(tmp_path))
    assert [one.group for one in reader.pauses()] == ["hall-a", "厂房-b"]
    (tmp_path / "pauses.json").unlink()
    assert reader.pauses() == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pauses.lock"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "truncated"),
        ('{"version": 1, "pauses": [', "truncated"),
        ('{"version": 1}', "missing required field"),
        ('{"version": 2, "pauses": []}', "is of version 2, and this engineroom reads version 1"),
        ('{"version": 1, "pauses": [{"group": "", "since_us": 1}]}', "length >= 1"),
        ('{"version": 1, "pauses": [{"group": "a", "since_us": -1}]}', ">= 0"),
        ('{"version": 1, "pauses": [{"group": "a", "since_us": 1, "til": 1}]}', "unknown field"),
        ('{"more": ' + "[" * 100_000, "recursion"),
        ('{"version": 1, "pauses": []}' + " " * (4 << 20), "has more than 4,194,304 bytes"),
    ],
)
def test_a_damaged_file_is_one_line_and_no_pauses(tmp_path: Path, text: str, why: str) -> None:
    file = PauseFile(tmp_path)
    add("hall-a", file)
    assert len(file.pauses()) == 1
    (tmp_path / "pauses.json").write_text(text)
    assert file.pauses() == ()
    assert file.trouble is not None
    assert file.trouble.startswith(f"{tmp_path}/pauses.json: ")
    assert why in file.trouble
    assert "\n" not in file.trouble
    with pytest.raises(PauseFileError, match="mend it, or remove it to pause nothing"):
        add("hall-b", PauseFile(tmp_path))
    assert (tmp_path / "pauses.json").read_text() == text  # what is in it may still be mended
    (tmp_path / "pauses.json").unlink()
    add("hall-b", PauseFile(tmp_path))
    assert [one.group for one in file.pauses()] == ["hall-b"]
    assert file.trouble is None


def test_a_file_that_cannot_be_read_is_no_pauses(tmp_path: Path) -> None:
    (tmp_path / "pauses.json").mkdir()
    file = PauseFile(tmp_path)
    assert (file.pauses(), file.trouble) == ((), f"{tmp_path}/pauses.json: Is a directory")


def test_a_data_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(PauseFileError, match="is not there; has the pool run with these settings"):
        add("hall-a", PauseFile(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_two_at_once_wait_for_each_other(tmp_path: Path) -> None:
    """The first is held inside its change until the second has begun to wait, or has not waited."""
    inside, done = threading.Event(), threading.Event()

    def slowly(pauses: tuple[Pause, ...]) -> tuple[Pause, ...]:
        inside.set()
        done.wait(0.2)  # the second must not get this far; given time, it would
        return begun(pauses, Pause("hall-a", NOON))

    first = threading.Thread(target=lambda: PauseFile(tmp_path).change(slowly))
    first.start()
    inside.wait()

    def second() -> None:
        add("hall-b", PauseFile(tmp_path))
        done.set()

    other = threading.Thread(target=second)
    other.start()
    first.join()
    other.join()
    assert [one.group for one in PauseFile(tmp_path).pauses()] == ["hall-a", "hall-b"]
