"""[shell] The file with the coin's price, which a job of the operator's writes; it asks no exchange."""

import errno
import os
import re
import stat
from pathlib import Path

import msgspec

from config.power_schema import DEAREST_COIN
from pool.wording import span_text

LARGEST_FILE_BYTES = 1_024  # a number and a code; whatever is longer is another file
LARGEST_CLOCK_ERROR_SECONDS = 300.0
# A file server's clock may be off by some minutes; a file from the far future would never become too old.

_LINE = re.compile(r"(?P<number>[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?:\s+(?P<currency>[A-Za-z]+))?")


class CoinPrice(msgspec.Struct, frozen=True):
    """What one coin is worth, in the currency that was asked for, and how old the file is."""

    price: float
    age_seconds: float


class NoCoinPrice(msgspec.Struct, frozen=True):
    """The price is unknown; `problem` is one line for the operator: the file, what is wrong, what to do."""

    problem: str


def read_coin_price(path: Path, currency: str, max_age_seconds: float, now: float) -> CoinPrice | NoCoinPrice:
    """`now` in Unix seconds; the age is that of the file's last change. Raises nothing for what is in it."""
    try:
        text, changed_at = _read(path)
    except FileNotFoundError:
        return NoCoinPrice(f"{path} is not there; look after the job that writes it")
    except (OSError, ValueError) as error:  # ValueError: a zero byte within the path
        reason = ((error.strerror if isinstance(error, OSError) else None) or str(error)).lower()
        return NoCoinPrice(f"{path} cannot be read: {reason}")
    age_seconds = max(0.0, now - changed_at)
    problem = _time_problem(changed_at - now, age_seconds, max_age_seconds) or _text_problem(text, currency)
    if problem is not None:
        return NoCoinPrice(f"{path} {problem}")
    return CoinPrice(float(text.split()[0]), age_seconds)


def _read(path: Path) -> tuple[str, float]:
    """Its text and when it was changed last; a pipe in its place is not waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not an ordinary file")
        data = os.read(descriptor, LARGEST_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > LARGEST_FILE_BYTES:
        raise OSError(errno.EFBIG, f"it is longer than {LARGEST_FILE_BYTES} bytes, and a price is one number")
    return data.decode("utf-8", "replace").removeprefix("\ufeff"), status.st_mtime


def _time_problem(ahead_seconds: float, age_seconds: float, max_age_seconds: float) -> str | None:
    if ahead_seconds > LARGEST_CLOCK_ERROR_SECONDS:
        return f"is dated {span_text(ahead_seconds)} in the future; set the clock of whoever writes it"
    if age_seconds > max_age_seconds:
        limit = f"older than the {span_text(max_age_seconds)} of coin_price_max_age_hours"
        return f"is {span_text(age_seconds)} old, {limit}; look after the job that writes it"
    return None


def _text_problem(text: str, currency: str) -> str | None:
    if not text.strip():
        return "is empty; it must hold one number"
    match = _LINE.fullmatch(text.strip())
    if match is None:
        return f"holds {text.strip()[:40]!r}; it must hold one number like 2350.50 or 2350.50 {currency}"
    price = float(match["number"])
    if not 0 < price <= DEAREST_COIN:
        return f"holds {match['number'][:40]}; a price is above 0 and at most {DEAREST_COIN:g}"
    if match["currency"] is not None and match["currency"].upper() != currency:
        return f"is in {match['currency'][:40]}, and farm.power.currency is {currency}; make them the same"
    return None
