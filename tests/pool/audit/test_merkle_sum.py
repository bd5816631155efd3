"""The Merkle-sum tree: one small tree by hand, proofs for all sizes, and every way to cheat refused."""

import hmac
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.audit.merkle_sum import MerkleSumTree, Path, Root, Step, joined, leaf, root_of, verify

SECRET = bytes(range(32))
accounts = st.text(min_size=1, max_size=40)
works = st.integers(0, 2**200)


def test_a_tree_of_three_is_what_the_format_says() -> None:
    # by hand: leaves in the order of names; a and b are joined, c moves up as it is
    def written_leaf(name: bytes, work: bytes) -> bytes:
        salt = hmac.digest(SECRET, name, "sha256")
        return sha256(b"\x00" + salt + b"\x00\x01" + name + work).digest()

    a, b, c = (
        written_leaf(b"a", b"\x01\x05"),
        written_leaf(b"b", b"\x02\x01\x00"),
        written_leaf(b"c", b"\x00"),
    )
    ab = sha256(b"\x01" + b"\x01\x05" + a + b"\x02\x01\x00" + b).digest()  # 5 + 256 = 261 = 0x0105
    top = sha256(b"\x01" + b"\x02\x01\x05" + ab + b"\x00" + c).digest()

    tree = MerkleSumTree({"c": 0, "a": 5, "b": 256}, SECRET)

    assert tree.root == Root(top, 261)
    assert tree.path_of("c").steps == (Step(Root(ab, 261), sibling_is_left=True),)
    assert tree.path_of("a").steps == (Step(Root(b, 256), False), Step(Root(c, 0), False))


def test_an_empty_tree_has_a_root_of_its_own() -> None:
    assert MerkleSumTree({}, SECRET).root == Root(sha256(b"\x02").digest(), 0)


@given(st.dictionaries(accounts, works, min_size=1, max_size=40))
def test_every_account_has_a_proof_and_the_total_is_everybodys_work(work: dict[str, int]) -> None:
    tree = MerkleSumTree(work, SECRET)
    assert tree.root.total == sum(work.values())
    for account in work:
        path = tree.path_of(account)
        assert path.work == work[account]
        assert verify(path, tree.root)


@given(st.dictionaries(accounts, works, min_size=2, max_size=20), st.data())
def test_a_changed_proof_leads_elsewhere(work: dict[str, int], data: st.DataObject) -> None:
    tree = MerkleSumTree(work, SECRET)
    path = tree.path_of(data.draw(st.sampled_from(sorted(work))))
    position = data.draw(st.integers(0, len(path.steps) - 1))
    step = path.steps[position]
    changed = data.draw(
        st.sampled_from(
            [
                msgspec.structs.replace(step, sibling_is_left=not step.sibling_is_left),
                msgspec.structs.replace(step, sibling=Root(step.sibling.hash, step.sibling.total + 1)),
                msgspec.structs.replace(step, sibling=Root(bytes(32), step.sibling.total)),
            ]
        )
    )
    steps = (*path.steps[:position], changed, *path.steps[position + 1 :])
    for cheat in (
        msgspec.structs.replace(path, steps=steps),
        msgspec.structs.replace(path, work=path.work + 1),
        msgspec.structs.replace(path, account=path.account + "x"),
        msgspec.structs.replace(path, salt=bytes(32)),
        msgspec.structs.replace(path, steps=path.steps[:-1]),
        msgspec.structs.replace(path, steps=(*path.steps, path.steps[0])),
    ):
        assert not verify(cheat, tree.root)


def test_work_cannot_be_moved_between_siblings_under_one_root() -> None:
    # the flaw of trees whose nodes hash only the sum of both: 3 + 7 and 4 + 6 would share a root
    left, right = leaf("a", 3, bytes(32)), leaf("b", 7, bytes(32))
    shifted = joined(Root(left.hash, 4), Root(right.hash, 6))
    assert shifted.total == joined(left, right).total
    assert shifted.hash != joined(left, right).hash


def test_a_node_does_not_pass_for_a_leaf_or_a_doubled_leaf_for_a_tree() -> None:
    three = MerkleSumTree({"a": 1, "b": 2, "c": 3}, SECRET)
    four = MerkleSumTree({"a": 1, "b": 2, "c": 3, "c ": 3}, SECRET)
    assert three.root.hash != four.root.hash
    assert three.path_of("c").steps[0].sibling == MerkleSumTree({"a": 1, "b": 2}, SECRET).root
    inner = three.path_of("c").steps[0].sibling
    assert leaf("ab", inner.total, bytes(32)).hash != inner.hash


def test_a_path_holds_no_other_name_and_cannot_be_guessed_without_the_secret() -> None:
    tree = MerkleSumTree({"alice": 10, "bob": 20}, SECRET)
    neighbour = tree.path_of("alice").steps[0].sibling
    assert b"bob" not in msgspec.msgpack.encode(tree.path_of("alice"))
    guesses = (bytes(32), tree.path_of("alice").salt, hmac.digest(bytes(32), b"bob", "sha256"))
    assert all(leaf("bob", 20, guess) != neighbour for guess in guesses)


@pytest.mark.parametrize("work", [-1, 2**512])
def test_negative_and_absurd_work_is_refused(work: int) -> None:
    with pytest.raises(ValueError, match="not negative"):
        MerkleSumTree({"a": work}, SECRET)
    sibling = Step(Root(bytes(32), work), sibling_is_left=False)
    assert not verify(Path("a", 1, bytes(32), (sibling,)), Root(bytes(32), work + 1))


def test_sizes_that_no_tree_has_are_refused() -> None:
    good = Step(Root(bytes(32), 1), sibling_is_left=False)
    for path in (
        Path("a", 1, bytes(31), ()),
        Path("path" * 257, 1, bytes(32), ()),
        Path("a", 1, bytes(32), (good,) * 33),
        Path("a", 1, bytes(32), (Step(Root(bytes(31), 1), False),)),
    ):
        with pytest.raises(ValueError, match=r"path|name"):
            root_of(path)
    with pytest.raises(ValueError, match="secret"):
        MerkleSumTree({}, bytes(16))


def test_who_did_no_work_has_no_path() -> None:
    with pytest.raises(KeyError):
        MerkleSumTree({"a": 1}, SECRET).path_of("b")
