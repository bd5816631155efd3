"""A plan: whom a coinbase pays and in which proportion. Immutable, and without amounts: they follow from it.

    generation   rises whenever a block of ours was decided upon (credited, refused, orphaned, back again) and
                 at no other time: plans of one generation have the same carry-over, to be paid once.
                 A plan that only has newer weights keeps it. It never falls, restored backups included
    stripped     the plan without its carry-over, under the same id: what is mined on once the carry-over may
                 have been paid already. Not part of the content.

A plan travels as one JSON document, and its id is the SHA-256 of that document's bytes.
"""

import functools
from hashlib import sha256
from typing import Literal, Self

import msgspec

VERSION = 1
WHOLE_BASIS_POINTS = 10_000
MOST_PAYEES = 100_000
# Ten times the largest pool's accounts; a document of it is some 15 MB.
LONGEST_SCRIPT = 42  # BIP 141: no address stands for a longer one
_MOST_SATS = 2**62

Remainder = Literal["custody", "advance"]


class PlanError(ValueError):
    """A document that is no plan, or a plan that cannot be paid by; one line that says why."""


class Payee(msgspec.Struct, frozen=True):
    """An account: its output script, its weight in the window, and what it is owed from before.

    `carry_over_sats` is negative where the account was advanced more than it had earned. A weight of zero
    with a carry-over is an account that has left and is still owed.
    """

    script: bytes
    weight: int
    account: str = ""
    carry_over_sats: int = 0


class Fee(msgspec.Struct, frozen=True):
    """A share of the full reward, taken before the payees divide the rest."""

    script: bytes
    basis_points: int
    account: str = ""
    carry_over_sats: int = 0


