"""From a node's template to a block that it accepts: `engineroom run`, a miner over TCP, the node."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pool.node.rpc import NodeRpc
from pool.node.templates import fetch_template
from stratum.work.coin import network
from tests.end_to_end.nodes import ALL, CORE, REAL, make_node, put_transactions_into_the_mempool
from tests.harness.hand_miner import HandMiner
from tests.harness.litecoind import Litecoind
from tests.harness.mining import block_hex, find_block, hash_hex
from tests.harness.pool_process import Node, RunningPool

PAYOUT_SCRIPT_HEX = "0014751e76e8199196d454941c45d1b3a323f1433bd6"  # the generator point's P2WPKH (BIP 173)
ROLLING_MASK = 0x1FFFE000
REGTEST_TARGET = 0x7FFFFF << 232  # bits 207fffff: every second hash is a block


async def mined_by_our_miner(pool: RunningPool, shares: int = 1) -> str:
    """What `engineroom mine` prints until so many shares were accepted."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pool.entry", "mine", "--url", f"stratum+tcp://127.0.0.1:{pool.port}"),
        *("--user", pool.user, "--algorithm", pool.algorithm, "--shares", str(shares)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    return output.decode()


@asynccontextmanager
async def mining(
    kind: str, directory: Path, *, blocks: int = 1, **pool_options: Any
) -> AsyncIterator[tuple[Node, RunningPool, HandMiner]]:
    """A node with some blocks, the pool on it, and one miner that is connected."""
    async with make_node(kind, directory) as node:
        await node.mine(blocks)
        async with RunningPool(directory, [node], **pool_options) as pool:
            miner = await HandMiner.connect(pool.port, pool.user, pool.algorithm)
            yield node, pool, miner
            await miner.close()


async def accepted_block(pool: RunningPool, node: Node, height: int) -> dict[str, Any]:
    """The node's block at this height, once the pool has said that it was accepted."""
    await pool.says(f"at height {height} of ")
    return await node.rpc("getblock", await node.rpc("getblockhash", height), 1)


@pytest.mark.parametrize("kind", ALL)
async def test_our_miner_finds_a_block_with_the_mempools_transactions(kind: str, tmp_path: Path) -> None:
    async with make_node(kind, tmp_path) as node:
        await node.mine(103)
        txids = await put_transactions_into_the_mempool(node)
        async with RunningPool(tmp_path, [node]) as pool:
            await mined_by_our_miner(pool)
            block = await accepted_block(pool, node, 104)
            assert PAYOUT_SCRIPT_HEX in await node.rpc("getblock", block["hash"], 0)
        assert set(block["tx"][1:]) == txids
        if node.coin == "bitcoin":
            header = await node.rpc("getblockheader", block["hash"])
            assert header["version"] & ROLLING_MASK, "the miner rolled no version bit"


async def test_with_mweb_active_the_block_carries_hogex_and_extension_block(tmp_path: Path) -> None:
    node = make_node("litecoind-mweb", tmp_path)
    assert isinstance(node, Litecoind)
    async with node:
        await node.activate_mweb()
        await node.send("2", "mweb")
        ordinary = await node.send("1")
        height = await node.rpc("getblockcount")
        async with RunningPool(tmp_path, [node]) as pool:
            await mined_by_our_miner(pool)
            block = await accepted_block(pool, node, height + 1)
            assert ordinary in block["tx"]
            assert block["mweb"]["num_kernels"] > 0, "the extension block came with it"


@pytest.mark.parametrize("kind", ALL)
async def test_a_restarted_node_costs_no_connection_and_the_next_block_is_mined(
    kind: str, tmp_path: Path
) -> None:
    async with mining(kind, tmp_path, blocks=101) as (node, pool, miner):
        await miner.next_job()
        await node.stop()
        await pool.says("no node is left")
        await node.start()
        await pool.says("again")
        job = await miner.next_job(previous_hash_hex=await node.rpc("getbestblockhash"))
        assert await miner.submit(job, miner.find(job, min(job.target, REGTEST_TARGET))) is None
        await accepted_block(pool, node, 102)
        assert await node.rpc("getblockcount") == 102
        assert miner.is_connected


async def same_chain(first: Node, second: Node, blocks: int) -> None:
    for block_hash in await first.mine(blocks):
        assert await second.rpc("submitblock", await first.rpc("getblock", block_hash, 0)) is None


@pytest.mark.parametrize("kind", REAL)
async def test_when_the_node_that_supplies_work_dies_the_other_one_does(kind: str, tmp_path: Path) -> None:
    async with make_node(kind, tmp_path, "one") as one, make_node(kind, tmp_path, "two") as two:
        await same_chain(one, two, 5)
        async with RunningPool(tmp_path, [one, two]) as pool:
            miner = await HandMiner.connect(pool.port, pool.user, pool.algorithm)
            job = await miner.next_job()
            share = miner.find(job, min(job.target, REGTEST_TARGET))
            assert await miner.submit(job, share) is None
            await pool.says("at height 6 of ")
            assert await one.rpc("getbestblockhash") == share.block_hash, "submitted to both"
            assert await two.rpc("getbestblockhash") == share.block_hash
            line = await pool.says("new work at height 7 from ")
            dying, left = (one, two) if "from one:" in line else (two, one)
            await dying.kill()
            await pool.says(f"work comes from node {left.name} now")
            job = await miner.next_job(previous_hash_hex=share.block_hash)
            share = miner.find(job, min(job.target, REGTEST_TARGET))
            assert await miner.submit(job, share) is None
            await pool.says("at height 7 of ")
            assert await left.rpc("getbestblockhash") == share.block_hash
            await dying.start()
            await pool.says(f"node {dying.name} is healthy", times=2)
            await miner.close()


@pytest.mark.parametrize("kind", REAL)
async def test_a_reorganisation_to_a_sibling_of_the_same_height_gives_new_work(
    kind: str, tmp_path: Path
) -> None:
    async with make_node(kind, tmp_path) as node:
        await node.mine(5)
        regtest = network(node.coin, "regtest")
        rpc = NodeRpc(node.endpoint())
        fetched = await fetch_template(rpc, regtest, trust_stricter_target=False)
        await rpc.close()
        sibling = find_block(fetched.template, regtest, extranonce=1)
        [ours] = await node.mine(1)
        assert await node.rpc("submitblock", block_hex(sibling)) == "inconclusive"
        async with RunningPool(tmp_path, [node]) as pool:
            miner = await HandMiner.connect(pool.port, pool.user, pool.algorithm)
            await miner.next_job(previous_hash_hex=ours)
            await node.rpc("preciousblock", hash_hex(sibling))
            job = await miner.next_job(previous_hash_hex=hash_hex(sibling))
            assert job.is_clean
            assert await miner.submit(job, miner.find(job, min(job.target, REGTEST_TARGET))) is None
            await accepted_block(pool, node, 7)
            await miner.close()


@pytest.mark.parametrize("kind", ALL)
async def test_a_block_below_the_share_difficulty_is_refused_as_a_share_and_accepted_as_a_block(
    kind: str, tmp_path: Path
) -> None:
    difficulty = "{start: 1000, minimum: 1000}"
    async with mining(kind, tmp_path, difficulty=difficulty) as (node, pool, miner):
        job = await miner.next_job()
        share = miner.find(job, REGTEST_TARGET, above=job.target)
        assert await miner.submit(job, share) == 23
        assert (await accepted_block(pool, node, 2))["hash"] == share.block_hash


@pytest.mark.parametrize("kind", ALL)
async def test_a_block_in_an_unauthorised_name_is_refused_as_a_share_and_accepted_as_a_block(
    kind: str, tmp_path: Path
) -> None:
    async with mining(kind, tmp_path) as (node, pool, miner):
        job = await miner.next_job()
        share = miner.find(job, min(job.target, REGTEST_TARGET))
        assert await miner.submit(job, share, user=f"{pool.address}.stranger") == 24
        assert (await accepted_block(pool, node, 2))["hash"] == share.block_hash


@pytest.mark.parametrize("kind", ALL)
async def test_a_block_on_a_stale_job_is_refused_as_a_share_and_still_reaches_the_node(
    kind: str, tmp_path: Path
) -> None:
    grace = "  late_share_grace_milliseconds: 0\n"
    async with mining(kind, tmp_path, stratum_extra=grace) as (node, pool, miner):
        stale = await miner.next_job()
        [tip] = await node.mine(1)
        await miner.next_job(previous_hash_hex=tip)
        share = miner.find(stale, min(stale.target, REGTEST_TARGET))
        assert await miner.submit(stale, share) == 21
        await pool.says(share.block_hash)
        assert (await node.rpc("getblockheader", share.block_hash))["height"] == 2
        if kind == "devnode":  # the first block seen stays the tip
            assert await node.rpc("getbestblockhash") == tip
        else:  # preciousblock: as much work as the stranger's, so ours is worth building on
            await miner.next_job(previous_hash_hex=share.block_hash)


@pytest.mark.parametrize("kind", ["devnode", *CORE])
async def test_in_solo_mode_the_finder_is_paid_at_the_address_of_its_user_name(
    kind: str, tmp_path: Path
) -> None:
    async with mining(kind, tmp_path, payout="{scheme: solo}") as (node, pool, miner):
        job = await miner.next_job()
        assert await miner.submit(job, miner.find(job, min(job.target, REGTEST_TARGET))) is None
        block = await accepted_block(pool, node, 2)
        assert PAYOUT_SCRIPT_HEX in await node.rpc("getblock", block["hash"], 0)
