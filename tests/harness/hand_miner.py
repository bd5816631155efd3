"""A miner that does what a test tells it: one connection, and hashes looked for by hand.

miner = await HandMiner.connect(pool.port, pool.user, pool.algorithm)
job = await miner.next_job()
share = miner.find(job, job.target)
assert await miner.submit(job, share) is None      # None: accepted; else the error's code
await miner.close()
"""

import asyncio
import itertools
import json
from hashlib import sha256
from typing import Any

import msgspec

from pool.miner.client import Job, StratumClient
from pool.miner.grinding import search

ANSWER_SECONDS = 20.0
SLICE_NONCES = 64


class HandShare(msgspec.Struct, frozen=True):
    """A place in a job's space, and what it hashes to; `block_hash` as nodes display it."""

    extranonce2: bytes
    nonce: int
    version_bits: int
    proof: int
    block_hash: str


class HandMiner:
    """Reads in the background: jobs and answers wait until they are asked for."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: StratumClient
    ) -> None:
        self.client = client
        self.jobs: asyncio.Queue[Job] = asyncio.Queue()
        self._answers: dict[int, asyncio.Future[int | None]] = {}
        self._reader = reader
        self._writer = writer
        self._ended_at = 0.0
        self._extranonce2 = itertools.count()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def connect(
        cls, port: int, user: str, algorithm: str, *, password: str = "x", rolls_version: bool = True
    ) -> "HandMiner":
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        client = StratumClient(user, password, algorithm, rolls_version=rolls_version)
        client.begin()
        miner = cls(reader, writer, client)
        writer.write(client.data_to_send())
        return miner

    @property
    def is_connected(self) -> bool:
        return not self._listening.done()

    async def next_job(self, *, previous_hash_hex: str | None = None, seconds: float = ANSWER_SECONDS) -> Job:
        """The next job announced, or the next on top of a given block."""
        async with asyncio.timeout(seconds):
            while True:
                job = await self.jobs.get()
                if previous_hash_hex is None or job.previous_hash[::-1].hex() == previous_hash_hex:
                    return job

    def find(self, job: Job, at_most: int, *, above: int = -1, version_bits: int = 0) -> HandShare:
        """A share whose hash is at most `at_most`, and above `above`."""
        algorithm = self.client.algorithm
        while True:
            extranonce2 = next(self._extranonce2).to_bytes(job.extranonce2_size, "big")
            header = job.header(extranonce2, version_bits)
            for start in range(0, 1 << 16, SLICE_NONCES):
                for found in search(algorithm, header, at_most, start, SLICE_NONCES):
                    proof = int.from_bytes(found.hash, "little")
                    if proof > above:
                        name = _sha256d(header + found.nonce.to_bytes(4, "little"))[::-1].hex()
                        return HandShare(extranonce2, found.nonce, version_bits, proof, name)

    async def submit(self, job: Job, share: HandShare, *, user: str | None = None) -> int | None:
        """None where it was accepted, else the error's code."""
        own, self.client.user = self.client.user, user or self.client.user
        try:
            request_id = self.client.submit(job, share.extranonce2, share.nonce, share.version_bits)
        finally:
            self.client.user = own
        answer = self._answers[request_id] = asyncio.get_running_loop().create_future()
        self._writer.write(self.client.data_to_send())
        return await asyncio.wait_for(answer, ANSWER_SECONDS)

    async def wait_for_end(self) -> float:
        """When the pool closed the connection, in loop seconds."""
        await asyncio.wait_for(asyncio.shield(self._listening), ANSWER_SECONDS)
        return self._ended_at

    async def close(self) -> None:
        self._writer.close()
        await asyncio.wait_for(self._listening, ANSWER_SECONDS)

    async def _listen(self) -> None:
        try:
            async for line in self._reader:
                if self.client.receive_line(line) == "job" and self.client.job is not None:
                    self.jobs.put_nowait(self.client.job)
                self._settle(json.loads(line))
                self._writer.write(self.client.data_to_send())
        except ConnectionError:
            pass
        self._ended_at = asyncio.get_running_loop().time()
        self._writer.close()

    def _settle(self, message: dict[str, Any]) -> None:
        answer = self._answers.pop(message.get("id") or 0, None)
        if answer is not None and "method" not in message:
            answer.set_result(None if message["result"] is True else message["error"][0])


def _sha256d(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()
