"""A block from a template by trying nonces, for generatetoaddress: two hashes on average."""

from typing import Any

import msgspec

from stratum.work.block import assemble_block
from stratum.work.coin import network
from stratum.work.coinbase import build_coinbase
from stratum.work.hashing import sha256d
from stratum.work.merkle import fold_branch
from stratum.work.template import parse_template
from stratum.work.transaction import Output

_TAG = b"/devnode/"


def mine_block(answer: dict[str, Any], script: bytes) -> tuple[bytes, bytes]:
    """The raw block that pays `script`, and its hash in internal order."""
    template = parse_template(msgspec.json.encode(answer), network("bitcoin", "regtest"))
    output = Output(value_sats=template.coinbase_value_sats, script=script)
    halves = build_coinbase(template, [output], tag=_TAG, uniqueness=bytes(8), extranonce_bytes=0)
    coinbase = halves.prefix + halves.suffix
    root = fold_branch(sha256d(coinbase), template.merkle_branch)
    start = (
        template.version.to_bytes(4, "little")
        + template.previous_hash
        + root
        + template.current_time.to_bytes(4, "little")
        + template.bits.to_bytes(4, "little")
    )
    nonce = 0
    while True:
        header = start + nonce.to_bytes(4, "little")
        block_hash = sha256d(header)
        if int.from_bytes(block_hash, "little") <= template.network_target:
            return assemble_block(header, coinbase, template), block_hash
        nonce += 1
