"""Rounds: which slots a block of the proportional scheme divides its reward by, orphaned rounds included.

A round is the slots after the previous block's slot, up to and with the block's own. Blocks in one slot share
a round, each dividing its own reward. A block that was ever accepted ends its round for good, whatever
becomes of it, so that no later event moves the slots of a round that was settled. One that never was, a
candidate that lost its race, ends none: its work stays in the round that goes on.

When no block of a round stands any more, the round has *fallen*: its slots, and those that had joined it,
join the round that is open then, the one behind the newest block. A block that comes back divides its reward
by its own slots again; the round that they had joined keeps them where it was settled already, and is without
them where not. Slots that a settled round pays, whose block stands, join no other.

So at any time a fallen round's slots are paid by a settled round that stands, or are joined to a round that
is yet to be settled: work is never lost, and it is paid twice only where a block came back.

A round is known by its number, which is the slot that the block before it ended (0 for the first). It stays
what it is when a block of a slower source turns up late. That block ends a round of its own, inside of one
that may have been settled; such work is paid by both blocks, and what had joined stays with the settled one.
"""

from collections.abc import Iterable, Sequence

import msgspec


class Span(msgspec.Struct, frozen=True):
    """Slots by their start, Unix seconds: after `after_slot`, through `through_slot`."""

    after_slot: int
    through_slot: int

    def covers(self, other: "Span") -> bool:
        return self.after_slot <= other.after_slot and other.through_slot <= self.through_slot


class Round(msgspec.Struct, frozen=True):
    """What a block divides by: the work in `span` and in all that has joined it. No slot is in it twice."""

    span: Span
    joined: tuple[Span, ...] = ()

    @property
    def number(self) -> int:
        return self.span.after_slot

    @property
    def spans(self) -> tuple[Span, ...]:
        return (self.span, *self.joined)


class Join(msgspec.Struct, frozen=True):
    """The slots of a fallen round count in round `joins`, until a later Join of the same slots."""

    span: Span
    joins: int


class Block(msgspec.Struct, frozen=True):
    """A block that was accepted at some time; `stands` unless it is orphaned."""

    slot: int
    stands: bool


class Rounds(msgspec.Struct, frozen=True):
    """All that decides about rounds: every block that was ever accepted, rounds as they were settled (once
    for each slot), and joins in the order of their entries in the journal."""

    blocks: Sequence[Block] = ()
    settled: Sequence[Round] = ()
    joins: Sequence[Join] = ()

    @property
    def open_number(self) -> int:
        """The round that work is done in now."""
        return max((block.slot for block in self.blocks), default=0)

    def ending(self, slot: int) -> Round:
        """The round that a block in `slot` divides by; as it was settled, where a block in it has been.

        To look at the open round, give the newest slot.
        """
        for settled in self.settled:
            if settled.span.through_slot == slot:
                return settled
        after = max((block.slot for block in self.blocks if block.slot < slot), default=0)
        latest = {join.span.through_slot: join for join in self.joins}
        own = Span(after, slot)
        joined = self._unpaid(join.span for join in latest.values() if join.joins == after)
        return Round(own, _apart(span for span in joined if not own.covers(span)))

    def falling(self, slot: int) -> tuple[Join, ...]:
        """What the journal says when a block in `slot` was orphaned, `blocks` as they are after it.

        The round's own slots and what had joined them; nothing where another block of the round stands, or
        where no block in `slot` was ever accepted.
        """
        if all(block.slot != slot for block in self.blocks):
            return ()
        return tuple(Join(span, self.open_number) for span in self._unpaid(self.ending(slot).spans))

    def _unpaid(self, spans: Iterable[Span]) -> list[Span]:
        """Of fallen rounds' slots those that no settled round pays, and whose own block has not come back."""
        paid = [part for one in self.settled if self._stands(one.span.through_slot) for part in one.spans]
        return [
            span
            for span in spans
            if not self._stands(span.through_slot) and not any(part.covers(span) for part in paid)
        ]

    def _stands(self, slot: int) -> bool:
        return any(block.stands for block in self.blocks if block.slot == slot)


def _apart(spans: Iterable[Span]) -> tuple[Span, ...]:
    """In order, and without those that lie inside another: a late block's in the round that it came too late
    for. Spans overlap in no other way, since blocks only ever divide them further."""
    apart: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.after_slot, -span.through_slot)):
        if not apart or not apart[-1].covers(span):
            apart.append(span)
    return tuple(apart)
