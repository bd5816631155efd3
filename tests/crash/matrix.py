"""Many pools on one node, each with an accountant that dies at a step of its own and is started again.

    settled ── 101 blocks ──▶ paid, in the node's memory pool ── 6 blocks ──▶ confirmed

A pool whose accountant stands at its step is dealt with there (killed, its database cut off, a backup put
back) and goes on to the next of these goals. What came of it is then compared with the node's own chain.
"""

import asyncio
import enum
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from pool.accounting import policy_changes
from pool.accounting.process import TRY_AGAIN
from pool.storage.database import DatabaseError, ReadableDatabase, Reader
from tests.crash.dug import PAYEES, Dug, dig
from tests.crash.proof import assert_right, received_by
from tests.harness.litecoind import Litecoind
from tests.harness.stepped_accountant import SteppedAccountant

MINER = (
    "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3"  # of BIP 173's example key: its coins are nobody's here
)
GOAL_SECONDS = 90.0
MATURE, CONFIRMED = 101, 6
POINTS = int(os.environ.get("CRASH_POINTS", "20"))  # random ones: `make crash` has ten times as many
AT_ONCE = 12  # the most that two processors run without one having to wait long for another


class Goal(enum.Enum):
    """What a pool must have come to before the chain grows."""

    SETTLED = "its block is settled"
    PAID = "its payment is in the memory pool"
    CONFIRMED = "its payment is confirmed, and nothing is on hold"


class Life(msgspec.Struct, frozen=True):
    """How a process of an accountant ends early: where it stands (by name, or counted), or after seconds."""

    at: str | None = None
    at_number: int | None = None
    dies_after: float | None = None


FOR_GOOD = Life()
CAUGHT_UP = "after commit anything"  # the names of the pool's own accounts, before its duties begin


class Pool:
    """One dug pool and its accountant, with what happens to it. `stood` is where it has stood."""

    def __init__(self, plan: "Plan", dug: Dug, node: Litecoind) -> None:
        self.plan = plan
        self.dug = dug
        self.node = node
        self.accountant = SteppedAccountant(dug.settings_file)
        self.stood: list[str] = []
        self._lives = iter(plan.lives)
        self._view: ReadableDatabase | None = None

    async def begin(self) -> None:
        """The next life, until it has caught up with its journal: a signal finds it listening."""
        life = next(self._lives, FOR_GOOD)
        seen = first = len(self.accountant.steps)
        await self.accountant.start(at=life.at, at_number=life.at_number, dies_after=life.dies_after)
        while self.accountant.is_running and self.accountant.stands is None:
            if CAUGHT_UP in self.accountant.steps[first:]:
                return
            await self.accountant.tells_more(seen)
            seen = len(self.accountant.steps)

    async def reach(self, goal: Goal) -> None:
        """Until the goal is reached, through whatever happens on the way."""
        async with asyncio.timeout(GOAL_SECONDS):
            while not await self._goes_on_to(goal):
                pass
        if goal is Goal.SETTLED:
            await self.plan.when_settled(self)

    async def finish(self) -> None:
        """What is to happen to it happens now, if it has not; then it is stopped as a service is."""
        async with asyncio.timeout(GOAL_SECONDS):
            while self.plan.must_stand and not self.stood:
                await self._goes_on_to(Goal.CONFIRMED)
        code = -signal.SIGALRM
        while code == -signal.SIGALRM:  # its time may come while it is stopping
            await self.reach(Goal.CONFIRMED)
            code = await (self.accountant.stop() if self.accountant.is_running else self.accountant.ended())
            if code == -signal.SIGALRM:
                await self.begin()
        await self.look_away()
        assert code == 0, f"the accountant has ended with {code}"

    async def _goes_on_to(self, goal: Goal) -> bool:
        seen = len(self.accountant.steps)
        if not self.accountant.is_running:
            code = await self.accountant.ended()
            # TRY_AGAIN: whoever keeps it alive starts it again
            assert code in (-signal.SIGALRM, TRY_AGAIN), f"the accountant has ended with {code}"
            await self.begin()
        elif self.accountant.stands is not None:
            self.stood.append(self.accountant.stands)
            await self.plan.deal(self)
        if await self._has_reached(goal):
            return True
        await self.accountant.tells_more(seen)
        return False

    async def _has_reached(self, goal: Goal) -> bool:
        try:
            if self._view is None:
                self._view = await self.dug.open_for_reading()
            async with self._view.reading() as reader:
                return await self._is_true(reader, goal)
        except DatabaseError:
            return False  # not made yet, or cut off

    async def look_away(self) -> None:
        """Before the database is another one, and at the end."""
        if self._view is not None:
            await self._view.close()
            self._view = None

    async def _is_true(self, reader: Reader, goal: Goal) -> bool:
        if goal is Goal.SETTLED:
            return await reader.row("SELECT hash FROM settlement") is not None
        if goal is Goal.CONFIRMED:
            is_confirmed = await reader.row("SELECT id FROM payment WHERE state = 'confirmed'")
            return is_confirmed is not None and not await policy_changes.holds(reader)
        attempts = await reader.rows("SELECT txid FROM attempt")
        known = await self.node.rpc("getrawmempool") if attempts else []
        return any(txid in known for (txid,) in attempts)


