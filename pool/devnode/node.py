"""The node: the engine in its thread, and ledger, mempool and wallets on the loop. It speaks no protocol.

The engine takes one block at a time; ledger, mempool and wallets follow in the same order, on the loop, so
that whoever asks between two blocks sees one whole state.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pool.devnode.kernel import Kernel, Verdict
from pool.devnode.ledger import Ledger
from pool.devnode.mempool import Admission, Mempool
from pool.devnode.parsing import Transaction, TransactionOutput
from pool.devnode.proposal import proposal_refusal
from pool.devnode.waiting import Refusal
from pool.devnode.wallets import Wallets

T = TypeVar("T")


class Devnode:
    """One chain. Make it with `open`, end it with `close`."""

    def __init__(self, kernel: Kernel, thread: ThreadPoolExecutor, directory: Path) -> None:
        self._kernel = kernel
        self._thread = thread
        self._order = asyncio.Lock()
        self._changed = asyncio.Condition()
        self.ledger = Ledger()
        self.mempool = Mempool(self.ledger, kernel.verify_input)
        self.wallets = Wallets(directory / "wallets", self.ledger, self.mempool)
        self.on_tip: Callable[[bytes], None] = lambda _: None
        self.mempool_changes = 0

    @classmethod
    async def open(cls, directory: Path) -> "Devnode":
        """Open or create the chain in a directory, and its wallet; raises CannotOpen."""
        thread = ThreadPoolExecutor(1, "kernel")
        loop = asyncio.get_running_loop()
        try:
            kernel = await loop.run_in_executor(thread, Kernel, directory)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        node = cls(kernel, thread, directory)
        try:
            for raw in await node._in_thread(kernel.active_blocks):
                node.ledger.connect(raw)
            node.wallets.open_default()
        except BaseException:
            await node.close()
            raise
        return node

    async def close(self) -> None:
        """Write everything to disk."""
        async with self._order:
            await self._in_thread(self._kernel.close)
        self._thread.shutdown()

    async def submit(self, raw: bytes) -> str | None:
        """Take a block; gives Core's submitblock text. Raises Undecodable."""
        async with self._order:
            verdict = await self._in_thread(lambda: self._kernel.submit(raw))
            if verdict.connected or verdict.disconnected:
                await self._follow(verdict)
            return verdict.text

    async def _follow(self, verdict: Verdict) -> None:
        now = int(time.time())
        returned: list[Transaction] = []
        for _ in verdict.disconnected:
            returned = self.ledger.disconnect()[1:] + returned
        for raw in verdict.connected:
            transactions = self.ledger.connect(raw)
            self.mempool.block_connected(transactions)
            for transaction in transactions:
                self.wallets.see(transaction, now)
        if returned:
            self.mempool.reconsider(returned, now)
        self.on_tip(self.ledger.tip)
        async with self._changed:
            self._changed.notify_all()

    async def propose(self, raw: bytes) -> str | None:
        """What would become of a block if it had its work (BIP 23): None, or Core's text. Raises
        Undecodable."""
        async with self._order:
            now = int(time.time())
            return await self._in_thread(lambda: proposal_refusal(raw, self._kernel, self.ledger, now))

    async def judge(self, transaction: Transaction) -> Admission | Refusal:
        """Whether the mempool would take it; scripts run in the engine's thread one after another."""
        async with self._order:
            return await self._judged(transaction)

    async def accept(self, transaction: Transaction) -> Refusal | None:
        """Take a transaction into the mempool; None where it was, or is there already."""
        async with self._order:
            if transaction.txid in self.mempool.waiting:
                return None
            judged = await self._judged(transaction)
            if isinstance(judged, Refusal):
                return judged
            self.mempool.add(judged)
            self.wallets.see(transaction, judged.entry.entered_at)
        self.mempool_changes += 1
        return None

    async def _judged(self, transaction: Transaction) -> Admission | Refusal:
        now = int(time.time())
        return await self._in_thread(lambda: self.mempool.judge(transaction, now))

    async def is_signed(
        self, transaction: Transaction, position: int, spent: list[TransactionOutput]
    ) -> bool:
        """Whether an input's script holds, given all outputs that the transaction spends."""
        outputs = [(output.value_sats, output.script) for output in spent]
        async with self._order:
            failure = await self._in_thread(
                lambda: self._kernel.verify_input(transaction.raw, position, outputs)
            )
        return failure is None

    async def header_and_height(self, block_hash: bytes) -> tuple[bytes, int] | None:
        """A block of any branch."""
        async with self._order:
            return await self._in_thread(lambda: self._kernel.header_and_height(block_hash))

    async def block(self, block_hash: bytes) -> bytes | None:
        """A block's bytes, of any branch."""
        async with self._order:
            return await self._in_thread(lambda: self._kernel.block(block_hash))

    async def wait_for_tip_other_than(self, tip: bytes) -> None:
        """Return when the best block is another one."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.ledger.tip != tip)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
