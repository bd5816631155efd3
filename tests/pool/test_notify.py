"""`engineroom notify`: one datagram, quickly, and one line when it cannot be sent."""

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def notify(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pool.notify", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)


@pytest.fixture
def listening(tmp_path: Path) -> socket.socket:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(tmp_path / "notify.sock"))
    receiver.settimeout(5)
    return receiver


def test_the_hash_is_sent_as_one_datagram(tmp_path: Path, listening: socket.socket) -> None:
    done = notify(str(tmp_path / "notify.sock"), "ab" * 32)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert listening.recv(1000) == b"ab" * 32
    listening.close()


def test_it_sends_without_a_hash_too(tmp_path: Path, listening: socket.socket) -> None:
    assert notify(str(tmp_path / "notify.sock")).returncode == 0
    assert listening.recv(1000) == b""
    listening.close()


def test_a_full_queue_is_no_error_and_nothing_to_wait_for(tmp_path: Path, listening: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        filler.setblocking(False)
        filler.connect(str(tmp_path / "notify.sock"))
        with contextlib.suppress(BlockingIOError):
            while True:
                filler.send(b"x")
    assert notify(str(tmp_path / "notify.sock"), "ab").returncode == 0
    listening.close()


@pytest.mark.parametrize("name", ["missing.sock", "n" * 200, "file", "left.sock"])
def test_nobody_there_is_one_line_and_exit_1(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(str(tmp_path / "left.sock"))
    done = notify(str(tmp_path / name), "ab")
    assert done.returncode == 1
    assert done.stderr.startswith(f"engineroom notify: nobody listens at {tmp_path / name} (")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [(), ("a", "b", "c"), ("--help",)])
def test_wrong_arguments_are_one_line_of_usage_and_exit_2(arguments: tuple[str, ...]) -> None:
    done = notify(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: engineroom notify SOCKET")
    assert done.stderr.count("\n") == 1


def test_it_imports_nothing_but_what_a_datagram_needs() -> None:
    """The node starts one for each block. Whatever is heavy would be seen in sys.modules."""
    code = "import sys, pool.notify; print(*(name for name in sys.modules if name.split('.')[0] in sys.argv))"
    heavy = [
        "asyncio",
        "typer",
        "aiohttp",
        "msgspec",
        "rich",
        "zmq",
        "stratum",
        "config",
        "payouts",
        "logging",
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *heavy], capture_output=True, text=True, timeout=10, check=True
    )
    assert done.stdout.strip() == ""
