"""A listener of Nodes that remembers what it was told, and lets a test wait until it was told enough."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pool.node.nodes import Nodes
from stratum.work.template import Template

DEADLINE_SECONDS = 10.0


class Recording:
    """`templates` holds (template, node name, received_at); `events` the names of all calls, in order."""

    def __init__(self) -> None:
        self.templates: list[tuple[Template, str, float]] = []
        self.events: list[str] = []
        self.reasons: list[str] = []

    def new_template(self, template: Template, node_name: str, received_at: float, heard_at: float) -> None:
        assert heard_at <= received_at
        self.templates.append((template, node_name, received_at))
        self.events.append(f"template {node_name}")

    def nodes_lost(self, reason: str) -> None:
        self.reasons.append(reason)
        self.events.append("lost")

    def nodes_back(self, node_name: str) -> None:
        self.events.append(f"back {node_name}")

    @property
    def tip(self) -> str | None:
        """The tip that the last template builds on, as displayed."""
        return self.templates[-1][0].previous_hash[::-1].hex() if self.templates else None

    @property
    def source(self) -> str | None:
        return self.templates[-1][1] if self.templates else None

    async def until(self, is_enough: Callable[[], bool]) -> None:
        await eventually(is_enough)

    async def until_tip(self, tip: str) -> None:
        await self.until(lambda: self.tip == tip)


async def eventually(is_so: Callable[[], bool]) -> None:
    """Returns as soon as the condition holds; it failing to hold in time fails the test."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not is_so():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(nodes: Nodes) -> AsyncIterator[Nodes]:
    """`nodes.run()` in the background; what it raises fails the test."""
    task = asyncio.create_task(nodes.run())
    try:
        yield nodes
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await nodes.close()
