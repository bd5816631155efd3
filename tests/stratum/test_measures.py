"""What the server measures of itself: who came and went and why, how long answers and announcements took."""

import asyncio

import msgspec

from stratum.closing import CloseCause, TurnedAway
from stratum.measures import Histogram
from stratum.server import ServerLimits
from tests.builders import SHA256D, USER
from tests.harness.lines import Running, running, submission


async def until_empty(run: Running) -> None:
    while len(run.server):
        await asyncio.sleep(0)


def test_a_figure_is_counted_at_the_first_bound_that_it_does_not_exceed() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 3.0):
        histogram.observe(value)
    assert (histogram.counts, histogram.total) == ([2, 1, 1], 6.0)


async def test_each_share_is_timed_once_and_each_answer() -> None:
    async with running() as run:
        job = run.owner.make()
        client = await run.client()
        await client.handshake()
        answered = sum(run.server.measures.reply.counts)
        for number in range(3):
            await client.call("mining.submit", *submission(job.id, number, 9)["params"])
        measures = run.server.measures
        assert sum(measures.check.counts) == 3
        assert sum(measures.reply.counts) == answered + 3
        assert 0 < measures.check.total < measures.reply.total


async def test_a_slow_share_is_timed_with_its_hash_and_answered_once() -> None:
    slow = msgspec.structs.replace(SHA256D, slow=True)
    async with running(proof_of_work=slow) as run:
        job = run.owner.make(proof_of_work=slow)
        client = await run.client()
        await client.handshake()
        answered = sum(run.server.measures.reply.counts)
        await client.call("mining.submit", *submission(job.id, 1, 9)["params"])
        assert sum(run.server.measures.check.counts) == 1
        assert sum(run.server.measures.reply.counts) == answered + 1


async def test_who_ends_before_it_can_mine_is_a_failed_handshake_with_its_cause() -> None:
    async with running() as run:
        run.owner.make()
        stranger = await run.client()
        stranger.writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await stranger.is_closed()
        miner = await run.client()
        await miner.handshake()
        miner.writer.close()
        await until_empty(run)
        measures = run.server.measures
        assert measures.accepted == 2
        assert {cause: n for cause, n in measures.closed.items() if n} == {
            CloseCause.HTTP: 1,
            CloseCause.DISCONNECTED: 1,
        }
        assert {cause: n for cause, n in measures.unready.items() if n} == {CloseCause.HTTP: 1}


async def test_who_is_turned_away_is_counted_by_the_limit_that_it_met() -> None:
    async with running(ServerLimits(connections=2, connections_per_address=1)) as run:
        run.owner.make()
        await (await run.client()).handshake()
        assert await (await run.client()).is_closed()
        await (await run.client("127.0.0.2")).handshake()
        assert await (await run.client("127.0.0.3")).is_closed()
        run.owner.has_room = False
        counts = {away: n for away, n in run.server.measures.turned_away.items() if n}
        assert counts == {TurnedAway.ADDRESS: 1, TurnedAway.CONNECTIONS: 1}


async def test_an_announcement_is_timed_from_its_first_line_to_its_last() -> None:
    async with running() as run:
        run.owner.make()
        for _ in range(3):
            await (await run.client()).handshake()
        run.owner.make(tip=2)
        run.server.announce()
        [fan_out] = run.owner.fan_outs
        [(first_at, _), *_] = fan_out.slices
        assert fan_out.started_at <= first_at
        assert [one.first_worker.name for _, told in fan_out.slices for one in told if one.first_worker] == [
            "rig"
        ] * 3


async def test_an_announcement_that_comes_during_another_is_one_with_it() -> None:
    async with asyncio.timeout(10), running(ServerLimits(fanout_slice=2)) as run:
        run.owner.make()
        for _ in range(3):
            await (await run.client()).handshake()
        run.owner.make(tip=2)
        run.server.announce()  # sends two of the three their job at once
        run.owner.make(tip=2)
        run.server.announce()
        while not run.owner.fan_outs:
            await asyncio.sleep(0)
        [fan_out] = run.owner.fan_outs
        assert [len(sessions) for _, sessions in fan_out.slices] == [2, 2, 1]
        [first_at, *later] = [at for at, _ in fan_out.slices]
        assert fan_out.started_at <= first_at < min(later)


async def test_an_announcement_without_work_reaches_nobody_and_has_an_end() -> None:
    async with running() as run:
        run.owner.make()
        await (await run.client()).handshake()
        run.owner.job = None
        run.server.announce()
        assert [fan_out.slices for fan_out in run.owner.fan_outs] == [()]


async def test_an_announcement_ends_though_those_it_has_not_reached_yet_leave() -> None:
    async with asyncio.timeout(10), running(ServerLimits(fanout_slice=1)) as run:
        run.owner.make()
        clients = [await run.client() for _ in range(2)]
        for client in clients:
            await client.handshake()
        first, second = run.server._connections
        run.server.announce()  # reaches the first
        second.session.close(CloseCause.DRAIN)
        while not run.owner.fan_outs:
            await asyncio.sleep(0)
        [fan_out] = run.owner.fan_outs
        assert [sessions for _, sessions in fan_out.slices] == [[first.session]]


async def test_an_announcement_to_nobody_is_none() -> None:
    async with running() as run:
        run.owner.make()
        assert not run.server.announce()
        assert run.owner.fan_outs == []
        await (await run.client()).handshake()
        assert run.server.announce()


async def test_a_difficulty_that_a_miner_is_told_anew_is_counted_by_direction() -> None:
    async with running() as run:
        run.owner.make()
        client = await run.client()
        await client.call("mining.subscribe", "cpuminer/2")
        client.send({"id": 2, "method": "mining.authorize", "params": [USER, "x"]})
        await client.until("mining.notify")
        assert (run.server.measures.raised, run.server.measures.lowered) == (0, 0), "the first is no change"
        client.send({"id": 3, "method": "mining.suggest_difficulty", "params": [64]})
        await client.until("mining.set_difficulty")
        assert (run.server.measures.raised, run.server.measures.lowered) == (1, 0)


async def test_connections_are_counted_by_port_and_firmware() -> None:
    async with running() as run:
        run.owner.make()
        for agent in ("cgminer/4.12", "cgminer/4.11.1", "bitaxe/BM1370"):
            client = await run.client()
            await client.call("mining.subscribe", agent)
        async with asyncio.timeout(5):
            while sum(run.server.measures.connections.values()) < 3:
                await asyncio.sleep(0.05)
        by_family = {family.name: n for (_, family), n in run.server.measures.connections.items()}
        assert by_family == {"cgminer": 2, "bitaxe": 1}
