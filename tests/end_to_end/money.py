"""A pool of three payees on a real litecoind, whose money is followed from their shares to their wallets.

The node has two wallets: the pool's, which blocks pay and payments are made from, and the payees'. Shares are
of the easiest difficulty: each has the work of one hash, and is a block only where a test asks for one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from pool.accounting import ledger
from pool.storage.database import DatabaseError, Reader
from pool.storage.opening import open_for_reading
from tests.crash.dug import wallet_rpc
from tests.crash.proof import received_by, sats
from tests.harness.hand_miner import HandMiner
from tests.harness.litecoind import Litecoind
from tests.harness.pool_process import RunningPool
from tests.harness.stepped_accountant import SteppedAccountant

MINER = "rltc1qw508d6qejxtdg4y5r3zarvary0c5xw7k693xs3"  # BIP 173's example key: nobody's here
EASIEST = "{start: 0.00001, minimum: 0.00001}"
REGTEST_TARGET = 0x7FFFFF << 232  # bits 207fffff: every second hash is a block
PATIENCE_SECONDS = 60.0
REWARD_SATS = 5_000_000_000  # before the first halving, at block 150

BY_WALLET = """{{scheme: pplns, address: {address}, minimum_sats: 1000, window: {{multiple: 1000}},
  wallet: {{name: pool, fallback_fee_sats_per_vbyte: 20, interval_minutes: 10080, bump_after_blocks: 1}}}}"""
BY_COINBASE = """{{scheme: pplns, method: coinbase, address: {address}, window: {{multiple: 1000}}}}"""
# A window of 2,000 hashes is never full here: every block is divided by all shares there ever were.

MORE = """
template_refresh_seconds: 1
accounting: {slot_seconds: 1}
"""


class Money:
    """The parts of one pool, and what its books and the chain say."""

    def __init__(self, node: Litecoind, pool: RunningPool, payees: Sequence[str]) -> None:
        self.node = node
        self.pool = pool
        self.payees = payees
        self.data = pool.data_directory
        self.database: str | None = None
        self._blocks = 0

    async def mine(self, payee: str, shares: int, *, block: bool = False) -> str | None:
        """Shares of one payee, all accepted; with `block` the last is one, whose hash is the answer."""
        miner = await self.miner(payee)
        job = await miner.next_job(previous_hash_hex=await self.node.rpc("getbestblockhash"))
        for _ in range(shares - block):
            share = miner.find(job, job.target, above=REGTEST_TARGET)
            assert await miner.submit(job, share) is None
        found = await self.find_block(miner, job) if block else None
        await miner.close()
        return found

    async def miner(self, payee: str) -> HandMiner:
        return await HandMiner.connect(self.pool.port, f"{payee}.rig", "scrypt", password="d=0.00001")

    async def find_block(self, miner: HandMiner, job: Any) -> str:
        share = miner.find(job, REGTEST_TARGET)
        assert await miner.submit(job, share) is None
        self._blocks += 1
        await self.pool.says(": accepted: node", times=self._blocks)
        return share.block_hash

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader]:
        database = await open_for_reading(self.database, self.data)
        try:
            async with database.reading() as reader:
                yield reader
        finally:
            await database.close()

    async def owed(self) -> dict[str, tuple[int, int]]:
        """(immature, balance) of each payee that is owed anything; the books add up."""
        async with self.reading() as reader:
            assert await ledger.faults(reader) == []
            assert await reader.row("SELECT COALESCE(SUM(sats), 0) FROM ledger") == (0,)
            names = dict(await reader.rows("SELECT id, name FROM account"))
            return {names[account]: pots for account, pots in (await ledger.owed(reader)).items()}

    async def rows(self, sql: str, *params: str) -> list[tuple[Any, ...]]:
        async with self.reading() as reader:
            return await reader.rows(sql, *params)

    async def received(self) -> dict[str, list[tuple[str, int]]]:
        """(txid, satoshis) of every output in the chain to each payee."""
        return {
            payee: list(outputs) for payee, outputs in (await received_by(self.node, self.payees)).items()
        }

    async def wallet(self, method: str, *params: object) -> Any:
        """Ask the pool's wallet."""
        return await wallet_rpc(self.node, "pool", method, *params)

    async def fee_of(self, txid: str) -> int:
        return -sats((await self.wallet("gettransaction", txid))["fee"])


@asynccontextmanager
async def money_pool(
    directory: Path, *node_arguments: str, payout: str = BY_WALLET, database: str | None = None
) -> AsyncIterator[Money]:
    """Gateway and node run; whoever keeps the accounts is the test's to start."""
    async with Litecoind(directory, name="node", extra_arguments=node_arguments) as node:
        (directory / "password").write_text("p")
        await node.mine(1, MINER)
        for wallet in ("pool", "payees"):
            await node.rpc("createwallet", wallet)
        address = await wallet_rpc(node, "pool", "getnewaddress", "", "bech32")
        payees = [await wallet_rpc(node, "payees", "getnewaddress", "", "bech32") for _ in range(3)]
        running = RunningPool(directory, [node], payout=payout.format(address=address), difficulty=EASIEST)
        more = MORE + (f"database: {database}\n" if database else "")
        running.settings_file.write_text(running.settings_file.read_text() + more)
        async with running as pool:
            money = Money(node, pool, payees)
            money.database = database
            yield money


async def comes(accountant: SteppedAccountant, is_true: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is true, asked anew after each step of the accountant. A database that cannot be asked
    is no answer."""
    while True:
        seen = len(accountant.steps)
        with contextlib.suppress(DatabaseError):
            if await is_true():
                return
        assert accountant.is_running, "the accountant has ended"
        await accountant.tells_more(seen)


@asynccontextmanager
async def keeping(
    pool: AbstractAsyncContextManager[Money],
) -> AsyncIterator[tuple[Money, SteppedAccountant]]:
    """A pool with its accountant, for a minute."""
    async with (
        pool as money,
        asyncio.timeout(PATIENCE_SECONDS),
        SteppedAccountant(money.pool.settings_file) as accountant,
    ):
        yield money, accountant
