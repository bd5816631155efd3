"""Which nodes are fit to supply work, and which one does. Pure: observations and `now` in, verdicts out.

A node is healthy when it gives a template, is not in its initial download, has the blocks of its headers
within one, and has not had less chainwork than another healthy node for more than 20 s.

Among the healthy ones the most chainwork supplies work at once, whatever the order in the settings: a
template on a shorter chain is worth nothing. Equal work keeps the current source, since a switch makes every
miner start over on a template that is no better; where there is no current source, the first in the settings
is it. A node that has come back is therefore used again when it is ahead or when the current source fails,
not because it is listed first.
"""

import enum
from collections.abc import Mapping, Sequence

import msgspec

BEHIND_SECONDS = 20.0
# A block travels and is checked within some seconds. A node that is behind for longer has lost its peers.

FAILING_SECONDS = 1.0
# One lost question is no outage, and waiting costs nothing: the work at hand stays good until the next block,
# and the node that has that block first becomes the source at once by its chainwork.

UNCONNECTED_HEADERS = 1
# A header comes before its block: one ahead is the normal moment of a new block.


class TroubleKind(enum.Enum):
    """Why a node supplies no work; one log line is written when it changes."""

    NOT_ASKED = enum.auto()
    UNREACHABLE = enum.auto()
    NODE_ERROR = enum.auto()
    WRONG_CHAIN = enum.auto()
    TEMPLATE_REFUSED = enum.auto()
    INITIAL_DOWNLOAD = enum.auto()
    CATCHING_UP = enum.auto()
    BEHIND = enum.auto()


PASSING_KINDS = frozenset({TroubleKind.UNREACHABLE, TroubleKind.NODE_ERROR})


class Trouble(msgspec.Struct, frozen=True):
    """What is wrong: `text` is a sentence for the operator, `since` in loop seconds."""

    kind: TroubleKind
    text: str
    since: float


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What one node last said of itself, and the trouble in asking it, if there is any."""

    name: str
    trouble: Trouble | None
    has_template: bool = False
    initial_download: bool = False
    blocks: int = 0
    headers: int = 0
    chainwork: int = 0


class Health(msgspec.Struct, frozen=True):
    """The verdict on one node: healthy without trouble. `behind_since` is carried from call to call."""

    trouble: Trouble | None
    behind_since: float | None = None

    @property
    def is_healthy(self) -> bool:
        return self.trouble is None


def assess(
    observations: Sequence[Observation],
    previous: Mapping[str, Health],
    now: float,
    *,
    ignore_initial_download: bool,
) -> dict[str, Health]:
    """The health of every node, by name; `previous` is the last call's result.

    `ignore_initial_download` is for regtest, where the flag tells nothing: it stays set while the tip is
    older than a day, which a private chain's always is before its next block, and nobody else has blocks to
    download.
    """
    own = {seen.name: _own_trouble(seen, now, ignore_initial_download) for seen in observations}
    # A dead node's or a wrong chain's work is no measure: nobody can mine there.
    most_work = max((seen.chainwork for seen in observations if own[seen.name] is None), default=0)
    healths = {}
    for seen in observations:
        before = previous.get(seen.name)
        behind_since = _behind_since(before, seen.chainwork < most_work, now)
        healths[seen.name] = Health(own[seen.name] or _behind(behind_since, now), behind_since)
    return healths


def choose(
    current: str | None, observations: Sequence[Observation], healths: Mapping[str, Health]
) -> str | None:
    """The name of the node that supplies work, or None when no node is fit to."""
    fit = [seen for seen in observations if healths[seen.name].is_healthy]
    if not fit:
        return None
    most_work = max(seen.chainwork for seen in fit)
    names = [seen.name for seen in fit if seen.chainwork == most_work]
    return current if current in names else names[0]


def _own_trouble(seen: Observation, now: float, ignore_initial_download: bool) -> Trouble | None:
    """What is wrong with the node for itself, without a look at the others."""
    trouble = seen.trouble
    if trouble is not None and not (
        trouble.kind in PASSING_KINDS and seen.has_template and now - trouble.since < FAILING_SECONDS
    ):
        return trouble
    if not seen.has_template:
        return Trouble(TroubleKind.NOT_ASKED, "has given no template yet", now)
    if seen.initial_download and not ignore_initial_download:
        text = f"is in its initial block download (block {seen.blocks} of {seen.headers}): wait for its end"
        return Trouble(TroubleKind.INITIAL_DOWNLOAD, text, now)
    if seen.headers - seen.blocks > UNCONNECTED_HEADERS:
        text = f"is catching up: it has block {seen.blocks} of {seen.headers}"
        return Trouble(TroubleKind.CATCHING_UP, text, now)
    return None


def _behind_since(before: Health | None, has_less_work: bool, now: float) -> float | None:
    if not has_less_work:
        return None
    return now if before is None or before.behind_since is None else before.behind_since


def _behind(behind_since: float | None, now: float) -> Trouble | None:
    if behind_since is None or now - behind_since <= BEHIND_SECONDS:
        return None
    text = f"has been behind another node for more than {BEHIND_SECONDS:g} s: has it lost its peers?"
    return Trouble(TroubleKind.BEHIND, text, behind_since)
