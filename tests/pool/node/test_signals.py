"""Hints of a new tip: ZMQ messages from a real publisher, datagrams on a real socket."""

import asyncio
import logging
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from pool.node.signals import HashblockSubscriber, NotifySocket, NotifySocketError

DEADLINE_SECONDS = 5.0


class Hints:
    """Counts hints and lets a test wait for the next one."""

    def __init__(self) -> None:
        self.count = 0
        self._arrived = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self._arrived.set()

    async def next(self) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self._arrived.wait()
        self._arrived.clear()


@pytest.fixture
def publisher() -> Iterator[tuple[zmq.Socket[bytes], str]]:
    context = zmq.Context()
    publishing = context.socket(zmq.XPUB)  # XPUB tells when a subscription has arrived: nothing to sleep for
    port = publishing.bind_to_random_port("tcp://127.0.0.1")
    yield publishing, f"tcp://127.0.0.1:{port}"
    publishing.close(linger=0)
    context.term()


def hashblock(sequence: int) -> list[bytes]:
    return [b"hashblock", bytes(32), struct.pack("<I", sequence)]


async def test_a_hashblock_message_is_a_hint(publisher: tuple[zmq.Socket[bytes], str]) -> None:
    publishing, address = publisher
    hints = Hints()
    running = asyncio.create_task(HashblockSubscriber("a", address, hints).run())
    assert await asyncio.to_thread(publishing.recv) == b"\x01hashblock"
    publishing.send_multipart(hashblock(0))
    await hints.next()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert hints.count == 1


async def test_a_bad_address_is_one_log_line_and_polling_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    await HashblockSubscriber("a", "tcp://", Hints()).run()
    assert len(caplog.records) == 1
    assert "no hashblock messages" in caplog.text


def test_lost_messages_are_counted_by_the_sequence_number() -> None:
    hints = 0

    def hint() -> None:
        nonlocal hints
        hints += 1

    subscriber = HashblockSubscriber("a", "tcp://127.0.0.1:1", hint)
    # 6 after 3: messages 4 and 5 are lost; 0 after 6: the node was started again
    for sequence in (2, 3, 6, 0, 1):
        subscriber.received(hashblock(sequence))
    assert (subscriber.missed, hints) == (2, 5)


@pytest.mark.parametrize(
    "parts",
    [[], [b"hashblock"], [b"hashtx", bytes(32), bytes(4)], [b"hashblock", bytes(31), bytes(4)], [b""] * 9],
)
def test_a_message_of_another_shape_is_passed_over(parts: list[bytes]) -> None:
    def hint() -> None:
        raise AssertionError("not a hashblock message")

    HashblockSubscriber("a", "tcp://127.0.0.1:1", hint).received(parts)


def test_three_silent_tips_are_said_once_and_a_message_mends_it(caplog: pytest.LogCaptureFixture) -> None:
    subscriber = HashblockSubscriber("a", "tcp://127.0.0.1:1", lambda: None)
    for _ in range(5):
        subscriber.tip_changed()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "-zmqpubhashblock=tcp://127.0.0.1:1" in caplog.text
    assert not subscriber.is_heard
    subscriber.received(hashblock(0))
    assert subscriber.is_heard


async def test_a_datagram_is_a_hint_whatever_is_in_it(tmp_path: Path) -> None:
    hints = Hints()
    listening = NotifySocket(tmp_path / "notify.sock", hints)
    listening.open()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for message in (b"00" * 32, b"", b"x" * 5000):
            sender.sendto(message, str(tmp_path / "notify.sock"))
            await hints.next()
    listening.close()
    assert hints.count == 3
    assert not (tmp_path / "notify.sock").exists()


async def test_another_user_may_write_to_the_socket(tmp_path: Path) -> None:
    listening = NotifySocket(tmp_path / "notify.sock", Hints())
    listening.open()
    assert (tmp_path / "notify.sock").stat().st_mode & 0o777 == 0o666
    listening.close()


async def test_the_socket_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "notify.sock"
    left = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.bind(str(path))
    left.close()
    listening = NotifySocket(path, Hints())
    listening.open()
    listening.close()


async def test_the_socket_of_a_living_process_is_not_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "notify.sock"
    first = NotifySocket(path, Hints())
    first.open()
    with pytest.raises(NotifySocketError, match="in use"):
        NotifySocket(path, Hints()).open()
    first.close()


async def test_a_file_in_the_way_is_named_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(NotifySocketError, match="is no socket"):
        NotifySocket(path, Hints()).open()
    assert path.read_text() == "data"


@pytest.mark.parametrize("name", ["no/such/folder/notify.sock", "n" * 200])
async def test_an_impossible_path_is_one_clear_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotifySocketError, match="cannot listen for blocknotify on"):
        NotifySocket(tmp_path / name, Hints()).open()
