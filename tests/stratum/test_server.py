"""The server at real sockets: work goes out, replies wait for the record, limits hold, drains spread."""

import asyncio
import json

import msgspec
import pytest

from stratum.connection import Connection
from stratum.events import Share
from stratum.server import Listener, ServerLimits, limited_as
from tests.builders import SHA256D, USER, make_rules
from tests.harness.lines import EASIEST, Client, running, submission


async def test_a_miner_gets_work_and_its_shares_are_recorded_before_it_hears_of_them() -> None:
    async with running() as run:
        job = run.owner.make()
        client = await run.client()
        notify = await client.handshake()
        assert notify["params"][0] == job.id
        run.owner.notes.clear()
        reply = await client.call("mining.submit", *submission(job.id, 1, 9)["params"], request_id=9)
        assert reply == {"id": 9, "result": True, "error": None}
        assert run.owner.notes[:2] == ["record", "commit"]


class NotedTransport(asyncio.Transport):
    """Notes what is written beside what its owner notes, so that the order of both can be told."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self._notes = notes

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self._notes.append("write")

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


async def test_a_reply_does_not_slip_out_with_a_new_job_before_its_share_is_recorded() -> None:
    async with running() as run:
        job = run.owner.make()
        connection = Connection(run.server, Listener("127.0.0.1", 0, make_rules(difficulty=EASIEST)))
        connection.connection_made(NotedTransport(run.owner.notes))
        lines = [
            {"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2"]},
            {"id": 2, "method": "mining.authorize", "params": [USER, "x"]},
        ]
        connection.data_received(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        await asyncio.sleep(0)  # one turn of the loop: the tick ends
        run.owner.notes.clear()
        connection.data_received(json.dumps(submission(job.id, 1, 9)).encode() + b"\n")
        run.owner.make()
        run.server.announce()
        assert run.owner.notes == ["commit"], "the new job's record"
        await asyncio.sleep(0)
        assert run.owner.notes[1:] == ["record", "commit", "write"], (
            "reply and job together, after the record"
        )
        connection.connection_lost(None)


async def test_a_hundred_shares_in_one_segment_are_answered_in_order() -> None:
    async with running() as run:
        job = run.owner.make()
        client = await run.client()
        await client.handshake()
        client.send(*[submission(job.id, n, 100 + n) for n in range(100)])
        answers = [await client.line() for _ in range(100)]
        assert [answer and answer["id"] for answer in answers] == list(range(100, 200))


async def test_new_work_reaches_everybody() -> None:
    async with running() as run:
        run.owner.make()
        clients = [await run.client() for _ in range(20)]
        for client in clients:
            await client.handshake()
        new = run.owner.make(tip=2)
        run.server.announce()
        for client in clients:
            notify = await client.until("mining.notify")
            assert notify["params"][0] == new.id
            assert notify["params"][8] is True


async def test_who_connects_while_there_is_no_work_gets_it_when_there_is() -> None:
    async with running() as run:
        client = await run.client()
        await client.call("mining.subscribe", "cpuminer/2")
        assert (await client.call("mining.authorize", USER, "x"))["result"] is True
        job = run.owner.make()
        run.server.announce()
        assert (await client.until("mining.notify"))["params"][0] == job.id


async def test_a_forced_job_goes_to_who_waits_for_it_and_to_nobody_else() -> None:
    async with running() as run:
        run.owner.make()
        wishing, other = await run.client(), await run.client()
        for client in (wishing, other):
            await client.call("mining.subscribe", "cpuminer/2")
            client.send({"id": 2, "method": "mining.authorize", "params": [USER, "x"]})
            await client.until("mining.notify")
        wishing.send({"id": 3, "method": "mining.suggest_difficulty", "params": [64]})
        assert (await wishing.until("mining.set_difficulty"))["params"] == [64]
        assert (await wishing.until("mining.notify"))["params"][8] is True
        # the other one's next line is the answer to its own ping: nothing came in between
        assert await other.call("mining.ping") == {"id": 1, "result": "pong", "error": None}


async def test_slow_hashes_keep_the_order_of_one_connection_and_hold_up_no_other() -> None:
    slow = msgspec.structs.replace(SHA256D, slow=True)
    async with running(proof_of_work=slow) as run:
        job = run.owner.make(proof_of_work=slow)
        client, other = await run.client(), await run.client()
        await client.handshake()
        await other.handshake()
        client.send(*[submission(job.id, n, 100 + n) for n in range(50)])
        assert (await other.call("mining.ping"))["result"] == "pong"
        answers = [await client.line() for _ in range(50)]
        assert [answer and answer["id"] for answer in answers] == list(range(100, 150))


async def test_a_connection_over_the_limit_is_closed_and_the_others_stay() -> None:
    async with running(ServerLimits(connections=2)) as run:
        run.owner.make()
        first, second = await run.client(), await run.client()
        await first.handshake()
        await second.handshake()
        assert await (await run.client()).is_closed()
        assert (await first.call("mining.ping"))["result"] == "pong"


async def test_one_address_cannot_take_every_place() -> None:
    async with running(ServerLimits(connections=10, connections_per_address=1)) as run:
        run.owner.make()
        await (await run.client()).handshake()
        assert await (await run.client()).is_closed()
        await (await run.client("127.0.0.2")).handshake()


async def test_an_owner_without_room_lets_nobody_in_and_keeps_who_is_there() -> None:
    async with running() as run:
        run.owner.make()
        client = await run.client()
        await client.handshake()
        run.owner.has_room = False
        assert await (await run.client()).is_closed()
        assert await client.call("mining.ping") == {"id": 1, "result": "pong", "error": None}
        run.owner.has_room = True
        await (await run.client()).handshake()


async def test_a_job_is_committed_before_its_line_goes_out() -> None:
    async with running() as run:
        run.owner.make()
        connection = Connection(run.server, Listener("127.0.0.1", 0, make_rules(difficulty=EASIEST)))
        connection.connection_made(NotedTransport(run.owner.notes))
        lines = [
            {"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2"]},
            {"id": 2, "method": "mining.authorize", "params": [USER, "x"]},
        ]
        connection.data_received(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        await asyncio.sleep(0)
        run.owner.notes.clear()
        run.owner.make()
        run.server.announce()
        assert run.owner.notes == ["commit", "write"]
        connection.connection_lost(None)


async def test_a_closed_connection_makes_room_and_leaves_nothing_behind() -> None:
    async with running(ServerLimits(connections=1)) as run:
        run.owner.make()
        client = await run.client()
        await client.handshake()
        client.writer.close()
        while len(run.server):
            await asyncio.sleep(0)
        assert run.owner.notes[-1] == "closed disconnected"
        await (await run.client()).handshake()


async def test_a_drain_takes_nobody_in_and_closes_everybody_within_its_time() -> None:
    async with running() as run:
        run.owner.make()
        clients = [await run.client() for _ in range(10)]
        for client in clients:
            await client.handshake()
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        drain = asyncio.create_task(run.server.drain(0.5))
        assert await clients[0].is_closed()  # the first at once
        assert loop.time() - started_at < 0.3
        with pytest.raises(OSError, match="Connect call failed"):
            await run.client()
        assert await clients[-1].is_closed()
        assert 0.4 < loop.time() - started_at < 30
        await drain


async def test_a_taken_port_is_an_error_that_names_it() -> None:
    async with running() as run:
        with pytest.raises(OSError, match="in use"):
            await run.server.start([Listener("127.0.0.1", run.port, make_rules())])


async def test_ipv6_listeners_are_served() -> None:
    async with running() as run:
        run.owner.make()
        rules = make_rules(difficulty=EASIEST)
        [(address, port)] = await run.server.start([Listener("::1", 0, rules)])
        reader, writer = await asyncio.open_connection(address, port)
        run.writers.append(writer)
        await Client(reader, writer).handshake()


async def test_a_miner_that_hangs_up_behind_its_slow_shares_loses_none_of_them() -> None:
    """Two shares in one segment, then the end: the second waits for the first one's hash."""
    slow = msgspec.structs.replace(SHA256D, slow=True)
    async with running(proof_of_work=slow) as run:
        run.owner.make(proof_of_work=slow)
        client = await run.client()
        notify = await client.handshake()
        job_id = notify["params"][0]
        client.send(submission(job_id, 1, 11), submission(job_id, 2, 12))
        client.writer.close()
        await asyncio.wait_for(run.owner.one_closed.wait(), 5)
        assert [type(event) for event in run.owner.events].count(Share) == 2


@pytest.mark.parametrize(
    ("host", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_ipv6_subscriber_is_counted_by_the_network_that_is_all_his(host: str, counted_as: str) -> None:
    assert limited_as(host) == counted_as