class Plan(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Whom to pay, in which proportion and by which rules.

    `marks` says how far each source's frames were counted, (source, frame number) sorted by source.
    `custody` is the script of the pool's own address, which holds what is owed. `minimum_output_sats` and
    `dust_sats_per_kvb` (the rate that dust is reckoned at, see payouts.transaction) bound outputs from
    below. `held` are scripts that get no output now, sorted: what is due to them is owed, and custody holds
    it. Generation 0 is a plan without an accountant behind it: one payee, nothing owed.
    """

    payees: tuple[Payee, ...]
    custody: bytes
    fees: tuple[Fee, ...] = ()
    generation: int = 0
    marks: tuple[tuple[str, int], ...] = ()
    remainder: Remainder = "custody"
    minimum_output_sats: int = 0
    dust_sats_per_kvb: int = 0
    most_outputs: int = 500
    held: tuple[bytes, ...] = ()
    is_stripped: bool = False

    @functools.cached_property
    def id(self) -> str:
        """The content's SHA-256, 64 hex digits; the same for the plan stripped."""
        return sha256(encode_plan(self)).hexdigest()

    @functools.cached_property
    def stripped(self) -> Self:
        """This plan without its carry-over."""
        if self.is_stripped:
            return self
        bare = msgspec.structs.replace(self, is_stripped=True)
        bare.__dict__["id"] = self.id
        return bare


def sole(script: bytes, fees: tuple[Fee, ...] = ()) -> Plan:
    """Everything but the fees to one script: a solo miner, or the operator of a farm.

    What a fee recipient cannot be paid in this coinbase is the script's too: nobody keeps account of it.
    """
    return Plan(payees=(Payee(script, 1),), custody=script, fees=fees)


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The document. Weights are decimal text, since work outgrows what JSON readers take for a number. What
    has a default is left out where it is that, so that documents of before `held` are what they were."""

    version: int
    generation: int
    marks: tuple[tuple[str, int], ...]
    payees: tuple[tuple[str, str, str, int], ...]  # account, script in hex, weight, carry-over
    fees: tuple[tuple[str, str, int, int], ...]  # account, script in hex, basis points, carry-over
    custody: str
    remainder: Remainder
    minimum_output_sats: int
    dust_sats_per_kvb: int
    most_outputs: int
    held: tuple[str, ...] = ()  # scripts in hex


class _Version(msgspec.Struct):
    version: int


class _Sealed(msgspec.Struct):
    id: str
    plan: msgspec.Raw


def encode_plan(plan: Plan) -> bytes:
    """The document: equal plans give equal bytes, whoever writes them."""
    return msgspec.json.encode(
        _Content(
            version=VERSION,
            generation=plan.generation,
            marks=plan.marks,
            payees=tuple((p.account, p.script.hex(), str(p.weight), p.carry_over_sats) for p in plan.payees),
            fees=tuple((f.account, f.script.hex(), f.basis_points, f.carry_over_sats) for f in plan.fees),
            custody=plan.custody.hex(),
            remainder=plan.remainder,
            minimum_output_sats=plan.minimum_output_sats,
            dust_sats_per_kvb=plan.dust_sats_per_kvb,
            most_outputs=plan.most_outputs,
            held=tuple(script.hex() for script in plan.held),
        )
    )


def decode_plan(document: bytes) -> Plan:
    """A plan that can be paid by; raises PlanError for anything else."""
    try:
        version = msgspec.json.decode(document, type=_Version).version
        if version != VERSION:
            raise PlanError(f"the plan is of version {version}; this one reads version {VERSION}")
        content = msgspec.json.decode(document, type=_Content)
        plan = Plan(
            payees=tuple(Payee(bytes.fromhex(s), int(w), a, c) for a, s, w, c in content.payees),
            custody=bytes.fromhex(content.custody),
            fees=tuple(Fee(bytes.fromhex(s), b, a, c) for a, s, b, c in content.fees),
            generation=content.generation,
            marks=content.marks,
            remainder=content.remainder,
            minimum_output_sats=content.minimum_output_sats,
            dust_sats_per_kvb=content.dust_sats_per_kvb,
            most_outputs=content.most_outputs,
            held=tuple(bytes.fromhex(script) for script in content.held),
        )
    except PlanError:
        raise
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise PlanError(f"this is no plan: {error}") from None
    check_plan(plan)
    return plan


def seal(plan: Plan) -> bytes:
    """The plan with its id, as it stands in a file: damage shows."""
    return msgspec.json.encode(_Sealed(plan.id, msgspec.Raw(encode_plan(plan))))


def unseal(document: bytes) -> Plan:
    """Raises PlanError where the id is not that of the content, and as `decode_plan` does."""
    try:
        sealed = msgspec.json.decode(document, type=_Sealed)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise PlanError(f"this is no plan: {error}") from None
    if sha256(bytes(sealed.plan)).hexdigest() != sealed.id:
        raise PlanError("the plan is damaged: its content is not what its id names")
    plan = decode_plan(bytes(sealed.plan))
    plan.__dict__["id"] = (
        sealed.id
    )  # known already: to encode thousands of payees once more takes milliseconds
    return plan


def sealed_id(document: bytes) -> str | None:
    """The id that a file names, its content not looked at; None where the file is no sealed plan."""
    try:
        return msgspec.json.decode(document, type=_Sealed).id
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def check_plan(plan: Plan) -> None:
    """Raises PlanError for a plan that no coinbase could be made of."""
    if plan.generation < 1:
        raise PlanError(f"generations begin at 1; this plan's is {plan.generation}")
    if len(plan.payees) > MOST_PAYEES:
        raise PlanError(f"a plan has at most {MOST_PAYEES} payees, this one {len(plan.payees)}")
    if any(payee.weight < 0 for payee in plan.payees) or not any(payee.weight for payee in plan.payees):
        raise PlanError("weights are not negative, and at least one is above zero")
    if (
        any(fee.basis_points < 0 for fee in plan.fees)
        or sum(fee.basis_points for fee in plan.fees) > WHOLE_BASIS_POINTS
    ):
        raise PlanError(f"fees are between nothing and {WHOLE_BASIS_POINTS} basis points together")
    recipients: list[Payee | Fee] = [*plan.payees, *plan.fees]
    if any(abs(one.carry_over_sats) > _MOST_SATS for one in recipients):
        raise PlanError("a carry-over is larger than all money there is")
    if not all(
        0 < len(script) <= LONGEST_SCRIPT for script in (plan.custody, *(r.script for r in recipients))
    ):
        raise PlanError(f"an output script has 1 to {LONGEST_SCRIPT} bytes")
    if plan.held != tuple(sorted(set(plan.held))):
        raise PlanError("the scripts that are held stand in order, each of them once")
    if len({payee.account for payee in plan.payees}) != len(plan.payees):
        raise PlanError("an account stands in the plan twice")
    if plan.most_outputs < 1 or plan.minimum_output_sats < 0 or plan.dust_sats_per_kvb < 0:
        raise PlanError("limits of outputs are not negative, and one output is always made")
