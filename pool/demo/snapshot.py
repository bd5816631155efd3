"""What the demo shows at one moment, as values; whoever has them draws them."""

import msgspec


class MinerLine(msgspec.Struct, frozen=True):
    """One miner: its shares, and the hashrate that their work stands for."""

    name: str
    accepted: int
    refused: int
    difficulty: float
    hashes_per_second: float


class BlockLine(msgspec.Struct, frozen=True):
    """One block: where, what, and what the node said."""

    height: int
    block_hash: str
    reward_sats: int
    transactions: int
    verdict: str
    elapsed_seconds: float


class Snapshot(msgspec.Struct, frozen=True):
    """Everything on the screen."""

    elapsed_seconds: float
    height: int
    network_difficulty: float
    connections: int
    miners: tuple[MinerLine, ...]
    blocks: tuple[BlockLine, ...]
