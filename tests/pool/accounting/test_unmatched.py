"""What the database lacks: the ordinary crash window against a database from a backup."""

from pathlib import Path

import pytest

from pool.accounting.journal import Journal
from pool.accounting.journal_entries import (
    Adopted,
    Body,
    HoldPlaced,
    PaymentBroadcast,
    PaymentPlanned,
    PaymentSetAside,
    PaymentSigned,
    PlannedPayee,
)
from pool.accounting.journal_lines import FIRST_PREVIOUS, Entry
from pool.accounting.unmatched import Known, Situation, unmatched

FIRST, SECOND, STRANGE = "11" * 32, "22" * 32, "33" * 32


def planned(payment_id: int) -> PaymentPlanned:
    payee = PlannedPayee(account="a", address="a", sats=5)
    return PaymentPlanned(payment_id=payment_id, fee_payer="pool", payees=(payee,))


def signed(payment_id: int, txid: str, attempt: int = 1) -> PaymentSigned:
    return PaymentSigned(
        payment_id=payment_id, attempt=attempt, txid=txid, raw="00", inputs=(), fee_sats=1, weight=400
    )


HOLD = HoldPlaced(scope="all", hold_kind="operator", reason="stop")
HISTORY: tuple[Body, ...] = (
    planned(1),
    signed(1, FIRST),
    PaymentBroadcast(payment_id=1, attempt=1, txid=FIRST, height=7),
    HOLD,
    planned(2),
    signed(2, SECOND),
)


def journal_of(directory: Path, *bodies: Body) -> list[Entry]:
    with Journal.open(directory) as journal:
        for body in bodies:
            journal.append(body, 1)
        return list(journal.entries())


def known(entries: list[Entry], number: int, payments: dict[int, tuple[str, ...]]) -> Known:
    return Known(
        number=number,
        hash=entries[number - 1].hash if number else FIRST_PREVIOUS,
        payment_ids=frozenset(payments),
        txids=frozenset(txid for txids in payments.values() for txid in txids),
    )


def test_a_database_that_has_every_entry_is_even(tmp_path: Path) -> None:
    entries = journal_of(tmp_path, *HISTORY)
    found = unmatched(entries, known(entries, 6, {1: (FIRST,), 2: (SECOND,)}), [FIRST, SECOND])
    assert (found.situation, found.missing, found.payments) == (Situation.EVEN, (), ())
    assert (found.wallet_txids, found.highest_payment_id, found.must_hold) == ((), 2, False)


def test_the_last_entry_alone_is_the_crash_window_and_no_reason_to_hold(tmp_path: Path) -> None:
    entries = journal_of(tmp_path, *HISTORY)
    found = unmatched(entries, known(entries, 5, {1: (FIRST,), 2: ()}), [FIRST])
    assert (found.situation, found.missing) == (Situation.CRASH_WINDOW, (entries[5],))
    assert (found.payments, found.must_hold) == ((), False)


def test_more_than_one_entry_is_an_older_database_and_names_its_payments(tmp_path: Path) -> None:
    entries = journal_of(tmp_path, *HISTORY)
    found = unmatched(entries, known(entries, 3, {1: (FIRST,)}), [FIRST, SECOND])
    assert (found.situation, found.missing) == (Situation.OLDER_DATABASE, tuple(entries[3:]))
    assert found.payments == (entries[4], entries[5])
    # The journal explains the wallet's second send, the entry above waits for its payment.
    assert (found.wallet_txids, found.must_hold) == ((), True)
    assert found.highest_payment_id == 2


def test_an_older_database_is_held_even_if_no_payment_is_among_what_it_lacks(tmp_path: Path) -> None:
    entries = journal_of(tmp_path, HOLD, HOLD, HOLD)
    found = unmatched(entries, known(entries, 1, {}))
    assert (found.situation, found.payments, found.must_hold) == (Situation.OLDER_DATABASE, (), True)


def test_a_new_database_beside_an_old_journal_lacks_everything(tmp_path: Path) -> None:
    entries = journal_of(tmp_path, *HISTORY)
    found = unmatched(entries, known(entries, 0, {}))
    assert (found.situation, found.missing) == (Situation.OLDER_DATABASE, tuple(entries))


def test_a_new_database_beside_a_new_journal_is_even() -> None:
    found = unmatched([], known([], 0, {}))
    assert (found.situation, found.must_hold, found.highest_payment_id) == (Situation.EVEN, False, 0)


def test_a_database_that_knows_more_than_the_journal_is_held(tmp_path: Path) -> None:
    entries = journal_of(tmp_path, *HISTORY)
    complete = known(entries, 6, {1: (FIRST,), 2: (SECOND,)})
    found = unmatched(entries[:4], complete)
    assert (found.situation, found.must_hold) == (Situation.JOURNAL_BEHIND, True)
    assert unmatched([], complete).situation is Situation.JOURNAL_BEHIND


def test_another_history_under_the_same_numbers_is_held(tmp_path: Path) -> None:
    entries = journal_of(tmp_path / "ours", *HISTORY)
    others = journal_of(tmp_path / "theirs", HOLD, *HISTORY)
    found = unmatched(others, known(entries, 6, {1: (FIRST,), 2: (SECOND,)}))
    assert (found.situation, found.must_hold) == (Situation.OTHER_JOURNAL, True)


@pytest.mark.parametrize(("payments", "lacking"), [({1: (FIRST,)}, (5, 6)), ({1: (), 2: (SECOND,)}, (2, 3))])
def test_a_payment_or_attempt_that_is_gone_from_an_even_database_is_named_and_held(
    tmp_path: Path, payments: dict[int, tuple[str, ...]], lacking: tuple[int, ...]
) -> None:
    entries = journal_of(tmp_path, *HISTORY)
    found = unmatched(entries, known(entries, 6, payments))
    assert found.situation is Situation.EVEN
    assert tuple(entry.number for entry in found.payments) == lacking
    assert found.must_hold


def test_a_send_of_the_wallet_that_nobody_knows_is_named_and_held(tmp_path: Path) -> None:
    entries = journal_of(tmp_path, *HISTORY)
    found = unmatched(entries, known(entries, 6, {1: (FIRST,), 2: (SECOND,)}), [STRANGE, FIRST])
    assert (found.wallet_txids, found.must_hold) == ((STRANGE,), True)


def test_what_a_person_has_adopted_is_matched_from_then_on(tmp_path: Path) -> None:
    adoptions = (
        Adopted(entry=5, txid=None, payees=(), reason="paid by hand"),
        Adopted(entry=None, txid=STRANGE, payees=(), reason="a gift"),
    )
    entries = journal_of(tmp_path, *HISTORY, *adoptions)
    found = unmatched(entries, known(entries, 8, {1: (FIRST,)}), [STRANGE])
    # Entries 5 and 6 are of the same payment: who has looked at one has looked at the other.
    assert (found.payments, found.wallet_txids, found.must_hold) == ((), (), False)


def test_one_adopted_payment_does_not_excuse_another(tmp_path: Path) -> None:
    adoption = Adopted(entry=5, txid=None, payees=(), reason="paid by hand")
    entries = journal_of(tmp_path, *HISTORY, PaymentSetAside(payment_id=3, reason="locked"), adoption)
    found = unmatched(entries, known(entries, 8, {1: (FIRST,)}))
    assert [entry.number for entry in found.payments] == [7]
    assert found.highest_payment_id == 3
