"""The node: the engine in its thread, and ledger and mempool on the loop. It speaks no protocol.

The engine takes one block at a time; ledger and mempool follow in the same order, on the loop, so that
whoever asks between two blocks sees one whole state.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pool.devnode.kernel import Kernel, Verdict
from pool.devnode.ledger import Ledger
from pool.devnode.mempool import Mempool, Refusal
from pool.devnode.parsing import Transaction

T = TypeVar("T")


class Devnode:
    """One chain. Make it with `open`, end it with `close`."""

    def __init__(self, kernel: Kernel, thread: ThreadPoolExecutor) -> None:
        self._kernel = kernel
        self._thread = thread
        self._order = asyncio.Lock()
        self._changed = asyncio.Condition()
        self.ledger = Ledger()
        self.mempool = Mempool(self.ledger, kernel.verify_input)
        self.on_tip: Callable[[bytes], None] = lambda _: None
        self.mempool_changes = 0

    @classmethod
    async def open(cls, directory: Path) -> "Devnode":
        """Open or create the chain in a directory; raises CannotOpen."""
        thread = ThreadPoolExecutor(1, "kernel")
        loop = asyncio.get_running_loop()
        try:
            kernel = await loop.run_in_executor(thread, Kernel, directory)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        node = cls(kernel, thread)
        for raw in await node._in_thread(kernel.active_blocks):
            node.ledger.connect(raw)
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
        returned: list[Transaction] = []
        for _ in verdict.disconnected:
            returned = self.ledger.disconnect()[1:] + returned
        for raw in verdict.connected:
            self.mempool.block_connected(self.ledger.connect(raw))
        if returned:
            self.mempool.reconsider(returned)
        self.on_tip(self.ledger.tip)
        async with self._changed:
            self._changed.notify_all()

    async def accept(self, transaction: Transaction) -> Refusal | None:
        """Take a transaction into the mempool; scripts run in the engine's thread one after another."""
        async with self._order:
            refusal = await self._in_thread(lambda: self.mempool.accept(transaction))
        if refusal is None:
            self.mempool_changes += 1
        return refusal

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
