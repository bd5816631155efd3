"""Merkle trees as blocks use them: the branch beside the coinbase, and roots. Hashes in internal order."""

from collections.abc import Sequence
from hashlib import sha256


def merkle_branch(hashes: Sequence[bytes]) -> tuple[bytes, ...]:
    """What a miner folds the coinbase's id with: the siblings on the way up, for the other transactions' ids.

    A lone last node of a row is paired with itself. The coinbase's own path is never computed: its place on
    each row is left open.
    """
    branch: list[bytes] = []
    row = list(hashes)  # the row without its first node, which lies on the coinbase's path
    while row:
        branch.append(row[0])
        rest = row[1:]
        if len(rest) % 2:
            rest.append(rest[-1])
        row = [sha256(sha256(rest[i] + rest[i + 1]).digest()).digest() for i in range(0, len(rest), 2)]
    return tuple(branch)


def fold_branch(leaf: bytes, branch: Sequence[bytes]) -> bytes:
    """The root above a leaf that stands leftmost; the coinbase's id gives the header's merkle root."""
    for sibling in branch:
        leaf = sha256(sha256(leaf + sibling).digest()).digest()
    return leaf


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root over all leaves, the first included; at least one."""
    return fold_branch(leaves[0], merkle_branch(leaves[1:]))
