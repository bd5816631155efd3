"""The window of PPLNS: the newest slots that together hold N of work, the last of them cut exactly.

Work is the expected number of hashes, an integer. Slots are read from the block's own back into the past,
and no further than the edge. Where the edge falls into a slot that holds W, and only R is missing to N, the
slot counts for R/W. A fraction would have to be rounded, so the other slots are multiplied by W instead and
that slot by R: proportions are the same, and all stays whole (design: nothing is rounded before satoshis).

A slot's length is of no concern here: one that was rolled up into an hour is cut as any other is.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec


class Slot(msgspec.Struct, frozen=True):
    """Work by account in the slot that begins at `start`, in Unix seconds."""

    start: int
    work: Mapping[str, int]


class Edge(msgspec.Struct, frozen=True):
    """Where a window ends in the past: slots with `start > whole_after` count whole, `slot` in proportion.

    slot      the slot that is cut, None where the window ends between two slots or is not full
    work      what that slot holds (W) and `taken`, what of it is inside (R); 0 where none is cut
    held      the work inside the window, at most what was asked for; `missing` is the rest of that
    """

    slot: int | None
    whole_after: int
    work: int
    taken: int
    held: int
    missing: int

    @property
    def from_slot(self) -> int:
        """The first slot of the window; where it is not full, the oldest that could have been in it."""
        return self.whole_after + 1 if self.slot is None else self.slot


class Window(msgspec.Struct, frozen=True):
    """`weights` by account divide a reward; they are work multiplied by `edge.work` where a slot is cut."""

    weights: dict[str, int]
    edge: Edge

    @property
    def held(self) -> int:
        return self.edge.held

    @property
    def missing(self) -> int:
        return self.edge.missing

    @property
    def from_slot(self) -> int:
        return self.edge.from_slot


def pplns_window(slots_newest_first: Iterable[Slot], needed: int, oldest_start: int) -> Window:
    """The window over slots that begin with the block's own; raises ValueError as `cut` and `weights` do.

    Reads one slot after the other and none beyond the edge.
    """
    inner: dict[str, int] = {}
    newest = _Behind(inner)
    edge = cut(newest.totals(slots_newest_first), needed, oldest_start)
    at_edge: Mapping[str, int] = {}
    if newest.slot is not None:
        if newest.slot.start == edge.slot:
            at_edge = newest.slot.work
        elif newest.slot.start > edge.whole_after:
            add(inner, newest.slot.work)
    return Window(weights(inner, at_edge, edge), edge)


def cut(totals_newest_first: Iterable[tuple[int, int]], needed: int, oldest_start: int) -> Edge:
    """The edge of a window of `needed` work over (slot, work of all accounts), newest first.

    For callers that let a database sum: read totals until this returns, then sum by account twice, the slots
    after `whole_after` and the slot on the edge, and give both to `weights`. Slots before `oldest_start` are
    outside whatever they hold. Raises ValueError for slots out of order and for negative work.
    """
    if needed < 1:
        raise ValueError(f"a window of {needed} work holds nothing to divide by")
    held = 0
    previous: int | None = None
    for slot, work in totals_newest_first:
        if previous is not None and slot >= previous:
            raise ValueError(f"slot {slot} does not lie before slot {previous}")
        if work < 0:
            raise ValueError(f"slot {slot} holds negative work")
        previous = slot
        if slot < oldest_start:
            break
        if held + work > needed:
            return Edge(slot, slot, work, needed - held, needed, 0)
        held += work
        if held == needed:
            return Edge(None, slot - 1, 0, 0, held, 0)
    return Edge(None, oldest_start - 1, 0, 0, held, needed - held)


def weights(inner: Mapping[str, int], at_edge: Mapping[str, int], edge: Edge) -> dict[str, int]:
    """Weights by account of the work in whole slots and of the work in the slot on the edge.

    Raises ValueError where these are not the sums that the edge was found with: a window that was read at two
    different times would divide by something that never was.
    """
    held, work = sum(inner.values()), sum(at_edge.values())
    if (held, work) != (edge.held - edge.taken, edge.work):
        raise ValueError(
            f"accounts hold {held} in whole slots and {work} on the edge, "
            f"the slots hold {edge.held - edge.taken} and {edge.work}"
        )
    if any(amount < 0 for part in (inner, at_edge) for amount in part.values()):
        raise ValueError("work is not negative")
    if edge.slot is None:
        return {account: amount for account, amount in inner.items() if amount}
    scaled = {account: amount * edge.work for account, amount in inner.items()}
    add(scaled, {account: amount * edge.taken for account, amount in at_edge.items()})
    return {account: amount for account, amount in scaled.items() if amount}


def add(sums: dict[str, int], more: Mapping[str, int]) -> None:
    """Adds work by account to `sums`, in place."""
    for account, amount in more.items():
        sums[account] = sums.get(account, 0) + amount


class _Behind:
    """Sums all slots that were read but the last: only what comes after shows whether that one is cut."""

    def __init__(self, inner: dict[str, int]) -> None:
        self._inner = inner
        self.slot: Slot | None = None

    def totals(self, slots: Iterable[Slot]) -> Iterator[tuple[int, int]]:
        for slot in slots:
            if self.slot is not None:
                add(self._inner, self.slot.work)
            self.slot = slot
            yield slot.start, sum(slot.work.values())
