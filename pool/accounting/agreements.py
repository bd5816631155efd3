"""What pool and miners had agreed on, and since when: a block is divided by the rules it was found under.

Settings may change between two blocks. What was in force is journalled when the accountant first starts
with it, so that a block that waits for its window is not judged by a later file, restored database or not.
"""

import msgspec

from config.schema import Settings
from pool.accounting.changes import Changes
from pool.accounting.journal_entries import AgreementChanged, Body
from pool.storage.database import Reader


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that decide who gets what of a block. `fees` is (address, basis points)."""

    scheme: str
    method: str
    fees: tuple[tuple[str, int], ...]
    unfilled: str
    multiple: int
    max_days: int


class Since(msgspec.Struct, frozen=True):
    """An agreement and when it began, microseconds since 1970."""

    since_us: int
    agreement: Agreement

    @classmethod
    def of(cls, since_us: int, document: str) -> "Since":
        """As journal and database hold it."""
        return cls(since_us, msgspec.json.decode(document, type=Agreement))


def agreement_of(settings: Settings) -> Agreement:
    """What the settings say now."""
    payout = settings.payout
    return Agreement(
        scheme=payout.scheme,
        method=payout.method,
        fees=tuple((fee.address, fee.basis_points) for fee in payout.fees),
        unfilled=payout.window.unfilled,
        multiple=payout.window.multiple,
        max_days=payout.window.max_days,
    )


async def history(reader: Reader) -> list[Since]:
    """All agreements, the oldest first."""
    rows = await reader.rows("SELECT since_us, document FROM agreement ORDER BY since_us")
    return [Since.of(since_us, document) for since_us, document in rows]


async def agree(changes: Changes, settings: Settings, now_us: int) -> bool:
    """Journal the settings' agreement where it is not the last one; whether it was not."""
    document = msgspec.json.encode(agreement_of(settings)).decode()

    async def choose(reader: Reader) -> Body | None:
        past = await history(reader)
        if past and past[-1].agreement == agreement_of(settings):
            return None
        return AgreementChanged(document=document)

    return await changes.decide(choose, now_us) is not None
