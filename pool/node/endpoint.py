"""Where one node is and how to ask it: plain values. Reads nothing and connects to nothing."""

from collections.abc import Callable
from pathlib import Path

import msgspec


class NodeEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One node as the settings describe it.

    `url` is the RPC address without credentials (http://127.0.0.1:9332). Either `cookie_file` is set (the
    file that the node writes at each of its starts) or `user` and `password`; `password` is called when a
    header is made, so that the secret is not a field that a repr or a crash report would print.
    `zmq_hashblock` is the node's own -zmqpubhashblock address. `longpoll` allows one pending long-poll.
    """

    name: str
    url: str
    cookie_file: Path | None = None
    user: str | None = None
    password: Callable[[], str] | None = None
    zmq_hashblock: str | None = None
    longpoll: bool = False

    def __post_init__(self) -> None:
        # The url is printed in every error line; credentials in it would be printed with it.
        if "@" in self.url:
            raise ValueError(f"node {self.name}: put user and password in their own settings, not in the url")
        if self.cookie_file is None and (self.user is None or self.password is None):
            raise ValueError(f"node {self.name}: give either cookie_file, or user and password")
