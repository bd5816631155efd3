"""The next payment as it would be made now: who is in it, and who not and why. Reads only."""

from collections.abc import Mapping, Sequence

from pool.accounting import policy_changes, solvency
from pool.accounting.policy_changes import EVERYTHING
from pool.accounting.requests import Preview, PreviewLine
from pool.storage.database import Reader

MOST_LINES = 2_000
# Two payments' worth: a line has some 250 bytes, and the accountant's answer has a mebibyte at most.


async def preview_without_wallet(reader: Reader, minimum_sats: int, *, by_coinbase: bool = False) -> Preview:
    """The next payment as the accounts alone show it: fees, dust and the daily limit are left aside. Where
    coinbases pay there is none."""
    due = await solvency.due(reader, minimum_sats)
    if by_coinbase:
        reasons = {one.account: "carried over into the next coinbase" for one in due}
    else:
        reasons = {one.account: "" for one in due if one.sats >= one.minimum_sats}
    return preview_of(due, await policy_changes.holds(reader), reasons, is_wallet_asked=False)


def preview_of(
    due: Sequence[solvency.Due],
    holds: Sequence[tuple[str, str, str, int]],
    reasons: Mapping[str, str],
    *,
    is_wallet_asked: bool,
) -> Preview:
    """`reasons` has an entry, empty where they are paid, for everybody who has reached their minimum."""
    held = {scope: why for scope, _, why, _ in holds}
    lines = []
    for one in due:
        reason = reasons.get(one.account, f"below the minimum of {one.minimum_sats} sats")
        if one.account in held:
            reason = f"on hold: {held[one.account]}"
        lines.append(PreviewLine(account=one.account, address=one.address, sats=one.sats, reason=reason))
    lines.sort(key=lambda line: (bool(line.reason), -line.sats, line.account))
    paid = [line for line in lines if not line.reason]
    return Preview(
        lines=tuple(lines[:MOST_LINES]),
        more=max(0, len(lines) - MOST_LINES),
        paid=len(paid),
        sats=sum(line.sats for line in paid),
        obstacle=f"payouts are on hold: {held[EVERYTHING]}" if EVERYTHING in held else None,
        is_wallet_asked=is_wallet_asked,
    )
