"""A Merkle-sum tree over (account, work): one hash and one total that commit to everybody's work.

    leaf   sha256(00 ‖ salt ‖ account ‖ work)                                       its sum is its work
    node   sha256(01 ‖ left sum ‖ left hash ‖ right sum ‖ right hash)               its sum is both sums
    empty  sha256(02)                                                               its sum is 0

Leaves stand in the order of their accounts; a node left over at the end of a row moves up as it is
(doubling it would let two trees share a root, CVE-2012-2459). Numbers and texts carry their length, so that
no two inputs are the same bytes, and the first byte keeps a node from passing for a leaf. A node commits to
*each* child's sum: with only their total in it, a sum could be shifted from one side to the other, and
somebody's work left out. Sums are never negative: there is no encoding for one that is.

A path shows its owner the hashes and the sums beside it, no names: the salt (HMAC-SHA256 of the account under
the statement's secret) keeps a neighbour's leaf from being guessed from a list of addresses.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256

import msgspec

SECRET_BYTES = 32
HASH_BYTES = 32
LONGEST_NUMBER_BYTES = 64
# 2^512: a window at 1 ZH/s is below 2^128, scaled by its edge slot below 2^256.

LONGEST_NAME_BYTES = 1024  # an address has at most 90
MOST_STEPS = 32  # rows of a tree of four billion accounts

_LEAF, _NODE, _EMPTY = b"\x00", b"\x01", b"\x02"


class Root(msgspec.Struct, frozen=True):
    """A (sub)tree: its hash, 32 bytes, and the sum of the work below it."""

    hash: bytes
    total: int


class Step(msgspec.Struct, frozen=True):
    """The sibling that a path meets on one row."""

    sibling: Root
    sibling_is_left: bool


class Path(msgspec.Struct, frozen=True):
    """One account's way from its leaf to the root: a proof, together with the root."""

    account: str
    work: int
    salt: bytes
    steps: tuple[Step, ...]


class MerkleSumTree:
    """The tree of one statement. Raises ValueError for negative work, or more than 2^512."""

    def __init__(self, work: Mapping[str, int], secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"the secret of the salts has {len(secret)} bytes, not {SECRET_BYTES}")
        self._work, self._secret = dict(work), secret
        self._accounts = sorted(work)
        self._rows = [[leaf(account, work[account], self._salt(account)) for account in self._accounts]]
        while len(self._rows[-1]) > 1:
            self._rows.append(_row_above(self._rows[-1]))

    @property
    def root(self) -> Root:
        return self._rows[-1][0] if self._accounts else Root(sha256(_EMPTY).digest(), 0)

    def path_of(self, account: str) -> Path:
        """Raises KeyError for an account that did no work here."""
        work = self._work[account]
        position, steps = self._accounts.index(account), []
        for row in self._rows[:-1]:
            beside = position ^ 1
            if beside < len(row):
                steps.append(Step(row[beside], beside < position))
            position //= 2
        return Path(account, work, self._salt(account), tuple(steps))

    def _salt(self, account: str) -> bytes:
        return hmac.digest(self._secret, account.encode(), "sha256")


def leaf(account: str, work: int, salt: bytes) -> Root:
    """One account's work. Raises ValueError as the tree does."""
    name = account.encode()
    if len(name) > LONGEST_NAME_BYTES:
        raise ValueError(f"an account's name has at most {LONGEST_NAME_BYTES} bytes")
    data = _LEAF + salt + len(name).to_bytes(2, "big") + name + number_bytes(work)
    return Root(sha256(data).digest(), work)


def joined(left: Root, right: Root) -> Root:
    """The node above two others."""
    data = _NODE + number_bytes(left.total) + left.hash + number_bytes(right.total) + right.hash
    return Root(sha256(data).digest(), left.total + right.total)


def root_of(path: Path) -> Root:
    """The only root that the path leads to. Raises ValueError for sizes that no tree has."""
    if len(path.steps) > MOST_STEPS or len(path.salt) != HASH_BYTES:
        raise ValueError("the path has more rows, or another salt, than a tree can have")
    reached = leaf(path.account, path.work, path.salt)
    for step in path.steps:
        if len(step.sibling.hash) != HASH_BYTES:
            raise ValueError("the path holds a hash that is not 32 bytes long")
        pair = (step.sibling, reached) if step.sibling_is_left else (reached, step.sibling)
        reached = joined(*pair)
    return reached


def verify(path: Path, root: Root) -> bool:
    """Whether the account's work is part of the root's total. Never raises."""
    try:
        return root_of(path) == root
    except ValueError:
        return False


def number_bytes(number: int) -> bytes:
    """A length byte and the shortest big-endian bytes. Raises ValueError below 0 and from 2^512 on."""
    size = (number.bit_length() + 7) // 8
    if number < 0 or size > LONGEST_NUMBER_BYTES:
        raise ValueError("work is not negative, and below 2^512")
    return bytes((size,)) + number.to_bytes(size, "big")


def _row_above(row: list[Root]) -> list[Root]:
    pairs = [joined(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
    return pairs + row[-1:] if len(row) % 2 else pairs
