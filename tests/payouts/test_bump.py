"""Further attempts: the payees' outputs stand, the fee rises enough, and none confirms beside another."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.attempt import Attempt, excludes_all, free_coins
from payouts.batch import Item
from payouts.bump import Replaced, bump, replacing_fee
from payouts.composition import Composition, FeePayer, Refusal, Terms, compose
from payouts.transaction import Coin, Output, fee_for
from tests.payouts.test_composition import CHANGE, coin, item, terms


def attempt_of(number: int, made: Composition) -> Attempt:
    return Attempt(
        number=number,
        txid=number.to_bytes(32, "little").hex(),
        raw=b"",
        inputs=made.inputs,
        fee_sats=made.fee_sats,
        weight=made.weight,
    )


def composed(items: Sequence[Item], coins: Sequence[Coin], under: Terms) -> Composition:
    made = compose(items, coins, under)
    assert isinstance(made, Composition), made
    return made


def replacing(number: int, made: Composition, items: Sequence[Item]) -> Replaced:
    scripts = {one.script for one in items}
    return Replaced(attempt=attempt_of(number, made), outputs=made.outputs, payee_scripts=scripts)


def test_a_higher_rate_is_paid_out_of_the_change() -> None:
    items = [item(1, 60_000)]
    first = composed(items, [coin(1, 100_000)], terms("payees"))
    replaced = replacing(1, first, items)
    second = bump(replaced, [replaced.attempt], [], terms("payees", rate=3000), 1000)
    assert isinstance(second, Composition)
    assert second.inputs == first.inputs
    # 562 units and a margin of 16 for counts and 4 for the signature: 582, 146 virtual bytes, at 3 satoshis
    assert second.fee_sats == 438
    assert [output.sats for output in second.outputs] == [59_859, 100_000 - 59_859 - 438]


def test_a_rate_that_has_not_risen_is_still_raised_by_what_relaying_costs() -> None:
    items = [item(1, 60_000)]
    first = composed(items, [coin(1, 100_000)], terms("payees"))
    replaced = replacing(1, first, items)
    second = bump(replaced, [replaced.attempt], [], terms("payees", rate=1000), 1000)
    assert isinstance(second, Composition)
    # BIP 125 rule 4: the 141 that the first one paid and 1 satoshi for each of the 146 virtual bytes
    assert second.fee_sats == 141 + 146


def test_a_heavier_transaction_pays_a_higher_rate_as_well_as_a_higher_fee() -> None:
    first = Attempt(number=1, txid="11" * 32, raw=b"", inputs=(), fee_sats=5000, weight=400)
    # 100 virtual bytes at 50 satoshis; twice as many at more than 50 are 10,000.2 and upwards
    assert replacing_fee(800, [first], 1000, 1000) == 10_001


def test_coins_are_added_where_the_change_does_not_suffice_and_the_attempts_own_are_not_among_them() -> None:
    items = [item(1, 60_000)]
    first = composed(items, [coin(1, 60_200)], terms("payees"))
    replaced = replacing(1, first, items)
    nothing = bump(replaced, [replaced.attempt], [coin(1, 60_200)], terms("payees", rate=5000), 1000)
    assert nothing == Refusal("the wallet has no further coins for a higher fee", passing=True)
    spare = [coin(1, 60_200), coin(2, 5_000), coin(3, 20_000)]
    second = bump(replaced, [replaced.attempt], spare, terms("payees", rate=5000), 1000)
    assert isinstance(second, Composition)
    assert [spent.sats for spent in second.inputs] == [60_200, 20_000]
    assert second.outputs[0] == first.outputs[0]
    assert second.outputs[1].script == CHANGE.script


def test_a_bump_above_the_fee_limit_is_refused() -> None:
    items = [item(1, 60_000)]
    first = composed(items, [coin(1, 100_000)], terms("payees"))
    replaced = replacing(1, first, items)
    refused = bump(replaced, [replaced.attempt], [], terms("payees", rate=20_000, percent=2), 1000)
    assert isinstance(refused, Refusal)
    assert refused.passing


def test_a_bump_that_an_earlier_attempt_could_confirm_beside_is_refused() -> None:
    items = [item(1, 60_000)]
    replaced = replacing(2, composed(items, [coin(2, 100_000)], terms("payees")), items)
    stranger = attempt_of(1, composed(items, [coin(1, 100_000)], terms("payees")))
    refused = bump(replaced, [stranger, replaced.attempt], [], terms("payees", rate=3000), 1000)
    assert isinstance(refused, Refusal)
    assert not refused.passing


def test_outputs_that_hold_no_payee_are_an_error() -> None:
    items = [item(1, 60_000)]
    replaced = replacing(1, composed(items, [coin(1, 100_000)], terms("payees")), items)
    lost = msgspec.structs.replace(replaced, payee_scripts=set())
    with pytest.raises(ValueError, match="pays none of the payment's payees"):
        bump(lost, [replaced.attempt], [], terms("payees", rate=3000), 1000)


@given(
    amounts=st.lists(st.integers(10_000, 10**9), min_size=1, max_size=5),
    coins=st.lists(st.integers(1_000, 10**9), min_size=1, max_size=12),
    payer=st.sampled_from(["pool", "payees"]),
    rates=st.lists(st.integers(1_000, 200_000), min_size=2, max_size=6),
)
def test_over_any_row_of_bumps_money_adds_up_payees_keep_theirs_and_every_attempt_excludes_all_others(
    amounts: list[int], coins: list[int], payer: FeePayer, rates: list[int]
) -> None:
    items = [item(number, sats) for number, sats in enumerate(amounts, start=1)]
    wallet = [coin(number, sats) for number, sats in enumerate(coins)]
    made = compose(items, wallet, terms(payer, rates[0]))
    if isinstance(made, Refusal):
        return
    scripts = {one.script for one in items}
    paid: list[Output] = [output for output in made.outputs if output.script in scripts]
    attempts: list[Attempt] = [attempt_of(1, made)]
    for rate in rates[1:]:
        replaced = Replaced(attempt=attempts[-1], outputs=made.outputs, payee_scripts=scripts)
        higher = bump(replaced, attempts, wallet, terms(payer, rate), 1000)
        if isinstance(higher, Refusal):
            continue
        made = higher
        total = sum(spent.sats for spent in made.inputs)
        assert total == sum(output.sats for output in made.outputs) + made.fee_sats
        assert len({spent.outpoint for spent in made.inputs}) == len(made.inputs)
        assert [output for output in made.outputs if output.script in scripts] == paid
        assert excludes_all(made.inputs, attempts)
        highest = max(attempt.fee_sats for attempt in attempts)
        assert made.fee_sats >= max(highest + fee_for(made.weight, 1000), fee_for(made.weight, rate))
        attempts.append(attempt_of(len(attempts) + 1, made))
        assert not {c.outpoint for c in free_coins(wallet, attempts)} & attempts[-1].outpoints()
