"""A statement counted again: window, weights and credits, from evidence; every difference by name. Pure.

Evidence is work by account in spans of slots, from replayed shares or from digests. A span that lies across
an edge of the window, or of its cut slot, says nothing exact about either side and is left out; slots
without any evidence are named as unchecked, and work there can only be shown to be at least what was seen.
"""

import enum
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from pool.audit.document import Unreadable
from pool.audit.statement import Body, Edge, weights_of

SECONDS_PER_DAY = 86_400


class Origin(enum.Enum):
    """What a piece of evidence rests on; the value is for people."""

    SHARES = "shares"
    DIGEST = "digest"


class Span(msgspec.Struct, frozen=True):
    """Work by account in the slots from `from_slot` through `through_slot` (starts of slots, both included).

    From shares: of frames up to the statement's marks, and of every slot in between.
    """

    from_slot: int
    through_slot: int
    work: Mapping[str, int]
    origin: Origin


class Amounts(msgspec.Struct, frozen=True):
    """How a reward is divided: fees in their order, what no payee earned, credits, and the satoshis left over
    by whom they were given to (part of the credits)."""

    fees: tuple[int, ...]
    operator_sats: int
    credits: Mapping[str, int]
    rounding: Mapping[str, int]


Settle = Callable[[Body, Mapping[str, int]], Amounts]
# The scheme: a statement's rules, reward and window, and the weights → amounts. It may raise ValueError.


class Recomputation(msgspec.Struct, frozen=True):
    """`differences` is empty where everything that could be checked is as stated. `unchecked` are ranges of
    slots (from, through) without evidence; `from_shares` and `from_digests` those that have it."""

    differences: tuple[str, ...]
    from_shares: tuple[tuple[int, int], ...]
    from_digests: tuple[tuple[int, int], ...]
    unchecked: tuple[tuple[int, int], ...]


def recompute(
    body: Body, evidence: Sequence[Span], settle: Settle, carried: Mapping[str, int] | None = None
) -> Recomputation:
    """Compare a statement with evidence and with its own rules. Spans do not overlap (ValueError).

    `carried` is what shares show of the work of settled or orphaned rounds; None leaves that part unchecked.
    """
    usable = sorted((span for span in evidence if _is_inside(span, body)), key=lambda span: span.from_slot)
    unchecked = _gaps(usable, body)
    differences = _work_differences(body, usable, is_complete=not unchecked)
    if carried is not None:
        stated = {row.account: int(row.carried) for row in body.work}
        differences += _compare("carried work", stated, carried, "the shares show")
    differences += window_differences(body)
    differences += amount_differences(body, settle)
    shares, digests = (
        tuple((span.from_slot, span.through_slot) for span in usable if span.origin is origin)
        for origin in (Origin.SHARES, Origin.DIGEST)
    )
    return Recomputation(tuple(differences), shares, digests, tuple(unchecked))


def wanted_ranges(body: Body) -> list[tuple[int, int]]:
    """The ranges of slots that evidence is wanted for, each without a cut inside: (from, through)."""
    window = body.window
    if window.edge is None:
        return [(window.from_slot, window.through_slot)]
    cut = (window.edge.slot, window.first_whole - window.slot_seconds)
    if window.first_whole > window.through_slot:
        return [cut]
    return [cut, (window.first_whole, window.through_slot)]


def _is_inside(span: Span, body: Body) -> bool:
    return any(start <= span.from_slot and span.through_slot <= end for start, end in wanted_ranges(body))


def _gaps(spans: Sequence[Span], body: Body) -> list[tuple[int, int]]:
    """Ranges of the window without a span."""
    step, gaps = body.window.slot_seconds, []
    expected = body.window.from_slot
    for span in spans:
        if span.from_slot < expected:
            raise ValueError("two spans of evidence overlap")
        if span.from_slot > expected:
            gaps.append((expected, span.from_slot - step))
        expected = span.through_slot + step
    if expected <= body.window.through_slot:
        gaps.append((expected, body.window.through_slot))
    return gaps


def _work_differences(body: Body, spans: Sequence[Span], *, is_complete: bool) -> list[str]:
    """Stated work against what the spans show: equal where nothing is missing, else not below it."""
    whole: Counter[str] = Counter()
    edge: Counter[str] = Counter()
    for span in spans:
        (edge if span.from_slot < body.window.first_whole else whole).update(span.work)
    stated_whole = {row.account: int(row.whole) for row in body.work}
    stated_edge = {row.account: int(row.edge) for row in body.work}
    if not is_complete:
        stated_whole = _raised_to(stated_whole, whole)
        stated_edge = _raised_to(stated_edge, edge)
    shown = "the evidence shows" if is_complete else "the evidence shows at least"
    return _compare("work in whole slots", stated_whole, whole, shown) + _compare(
        "work in the slot on the edge", stated_edge, edge, shown
    )


