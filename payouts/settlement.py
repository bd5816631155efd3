"""How a reward is divided: fees, what is the operator's, and the rest by weight; it always sums.

One rule serves all schemes, which differ in whose work has which weight:

    pplns           the window's weights (payouts.window)
    proportional    the work of the round's slots (payouts.proportional)
    pps, fpps       as pplns; work that was bought at its price is the operator's, who has paid for it
    solo            the finder alone

    1. the part of bought work goes to the operator, rounded down, and no fee is taken of it: a price already
       has the fee taken off (payouts.pps)
    2. each fee is taken of all that remains (without bought work: of the full reward), rounded down
    3. the rest is split by weight with the largest remainder; of equal ones the account that sorts
       first as text. Nobody is off by a whole satoshi
    4. where nobody has any weight the rest is the operator's
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from payouts.amounts import split
from payouts.plan import WHOLE_BASIS_POINTS

Kind = Literal["fee", "operator", "credit"]
Unfilled = Literal["normalise", "operator"]


class Fee(msgspec.Struct, frozen=True):
    """A part of each reward for one recipient, in hundredths of a percent."""

    account: str
    basis_points: int


class Terms(msgspec.Struct, frozen=True):
    """What a pool has agreed with its miners. `operator` is the account of what no miner earned.

    `unfilled` says whose the missing part of a window is: `normalise`, of those who are in it.
    """

    operator: str
    fees: tuple[Fee, ...] = ()
    unfilled: Unfilled = "normalise"


class Credit(msgspec.Struct, frozen=True):
    """What one account gets of one reward."""

    account: str
    sats: int
    kind: Kind


class Settlement(msgspec.Struct, frozen=True):
    """A divided reward: `credits` sum to it exactly.

    Fees stand first, one for each in the terms and in their order, even of 0 sats; then the operator, where
    it gets something; then accounts in the order of their text, those with 0 sats left out. `rounding`
    names who was given a satoshi in step 3; it is part of their credit.
    """

    credits: tuple[Credit, ...]
    rounding: dict[str, int]

    @property
    def fee_sats(self) -> tuple[int, ...]:
        return tuple(credit.sats for credit in self.credits if credit.kind == "fee")

    @property
    def operator_sats(self) -> int:
        return sum(credit.sats for credit in self.credits if credit.kind == "operator")

    @property
    def by_account(self) -> dict[str, int]:
        """What miners earned, in sats; fees and the operator's part are not in it."""
        return {credit.account: credit.sats for credit in self.credits if credit.kind == "credit"}


def settle(reward_sats: int, weights: Mapping[str, int], terms: Terms, missing: int = 0) -> Settlement:
    """Divide a reward. `weights` of the operator's own account are bought work.

    `missing` is what a window lacks to be full, in the same unit as the weights, which have none of a cut
    slot's factor then. Raises ValueError for negative amounts and for fees beyond the whole.
    """
    _check(reward_sats, weights, terms, missing)
    # The operator stands in the division with the missing part only: what it has bought is already its.
    due = {account: weight for account, weight in weights.items() if weight and account != terms.operator}
    if missing and terms.unfilled == "operator":
        due[terms.operator] = missing
    bought = weights.get(terms.operator, 0)
    bought_sats = reward_sats * bought // (bought + sum(due.values())) if bought else 0
    fees = fees_of(reward_sats - bought_sats, terms.fees)
    rest_sats = reward_sats - bought_sats - sum(fee.sats for fee in fees)
    shares, rounding = _divide(rest_sats, due or {terms.operator: 1})
    operator_sats = bought_sats + shares.pop(terms.operator, 0)
    operator = [Credit(terms.operator, operator_sats, "operator")] if operator_sats else []
    earned = [Credit(account, sats, "credit") for account, sats in shares.items() if sats]
    return Settlement((*fees, *operator, *earned), rounding)


def fees_of(sats: int, fees: Sequence[Fee]) -> tuple[Credit, ...]:
    """Each fee of an amount, rounded down, so that what rounding leaves is the miners'."""
    return tuple(Credit(fee.account, sats * fee.basis_points // WHOLE_BASIS_POINTS, "fee") for fee in fees)


def _divide(sats: int, weights: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Shares by account, and the part of them that is the largest remainder's."""
    accounts = sorted(weights)
    whole = sum(weights.values())
    shares = dict(zip(accounts, split(sats, [weights[account] for account in accounts]), strict=True))
    rounding = {
        account: more
        for account, share in shares.items()
        if (more := share - sats * weights[account] // whole)
    }
    return shares, rounding


def _check(reward_sats: int, weights: Mapping[str, int], terms: Terms, missing: int) -> None:
    if reward_sats < 0 or missing < 0 or any(weight < 0 for weight in weights.values()):
        raise ValueError("rewards and work are not negative")
    points = [fee.basis_points for fee in terms.fees]
    if any(point < 0 for point in points) or sum(points) > WHOLE_BASIS_POINTS:
        raise ValueError(f"fees are between nothing and {WHOLE_BASIS_POINTS} basis points together")
