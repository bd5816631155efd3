"""A TCP proxy that stands between a client and its server, and misbehaves when told to.

async with TcpProxy(port) as proxy:
    proxy.lose_answer_to(b"COMMIT")    # the server does it; the client is cut off before it hears of it
    proxy.cut_clients()                # clients see a closed connection, the server sees none
    proxy.heal()                       # drop what the server was left with
"""

import asyncio
from types import TracebackType
from typing import Self


class TcpProxy:
    """Passes bytes on, both ways; every connection is a pair."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._pairs: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._question: bytes | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self.cut_clients()
        self.heal()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    def lose_answer_to(self, question: bytes) -> None:
        """Once: the next time that a client sends these bytes."""
        self._question = question

    def cut_clients(self) -> None:
        for client, _ in self._pairs:
            client.close()

    def heal(self) -> None:
        for _, server in self._pairs:
            server.close()
        self._pairs.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._pairs.append((writer, server_writer))
        is_lost = asyncio.Event()
        for work in (
            self._to_server(reader, server_writer, is_lost),
            self._to_client(server_reader, writer, is_lost),
        ):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _to_server(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_lost: asyncio.Event
    ) -> None:
        try:
            while data := await reader.read(65_536):
                if self._question is not None and self._question in data:
                    self._question = None
                    is_lost.set()
                writer.write(data)
        except ConnectionError:
            pass  # a client that was cut; the server is kept in the dark until it is healed

    async def _to_client(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_lost: asyncio.Event
    ) -> None:
        try:
            while data := await reader.read(65_536):
                if is_lost.is_set():
                    break
                writer.write(data)
        except ConnectionError:
            pass
        writer.close()