def _raised_to(stated: Mapping[str, int], seen: Mapping[str, int]) -> dict[str, int]:
    """Stated work where less was seen is no difference while evidence is missing."""
    return {account: min(work, seen.get(account, 0)) for account, work in stated.items()}


def _compare(what: str, stated: Mapping[str, int], counted: Mapping[str, int], shown: str) -> list[str]:
    return [
        f"{what} of {account}: stated {stated.get(account, 0)}, {shown} {counted.get(account, 0)}"
        for account in sorted(stated.keys() | counted.keys())
        if stated.get(account, 0) != counted.get(account, 0)
    ]


def window_differences(body: Body) -> list[str]:
    """What of a statement's window contradicts its own rules."""
    window, found = body.window, []
    slot = body.found_at_us // 1_000_000 // window.slot_seconds * window.slot_seconds
    if not body.plan_id and window.through_slot != slot:
        found.append(f"the window ends with slot {window.through_slot}, the block was found in slot {slot}")
    if window.from_slot > window.through_slot:
        found.append("the window begins after its end")
    if body.rules.max_days and window.from_slot < window.through_slot - body.rules.max_days * SECONDS_PER_DAY:
        found.append(f"the window begins more than {body.rules.max_days} days before the block")
    if window.needed is not None and body.rules.multiple:
        network_work = 2**256 // (int(body.network_target, 16) + 1)
        if int(window.needed) != body.rules.multiple * network_work:
            found.append(f"the window needs {window.needed}, not {body.rules.multiple} × {network_work}")
    return found + (_edge_differences(body, window.edge) if window.edge else _unfilled_differences(body))


def _edge_differences(body: Body, edge: Edge) -> list[str]:
    """The cut slot: it is the first, it holds what its accounts did, and its part fills the window."""
    found = []
    held = sum(int(row.edge) for row in body.work)
    inside = int(edge.inside)
    if edge.slot != body.window.from_slot:
        found.append(f"the slot on the edge is {edge.slot}, the window begins with {body.window.from_slot}")
    if held != int(edge.work):
        found.append(f"the slot on the edge holds {edge.work}, its accounts did {held}")
    if not 0 < inside <= int(edge.work):
        found.append(f"of the slot on the edge {edge.inside} counts, which is not a part of {edge.work}")
    counted = sum(int(row.whole) + int(row.carried) for row in body.work) + inside
    if body.window.needed is not None and counted != int(body.window.needed):
        found.append(f"the window holds {counted}, and needs {body.window.needed}")
    return found


def _unfilled_differences(body: Body) -> list[str]:
    """Without a cut slot a window holds at most what it needs, and nothing on an edge."""
    found = [
        f"{row.account} has work on an edge that the window has not" for row in body.work if int(row.edge)
    ]
    counted = sum(int(row.whole) + int(row.carried) for row in body.work)
    if body.window.needed is not None and counted > int(body.window.needed):
        found.append(f"the window holds {counted}, and needs only {body.window.needed}")
    return found


def amount_differences(body: Body, settle: Settle) -> list[str]:
    """Stated fees and credits against what the scheme makes of the stated weights."""
    total = sum(fee.sats for fee in body.fees) + body.operator_sats + sum(body.credits.values())
    found = []
    if total != body.reward_sats:
        found.append(f"fees and credits sum to {total} sats, the reward is {body.reward_sats}")
    try:
        amounts = settle(body, weights_of(body))
    except (ValueError, Unreadable) as error:
        return [*found, f"the reward cannot be divided by these rules: {error}"]
    for fee, sats in zip(body.fees, amounts.fees, strict=True):
        if fee.sats != sats:
            found.append(f"fee of {fee.address}: stated {fee.sats}, by the rules {sats}")
    if body.operator_sats != amounts.operator_sats:
        found.append(
            f"the operator's part: stated {body.operator_sats}, by the rules {amounts.operator_sats}"
        )
    found += _compare("credit", body.credits, amounts.credits, "by the rules")
    return found + _compare("satoshis from rounding", body.rounding, amounts.rounding, "by the rules")
