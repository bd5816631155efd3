"""Numbers as people read and write them: hashrates, coins, spans of time; never for money's arithmetic."""

import re

_UNITS = ("H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s")
_PREFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18}
_HASHRATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtpe]?)(?:h(?:/s)?)?", re.ASCII | re.IGNORECASE)
_SPANS = ((365.25 * 86_400, "years"), (86_400, "days"), (3_600, "hours"), (60, "minutes"))


def hashrate_text(hashes_per_second: float) -> str:
    """Three digits and a unit."""
    for unit in _UNITS:
        if hashes_per_second < 999.5:
            return f"{hashes_per_second:.3g} {unit}"
        hashes_per_second /= 1000
    return f"{hashes_per_second:.3g} EH/s"


def hashrate_from(text: str) -> float:
    """Hashes a second from `600T`, `1.2 PH/s` or `250k`; raises ValueError that says how to write one."""
    match = _HASHRATE.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise ValueError(f"{text!r} is not a hashrate; write one like 600T, 1.2PH/s or 500G")
    return float(match[1]) * _PREFIXES[match[2].lower()]


def coins_text(sats: int) -> str:
    """Satoshis with the point where people expect it: exact, eight places."""
    sign, size = ("-" if sats < 0 else ""), abs(sats)
    return f"{sign}{size // 100_000_000}.{size % 100_000_000:08d}"


def counted(number: int, one: str) -> str:
    """`1 account`, `2 accounts`."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def span_text(seconds: float) -> str:
    """A span in its largest fitting unit: `3.4 days`, `12 seconds`."""
    for length, name in _SPANS:
        if seconds >= 2 * length:
            return (
                f"{seconds / length:,.0f} {name}"
                if seconds >= 100 * length
                else f"{seconds / length:.3g} {name}"
            )
    return f"{seconds:.3g} seconds"
