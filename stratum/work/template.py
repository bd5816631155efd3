"""Template: a checked, parsed getblocktemplate answer; it trusts nothing that could cost a block later.

TemplateRefused       this answer must not be mined on; `reason` says why
└── UnknownRule       a mandatory softfork (`!name`) that this code does not know how to build for
"""

import re

import msgspec

from stratum.work.byteorder import from_displayed
from stratum.work.coin import Network
from stratum.work.difficulty import InvalidBits, target_from_bits
from stratum.work.merkle import merkle_branch
from stratum.work.transaction import is_hogex

_COMMITMENT_SCRIPT = re.compile(r"6a24aa21a9ed[0-9a-f]{64}", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-f]{2})+", re.ASCII)
# Beside the longest height, tag and extranonces 33 of the coinbase script's 100 bytes are left.
LONGEST_FLAGS = 32
_ANYONE_MAY_SIGN = "51"  # OP_TRUE, the challenge of a signet that needs no signature
_U32 = 0xFFFFFFFF
_MOST_SATS = 2**63 - 1


class TemplateRefused(Exception):
    """The template must not be mined on."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownRule(TemplateRefused):
    """BIP 9: a client that does not know a `!rule` must not use the template."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"the template demands the rule {rule!r}, which this version does not know")
        self.rule = rule


class TemplateTransaction(msgspec.Struct, frozen=True, gc=False):
    """A transaction of the template: hex as the node gave it, ids in internal order, fee,
    legacy-weighted sigops."""

    data_hex: str
    txid: bytes
    fee_sats: int
    sigops: int
    weight: int


class Template(msgspec.Struct, frozen=True):
    """Everything that work and blocks are made of.

    `network_target` is what decides a block; `required_version_bits` must stay set whatever miners roll;
    `witness_commitment` is the output script, None where segwit is not in the template's rules; `mweb_hex` is
    litecoin's extension block. Limits are None where the chain has none.
    """

    height: int
    previous_hash: bytes
    version: int
    bits: int
    network_target: int
    current_time: int
    minimum_time: int
    coinbase_value_sats: int
    transactions: tuple[TemplateTransaction, ...]
    merkle_branch: tuple[bytes, ...]
    rules: tuple[str, ...]
    required_version_bits: int
    mweb_hex: str | None
    witness_commitment: bytes | None
    longpoll_id: str | None
    weight_limit: int | None
    sigop_limit: int | None
    size_limit: int | None
    coinbase_flags: bytes = b""


class _RawTransaction(msgspec.Struct, gc=False):
    data: str
    txid: str | None = None
    hash: str | None = None
    fee: int = 0
    sigops: int = 0
    weight: int = 0


class _RawTemplate(msgspec.Struct, gc=False):
    """The answer as the node writes it (BIP 22, 23, 145; litecoin adds `mweb`)."""

    version: int
    previousblockhash: str
    transactions: list[_RawTransaction]
    coinbasevalue: int
    target: str
    mintime: int
    curtime: int
    bits: str
    height: int
    rules: list[str] = []
    vbrequired: int = 0
    coinbaseaux: dict[str, str] = {}
    longpollid: str | None = None
    sigoplimit: int | None = None
    sizelimit: int | None = None
    weightlimit: int | None = None
    default_witness_commitment: str | None = None
    mweb: str | None = None
    signet_challenge: str | None = None


_decode = msgspec.json.Decoder(_RawTemplate).decode


def parse_template(
    raw: bytes | msgspec.Raw,
    network: Network,
    *,
    trust_stricter_target: bool = False,
    known: dict[str, TemplateTransaction] | None = None,
) -> Template:
    """Check and parse the `result` member of a getblocktemplate answer; raises TemplateRefused.

    `known` are transactions of earlier templates by their hex: a mempool changes little in twenty seconds,
    and sixty templates of the last twenty minutes would hold the same megabytes sixty times otherwise.
    """
    try:
        answer = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TemplateRefused(f"the node's template cannot be read: {error}") from error
    _check_rules(answer.rules, network)
    _check_signet(answer, network)
    _check_ranges(answer)
    transactions = tuple(_transaction(raw, known or {}) for raw in answer.transactions)
    _check_mweb(answer)
    return Template(
        height=answer.height,
        previous_hash=_hash(answer.previousblockhash, "previousblockhash"),
        version=answer.version & _U32,
        bits=_bits(answer.bits),
        network_target=_network_target(answer, network, trust_stricter_target),
        current_time=answer.curtime,
        minimum_time=answer.mintime,
        coinbase_value_sats=answer.coinbasevalue,
        transactions=transactions,
        merkle_branch=merkle_branch([transaction.txid for transaction in transactions]),
        rules=tuple(answer.rules),
        required_version_bits=answer.vbrequired & _U32,
        mweb_hex=answer.mweb,
        witness_commitment=_commitment(answer),
        longpoll_id=answer.longpollid,
        weight_limit=answer.weightlimit,
        sigop_limit=answer.sigoplimit,
        size_limit=answer.sizelimit,
        coinbase_flags=_flags(answer),
    )


