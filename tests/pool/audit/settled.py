"""A settled block in a few words, for tests: bodies whose window and amounts are right by hand arithmetic."""

from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from payouts.amounts import split
from pool.audit.keys import SigningKey
from pool.audit.recompute import Amounts
from pool.audit.statement import (
    AccountWork,
    Body,
    Edge,
    Fee,
    Rules,
    SegmentHash,
    Statement,
    Window,
    sign_statement,
)

KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER_KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))
TRUSTED = {KEY.key_id: KEY.public_key}
SLOT = 1_700_000_000
BLOCK_HASH = "00" * 8 + "ab" * 24

# The network's target has work 2^256 // (2^236) = 2^20 = 1,048,576; twice that is N = 2,097,152.
TARGET = f"{2**236 - 1:064x}"
NEEDED = 2_097_152

# The window: alice 1,000,000 and bob 1,000,000 in whole slots leave 97,152 to the slot on the edge, which
# holds 100,000: 60,000 of alice and 40,000 of carol. Weights, times W = 100,000:
#   alice 1,000,000 × 100,000 + 60,000 × 97,152 = 105,829,120,000
#   bob   1,000,000 × 100,000                   = 100,000,000,000
#   carol                       40,000 × 97,152 =   3,886,080,000     together 209,715,200,000 = N × W
WEIGHTS = {"alice": 105_829_120_000, "bob": 100_000_000_000, "carol": 3_886_080_000}

# Of 1,000,000 sats 1 % is the operator's; of the 990,000 left each has weight / 209,715,200,000:
#   alice 499,586.24…   bob 472,068.78…   carol 18,344.97…   the floors sum to 989,998,
# so that two satoshis are left over, for carol's and bob's remainders.
CREDITS = {"alice": 499_586, "bob": 472_069, "carol": 18_345}


def settle(body: Body, weights: Mapping[str, int]) -> Amounts:
    """Fees on the full reward, then largest remainders in the order of accounts; normalised."""
    fees = tuple(body.reward_sats * fee.basis_points // 10_000 for fee in body.fees)
    order = sorted(weights)
    left = body.reward_sats - sum(fees)
    shares = split(left, [weights[account] for account in order])
    whole = sum(weights.values())
    rounding = {
        account: 1
        for account, sats in zip(order, shares, strict=True)
        if sats > left * weights[account] // whole
    }
    return Amounts(fees, 0, dict(zip(order, shares, strict=True)), rounding)


def body(**changes: Any) -> Body:
    made = Body(
        found_at_us=(SLOT + 3) * 1_000_000 + 250_000,
        finder="bob",
        network_target=TARGET,
        rules=Rules(scheme="pplns", method="wallet", unfilled="normalise", multiple=2, max_days=30),
        window=Window(
            from_slot=SLOT - 50,
            through_slot=SLOT,
            slot_seconds=10,
            edge=Edge(slot=SLOT - 50, work="100000", inside="97152"),
            needed=str(NEEDED),
        ),
        marks={"gateway-1": 12_345},
        work=(
            AccountWork(account="alice", whole="1000000", edge="60000"),
            AccountWork(account="bob", whole="1000000"),
            AccountWork(account="carol", edge="40000"),
        ),
        reward_sats=1_000_000,
        fees=(Fee(address="operator", basis_points=100, sats=10_000),),
        operator_sats=0,
        credits=CREDITS,
        rounding={"bob": 1, "carol": 1},
        segments=(SegmentHash(source="gateway-1", first_frame=1, last_frame=12_345, sha256="cd" * 32),),
        digests=(),
        leaf_secret=KEY.secret_for(f"statement {BLOCK_HASH}").hex(),
    )
    return msgspec.structs.replace(made, **changes)


def statement(
    made: Body | None = None, previous: Statement | None = None, height: int = 840_000
) -> Statement:
    return sign_statement(
        made or body(),
        network="bitcoin mainnet",
        block_hash=BLOCK_HASH,
        height=height,
        previous=previous,
        signer=KEY,
    )
