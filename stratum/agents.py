"""What a user agent says about firmware: coinbase size, lowest difficulty. One table, no behaviour.

The figures come from the firmware's buffers where its source is public and from pools that serve it where
it is not (protocol reference, quirk table). An unknown agent is treated as the most fragile ASIC.
"""

import msgspec

AGENT_TEXT_LENGTH = 128


class AgentClass(msgspec.Struct, frozen=True):
    """One family of firmware.

    `coinbase_bytes` bounds the whole non-witness coinbase transaction. `is_asic` stops an idle machine's
    difficulty two halvings below its last share. `takes_fractions` says that difficulties below 1 are
    understood and needed.
    """

    name: str
    coinbase_bytes: int
    is_asic: bool = True
    takes_fractions: bool = False
    is_marketplace: bool = False


UNKNOWN = AgentClass("unknown", 700)

# Longest prefix first where one is the beginning of another; compared without regard to case.
_PREFIXES: tuple[tuple[str, AgentClass], ...] = (
    # ESP32 firmware, and its 512 hex digits of buffer
    ("nerdminer", AgentClass("nerdminer", 250, is_asic=False, takes_fractions=True)),
    ("nmminer", AgentClass("nerdminer", 250, is_asic=False, takes_fractions=True)),
    ("bitsyminer", AgentClass("nerdminer", 250, is_asic=False, takes_fractions=True)),
    ("sparkminer", AgentClass("nerdminer", 250, is_asic=False, takes_fractions=True)),
    ("han_solominer", AgentClass("nerdminer", 250, is_asic=False, takes_fractions=True)),
    ("nerdqaxe", AgentClass("nerdqaxe", 6500)),
    ("nerdoctaxe", AgentClass("nerdqaxe", 6500)),
    ("bitaxe", AgentClass("bitaxe", 384)),  # a 2026 firmware cuts each part at 384 bytes
    ("nicehash", AgentClass("nicehash", 500, is_marketplace=True)),
    ("antminer s21", AgentClass("antminer_s21", 2250)),
    ("antminer", AgentClass("antminer", 700)),  # stock S19: about 730
    ("bmminer", AgentClass("antminer", 700)),
    ("whatsminer", AgentClass("whatsminer", 6500)),
    ("btminer", AgentClass("whatsminer", 6500)),
    ("bosminer", AgentClass("braiins", 2250)),
    ("braiins", AgentClass("braiins", 2250)),
    ("xminer", AgentClass("vnish", 16000)),
    ("powerplay-bm", AgentClass("epic", 16000)),
    ("cgminer", AgentClass("cgminer", 700)),  # Avalon Nano 3 calls itself cgminer/4.11.1
    ("bfgminer", AgentClass("bfgminer", 2250, is_asic=False)),
    ("ccminer", AgentClass("ccminer", 16000, is_asic=False, takes_fractions=True)),
    ("cpuminer", AgentClass("cpuminer", 16000, is_asic=False, takes_fractions=True)),
    ("engineroom", AgentClass("engineroom", 16000, is_asic=False, takes_fractions=True)),
    ("stratumload", AgentClass("load", 16000, is_asic=False, takes_fractions=True)),
)

FAMILIES = tuple(dict.fromkeys([UNKNOWN.name, *(agent_class.name for _, agent_class in _PREFIXES)]))


def classify(agent: str) -> AgentClass:
    """The class of a (sanitised) user agent; UNKNOWN where no prefix fits."""
    lowered = agent.lower()
    for prefix, agent_class in _PREFIXES:
        if lowered.startswith(prefix):
            return agent_class
    return UNKNOWN


def sanitise(agent: str) -> str:
    """Printable ASCII, 128 characters at most: what may reach a log or a page."""
    return "".join(c for c in agent[:AGENT_TEXT_LENGTH] if " " <= c <= "~")