def _flags(answer: _RawTemplate) -> bytes:
    """What the node wants in the coinbase script (BIP 22); today's nodes want nothing."""
    flags = bytes.fromhex(_checked_hex(answer.coinbaseaux.get("flags", ""), "coinbaseaux.flags"))
    if len(flags) > LONGEST_FLAGS:
        raise TemplateRefused(
            f"the node wants {len(flags)} bytes of flags in the coinbase, {LONGEST_FLAGS} fit: "
            "remove what sets them there"
        )
    return flags


def _check_signet(answer: _RawTemplate, network: Network) -> None:
    """BIP 325: a block needs its signers' signature, unless the challenge is one that anybody meets."""
    if network.chain == "signet" and answer.signet_challenge != _ANYONE_MAY_SIGN:
        raise TemplateRefused(
            "blocks of this signet must carry its signers' signature, which a miner cannot give: "
            f"mine a signet of your own with -signetchallenge={_ANYONE_MAY_SIGN}"
        )


def _check_rules(rules: list[str], network: Network) -> None:
    for rule in rules:
        if rule.startswith("!") and rule[1:] not in network.known_rules:
            raise UnknownRule(rule[1:])


def _check_ranges(answer: _RawTemplate) -> None:
    for name, value, most in (
        ("height", answer.height, 0x7FFFFFFF),
        ("coinbasevalue", answer.coinbasevalue, _MOST_SATS),
        ("curtime", answer.curtime, _U32),
        ("mintime", answer.mintime, _U32),
    ):
        if not 0 <= value <= most:
            raise TemplateRefused(f"the template's {name} is {value}")
    if not -0x80000000 <= answer.version <= _U32:
        raise TemplateRefused(f"the template's version is {answer.version}")


def _bits(text: str) -> int:
    if len(text) != 8 or _HEX.fullmatch(text) is None:
        raise TemplateRefused(f"the template's bits are {text!r}")
    return int(text, 16)


def _hash(text: str, name: str) -> bytes:
    try:
        return from_displayed(text)
    except ValueError as error:
        raise TemplateRefused(f"the template's {name} is {text!r}") from error


def _checked_hex(text: str, name: str) -> str:
    if text and _HEX.fullmatch(text) is None:
        raise TemplateRefused(f"the template's {name} is not hex")
    return text


def _is_hex(text: str) -> bool:
    """Decoding megabytes and throwing them away takes a fifth of the time that a pattern takes."""
    try:
        return 2 * len(bytes.fromhex(text)) == len(text) > 0
    except ValueError:
        return False


def _network_target(answer: _RawTemplate, network: Network, trust_stricter_target: bool) -> int:
    """What decides a block: the target of `bits`;
    on regtest, and only if told so, the template's stricter one."""
    try:
        target = target_from_bits(_bits(answer.bits))
    except InvalidBits as error:
        raise TemplateRefused(str(error)) from error
    if not (trust_stricter_target and network.is_regtest):
        return target
    if len(answer.target) != 64 or _HEX.fullmatch(answer.target) is None:
        raise TemplateRefused(f"the template's target is {answer.target!r}")
    stricter = int(answer.target, 16)
    if not 0 < stricter <= target:
        raise TemplateRefused("the template's target is easier than its bits")
    return stricter


def _transaction(raw: _RawTransaction, known: dict[str, TemplateTransaction]) -> TemplateTransaction:
    """One transaction. Its hex is checked now: a block is not the moment to find out that it is none.

    `txid` is BIP 145's; a node of a chain without segwit gives only `hash`, which is the same thing there.
    """
    familiar = known.get(raw.data)
    if familiar is not None:
        return familiar
    txid = raw.txid if raw.txid is not None else raw.hash
    if txid is None:
        raise TemplateRefused("a transaction of the template has neither txid nor hash")
    if not _is_hex(raw.data):
        raise TemplateRefused(f"transaction {txid} of the template is not hex")
    return TemplateTransaction(raw.data, _hash(txid, "txid"), raw.fee, raw.sigops, raw.weight)


def _commitment(answer: _RawTemplate) -> bytes | None:
    """BIP 141's commitment, only where segwit is in force:
    a node may send one before, and refuse the block for it."""
    text = answer.default_witness_commitment
    if text is None or "segwit" not in {rule.removeprefix("!") for rule in answer.rules}:
        return None
    if _COMMITMENT_SCRIPT.fullmatch(text) is None:
        raise TemplateRefused("the template's default_witness_commitment is no commitment")
    return bytes.fromhex(text)


def _check_mweb(answer: _RawTemplate) -> None:
    """An extension block and its integrating transaction (HogEx, last) come together or not at all."""
    last = answer.transactions[-1].data if answer.transactions else ""
    ends_with_hogex = is_hogex(bytes.fromhex(last[:12]))
    if answer.mweb is None:
        if ends_with_hogex:
            raise TemplateRefused("the template has a HogEx transaction and no extension block")
        return
    if not answer.mweb or _HEX.fullmatch(answer.mweb) is None:
        raise TemplateRefused("the template's mweb is not hex")
    if not ends_with_hogex:
        raise TemplateRefused("the template has an extension block and no HogEx transaction at its end")
