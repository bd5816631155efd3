"""At start: does the database know all that was paid? Rolls it forward, or holds payouts and says why.

A database that came back from a backup has forgotten payments. The journal writes them into it again, entry
by entry; what the wallet has sent beyond that is named, one line each, and payouts stay on hold until a
person has adopted it.
"""

import asyncio
from collections.abc import Iterable, Mapping

import msgspec

from payouts.wallet import Wallet, WalletSend, WalletUnavailable
from pool.accounting import policy_changes
from pool.accounting.changes import Changes, Position, position
from pool.accounting.holding import hold_everything
from pool.accounting.journal import Journal
from pool.accounting.journal_entries import HoldPlaced, HoldReleased, Restored
from pool.accounting.journal_lines import Entry
from pool.accounting.policy_changes import RESTORED
from pool.accounting.unmatched import Known, Situation, Unmatched, unmatched
from pool.logs.events import LogEvent
from pool.logs.log import Log
from pool.storage.backup import RESTORED_KEY
from pool.storage.database import Database, Reader

log = Log("engineroom.accounting")


class HistoriesDiffer(Exception):
    """Journal and database are not of one history: one line that says what to do. A person is needed."""


class Matching:
    """Compares journal, database and wallet."""

    def __init__(self, journal: Journal, database: Database, changes: Changes) -> None:
        self._journal = journal
        self._database = database
        self._changes = changes
        self._told: set[int | str] = set()  # entries and txids

    async def begin(self, now_us: int) -> None:
        """Before anything else is written: bring the database up to the journal's end.

        Where more than the last entry was missing, payouts are put on hold. Raises HistoriesDiffer.
        """
        found, held = await self._compare(())
        if found.situation is Situation.OTHER_JOURNAL:
            raise HistoriesDiffer(
                f"the database holds journal entry {held.number} as {held.hash[:16]}…, the journal has "
                "another: they are of two histories; put the journal back that belongs to this database"
            )
        if found.situation is Situation.JOURNAL_BEGUN_LATER:
            raise HistoriesDiffer(
                f"the database holds journal entry {held.number}, and the journal was begun anew after a "
                "later one: restore a newer backup, one that was made after that"
            )
        if found.situation is Situation.JOURNAL_BEHIND:
            raise HistoriesDiffer(
                f"the database holds journal entry {held.number}, the journal ends at "
                f"{self._journal.last_number}: "
                "put the newer journal back, or see docs/operations.md, lost journal"
            )
        if found.situation is Situation.OLDER_DATABASE:
            await self._say_older(found, held, now_us)
        count = await self._changes.catch_up()
        if found.situation is Situation.OLDER_DATABASE:
            log.error(LogEvent.JOURNAL_REAPPLIED, entries=count)
        await self._hold_restored(now_us)

    async def _hold_restored(self, now_us: int) -> None:
        """A database that `restore` or a rebuild has filled says so itself, however much it knows."""
        async with self._database.reading() as reader:
            row = await reader.row("SELECT value FROM meta WHERE key = ?", RESTORED_KEY)
        if row is None:
            return
        await self.hold(str(row[0]), now_us)
        async with self._database.writing() as writer:
            await writer.execute("DELETE FROM meta WHERE key = ?", RESTORED_KEY)

    async def _say_older(self, found: Unmatched, held: Position, now_us: int) -> None:
        """The hold stands in the journal before the first entry is written again: a crash on the way leaves
        a database that only looks as if it had never been away."""
        if _is_held_by(found.missing):
            return  # that crash came
        count = len(found.missing)
        reason = f"the database had forgotten {count} journal entries"
        hold = HoldPlaced(scope=policy_changes.EVERYTHING, hold_kind=RESTORED, reason=reason)
        restored = Restored(
            database_number=held.number,
            database_hash=held.hash,
            reason=f"{count} journal entries were missing",
        )
        for body in (hold, restored):
            await asyncio.to_thread(self._journal.append, body, now_us)

    async def look(self, wallet: Wallet | None, now_us: int) -> Unmatched | None:
        """While on hold after a restore: name what matches nothing; release the hold when all is matched.

        None while there is no such hold, or the wallet cannot be asked.
        """
        async with self._database.reading() as reader:
            if not await self._stands(reader):
                return None
        try:
            sends = () if wallet is None else (await wallet.sends_since(None)).sends
        except WalletUnavailable as error:
            log.warning(LogEvent.PAYOUTS_UNMATCHED, error=error)
            return None
        found = await self._unmatched({one.txid: one for one in sends if one.confirmations >= 0})
        self._tell(found)
        if not found.payments and not found.wallet_txids:
            await self._changes.make(
                HoldReleased(
                    scope=policy_changes.EVERYTHING, hold_kind=RESTORED, reason="everything is matched"
                ),
                now_us,
            )
            log.warning(LogEvent.PAYOUTS_MATCHED)
        return found

    async def hold(self, reason: str, now_us: int) -> None:
        """Nothing is paid until `look` finds everything matched."""
        await hold_everything(self._changes, RESTORED, reason, now_us)

    async def forgotten(self, wallet: Wallet, now_us: int) -> str | None:
        """Before a payment: has the wallet paid somebody of ours in a transaction that nobody here knows?

        Then database and journal are both of yesterday, and what was paid since is owed again as far as they
        know: the hold is placed, and why is given back. Sends to strangers are the operator's own affair.
        Raises WalletUnavailable.
        """
        sends = {one.txid: one for one in (await wallet.sends_since(None)).sends if one.confirmations >= 0}
        found = await self._unmatched(sends)
        async with self._database.reading() as reader:
            rows = await reader.rows(
                "SELECT name FROM account UNION SELECT address FROM payee_change "
                "UNION SELECT address FROM payment_item"
            )
        ours = {address for (address,) in rows}
        unknown = [txid for txid in found.wallet_txids if not ours.isdisjoint(sends[txid].addresses)]
        if not unknown:
            return None
        reason = f"the wallet has paid an account in {unknown[0]}, which no payment here explains"
        await self.hold(reason, now_us)
        self._tell(found)
        return reason

    def _tell(self, found: Unmatched) -> None:
        """Names each once; whoever wants the list again asks `payouts adopt`."""
        for one in found.payments:
            if one.number not in self._told:
                log.error(LogEvent.ENTRY_UNMATCHED, entry=one.number, body=str(one.body))
        for txid in found.wallet_txids:
            if txid not in self._told:
                log.error(LogEvent.SEND_UNMATCHED, txid=txid)
        self._told |= {*(one.number for one in found.payments), *found.wallet_txids}

    async def _unmatched(self, sends: Mapping[str, WalletSend]) -> Unmatched:
        """With the wallet's sends by txid. One that has excluded payments is explained by them where it pays
        nobody but their payees."""
        found, _ = await self._compare(tuple(sends))
        unexplained = set(found.wallet_txids)
        async with self._database.reading() as reader:
            for txid, payment_ids in found.conflicts:
                paid = set[str]()
                for number in payment_ids:
                    rows = await reader.rows("SELECT address FROM payment_item WHERE payment_id = ?", number)
                    paid |= {address for (address,) in rows}
                if not set(sends[txid].addresses) <= paid:
                    unexplained.add(txid)
        ordered = tuple(txid for txid in sends if txid in unexplained)
        return msgspec.structs.replace(found, wallet_txids=ordered)

    async def _compare(self, wallet_txids: tuple[str, ...]) -> tuple[Unmatched, Position]:
        async with self._database.reading() as reader:
            held = await position(reader)
            payments = await reader.rows("SELECT id FROM payment")
            explained = await reader.rows(
                "SELECT txid FROM attempt UNION SELECT txid FROM adopted_send "
                "UNION SELECT replaced_by FROM payment WHERE replaced_by IS NOT NULL"
            )
        known = Known(
            number=held.number,
            hash=held.hash,
            payment_ids=frozenset(number for (number,) in payments),
            txids=frozenset(txid for (txid,) in explained),
        )
        found = await asyncio.to_thread(lambda: unmatched(self._journal.entries(), known, wallet_txids))
        return found, held

    async def _stands(self, reader: Reader) -> bool:
        holds = await policy_changes.holds(reader)
        return any(one[:2] == (policy_changes.EVERYTHING, RESTORED) for one in holds)


def _is_held_by(entries: Iterable[Entry]) -> bool:
    """Whether these entries alone leave such a hold standing."""
    stands = False
    for entry in entries:
        if isinstance(entry.body, HoldPlaced | HoldReleased) and entry.body.hold_kind == RESTORED:
            stands = isinstance(entry.body, HoldPlaced)
    return stands
