"""The accountant's socket: one line in, one line out, for its owner alone."""

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pool.accounting.control import (
    LONGEST_LINE_BYTES,
    SOCKET_NAME,
    VERSION,
    Answer,
    ControlSocket,
    NobodyThere,
    Refused,
    ask,
)


class Desk:
    """Operations that do what a test needs."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.is_at_work = asyncio.Event()
        self.may_finish = asyncio.Event()

    async def echo(self, **arguments: Any) -> dict[str, Any]:
        self.asked.append(arguments)
        return arguments

    async def refuse(self) -> None:
        raise Refused("not today")

    async def fail(self) -> None:
        raise ValueError("a bug")

    async def much(self, size: int) -> str:
        return "x" * size

    async def slow(self) -> str:
        self.is_at_work.set()
        await self.may_finish.wait()
        return "done"


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def control(tmp_path: Path, desk: Desk) -> AsyncIterator[ControlSocket]:
    names = ("echo", "refuse", "fail", "much", "slow")
    served = ControlSocket(tmp_path / SOCKET_NAME, {name: getattr(desk, name) for name in names})
    await served.open()
    yield served
    desk.may_finish.set()
    await served.close()


async def say(directory: Path, line: bytes) -> Answer:
    reader, writer = await asyncio.open_unix_connection(directory / SOCKET_NAME)
    writer.write(line)
    await writer.drain()
    answer = await reader.readline()
    writer.close()
    return msgspec.json.decode(answer, type=Answer)


@pytest.mark.usefixtures("control")
async def test_an_operation_gets_its_arguments_and_its_result_comes_back(tmp_path: Path, desk: Desk) -> None:
    assert await ask(tmp_path, "echo", number=5, text="ü", none=None) == {
        "number": 5,
        "text": "ü",
        "none": None,
    }
    assert desk.asked == [{"number": 5, "text": "ü", "none": None}]


@pytest.mark.usefixtures("control")
async def test_a_refusal_comes_back_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"^not today$"):
        await ask(tmp_path, "refuse")


@pytest.mark.usefixtures("control")
async def test_a_bug_is_answered_and_logged_and_the_next_request_is_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Refused, match="its log says how"):
        await ask(tmp_path, "fail")
    assert "a bug" in caplog.text
    assert await ask(tmp_path, "echo") == {}


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"\n", "this is no request"),
        (b"[]\n", "this is no request"),
        (b"\xff\xfe\n", "this is no request"),
        (b'{"version": 1, "name": "echo"}\n', "this is no request"),
        (b'{"version": 2, "name": "echo", "arguments": {}}\n', "of version 2, this accountant of 1"),
        (b'{"version": 1, "name": "close", "arguments": {}}\n', "there is no operation 'close'"),
        (b'{"version": 1, "name": "__init__", "arguments": {}}\n', "there is no operation"),
        (b"x" * (LONGEST_LINE_BYTES + 1) + b"\n", "a request has at most"),
    ],
)
async def test_what_is_no_request_is_answered_in_one_line(
    tmp_path: Path, desk: Desk, line: bytes, why: str
) -> None:
    answer = await say(tmp_path, line)
    assert answer.error is not None
    assert why in answer.error
    assert "\n" not in answer.error
    assert desk.asked == []


@contextlib.asynccontextmanager
async def serving(path: Path, name: str) -> AsyncIterator[None]:
    """Somebody of this name is at the socket, or waits for it."""

    async def who() -> str:
        return name

    task = asyncio.create_task(ControlSocket(path, {"who": who}, look_seconds=0.01).serve())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def who_is_at(path: Path) -> str | None:
    try:
        found: str = await ask(path.parent, "who", socket_name=path.name)
    except (NobodyThere, Refused):
        return None
    return found


async def until_at(path: Path, name: str) -> None:
    async with asyncio.timeout(10):
        while await who_is_at(path) != name:
            await asyncio.sleep(0)


async def test_who_serves_without_a_lease_waits_for_the_process_before_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / SOCKET_NAME
    async with contextlib.AsyncExitStack() as later:
        async with serving(path, "first"):
            await until_at(path, "first")
            await later.enter_async_context(serving(path, "second"))
            for _ in range(20):
                assert await who_is_at(path) == "first"
        await until_at(path, "second")
    assert not path.exists()


async def test_a_socket_that_somebody_removed_or_replaced_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / SOCKET_NAME
    async with serving(path, "first"):
        await until_at(path, "first")
        path.unlink()
        await until_at(path, "first")
        path.unlink()
        async with serving(path, "second"):  # in its place, before it looks
            await until_at(path, "second")
            assert path.exists()
        await until_at(path, "first")


async def test_who_was_replaced_leaves_the_others_socket_alone(tmp_path: Path) -> None:
    path = tmp_path / SOCKET_NAME
    one, other = (ControlSocket(path, {}) for _ in range(2))
    await one.open()
    await other.open()
    await one.close()
    assert path.exists()
    await other.close()
    assert not path.exists()


async def test_a_socket_that_cannot_be_made_is_told_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "data" / SOCKET_NAME
    path.parent.write_text("a file where the directory belongs")
    async with asyncio.timeout(10), serving(path, "me"):
        while not caplog.records:
            await asyncio.sleep(0)
        path.parent.unlink()
        await until_at(path, "me")
    assert [f"cannot listen at {path}" in record.message for record in caplog.records] == [True]


@pytest.mark.usefixtures("control")
async def test_an_answer_may_be_longer_than_any_request(tmp_path: Path) -> None:
    size = 4 * LONGEST_LINE_BYTES
    assert len(await ask(tmp_path, "much", size=size)) == size


@pytest.mark.usefixtures("control")
async def test_the_socket_is_its_owners_alone(tmp_path: Path) -> None:
    mode = (tmp_path / SOCKET_NAME).stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


async def test_a_socket_of_an_earlier_process_is_replaced(tmp_path: Path, desk: Desk) -> None:
    left = await asyncio.start_unix_server(lambda r, w: None, path=tmp_path / SOCKET_NAME)
    left.close()
    await left.wait_closed()
    assert (tmp_path / SOCKET_NAME).exists()
    with pytest.raises(NobodyThere):
        await ask(tmp_path, "echo")
    control = ControlSocket(tmp_path / SOCKET_NAME, {"echo": desk.echo})
    await control.open()
    assert await ask(tmp_path, "echo") == {}
    await control.close()


async def test_without_an_accountant_it_is_said_that_none_runs(tmp_path: Path) -> None:
    with pytest.raises(NobodyThere, match="no accountant runs"):
        await ask(tmp_path, "echo")


async def test_what_is_under_way_is_finished_before_the_socket_is_closed(
    tmp_path: Path, desk: Desk, control: ControlSocket
) -> None:
    asking = asyncio.create_task(ask(tmp_path, "slow"))
    await desk.is_at_work.wait()
    closing = asyncio.create_task(control.close())
    done, _ = await asyncio.wait([closing], timeout=0.05)
    assert not done
    with pytest.raises(NobodyThere):
        await ask(tmp_path, "echo")
    desk.may_finish.set()
    assert await asking == "done"
    await closing


async def test_an_accountant_that_ends_before_it_answers_leaves_the_asker_with_one_line(
    tmp_path: Path,
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    server = await asyncio.start_unix_server(hang_up, path=tmp_path / SOCKET_NAME)
    with pytest.raises(Refused, match="ended before it answered"):
        await ask(tmp_path, "echo")
    server.close()
    await server.wait_closed()


@pytest.mark.usefixtures("control")
async def test_somebody_who_says_nothing_keeps_nobody_waiting(tmp_path: Path) -> None:
    _, silent = await asyncio.open_unix_connection(tmp_path / SOCKET_NAME)
    assert await ask(tmp_path, "echo", number=VERSION) == {"number": VERSION}
    silent.close()
    await silent.wait_closed()


async def test_somebody_who_says_nothing_does_not_hold_up_the_end(
    tmp_path: Path, control: ControlSocket
) -> None:
    reader, silent = await asyncio.open_unix_connection(tmp_path / SOCKET_NAME)
    assert await ask(tmp_path, "echo") == {}  # by now the silent one is served as well
    async with asyncio.timeout(5):
        await control.close()
        assert await reader.read() == b""
    silent.close()
    await silent.wait_closed()


async def test_a_data_directory_with_a_name_longer_than_a_socket_may_have_is_served(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 120)
    directory.mkdir()

    async def echo(text: str) -> str:
        return text

    control = ControlSocket(directory / SOCKET_NAME, {"echo": echo})
    await control.open()
    assert await ask(directory, "echo", text="there") == "there"
    await control.close()
    with pytest.raises(NobodyThere):
        await ask(directory, "echo", text="gone")


async def test_who_has_hung_up_before_it_was_begun_has_not_asked(tmp_path: Path, desk: Desk) -> None:
    """An accountant that hung: the asker gave up, and may have asked again since."""
    control = ControlSocket(tmp_path / SOCKET_NAME, {"echo": desk.echo})
    await control.open()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asker:
        asker.connect(str(tmp_path / SOCKET_NAME))  # the kernel takes it; nobody has looked yet
        asker.sendall(msgspec.json.encode({"version": VERSION, "name": "echo", "arguments": {}}) + b"\n")
    try:
        assert await ask(tmp_path, "echo", number=2) == {"number": 2}
    finally:
        await control.close()
    assert desk.asked == [{"number": 2}]


async def test_an_answer_that_takes_its_time_is_waited_for_and_that_is_said(
    tmp_path: Path, control: ControlSocket, desk: Desk
) -> None:
    answer = await ask(tmp_path, "slow", still_waiting=desk.may_finish.set, patience_seconds=0)
    assert answer == "done"
