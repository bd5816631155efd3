"""Numbers as people read them: hashrates with units. For displays and logs, never for a calculation."""

_UNITS = ("H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s")


def hashrate_text(hashes_per_second: float) -> str:
    """Three digits and a unit."""
    for unit in _UNITS:
        if hashes_per_second < 999.5:
            return f"{hashes_per_second:.3g} {unit}"
        hashes_per_second /= 1000
    return f"{hashes_per_second:.3g} EH/s"
