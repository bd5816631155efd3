"""The client's side of Stratum V1, sans I/O: server lines in, requests and jobs out. It searches nothing.

Written from the protocol's description: difficulty counts from the next job on, set_extranonce likewise,
version bits are rolled inside the granted mask only, and the job's own bits in it are replaced (BIP 310).
"""

import json
import math
from collections import deque
from hashlib import sha256
from typing import Any

import msgspec

DIFFICULTY_1 = {"sha256d": 0xFFFF << 208, "scrypt": 0xFFFF << 224}
AGENT = "engineroom-miner/1"
WANTED_MASK = "1fffe000"


class StratumError(Exception):
    """The server refused what the miner cannot do without; the message is one line for the person at it."""


class Job(msgspec.Struct, frozen=True):
    """A notify line, with the difficulty, extranonce and mask that hold for it. Hashes in header order."""

    id: str
    previous_hash: bytes
    coinbase_start: bytes
    coinbase_end: bytes
    branch: tuple[bytes, ...]
    version: int
    bits: int
    ntime: int
    is_clean: bool
    difficulty: float
    target: int
    extranonce1: bytes
    extranonce2_size: int
    mask: int

    def header(self, extranonce2: bytes, version_bits: int = 0, ntime: int | None = None) -> bytes:
        """The first 76 bytes of the header for this extranonce2."""
        coinbase = self.coinbase_start + self.extranonce1 + extranonce2 + self.coinbase_end
        root = _sha256d(coinbase)
        for sibling in self.branch:
            root = _sha256d(root + sibling)
        version = (self.version & ~self.mask) | (version_bits & self.mask)
        time = self.ntime if ntime is None else ntime
        return (
            version.to_bytes(4, "little")
            + self.previous_hash
            + root
            + time.to_bytes(4, "little")
            + self.bits.to_bytes(4, "little")
        )


