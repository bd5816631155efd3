"""The mean of fees that FPPS buys an hour's work at: from templates before the hour, journalled, then fixed.

Which templates are known when an hour's first frame is read depends on how far every source has been read.
So it is worked out once, and whoever counts again takes what the journal says.
"""

from collections.abc import Iterable, Mapping

from payouts.pps import FEE_MEAN_HEIGHTS, mean_fee_millionths
from pool.accounting.journal_entries import FeeMeanFixed
from pool.spool.records import TemplateFacts
from pool.storage.database import Reader, Writer

HOUR_US = 3_600 * 1_000_000

Templates = Mapping[int, tuple[TemplateFacts, int]]  # height → the last template and its frame's time, µs


async def unfixed(reader: Reader, hours: Iterable[int]) -> list[int]:
    """Those of the hours that have no mean yet, in order."""
    return [hour for hour in sorted(hours) if await fixed_mean(reader, hour) is None]


async def fixed_mean(reader: Reader, hour: int) -> int | None:
    """In millionths of the subsidy."""
    row = await reader.row("SELECT fee_millionths FROM fee_mean WHERE hour = ?", hour)
    return None if row is None else int(row[0])


async def mean_due(reader: Reader, hour: int, templates: Templates) -> FeeMeanFixed | None:
    """The mean of an hour; None where it is fixed. `templates` are of frames that are not written yet.

    A pool that has seen nothing before the hour takes what it has seen since: its first hour is no reason to
    pay no fees at all.
    """
    if await fixed_mean(reader, hour) is not None:
        return None
    begins_us = hour * HOUR_US
    heights = await _heights(reader, templates, begins_us) or await _heights(reader, templates, None)
    mean = mean_fee_millionths(heights) if heights else 0
    return FeeMeanFixed(hour=hour, fee_millionths=mean)


async def write(writer: Writer, body: FeeMeanFixed) -> None:
    """What was fixed stays."""
    await writer.execute(
        "INSERT INTO fee_mean (hour, fee_millionths) VALUES (?, ?) ON CONFLICT (hour) DO NOTHING",
        *(body.hour, body.fee_millionths),
    )


async def _heights(reader: Reader, templates: Templates, before_us: int | None) -> dict[int, tuple[int, int]]:
    """Height → (subsidy, fees) of the newest heights whose last template was before a time."""
    before_us = 2**63 - 1 if before_us is None else before_us
    rows = await reader.rows(
        "SELECT height, subsidy_sats, fees_sats, at_us FROM template_height "
        "WHERE subsidy_sats > 0 AND at_us < ? ORDER BY height DESC LIMIT ?",
        *(before_us, FEE_MEAN_HEIGHTS),
    )
    found = {height: (subsidy_sats, fees_sats, at_us) for height, subsidy_sats, fees_sats, at_us in rows}
    for height, (facts, at_us) in templates.items():
        is_newer = height not in found or at_us >= found[height][2]
        subsidy_sats = facts.value_sats - facts.fees_sats
        if at_us < before_us and is_newer and subsidy_sats > 0:
            found[height] = (subsidy_sats, facts.fees_sats, at_us)
    return {height: (subsidy_sats, fees_sats) for height, (subsidy_sats, fees_sats, _) in found.items()}
