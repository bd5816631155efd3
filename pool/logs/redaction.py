"""What a field of a log line may be, and what is shown of it: secrets never, addresses short. Pure.

A field is redacted by its type, which the call gives it: `AddressText`, `UserText`, `UrlText`, `Secret`.
Reasons that other code has put into words (an error, a node's answer) are plain text; they pass a net that
knows an address and a URL's password by their looks. Whatever the type, text cannot leave its line.
"""

import re
from collections.abc import Mapping
from pathlib import PurePath

import msgspec

from config.secret import Secret

HIDDEN = "•••"
ENDS = 6  # characters that a short address keeps at each end: enough to tell the accounts of one pool apart
SHORTEST_ADDRESS = 20  # `operator`, and whatever else is no address and shorter than any, stays as it is
LONGEST_TEXT = 4_000  # of one field; a node's answer or an error can be of any length


class AddressText(msgspec.Struct, frozen=True):
    """An address that is paid, or the account that it names; None where there is none."""

    text: str | None


class UserText(msgspec.Struct, frozen=True):
    """A user name as a miner sent it: an address, and a worker behind the first `.`, `_` or `/`."""

    text: str


class UrlText(msgspec.Struct, frozen=True):
    """A URL, whose user and password are nobody's business."""

    text: str


Field = (
    None
    | bool
    | int
    | float
    | str
    | bytes
    | PurePath
    | BaseException
    | Secret
    | AddressText
    | UserText
    | UrlText
    | Mapping[str, str]
)
Plain = None | bool | int | float | str | dict[str, str]  # what JSON can hold of it

_CREDENTIALS = re.compile(r"(?<=://)[^\s/]*@")
_PASSWORD = re.compile(r"(?<=://)[^\s/]*:[^\s/]*@")
_WORKER = re.compile(r"[._/]")
_ADDRESS = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"(?i:bc|tb|bcrt|ltc|tltc|rltc|ltcmweb|tmweb)1(?i:[02-9ac-hj-np-z]{20,})"  # bech32 (BIP 173), MWEB
    r"|(?=[A-Za-z]*[0-9])[123mnLMQ][1-9A-HJ-NP-Za-km-z]{25,34}"  # base58; one without a digit is a word
    r")(?![0-9A-Za-z])"
)


def shown(field: Field, *, full_addresses: bool) -> Plain:
    """What may stand in a line: numbers as they are, bytes as hex and whole (they are ours), else text."""
    match field:
        case None | bool() | int() | float():
            return field
        case bytes():
            return field.hex()
        case Mapping():
            return {
                one_line(key): shown_text(value, full_addresses=full_addresses)
                for key, value in field.items()
            }
        case Secret():
            return HIDDEN
        case PurePath():
            return one_line(str(field))
        case AddressText(text=None):
            return None
        case AddressText(text=str(text)):
            return one_line(text) if full_addresses else short(text)
        case UserText(text=text):
            return one_line(text) if full_addresses else _short_user(text)
        case UrlText(text=text):
            return one_line(_CREDENTIALS.sub("", text))
        case BaseException():
            return shown_text(str(field) or type(field).__name__, full_addresses=full_addresses)
        case _:
            return shown_text(str(field), full_addresses=full_addresses)


def shown_text(text: str, *, full_addresses: bool) -> str:
    """Free text: without the passwords of URLs and, unless they are wanted, without whole addresses."""
    text = _PASSWORD.sub(f"{HIDDEN}@", text)
    return one_line(text if full_addresses else _ADDRESS.sub(lambda found: short(found[0]), text))


def short(address: str) -> str:
    """`bc1qw5…f3t4` of an address: its first and last six characters."""
    if len(address) < SHORTEST_ADDRESS:
        return one_line(address)
    return one_line(f"{address[:ENDS]}…{address[-ENDS:]}")


def one_line(text: str) -> str:
    """The text with what is not printable escaped, line ends above all, and cut where it is too long.

    User names come from the network: none may begin a line of its own, or turn a terminal's text around.
    """
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}…"
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _short_user(user: str) -> str:
    separator = _WORKER.search(user)
    if separator is None:
        return short(user)
    at = separator.start()
    # The worker may be called by another address: that is known by its looks, long names of machines stay.
    return short(user[:at]) + shown_text(user[at:], full_addresses=False)
