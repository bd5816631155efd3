"""The outbox's file: what waits survives, and what goes wrong with the file is told and does no harm."""

import asyncio
from pathlib import Path

import pytest

from pool.notices.outbox import FILE, FOLDER, Outbox
from pool.notices.queue import MOST_WAITING, Position
from tests.pool.notices.receiving import KEY, NOW_US, SECOND_US, SECRETS, block, incidents, target

OWN = target("own", "webhook", "https://example.org/hook", KEY)
DAY_US = 86_400 * SECOND_US


def ids(outbox: Outbox, name: str = "own") -> list[str]:
    return [notice.id for notice in outbox.waiting(name)]


async def test_what_waits_and_how_far_was_read_survive_a_restart(tmp_path: Path) -> None:
    position = Position(transition=7, payee_change=3, payment=2, under_way={2: ("ab" * 32,)})
    outbox = Outbox.open(tmp_path, [OWN])
    assert outbox.position is None
    await outbox.take([block(7), *incidents(1)], NOW_US, position)
    await outbox.sent("own", [block(7)])
    again = Outbox.open(tmp_path, [OWN])
    assert (ids(again), again.position) == (["incident:i1"], position)
    await again.take([block(7)], NOW_US)
    assert ids(again) == ["incident:i1"]
    stored = (tmp_path / FOLDER / FILE).read_text()
    assert all(secret not in stored for secret in (*SECRETS, "example.org"))


async def test_what_waits_for_a_target_that_is_gone_from_the_settings_is_gone(tmp_path: Path) -> None:
    outbox = Outbox.open(tmp_path, [OWN])
    await outbox.take(incidents(1), NOW_US)
    other = target("other", "webhook", "https://example.org/", KEY)
    assert ids(Outbox.open(tmp_path, [other])) == ids(Outbox.open(tmp_path, [other]), "other") == []


async def test_who_waits_for_a_change_is_woken_by_it(tmp_path: Path) -> None:
    outbox = Outbox.open(tmp_path, [OWN])
    changed = outbox.changed
    await outbox.take([], NOW_US)
    assert not changed.is_set()
    await outbox.take(incidents(1), NOW_US)
    assert changed.is_set()
    assert not outbox.changed.is_set()


async def test_a_full_queue_is_told_once_and_once_when_it_is_empty_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox.open(tmp_path, [OWN])
    await outbox.take(incidents(*range(MOST_WAITING + 2)), NOW_US)
    await outbox.take(incidents(1_000), NOW_US)
    assert len(ids(outbox)) == MOST_WAITING
    await outbox.sent("own", outbox.waiting("own"))
    assert [record.message for record in caplog.records] == [
        "too many notices wait for own: the oldest of the least important are dropped",
        "own is told everything again; 3 notices were dropped meanwhile",
    ]


async def test_what_is_older_than_a_day_is_dropped_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox.open(tmp_path, [OWN])
    await outbox.take(incidents(1, 2), NOW_US)
    await outbox.drop_old(NOW_US + DAY_US)
    assert len(ids(outbox)) == 2
    await outbox.drop_old(NOW_US + DAY_US + 1)
    await outbox.drop_old(NOW_US + DAY_US + 1)
    await outbox.take(incidents(3), NOW_US + DAY_US + 1)
    assert ids(outbox) == []
    assert [record.message for record in caplog.records] == [
        "2 notices are older than a day and could not be sent; dropped",
        "1 notice is older than a day, and nobody is told",
    ]


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"entries": 7}', b'{"version": 2}'])
async def test_a_file_that_cannot_be_read_is_set_aside_and_told(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / FOLDER / FILE
    path.parent.mkdir()
    path.write_bytes(content)
    outbox = Outbox.open(tmp_path, [OWN])
    await outbox.take(incidents(1), NOW_US)
    assert path.with_suffix(".unreadable").read_bytes() == content
    assert ids(Outbox.open(tmp_path, [OWN])) == ["incident:i1"]
    (record,) = caplog.records
    assert record.message.endswith("it is kept as outbox.unreadable, and what waited in it is not sent")


async def test_a_file_that_the_disk_does_not_give_keeps_nobody_from_going_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FOLDER).write_text("a file where the folder belongs")
    outbox = Outbox.open(tmp_path, [OWN])
    (record,) = caplog.records
    assert "cannot be read (Not a directory), nor moved (Not a directory)" in record.message
    with pytest.raises(OSError, match="notices"):
        await outbox.take(incidents(1), NOW_US)


async def test_a_change_whose_asker_is_cancelled_is_whole_before_the_next_one(tmp_path: Path) -> None:
    outbox = Outbox.open(tmp_path, [OWN])
    taking = asyncio.create_task(outbox.take(incidents(1), NOW_US))
    for _ in range(3):  # until the thread writes
        await asyncio.sleep(0)
    taking.cancel()
    await outbox.take(incidents(2), NOW_US)
    assert taking.cancelled()
    assert ids(outbox) == ids(Outbox.open(tmp_path, [OWN])) == ["incident:i1", "incident:i2"]


async def test_what_could_not_be_written_has_not_happened(tmp_path: Path) -> None:
    outbox = Outbox.open(tmp_path, [OWN])
    (tmp_path / FOLDER).write_text("a file where the folder belongs")
    with pytest.raises(OSError, match="notices"):
        await outbox.take(incidents(1), NOW_US)
    assert ids(outbox) == []
    (tmp_path / FOLDER).unlink()
    await outbox.take(incidents(1), NOW_US)
    assert ids(outbox) == ["incident:i1"]
