"""One frame's shares, refusals, comings and goings, summed by machine; pure, and gone with the frame."""

import msgspec

from pool.spool.dictionary import Dictionary
from pool.spool.records import (
    BestMade,
    CandidateMade,
    Joined,
    Left,
    Name,
    PacedMade,
    RefusedMade,
    ShareMade,
    TipTold,
)

MachineKey = tuple[str, str]  # account and worker


class Shares(msgspec.Struct):
    """A machine's credited shares: their number, work, the sum of its squares, and the last one's work."""

    count: int = 0
    work: float = 0.0
    work_squared: float = 0.0
    share_work: float = 0.0


class Refusals(msgspec.Struct):
    """Submissions refused for one reason, and what they would have been worth."""

    count: int = 0
    work: float = 0.0


class TipSeen(msgspec.Struct, frozen=True):
    """A block change as one gateway saw it: when each node had the new tip, when the template came (Unix
    seconds), and how long after that each of its machines was sent work on it."""

    tip: bytes
    height: int
    nodes: dict[str, float]
    template_at: float
    delays: dict[MachineKey, float]


class Observation:
    """What happened at `at`. `effort` is the shares' work as a part of what a block takes; `has_work` says
    whether the gateway had work from a node then."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.has_work = True
        self.work = 0.0
        self.work_squared = 0.0
        self.effort = 0.0
        self.shares: dict[MachineKey, Shares] = {}
        self.refused: dict[tuple[MachineKey | None, str], Refusals] = {}
        self.joined: list[tuple[MachineKey, str]] = []
        self.left: list[MachineKey] = []
        self.bests: list[tuple[MachineKey, float]] = []
        self.candidates: list[bytes] = []
        self.paced: list[tuple[MachineKey, float]] = []
        self.tips: list[TipSeen] = []

    def take(self, record: object, dictionary: Dictionary) -> None:
        """Add a record; what is of no interest here is passed over. Raises UnknownNumber."""
        if isinstance(record, ShareMade):
            self._share(record, dictionary)
        elif isinstance(record, RefusedMade):
            key = None if record.name is None else _key(dictionary.name(record.name))
            refusals = self.refused.setdefault((key, record.reason), Refusals())
            refusals.count += record.count
            refusals.work += float(record.work)
        elif isinstance(record, Joined):
            self.joined.append((_key(dictionary.name(record.name)), record.agent))
        elif isinstance(record, Left):
            self.left.append(_key(dictionary.name(record.name)))
        elif isinstance(record, CandidateMade):
            self.candidates.append(record.block_hash)
        elif isinstance(record, TipTold):
            names = (_key(dictionary.name(number)) for number in record.names)
            nodes = dict(zip(record.nodes, (us / 1e6 for us in record.node_us), strict=False))
            delays = {key: ms / 1e3 for key, ms in zip(names, record.delays_ms, strict=False)}
            self.tips.append(
                TipSeen(record.previous_hash, record.height, nodes, record.template_us / 1e6, delays)
            )
        elif isinstance(record, PacedMade):
            work = float(dictionary.work(record.difficulty))
            self.paced.append((_key(dictionary.name(record.name)), work))
        elif isinstance(record, BestMade):
            self.bests.append((_key(dictionary.name(record.name)), record.work))

    def _share(self, share: ShareMade, dictionary: Dictionary) -> None:
        name = dictionary.name(share.name)
        work = float(dictionary.work(share.difficulty))
        network_work = dictionary.network_work_of_job(share.job)
        key = (name.account, name.worker)
        shares = self.shares.get(key)
        if shares is None:
            shares = self.shares[key] = Shares()
        shares.count += 1
        shares.work += work
        shares.work_squared += work * work
        shares.share_work = work
        self.work += work
        self.work_squared += work * work
        self.effort += work / network_work


def _key(name: Name) -> MachineKey:
    return (name.account, name.worker)
