"""The list of sources: how far each gateway's spool has been counted, and what keeps one from going on."""

import msgspec

from pool.storage.database import Reader


class SourceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One spool. `mark` is its last counted frame, made `lag_seconds` ago; `trouble` is why it stopped."""

    source: str
    epoch: str
    state: str
    mark: int
    at_us: int
    lag_seconds: int
    trouble: str | None


async def sources(reader: Reader, now_us: int) -> list[SourceLine]:
    """Every source, stopped ones first, then live ones, then those that are closed."""
    rows = await reader.rows(
        "SELECT name, epoch, state, mark, at_us, trouble FROM source "
        "ORDER BY CASE state WHEN 'stopped' THEN 0 WHEN 'live' THEN 1 ELSE 2 END, name, epoch"
    )
    return [
        SourceLine(
            source=name,
            epoch=epoch,
            state=state,
            mark=mark,
            at_us=at_us,
            lag_seconds=max(0, (now_us - at_us) // 1_000_000),
            trouble=trouble,
        )
        for name, epoch, state, mark, at_us, trouble in rows
    ]
