"""[shell] ZMQ hashblock as a node publishes it: topic, hash as displayed, sequence number."""

import zmq


class HashblockPublisher:
    """One PUB socket. Sending never blocks: a subscriber that is too slow misses messages, as with Core."""

    def __init__(self, address: str) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(address)
        self._sequence = 0

    def publish(self, tip: bytes) -> None:
        """Tell of a new best block (internal order)."""
        sequence = self._sequence.to_bytes(4, "little")
        self._socket.send_multipart([b"hashblock", tip[::-1], sequence], flags=zmq.NOBLOCK)
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF

    def close(self) -> None:
        self._socket.close()
        self._context.term()
