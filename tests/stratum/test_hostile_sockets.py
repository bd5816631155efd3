"""Hostile input at real sockets: one of each class, while an honest miner notices nothing."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from stratum.server import ServerLimits
from tests.harness.lines import Client, Running, running, submission


@asynccontextmanager
async def with_an_honest_miner(limits: ServerLimits | None = None, **rules: float) -> AsyncIterator[Running]:
    """A server and a miner whose shares must be accepted before, during and after, on the same connection."""
    async with running(limits, **rules) as run:
        job = run.owner.make()
        honest = await run.client("127.0.0.9")
        await honest.handshake()
        shares = 0

        async def mine_on() -> None:
            nonlocal shares
            while True:
                shares += 1
                reply = await honest.call(
                    "mining.submit", *submission(job.id, shares, 1)["params"], request_id=shares
                )
                assert reply == {"id": shares, "result": True, "error": None}

        mining = asyncio.create_task(mine_on())
        try:
            yield run
            before = shares
            while shares < before + 3 and not mining.done():
                await asyncio.sleep(0)
            assert not mining.done(), mining.exception()
        finally:
            mining.cancel()
            await asyncio.gather(mining, return_exceptions=True)


@pytest.mark.parametrize(
    "opening",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",  # row 5
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),  # row 6
        b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 3333\r\n",  # row 7
        b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c",  # row 7, version 2
        b"SSH-2.0-OpenSSH_9.2\r\n",  # row 9
        b"[" * 100_000,  # row 13
        b"x" * 100_000,  # row 3
        b"\r" * 100_000,  # row 63
        b"\n" * 1_000_000,  # row 4
        json.dumps([{"id": n, "method": "mining.subscribe", "params": []} for n in range(10_000)]).encode()
        + b"\n",
        b'{"id":1,"method":"mining.subscribe","params":["\xff"]}\n',  # row 23
        b'{"id":1,"method":"mining.subscribe","params":[]}\n' * 20,  # row 26
        b'{"id":1,"method":"mining.submit","params":["a","b","c","d","e"]}\n' * 20,  # row 40
        b'{"id":1,"method":"eth_submitLogin","params":["0x0"]}\n' * 20,  # quirk 44
    ],
)
async def test_a_hostile_opening_ends_its_connection_and_disturbs_nobody(opening: bytes) -> None:
    async with with_an_honest_miner() as run:
        attacker = await run.client()
        attacker.writer.write(opening)
        assert await attacker.is_closed()


async def test_row_1_and_2_silent_and_slow_connections_are_dropped_by_the_clock() -> None:
    async with with_an_honest_miner(first_line_seconds=0.3, line_seconds=0.3, handshake_seconds=0.6) as run:
        silent, slow, half = await run.client(), await run.client(), await run.client()
        slow.writer.write(b'{"id":1')
        assert (await half.call("mining.subscribe", "x"))["error"] is None
        for client in (silent, slow, half):
            assert await client.is_closed()


async def test_row_55_a_client_that_never_reads_costs_a_bounded_buffer_and_is_dropped() -> None:
    async with with_an_honest_miner() as run:
        deaf = await run.client()
        sock: socket.socket = deaf.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        await deaf.handshake()
        deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]  # the only way to stop asyncio's reader
        connections = len(run.server)
        deadline = asyncio.get_running_loop().time() + 30
        while len(run.server) == connections:
            assert asyncio.get_running_loop().time() < deadline
            run.owner.make()
            run.server.announce()
            deaf.send(*[{"id": n, "method": "mining.configure", "params": [["info"], {}]} for n in range(20)])
            await asyncio.sleep(0)
        assert "does_not_read" in " ".join(run.owner.notes) or "too_many_requests" in " ".join(
            run.owner.notes
        )


async def test_row_56_resets_in_the_middle_of_anything_leave_nothing_behind() -> None:
    async with with_an_honest_miner() as run:
        before = len(run.server)
        for n in range(50):
            client = await run.client()
            client.send({"id": 1, "method": "mining.subscribe", "params": []})
            if n % 2:
                await client.line()
            sock: socket.socket = client.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.writer.transport.abort()
        while len(run.server) > before:
            await asyncio.sleep(0)


async def test_row_57_a_reconnect_loop_is_slowed_down() -> None:
    limits = ServerLimits(connections=18_000, connections_per_address=100, connects_per_second=1.0)
    async with with_an_honest_miner(limits) as run:
        began, served = time.monotonic(), 0
        for _ in range(150):
            client = await run.client("127.0.0.3")
            client.send({"id": 1, "method": "mining.subscribe", "params": []})
            try:
                served += await client.line() is not None
            except ConnectionResetError:
                pass
            client.writer.transport.abort()
        assert 100 <= served <= 100 + (time.monotonic() - began) * 1.0


async def test_row_61_a_giant_answer_to_a_ping_is_a_long_line() -> None:
    async with with_an_honest_miner() as run:
        client = await run.client()
        await client.handshake()
        client.send({"id": 1000, "result": "pong" * 10_000, "error": None})
        assert await client.is_closed()


async def test_whole_handshakes_arrive_in_any_pieces() -> None:
    async with with_an_honest_miner() as run:
        client: Client = await run.client()
        for byte in b'{"id":1,"method":"mining.subscribe","params":["slow"]}\n':
            client.writer.write(bytes([byte]))
            await client.writer.drain()
        reply = await client.line()
        assert reply is not None
        assert reply["result"][2] == 8
