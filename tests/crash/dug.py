"""A pool that has mined: a spool with three payees' shares, one of them a block that a real node has taken.

Written by a gateway's own recorder, with real hashes; everything behind it is the accountant's. Each has a
wallet of its own on the node, so that many can be settled and paid at once.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from config.loading import load
from pool.gateway.recorder import Recorder
from pool.gateway.recording import Recording
from pool.node.rpc import NodeRpc
from pool.node.templates import fetch_template
from pool.storage.database import ReadableDatabase
from pool.storage.opening import open_for_reading
from stratum.events import Event, Share, Worker
from stratum.extranonce import EXTRANONCE1_BYTES
from stratum.jobs import Offer
from stratum.work.address import parse_address
from stratum.work.coin import PROOFS_OF_WORK, network
from stratum.work.coinbase import build_coinbase
from stratum.work.difficulty import share_difficulty
from stratum.work.job import Job
from stratum.work.share import BlockCandidate, candidate, judge, prepare
from stratum.work.template import Template
from stratum.work.transaction import Output
from tests.harness.litecoind import Litecoind
from tests.harness.mining import block_hex

NETWORK = network("litecoin", "regtest")
SCRYPT = PROOFS_OF_WORK["scrypt"]
SHARES = (5, 3, 2)  # of the three payees; every reward on the way down from 50 coins is a multiple of 10
EASY = share_difficulty(0.00001, SCRYPT.difficulty_1)  # the easiest there is: every hash, worth one
PAYEES = "payees"  # the node's wallet that the payees' addresses are of

SETTINGS = """\
coin: litecoin
network: regtest
data_directory: data
accounting: {{slot_seconds: 1}}
{database}payout:
  scheme: pplns
  method: wallet
  address: {address}
  minimum_sats: 1000
  window: {{multiple: 1000}}
  wallet: {{name: {name}, fallback_fee_sats_per_vbyte: 20, interval_minutes: 1}}
nodes:
  - {{name: node, url: 'http://127.0.0.1:{port}', user: u, password_file: password}}
stratum:
  listeners:
    - {{address: 127.0.0.1, port: 0}}
"""


class Dug(msgspec.Struct, frozen=True, kw_only=True):
    """What is on disk and in the chain, and what must come of it. `due` is satoshis by payee's address."""

    name: str
    directory: Path
    settings_file: Path
    due: Mapping[str, int]
    reward_sats: int
    block_hash: str

    @property
    def shares(self) -> int:
        return sum(SHARES)

    @property
    def data(self) -> Path:
        return self.directory / "data"

    async def open_for_reading(self) -> ReadableDatabase:
        return await open_for_reading(load(self.settings_file).database, self.data)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[ReadableDatabase]:
        database = await self.open_for_reading()
        try:
            yield database
        finally:
            await database.close()


async def wallet_rpc(node: Litecoind, name: str, method: str, *params: object) -> Any:
    """Ask one of the node's wallets."""
    endpoint = node.endpoint()
    rpc = NodeRpc(msgspec.structs.replace(endpoint, url=f"{endpoint.url}/wallet/{name}"))
    try:
        return await rpc.call(method, *params, result=Any, timeout_seconds=60)
    finally:
        await rpc.close()


