"""The key that signs statements and digests: a file made once and guarded; and the keys to check with.

    DATA_DIRECTORY/keys/signing.pem       private, PKCS 8, mode 0600; made at the first run, never made again
    DATA_DIRECTORY/keys/KEY_ID.pub.pem    public, to be given to everybody who checks (openssl reads both)

A damaged or readable-by-others key is refused: a new one in its place would look, to everybody who checks,
like a forger's. Blocking; errors are one line each.
"""

import contextlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pool.audit.document import key_id_of

FOLDER = "keys"
PRIVATE_NAME = "signing.pem"
PUBLIC_SUFFIX = ".pub.pem"
LARGEST_KEY_BYTES = 4096  # a PEM file of either kind has about 120

_DIRECTORY_MODE, _PRIVATE_MODE, _PUBLIC_MODE = 0o700, 0o600, 0o644


class KeyRefused(Exception):
    """A key that must not be used, or cannot be read; one line with its path and what to do."""


class SigningKey:
    """An Ed25519 private key; it never leaves this object, and shows only its id."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes_raw()
        self.key_id = key_id_of(self.public_key)

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id})"

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(data)

    def secret_for(self, purpose: str) -> bytes:
        """32 bytes that only the holder of this key can compute, the same each time for one purpose:
        a rebuilt statement has the secret that the first one had."""
        return hmac.digest(self._key.private_bytes_raw(), f"engineroom secret\n{purpose}".encode(), "sha256")


def open_signing_key(data_directory: Path) -> SigningKey:
    """The key of this data directory, made where there is none. Raises KeyRefused, or the disk's OSError."""
    folder = data_directory / FOLDER
    folder.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
    path = folder / PRIVATE_NAME
    if not os.path.lexists(path):
        _write_once(path, _pem_of(Ed25519PrivateKey.generate()), _PRIVATE_MODE)
        _sync(data_directory)
    key = _read_private(path)
    public = folder / f"{key.key_id}{PUBLIC_SUFFIX}"
    if not public.exists():
        _write_once(public, public_pem(key.public_key), _PUBLIC_MODE)
    return key


def public_pem(public_key: bytes) -> bytes:
    """A public key as a PEM file, for whoever checks. `public_key` is 32 bytes."""
    return Ed25519PublicKey.from_public_bytes(public_key).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def read_public_keys(directory: Path) -> dict[str, bytes]:
    """Key id → public key, of every *.pub.pem in a directory: those that the caller trusts.

    Raises KeyRefused for a file that holds no such key, and for a directory without one.
    """
    found: dict[str, bytes] = {}
    for path in sorted(directory.glob(f"*{PUBLIC_SUFFIX}")):
        with _named(path):
            key = serialization.load_pem_public_key(path.read_bytes()[:LARGEST_KEY_BYTES])
            if not isinstance(key, Ed25519PublicKey):
                raise KeyRefused(f"{path} is a public key of another kind than Ed25519")
            raw = key.public_bytes_raw()
            found[key_id_of(raw)] = raw
    if not found:
        raise KeyRefused(f"there is no public key (*{PUBLIC_SUFFIX}) in {directory}")
    return found


def _read_private(path: Path) -> SigningKey:
    with _named(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            _refuse_lax(path, os.fstat(descriptor))
            data = file.read(LARGEST_KEY_BYTES)
        key = serialization.load_pem_private_key(data, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyRefused(f"{path} is a private key of another kind than Ed25519")
        return SigningKey(key)


def _refuse_lax(path: Path, status: os.stat_result) -> None:
    """Whoever can read the key can sign as the pool; whoever can replace it can lock the pool out."""
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        raise KeyRefused(f"{path} is not a file")
    if mode & 0o077:
        raise KeyRefused(
            f"{path} is open to other users (mode {mode:04o}); if none has read it: chmod 600 {path}"
        )
    if status.st_uid not in (0, os.geteuid()):
        raise KeyRefused(f"{path} belongs to another user (id {status.st_uid})")
    folder_mode = stat.S_IMODE(path.parent.stat().st_mode)
    if folder_mode & 0o022:
        raise KeyRefused(
            f"others may replace files in {path.parent} (mode {folder_mode:04o}): chmod 700 {path.parent}"
        )


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """What goes wrong inside is said with the file's name."""
    try:
        yield
    except OSError as error:
        raise KeyRefused(f"cannot read the key {path}: {error.strerror or error}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: the key is encrypted
        raise KeyRefused(
            f"{path} holds no usable key; put it back from a backup (a new key would pass for a forger's)"
        ) from None


def _pem_of(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_once(path: Path, data: bytes, mode: int) -> None:
    """Whole and durable under its name, or not there; a file that somebody else was quicker to make stays."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)  # unlike rename, it replaces nothing
    finally:
        beside.unlink()
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
