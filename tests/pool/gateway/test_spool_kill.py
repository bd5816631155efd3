"""kill -9 at random points: every share that was acknowledged is read back, and none twice."""

import random
import signal
import subprocess
import sys
from pathlib import Path

from pool.spool.records import ShareMade
from pool.spool.segments import newest_epoch
from pool.spool.tail import SourceTail

LIVES = 6


def one_life(directory: Path, first_nonce: int, bytes_read: int) -> list[int]:
    """Start it, read so many bytes of acknowledgements, kill it; every nonce that it had acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pool.gateway.spool_child", str(directory), str(first_nonce)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    told = process.stdout.read(bytes_read)
    process.send_signal(signal.SIGKILL)
    told += process.stdout.read()
    assert process.wait() == -signal.SIGKILL, "it ended by itself"
    process.stdout.close()
    return [int(line) for line in told[: told.rfind(b"\n") + 1].split()]


def test_no_share_that_was_acknowledged_is_lost_and_none_is_there_twice(tmp_path: Path) -> None:
    random.seed(20261124)
    acknowledged: list[int] = []
    first_nonce = 0
    for _ in range(LIVES):
        acknowledged += one_life(tmp_path, first_nonce, random.randint(1, 30_000))
        first_nonce += 10_000_000
    directory = tmp_path / "spool" / "gateway-0"
    epoch = newest_epoch(directory)
    assert epoch is not None
    deliveries = SourceTail(directory, epoch, is_over=True).poll(10**9)
    shares = [
        (record, delivery.dictionary)
        for delivery in deliveries
        for record in delivery.frame.records
        if isinstance(record, ShareMade)
    ]
    nonces = [share.nonce for share, _ in shares]
    assert len(set(nonces)) == len(nonces)
    assert set(acknowledged) <= set(nonces)
    assert len(acknowledged) > LIVES
    assert [delivery.frame.number for delivery in deliveries] == list(range(1, len(deliveries) + 1))
    for share, dictionary in shares:
        assert dictionary.name(share.name).worker == f"rig{share.nonce % 50}"
        assert dictionary.job(share.job).job_id == "1"