class StratumClient:
    """What the server has told so far. Feed it lines; read `requests()` and `job`."""

    def __init__(
        self,
        user: str,
        password: str = "x",  # noqa: S107  what every miner sends
        algorithm: str = "sha256d",
        *,
        rolls_version: bool = True,
        suggested_difficulty: float | None = None,
    ) -> None:
        self.user = user
        self.algorithm = algorithm
        self.job: Job | None = None
        self.difficulty = 1.0
        self.is_authorised = False
        self.accepted = 0
        self.rejected: dict[str, int] = {}
        self.last_reason = ""
        self._password = password
        self._suggested = suggested_difficulty
        self._rolls_version = rolls_version
        self._extranonce1 = b""
        self._extranonce2_size = 0
        self._mask = 0
        self._next_id = 1
        self._waiting: dict[int, str] = {}
        self._out: deque[bytes] = deque()

    def begin(self) -> None:
        """Queue the handshake, all of it at once, as Bitaxe does."""
        if self._rolls_version and self.algorithm == "sha256d":
            options = {"version-rolling.mask": WANTED_MASK, "version-rolling.min-bit-count": 2}
            self.request("mining.configure", [["version-rolling"], options])
        self.request("mining.subscribe", [AGENT])
        self.request("mining.authorize", [self.user, self._password])
        if self._suggested is not None:
            self.request("mining.suggest_difficulty", [self._suggested])

    def request(self, method: str, params: list[Any]) -> int:
        """Queue a request; gives its id."""
        request_id = self._next_id
        self._next_id += 1
        self._waiting[request_id] = method
        line = {"id": request_id, "method": method, "params": params}
        self._out.append(json.dumps(line).encode() + b"\n")
        return request_id

    def submit(
        self, job: Job, extranonce2: bytes, nonce: int, version_bits: int = 0, ntime: int | None = None
    ) -> int:
        """Queue a share; gives the id of its request."""
        time = job.ntime if ntime is None else ntime
        params = [self.user, job.id, extranonce2.hex(), f"{time:08x}", f"{nonce:08x}"]
        if job.mask:
            params.append(f"{version_bits:08x}")
        return self.request("mining.submit", params)

    def data_to_send(self) -> bytes:
        """What is to be written, once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def receive_line(self, line: bytes) -> str:
        """Take one line; gives what it was (`job`, `difficulty`, `accepted`, `rejected` …) for who shows it.

        Raises StratumError where the server refuses the handshake. Lines that make no sense are passed over.
        """
        try:
            message = json.loads(line)
        except ValueError:
            return "garbage"
        if not isinstance(message, dict):
            return "garbage"
        try:
            if isinstance(message.get("method"), str):
                return self._told(message["method"], message.get("params") or [], message.get("id"))
            return self._answered(message)
        except (KeyError, IndexError, TypeError, ValueError):
            return "garbage"

    # ------------------------------------------------------------------ answers

    def _answered(self, message: dict[str, Any]) -> str:
        method = self._waiting.pop(message["id"], None)
        error: Any = message.get("error")
        result: Any = message.get("result")
        if method is None:
            return "garbage"
        if method == "mining.submit":
            if result is True:
                self.accepted += 1
                return "accepted"
            self.last_reason = _reason(error)
            self.rejected[self.last_reason] = self.rejected.get(self.last_reason, 0) + 1
            return "rejected"
        if method in ("mining.subscribe", "mining.authorize") and (error or not result):
            what = method.removeprefix("mining.")
            raise StratumError(f"the pool refuses {what} for {self.user}: {_reason(error)}")
        if method == "mining.subscribe":
            self._extranonce1, self._extranonce2_size = bytes.fromhex(result[1]), int(result[2])
        elif method == "mining.authorize":
            self.is_authorised = True
        elif isinstance(result, dict) and result.get("version-rolling") is True:
            self._mask = int(result["version-rolling.mask"], 16)
        return method

    def _told(self, method: str, params: list[Any], request_id: object) -> str:
        if method == "mining.notify":
            self.job = self._job(params)
            return "job"
        if method == "mining.set_difficulty":
            if 0 < params[0] < math.inf:
                self.difficulty = params[0]
            return "difficulty"
        if method == "mining.set_extranonce":
            self._extranonce1, self._extranonce2_size = bytes.fromhex(params[0]), int(params[1])
        elif method == "mining.set_version_mask":
            self._mask = int(params[0], 16)
        elif request_id is not None:
            self._answer(method, request_id)
        return method

    def _answer(self, method: str, request_id: object) -> None:
        result = {"mining.ping": "pong", "client.get_version": AGENT}.get(method)
        error = None if result is not None else [-3, "Method not found", None]
        line = {"id": request_id, "result": result, "error": error}
        self._out.append(json.dumps(line).encode() + b"\n")

    def _job(self, params: list[Any]) -> Job:
        wire = bytes.fromhex(params[1])
        difficulty_1 = DIFFICULTY_1[self.algorithm]
        return Job(
            id=params[0],
            previous_hash=b"".join(wire[i : i + 4][::-1] for i in range(0, 32, 4)),
            coinbase_start=bytes.fromhex(params[2]),
            coinbase_end=bytes.fromhex(params[3]),
            branch=tuple(bytes.fromhex(sibling) for sibling in params[4]),
            version=int(params[5], 16),
            bits=int(params[6], 16),
            ntime=int(params[7], 16),
            is_clean=bool(params[8]),
            difficulty=self.difficulty,
            target=target_of(self.difficulty, difficulty_1),
            extranonce1=self._extranonce1,
            extranonce2_size=self._extranonce2_size,
            mask=self._mask,
        )


def target_of(difficulty: float, difficulty_1: int) -> int:
    """floor(difficulty 1 / difficulty) in exact arithmetic, at most 2^256 − 1."""
    numerator, denominator = difficulty.as_integer_ratio()
    return min(difficulty_1 * denominator // numerator, 2**256 - 1)


def _reason(error: object) -> str:
    """What an error says, as one printable line, whatever the pool has put into it."""
    text = error[1] if isinstance(error, list) and len(error) > 1 else error
    line = " ".join(str(text or "no reason given").split())
    return "".join(character for character in line if character.isprintable())


def _sha256d(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()