async def dig(node: Litecoind, directory: Path, name: str, database: str | None = None) -> Dug:
    """The payees' shares, the last of them a block; settings, and a spool whose gateway has stopped."""
    await node.rpc("createwallet", name)
    address = await wallet_rpc(node, name, "getnewaddress", "", "bech32")
    settings_file = _write_settings(directory, address, name, node.rpc_port, database)
    payees = [await wallet_rpc(node, PAYEES, "getnewaddress", "", "bech32") for _ in SHARES]
    rpc = NodeRpc(node.endpoint())
    template = (await fetch_template(rpc, NETWORK, trust_stricter_target=False)).template
    await rpc.close()
    block = await _record(directory / "data", template, address, payees)
    verdict = await node.rpc("submitblock", block_hex(block))
    assert verdict is None, f"the node refuses the block: {verdict}"
    reward_sats = template.coinbase_value_sats
    return Dug(
        name=name,
        directory=directory,
        settings_file=settings_file,
        # PPLNS over a window (1,000 blocks' work of 2) that is not full: by all shares, 5 : 3 : 2
        due={payee: reward_sats * part // sum(SHARES) for payee, part in zip(payees, SHARES, strict=True)},
        reward_sats=reward_sats,
        block_hash=block.block_hash[::-1].hex(),
    )


def _write_settings(directory: Path, address: str, name: str, port: int, database: str | None) -> Path:
    directory.mkdir(parents=True)
    (directory / "password").write_text("p")
    file = directory / "engineroom.yaml"
    place = "" if database is None else f"database: {database}\n"
    file.write_text(SETTINGS.format(address=address, name=name, port=port, database=place))
    return file


async def _record(data: Path, template: Template, address: str, payees: list[str]) -> BlockCandidate:
    """A gateway's life: a frame for each payee, the block with the last one's, and a clean stop."""
    recording = Recording(data, 0, "litecoin regtest")
    recorder = recording.recorder
    pacemaker = recording.pacemaker(lambda: _committed(recorder))
    job = _job(template, address)
    recorder.job_made(job)
    hunt = _Hunt(job)
    found: BlockCandidate | None = None
    for number, (payee, shares_due) in enumerate(zip(payees, SHARES, strict=True)):
        worker = Worker(payee, parse_address(payee, NETWORK).script, "rig")
        is_last = number == len(payees) - 1
        shares = [hunt.share(worker, is_block=is_last and one == shares_due - 1) for one in range(shares_due)]
        recorder.record(list[Event](shares))
        if is_last:
            found = hunt.candidate(shares[-1])
            recorder.candidate_made(found, job, worker)
        _committed(recorder)
    await pacemaker.close()
    recording.release()
    assert found is not None
    return found


def _committed(recorder: Recorder) -> None:
    assert recorder.commit(), "the frame is written"


def _job(template: Template, address: str) -> Job:
    output = Output(template.coinbase_value_sats, parse_address(address, NETWORK).script)
    coinbase = build_coinbase(
        template,
        [output],
        tag=b"/test/",
        uniqueness=os.urandom(8),
        extranonce_bytes=EXTRANONCE1_BYTES + SCRYPT.extranonce2_size,
    )
    return Job(
        template,
        coinbase,
        job_id="1",
        tip=1,
        ntime=template.current_time,
        received_at=0.0,
        rolling_mask=0,
        proof_of_work=SCRYPT,
        chain=NETWORK.chain,
    )


class _Hunt:
    """Looks for hashes of one job, judged as a session judges them."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._offer = Offer(job, EASY, 0, 0.0)
        self._extranonce1 = os.urandom(EXTRANONCE1_BYTES)
        self._extranonce2 = "00" * SCRYPT.extranonce2_size
        self._nonces = count()

    def share(self, worker: Worker, *, is_block: bool) -> Share:
        """One that is a block, or one that is none: on regtest every second hash is."""
        job = self._job
        while True:
            nonce = f"{next(self._nonces):08x}"
            size = SCRYPT.extranonce2_size
            ntime = f"{job.ntime:08x}"
            header = prepare(job, 0, self._extranonce1, size, self._extranonce2, ntime, nonce, None)
            assert isinstance(header, bytes)
            pow_hash = SCRYPT.hash(header)
            if (int.from_bytes(pow_hash, "little") <= job.easiest_block_target) is not is_block:
                continue
            if judge(job, EASY.target, header, pow_hash, True, False, 0.0) == (is_block, None):
                return Share(
                    *(
                        worker,
                        self._offer,
                        self._extranonce1,
                        self._extranonce2,
                        header,
                        pow_hash,
                        False,
                        0.0,
                        0,
                    )
                )

    def candidate(self, share: Share) -> BlockCandidate:
        worker = share.worker
        return candidate(
            *(self._job, share.header, share.pow_hash, self._extranonce1, self._extranonce2),
            *(f"{worker.account}.{worker.name}", worker.account, worker.name, worker.script),
        )
