"""Holds that the accountant itself places on all payouts: once for each kind, and told."""

from pool.accounting import policy_changes
from pool.accounting.changes import Changes
from pool.accounting.journal_entries import Body, HoldPlaced
from pool.accounting.policy_changes import EVERYTHING
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.storage.database import Reader

log = Log("engineroom.payments")


async def hold_everything(changes: Changes, kind: str, reason: str, now_us: int) -> None:
    """Place it where none of this kind stands. Raises JournalUnwritable and DatabaseError."""

    async def choose(reader: Reader) -> Body | None:
        if any(one[:2] == (EVERYTHING, kind) for one in await policy_changes.holds(reader)):
            return None
        return HoldPlaced(scope=EVERYTHING, hold_kind=kind, reason=reason)

    if await changes.decide(choose, now_us) is not None:
        log.error(LogEvent.PAYOUTS_HELD, hold=kind, reason=reason)
