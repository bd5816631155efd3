"""The queue of notices: what waits for whom, what was known already, how far the accounts were read. Values.

Each target has room of its own, so that one that is gone takes nothing from the others. Where it is full, the
oldest notice of the lowest rank goes. Ids of notices are remembered beyond their sending: what is noticed a
second time is sent no second time.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from pool.notices.notice import Notice, NoticeKind

VERSION = 1  # of what is stored
MOST_WAITING = 200  # for each target: what anybody would still read after a day without network
MOST_KNOWN = 2_000  # ids: many times what can wait, and some 200 kB
LONGEST_WAIT_US = 86_400 * 1_000_000  # what is older than a day is no news


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far the accounts were read: the last change of a block, the last payee change, the last payment;
    and of payments that are under way which transactions were told."""

    transition: int
    payee_change: int
    payment: int
    under_way: dict[int, tuple[str, ...]]


class Entry(msgspec.Struct, frozen=True):
    """A notice, and the names of the targets that it waits for."""

    notice: Notice
    waiting: tuple[str, ...]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of notices that were handed over: how many are new, how many too old; `dropped` counts by
    target what had to go to make room."""

    new: int
    too_old: int
    dropped: dict[str, int]


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that has to survive a restart."""

    version: int = VERSION
    entries: tuple[Entry, ...] = ()
    known: tuple[str, ...] = ()
    position: Position | None = None

    def waiting(self, target: str) -> list[Notice]:
        """What waits for it, the oldest first."""
        return [entry.notice for entry in self.entries if target in entry.waiting]

    def take(
        self,
        notices: Sequence[Notice],
        wants: Mapping[str, Callable[[NoticeKind], bool]],
        now_us: int,
        position: Position | None = None,
    ) -> tuple["Queue", Taken]:
        """With these behind the others, for each target that wants them; `position` None leaves it."""
        known, entries = list(self.known), list(self.entries)
        seen = set(known)
        new = too_old = 0
        for notice in notices:
            if notice.id in seen:
                continue
            seen.add(notice.id)
            known.append(notice.id)
            if _is_old(notice, now_us):
                too_old += 1
                continue
            new += 1
            entries.append(
                Entry(notice, tuple(name for name, wanted in wants.items() if wanted(notice.kind)))
            )
        queue, dropped = _with(self, entries).bounded(wants)
        changed = msgspec.structs.replace(
            queue, known=tuple(known[-MOST_KNOWN:]), position=position or self.position
        )
        return changed, Taken(new=new, too_old=too_old, dropped=dropped)

    def bounded(self, targets: Collection[str]) -> tuple["Queue", dict[str, int]]:
        """With no more than MOST_WAITING for each target, and what was dropped for that."""
        queue, dropped = self, {}
        for target in targets:
            waiting = queue.waiting(target)
            excess = len(waiting) - MOST_WAITING
            if excess > 0:
                least = sorted(waiting, key=lambda notice: notice.rank)[:excess]  # stable: the oldest first
                queue = queue.without(target, [notice.id for notice in least])
                dropped[target] = excess
        return queue, dropped

    def without(self, target: str, ids: Collection[str]) -> "Queue":
        """These wait for the target no more: they were sent to it, or given up."""
        gone = set(ids)
        return _with(
            self,
            [
                Entry(entry.notice, tuple(name for name in entry.waiting if name != target))
                if entry.notice.id in gone
                else entry
                for entry in self.entries
            ],
        )

    def without_old(self, now_us: int) -> tuple["Queue", int]:
        """Without those that are no news any more, and how many they were."""
        kept = [entry for entry in self.entries if not _is_old(entry.notice, now_us)]
        return _with(self, kept), len(self.entries) - len(kept)

    def only_for(self, targets: Collection[str]) -> "Queue":
        """Without what waits for targets that the settings name no more."""
        return _with(
            self,
            [
                Entry(entry.notice, tuple(name for name in entry.waiting if name in targets))
                for entry in self.entries
            ],
        )


def _with(queue: Queue, entries: Sequence[Entry]) -> Queue:
    return msgspec.structs.replace(queue, entries=tuple(entry for entry in entries if entry.waiting))


def _is_old(notice: Notice, now_us: int) -> bool:
    return notice.at_us < now_us - LONGEST_WAIT_US
