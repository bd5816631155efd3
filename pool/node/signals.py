"""Hints that the tip has changed, from outside the polling: the node's ZMQ, and -blocknotify's datagrams.

Both only say "look now" to whoever owns them: a hint that is lost, late, doubled or forged costs one cheap
question, and polling finds what no hint told. Neither fetches anything.
"""

import asyncio
import contextlib
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import zmq
import zmq.asyncio

from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.logs.redaction import UrlText

log = Log("engineroom.node")

HASH_BYTES = 32
SEQUENCE_BYTES = 4
HEARTBEAT_MILLISECONDS = 30_000
RECONNECT_MILLISECONDS = 250
LONGEST_RECONNECT_MILLISECONDS = 5_000

SILENT_TIP_CHANGES = 3
# litecoind is built without ZMQ and ignores -zmqpubhashblock without a word; three blocks without a message
# are no accident, and the operator should know that new work waits for polling.

DATAGRAM_BYTES = 256
# A block hash in hex is 64; whatever is longer is not ours and is cut.

NOTIFY_SOCKET_MODE = 0o666
# The node often runs as another user. All that a datagram can do is to make us ask the node once more; who
# may reach the socket at all is decided by the directory it is in.


class HashblockSubscriber:
    """Listens to one node's messages: [b"hashblock", 32 bytes, sequence number as 4 bytes little-endian]."""

    def __init__(self, node_name: str, address: str, on_hint: Callable[[], None]) -> None:
        self._node_name = node_name
        self._address = address
        self._on_hint = on_hint
        self._sequence: int | None = None
        self._silent_tip_changes = 0
        self.missed = 0

    @property
    def is_heard(self) -> bool:
        """False once new tips keep coming without a message: polling is then all there is."""
        return self._silent_tip_changes < SILENT_TIP_CHANGES

    async def run(self) -> None:
        """Until cancelled. A publisher that is not there yet, or goes, is reconnected to by ZMQ itself."""
        context = zmq.asyncio.Context()
        subscriber = context.socket(zmq.SUB)
        try:
            self._open(subscriber)
            while True:
                self.received(await subscriber.recv_multipart())
        except zmq.ZMQError as error:
            log.error(
                LogEvent.HASHBLOCK_FAILED, node=self._node_name, endpoint=UrlText(self._address), error=error
            )
        finally:
            subscriber.close(linger=0)
            context.term()

    def received(self, parts: list[bytes]) -> None:
        """One message. Its hash is not looked at: asking the node once is cheaper than trusting it."""
        if len(parts) != 3 or parts[0] != b"hashblock" or len(parts[1]) != HASH_BYTES:
            return
        self._silent_tip_changes = 0
        self._count_gap(parts[2])
        self._on_hint()

    def tip_changed(self) -> None:
        """The node's tip has changed, whoever noticed."""
        self._silent_tip_changes += 1
        if self._silent_tip_changes == SILENT_TIP_CHANGES:
            log.warning(
                LogEvent.HASHBLOCK_SILENT,
                node=self._node_name,
                tips=SILENT_TIP_CHANGES,
                endpoint=UrlText(self._address),
            )

    def _open(self, subscriber: zmq.asyncio.Socket) -> None:
        # Without heartbeats a publisher behind a dead network path looks like one without news.
        subscriber.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MILLISECONDS)
        subscriber.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MILLISECONDS)
        subscriber.setsockopt(zmq.RECONNECT_IVL_MAX, LONGEST_RECONNECT_MILLISECONDS)
        subscriber.setsockopt(zmq.SUBSCRIBE, b"hashblock")
        subscriber.connect(self._address)

    def _count_gap(self, sequence_bytes: bytes) -> None:
        # A gap is only known by the next message, which makes us look anyway: the count is for the operator.
        if len(sequence_bytes) != SEQUENCE_BYTES:
            return
        sequence = int.from_bytes(sequence_bytes, "little")
        if self._sequence is not None and sequence > self._sequence + 1:
            missed = sequence - self._sequence - 1
            self.missed += missed
            log.info(LogEvent.HASHBLOCK_MISSED, node=self._node_name, missed=missed)
        self._sequence = sequence


class NotifySocketError(Exception):
    """The blocknotify socket cannot be opened; one line that says what to do."""


class NotifySocket:
    """The Unix datagram socket that `engineroom notify`, run by the node's -blocknotify, writes to."""

    def __init__(self, path: Path, on_hint: Callable[[], None]) -> None:
        self._path = path
        self._on_hint = on_hint
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Bind, unless done, and listen on the running loop. Raises NotifySocketError without the path."""
        if self._socket is not None:
            return
        self._remove_leftover()
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            listening.bind(str(self._path))
            self._path.chmod(NOTIFY_SOCKET_MODE)
        except OSError as error:
            listening.close()
            raise NotifySocketError(
                f"cannot listen for blocknotify on {self._path} ({error.strerror or error}): "
                "the directory must exist and be writable for this user"
            ) from None
        self._socket = listening
        asyncio.get_running_loop().add_reader(listening.fileno(), self._receive, listening)

    def close(self) -> None:
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        self._socket = None
        self._path.unlink(missing_ok=True)

    def _receive(self, listening: socket.socket) -> None:
        # One datagram per wake-up: the loop calls again while more are waiting, and others get their turn.
        with contextlib.suppress(BlockingIOError):
            listening.recv(DATAGRAM_BYTES)
            self._on_hint()

    def _remove_leftover(self) -> None:
        """After a kill -9 the path is left with nobody behind it; a live owner's is never taken away."""
        try:
            is_socket = stat.S_ISSOCK(self._path.lstat().st_mode)
        except OSError:  # not there; whatever else it is, bind will say it
            return
        if not is_socket:
            raise NotifySocketError(f"{self._path} exists and is no socket: choose another notify_socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as trial:
            try:
                trial.connect(str(self._path))
            except ConnectionRefusedError:
                self._path.unlink(missing_ok=True)
                return
            except OSError as error:
                raise NotifySocketError(
                    f"{self._path} cannot be tried ({error.strerror}): remove it"
                ) from None
        raise NotifySocketError(f"{self._path} is in use: is another engineroom running with these settings?")
