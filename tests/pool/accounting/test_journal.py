"""The journal: what is acknowledged stays, is read back as it was, and only one process appends."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.accounting import journal_entries as kinds
from pool.accounting.journal import Journal
from pool.accounting.journal_lines import FIRST_PREVIOUS, MOST_LINE_BYTES, BadLine
from pool.accounting.journal_reading import JournalInUse, JournalUnwritable, read_entries
from tests.pool.accounting.journals import AT_US, BODIES, HOLD, files, filled


def test_every_kind_of_entry_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    assert {type(body) for body in BODIES} == set(typing.get_args(kinds.Body))
    filled(tmp_path, BODIES)
    entries = list(read_entries(tmp_path))
    assert [entry.body for entry in entries] == list(BODIES)
    assert [entry.number for entry in entries] == list(range(1, len(BODIES) + 1))
    assert [entry.at_us for entry in entries] == [AT_US + position for position in range(len(BODIES))]


@given(reason=st.text(), sats=st.integers(-(2**63) + 1, 2**63 - 1))
def test_any_text_and_any_amount_that_fits_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, reason: str, sats: int
) -> None:
    body = kinds.Correction(account="a", against="b", pot="balance", sats=sats, reason=reason)
    entries = filled(tmp_path_factory.mktemp("journal"), (body,))
    assert [entry.body for entry in entries] == [body]


def test_a_line_is_json_sealed_by_its_hash_and_chained_to_the_line_before(tmp_path: Path) -> None:
    filled(tmp_path, BODIES[:3])
    previous = FIRST_PREVIOUS
    for number, line in enumerate(files(tmp_path)[0].read_bytes().splitlines(), start=1):
        document = json.loads(line)
        assert (document["version"], document["number"], document["previous"]) == (1, number, previous)
        previous = hashlib.sha256(line[: line.rindex(b',"hash":')]).hexdigest()
        assert document["hash"] == previous


def test_entries_after_a_number_and_the_last_one_are_known_again_after_opening(tmp_path: Path) -> None:
    entries = filled(tmp_path, BODIES)
    with Journal.open(tmp_path) as journal:
        assert (journal.last_number, journal.last_hash) == (len(BODIES), entries[-1].hash)
        assert list(journal.entries(after=15)) == entries[15:]
        assert journal.append(HOLD, AT_US) == len(BODIES) + 1
    assert [entry.number for entry in read_entries(tmp_path, after=len(BODIES) - 1)] == [
        len(BODIES),
        len(BODIES) + 1,
    ]


def test_an_empty_journal_has_no_entries_and_says_so(tmp_path: Path) -> None:
    assert list(read_entries(tmp_path / "none")) == []
    with Journal.open(tmp_path / "deep" / "journal") as journal:
        assert (journal.last_number, journal.last_hash) == (0, FIRST_PREVIOUS)
        assert list(journal.entries()) == []


def test_files_rotate_between_entries(tmp_path: Path) -> None:
    entries = filled(tmp_path, (HOLD,) * 10, rotate_bytes=800)
    # A line of this entry has 285 bytes, from entry 10 on 286: two fit into 800, three do not.
    assert [file.name for file in files(tmp_path)] == [f"journal-00000{n}.jsonl" for n in range(1, 6)]
    assert all(len(file.read_bytes().splitlines()) == 2 for file in files(tmp_path))
    assert list(read_entries(tmp_path)) == entries
    with Journal.open(tmp_path, 800) as journal:
        assert journal.append(HOLD, AT_US) == 11
    assert len(files(tmp_path)) == 6


def test_entries_after_any_number_are_the_same_from_whichever_file_they_come(tmp_path: Path) -> None:
    entries = filled(tmp_path, BODIES, rotate_bytes=1200)
    assert len(files(tmp_path)) > 4
    with Journal.open(tmp_path, 1200) as journal:
        for after in range(len(BODIES) + 2):
            assert list(journal.entries(after)) == entries[after:]
        journal.append(HOLD, AT_US)
        entries = list(journal.entries())
        assert list(journal.entries(len(BODIES))) == entries[-1:]
        for after in range(len(entries) + 1):
            assert list(journal.entries(after)) == entries[after:]


def test_an_entry_larger_than_a_file_gets_a_file_of_its_own(tmp_path: Path) -> None:
    filled(tmp_path, (HOLD, HOLD), rotate_bytes=10)
    assert len(files(tmp_path)) == 2


def test_a_crash_right_after_a_new_file_was_made_leaves_a_sound_journal(tmp_path: Path) -> None:
    filled(tmp_path, (HOLD,))
    (tmp_path / "journal-000002.jsonl").touch()
    with Journal.open(tmp_path) as journal:
        assert journal.append(HOLD, AT_US) == 2
    assert [len(file.read_bytes().splitlines()) for file in files(tmp_path)] == [1, 1]


@pytest.mark.parametrize(
    "body",
    [
        kinds.Correction(account="a", against="b", pot="balance", sats=2**63, reason=""),
        kinds.PaymentSetAside(payment_id=-1, reason=""),
        kinds.HoldPlaced(scope="all", hold_kind="x", reason="\ud800"),
        kinds.HoldPlaced(scope="all", hold_kind="x", reason="x" * MOST_LINE_BYTES),
        kinds.PaymentPlanned(payment_id=1, fee_payer="pool", payees=[]),  # type: ignore[arg-type]
    ],
)
def test_a_body_that_could_not_be_read_back_is_not_written(tmp_path: Path, body: kinds.Body) -> None:
    with Journal.open(tmp_path) as journal:
        with pytest.raises(BadLine):
            journal.append(body, AT_US)
        assert journal.append(HOLD, AT_US) == 1
    assert [entry.body for entry in read_entries(tmp_path)] == [HOLD]


def test_a_second_appender_is_refused_until_the_first_has_closed(tmp_path: Path) -> None:
    with Journal.open(tmp_path) as journal:
        journal.append(HOLD, AT_US)
        with pytest.raises(JournalInUse, match="another process appends"):
            Journal.open(tmp_path)
        assert len(list(read_entries(tmp_path))) == 1  # a reader asks for no lock
    with Journal.open(tmp_path) as journal:
        assert journal.last_number == 1


def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.close()
    journal.close()
    with pytest.raises(JournalUnwritable, match="closed"):
        journal.append(HOLD, AT_US)


PRELUDE = """
import os, resource, sys
from pathlib import Path
from pool.accounting.journal import Journal
from pool.accounting.journal_entries import HoldPlaced
from pool.accounting.journal_reading import JournalUnwritable, JournalInUse
directory = Path(sys.argv[1])
body = HoldPlaced(scope="all", hold_kind="operator", reason="stop")
"""
APPENDS_FOR_EVER = """
journal = Journal.open(directory, 4096)
while True:
    print(journal.append(body, 1), flush=True)
