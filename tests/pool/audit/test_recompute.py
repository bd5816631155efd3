"""Statements counted again: right ones have no differences, and every wrong figure is named."""

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.audit.recompute import Origin, Span, recompute, wanted_ranges
from pool.audit.statement import AccountWork, Body, Edge, Fee, Window
from tests.pool.audit.settled import SLOT, body, settle

EDGE_SLOT = SLOT - 50
EDGE = Span(EDGE_SLOT, EDGE_SLOT, {"alice": 60_000, "carol": 40_000}, Origin.DIGEST)
WHOLE = Span(SLOT - 40, SLOT, {"alice": 1_000_000, "bob": 1_000_000}, Origin.SHARES)


def differences(made: Body, evidence: tuple[Span, ...] = (EDGE, WHOLE)) -> tuple[str, ...]:
    return recompute(made, evidence, settle).differences


def test_a_right_statement_has_no_differences_and_its_sources_are_named() -> None:
    result = recompute(body(), (WHOLE, EDGE), settle)
    assert result.differences == ()
    assert result.from_shares == ((SLOT - 40, SLOT),)
    assert result.from_digests == ((EDGE_SLOT, EDGE_SLOT),)
    assert result.unchecked == ()
    assert wanted_ranges(body()) == [(EDGE_SLOT, EDGE_SLOT), (SLOT - 40, SLOT)]


def test_a_share_too_few_or_too_many_is_named_with_its_account() -> None:
    short = msgspec.structs.replace(WHOLE, work={"alice": 1_000_000, "bob": 999_999})
    assert differences(body(), (EDGE, short)) == (
        "work in whole slots of bob: stated 1000000, the evidence shows 999999",
    )
    stranger = msgspec.structs.replace(WHOLE, work={**WHOLE.work, "dave": 5})
    assert differences(body(), (EDGE, stranger)) == (
        "work in whole slots of dave: stated 0, the evidence shows 5",
    )
    edge = msgspec.structs.replace(EDGE, work={"alice": 60_001, "carol": 40_000})
    assert differences(body(), (edge, WHOLE)) == (
        "work in the slot on the edge of alice: stated 60000, the evidence shows 60001",
    )


def test_slots_without_evidence_are_unchecked_and_only_a_lower_bound_holds() -> None:
    part = Span(SLOT - 20, SLOT - 10, {"alice": 400_000}, Origin.SHARES)
    result = recompute(body(), (part,), settle)
    assert result.differences == ()
    assert result.unchecked == ((EDGE_SLOT, SLOT - 30), (SLOT, SLOT))
    too_much = msgspec.structs.replace(part, work={"alice": 1_000_001})
    assert differences(body(), (too_much,)) == (
        "work in whole slots of alice: stated 1000000, the evidence shows at least 1000001",
    )


def test_a_span_across_an_edge_of_the_window_is_left_out() -> None:
    across = Span(EDGE_SLOT, SLOT, {"alice": 9_999_999}, Origin.DIGEST)
    before = Span(SLOT - 100, EDGE_SLOT - 10, {"alice": 9_999_999}, Origin.DIGEST)
    result = recompute(body(), (before, across), settle)
    assert result.differences == ()
    assert result.unchecked == ((EDGE_SLOT, SLOT),)


def test_evidence_that_overlaps_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="overlap"):
        recompute(body(), (WHOLE, Span(SLOT - 10, SLOT, {}, Origin.SHARES)), settle)


