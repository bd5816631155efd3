"""[shell] The end of the demo: the blocks ripen, the miners are paid, and the payment is confirmed.

What takes days on a real chain takes seconds here: the node is told to make the blocks on top. Everything
else is what happens in any pool: the accountant sees the blocks mature, plans, signs and sends one
transaction, and watches it until it is six blocks deep.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from pool.accounting.control import NobodyThere, Refused, ask
from pool.node.rpc import NodeRpc
from pool.reports import payments
from pool.storage.database import DatabaseError, Reader
from pool.storage.opening import open_for_reading
from pool.wording import coins_text

RIPE_BLOCKS = 101
CONFIRMATIONS = 6
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 60.0
# A window waits for the end of its slot of ten seconds, and the chain is looked at every other second.


class PaydayFailed(Exception):
    """The miners were not paid; one line that says how far it came."""


class PaidLine(msgspec.Struct, frozen=True):
    """A payment that is confirmed: its number, payees, what they were owed, the fee, the transaction."""

    number: int
    payees: int
    sats: int
    fee_sats: int
    txid: str


class Payday:
    """Pays what the demo's miners have earned. `filler` is an address that nobody here mines for."""

    def __init__(self, data_directory: Path, rpc: NodeRpc, filler: str, say: Callable[[str], None]) -> None:
        self._directory = data_directory
        self._rpc = rpc
        self._filler = filler
        self._say = say

    async def run(self) -> list[PaidLine]:
        """Until all payments are confirmed. Raises PaydayFailed, NodeError."""
        self._say(f"the node makes {RIPE_BLOCKS} blocks on top: what was mined is ripe then")
        await self._wait_for(self._are_settled, "no block was divided among the miners")
        await self._make_blocks(RIPE_BLOCKS)
        await self._wait_for(self._are_ripe, "the blocks did not ripen")
        try:
            await ask(self._directory, "payouts_run")
        except (Refused, NobodyThere) as error:
            raise PaydayFailed(f"nobody was paid: {error}") from error
        await self._wait_for(self._are_sent, "no payment was sent")
        await self._make_blocks(CONFIRMATIONS)
        await self._wait_for(self._are_confirmed, "the payment is not confirmed")
        return await self._paid()

    async def _paid(self) -> list[PaidLine]:
        database = await open_for_reading(None, self._directory)
        try:
            async with database.reading() as reader:
                found = await payments.payments(reader, 10)
        finally:
            await database.close()
        return [
            PaidLine(one.id, one.payees, one.sats, one.fee_sats, one.txid or "")
            for one in found
            if one.id is not None  # not a coinbase's
        ]

    async def _make_blocks(self, count: int) -> None:
        await self._rpc.call("generatetoaddress", count, self._filler, result=list[str])

    async def _wait_for(self, question: Callable[[Reader], Awaitable[bool]], otherwise: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await self._answer(question):  # noqa: ASYNC110  it is a database that is asked
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise PaydayFailed(f"{otherwise} within {PATIENCE_SECONDS:.0f} s") from None

    async def _answer(self, question: Callable[[Reader], Awaitable[bool]]) -> bool:
        try:
            database = await open_for_reading(None, self._directory)
        except DatabaseError:
            return False  # the accountant is still making it
        try:
            async with database.reading() as reader:
                return await question(reader)
        finally:
            await database.close()

    async def _are_settled(self, reader: Reader) -> bool:
        return await _none(
            reader,
            "SELECT 1 FROM block WHERE state = 'accepted' "
            "AND hash NOT IN (SELECT hash FROM settlement) LIMIT 1",
        ) and not await _none(reader, "SELECT 1 FROM settlement LIMIT 1")

    async def _are_ripe(self, reader: Reader) -> bool:
        return await _none(reader, "SELECT 1 FROM block WHERE state = 'accepted' LIMIT 1")

    async def _are_sent(self, reader: Reader) -> bool:
        return not await _none(reader, "SELECT 1 FROM payment WHERE state = 'broadcast' LIMIT 1")

    async def _are_confirmed(self, reader: Reader) -> bool:
        return await _none(reader, "SELECT 1 FROM payment WHERE state <> 'confirmed' LIMIT 1")


async def _none(reader: Reader, sql: str) -> bool:
    return await reader.row(sql) is None


def paid_text(paid: PaidLine) -> str:
    """A payment in one line."""
    return (
        f"payment {paid.number}: {coins_text(paid.sats)} to {paid.payees} miners, "
        f"fee {coins_text(paid.fee_sats)}, confirmed"
    )
