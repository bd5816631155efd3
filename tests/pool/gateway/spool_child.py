"""A process that records shares, and acknowledges them on a pipe, until it is killed.

Each line that it writes is the nonce of a share whose frame was written before. Nonces count on from the
argument, so that every share of all its lives is another one.
"""

import asyncio
import os
import sys
from pathlib import Path

from pool.gateway.recording import Recording
from pool.gateway.spool import SpoolLimits
from stratum.events import Event, Share, Worker
from stratum.jobs import Offer
from stratum.work.difficulty import share_difficulty
from tests.builders import make_job

SHARES_A_TICK = 7


async def record_for_ever(directory: Path, nonce: int) -> None:
    limits = SpoolLimits(segment_bytes=20_000)
    recording = Recording(directory, 0, "bitcoin regtest", limits=limits)
    recorder = recording.recorder
    pacemaker = recording.pacemaker(lambda: None if recorder.commit() else sys.exit("refused"))
    beating = asyncio.create_task(pacemaker.run())
    job = make_job()
    offer = Offer(job, share_difficulty(1, job.proof_of_work.difficulty_1), 0, 0.0)
    workers = [Worker("account", b"\x51", f"rig{number}") for number in range(50)]
    while True:
        await asyncio.sleep(0)
        events: list[Event] = []
        for _ in range(SHARES_A_TICK):
            header = bytes(76) + nonce.to_bytes(4, "little")
            worker = workers[nonce % len(workers)]
            events.append(Share(worker, offer, bytes(4), "00" * 8, header, bytes(32), False, 0.0, 0))
            nonce += 1
        recorder.record(events)
        if not recorder.commit():
            sys.exit("refused")
        os.write(1, b"".join(b"%d\n" % (nonce - back) for back in range(SHARES_A_TICK, 0, -1)))
        if beating.done():
            beating.result()


if __name__ == "__main__":
    asyncio.run(record_for_ever(Path(sys.argv[1]), int(sys.argv[2])))
