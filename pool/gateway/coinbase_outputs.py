"""Plan, template and size class → the outputs of a coinbase, worked out once for each template.

A job is made every few seconds for somebody; what its plan pays changes only with the template or the plan.
"""

from collections import Counter
from collections.abc import Callable

import msgspec

from payouts.coinbase import Dues, Room, dues, outputs_of
from payouts.plan import Plan
from pool.gateway.coinbase_room import block_room, less_one_output, output_sigop_cost, outputs_room
from stratum.work.coinbase import Coinbase, CoinbaseCost, coinbase_cost
from stratum.work.template import Template
from stratum.work.transaction import Output

Shape = tuple[tuple[int, int], ...]
"""What a node could dislike about outputs: how many there are of each script length, (length, count)."""


class PaidOutputs(msgspec.Struct, frozen=True):
    """Outputs that sum to the reward, and their shape."""

    outputs: tuple[Output, ...]
    shape: Shape


class CoinbaseOutputs:
    """The outputs of one template's coinbases.

    `build` makes a coinbase of outputs with all that a job's has, `extranonce_bytes` come on top.
    """

    def __init__(
        self, template: Template, build: Callable[[tuple[Output, ...]], Coinbase], extranonce_bytes: int
    ) -> None:
        self._template = template
        self._build = build
        self._extranonce_bytes = extranonce_bytes
        self._left: tuple[int, int] | None = None
        self._bare: CoinbaseCost | None = None
        self._dues: dict[tuple[str, bool], Dues] = {}
        self._paid: dict[tuple[str, bool, int], PaidOutputs] = {}

    def of(self, plan: Plan, size_class: int) -> PaidOutputs:
        """For a coinbase of at most `size_class` bytes; a plan with one script only is not asked for room."""
        if plan.generation == 0:  # of one payee; there is one for each solo miner, and little to remember
            return self._worked_out(plan, dues(plan, self._template.coinbase_value_sats), size_class)
        key = (plan.id, plan.is_stripped, size_class)
        paid = self._paid.get(key)
        if paid is None:
            paid = self._paid[key] = self._worked_out(plan, self._dues_of(plan), size_class)
        return paid

    def one(self, plan: Plan) -> PaidOutputs:
        """Everything to the custody address."""
        return _paid(((plan.custody, self._template.coinbase_value_sats),))

    def _dues_of(self, plan: Plan) -> Dues:
        key = (plan.id, plan.is_stripped)
        due = self._dues.get(key)
        if due is None:
            due = self._dues[key] = dues(plan, self._template.coinbase_value_sats)
        return due

    def _worked_out(self, plan: Plan, due: Dues, size_class: int) -> PaidOutputs:
        if not due.ranked:
            return self.one(plan)
        return _paid(outputs_of(plan, due, self._room(plan, size_class), output_sigop_cost))

    def _room(self, plan: Plan, size_class: int) -> Room:
        template = self._template
        if self._left is None:
            self._left = block_room(template)
        if self._bare is None:
            one = Output(value_sats=template.coinbase_value_sats, script=plan.custody)
            has_witness = template.witness_commitment is not None
            cost = coinbase_cost(self._build((one,)), self._extranonce_bytes, has_witness=has_witness)
            self._bare = less_one_output(cost, plan.custody)
        return outputs_room(self._left, self._bare, size_class)


def _paid(outputs: tuple[tuple[bytes, int], ...]) -> PaidOutputs:
    lengths = Counter(len(script) for script, _ in outputs)
    return PaidOutputs(
        tuple(Output(value_sats=sats, script=script) for script, sats in outputs),
        tuple(sorted(lengths.items())),
    )
