"""What to do next for a payment: by confirmations alone, whatever memory pools say."""

import pytest

from payouts.attempt import (
    Attempt,
    AttemptSight,
    AttemptState,
    Confirmed,
    Conflicted,
    InputsGone,
    NoAnswer,
    Unconfirmed,
    attempt_state,
)
from payouts.payment import (
    Action,
    Broadcast,
    Bump,
    Confirm,
    Done,
    PaymentState,
    PlanAnew,
    Rebroadcast,
    Reopen,
    SetAside,
    Sign,
    Wait,
    next_step,
)
from payouts.transaction import Outpoint, Spent

PLANNED, SIGNED, BROADCAST = PaymentState.PLANNED, PaymentState.SIGNED, PaymentState.BROADCAST
CONFIRMED, SET_ASIDE, ABANDONED = PaymentState.CONFIRMED, PaymentState.SET_ASIDE, PaymentState.ABANDONED
FIRST, SECOND, STRANGER, BLOCK = "11" * 32, "22" * 32, "99" * 32, "bb" * 32
PAYEES = frozenset({b"a payee's script"})
HERE, AWAY = Unconfirmed(in_mempool=True), Unconfirmed(in_mempool=False)


def attempt(number: int, broadcast_height: int | None = 100, *, counted: bool = False) -> Attempt:
    return Attempt(
        number=number,
        txid={1: FIRST, 2: SECOND}[number],
        raw=b"",
        inputs=(Spent(Outpoint("aa" * 32, 0), 1000),),
        fee_sats=10,
        weight=400,
        broadcast_height=broadcast_height,
        is_counted=counted,
    )


def deep(confirmations: int) -> Confirmed:
    return Confirmed(confirmations, BLOCK, 50)


def alone(
    state: PaymentState, sight: AttemptSight, tip: int = 101, *, sent: int | None = 100, counted: bool = False
) -> Action:
    return next_step(state, [attempt(1, sent, counted=counted)], {FIRST: sight}, tip, payees=PAYEES)


def test_a_planned_payment_is_signed_and_what_was_set_aside_before_waits() -> None:
    assert next_step(PLANNED, [], {}, 100) == Sign()
    assert next_step(SET_ASIDE, [], {}, 100) == Wait()
    assert next_step(ABANDONED, [], {}, 100) == Wait()


def test_a_signed_attempt_is_broadcast_and_so_is_one_that_a_crash_left_unrecorded() -> None:
    assert alone(SIGNED, AWAY, sent=None) == Broadcast(1)
    assert alone(SIGNED, HERE, sent=None) == Broadcast(1)
    assert alone(SIGNED, deep(3), sent=None) == Broadcast(1)


@pytest.mark.parametrize("confirmations", [1, 5])
def test_below_six_confirmations_nothing_is_settled(confirmations: int) -> None:
    assert alone(BROADCAST, deep(confirmations)) == Wait()


def test_six_confirmations_settle_it_and_a_hundred_end_the_watch() -> None:
    assert alone(BROADCAST, deep(6)) == Confirm(1, deep(6))
    assert alone(CONFIRMED, deep(99), counted=True) == Wait()
    assert alone(CONFIRMED, deep(100), counted=True) == Done()


def test_an_attempt_that_leaves_the_chain_reopens_the_payment_and_one_that_sinks_does_not() -> None:
    assert isinstance(alone(CONFIRMED, HERE, counted=True), Reopen)
    assert isinstance(alone(CONFIRMED, AWAY, counted=True), Reopen)
    assert isinstance(alone(CONFIRMED, InputsGone(), counted=True), Reopen)
    assert alone(CONFIRMED, deep(2), counted=True) == Wait()
    assert alone(CONFIRMED, NoAnswer("down"), counted=True) == Wait()


def test_after_a_reorganisation_the_other_attempt_may_be_the_one_in_the_chain() -> None:
    attempts = [attempt(1, counted=True), attempt(2)]
    sights: dict[str, AttemptSight] = {FIRST: Conflicted(SECOND, 1), SECOND: deep(1)}
    assert isinstance(next_step(CONFIRMED, attempts, sights, 101), Reopen)


@pytest.mark.parametrize("sight", [AWAY, InputsGone()])
def test_what_no_memory_pool_has_is_sent_again_and_nothing_else(sight: AttemptSight) -> None:
    assert alone(BROADCAST, sight) == Rebroadcast(1)


@pytest.mark.parametrize("state", [SIGNED, BROADCAST, CONFIRMED, SET_ASIDE])
def test_without_an_answer_nothing_is_done(state: PaymentState) -> None:
    assert alone(state, NoAnswer("down"), tip=5000) == Wait()
    assert next_step(state, [attempt(1)], {}, 5000) == Wait()


def test_the_fee_is_raised_after_six_blocks_from_the_last_broadcast() -> None:
    assert alone(BROADCAST, HERE, tip=105) == Wait()
    assert alone(BROADCAST, HERE, tip=106) == Bump(1, (1,))
    assert alone(BROADCAST, AWAY, tip=106) == Bump(1, (1,))
    assert alone(BROADCAST, InputsGone(), tip=106) == Rebroadcast(1)
    attempts = [attempt(1, 100), attempt(2, 106)]
    assert next_step(BROADCAST, attempts, {FIRST: AWAY, SECOND: HERE}, 111) == Wait()
    assert next_step(BROADCAST, attempts, {FIRST: AWAY, SECOND: HERE}, 112) == Bump(2, (1, 2))


