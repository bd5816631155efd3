"""The two free texts of an authorize: `address.worker` and the password's options. Checks no address."""

import math
import re

import msgspec

# Nothing that could matter in a shell, a page, a log line or SQL text: printable ASCII without quotes,
# backslash and <>&.
_ALLOWED = re.compile(r"[!#$%()*+,\-./0-9:;=?@A-Z\[\]^_`a-z{|}~]{1,256}", re.ASCII)
# ckpool splits at '.' and '_', some proxies write '/'; no address of any coin here holds one of them.
_SEPARATOR = re.compile(r"[._/]")
LONGEST_WORKER = 64
LONGEST_PASSWORD = 128
_OPTION = re.compile(
    r"(?:^|[,; ])([a-z]{1,8})=([0-9]{1,20}(?:\.[0-9]{1,20})?)(?=$|[,; ])", re.ASCII | re.IGNORECASE
)
_FIXED_KEYS = frozenset({"d", "diff", "sd", "fd"})
_FLOOR_KEYS = frozenset({"md", "mindiff"})


class UserName(msgspec.Struct, frozen=True):
    """What a miner calls itself: `address` as typed, `worker` possibly empty."""

    address: str
    worker: str


class PasswordOptions(msgspec.Struct, frozen=True):
    """What a password asks for: a fixed difficulty, a lowest one, or neither."""

    fixed_difficulty: float | None = None
    minimum_difficulty: float | None = None


def parse_user(text: str) -> UserName | None:
    """Split a user name; None where it holds what no user name may hold or is too long."""
    if _ALLOWED.fullmatch(text) is None:
        return None
    parts = _SEPARATOR.split(text, maxsplit=1)
    worker = parts[1] if len(parts) > 1 else ""
    if not parts[0] or len(worker) > LONGEST_WORKER:
        return None
    return UserName(address=parts[0], worker=worker)


def parse_password(password: object) -> PasswordOptions:
    """Read `d=`/`diff=`/`sd=`/`fd=` and `md=`/`mindiff=`; everything else, and every bad number, is ignored.

    Any JSON value may stand where a password is expected. Only the first 128 characters are read.
    """
    if not isinstance(password, str):
        return PasswordOptions()
    fixed = minimum = None
    for key, number in _OPTION.findall(password[:LONGEST_PASSWORD]):
        value = float(number)
        if not math.isfinite(value) or value <= 0:
            continue
        if key.lower() in _FIXED_KEYS:
            fixed = value
        elif key.lower() in _FLOOR_KEYS:
            minimum = value
    return PasswordOptions(fixed_difficulty=fixed, minimum_difficulty=minimum)
