"""Notices: what has happened, as values that can be stored; how they are worded and sent is elsewhere.

A notice's id follows from what happened and not from when it was noticed: whoever reads the accounts again
after a crash makes the same id, and what has that id already is sent no second time. Hashes are hex as they
are displayed, amounts satoshis, times microseconds since 1970.
"""

import enum
import hashlib
import re
from typing import Literal

import msgspec


class NoticeKind(enum.StrEnum):
    """The values are what settings, stored notices and webhooks call them."""

    BLOCK_FOUND = "block_found"
    BLOCK_ORPHANED = "block_orphaned"
    INCIDENT = "incident"
    INCIDENT_OVER = "incident_over"
    PAYMENT_SENT = "payment_sent"
    PAYEE_CHANGE = "payee_change"
    NODE_DOWN = "node_down"
    NODE_BACK = "node_back"
    TEST = "test"


RANKS: dict[NoticeKind, int] = {
    NoticeKind.PAYEE_CHANGE: 3,  # it may be a theft, and only who reads it in time can stop it
    NoticeKind.BLOCK_FOUND: 3,
    NoticeKind.BLOCK_ORPHANED: 3,
    NoticeKind.NODE_DOWN: 3,  # nothing is mined meanwhile
    NoticeKind.PAYMENT_SENT: 2,
    NoticeKind.INCIDENT: 2,
    NoticeKind.NODE_BACK: 1,
    NoticeKind.INCIDENT_OVER: 1,
    NoticeKind.TEST: 0,
}
"""What is worth most when there is no room for all, the highest number first."""


def _kind_of(class_name: str) -> str:
    """`BlockFound` → `block_found`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", class_name).lower()


class _Notice(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=_kind_of):
    at_us: int

    @property
    def kind(self) -> NoticeKind:
        """What sort of thing has happened."""
        return NoticeKind(_kind_of(type(self).__name__))

    @property
    def rank(self) -> int:
        """How much it is worth: see RANKS."""
        return RANKS[self.kind]

    @property
    def key(self) -> str:
        """What makes it one of its kind."""
        raise NotImplementedError

    @property
    def id(self) -> str:
        """The same for the same happening, whenever and however often it is noticed."""
        return f"{self.kind}:{self.key}"


class BlockFound(_Notice, frozen=True, kw_only=True):
    """A block of ours stands in the chain. `account` is the finder's address, None where no authorised name
    stood behind it; `returned` is the number of the change where it was taken for lost before."""

    hash_hex: str
    height: int
    reward_sats: int
    found_us: int
    account: str | None
    worker: str
    returned: int | None = None

    @property
    def key(self) -> str:
        return self.hash_hex if self.returned is None else f"{self.hash_hex}:{self.returned}"


class BlockOrphaned(_Notice, frozen=True, kw_only=True):
    """Another block stands in its place. `transition` is the number of that change: it may return and be
    lost again."""

    hash_hex: str
    height: int
    reward_sats: int
    account: str | None
    worker: str
    transition: int
    reason: str

    @property
    def key(self) -> str:
        return f"{self.hash_hex}:{self.transition}"


class Incident(_Notice, frozen=True, kw_only=True):
    """Something is wrong in a group of machines. `incident_id` is its maker's name for this one time that it
    happens; `what` is one line for people, without addresses; `group` "" where it concerns none."""

    incident_id: str
    what: str
    group: str = ""
    machines: int = 0

    @property
    def key(self) -> str:
        return self.incident_id


class IncidentOver(Incident, frozen=True, kw_only=True):
    """It is over; with the incident's own id."""

    began_us: int


class PaymentSent(_Notice, frozen=True, kw_only=True):
    """A payment's transaction was handed to the network. `sats` leave the balances of `payees` accounts;
    `fee_sats` go to miners. From attempt 2 on it takes the place of the one before, with more fee."""

    payment_id: int
    txid: str
    attempt: int
    payees: int
    sats: int
    fee_sats: int

    @property
    def key(self) -> str:
        return f"{self.payment_id}:{self.txid}"


class PayeeChange(_Notice, frozen=True, kw_only=True):
    """An account is to be paid elsewhere, or from another amount on, as of `effective_us`. `minimum_sats`
    None is the minimum of all."""

    account: str
    address: str
    minimum_sats: int | None
    effective_us: int
    asked_by: Literal["operator", "signature"]

    @property
    def key(self) -> str:
        whose = hashlib.sha256(self.account.encode()).hexdigest()[:16]  # an id goes where addresses do not
        return f"{whose}:{self.at_us}"


class NodeDown(_Notice, frozen=True, kw_only=True):
    """A node gives no work. `at_us` is when that began."""

    node: str
    reason: str

    @property
    def key(self) -> str:
        return f"{self.node}:{self.at_us}"


class NodeBack(_Notice, frozen=True, kw_only=True):
    """It gives work again; `down_us` is when it had stopped."""

    node: str
    down_us: int

    @property
    def key(self) -> str:
        return f"{self.node}:{self.down_us}"


class Test(_Notice, frozen=True, kw_only=True):
    """Nothing has happened: somebody wants to see whether notices arrive."""

    __test__ = False  # for pytest, which collects whatever begins with Test

    @property
    def key(self) -> str:
        return str(self.at_us)


Notice = (
    BlockFound
    | BlockOrphaned
    | Incident
    | IncidentOver
    | PaymentSent
    | PayeeChange
    | NodeDown
    | NodeBack
    | Test
)