def test_carried_work_is_compared_where_it_is_known() -> None:
    work = (*body().work[:2], AccountWork(account="dave", carried="7"))
    window = Window(from_slot=EDGE_SLOT, through_slot=SLOT, slot_seconds=10)
    made = body(work=work, window=window)
    known = recompute(made, (), settle, carried={"dave": 8})
    assert "carried work of dave: stated 7, the shares show 8" in known.differences
    unknown = recompute(made, (), settle)
    assert not [line for line in unknown.differences if line.startswith("carried")]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"reward_sats": 1_000_001}, "fees and credits sum to 1000000 sats, the reward is 1000001"),
        (
            {"credits": {**body().credits, "alice": 499_587}},
            "credit of alice: stated 499587, by the rules 499586",
        ),
        ({"rounding": {"alice": 1, "carol": 1}}, "satoshis from rounding of bob: stated 0, by the rules 1"),
        ({"operator_sats": 1}, "the operator's part: stated 1, by the rules 0"),
        (
            {"fees": (Fee(address="operator", basis_points=100, sats=9_999),)},
            "fee of operator: stated 9999, by the rules 10000",
        ),
        (
            {"found_at_us": (SLOT + 10) * 1_000_000},
            f"the window ends with slot {SLOT}, the block was found in slot",
        ),
        ({"network_target": "00" * 31 + "ff"}, "the window needs 2097152, not 2 × "),
        ({"work": body().work[:2]}, "the slot on the edge holds 100000, its accounts did 60000"),
        ({"work": body().work[1:]}, "the window holds 1097152, and needs 2097152"),
    ],
)
def test_each_wrong_figure_is_named(changes: dict[str, object], line: str) -> None:
    found = differences(body(**changes))
    assert any(difference.startswith(line) for difference in found), found


@pytest.mark.parametrize(
    ("window", "line"),
    [
        ({"edge": Edge(slot=EDGE_SLOT, work="100000", inside="0")}, "of the slot on the edge 0 counts"),
        (
            {"edge": Edge(slot=EDGE_SLOT, work="100000", inside="100001")},
            "of the slot on the edge 100001 counts",
        ),
        ({"edge": Edge(slot=EDGE_SLOT + 10, work="100000", inside="97152")}, "the slot on the edge is"),
        ({"edge": None}, "alice has work on an edge that the window has not"),
        ({"edge": None, "needed": "1999999"}, "the window holds 2000000, and needs only 1999999"),
        ({"from_slot": SLOT + 10}, "the window begins after its end"),
        ({"from_slot": SLOT - 30 * 86_400 - 10}, "the window begins more than 30 days before the block"),
    ],
)
def test_each_wrong_window_is_named(window: dict[str, object], line: str) -> None:
    changed = body(window=msgspec.structs.replace(body().window, **window))
    found = differences(changed, ())
    assert any(difference.startswith(line) for difference in found), found


def test_rules_that_divide_nothing_are_a_difference_and_not_a_crash() -> None:
    found = differences(body(work=()), ())
    assert any("the reward cannot be divided by these rules" in difference for difference in found)


names = st.sampled_from(["alice", "bob", "carol", "dave"])
slots = st.dictionaries(st.integers(0, 5), st.dictionaries(names, st.integers(0, 2**90)), max_size=6)


def totals(work: Mapping[int, Mapping[str, int]], wanted: range) -> dict[str, int]:
    sums: dict[str, int] = {}
    for number in wanted:
        for account, amount in work.get(number, {}).items():
            sums[account] = sums.get(account, 0) + amount
    return sums


@given(slots, st.sets(st.integers(1, 5)))
def test_however_the_evidence_is_cut_a_right_statement_stays_right(
    work: dict[int, dict[str, int]], cuts: set[int]
) -> None:
    rows = tuple(
        AccountWork(account=account, whole=str(amount)) for account, amount in totals(work, range(6)).items()
    )
    window = Window(from_slot=SLOT - 50, through_slot=SLOT, slot_seconds=10)
    starts = [0, *sorted(cuts)]
    spans = tuple(
        Span(
            SLOT - 50 + 10 * first, SLOT - 50 + 10 * (end - 1), totals(work, range(first, end)), Origin.SHARES
        )
        for first, end in zip(starts, [*starts[1:], 6], strict=True)
    )
    result = recompute(body(work=rows, window=window), spans, settle)
    assert result.unchecked == ()
    assert not [line for line in result.differences if line.startswith("work in")]
