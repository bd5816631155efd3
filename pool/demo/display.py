"""Draws the demo: a live screen on a terminal, a line per event elsewhere. It gathers nothing itself."""

from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pool.demo.snapshot import BlockLine, Snapshot
from pool.wording import coins_text, hashrate_text

BLOCKS_SHOWN = 8


def screen(snapshot: Snapshot) -> Group:
    """The whole screen as one thing that rich can draw; 80 columns are enough."""
    total = sum(miner.hashes_per_second for miner in snapshot.miners)
    head = Text.assemble(
        ("Engineroom demo  ", "bold"),
        f"{snapshot.elapsed_seconds:.0f} s · height {snapshot.height} · {hashrate_text(total)} · "
        f"block difficulty {snapshot.network_difficulty:.3g}",
    )
    return Group(head, Text(), _miners(snapshot), Text(), _blocks(snapshot))


def _miners(snapshot: Snapshot) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("miner", min_width=10)
    for heading in ("hashrate", "difficulty", "shares", "refused"):
        table.add_column(heading, justify="right", min_width=10)
    for miner in snapshot.miners:
        table.add_row(
            miner.name,
            hashrate_text(miner.hashes_per_second),
            f"{miner.difficulty:.3g}",
            str(miner.accepted),
            str(miner.refused),
        )
    return table


def _blocks(snapshot: Snapshot) -> Group:
    if not snapshot.blocks:
        return Group(Text("no block yet", style="dim"))
    return Group(*(Text(block_text(block), style="green") for block in snapshot.blocks[-BLOCKS_SHOWN:]))


def block_text(block: BlockLine) -> str:
    """A block in one line of 80 columns."""
    transactions = f"{block.transactions} transaction" + ("s" if block.transactions != 1 else "")
    return (
        f"block {block.height} {block.block_hash[:8]}…{block.block_hash[-8:]}: "
        f"{coins_text(block.reward_sats)}, {transactions}, {block.verdict}"
    )


class Display:
    """Shows snapshots while it is entered; without a terminal, each block and each tenth second once."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live: Live | None = None
        self._blocks_told = 0
        self._tenths_told = 0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """A line of its own, above the screen."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, snapshot: Snapshot) -> None:
        """The newest state."""
        if self._live is not None:
            self._live.update(screen(snapshot))
            return
        for block in snapshot.blocks[self._blocks_told :]:
            self.say(block_text(block))
        self._blocks_told = len(snapshot.blocks)
        if snapshot.elapsed_seconds // 10 > self._tenths_told:
            self._tenths_told = int(snapshot.elapsed_seconds // 10)
            self.say(summary_text(snapshot))


def summary_text(snapshot: Snapshot) -> str:
    """The miners together, in one line."""
    accepted = sum(miner.accepted for miner in snapshot.miners)
    refused = sum(miner.refused for miner in snapshot.miners)
    total = sum(miner.hashes_per_second for miner in snapshot.miners)
    return (
        f"{snapshot.elapsed_seconds:.0f} s: {len(snapshot.miners)} miners, {hashrate_text(total)}, "
        f"shares: {accepted} accepted, {refused} refused; blocks: {len(snapshot.blocks)}"
    )
