"""What the journal and the wallet know and the database does not: whether it is as old as it should be.

Pure: it compares, the accountant acts. An entry is in the journal before its change is in the database, so
after a crash the database may lack exactly one entry, the last; it is rolled forward, and that is all. A
database that lacks more, or that has another history, came from a backup: payouts stay on hold until every
payment entry and every send of the wallet has found its payment, or a person has adopted it.
"""

import enum
from collections.abc import Collection, Iterable

import msgspec

from pool.accounting.journal_entries import (
    Adopted,
    JournalBegun,
    PaymentAbandoned,
    PaymentBroadcast,
    PaymentConfirmed,
    PaymentPlanned,
    PaymentReopened,
    PaymentReplaced,
    PaymentSetAside,
    PaymentSigned,
)
from pool.accounting.journal_lines import Entry

_PaymentBody = (
    PaymentPlanned
    | PaymentSigned
    | PaymentBroadcast
    | PaymentConfirmed
    | PaymentReopened
    | PaymentAbandoned
    | PaymentSetAside
    | PaymentReplaced
)


class Situation(enum.Enum):
    """How the database stands to the journal."""

    EVEN = "even"
    CRASH_WINDOW = "crash window"  # it lacks the last entry alone: roll it forward
    OLDER_DATABASE = "older database"  # it lacks more than one: a backup, or a rebuild
    JOURNAL_BEGUN_LATER = "journal begun later"  # it lacks entries that the journal has lost
    OTHER_JOURNAL = "other journal"  # its last entry has another hash here: two histories
    JOURNAL_BEHIND = "journal behind"  # it knows entries that the journal lacks: an older or a lost journal


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the database holds: its last journal entry (0 and 64 zeros: none), its payments, and the
    transactions that it can explain."""

    number: int
    hash: str
    payment_ids: frozenset[int]
    txids: frozenset[str]


class Unmatched(msgspec.Struct, frozen=True, kw_only=True):
    """What has no counterpart.

    `missing`: entries the database lacks. In a crash window, or in an older database, they are written into
    it in order; where the histories differ, a person looks first.
    `payments`: payment entries whose payment or attempt the database lacks, but not a crash window's one.
    `wallet_txids`: sends that neither database nor journal explains.
    `conflicts`: sends that are known for having excluded payments, (txid, their numbers). They are explained
    as far as they pay nobody but those payments' payees: what these are owed is set apart then.
    `highest_payment_id`: new payments are numbered above it; an older database would use a number twice.
    """

    situation: Situation
    missing: tuple[Entry, ...]
    payments: tuple[Entry, ...]
    wallet_txids: tuple[str, ...]
    conflicts: tuple[tuple[str, tuple[int, ...]], ...]
    highest_payment_id: int

    @property
    def must_hold(self) -> bool:
        """Whether nothing may be paid until what is missing has been written, or somebody has looked."""
        is_ordinary = self.situation in (Situation.EVEN, Situation.CRASH_WINDOW)
        return not is_ordinary or bool(self.payments or self.wallet_txids)


def unmatched(entries: Iterable[Entry], known: Known, wallet_txids: Collection[str] = ()) -> Unmatched:
    """Compare the whole journal, from its first entry, with a database and with the wallet's sends.

    Every payment of the journal must be in the database, however old: not only what is new can be lost.
    `wallet_txids` is displayed hex, in the order in which they are to be named.
    """
    comparison = _Comparison(known)
    for entry in entries:
        comparison.take(entry)
    return comparison.result(wallet_txids)


class _Comparison:
    """What is kept of a journal while it passes by."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._last_number = 0
        self._lost = 0  # the last of the entries that are lost
        self._hash_there = None if known.number else known.hash
        self._missing: list[Entry] = []
        self._payments: list[tuple[int, Entry]] = []
        self._explained = set(known.txids)
        self._conflicts: dict[str, set[int]] = {}
        self._adopted: set[int | None] = set()
        self._highest = max(known.payment_ids, default=0)

    def take(self, entry: Entry) -> None:
        if self._last_number == 0 and isinstance(entry.body, JournalBegun):
            self._lost = entry.number - 1
            if self._lost == self._known.number:
                self._hash_there = entry.previous
        self._last_number = entry.number
        if entry.number == self._known.number:
            self._hash_there = entry.hash
        if entry.number > self._known.number:
            self._missing.append(entry)
        if isinstance(entry.body, _PaymentBody):
            self._highest = max(self._highest, entry.body.payment_id)
            if not self._is_known(entry.body):
                self._payments.append((entry.body.payment_id, entry))
        if isinstance(entry.body, PaymentSigned | PaymentReplaced):
            self._explained.add(entry.body.txid)
        if isinstance(entry.body, PaymentSetAside) and entry.body.conflicting_txid is not None:
            self._conflicts.setdefault(entry.body.conflicting_txid, set()).add(entry.body.payment_id)
        if isinstance(entry.body, Adopted):
            self._adopted.add(entry.body.entry)
            self._explained |= {entry.body.txid} if entry.body.txid else set()

    def result(self, wallet_txids: Collection[str]) -> Unmatched:
        situation = self._situation()
        unexplained = [txid for txid in wallet_txids if txid not in self._explained]
        ordinary = self._missing if situation is Situation.CRASH_WINDOW else []
        # Who adopts one entry of a payment has looked at the payment: the others are not asked for again.
        adopted_ids = {payment_id for payment_id, entry in self._payments if entry.number in self._adopted}
        return Unmatched(
            situation=situation,
            missing=tuple(self._missing),
            payments=tuple(e for id_, e in self._payments if e not in ordinary and id_ not in adopted_ids),
            wallet_txids=tuple(one for one in unexplained if one not in self._conflicts),
            conflicts=tuple(
                (one, tuple(sorted(self._conflicts[one]))) for one in unexplained if one in self._conflicts
            ),
            highest_payment_id=self._highest,
        )

    def _situation(self) -> Situation:
        if self._known.number > self._last_number:
            return Situation.JOURNAL_BEHIND
        if self._known.number < self._lost:
            return Situation.JOURNAL_BEGUN_LATER
        if self._hash_there != self._known.hash:
            return Situation.OTHER_JOURNAL
        if len(self._missing) > 1:
            return Situation.OLDER_DATABASE
        return Situation.CRASH_WINDOW if self._missing else Situation.EVEN

    def _is_known(self, body: _PaymentBody) -> bool:
        if body.payment_id not in self._known.payment_ids:
            return False
        if isinstance(body, PaymentSigned | PaymentBroadcast | PaymentConfirmed):
            return body.txid in self._known.txids
        return True
