"""What the accountant does first after a start."""

from pathlib import Path

import msgspec

from config.schema import NodeSettings
from pool.accounting.accountant import Accountant
from pool.gateway.block_files import BlockFiles, FoundBlock, SavedBlock
from tests.pool.accounting.mined import NETWORK, REWARD_SATS, Writing, candidate, share, us
from tests.pool.accounting.pool_of import settings_of

FOUND = FoundBlock(
    network=NETWORK,
    block_hash="01" * 32,
    height=120,
    reward_sats=REWARD_SATS,
    transactions=1,
    job_id="0a01",
    user="alice.rig",
    account="alice",
    worker="rig",
    found_at=us(1) / 1_000_000,
    crosses_time_edge=False,
    found_at_us=us(1),
    coinbase_hex="01",
    network_target_hex="7f" * 32,
)


async def test_the_spools_are_read_before_the_chain_and_the_files_of_blocks(tmp_path: Path) -> None:
    """No node answers here, and the file is old enough to stand for a frame that is lost."""
    spool = Writing(tmp_path / "spool")
    number = spool.frame(1, share("alice"), candidate("alice", 1, 1))
    spool.frame(2)
    BlockFiles(tmp_path).save(SavedBlock(found=FOUND, block="00" * 81))
    lost = msgspec.structs.replace(FOUND, block_hash="02" * 32, account=None)
    BlockFiles(tmp_path).save(SavedBlock(found=lost, block="00" * 81))
    node = NodeSettings(name="node", url="http://127.0.0.1:1", cookie_file=str(tmp_path / "cookie"))
    accountant = await Accountant.open(msgspec.structs.replace(settings_of(tmp_path), nodes=(node,)))
    try:
        await accountant.follow_chain()
        async with accountant._database.reading() as reader:
            rows = await reader.rows("SELECT hash, frame FROM block ORDER BY hash")
        assert rows == [("01" * 32, number), ("02" * 32, None)]
    finally:
        await accountant.close()
