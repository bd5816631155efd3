"""Finding a block by hand: a template and a script → a candidate that a regtest node will take.

No session and no job: for tests of what comes after a block is found, and of what comes before it is looked
for.
"""

from hashlib import sha256

from stratum.work.block import assemble_block
from stratum.work.coin import Network
from stratum.work.coinbase import build_coinbase
from stratum.work.merkle import fold_branch
from stratum.work.share import BlockCandidate
from stratum.work.template import Template
from stratum.work.transaction import Output

EXTRANONCE_BYTES = 8
ANYONE_CAN_SPEND = b"\x51"  # OP_TRUE


def find_block(
    template: Template, network: Network, *, extranonce: int = 0, script: bytes = ANYONE_CAN_SPEND
) -> BlockCandidate:
    """Two hashes on average at regtest's target. Different extranonces give siblings."""
    halves = build_coinbase(
        template,
        [Output(template.coinbase_value_sats, script)],
        tag=b"/test/",
        uniqueness=bytes(8),
        extranonce_bytes=EXTRANONCE_BYTES,
    )
    coinbase = halves.prefix + extranonce.to_bytes(EXTRANONCE_BYTES, "little") + halves.suffix
    root = fold_branch(_sha256d(coinbase), template.merkle_branch)
    header = _mined_header(template, network, root)
    return BlockCandidate(
        header=header,
        block_hash=_sha256d(header),
        coinbase=coinbase,
        template=template,
        chains=(network.chain,),
        job_id="1",
        user="tests.rig",
        account=None,
        worker="rig",
        crosses_time_edge=False,
    )


def block_hex(candidate: BlockCandidate) -> str:
    return assemble_block(candidate.header, candidate.coinbase, candidate.template).hex()


def hash_hex(candidate: BlockCandidate) -> str:
    """As nodes display it."""
    return candidate.block_hash[::-1].hex()


def _mined_header(template: Template, network: Network, root: bytes) -> bytes:
    start = template.version.to_bytes(4, "little") + template.previous_hash + root
    start += template.current_time.to_bytes(4, "little") + template.bits.to_bytes(4, "little")
    for nonce in range(1 << 32):
        header = start + nonce.to_bytes(4, "little")
        if int.from_bytes(network.proof_of_work.hash(header), "little") <= template.network_target:
            return header
    raise AssertionError("no nonce meets the target: is this regtest?")


def _sha256d(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()
