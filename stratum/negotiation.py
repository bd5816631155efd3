"""mining.configure (BIP 310): what a client asks for → what is granted and the reply; it changes no session.

Every requested extension gets an answer, unknown ones `false`, since the BIP asks for one value each and some
firmware waits for it. cgminer builds with version rolling refuse a pool unless the value is `true` and the
mask is not zero; stock Antminers send the bit count as a number, cpuminer forks as a string, WhatsMiners
not at all: it is ignored.
"""

import math
import re
from typing import Any

import msgspec

LARGEST_ANSWER = 16
LONGEST_EXTENSION_NAME = 64
_MASK = re.compile(r"(?:0x)?([0-9a-fA-F]{1,8})", re.ASCII)


class Negotiated(msgspec.Struct, frozen=True):
    """The reply object, and what it grants: None where the client did not ask."""

    reply: dict[str, Any]
    requested_mask: int | None = None
    minimum_difficulty: float | None = None
    wants_extranonce: bool = False


def negotiate(parameters: list[Any], grantable_mask: int) -> Negotiated:
    """Answer the parameters of one configure;
    `grantable_mask` is 0 where version rolling is impossible here."""
    names = parameters[0] if parameters and isinstance(parameters[0], list) else []
    options = parameters[1] if len(parameters) > 1 and isinstance(parameters[1], dict) else {}
    reply: dict[str, Any] = {}
    mask = minimum = None
    wants_extranonce = False
    for name in names[:LARGEST_ANSWER]:
        if not isinstance(name, str) or len(name) > LONGEST_EXTENSION_NAME:
            continue
        if name == "version-rolling":
            mask = requested_mask(options.get("version-rolling.mask"))
            granted = mask & grantable_mask
            reply["version-rolling"] = granted != 0
            reply["version-rolling.mask"] = f"{granted:08x}"
        elif name == "minimum-difficulty":
            minimum = _positive_number(options.get("minimum-difficulty.value"))
            reply[name] = minimum is not None
        elif name == "subscribe-extranonce":
            wants_extranonce = True
            reply[name] = True
        else:
            reply[name] = name == "info"
    return Negotiated(reply, mask, minimum, wants_extranonce)


def requested_mask(field: object) -> int:
    """The mask a client asks for: all bits where it names none, no bits where what it names is no mask."""
    if field is None:
        return 0xFFFFFFFF
    match = _MASK.fullmatch(field) if isinstance(field, str) else None
    return int(match[1], 16) if match else 0


def _positive_number(field: object) -> float | None:
    """A finite number of zero or more (VNish sends 0), or digits in a string."""
    if isinstance(field, str) and re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", field, re.ASCII):
        field = float(field)
    if isinstance(field, bool) or not isinstance(field, int | float):
        return None
    try:
        value = float(field)
    except OverflowError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
