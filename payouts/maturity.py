"""The life of a block: which state it is in by what a healthy node's best chain shows; it asks nobody.

    candidate ──▶ accepted ──▶ mature
        │  ▲          │  ▲        │
        │  └──────┐   ▼  │        │
        ├──▶ refused  orphaned ◀──┘      orphaned and refused ──▶ accepted: whatever the chain says now

Only the chain decides. A wallet that rescans calls good blocks orphans, and so does an error taken for an
answer: what a node does not say changes nothing here. What takes a block away needs a healthy node and
another block in its place with `burial_depth` blocks in its chain from there on. An accepted block is in no
hurry, its money is not paid out before it is mature; and an orphaned round's work joins the open round at
once, which a block that returns does not undo.

No state is final: after any of them the chain may show something else, and the next transition follows it.
The caller numbers transitions and writes them down; each is judged against the state before it, so that a
reorganisation there and back ends as if it had never been.
"""

import enum

import msgspec

MATURITY_CONFIRMATIONS = 101
# A coinbase may be spent in the block that is 100 above its own: at 100 confirmations the next block may
# hold such a transaction. One more is the margin that Core's wallet keeps.

BURIAL_DEPTH = 6
# Nobody's money hurries (above), and a race between two tips ends within a block or two.


class BlockState(enum.StrEnum):
    """The values are what database and journal hold."""

    CANDIDATE = "candidate"
    ACCEPTED = "accepted"
    MATURE = "mature"
    ORPHANED = "orphaned"
    REFUSED = "refused"


TRANSITIONS: dict[BlockState, frozenset[BlockState]] = {
    BlockState.CANDIDATE: frozenset({BlockState.ACCEPTED, BlockState.ORPHANED, BlockState.REFUSED}),
    BlockState.ACCEPTED: frozenset({BlockState.MATURE, BlockState.ORPHANED}),
    BlockState.MATURE: frozenset({BlockState.ORPHANED}),
    BlockState.ORPHANED: frozenset({BlockState.ACCEPTED}),
    BlockState.REFUSED: frozenset({BlockState.ACCEPTED, BlockState.ORPHANED}),
}


class Header(msgspec.Struct, frozen=True):
    """The node has the header; `confirmations` as getblockheader gives it: -1 off the best chain."""

    confirmations: int


class Unknown(msgspec.Struct, frozen=True):
    """The node says that it never heard of the block (-5). `rival_hash` is the block that the same node has
    at that height, None where it was not asked or has none: an error alone is not evidence."""

    rival_hash: str | None


class NoAnswer(msgspec.Struct, frozen=True):
    """Anything else: unreachable, warming up, another error."""


class Sight(msgspec.Struct, frozen=True):
    """What one node showed. `healthy` as node health has it: not in its first download, blocks = headers
    within one, not behind another node's work. `tip_height` is that of its best chain."""

    shown: Header | Unknown | NoAnswer
    healthy: bool
    tip_height: int


class Rules(msgspec.Struct, frozen=True):
    """Depths in blocks, the block itself counted."""

    maturity_confirmations: int = MATURITY_CONFIRMATIONS
    burial_depth: int = BURIAL_DEPTH


class Transition(msgspec.Struct, frozen=True):
    """A change of state and why, for the journal."""

    from_state: BlockState
    to_state: BlockState
    reason: str


def judge(
    state: BlockState, block_hash: str, height: int, sight: Sight, rules: Rules | None = None
) -> Transition | None:
    """The next transition, or None where nothing changes. Ask again after each: one that was away for long
    is accepted first and mature next. `block_hash` and `height` are the block's own."""
    rules = rules or Rules()
    if not sight.healthy:
        return None
    match sight.shown:
        case Header(confirmations) if confirmations > 0:
            return _in_chain(state, confirmations, rules)
        case Header():
            return _off_chain(state, BlockState.ORPHANED, "off the best chain", height, sight, rules)
        case Unknown(rival) if rival is not None and rival != block_hash:
            never = state in (BlockState.CANDIDATE, BlockState.REFUSED)
            to_state = BlockState.REFUSED if never else BlockState.ORPHANED
            reason = f"unknown to the node, whose block at height {height} is {rival}"
            return _off_chain(state, to_state, reason, height, sight, rules)
        case _:
            return None


def is_in_doubt(state: BlockState, sight: Sight) -> bool:
    """Whether a block whose money counts is not on the best chain of a healthy node just now.

    That is no transition yet, but nothing should be paid from a mature block of which it is true.
    """
    if not sight.healthy or state not in (BlockState.ACCEPTED, BlockState.MATURE):
        return False
    match sight.shown:
        case Header(confirmations):
            return confirmations <= 0
        case Unknown():
            return True
        case NoAnswer():
            return False


def _in_chain(state: BlockState, confirmations: int, rules: Rules) -> Transition | None:
    if state in (BlockState.CANDIDATE, BlockState.ORPHANED, BlockState.REFUSED):
        return Transition(state, BlockState.ACCEPTED, f"{confirmations} confirmations on the best chain")
    if state is BlockState.ACCEPTED and confirmations >= rules.maturity_confirmations:
        return Transition(state, BlockState.MATURE, f"{confirmations} confirmations")
    return None  # a mature block with fewer confirmations after a reorganisation is still on its way up


def _off_chain(
    state: BlockState, to_state: BlockState, reason: str, height: int, sight: Sight, rules: Rules
) -> Transition | None:
    # tip = height: one block in its place. A tip below is a node in the middle of a reorganisation.
    buried = sight.tip_height - height + 1
    if buried < rules.burial_depth or to_state not in TRANSITIONS[state]:
        return None
    return Transition(state, to_state, f"{reason}; {buried} blocks stand in its place")
