"""What `engineroom run` leaves in its spool: every share of a run, each with the hash it was credited for."""

import signal
from pathlib import Path

import pytest

from pool.spool.dictionary import Dictionary
from pool.spool.records import (
    CandidateMade,
    Closing,
    Joined,
    Left,
    ShareMade,
    is_true_candidate,
    share_header,
)
from pool.spool.segments import newest_epoch, segments_of
from pool.spool.tail import Delivery, SourceTail
from stratum.work.coin import network
from tests.end_to_end.nodes import ALL, make_node
from tests.end_to_end.test_mining import mined_by_our_miner
from tests.harness.hand_miner import HandMiner
from tests.harness.pool_process import RunningPool


def delivered(pool: RunningPool, *, is_over: bool = False) -> list[Delivery]:
    directory = pool.data_directory / "spool" / "gateway-0"
    epoch = newest_epoch(directory)
    assert epoch is not None
    return SourceTail(directory, epoch, is_over=is_over).poll(100_000)


def of_kind(deliveries: list[Delivery], kind: type) -> list[tuple[object, Dictionary]]:
    return [
        (record, delivery.dictionary)
        for delivery in deliveries
        for record in delivery.frame.records
        if isinstance(record, kind)
    ]


@pytest.mark.parametrize("kind", ALL)
async def test_every_accepted_share_is_in_the_spool_with_a_hash_that_meets_its_target(
    kind: str, tmp_path: Path
) -> None:
    async with make_node(kind, tmp_path) as node:
        await node.mine(1)
        async with RunningPool(tmp_path, [node]) as pool:
            await mined_by_our_miner(pool, shares=5)
            assert await pool.stop() == 0
            line = await pool.says("shares accepted")
        deliveries = delivered(pool)
        proof_of_work = network(node.coin, "regtest").proof_of_work
        shares = of_kind(deliveries, ShareMade)
        assert f"stopped: {len(shares)} shares accepted" in line
        assert len(shares) >= 5
        hashes = set()
        for share, dictionary in shares:
            assert isinstance(share, ShareMade)
            job = dictionary.job(share.job)
            header = share_header(share, job, dictionary.template(job.template))
            pow_hash = int.from_bytes(proof_of_work.hash(header), "little")
            assert pow_hash <= int.from_bytes(dictionary.difficulty(share.difficulty).target, "big")
            assert dictionary.name(share.name).account == pool.address
            hashes.add(pow_hash)
        assert len(hashes) == len(shares)
        assert await is_of_the_chain(node, of_kind(deliveries, CandidateMade))
        assert len(of_kind(deliveries, Joined)) == len(of_kind(deliveries, Left)) == 1
        assert isinstance(deliveries[-1].frame.records[-1], Closing)


async def is_of_the_chain(node: object, candidates: list[tuple[object, Dictionary]]) -> bool:
    """Whether every candidate is what its records say, and one of them is the node's block at height 2."""
    for candidate, dictionary in candidates:
        assert isinstance(candidate, CandidateMade)
        job = dictionary.job(candidate.job)
        assert is_true_candidate(candidate, job, dictionary.template(job.template))
    tip = await node.rpc("getblockhash", 2)  # type: ignore[attr-defined]
    return tip in {c.block_hash[::-1].hex() for c, _ in candidates}  # type: ignore[attr-defined]


async def test_a_killed_pool_goes_on_where_it_was_and_no_accepted_share_is_missing(tmp_path: Path) -> None:
    grace = "  late_share_grace_milliseconds: 10000\n"  # each share is a block, and the next is of an old tip
    async with make_node("devnode", tmp_path) as node:
        await node.mine(1)
        accepted: list[str] = []
        for life in range(3):
            async with RunningPool(tmp_path, [node], stratum_extra=grace) as pool:
                miner = await HandMiner.connect(pool.port, pool.user, pool.algorithm)
                job = await miner.next_job()
                for _ in range(3):
                    share = miner.find(job, job.target)
                    assert await miner.submit(job, share) is None
                    accepted.append(share.block_hash)
                await miner.close()
                assert await pool.stop(signal.SIGKILL if life < 2 else signal.SIGTERM) in (0, -9)
        deliveries = delivered(pool)
        [segments] = segments_of(pool.data_directory / "spool" / "gateway-0").values()
        assert len(segments) == 3, "a segment for each life, of one epoch"
        hashes = []
        for share, dictionary in of_kind(deliveries, ShareMade):
            assert isinstance(share, ShareMade)
            job_made = dictionary.job(share.job)
            header = share_header(share, job_made, dictionary.template(job_made.template))
            hashes.append(network("bitcoin", "regtest").proof_of_work.hash(header)[::-1].hex())
        assert hashes == accepted
