"""A payment's transaction before it is signed: amounts that add up, by hand and over random payments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.batch import BatchRules, Item, Owed, choose
from payouts.composition import Composition, FeePayer, FeeShare, Refusal, Terms, compose
from payouts.transaction import (
    Coin,
    Outpoint,
    Output,
    dust_sats,
    fee_for,
    input_weight,
    transaction_weight,
)

CHANGE = Output("change", b"\x00\x14" + bytes(20), 0)
COIN = 10**8


def script_of(number: int) -> bytes:
    return b"\x00\x14" + number.to_bytes(20, "big")


def coin(number: int, sats: int, script: bytes | None = None) -> Coin:
    txid = number.to_bytes(32, "big").hex()
    return Coin(outpoint=Outpoint(txid, 0), sats=sats, script=script or script_of(0), confirmations=6)


def terms(payer: FeePayer, rate: int = 1000, percent: int = 100) -> Terms:
    return Terms(
        sats_per_kvb=rate,
        dust_sats_per_kvb=3000,
        fee_paid_by=payer,
        max_fee_percent=percent,
        change=CHANGE,
    )


def item(number: int, sats: int, script: int | None = None) -> Item:
    key = script or number
    return Item(f"account {number}", f"address {key}", script_of(key), sats)


# BIP 141 by hand: an input to a witness key hash is 41 bytes (36 outpoint, 1 length, 4 sequence) and
# 1 + 1 + 72 + 1 + 33 = 108 of witness: 4 * 41 + 108 = 272. Its output is 8 + 1 + 22 = 31 bytes, 124 units.
# One input, two outputs: 4 * (4 + 1 + 1 + 4) + 2 + 272 + 248 = 562 units, 141 virtual bytes.
def test_weights_and_fees_are_those_of_the_bytes() -> None:
    weight = transaction_weight([272], [script_of(1), script_of(2)])
    assert weight == 562
    assert fee_for(weight, 1000) == 141
    assert fee_for(weight, 1500) == 212  # 211.5, rounded up
    assert fee_for(weight, 1) == 1
    # 253 outputs need a count of three bytes: 8 units more than their own
    assert (
        transaction_weight([272], [script_of(1)] * 253) - transaction_weight([272], [script_of(1)] * 252)
        == 124 + 8
    )


@pytest.mark.parametrize(
    ("script", "redeem", "weight"),
    [
        (script_of(1), b"", 272),
        (b"\x51\x20" + bytes(32), b"", 4 * 41 + 67),
        (b"\xa9\x14" + bytes(20) + b"\x87", script_of(1), 4 * 64 + 108),
        (b"\x76\xa9\x14" + bytes(20) + b"\x88\xac", b"", 4 * 148 + 1),
        (b"\x21" + bytes(33) + b"\xac", b"", 4 * 114 + 1),
        (b"\xa9\x14" + bytes(20) + b"\x87", b"", None),
        (b"\x00\x20" + bytes(32), b"", None),
    ],
)
def test_inputs_weigh_by_their_script_and_unknown_kinds_are_not_spent(
    script: bytes, redeem: bytes, weight: int | None
) -> None:
    one = Coin(outpoint=Outpoint("00" * 32, 0), sats=1, script=script, redeem_script=redeem, confirmations=6)
    assert input_weight(one) == weight
    if weight is None:
        rich = Coin(outpoint=one.outpoint, sats=COIN, script=script, confirmations=6)
        assert isinstance(compose([item(1, 50_000)], [rich], terms("pool")), Refusal)


def test_dust_is_what_core_says_it_is() -> None:
    # The figures of Core's policy.cpp at 3,000 satoshis per kB: 294 for P2WPKH, 546 for P2PKH
    assert dust_sats(script_of(1), 3000) == 294
    assert dust_sats(b"\x76\xa9\x14" + bytes(20) + b"\x88\xac", 3000) == 546


def test_the_pool_pays_the_fee_out_of_the_change() -> None:
    made = compose([item(1, 60_000)], [coin(1, 100_000)], terms("pool"))
    assert isinstance(made, Composition)
    # 141 virtual bytes at one satoshi each
    assert made.fee_sats == 141
    assert [output.sats for output in made.outputs] == [60_000, 100_000 - 60_000 - 141]
    assert made.fee_shares == (FeeShare("account 1", 0),)


def test_the_payees_pay_the_fee_in_proportion_by_largest_remainder() -> None:
    made = compose([item(1, 60_000), item(2, 20_000)], [coin(1, 100_000)], terms("payees"))
    assert isinstance(made, Composition)
    # three outputs: 562 + 124 = 686 units, 172 virtual bytes; 3/4 and 1/4 of 172 are 129 and 43
    assert made.fee_sats == 172
    assert [share.sats for share in made.fee_shares] == [129, 43]
    assert [output.sats for output in made.outputs] == [59_871, 19_957, 20_000]


def test_change_that_would_be_dust_goes_to_the_fee_and_lightens_the_payees() -> None:
    made = compose([item(1, 60_000)], [coin(1, 60_050)], terms("payees"))
    assert isinstance(made, Composition)
    # one output: 562 - 124 = 438 units, 110 virtual bytes; 50 of the 110 are there already
    assert (made.fee_sats, made.fee_shares[0].sats) == (110, 60)
    assert [output.sats for output in made.outputs] == [59_940]
    exact = compose([item(1, 60_000)], [coin(1, 60_293)], terms("payees"))
    assert isinstance(exact, Composition)
    assert (exact.fee_sats, exact.fee_shares[0].sats, len(exact.outputs)) == (293, 0, 1)
    kept = compose([item(1, 60_000)], [coin(1, 60_294)], terms("payees"))
    assert isinstance(kept, Composition)
    assert [output.sats for output in kept.outputs] == [60_000 - 141, 294]


def test_the_fewest_coins_are_spent_and_equal_ones_by_outpoint() -> None:
    coins = [coin(5, 30_000), coin(3, 50_000), coin(4, 50_000), coin(1, 10_000), coin(2, 90)]
    made = compose([item(1, 70_000)], coins, terms("pool"))
    assert isinstance(made, Composition)
    assert [spent.outpoint for spent in made.inputs] == [coin(3, 0).outpoint, coin(4, 0).outpoint]
    # 90 sats cost 68 virtual bytes to spend: at 2 satoshis a byte they bring nothing
    assert isinstance(compose([item(1, 180_050)], coins, terms("pool", rate=2000)), Refusal)


def test_accounts_that_are_paid_at_one_address_share_an_output_and_each_bears_its_part() -> None:
    items = [item(1, 40_000, 9), item(2, 20_000), item(3, 20_000, 9)]
    made = compose(items, [coin(1, 100_000)], terms("payees"))
    assert isinstance(made, Composition)
    assert [output.address for output in made.outputs] == ["address 9", "address 2", "change"]
    # 172 virtual bytes as above: half, a quarter, a quarter
    assert [share.sats for share in made.fee_shares] == [86, 43, 43]
    assert made.outputs[0].sats == 60_000 - 86 - 43


def test_an_amount_that_its_fee_pushes_below_dust_stays_out_and_the_others_are_paid() -> None:
    made = compose([item(1, 90_000), item(2, 300)], [coin(1, COIN)], terms("payees", rate=20_000))
    assert isinstance(made, Composition)
    assert [one.account for one in made.left_out] == ["account 2"]
    assert [one.account for one in made.items] == ["account 1"]
    # without it: 141 virtual bytes at 20 satoshis
    assert [output.sats for output in made.outputs] == [90_000 - 2820, COIN - 90_000]


def test_a_fee_above_the_limit_is_refused_until_fees_fall_or_more_is_owed() -> None:
    # 141 sats are 2 % of 7,050
    assert isinstance(compose([item(1, 7_050)], [coin(1, COIN)], terms("pool", percent=2)), Composition)
    refused = compose([item(1, 7_049)], [coin(1, COIN)], terms("pool", percent=2))
    assert refused == Refusal("the fee of 141 sats is more than 2 % of 7049 sats", passing=True)


def test_a_transaction_that_nodes_would_not_relay_for_its_size_is_refused() -> None:
    coins = [coin(number, 1000) for number in range(1, 2001)]
    made = compose([item(1, 1_900_000)], coins, terms("payees", rate=1))
    assert isinstance(made, Refusal)
    assert not made.passing


def owed(account: str, sats: int, minimum: int = 1000, script: int | None = 1) -> Owed:
    number = None if script is None else script_of(script)
    return Owed(account=account, address=f"to {script}", script=number, sats=sats, minimum_sats=minimum)


def test_a_batch_holds_who_has_reached_the_minimum_the_largest_first() -> None:
    batch = choose(
        [owed("b", 5000), owed("a", 5000), owed("c", 9000), owed("d", 999), owed("e", 0), owed("f", -4)],
        BatchRules(dust_sats_per_kvb=3000),
    )
    assert [one.account for one in batch.items] == ["c", "a", "b"]
    assert batch.left_out == ()


def test_a_bad_address_dust_and_the_limits_keep_only_their_own_accounts_out() -> None:
    batch = choose(
        [
            owed("too much", 60_000, script=1),
            owed("fits", 30_000, script=2),
            owed("later", 25_000, script=3),
            owed("bad", 20_000, script=None),
            owed("fits too", 20_000, script=4),
            owed("dust", 293, minimum=1, script=5),
        ],
        BatchRules(dust_sats_per_kvb=3000, daily_limit_sats=50_000, spendable_sats=50_000),
    )
    assert [one.account for one in batch.items] == ["fits", "fits too"]
    assert {one.account: one.needs_person for one in batch.left_out} == {
        "too much": True,
        "later": False,
        "bad": True,
        "dust": False,
    }


def test_an_output_too_many_waits_for_the_next_payment_but_a_shared_one_does_not() -> None:
    accounts = [owed("a", 4000, script=1), owed("b", 3000, script=2), owed("c", 2000, script=3)]
    batch = choose([*accounts, owed("d", 1000, script=1)], BatchRules(dust_sats_per_kvb=3000, most_outputs=2))
    assert [one.account for one in batch.items] == ["a", "b", "d"]
    assert [one.account for one in batch.left_out] == ["c"]


items_strategy = st.lists(st.tuples(st.integers(1, 10**12), st.integers(1, 6)), min_size=1, max_size=12).map(
    lambda rows: [item(number, sats, script) for number, (sats, script) in enumerate(rows)]
)
coins_strategy = st.lists(st.integers(1, 10**12), max_size=12).map(
    lambda amounts: [coin(number, sats) for number, sats in enumerate(amounts)]
)


@given(
    items=items_strategy,
    coins=coins_strategy,
    payer=st.sampled_from(["pool", "payees"]),
    rate=st.integers(1, 500_000),
    percent=st.integers(0, 100),
)
def test_inputs_are_outputs_and_fee_and_no_account_pays_or_gets_too_much(
    items: list[Item], coins: list[Coin], payer: FeePayer, rate: int, percent: int
) -> None:
    made = compose(items, coins, terms(payer, rate, percent))
    if isinstance(made, Refusal):
        return
    amounts = {spent.outpoint: spent.sats for spent in made.inputs}
    assert amounts.items() <= {one.outpoint: one.sats for one in coins}.items()
    assert len(amounts) == len(made.inputs)
    assert sum(amounts.values()) == sum(output.sats for output in made.outputs) + made.fee_sats
    assert all(output.sats >= dust_sats(output.script, 3000) for output in made.outputs)
    assert made.fee_sats >= fee_for(made.weight, rate)
    named = [one.account for one in made.items] + [one.account for one in made.left_out]
    assert sorted(named) == sorted(one.account for one in items)
    gross_sats = sum(one.sats for one in made.items)
    kept_back = sum(share.sats for share in made.fee_shares)
    payees = [output for output in made.outputs if output.script != CHANGE.script]
    assert sum(output.sats for output in payees) == gross_sats - kept_back
    assert 0 <= kept_back <= (made.fee_sats if payer == "payees" else 0)
    assert made.fee_sats * 100 <= percent * gross_sats


@given(items=items_strategy, coins=coins_strategy, data=st.data())
def test_the_order_of_the_coins_changes_nothing(
    items: list[Item], coins: list[Coin], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(coins))
    assert compose(items, coins, terms("payees")) == compose(items, shuffled, terms("payees"))
