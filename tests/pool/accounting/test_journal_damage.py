"""Damage to the journal: a torn tail is cut, everything else is named and left as it is."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.accounting.journal import Journal
from pool.accounting.journal_lines import FIRST_PREVIOUS, MOST_LINE_BYTES
from pool.accounting.journal_reading import JournalDamaged, JournalError, JournalNewer, read_entries
from tests.pool.accounting.journals import AT_US, BODIES, HOLD, damage, files, filled


def test_a_torn_last_line_is_cut_wherever_it_was_torn(tmp_path: Path) -> None:
    entries = filled(tmp_path, BODIES[:3])
    file = files(tmp_path)[0]
    whole = file.read_bytes()
    third = whole.rindex(b"\n", 0, -1) + 1
    for end in range(third, len(whole)):
        file.write_bytes(whole[:end])
        # Only the newline is lacking: the entry is whole, and is not thrown away.
        kept = 3 if end == len(whole) - 1 else 2
        assert list(read_entries(tmp_path)) == entries[:kept]
        with Journal.open(tmp_path) as journal:
            assert (journal.last_number, journal.last_hash) == (kept, entries[kept - 1].hash)
        assert file.read_bytes() == (whole if kept == 3 else whole[:third])


def test_after_a_cut_the_chain_goes_on(tmp_path: Path) -> None:
    filled(tmp_path, BODIES[:3])
    file = files(tmp_path)[0]
    file.write_bytes(file.read_bytes()[:-5])
    with Journal.open(tmp_path) as journal:
        assert journal.append(HOLD, AT_US) == 3
    assert [entry.body for entry in read_entries(tmp_path)] == [*BODIES[:2], HOLD]


def test_zeros_that_a_power_cut_left_behind_are_cut(tmp_path: Path) -> None:
    filled(tmp_path, BODIES[:2])
    with files(tmp_path)[0].open("ab") as file:
        file.write(bytes(4096))
    with Journal.open(tmp_path) as journal:
        assert journal.last_number == 2


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    filled(tmp_path, (HOLD, HOLD))
    file = files(tmp_path)[0]
    whole = file.read_bytes()
    second = whole.index(b"\n") + 1
    for position in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << bit
            file.write_bytes(flipped)
            with pytest.raises(JournalDamaged) as found:
                list(read_entries(tmp_path))
            assert found.value.file == file
            # A newline is part of the line that it ends; a byte that became one splits its line.
            assert found.value.offset == (0 if position < second else second)
    file.write_bytes(whole[:-1] + b"\x0b")
    damage(tmp_path)  # opening does not take it for a torn tail either


@given(position=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_in_whichever_file_it_is(
    tmp_path_factory: pytest.TempPathFactory, position: int, bit: int
) -> None:
    directory = tmp_path_factory.mktemp("journal")
    filled(directory, BODIES, rotate_bytes=1500)
    whole = b"".join(file.read_bytes() for file in files(directory))
    position %= len(whole)
    for file in files(directory):
        content = bytearray(file.read_bytes())
        if position < len(content):
            content[position] ^= 1 << bit
            file.write_bytes(content)
            break
        position -= len(content)
    error = damage(directory)
    assert error.file == file
    assert error.offset <= position


def drop_second(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2]]


def repeat_first(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[0], *lines[1:]]


def exchange(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1]]


def empty_line(lines: list[bytes]) -> list[bytes]:
    return [lines[0], b"\n", *lines[1:]]


@pytest.mark.parametrize("change", [drop_second, repeat_first, exchange, empty_line])
def test_lines_taken_out_put_in_or_exchanged_are_noticed(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    filled(tmp_path, BODIES[:3])
    file = files(tmp_path)[0]
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(change(lines)))
    error = damage(tmp_path)
    assert (error.file, error.line, error.offset) == (file, 2, len(lines[0]))
    assert f"{file}, line 2 (byte {len(lines[0])}): " in str(error)


def test_a_line_exchanged_for_a_sealed_one_is_noticed_in_the_next_line(tmp_path: Path) -> None:
    filled(tmp_path / "a", (HOLD, HOLD, HOLD))
    with Journal.open(tmp_path / "b") as other:
        other.append(HOLD, AT_US + 99)
    file, foreign = files(tmp_path / "a")[0], files(tmp_path / "b")[0]
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(foreign.read_bytes() + b"".join(lines[1:]))
    error = damage(tmp_path / "a")
    assert (error.line, error.reason) == (2, "it does not follow from the entry before it")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    filled(tmp_path, (HOLD,) * 6, rotate_bytes=800)
    files(tmp_path)[1].unlink()
    assert damage(tmp_path).file == tmp_path / "journal-000002.jsonl"


def test_a_file_that_ends_within_a_line_is_torn_only_if_it_is_the_last(tmp_path: Path) -> None:
    filled(tmp_path, (HOLD,) * 6, rotate_bytes=800)
    first = files(tmp_path)[0]
    whole = first.read_bytes()
    for end in (len(whole) - 1, len(whole) - 9):
        first.write_bytes(whole[:end])
        assert damage(tmp_path).file == first


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    filled(tmp_path, (HOLD,))
    with files(tmp_path)[0].open("ab") as file:
        file.truncate(MOST_LINE_BYTES * 3)
    assert damage(tmp_path).reason == "longer than any entry"


def sealed_by_hand(document: dict[str, object]) -> bytes:
    text = msgspec.json.encode(document)[:-1]
    return text + b',"hash":"' + hashlib.sha256(text).hexdigest().encode() + b'"}\n'


def test_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    line = sealed_by_hand({"version": 2, "number": 1, "something": "new"})
    (tmp_path / "journal-000001.jsonl").write_bytes(line)
    with pytest.raises(JournalNewer, match="journal version 2, known: 1"):
        Journal.open(tmp_path)
    assert files(tmp_path)[0].read_bytes() == line


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "hold_placed", "scope": "all", "hold_kind": "a", "reason": "b", "sats": 5},
        {"kind": "gift"},
        {"kind": "payment_planned", "payment_id": 1, "fee_payer": "pool", "payees": [["a", "b", -1]]},
    ],
)
def test_what_is_not_understood_is_not_skipped(tmp_path: Path, body: dict[str, object]) -> None:
    document = {"version": 1, "number": 1, "at_us": 1, "previous": FIRST_PREVIOUS, "body": body}
    (tmp_path / "journal-000001.jsonl").write_bytes(sealed_by_hand(document))
    assert "it is no entry" in damage(tmp_path).reason


def test_a_damaged_journal_gives_its_lock_back(tmp_path: Path) -> None:
    filled(tmp_path, (HOLD,))
    file = files(tmp_path)[0]
    whole = file.read_bytes()
    file.write_bytes(b"x" + whole)
    damage(tmp_path)
    file.write_bytes(whole)
    Journal.open(tmp_path).close()


def test_every_error_is_a_journal_error_with_one_line(tmp_path: Path) -> None:
    filled(tmp_path, (HOLD,))
    files(tmp_path)[0].write_bytes(b"{}\n")
    with pytest.raises(JournalError) as found:
        Journal.open(tmp_path)
    assert "\n" not in str(found.value)
