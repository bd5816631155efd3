"""A journal entry as a line of text, sealed and chained. Pure: journal.py owns the files.

A line is a JSON object that ends in its own seal: `hash` is the SHA-256 of every byte of the line before
`,"hash"`, and `previous` is the hash of the line before it. So a changed byte shows in its own line, and a
line that was taken out, put in or exchanged shows in the one after it.
"""

import hashlib
import re
from typing import Annotated

import msgspec

from pool.accounting.journal_entries import Body, Hash, Number

VERSION = 1
FIRST_PREVIOUS = "0" * 64
MOST_LINE_BYTES = 4 * 1024 * 1024
# A standard transaction has at most 400,000 bytes, in hex 800,000: five times that is no entry of ours.

_SEAL = re.compile(rb',"hash":"([0-9a-f]{64})"\}')
_SEAL_BYTES = len(b',"hash":""}') + 64


class BadLine(ValueError):
    """No line of a journal; says why, without the place, which the caller knows."""


class NewerLine(BadLine):
    """A sound line of a newer version's journal."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was read. Numbers count from 1; `at_us` is the time of the append, in microseconds."""

    number: int
    at_us: int
    previous: str
    hash: str
    body: Body


class _Unsealed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    number: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    at_us: Number
    previous: Hash
    body: Body


class _Version(msgspec.Struct):
    version: int


_AS_VERSION = msgspec.json.Decoder(_Version)
_AS_UNSEALED = msgspec.json.Decoder(_Unsealed)


def sealed(number: int, at_us: int, previous: str, body: Body) -> tuple[bytes, Entry]:
    """The line without its newline, and the entry that it will be read as.

    Raises BadLine for a body that could not be read back: written, it would stop the next start.
    """
    unsealed = _Unsealed(version=VERSION, number=number, at_us=at_us, previous=previous, body=body)
    try:
        text = msgspec.json.encode(unsealed)
    except (msgspec.MsgspecError, OverflowError, UnicodeEncodeError) as error:
        raise BadLine(f"the entry cannot be written: {error}") from None
    line = text[:-1] + b',"hash":"%s"}' % _digest(text[:-1])
    entry = opened(line)
    if entry.body != body:
        raise BadLine("the entry would be read back as another one")
    return line, entry


def opened(line: bytes) -> Entry:
    """The entry of a line without its newline; the chain is the caller's to follow. Raises BadLine."""
    text, seal = line[:-_SEAL_BYTES], line[-_SEAL_BYTES:]
    found = _SEAL.fullmatch(seal)
    if len(line) > MOST_LINE_BYTES or found is None or found[1] != _digest(text):
        raise BadLine("its bytes are not those that were written" if line else "it is empty")
    document = text + b"}"
    try:
        version = _AS_VERSION.decode(document).version
        if version > VERSION:
            raise NewerLine(f"a newer version wrote it (journal version {version}, known: {VERSION})")
        read = _AS_UNSEALED.decode(document)
    except msgspec.MsgspecError as error:
        raise BadLine(f"it is no entry: {error}") from None
    return Entry(
        number=read.number, at_us=read.at_us, previous=read.previous, hash=found[1].decode(), body=read.body
    )


def is_torn(tail: bytes) -> bool:
    """Whether bytes after the last newline are a line that was not written to its end.

    They are not if a whole line is in them: then it was the newline that changed, and the entry stands.
    """
    return not any(_digest(tail[: seal.start()]) == seal[1] for seal in _SEAL.finditer(tail))


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()
