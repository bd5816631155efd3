"""Effort and luck: the work since the last block against the work that a block takes; pure.

Blocks come as a Poisson process whose mean is the effort: work as a part of the network's work at its time.
So the chance that a round takes this long or longer is e^−effort, and the chance of so few blocks or fewer in
a number of rounds is the Poisson sum up to their number.

A round ends with a candidate, whatever becomes of it: one that is orphaned or refused was not bad luck. It
is judged with the rounds just before it, since blocks that go missing of late would not show in all that ever
was. Chance alone makes the last 64 one in a thousand about once in four thousand rounds.
"""

import math

import msgspec

from pool.farm.gamma import gamma_probability

JUDGED_ROUNDS = 64  # before this one: that one block in three goes missing is seen


class PastRound(msgspec.Struct, frozen=True):
    """What a round took, and the candidate that ended it."""

    block_hash: bytes
    effort: float


class Round(msgspec.Struct):
    """The present round's effort, and the rounds before it, the newest last."""

    effort: float = 0.0
    past: list[PastRound] = []

    def worked(self, effort: float) -> None:
        self.effort += effort

    def found(self, block_hash: bytes) -> None:
        """A candidate ends the round; one that two sources tell of ends one."""
        if any(one.block_hash == block_hash for one in self.past):
            return
        self.past = [*self.past[-JUDGED_ROUNDS + 1 :], PastRound(block_hash, self.effort)]
        self.effort = 0.0

    @property
    def last_effort(self) -> float | None:
        """What the last round took; None before there was one."""
        return self.past[-1].effort if self.past else None

    @property
    def p_value(self) -> float:
        """How likely a round is at least as long as this one."""
        return math.exp(-self.effort)

    @property
    def recent_p_value(self) -> float:
        """How likely so few blocks are, or fewer, for the work of this round and of those before it."""
        total = self.effort + sum(one.effort for one in self.past)
        if total <= 0:
            return 1.0
        return 1.0 - gamma_probability(len(self.past) + 1.0, total)
