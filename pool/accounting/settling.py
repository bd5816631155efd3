"""A statement's own rules applied to its weights: what the reward must have been divided into. Pure."""

from collections.abc import Mapping

from payouts.settlement import Fee, Terms, settle
from pool.audit.recompute import Amounts
from pool.audit.statement import Body

OPERATOR = "@operator"


def settled_as_stated(body: Body, weights: Mapping[str, int]) -> Amounts:
    """For `pool.audit.recompute`. Raises ValueError for rules that are none."""
    if body.rules.unfilled not in ("normalise", "operator"):
        raise ValueError(f"an unfilled window is dealt with as {body.rules.unfilled!r}, which is no rule")
    terms = Terms(
        operator=OPERATOR,
        fees=tuple(Fee(fee.address, fee.basis_points) for fee in body.fees),
        unfilled="operator" if body.rules.unfilled == "operator" else "normalise",
    )
    found = settle(body.reward_sats, weights, terms, _missing(body, weights))
    # A coinbase that paid by a plan has no satoshis apart for rounding: the plan names no one.
    rounding = {} if body.plan_id is not None else found.rounding
    return Amounts(found.fee_sats, found.operator_sats, found.by_account, rounding)


def _missing(body: Body, weights: Mapping[str, int]) -> int:
    """What the window lacks to be full; one that cuts a slot is full."""
    if body.window.needed is None or body.window.edge is not None:
        return 0
    return max(0, int(body.window.needed) - sum(weights.values()))
