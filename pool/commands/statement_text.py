"""A statement in lines that a person reads."""

from collections.abc import Iterator

from pool.audit.statement import Statement, weights_of
from pool.reports.rendering import moment, plain
from pool.wording import coins_text


def statement_lines(statement: Statement) -> Iterator[str]:
    """Block, window, fees, and each account's part."""
    head, body = statement.head, statement.body
    window = body.window
    yield f"block     {head.height} {head.block_hash}"
    finder = plain(body.finder) or "nobody known"
    yield f"network   {head.network}, found {moment(body.found_at_us)} UTC by {finder}"
    yield (
        f"scheme    {body.rules.scheme}, method {body.rules.method}"
        f"{'' if body.plan_id is None else f', plan {body.plan_id[:16]}'}"
    )
    if body.by_hand is not None:
        yield f"by hand   {plain(body.by_hand)}"
    yield f"window    {moment(window.from_slot * 1_000_000)} to {moment(window.through_slot * 1_000_000)} UTC"
    yield f"work      {int(head.total) // int(head.scale)} hashes{_needed(statement)}"
    yield f"reward    {coins_text(body.reward_sats)}"
    for fee in body.fees:
        yield f"fee       {coins_text(fee.sats)} ({fee.basis_points / 100:g} %) {plain(fee.address)}"
    if body.operator_sats:
        yield f"operator  {coins_text(body.operator_sats)}"
    yield f"signed    key {head.key_id}"
    yield ""
    total = int(head.total)
    for account, weight in sorted(weights_of(body).items(), key=lambda item: (-item[1], item[0])):
        part = 100 * weight / total if total else 0
        yield f"{coins_text(body.credits.get(account, 0)):>16}  {part:8.4f} %  {plain(account)}"


def _needed(statement: Statement) -> str:
    needed = statement.body.window.needed
    return "" if needed is None else f" of {needed}"
