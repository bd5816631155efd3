"""Rehearsals: on a real node, and what follows from each of its answers."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import pytest

from payouts.plan import Payee, Plan
from pool.gateway.coinbase_outputs import Shape
from pool.gateway.rehearsal import REFUSED_SECONDS, Rehearsal
from pool.gateway.work_source import Variant, WorkRules, WorkSource
from pool.node.proposals import NoVerdict, propose_block
from pool.node.rpc import NodeRpc, NodeUnreachable
from pool.node.templates import fetch_template
from pool.preflight import extranonce_bytes
from stratum.jobs import JobBook
from stratum.work.coin import Network, network
from tests.builders import make_job
from tests.harness.litecoind import Litecoind, RealNode, real_node
from tests.pool.node.recording import eventually

CUSTODY = b"\x00\x14" + b"\xff" * 20
SCRIPTS = [b"\x00\x14", b"\x51\x20", b"\x00\x20", b"\xa9\x14", b"\x76\xa9\x14"]
SHAPE: Shape = ((22, 2),)


def script(n: int) -> bytes:
    """p2wpkh, p2tr, p2wsh, p2sh and p2pkh in turn."""
    head = SCRIPTS[n % 5]
    tail = {b"\xa9\x14": b"\x87", b"\x76\xa9\x14": b"\x88\xac"}.get(head, b"")
    return head + n.to_bytes(4, "big") * (head[-1] // 4) + tail


def plan_of(payees: int) -> Plan:
    return Plan(
        payees=tuple(Payee(script(n), 2 * payees - n, f"m{n}") for n in range(payees)),
        custody=CUSTODY,
        generation=1,
        most_outputs=2000,
    )


class Stage:
    """A rehearsal with a propose function, its work source, and what it did."""

    def __init__(self, here: Network, rpc: NodeRpc, payees: int) -> None:
        self.answers: list[str | None] = []
        self.refusals = 0
        self._rpc = rpc
        self.rehearsal = Rehearsal(
            self.propose, extranonce_bytes(here), lambda: 0.0, self.refused, pause_seconds=0
        )
        rules = WorkRules(here, b"/test/", 0x1FFFE000, 0, bytes(4))
        self.source = WorkSource(rules, JobBook(), lambda _: plan_of(payees), self.rehearsal)

    async def propose(self, block_hex: str) -> str | None:
        try:
            answer = await propose_block(self._rpc, block_hex)
        except NoVerdict as error:
            self.answers.append(str(error))
            raise
        self.answers.append(answer)
        return answer

    def refused(self) -> None:
        self.refusals += 1


@asynccontextmanager
async def rpc_of(node: RealNode) -> AsyncIterator[NodeRpc]:
    rpc = NodeRpc(node.endpoint())
    try:
        yield rpc
    finally:
        await rpc.close()


@contextmanager
def running(rehearsal: Rehearsal) -> Iterator[None]:
    task = asyncio.create_task(rehearsal.run())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()


async def test_a_real_node_takes_coinbases_of_all_kinds_up_to_the_last_byte(tmp_path: Path) -> None:
    async with real_node(tmp_path) as node, rpc_of(node) as rpc:
        here = network(node.coin, "regtest")
        await node.mine(101)
        await node.send("1")
        fetched = await fetch_template(rpc, here, trust_stricter_target=False)
        stage = Stage(here, rpc, payees=600)
        stage.source.new_template(fetched.template, 0.0, 0.0)
        with running(stage.rehearsal):
            for size_class in (250, 700, 6_500, 30_000):
                assert stage.source.current_job(Variant(None, size_class), 0.0) is not None
            await eventually(lambda: len(stage.answers) == 4)
    assert stage.answers == [None] * 4
    assert stage.refusals == 0


async def test_with_an_extension_block_the_proposal_carries_it(tmp_path: Path) -> None:
    async with Litecoind(tmp_path, mweb=True) as node, rpc_of(node) as rpc:
        await node.activate_mweb()
        await node.send("2", "mweb")
        here = network("litecoin", "regtest")
        fetched = await fetch_template(rpc, here, trust_stricter_target=False)
        assert fetched.template.mweb_hex is not None
        stage = Stage(here, rpc, payees=20)
        stage.source.new_template(fetched.template, 0.0, 0.0)
        with running(stage.rehearsal):
            stage.source.current_job(Variant(None, 2_250), 0.0)
            await eventually(lambda: bool(stage.answers))
    assert stage.answers == [None]


async def test_what_a_real_node_refuses_is_paid_by_one_output(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with real_node(tmp_path) as node, rpc_of(node) as rpc:
        here = network(node.coin, "regtest")
        await node.mine(1)
        template = (await fetch_template(rpc, here, trust_stricter_target=False)).template
        stage = Stage(here, rpc, payees=3)
        greedy = msgspec.structs.replace(template, coinbase_value_sats=template.coinbase_value_sats + 1)
        stage.source.new_template(greedy, 0.0, 0.0)
        with running(stage.rehearsal):
            stage.source.current_job(Variant(None, 700), 0.0)
            await eventually(lambda: stage.refusals == 1)
            assert stage.answers == ["bad-cb-amount"]
            stage.source.renew(1.0)
            job = stage.source.current_job(Variant(None, 700), 1.0)
            assert job is not None
            assert CUSTODY in job.coinbase_suffix
            assert script(0) not in job.coinbase_suffix
    assert "coinbase has 3 outputs (bad-cb-amount)" in caplog.text


async def test_a_job_that_the_tip_has_overtaken_says_nothing_about_its_shape(tmp_path: Path) -> None:
    async with real_node(tmp_path) as node, rpc_of(node) as rpc:
        here = network(node.coin, "regtest")
        await node.mine(1)
        old = (await fetch_template(rpc, here, trust_stricter_target=False)).template
        await node.mine(1)
        new = (await fetch_template(rpc, here, trust_stricter_target=False)).template
        stage = Stage(here, rpc, payees=3)
        with running(stage.rehearsal):
            for number, template in enumerate((old, new), 1):
                stage.source.new_template(template, 0.0, 0.0)
                stage.source.current_job(Variant(None, 700), 0.0)
                await eventually(lambda n=number: len(stage.answers) == n)
    assert stage.answers == ["inconclusive-not-best-prevblk", None]
    assert stage.refusals == 0


class Scripted:
    """Answers one proposal after another; the last answer stays."""

    def __init__(self, answers: Sequence[str | Exception | None]) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.now = 0.0
        self.rehearsal = Rehearsal(self.propose, 12, lambda: self.now, lambda: None, pause_seconds=0)

    async def propose(self, block_hex: str) -> str | None:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_shape_that_was_taken_is_not_rehearsed_again() -> None:
    scripted = Scripted([None])
    with running(scripted.rehearsal):
        scripted.rehearsal.first_seen(SHAPE, make_job())
        await eventually(lambda: scripted.asked == 1)
        other: Shape = ((22, 3),)
        scripted.rehearsal.first_seen(SHAPE, make_job(job_id="2"))
        scripted.rehearsal.first_seen(other, make_job(job_id="3"))
        await eventually(lambda: scripted.asked == 2)
    assert not scripted.rehearsal.is_refused(SHAPE)


async def test_a_refused_shape_gets_another_chance_after_an_hour() -> None:
    scripted = Scripted(["bad-blk-sigops", None])
    with running(scripted.rehearsal):
        scripted.rehearsal.first_seen(SHAPE, make_job())
        await eventually(lambda: scripted.rehearsal.is_refused(SHAPE))
        scripted.now = REFUSED_SECONDS - 0.1
        assert scripted.rehearsal.is_refused(SHAPE)
        scripted.now = REFUSED_SECONDS
        assert not scripted.rehearsal.is_refused(SHAPE)
        scripted.rehearsal.first_seen(SHAPE, make_job())
        await eventually(lambda: scripted.asked == 2)
    assert not scripted.rehearsal.is_refused(SHAPE)


async def test_a_node_that_cannot_be_asked_refuses_nothing_and_is_asked_with_the_next_job(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scripted = Scripted([NodeUnreachable("away"), NodeUnreachable("away"), None])
    with running(scripted.rehearsal):
        for number in (1, 2, 3):
            scripted.rehearsal.first_seen(SHAPE, make_job(job_id=str(number)))
            await eventually(lambda n=number: scripted.asked == n)
            assert not scripted.rehearsal.is_refused(SHAPE)
    assert caplog.text.count("cannot be rehearsed: away") == 1