"""
MEETS_A_FULL_DISK = """
journal = Journal.open(directory)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
taken = 0
try:
    while True:
        taken = journal.append(body, 1)
except JournalUnwritable as error:
    print(taken, journal.last_number, os.path.getsize(directory / "journal-000001.jsonl") <= 1000, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(journal.append(body, 2))
"""
LOSES_ITS_DESCRIPTORS = """
journal = Journal.open(directory)
journal.append(body, 1)
os.closerange(3, 100)
for _ in range(2):
    try:
        journal.append(body, 1)
    except JournalUnwritable as error:
        print(journal.last_number, error)
"""


def child(script: str, directory: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, str(directory)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("acknowledged", [1, 2, 17, 60])
def test_what_was_acknowledged_survives_sigkill_and_so_does_the_lock_for_others(
    tmp_path: Path, acknowledged: int
) -> None:
    with child(APPENDS_FOR_EVER, tmp_path) as process:
        assert process.stdout is not None
        for number in range(1, acknowledged + 1):
            assert int(process.stdout.readline()) == number
        with pytest.raises(JournalInUse):
            Journal.open(tmp_path)
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().splitlines()
    last = int(rest[-1]) if rest else acknowledged
    with Journal.open(tmp_path) as journal:
        # One more may be there: written, and not yet acknowledged when the process died.
        assert last <= journal.last_number <= last + 1
        assert len(list(journal.entries())) == journal.last_number


def test_on_a_full_disk_the_entry_is_refused_and_taken_back_and_later_ones_are_taken(tmp_path: Path) -> None:
    with child(MEETS_A_FULL_DISK, tmp_path) as process:
        assert process.stdout is not None
        refused, later = process.stdout.read().splitlines()
    taken, last, fits, message = refused.split(" ", 3)
    # A line of this entry has 270 bytes here: three fit into 1000, four do not.
    assert (taken, last, fits) == ("3", "3", "True")
    assert message.startswith(f"{tmp_path}/journal-000001.jsonl cannot be written: [Errno 27]")
    assert later == "4"
    assert [entry.at_us for entry in read_entries(tmp_path)] == [1, 1, 1, 2]


def test_a_journal_that_can_neither_write_nor_take_back_refuses_everything(tmp_path: Path) -> None:
    with child(LOSES_ITS_DESCRIPTORS, tmp_path) as process:
        assert process.stdout is not None
        first, second = process.stdout.read().splitlines()
    for line in (first, second):
        assert line.startswith("1 ")
        assert "nothing more is taken until a restart" in line
    with Journal.open(tmp_path) as journal:
        assert journal.last_number == 1


def test_a_folder_that_cannot_take_a_new_file_refuses_the_entry(tmp_path: Path) -> None:
    with Journal.open(tmp_path, rotate_bytes=10) as journal:
        journal.append(HOLD, AT_US)
        (tmp_path / "journal-000002.jsonl").write_text("somebody else's")
        with pytest.raises(JournalUnwritable, match="holds something already"):
            journal.append(HOLD, AT_US)
        (tmp_path / "journal-000002.jsonl").unlink()
        assert journal.append(HOLD, AT_US) == 2