Deal = Callable[[Pool], Awaitable[None]]


async def kill_and_restart(pool: Pool) -> None:
    """SIGKILL just there, and the next life."""
    await pool.accountant.kill()
    await pool.begin()


async def _nothing(pool: Pool) -> None:
    """No backup is made."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One pool of a run: the lives of its accountant, and what happens to it where one stands."""

    name: str
    lives: tuple[Life, ...] = ()
    deal: Deal = kill_and_restart
    when_settled: Deal = _nothing
    database: str | None = None

    @property
    def must_stand(self) -> bool:
        return any(life.at is not None for life in self.lives)


Result = Exception | Pool


def run(directory: Path, plans: Sequence[Plan], at_once: int = AT_ONCE) -> dict[str, Result]:
    """All plans, a few at a time, on a node of their own; what each came to: the pool, stopped and found
    right, or an error."""

    async def running() -> dict[str, Result]:
        async with Litecoind(directory, name="node") as node:
            await node.mine(1, MINER)  # the node gives no templates on its genesis block
            await node.rpc("createwallet", PAYEES)
            results: dict[str, Result] = {}
            for number, first in enumerate(range(0, len(plans), at_once)):
                together = plans[first : first + at_once]
                results |= await _run_together(node, directory / f"pools-{number}", together)
            return results

    return asyncio.run(running())


def outcome(results: Mapping[str, Result], name: str) -> Pool:
    """The pool of this name; raises what went wrong with it."""
    result = results[name]
    if isinstance(result, Exception):
        raise result
    return result


async def _run_together(node: Litecoind, directory: Path, plans: Sequence[Plan]) -> dict[str, Result]:
    pools = []
    for number, plan in enumerate(plans):
        wallet = f"{directory.name}-{number}"
        dug = await dig(node, directory / f"pool-{number}", wallet, plan.database)
        pools.append(Pool(plan, dug, node))
    results: dict[str, Result] = {pool.plan.name: pool for pool in pools}

    async def all_do(what: Callable[[Pool], Awaitable[None]]) -> None:
        going = [pool for pool in results.values() if isinstance(pool, Pool)]
        ends = await asyncio.gather(*map(what, going), return_exceptions=True)
        for pool, end in zip(going, ends, strict=True):
            if isinstance(end, BaseException):
                results[pool.plan.name] = await _failed(pool, end)

    await all_do(Pool.begin)
    await all_do(lambda pool: pool.reach(Goal.SETTLED))
    await node.mine(MATURE, MINER)
    await all_do(lambda pool: pool.reach(Goal.PAID))
    await node.mine(CONFIRMED, MINER)
    await all_do(Pool.finish)
    received = await received_by(node, [payee for pool in pools for payee in pool.dug.due])
    await all_do(lambda pool: assert_right(pool.dug, node, received))
    for pool in pools:
        await node.rpc("unloadwallet", pool.dug.name)
    return results


async def _failed(pool: Pool, error: BaseException) -> Exception:
    await pool.look_away()
    if pool.accountant.is_running:
        await pool.accountant.kill()
    if not isinstance(error, Exception):
        raise error
    error.add_note("\n".join([f"--- {pool.plan.name}", *pool.accountant.steps, pool.accountant.log]))
    return error
