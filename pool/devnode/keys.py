"""[shell] A wallet's keys: derived from one seed in a file, handed out in order, found again by script.

The file holds the seed, how many keys were handed out, and what was imported. It is written anew, in whole,
before an address leaves this module, so that no restart hands one out twice or forgets one. It is not
encrypted: the money is play money.
"""

import hmac
import os
from pathlib import Path
from typing import Annotated

import msgspec

from pool.devnode.spending import Key

FILE_VERSION = 1
_RECEIVING, _CHANGE = b"receive", b"change"


class UnreadableWallet(Exception):
    """The file is no wallet of this devnode; one line."""


Secret = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, msgspec.Meta(ge=0)]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    seed: Secret
    receiving: Count = 0
    change: Count = 0
    imported: tuple[Secret, ...] = ()


class Keys:
    """The keys of one wallet. `seed` is used where the file does not exist yet."""

    def __init__(self, path: Path, seed: bytes) -> None:
        self._path = path
        self._by_script: dict[bytes, Key] = {}
        self._change_scripts: set[bytes] = set()
        stored = _read(path)
        self._stored = stored or _File(FILE_VERSION, seed.hex())
        if stored is None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(self._stored)
        for kind, count in ((_RECEIVING, self._stored.receiving), (_CHANGE, self._stored.change)):
            for number in range(count):
                self._derive(kind, number)
        for secret in self._stored.imported:
            self._hold(Key(bytes.fromhex(secret)))

    def of(self, script: bytes) -> Key | None:
        """The key that spends a script; None for somebody else's."""
        return self._by_script.get(script)

    def is_change(self, script: bytes) -> bool:
        """Whether the script was handed out for change."""
        return script in self._change_scripts

    def next_receiving(self) -> Key:
        """A key that was never handed out."""
        number = self._stored.receiving
        self._write(msgspec.structs.replace(self._stored, receiving=number + 1))
        return self._derive(_RECEIVING, number)

    def next_change(self) -> Key:
        """A key that was never handed out, for change."""
        number = self._stored.change
        self._write(msgspec.structs.replace(self._stored, change=number + 1))
        return self._derive(_CHANGE, number)

    def hold(self, secret: bytes) -> Key:
        """Keep a key from elsewhere. Raises ValueError where the secret is none of the curve's."""
        key = Key(secret)
        if secret.hex() not in self._stored.imported:
            imported = (*self._stored.imported, secret.hex())
            self._write(msgspec.structs.replace(self._stored, imported=imported))
        return self._hold(key)

    def _derive(self, kind: bytes, number: int) -> Key:
        message = kind + number.to_bytes(4, "big")
        key = self._hold(Key(hmac.digest(bytes.fromhex(self._stored.seed), message, "sha256")))
        if kind == _CHANGE:
            self._change_scripts.add(key.script)
        return key

    def _hold(self, key: Key) -> Key:
        return self._by_script.setdefault(key.script, key)

    def _write(self, file: _File) -> None:
        new = self._path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(msgspec.json.encode(file))
            out.flush()
            os.fsync(out.fileno())
        new.replace(self._path)
        self._stored = file


def _read(path: Path) -> _File | None:
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableWallet(f"cannot read the wallet {path}: {(error.strerror or '').lower()}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableWallet(f"{path} is no wallet of this devnode: {error}") from error
    if file.version > FILE_VERSION:
        raise UnreadableWallet(f"{path} is of a newer devnode (version {file.version})")
    return file
