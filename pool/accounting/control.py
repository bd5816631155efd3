"""[shell] The accountant's ear: Unix sockets on which commands and gateways ask something of its process.

One request and one answer a connection, each one JSON line: {"version", "name", "arguments"} →
{"result"} | {"error"}. Sockets are in the data directory and readable by their owner alone: whoever may open
the accountant's may pay out.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from pool.logs.events import LogEvent
from pool.logs.log import Log

VERSION = 1
SOCKET_NAME = "accountant.sock"
INSTRUMENTS_SOCKET = "instruments.sock"  # of the same process, also before its accounts are open
LONGEST_LINE_BYTES = 1 << 20
LONGEST_ANSWER_BYTES = 64 << 20
# A preview has a line of some 200 bytes for each account that is owed something: a third of a million.
REQUEST_SECONDS = 10.0
ANSWER_SECONDS = 600.0
# A payment of a thousand outputs waits for the node's wallet, which signs for minutes on a small machine.
PATIENCE_SECONDS = 5.0
CLOSING_SECONDS = 10.0
LOOK_SECONDS = 2.0  # how often is seen to it that a socket is there
TOO_LONG = b"too long"  # stands for a line that was

log = Log("engineroom.accounting")


class Request(msgspec.Struct, frozen=True):
    """What is asked."""

    version: int
    name: str
    arguments: dict[str, Any]


class Answer(msgspec.Struct, frozen=True):
    """What came of it: a result, or one line that says why not."""

    result: Any = None
    error: str | None = None


class Refused(Exception):
    """The operation cannot be done, for a reason that the asker can mend: one clear line."""


class NobodyThere(Exception):
    """No accountant runs behind this socket."""


Operation = Callable[..., Awaitable[Any]]


class ControlSocket:
    """Serves operations by name: from `open` to `close`, or as long as `serve` runs."""

    def __init__(
        self, path: Path, operations: Mapping[str, Operation], *, look_seconds: float = LOOK_SECONDS
    ) -> None:
        self._path = path
        self._operations = operations
        self._look_seconds = look_seconds
        self._server: asyncio.Server | None = None
        self._made: int | None = None  # the inode of the socket that is ours
        self._is_refused = False
        self._silent: set[asyncio.StreamWriter] = set()  # connected, and nothing asked yet
        self._at_work: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """See to it that there is a socket, until cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(self._look_seconds)
        finally:
            await self.close()

    async def look(self) -> None:
        """Listen, while no other process answers here: there is no lease that would say so. A socket that
        somebody removed is made anew; that it cannot be made is told once."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if not self._is_here() and not await _is_answered(self._path):
                await self.close()
                await self.open()
        except OSError as error:
            if not self._is_refused:
                log.error(LogEvent.SOCKET_REFUSED, path=self._path, error=error.strerror or str(error))
            self._is_refused = True
        else:
            self._is_refused = False

    def _is_here(self) -> bool:
        """Whether the socket at the path is ours."""
        try:
            return self._made is not None and self._path.stat().st_ino == self._made
        except FileNotFoundError:
            return False

    async def open(self) -> None:
        """Listen. A socket that an earlier process left is replaced: who calls this knows that it is gone.
        Raises OSError where the socket cannot be made."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        umask = os.umask(0o177)
        try:
            with _short(self._path) as path:
                sock.bind(path)
            self._made = self._path.stat().st_ino
        except BaseException:
            sock.close()
            raise
        finally:
            os.umask(umask)
        self._server = await asyncio.start_unix_server(self._serve, sock=sock, limit=LONGEST_LINE_BYTES)

    async def close(self) -> None:
        """Take no more requests, and let what has been asked be answered."""
        if self._is_here():  # first: who comes next makes another as soon as this one is not answered
            self._path.unlink()
        self._made = None
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for writer in self._silent:
            writer.close()
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=CLOSING_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a server's callback is a task
        try:
            line = await self._request(reader, writer)
            if line and not await _is_gone(reader):
                self._at_work.add(task)
                writer.write(msgspec.json.encode(await self._answer(line)) + b"\n")
                await writer.drain()
        except (TimeoutError, ConnectionError):
            pass
        finally:
            self._at_work.discard(task)
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """A line; empty where nobody asked anything."""
        self._silent.add(writer)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                return await reader.readline()
        except ValueError:  # asyncio's word for a line beyond the limit
            return TOO_LONG
        finally:
            self._silent.discard(writer)

    async def _answer(self, line: bytes) -> Answer:
        if line is TOO_LONG:
            return Answer(error=f"a request has at most {LONGEST_LINE_BYTES} bytes")
        try:
            request = msgspec.json.decode(line, type=Request)
        except msgspec.MsgspecError as error:
            return Answer(error=f"this is no request: {error}")
        if request.version != VERSION:
            return Answer(error=f"the request is of version {request.version}, this accountant of {VERSION}")
        operation = self._operations.get(request.name)
        if operation is None:
            return Answer(error=f"there is no operation {request.name!r}")
        try:
            return Answer(result=await operation(**request.arguments))
        except Refused as error:
            return Answer(error=str(error))
        except Exception as error:
            log.error(LogEvent.OPERATION_FAILED, error, operation=request.name)
            return Answer(error="the accountant has failed at it: its log says how")


async def ask(
    directory: Path,
    name: str,
    *,
    socket_name: str = SOCKET_NAME,
    still_waiting: Callable[[], object] = lambda: None,
    patience_seconds: float = PATIENCE_SECONDS,
    **arguments: Any,
) -> Any:
    """Let the running accountant of this data directory do something; its result.

    `still_waiting` is called once where the answer takes longer than the patience; who gives up then and
    hangs up has not asked, unless the accountant has begun. Raises Refused with its reason, NobodyThere where
    none runs.
    """
    path = directory / socket_name
    try:
        with _short(path) as short:
            reader, writer = await asyncio.open_unix_connection(short, limit=LONGEST_ANSWER_BYTES)
    except (FileNotFoundError, ConnectionRefusedError):
        raise NobodyThere(f"no accountant runs for {directory}") from None
    except PermissionError:
        raise Refused(f"{path} belongs to another user: run this as the pool's user") from None
    try:
        writer.write(msgspec.json.encode(Request(VERSION, name, arguments)) + b"\n")
        await writer.drain()
        answering = asyncio.ensure_future(reader.readline())
        try:
            await asyncio.wait([answering], timeout=patience_seconds)
            if not answering.done():
                still_waiting()
            async with asyncio.timeout(ANSWER_SECONDS):
                line = await answering
        finally:
            answering.cancel()
    except (TimeoutError, ConnectionError):
        raise Refused("the accountant has not answered; look at its log before asking again") from None
    finally:
        writer.close()
    if not line:
        raise Refused("the accountant ended before it answered; look at its log before asking again")
    answer = msgspec.json.decode(line, type=Answer)
    if answer.error is not None:
        raise Refused(answer.error)
    return answer.result


async def _is_answered(path: Path) -> bool:
    try:
        with _short(path) as short:
            _, writer = await asyncio.open_unix_connection(short)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    writer.close()
    return True


async def _is_gone(reader: asyncio.StreamReader) -> bool:
    """Whether who has asked has hung up since: then they have seen no answer, and may ask again."""
    for _ in range(2):  # the end of a stream may lie behind its last line, to be read in the next turn
        await asyncio.sleep(0)
    return reader.at_eof()


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path by way of its folder's descriptor: a socket's may have 107 bytes (unix(7)), and the data
    directory's name is the operator's to choose."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
