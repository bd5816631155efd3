"""Journals to test with: one body of every kind, filled directories, and what damage looks like."""

from pathlib import Path

import pytest

from pool.accounting import journal_entries as kinds
from pool.accounting.journal import Journal
from pool.accounting.journal_lines import Entry
from pool.accounting.journal_reading import JournalDamaged, read_entries

AT_US = 1_700_000_000_000_000
A, B, C = "aa" * 32, "bb" * 32, "cc" * 32
PAYEES = (kinds.PlannedPayee(account="ltc1qa", address="ltc1qb", sats=150_000),)
FACTS = kinds.BlockFacts(
    previous_hash=A,
    source="gateway-0",
    epoch="5eed",
    frame=7,
    found_us=AT_US,
    slot=1_700_000_000,
    account="ltc1qa",
    worker="rig",
    job_id="0001",
    plan_id=None,
    coinbase="0100",
    network_target=f"{2**166:064x}",
    reward_sats=625_000_000,
)
BODIES: tuple[kinds.Body, ...] = (
    kinds.BlockChanged(
        hash=B, height=9, transition=1, from_state="", to_state="candidate", reason="", facts=FACTS
    ),
    kinds.BlockSettled(
        hash=B,
        transition=2,
        round=9,
        scheme="pplns",
        from_slot=10,
        through_slot=20,
        statement_hash=A,
        credits=(kinds.Credit(account="@operator", credit_kind="fee", sats=-5),),
    ),
    kinds.OrphanJoins(hash=B, transition=3, round=9, from_slot=10, through_slot=20, joins_round=11),
    kinds.PaymentPlanned(payment_id=1, fee_payer="payees", payees=PAYEES),
    kinds.PaymentSigned(
        payment_id=1,
        attempt=1,
        txid=C,
        raw="0200",
        inputs=(kinds.SpentOutput(txid=A, output=0, sats=200_000),),
        fee_sats=300,
        weight=561,
        fee_shares=(kinds.FeeShare(account="ltc1qa", sats=300),),
    ),
    kinds.PaymentBroadcast(payment_id=1, attempt=1, txid=C, height=100),
    kinds.PaymentConfirmed(payment_id=1, attempt=1, txid=C, block_hash=A, height=101),
    kinds.PaymentReopened(payment_id=1, to_state="broadcast", reason="reorg"),
    kinds.PaymentAbandoned(payment_id=1, conflicting_txid=None, reason="conflict 100 deep"),
    kinds.PaymentReplaced(
        payment_id=1, txid=B, payees=PAYEES, excess_sats=5, fee_sats=141, reason="bumped by hand"
    ),
    kinds.PaymentSetAside(payment_id=1, reason="the wallet is locked"),
    kinds.PayeeChanged(
        account="ltc1qa", address="ltc1qc", minimum_sats=None, requested_us=1, effective_us=2, proof="op"
    ),
    kinds.HoldPlaced(scope="all", hold_kind="restore", reason="an older database"),
    kinds.HoldReleased(scope="all", hold_kind="restore", reason="all matched"),
    kinds.GapAccepted(source="gateway-0", epoch="5eed", first_frame=5, last_frame=9, reason="disk lost"),
    kinds.AgreementChanged(document="{}"),
    kinds.BuyingChanged(
        is_buying=False,
        marks=(kinds.SourceMark(source="gateway-0", epoch="5eed", frame=9),),
        reason="the reserve is used up",
    ),
    kinds.FeeMeanFixed(hour=472_222, fee_millionths=20_000),
    kinds.BlockLeftOpen(hash=B, reason="its plan is lost"),
    kinds.Adopted(entry=None, txid=C, payees=PAYEES, reason="sent by hand"),
    kinds.JournalBegun(reason="the disk of the journal is gone"),
    kinds.Restored(database_number=3, database_hash=A, reason="backup of yesterday"),
    kinds.Correction(account="ltc1qa", against="@operator", pot="balance", sats=-1, reason="a slip"),
)
HOLD = kinds.HoldPlaced(scope="all", hold_kind="operator", reason="stop")


def filled(directory: Path, bodies: tuple[kinds.Body, ...], rotate_bytes: int = 10**6) -> list[Entry]:
    with Journal.open(directory, rotate_bytes) as journal:
        for position, body in enumerate(bodies):
            journal.append(body, AT_US + position)
        return list(journal.entries())


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.jsonl"))


def damage(directory: Path) -> JournalDamaged:
    """What reading says; opening must say the same, and change nothing."""
    before = [file.read_bytes() for file in files(directory)]
    with pytest.raises(JournalDamaged) as reading:
        list(read_entries(directory))
    with pytest.raises(JournalDamaged) as opening:
        Journal.open(directory)
    assert str(opening.value) == str(reading.value)
    assert [file.read_bytes() for file in files(directory)] == before
    return reading.value
