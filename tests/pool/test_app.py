"""The application's composition: what it refuses to start on, and that a bug anywhere ends it loudly."""

import asyncio
from pathlib import Path

import pytest

from config.loading import load
from pool.app import Application, CannotStart
from tests.harness.litecoind import free_ports

SETTINGS = """\
coin: bitcoin
network: regtest
data_directory: {data}
payout: {{scheme: solo}}
nodes: [{{name: a, url: "http://127.0.0.1:{port}", user: u, password_environment: RPC_PASSWORD}}]
stratum: {{listeners: [{{address: 127.0.0.1, port: 0}}]}}
drain_seconds: 0
"""


def application(directory: Path, data: str = "pool-data") -> Application:
    file = directory / "engineroom.yaml"
    file.write_text(SETTINGS.format(data=data, port=free_ports(1)[0]))
    return Application(load(file, {"RPC_PASSWORD": "p"}))


class Boom(Exception):
    """A bug, for a test."""


def boom() -> None:
    raise Boom


async def test_a_bug_in_a_callback_of_the_loop_ends_the_pool(tmp_path: Path) -> None:
    listening = asyncio.Event()
    pool = application(tmp_path)
    running = asyncio.create_task(pool.run(asyncio.Event(), lambda _: listening.set()))
    await asyncio.wait_for(listening.wait(), 10)
    asyncio.get_running_loop().call_soon(boom)
    with pytest.raises(ExceptionGroup) as ended:
        await asyncio.wait_for(running, 10)
    assert ended.value.subgroup(Boom) is not None


async def test_what_the_network_does_to_a_callback_ends_nothing(tmp_path: Path) -> None:
    listening, stop = asyncio.Event(), asyncio.Event()
    pool = application(tmp_path)
    running = asyncio.create_task(pool.run(stop, lambda _: listening.set()))
    await asyncio.wait_for(listening.wait(), 10)
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({"message": "accept failed", "exception": OSError(24, "Too many open files")})
    stop.set()
    await asyncio.wait_for(running, 10)


async def test_a_data_directory_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match="change data_directory in the settings"):
        application(tmp_path, data="file/below")
