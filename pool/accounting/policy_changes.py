"""Journal entries of what people decide → rows: payees, holds, gaps, adoptions, restores, corrections."""

from collections.abc import Awaitable, Callable

from pool.accounting import buying, fee_means
from pool.accounting.journal_entries import (
    Adopted,
    AgreementChanged,
    Body,
    BuyingChanged,
    Correction,
    FeeMeanFixed,
    GapAccepted,
    HoldPlaced,
    HoldReleased,
    JournalBegun,
    PayeeChanged,
    Restored,
)
from pool.accounting.journal_lines import Entry
from pool.accounting.ledger import ADOPTED_FEE, BALANCE, NETWORK, OPERATOR, PAID, Row, post
from pool.accounting.ledger import Entry as LedgerEntry
from pool.accounting.names import Names
from pool.storage.database import Reader, Writer

EVERYTHING = "all"  # a hold's scope
BY_OPERATOR = "operator"  # a hold's kind: a person has placed it, and ends it
RESTORED = "restored"  # a hold's kind: it ends when everything is matched
SHORT_WALLET = "wallet"  # a hold's kind: it stands while the wallet holds less than is owed


class WrongEntry(TypeError):
    """An entry was handed to the applier of another kind: a bug."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(f"journal entry {entry.number} ({type(entry.body).__name__}) has another applier")


async def _payee_changed(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    if not isinstance(body, PayeeChanged):
        raise WrongEntry(entry)
    # One that was in effect by then stays so, also where nobody looked in between: as in a journal that is
    # applied all at once.
    await take_effect(writer, entry.at_us)
    account = await names.account(writer, body.account, entry.at_us)
    await writer.execute(
        "UPDATE payee_change SET state = 'replaced' WHERE account_id = ? AND state = 'waiting'", account
    )
    await writer.execute(
        "INSERT INTO payee_change (account_id, address, minimum_sats, requested_us, effective_us, proof, "
        "state) VALUES (?, ?, ?, ?, ?, ?, 'waiting')",
        *(account, body.address, body.minimum_sats, body.requested_us, body.effective_us, body.proof),
    )


async def take_effect(writer: Writer, now_us: int) -> int:
    """Let the payee changes whose time has come take effect; how many did."""
    rows = await writer.rows(
        "SELECT id, account_id, address, minimum_sats, effective_us FROM payee_change "
        "WHERE state = 'waiting' AND effective_us <= ? ORDER BY id",
        now_us,
    )
    for number, account, address, minimum_sats, effective_us in rows:
        await writer.execute(
            "INSERT INTO payee (account_id, address, minimum_sats, changed_us) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (account_id) DO UPDATE SET address = excluded.address, "
            "minimum_sats = excluded.minimum_sats, changed_us = excluded.changed_us",
            *(account, address, minimum_sats, effective_us),
        )
        await writer.execute("UPDATE payee_change SET state = 'in effect' WHERE id = ?", number)
    return len(rows)


async def _hold_placed(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    if not isinstance(body, HoldPlaced):
        raise WrongEntry(entry)
    await _hold(writer, body.scope, body.hold_kind, body.reason, entry)


async def _hold(writer: Writer, scope: str, kind: str, reason: str, entry: Entry) -> None:
    await writer.execute(
        "INSERT INTO hold (scope, kind, reason, placed_us, released_us) VALUES (?, ?, ?, ?, NULL)",
        *(scope, kind, reason, entry.at_us),
    )


async def _hold_released(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    if not isinstance(body, HoldReleased):
        raise WrongEntry(entry)
    await writer.execute(
        "UPDATE hold SET released_us = ? WHERE scope = ? AND kind = ? AND released_us IS NULL",
        *(entry.at_us, body.scope, body.hold_kind),
    )


async def holds(reader: Reader) -> list[tuple[str, str, str, int]]:
    """(scope, kind, reason, placed_us) of every hold that stands, oldest first."""
    rows = await reader.rows(
        "SELECT scope, kind, reason, placed_us FROM hold WHERE released_us IS NULL ORDER BY id"
    )
    return [(scope, kind, reason, placed_us) for scope, kind, reason, placed_us in rows]


async def _gap_accepted(writer: Writer, names: Names, entry: Entry) -> None:
    """The frames are given up: the source goes on behind them, or is over where nothing follows.

    A database that was restored has not come to the gap yet. It must not jump there over what it has to
    count again: the gap is remembered, and passed over when its time comes.
    """
    body = entry.body
    if not isinstance(body, GapAccepted):
        raise WrongEntry(entry)
    if body.last_frame < body.first_frame:
        await writer.execute(
            "UPDATE source SET state = 'closed', trouble = NULL WHERE name = ? AND epoch = ? AND mark = ?",
            *(body.source, body.epoch, body.first_frame - 1),
        )
        return
    await writer.execute(
        "INSERT INTO accepted_gap (name, epoch, first_frame, last_frame, reason) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (name, epoch, first_frame) DO UPDATE SET last_frame = excluded.last_frame",
        *(body.source, body.epoch, body.first_frame, body.last_frame, body.reason),
    )
    await writer.execute(
        "UPDATE source SET mark = ?, state = 'live', trouble = NULL "
        "WHERE name = ? AND epoch = ? AND mark >= ? AND mark < ?",
        *(body.last_frame, body.source, body.epoch, body.first_frame - 1, body.last_frame),
    )


async def _agreed(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    if not isinstance(body, AgreementChanged):
        raise WrongEntry(entry)
    await writer.execute(
        "INSERT INTO agreement (since_us, document) VALUES (?, ?) "
        "ON CONFLICT (since_us) DO UPDATE SET document = excluded.document",
        *(entry.at_us, body.document),
    )


async def _buying_changed(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    if not isinstance(body, BuyingChanged):
        raise WrongEntry(entry)
    await buying.write(writer, entry.number, body)


async def _fee_mean_fixed(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    if not isinstance(body, FeeMeanFixed):
        raise WrongEntry(entry)
    await fee_means.write(writer, body)


async def _adopted(writer: Writer, names: Names, entry: Entry) -> None:
    """A send of the wallet that no payment explains: what it paid is taken from those whom it was for.

    A journal entry that is adopted is applied like any other; here it is only noted.
    """
    body = entry.body
    if not isinstance(body, Adopted):
        raise WrongEntry(entry)
    if body.txid is None:
        return
    await writer.execute(
        "INSERT INTO adopted_send (txid, reason, adopted_us) VALUES (?, ?, ?)",
        *(body.txid, body.reason, entry.at_us),
    )
    if not body.payees:
        return  # nobody here was owed it
    rows = []
    for payee in body.payees:
        account = await names.account(writer, payee.account, entry.at_us)
        rows.append(Row(account, BALANCE, "adopted", -payee.sats))
    paid = sum(payee.sats for payee in body.payees)
    system = await names.system(writer, entry.at_us)
    rows.append(Row(system[PAID], BALANCE, "adopted", paid))
    if body.fee_sats:
        rows.append(Row(system[OPERATOR], BALANCE, ADOPTED_FEE, -body.fee_sats))
        rows.append(Row(system[NETWORK], BALANCE, ADOPTED_FEE, body.fee_sats))
    await _post(writer, f"adopted:{body.txid}", rows, entry, body.reason)


async def _restored(writer: Writer, names: Names, entry: Entry) -> None:
    """A fact for the history alone."""


async def _begun(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    if not isinstance(body, JournalBegun):
        raise WrongEntry(entry)
    await _hold(writer, EVERYTHING, RESTORED, f"the journal was lost: {body.reason}", entry)


async def _corrected(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    if not isinstance(body, Correction):
        raise WrongEntry(entry)
    account = await names.account(writer, body.account, entry.at_us)
    against = await names.account(writer, body.against or OPERATOR, entry.at_us)
    rows = [
        Row(account, body.pot, "correction", body.sats),
        Row(against, body.pot, "correction", -body.sats),
    ]
    await _post(writer, f"correction:{entry.number}", rows, entry, body.reason)


async def _post(writer: Writer, key: str, rows: list[Row], entry: Entry, reason: str) -> None:
    await post(writer, LedgerEntry(key=key, rows=tuple(rows), at_us=entry.at_us, reason=reason))


APPLIERS: dict[type[Body], Callable[[Writer, Names, Entry], Awaitable[None]]] = {
    PayeeChanged: _payee_changed,
    HoldPlaced: _hold_placed,
    HoldReleased: _hold_released,
    GapAccepted: _gap_accepted,
    AgreementChanged: _agreed,
    BuyingChanged: _buying_changed,
    FeeMeanFixed: _fee_mean_fixed,
    Adopted: _adopted,
    Restored: _restored,
    JournalBegun: _begun,
    Correction: _corrected,
}
