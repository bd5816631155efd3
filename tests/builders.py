"""Templates, jobs and sessions for tests from a few words: production classes, one fake owner."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from stratum.errors import RejectReason
from stratum.events import Identity, SessionExport
from stratum.jobs import JobBook
from stratum.pacing import PaceRules
from stratum.session import Session, SessionRules
from stratum.work.address import Address, AddressError, WrongNetwork, parse_address
from stratum.work.coin import PROOFS_OF_WORK, ProofOfWork, network
from stratum.work.coinbase import Coinbase, build_coinbase
from stratum.work.job import Job
from stratum.work.share import BlockCandidate
from stratum.work.template import Template
from stratum.work.transaction import Output

SHA256D = PROOFS_OF_WORK["sha256d"]
REGTEST = network("bitcoin", "regtest")

# BIP 173's example key (the generator point) on regtest, and two more programs nobody holds the keys of.
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
OTHER_ADDRESS = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry"
USER = f"{ADDRESS}.rig"

PREVIOUS_HASH = bytes.fromhex("f0ad0bffeeddccbbaa99887766554433221100eeffc001000000000000000000")
CURTIME = 1_713_569_952
EASY_BITS = 0x207FFFFF  # regtest: every second hash is a block
HARD_BITS = 0x1705AE3A  # mainnet 2023: none ever is


def make_template(**changes: Any) -> Template:
    """A template without transactions, 50 coins at height 840,000, on which no test finds a block by
    accident."""
    template = Template(
        height=840_000,
        previous_hash=PREVIOUS_HASH,
        version=0x20000000,
        bits=HARD_BITS,
        network_target=0x05AE3A << (8 * (0x17 - 3)),
        current_time=CURTIME,
        minimum_time=CURTIME - 3600,
        coinbase_value_sats=5_000_000_000,
        transactions=(),
        merkle_branch=(),
        rules=("csv", "!segwit", "taproot"),
        required_version_bits=0,
        mweb_hex=None,
        witness_commitment=None,
        longpoll_id=None,
        weight_limit=4_000_000,
        sigop_limit=80_000,
        size_limit=4_000_000,
        coinbase_flags=b"",
    )
    return msgspec.structs.replace(template, **changes)


def make_coinbase(template: Template, salt: int = 0, extranonce_bytes: int = 12) -> Coinbase:
    """Pays the template's value to ADDRESS."""
    output = Output(value_sats=template.coinbase_value_sats, script=parse_address(ADDRESS, REGTEST).script)
    return build_coinbase(
        template,
        [output],
        tag=b"/test/",
        uniqueness=bytes(4) + salt.to_bytes(4, "big"),
        extranonce_bytes=extranonce_bytes,
    )


def make_job(
    template: Template | None = None,
    job_id: str = "1",
    *,
    tip: int = 1,
    received_at: float = 0.0,
    coinbase: Coinbase | None = None,
    rolling_mask: int = 0x1FFFE000,
    proof_of_work: ProofOfWork = SHA256D,
    **more: Any,
) -> Job:
    """A job of a template that came at second 0 of the test's clock."""
    template = template or make_template()
    if coinbase is None:
        salt = int.from_bytes(job_id.encode(), "big") & 0xFFFFFFFF
        coinbase = make_coinbase(template, salt, 4 + proof_of_work.extranonce2_size)
    return Job(
        template,
        coinbase,
        job_id=job_id,
        tip=tip,
        ntime=template.current_time,
        received_at=received_at,
        rolling_mask=rolling_mask if proof_of_work.version_rolling else 0,
        proof_of_work=proof_of_work,
        chain="bitcoin",
        **more,
    )


class FakeOwner:
    """A gateway that remembers what it was told; extranonce1 values count up from f0010203."""

    def __init__(self) -> None:
        self.book = JobBook()
        self.candidates: list[BlockCandidate] = []
        self.parked: dict[str, tuple[SessionExport, str]] = {}
        self.recalled: dict[tuple[str, str, str], float] = {}
        self.identities: Iterable[bytes] = iter((0xF0010203 + n).to_bytes(4, "big") for n in range(1 << 20))

    def new_identity(self) -> Identity | None:
        extranonce1 = next(iter(self.identities), None)
        return None if extranonce1 is None else Identity(extranonce1.hex().rjust(16, "0"), extranonce1)

    def resume(self, session_id: str, peer: str, now: float) -> SessionExport | None:
        entry = self.parked.get(session_id)
        return self.parked.pop(session_id)[0] if entry is not None and entry[1] == peer else None

    def recall_difficulty(self, key: tuple[str, str, str], now: float) -> float | None:
        return self.recalled.get(key)

    def block_found(self, candidate: BlockCandidate) -> None:
        self.candidates.append(candidate)


