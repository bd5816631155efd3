"""The list of blocks: where each stands, what it brought, who found it."""

import msgspec

from pool.storage.database import Reader


class BlockLine(msgspec.Struct, frozen=True, kw_only=True):
    """One block. `finder` None: no authorised name stood behind it. `reason` is that of its last change;
    `is_settled`: its reward is divided."""

    height: int
    hash: str
    state: str
    confirmations: int
    reward_sats: int
    finder: str | None
    worker: str
    found_us: int
    is_settled: bool
    reason: str


async def blocks(reader: Reader, most: int) -> list[BlockLine]:
    """The newest `most`, newest first."""
    rows = await reader.rows(
        "SELECT block.height, block.hash, block.state, block.confirmations, block.reward_sats, account.name, "
        "block.worker, block.found_us, settlement.hash, block_transition.reason FROM block "
        "LEFT JOIN account ON account.id = block.account_id "
        "LEFT JOIN settlement ON settlement.hash = block.hash "
        "LEFT JOIN block_transition ON block_transition.number = block.transition "
        "ORDER BY block.found_us DESC, block.hash LIMIT ?",
        most,
    )
    return [
        BlockLine(
            height=height,
            hash=block_hash,
            state=state,
            confirmations=confirmations,
            reward_sats=reward_sats,
            finder=finder,
            worker=worker,
            found_us=found_us,
            is_settled=settled is not None,
            reason=reason or "",
        )
        for (
            height,
            block_hash,
            state,
            confirmations,
            reward_sats,
            finder,
            worker,
            found_us,
            settled,
            reason,
        ) in rows
    ]
