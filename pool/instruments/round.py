"""Effort and luck: the work since the last block against the work that a block takes; pure.

Blocks come as a Poisson process whose mean is the effort: work as a part of the network's work at its time.
So the chance that a round takes this long or longer is e^−effort, and the chance of so few blocks or fewer in
all that was ever observed is the Poisson sum up to their number.
"""

import math

import msgspec

from pool.farm.gamma import gamma_probability

REMEMBERED_BLOCKS = 64  # hashes, so that a candidate that two sources tell of ends one round


class Round(msgspec.Struct):
    """`effort` since the last candidate; `past_effort` and `blocks` of all rounds before it."""

    effort: float = 0.0
    past_effort: float = 0.0
    blocks: int = 0
    last_effort: float | None = None
    seen: list[bytes] = []

    def worked(self, effort: float) -> None:
        self.effort += effort

    def found(self, block_hash: bytes) -> None:
        """A candidate ends the round; one that was told of before does not."""
        if block_hash in self.seen:
            return
        self.seen = [*self.seen[-REMEMBERED_BLOCKS + 1 :], block_hash]
        self.blocks += 1
        self.past_effort += self.effort
        self.last_effort = self.effort
        self.effort = 0.0

    @property
    def p_value(self) -> float:
        """How likely a round is at least as long as this one."""
        return math.exp(-self.effort)

    @property
    def overall_p_value(self) -> float:
        """How likely so few blocks are, or fewer, for the work of all rounds."""
        total = self.past_effort + self.effort
        if total <= 0:
            return 1.0
        return 1.0 - gamma_probability(self.blocks + 1.0, total)