def regtest_addresses(text: str) -> Address | RejectReason:
    """The address book of bitcoin regtest."""
    try:
        return parse_address(text, REGTEST)
    except WrongNetwork:
        return RejectReason.WRONG_NETWORK
    except AddressError:
        return RejectReason.BAD_USER


def make_rules(
    *, difficulty: float = 1.0, proof_of_work: ProofOfWork = SHA256D, **changes: Any
) -> SessionRules:
    """Rules of a listener with one difficulty; `pace` and everything else can be replaced."""
    rules = SessionRules(
        proof_of_work=proof_of_work,
        pace=PaceRules(
            start=difficulty,
            minimum=min(difficulty, 1e-9),
            maximum=1e12,
            share_interval_seconds=10.0,
            difficulty_1=proof_of_work.difficulty_1,
        ),
        parse_address=regtest_addresses,
        version_rolling_mask=0x1FFFE000,
    )
    return msgspec.structs.replace(rules, **changes)


class Peer:
    """The other end of a session: sends requests, reads replies; its clock moves only by hand."""

    def __init__(self, owner: FakeOwner | None = None, **rules: Any) -> None:
        self.owner = owner or FakeOwner()
        self.now = 0.0
        self.session = Session(make_rules(**rules), self.owner, "192.0.2.1", self.now)

    def send_bytes(self, data: bytes) -> list[dict[str, Any]]:
        """Raw bytes in, decoded answers out."""
        self.session.receive_data(data, self.now)
        return self.received()

    def send(self, *requests: dict[str, Any]) -> list[dict[str, Any]]:
        """Requests in one segment, a line each."""
        return self.send_bytes(b"".join(json.dumps(request).encode() + b"\n" for request in requests))

    def call(self, method: str, *params: Any, request_id: Any = 7) -> dict[str, Any]:
        """One request, its one answer."""
        answers = self.send({"id": request_id, "method": method, "params": list(params)})
        replies = [answer for answer in answers if "method" not in answer]
        assert len(replies) == 1, answers
        return replies[0]

    def received(self) -> list[dict[str, Any]]:
        """What the session has to say, decoded; every line checked for the form that all firmware reads."""
        data = self.session.data_to_send()
        assert data.isascii()
        assert data == b"" or data.endswith(b"\n")
        lines = [json.loads(line) for line in data.split(b"\n")[:-1]]
        for line in lines:
            if "method" in line:
                assert set(line) == {"id", "method", "params"}
            else:
                assert set(line) == {"id", "result", "error"}
        return lines

    def handshake(self, user: str = USER, password: str = "x", agent: str = "cpuminer/2") -> None:
        """Subscribe and authorise."""
        assert self.call("mining.subscribe", agent)["error"] is None
        assert self.call("mining.authorize", user, password)["result"] is True

    def announce(self, job: Job, **more: Any) -> list[dict[str, Any]]:
        """Make a job known and send it to the session."""
        self.owner.book.tip = job.tip
        self.owner.book.install(job, None, self.now)
        self.session.announce(job, self.now, **more)
        return self.received()

    def submit(
        self, job: Job | str, nonce: int | str = 0, extranonce2: str = "00" * 8, **fields: Any
    ) -> dict[str, Any]:
        """Submit for a job; the fields of the wire can be replaced by name."""
        job_id = job if isinstance(job, str) else job.id
        ntime = f"{CURTIME:08x}" if isinstance(job, str) else f"{job.ntime:08x}"
        params = [
            fields.get("user", USER),
            job_id,
            extranonce2,
            fields.get("ntime", ntime),
            f"{nonce:08x}" if isinstance(nonce, int) and 0 <= nonce < 1 << 32 else nonce,
        ]
        if "version_bits" in fields:
            params.append(fields["version_bits"])
        return self.call("mining.submit", *params)

    @property
    def is_closed(self) -> bool:
        return self.session.closed_for is not None


def error_code(reply: dict[str, Any]) -> int | None:
    """The code of an error reply, None for a success."""
    return None if reply["error"] is None else reply["error"][0]


def submit_until(peer: Peer, *, accepted: int, refused: int) -> tuple[int, int]:
    """Tries nonces until so many at least were accepted and of too low a difficulty; how many then were."""
    job = make_job()
    peer.announce(job)
    codes: list[int | None] = []
    while codes.count(None) < accepted or codes.count(23) < refused:
        codes.append(error_code(peer.submit(job, len(codes))))
    return codes.count(None), codes.count(23)
