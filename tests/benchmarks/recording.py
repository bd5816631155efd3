"""How long the recording of shares holds up the gateway's loop: recorder, spool and pacemaker, with a probe.

No sockets and no hashing, so that what is measured is the recording alone: a driver records ticks of shares
at a fixed rate, and a probe asks the loop for its turn every millisecond and notes how late that comes.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pool.gateway.recording import Recording
from stratum.events import Event, Share, Worker
from stratum.jobs import Offer
from stratum.work.difficulty import share_difficulty
from tests.builders import make_job

TICK_SECONDS = 0.002
PROBE_SECONDS = 0.001
WORKERS = 2_500


def made_shares() -> Iterator[Share]:
    """Of many workers at a few difficulties, no two alike."""
    job = make_job()
    offers = [
        Offer(job, share_difficulty(value, job.proof_of_work.difficulty_1), 0, 0.0) for value in range(1, 9)
    ]
    workers = [Worker(f"bc1q{number:038d}", bytes(22), f"rig{number}") for number in range(WORKERS)]
    nonce = 0
    while True:
        nonce += 1
        header = bytes(76) + nonce.to_bytes(4, "little")
        offer, worker = offers[nonce % len(offers)], workers[nonce % WORKERS]
        yield Share(worker, offer, bytes(4), f"{nonce:016x}", header, bytes(32), False, 0.0, 0)


async def drive(recording: Recording, shares_per_second: int, until: float) -> tuple[int, float]:
    """How many shares were recorded, and the CPU seconds of recording them (their making is not counted)."""
    made = made_shares()
    recorder = recording.recorder
    recorded, spent = 0, 0.0
    began = time.perf_counter()
    while time.perf_counter() < until:
        due = int((time.perf_counter() - began) * shares_per_second) - recorded
        events: list[Event] = [next(made) for _ in range(due)]
        before = time.thread_time()
        recorder.record(events)
        if not recorder.commit():
            raise RuntimeError("the disk refuses")
        spent += time.thread_time() - before
        recorded += due
        await asyncio.sleep(TICK_SECONDS)
    return recorded, spent


async def probe(until: float) -> list[float]:
    """How late the loop's turns came, in seconds, sorted."""
    late: list[float] = []
    while time.perf_counter() < until:
        asked = time.perf_counter()
        await asyncio.sleep(PROBE_SECONDS)
        late.append(max(0.0, time.perf_counter() - asked - PROBE_SECONDS))
    return sorted(late)


async def measure_recording(seconds: float, shares_per_second: int) -> str:
    """One line: lateness of the loop without and with the recording, and CPU a share."""
    idle = await probe(time.perf_counter() + seconds / 2)
    with tempfile.TemporaryDirectory(prefix="engineroom-bench-", dir=Path.cwd()) as directory:
        recording = Recording(Path(directory), 0, "bitcoin regtest")
        pacemaker = recording.pacemaker(lambda: None)
        until = time.perf_counter() + seconds
        beating = asyncio.create_task(pacemaker.run())
        (recorded, spent), late = await asyncio.gather(
            drive(recording, shares_per_second, until), probe(until)
        )
        durable = recording.spool.next_number - 1 - recording.spool.durable_through
        await pacemaker.close()
        await beating
        recording.release()
    return (
        f"recording {recorded / seconds:,.0f} shares/s: loop late p50 {at(late, 0.5):.2f} ms, "
        f"p99 {at(late, 0.99):.2f} ms, at most {late[-1] * 1e3:.1f} ms "
        f"(without: p99 {at(idle, 0.99):.2f} ms), {spent / recorded * 1e6:.2f} µs CPU a share, "
        f"{durable} frames not yet synced at the end"
    )


def at(late: list[float], part: float) -> float:
    """Milliseconds at a quantile."""
    return late[int(part * (len(late) - 1))] * 1e3