def test_when_the_original_confirms_after_a_bump_it_is_the_one_that_counts() -> None:
    attempts = [attempt(1), attempt(2)]
    sights: dict[str, AttemptSight] = {FIRST: deep(6), SECOND: Conflicted(FIRST, 6)}
    assert next_step(BROADCAST, attempts, sights, 200) == Confirm(1, deep(6))


def test_a_bump_whose_own_coins_are_taken_leaves_the_earlier_attempt_to_be_sent() -> None:
    attempts = [attempt(1, 100), attempt(2, 104)]
    sights: dict[str, AttemptSight] = {FIRST: AWAY, SECOND: Conflicted(STRANGER, 3)}
    assert next_step(BROADCAST, attempts, sights, 105) == Rebroadcast(1)
    # the second could return with a reorganisation: the third attempt must exclude it as well
    assert next_step(BROADCAST, attempts, sights, 110) == Bump(1, (1, 2))
    sights[SECOND] = Conflicted(STRANGER, 100)
    assert next_step(BROADCAST, attempts, sights, 210) == Bump(1, (1,))


def test_only_a_conflict_a_hundred_deep_with_every_attempt_lets_the_payees_be_planned_anew() -> None:
    aside = alone(BROADCAST, Conflicted(STRANGER, 1))
    assert isinstance(aside, SetAside)
    assert STRANGER in aside.reason
    assert alone(SET_ASIDE, Conflicted(STRANGER, 99)) == Wait()
    anew = alone(SET_ASIDE, Conflicted(STRANGER, 100))
    assert isinstance(anew, PlanAnew)
    assert anew.conflicting_txid == STRANGER
    attempts = [attempt(1), attempt(2)]
    shallow: dict[str, AttemptSight] = {FIRST: Conflicted(STRANGER, 500), SECOND: Conflicted(STRANGER, 99)}
    assert next_step(SET_ASIDE, attempts, shallow, 700, payees=PAYEES) == Wait()
    possible: dict[str, AttemptSight] = {FIRST: Conflicted(STRANGER, 500), SECOND: AWAY}
    assert not isinstance(next_step(BROADCAST, attempts, possible, 700, payees=PAYEES), PlanAnew)


def test_a_conflict_that_may_have_paid_the_payees_waits_for_a_person_however_deep_it_is() -> None:
    bumped = Conflicted(STRANGER, 500, PAYEES | {b"change"})
    aside = alone(BROADCAST, bumped)
    assert isinstance(aside, SetAside)
    assert aside.conflicting_txid == STRANGER
    assert "adopt" in aside.reason
    assert alone(SET_ASIDE, bumped) == Wait()
    attempts = [attempt(1), attempt(2)]
    one_of_two: dict[str, AttemptSight] = {FIRST: Conflicted(BLOCK, 700), SECOND: bumped}
    assert next_step(SET_ASIDE, attempts, one_of_two, 900, payees=PAYEES) == Wait()


def test_payees_that_the_node_does_not_know_may_have_been_paid() -> None:
    sights: dict[str, AttemptSight] = {FIRST: Conflicted(STRANGER, 500)}
    assert isinstance(next_step(BROADCAST, [attempt(1)], sights, 700, payees=None), SetAside)
    assert next_step(SET_ASIDE, [attempt(1)], sights, 700, payees=None) == Wait()


def test_a_conflict_among_our_own_attempts_is_no_reason_to_plan_anew() -> None:
    attempts = [attempt(1), attempt(2)]
    sights: dict[str, AttemptSight] = {FIRST: Conflicted(SECOND, 200), SECOND: Conflicted(FIRST, 200)}
    assert next_step(BROADCAST, attempts, sights, 700) == Wait()


@pytest.mark.parametrize("sight", [HERE, AWAY])
def test_what_was_set_aside_is_reopened_when_the_conflict_has_left_the_chain(sight: AttemptSight) -> None:
    assert isinstance(alone(SET_ASIDE, sight), Reopen)


def test_a_conflict_that_is_not_found_any_more_has_not_left_the_chain_while_the_coins_are_gone() -> None:
    assert alone(SET_ASIDE, InputsGone()) == Wait()


def test_what_was_set_aside_or_abandoned_is_reopened_when_it_confirms_after_all() -> None:
    assert isinstance(alone(SET_ASIDE, deep(6)), Reopen)
    assert isinstance(alone(ABANDONED, deep(6)), Reopen)
    assert alone(ABANDONED, AWAY) == Wait()
    assert alone(ABANDONED, HERE) == Wait()


def test_an_attempts_row_follows_what_was_seen() -> None:
    assert attempt_state(attempt(1, counted=True), deep(6)) is AttemptState.CONFIRMED
    assert attempt_state(attempt(1), deep(1)) is AttemptState.BROADCAST
    assert attempt_state(attempt(1), Conflicted(STRANGER, 1)) is AttemptState.CONFLICTED
    assert attempt_state(attempt(1), AWAY) is AttemptState.BROADCAST
    assert attempt_state(attempt(1, None), AWAY) is AttemptState.SIGNED
