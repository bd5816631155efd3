"""The room for outputs: what a template's transactions leave, and what a bare coinbase takes of it."""

from payouts.coinbase import Room
from pool.gateway.coinbase_room import NO_LIMIT, block_room, less_one_output, output_sigop_cost, outputs_room
from stratum.work.coinbase import CoinbaseCost
from stratum.work.template import TemplateTransaction
from tests.builders import make_template

P2WPKH = b"\x00\x14" + bytes(20)
P2PKH = bytes.fromhex("76a914") + bytes(20) + bytes.fromhex("88ac")


def transaction(weight: int, sigops: int, size_bytes: int = 10) -> TemplateTransaction:
    return TemplateTransaction("00" * size_bytes, bytes(32), 0, sigops, weight)


def test_an_empty_template_leaves_all_but_the_header_and_the_count() -> None:
    # 4,000,000 − 4 · (80 + 1)
    assert block_room(make_template()) == (3_999_676, 80_000)


def test_transactions_take_their_weight_and_their_operations() -> None:
    template = make_template(transactions=(transaction(1_000, 8), transaction(561, 4)))
    assert block_room(template) == (3_999_676 - 1_561, 79_988)


def test_the_count_of_transactions_grows_at_252() -> None:
    # with the coinbase there are 253, a count of three bytes
    template = make_template(transactions=(transaction(400, 0),) * 252)
    assert block_room(template) == (4_000_000 - 4 * 83 - 252 * 400, 80_000)


def test_a_transaction_whose_weight_the_node_does_not_tell_weighs_four_times_its_bytes() -> None:
    assert block_room(make_template(transactions=(transaction(0, 0, size_bytes=100),)))[0] == 3_999_676 - 400


def test_a_chain_without_weights_is_bounded_by_bytes_and_plain_operations() -> None:
    template = make_template(
        weight_limit=None,
        size_limit=1_000_000,
        sigop_limit=20_000,
        transactions=(transaction(0, 2, size_bytes=250),),
    )
    # 4 · (1,000,000 − 81 − 250) and 4 · (20,000 − 2)
    assert block_room(template) == (3_998_676, 79_992)


def test_what_has_no_limit_has_room_for_everything() -> None:
    weight, sigops = block_room(make_template(weight_limit=None, size_limit=None, sigop_limit=None))
    assert weight > NO_LIMIT - 1000
    assert sigops == NO_LIMIT


def test_the_outputs_have_what_the_bare_coinbase_leaves() -> None:
    bare = CoinbaseCost(size_bytes=180, weight=756, sigop_cost=0)
    assert outputs_room((10_000, 400), bare, 700) == Room(520, 9_244, 400)
    assert outputs_room((500, 400), bare, 100) == Room(-80, -256, 400)


def test_beyond_251_outputs_their_count_takes_two_bytes_more() -> None:
    bare = CoinbaseCost(size_bytes=180, weight=756, sigop_cost=0)
    # 251 outputs of 31 bytes are 7,781; with 252 and the commitment the count is 253
    assert outputs_room((NO_LIMIT, 0), bare, 180 + 7_811).size_bytes == 7_811
    assert outputs_room((NO_LIMIT, 0), bare, 180 + 7_812).size_bytes == 7_810


def test_an_output_is_taken_out_of_a_cost_again() -> None:
    cost = CoinbaseCost(size_bytes=214, weight=892, sigop_cost=4)
    assert less_one_output(cost, P2PKH) == CoinbaseCost(size_bytes=180, weight=756, sigop_cost=0)
    assert (output_sigop_cost(P2PKH), output_sigop_cost(P2WPKH)) == (4, 0)
