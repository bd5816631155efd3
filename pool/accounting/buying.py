"""Whether new work is bought: decided by the operator's reserve, journalled, in force for later frames.

A decision holds behind the mark that each source has at that moment. Whoever reads the same frames again,
for a rebuild or into a restored database, finds them bought as they were bought, whatever the reserve is by
then. Times would not do: sources lag behind each other, and a gateway's clock may have been ahead.
"""

from collections.abc import Sequence
from typing import Self

import msgspec

from payouts.pps import UNITS_PER_SAT, is_buying
from pool.accounting.bought import unpaid_units
from pool.accounting.journal_entries import BuyingChanged, SourceMark
from pool.accounting.ledger import BALANCE, OPERATOR
from pool.storage.database import Reader, Writer

Marks = dict[tuple[str, str], int]  # by source and epoch


class Decision(msgspec.Struct, frozen=True):
    """Behind `marks` work is bought, or not; a source that is not in them is behind the mark 0."""

    is_buying: bool
    marks: Marks


class Buying:
    """All decisions, the oldest first. Before the first one work is bought."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._decisions = tuple(decisions)

    @classmethod
    async def read(cls, reader: Reader) -> Self:
        """As the database has them."""
        rows = await reader.rows("SELECT is_buying, marks FROM buying ORDER BY number")
        decisions, marks = [], Marks()
        for is_on, document in rows:
            marks = marks | _decoded(document)
            decisions.append(Decision(bool(is_on), marks))
        return cls(decisions)

    @property
    def is_on(self) -> bool:
        """Whether what comes next is bought."""
        return self._decisions[-1].is_buying if self._decisions else True

    @property
    def marks(self) -> Marks:
        """Of the last decision."""
        return self._decisions[-1].marks if self._decisions else {}

    def of(self, name: str, epoch: str) -> "SourceBuying":
        """What holds for one source."""
        return SourceBuying(
            tuple((one.marks.get((name, epoch), 0), one.is_buying) for one in reversed(self._decisions))
        )


class SourceBuying(msgspec.Struct, frozen=True):
    """Decisions for one source as (mark, is buying), the newest first."""

    decisions: tuple[tuple[int, bool], ...]

    def is_on(self, frame: int) -> bool:
        """Whether the work in a frame is bought."""
        return next((is_buying for mark, is_buying in self.decisions if frame > mark), True)


async def change_due(reader: Reader, reserve_sats: int) -> BuyingChanged | None:
    """The decision that the reserve asks for; None where it is the last one."""
    known = await Buying.read(reader)
    stands_sats = await standing_sats(reader, await unpaid_units(reader))
    should_buy = is_buying(reserve_sats, stands_sats)
    if should_buy == known.is_on:
        return None
    marks = [
        SourceMark(source=name, epoch=epoch, frame=mark)
        for name, epoch, mark in await reader.rows(
            "SELECT name, epoch, mark FROM source ORDER BY name, epoch"
        )
        if mark > known.marks.get((name, epoch), 0)
    ]  # one that reads again what it had forgotten is still bound by what was decided then
    return BuyingChanged(
        is_buying=should_buy,
        marks=tuple(marks),
        reason=f"the operator's account stands at {stands_sats} sats, the reserve is {reserve_sats}",
    )


async def write(writer: Writer, number: int, body: BuyingChanged) -> None:
    """The decision of a journal entry. Writing it again changes nothing."""
    marks = {f"{one.source}/{one.epoch}": one.frame for one in body.marks}
    await writer.execute(
        "INSERT INTO buying (number, is_buying, marks) VALUES (?, ?, ?) ON CONFLICT (number) DO NOTHING",
        *(number, int(body.is_buying), msgspec.json.encode(marks, order="sorted").decode()),
    )


async def standing_sats(reader: Reader, unpaid: int) -> int:
    """The operator's account, without what blocks may still take back and with what it owes for bought work:
    `unpaid` units of 2^-32 satoshi."""
    row = await reader.row(
        "SELECT SUM(sats) FROM balance JOIN account ON account.id = balance.account_id "
        "WHERE account.name = ? AND pot = ?",
        *(OPERATOR, BALANCE),
    )
    sats = 0 if row is None or row[0] is None else int(row[0])
    return sats - unpaid // UNITS_PER_SAT


def _decoded(document: str) -> Marks:
    found = msgspec.json.decode(document, type=dict[str, int])
    keys = {key: key.rpartition("/") for key in found}
    return {(keys[key][0], keys[key][2]): mark for key, mark in found.items()}
