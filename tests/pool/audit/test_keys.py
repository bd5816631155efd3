"""The signing key's file: made once, whole, guarded; and the public keys that others check with."""

import stat
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pool.audit.keys import KeyRefused, SigningKey, open_signing_key, public_pem, read_public_keys

# RFC 8032, section 7.1, test 1: the empty message
RFC_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
RFC_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


def test_the_first_run_makes_a_key_and_later_runs_keep_it(tmp_path: Path) -> None:
    first = open_signing_key(tmp_path / "data")
    again = open_signing_key(tmp_path / "data")
    assert first.key_id == again.key_id == sha256(first.public_key).hexdigest()[:16]
    assert first.sign(b"x") == again.sign(b"x")
    assert stat.S_IMODE((tmp_path / "data/keys/signing.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data/keys").stat().st_mode) == 0o700
    assert sorted(path.name for path in (tmp_path / "data/keys").iterdir()) == [
        f"{first.key_id}.pub.pem",
        "signing.pem",
    ]


def test_many_first_runs_at_once_end_with_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda _: open_signing_key(tmp_path), range(16)))
    assert len({key.key_id for key in keys}) == 1


def test_signatures_are_those_of_the_standard() -> None:
    key = SigningKey(Ed25519PrivateKey.from_private_bytes(RFC_SEED))
    assert key.public_key == RFC_PUBLIC
    assert key.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974")
    assert repr(key) == f"SigningKey({key.key_id})"


def test_secrets_are_one_for_each_purpose_and_not_another_keys() -> None:
    key = SigningKey(Ed25519PrivateKey.from_private_bytes(RFC_SEED))
    other = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    assert key.secret_for("statement 1") == key.secret_for("statement 1")
    assert len({key.secret_for("1"), key.secret_for("2"), other.secret_for("1"), RFC_SEED}) == 4


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_can_read_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    open_signing_key(tmp_path)
    path = tmp_path / "keys/signing.pem"
    path.chmod(mode)
    with pytest.raises(KeyRefused, match=rf"open to other users \(mode 0{mode:o}\).*chmod 600"):
        open_signing_key(tmp_path)
    path.chmod(0o400)
    open_signing_key(tmp_path)


def test_a_folder_in_which_others_may_replace_the_key_is_refused(tmp_path: Path) -> None:
    open_signing_key(tmp_path)
    (tmp_path / "keys").chmod(0o770)
    with pytest.raises(KeyRefused, match="chmod 700"):
        open_signing_key(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN PRIVATE KEY-----\n", b"\xff" * 200])
def test_a_damaged_key_is_refused_and_never_made_anew(tmp_path: Path, damage: bytes) -> None:
    open_signing_key(tmp_path)
    path = tmp_path / "keys/signing.pem"
    path.write_bytes(damage)
    with pytest.raises(KeyRefused, match="holds no usable key"):
        open_signing_key(tmp_path)
    assert path.read_bytes() == damage


def test_a_link_a_folder_and_another_kind_of_key_are_refused(tmp_path: Path) -> None:
    other = open_signing_key(tmp_path / "other")
    folder = tmp_path / "pool/keys"
    folder.mkdir(parents=True, mode=0o700)
    path = folder / "signing.pem"

    path.symlink_to(tmp_path / "other/keys/signing.pem")
    with pytest.raises(KeyRefused, match="cannot read the key"):
        open_signing_key(tmp_path / "pool")
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(KeyRefused, match="cannot read the key"):
        open_signing_key(tmp_path / "pool")
    path.unlink()
    path.mkdir(mode=0o700)
    with pytest.raises(KeyRefused, match=r"is not a file|Is a directory"):
        open_signing_key(tmp_path / "pool")
    path.rmdir()
    elliptic = ec.generate_private_key(ec.SECP256R1())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.touch(mode=0o600)
    path.write_bytes(elliptic.private_bytes(encoding, form, serialization.NoEncryption()))
    with pytest.raises(KeyRefused, match="another kind"):
        open_signing_key(tmp_path / "pool")
    path.write_bytes(elliptic.private_bytes(encoding, form, serialization.BestAvailableEncryption(b"x")))
    with pytest.raises(KeyRefused, match="no usable key"):
        open_signing_key(tmp_path / "pool")
    assert other.key_id not in str(list(folder.iterdir()))


def test_public_keys_are_read_from_a_folder_by_their_ids(tmp_path: Path) -> None:
    keys = [open_signing_key(tmp_path / name) for name in ("a", "b")]
    for key in keys:
        (tmp_path / f"{key.key_id}-renamed.pub.pem").write_bytes(public_pem(key.public_key))
    assert read_public_keys(tmp_path) == {key.key_id: key.public_key for key in keys}
    assert read_public_keys(tmp_path / "a/keys") == {keys[0].key_id: keys[0].public_key}


def test_a_folder_without_keys_or_with_a_damaged_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="no public key"):
        read_public_keys(tmp_path)
    (tmp_path / "x.pub.pem").write_bytes(b"nothing")
    with pytest.raises(KeyRefused, match=r"x\.pub\.pem holds no usable key"):
        read_public_keys(tmp_path)
    elliptic = ec.generate_private_key(ec.SECP256R1()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "x.pub.pem").write_bytes(elliptic.public_bytes(serialization.Encoding.PEM, form))
    with pytest.raises(KeyRefused, match="another kind"):
        read_public_keys(tmp_path)


def test_another_program_checks_a_signature_with_the_exported_key(tmp_path: Path) -> None:
    key = open_signing_key(tmp_path)
    pem = (tmp_path / f"keys/{key.key_id}.pub.pem").read_bytes()
    loaded = serialization.load_pem_public_key(pem)
    assert isinstance(loaded, Ed25519PublicKey)
    loaded.verify(key.sign(b"a message"), b"a message")
