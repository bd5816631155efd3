"""How much room a template and a miner's firmware leave for the outputs of a coinbase. No I/O.

A block that is over its weight or its signature operations by one is worth nothing, and the node does not
keep room for a coinbase of ours: it keeps 4,000 weight units and 400 operations for one of its own.
"""

import functools

from payouts.coinbase import Room, output_bytes
from stratum.work.coinbase import CoinbaseCost
from stratum.work.script import legacy_sigops
from stratum.work.template import Template, TemplateTransaction
from stratum.work.transaction import compact_size

HEADER_BYTES = 80
WEIGHT_PER_BYTE = 4
SIGOP_COST = 4  # an operation in an output script, in the budget of BIP 141
NO_LIMIT = 1 << 62
_SHORTEST_OUTPUT_BYTES = 31  # to a p2wpkh script
_OUTPUTS_WITH_SHORT_COUNT = 0xFC - 1  # one is the witness commitment
_LONG_COUNT_BYTES = 2


def block_room(template: Template) -> tuple[int, int]:
    """The weight and the signature operation cost that are left for a coinbase as a whole.

    A HogEx counts like any transaction; litecoin's extension block has a weight of its own, outside of this.
    Where a chain has no weights, its limit of bytes stands for four times as many, and an operation for four.
    """
    transactions = template.transactions
    frame_bytes = HEADER_BYTES + len(compact_size(1 + len(transactions)))
    if template.weight_limit is not None:
        weight_limit, scale = template.weight_limit, 1
        taken = sum(map(_weight, transactions))
    else:
        weight_limit = NO_LIMIT if template.size_limit is None else WEIGHT_PER_BYTE * template.size_limit
        scale = SIGOP_COST
        taken = sum(WEIGHT_PER_BYTE * (len(one.data_hex) // 2) for one in transactions)
    sigop_limit = NO_LIMIT if template.sigop_limit is None else scale * template.sigop_limit
    sigops = scale * sum(one.sigops for one in transactions)
    return weight_limit - WEIGHT_PER_BYTE * frame_bytes - taken, sigop_limit - sigops


def outputs_room(left: tuple[int, int], bare: CoinbaseCost, size_class: int) -> Room:
    """What is left for the outputs: of the block, of a firmware's `size_class` bytes, and of both less what
    the coinbase takes without any output (`bare`, its commitment included)."""
    weight, sigop_cost = left
    size_bytes = size_class - bare.size_bytes
    if size_bytes // _SHORTEST_OUTPUT_BYTES > _OUTPUTS_WITH_SHORT_COUNT:
        size_bytes -= _LONG_COUNT_BYTES
        weight -= WEIGHT_PER_BYTE * _LONG_COUNT_BYTES
    return Room(size_bytes, weight - bare.weight, sigop_cost - bare.sigop_cost)


def less_one_output(cost: CoinbaseCost, script: bytes) -> CoinbaseCost:
    """The cost of a coinbase without an output to this script that it has."""
    size_bytes = output_bytes(script)
    return CoinbaseCost(
        cost.size_bytes - size_bytes,
        cost.weight - WEIGHT_PER_BYTE * size_bytes,
        cost.sigop_cost - output_sigop_cost(script),
    )


@functools.lru_cache(maxsize=65_536)
def output_sigop_cost(script: bytes) -> int:
    """Asked of every payee with every template; scripts change rarely."""
    return SIGOP_COST * legacy_sigops(script)


def _weight(transaction: TemplateTransaction) -> int:
    """As the node says; of a node that does not say, the most that its bytes can weigh."""
    return transaction.weight or WEIGHT_PER_BYTE * (len(transaction.data_hex) // 2)
