"""A mail server that takes every mail and keeps it, for tests of what is sent. To use:

async with MailServer() as server:
    ...                                     # tell the program under test server.port
    [mail] = await server.received(1)       # EmailMessage: mail["Subject"], mail.get_content()
"""

import asyncio
import email
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Self

WAIT_SECONDS = 15.0
ANSWERS = {b"EHLO": b"250 here", b"HELO": b"250 here", b"DATA": b"354 go on", b"QUIT": b"221 bye"}


class MailServer:
    """SMTP on a port of 127.0.0.1, without TLS and passwords."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.port = 0
        self._more = asyncio.Condition()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()

    async def received(self, count: int, seconds: float = WAIT_SECONDS) -> list[EmailMessage]:
        """Waits until there are so many; gives all there are."""
        async with asyncio.timeout(seconds), self._more:
            await self._more.wait_for(lambda: len(self.mails) >= count)
        return list(self.mails)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            command = line[:4].upper()
            writer.write(ANSWERS.get(command, b"250 yes") + b"\r\n")
            if command == b"QUIT":
                break
            if command == b"DATA":
                await self._keep(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 kept\r\n")
        writer.close()

    async def _keep(self, data: bytes) -> None:
        text = data.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
        mail = email.message_from_bytes(text, policy=default)
        assert isinstance(mail, EmailMessage)
        async with self._more:
            self.mails.append(mail)
            self._more.notify_all()
