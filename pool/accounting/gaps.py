"""What of a source is lost → the journal entry that gives it up; it reads the spool, and writes nothing.

Only a source that has stopped has lost something, and only what stands between it and its next sound frame
is given up. Blocking parts run in a thread.
"""

import asyncio
from pathlib import Path

from pool.accounting.checked import checked_reason
from pool.accounting.control import Refused
from pool.accounting.journal_entries import GapAccepted
from pool.accounting.requests import GapRequest
from pool.accounting.sources import STOPPED
from pool.spool.frames import NewerSpool, SpoolDamaged, SpoolError, SpoolGap
from pool.spool.segments import segments_of
from pool.spool.tail import SourceTail, mark_behind
from pool.storage.database import Reader


async def lost_frames(reader: Reader, request: GapRequest, spool: Path) -> GapAccepted:
    """The gap behind the source's mark; empty (last below first) where nothing follows it. Raises Refused.

    `spool` holds one folder for each source.
    """
    reason = checked_reason(request.reason)
    row = await reader.row(
        "SELECT mark, state, trouble FROM source WHERE name = ? AND epoch = ?", request.source, request.epoch
    )
    if row is None:
        raise Refused(await _unknown(reader, request))
    mark, state, trouble = row
    if state != STOPPED:
        raise Refused(f"source {request.source} {request.epoch} is {state}: nothing of it is lost")
    behind = await asyncio.to_thread(_mark_behind, spool / request.source, request.epoch, mark)
    return GapAccepted(
        source=request.source,
        epoch=request.epoch,
        first_frame=mark + 1,
        last_frame=behind,
        reason=f"{reason} ({trouble})" if trouble else reason,
    )


async def _unknown(reader: Reader, request: GapRequest) -> str:
    known = await reader.rows("SELECT name, epoch FROM source WHERE state = ? ORDER BY name, epoch", STOPPED)
    names = ", ".join(f"{name} --epoch {epoch}" for name, epoch in known)
    return f"there is no source {request.source} of epoch {request.epoch}; stopped are: {names or 'none'}"


def _mark_behind(directory: Path, epoch: str, mark: int) -> int:
    """The mark to go on from; the present one where nothing follows."""
    try:
        tail = SourceTail(directory, epoch, mark)
        if tail.poll(1):
            raise Refused(
                f"frame {mark + 1} of {directory.name} can be read again: nothing needs to be given up; "
                "restart the pool"
            )
    except NewerSpool as error:
        raise Refused(f"a newer version wrote it, nothing is given up: {error}") from None
    except (SpoolGap, SpoolDamaged) as error:
        behind = mark_behind(error, segments_of(directory).get(epoch, []))
        return mark if behind is None else max(mark, behind)
    except (SpoolError, OSError) as error:
        raise Refused(str(error)) from None
    return mark
