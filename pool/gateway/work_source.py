"""Templates → jobs: one current job for each coinbase variant. It announces nothing.

A variant is what makes two sessions' coinbases differ: who is paid, and how large the firmware lets it be.
Jobs of a variant differ by a salt in the coinbase script, one for each job, since firmware restarts
extranonce2 with every job and would find the same hashes again.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from payouts.plan import Plan
from pool.gateway.coinbase_outputs import CoinbaseOutputs, PaidOutputs, Shape
from stratum.extranonce import EXTRANONCE1_BYTES
from stratum.jobs import JobBook
from stratum.work.coin import Network
from stratum.work.coinbase import Coinbase, build_coinbase
from stratum.work.job import Job
from stratum.work.template import Template
from stratum.work.transaction import Output

EPOCH_BYTES = 4
SALT_BYTES = 4


class Variant(msgspec.Struct, frozen=True):
    """Whom the coinbase pays (None: whom the pool pays) and how many bytes it may have."""

    payee: bytes | None
    coinbase_bytes: int


class WorkRules(msgspec.Struct, frozen=True):
    """What all jobs of a gateway have in common. `epoch` is 4 random bytes, drawn once a process."""

    network: Network
    tag: bytes
    version_rolling_mask: int
    gateway: int
    epoch: bytes


class ShapeJudge(Protocol):
    """Who tries new coinbase shapes on a node."""

    def is_refused(self, shape: Shape) -> bool:
        """Whether the node will not have a block whose coinbase looks like this."""
        ...

    def first_seen(self, shape: Shape, job: Job) -> None:
        """A job with this shape is going out. Returns at once."""
        ...


class WorkSource:
    """The newest template and the current job of every variant."""

    def __init__(
        self,
        rules: WorkRules,
        book: JobBook,
        plan_of: Callable[[Variant], Plan],
        shapes: ShapeJudge | None = None,
    ) -> None:
        self._rules = rules
        self._book = book
        self._plan_of = plan_of
        self._shapes = shapes
        self._extranonce_bytes = EXTRANONCE1_BYTES + rules.network.proof_of_work.extranonce2_size
        self._template: Template | None = None
        self._outputs: CoinbaseOutputs | None = None
        self._received_at = 0.0
        self._made_at = 0.0
        self._is_lost = True
        self._jobs: dict[Variant, Job] = {}
        self._is_current: set[Variant] = set()
        self._counter = 0

    @property
    def template(self) -> Template | None:
        """The newest template, also while no node is left to vouch for it."""
        return self._template

    @property
    def received_at(self) -> float:
        """When the newest template came, on the clock of `now`."""
        return self._received_at

    @property
    def made_at(self) -> float:
        """Since when the current jobs are."""
        return self._made_at

    @property
    def has_work(self) -> bool:
        """Whether jobs can be had: there is a template and a node behind it."""
        return self._template is not None and not self._is_lost

    def new_template(self, template: Template, received_at: float, now: float) -> bool:
        """Work from this from now on; True where the tip has moved and every job so far is stale."""
        before = self._template
        is_new_tip = before is None or template.previous_hash != before.previous_hash
        if is_new_tip:
            self._book.new_tip(now)
        self._template = template
        self._outputs = CoinbaseOutputs(
            template, partial(self._coinbase, template, bytes(SALT_BYTES)), self._extranonce_bytes
        )
        self._received_at = received_at
        self._is_lost = False
        self._begin(now)
        return is_new_tip

    def lost(self) -> None:
        """No node vouches for the template any more: nobody is handed a job of it as new."""
        self._is_lost = True
        self._is_current.clear()

    def is_older_than(self, seconds: float, now: float) -> bool:
        """Whether the current jobs are this old, and could be had anew."""
        return self.has_work and now - self._made_at >= seconds

    def renew(self, now: float) -> None:
        """The same template once more: new salts, and ntime moved on."""
        self._begin(now)

    def current_job(self, variant: Variant, now: float) -> Job | None:
        """The newest job of a variant, or None while no work can be had."""
        if not self.has_work:
            return None
        if variant not in self._is_current:
            return self.fresh_job(variant, now)
        return self._jobs[variant]

    def fresh_job(self, variant: Variant, now: float) -> Job | None:
        """A job that nobody has seen, from now on the current one of its variant."""
        template = self._template
        if template is None or self._is_lost:
            return None
        job = self._build(template, variant, now)
        self._book.install(job, self._jobs.get(variant), now)
        self._jobs[variant] = job
        self._is_current.add(variant)
        return job

    def forget_unused(self, used: set[Variant], now: float) -> None:
        """Let go of variants that nobody mines on any more (solo addresses come and go)."""
        for variant in [variant for variant in self._jobs if variant not in used]:
            self._book.retire_variant(self._jobs.pop(variant), now)
            self._is_current.discard(variant)

    def _begin(self, now: float) -> None:
        self._made_at = now
        self._is_current.clear()

    def _build(self, template: Template, variant: Variant, now: float) -> Job:
        self._counter += 1
        plan = self._plan_of(variant)
        paid = self._paid(plan, variant)
        coinbase = self._coinbase(template, self._counter.to_bytes(SALT_BYTES, "big"), paid.outputs)
        job = self._job(template, coinbase, plan, variant, now)
        if self._shapes is not None and len(paid.outputs) > 1:
            self._shapes.first_seen(paid.shape, job)
        return job

    def _paid(self, plan: Plan, variant: Variant) -> PaidOutputs:
        """What the plan pays in this template; one output where the node does not want the coinbase."""
        assert self._outputs is not None  # noqa: S101  (it comes with the template)
        paid = self._outputs.of(plan, variant.coinbase_bytes)
        if self._shapes is not None and len(paid.outputs) > 1 and self._shapes.is_refused(paid.shape):
            return self._outputs.one(plan)
        return paid

    def _coinbase(self, template: Template, salt: bytes, outputs: Sequence[Output]) -> Coinbase:
        return build_coinbase(
            template,
            outputs,
            tag=self._rules.tag,
            uniqueness=self._rules.epoch + salt,
            extranonce_bytes=self._extranonce_bytes,
        )

    def _job(self, template: Template, coinbase: Coinbase, plan: Plan, variant: Variant, now: float) -> Job:
        rules = self._rules
        network = rules.network
        proof_of_work = network.proof_of_work
        return Job(
            template,
            coinbase,
            job_id=f"{rules.gateway:02x}{rules.epoch.hex()}{self._counter & 0xFFFFFF:06x}",
            tip=self._book.tip,
            ntime=self._ntime(template, now),
            received_at=self._received_at,
            rolling_mask=rules.version_rolling_mask if proof_of_work.version_rolling else 0,
            proof_of_work=proof_of_work,
            chain=network.coin,
            minimum_difficulty_blocks_by_time=network.minimum_difficulty_blocks_by_time,
            plan_id=plan.id if plan.generation else None,
            plan_generation=plan.generation,
            plan_is_stripped=plan.is_stripped,
            payee=variant.payee,
            size_class=variant.coinbase_bytes,
        )

    def _ntime(self, template: Template, now: float) -> int:
        """The node's time now; a chain whose bits depend on the time keeps the template's,
        whose bits these are."""
        if self._rules.network.minimum_difficulty_blocks_by_time:
            return template.current_time
        return template.current_time + int(now - self._received_at)
