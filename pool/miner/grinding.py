"""The search for nonces: a header's first 76 bytes, a target and a range in, what meets the target out.
Pure."""

from collections.abc import Iterator
from hashlib import scrypt, sha256

import msgspec

NONCES = 1 << 32


class Found(msgspec.Struct, frozen=True):
    """A nonce whose hash (32 bytes, as hashed) meets the target."""

    nonce: int
    hash: bytes


def proof_of_work(algorithm: str, header: bytes) -> bytes:
    """The hash of an 80-byte header; raises ValueError for an unknown algorithm."""
    if algorithm == "sha256d":
        return sha256(sha256(header).digest()).digest()
    if algorithm == "scrypt":
        return scrypt(header, salt=header, n=1024, r=1, p=1, dklen=32)
    raise ValueError(f"there is no algorithm {algorithm!r}; choose sha256d or scrypt")


def search(algorithm: str, header: bytes, target: int, start: int, count: int) -> Iterator[Found]:
    """Try `count` nonces from `start` (wrapping at 2^32) on the first 76 bytes of a header."""
    if algorithm == "sha256d":
        yield from _search_sha256d(header, target, start, count)
        return
    for nonce in _nonces(start, count):
        digest = proof_of_work(algorithm, header + nonce.to_bytes(4, "little"))
        if int.from_bytes(digest, "little") <= target:
            yield Found(nonce, digest)


def _search_sha256d(header: bytes, target: int, start: int, count: int) -> Iterator[Found]:
    """The first 64 bytes are hashed once; a hash too large shows in its last bytes,
    without making it a number."""
    midstate = sha256(header[:64])
    tail = header[64:76]
    top = target.to_bytes(32, "big")[:4]
    for nonce in _nonces(start, count):
        inner = midstate.copy()
        inner.update(tail + nonce.to_bytes(4, "little"))
        digest = sha256(inner.digest()).digest()
        if digest[:-5:-1] <= top and int.from_bytes(digest, "little") <= target:
            yield Found(nonce, digest)


def _nonces(start: int, count: int) -> Iterator[int]:
    first = start % NONCES
    yield from range(first, min(first + count, NONCES))
    yield from range(max(0, first + count - NONCES))
