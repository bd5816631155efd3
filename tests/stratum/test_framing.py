"""Lines out of bytes, however they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.errors import ProtocolViolation
from stratum.framing import LineBuffer


def lines_of(chunks: list[bytes], limit: int = 4096) -> tuple[list[bytes], str | None]:
    buffer = LineBuffer(limit)
    lines: list[bytes] = []
    try:
        for chunk in chunks:
            buffer.feed(chunk)
            while (line := buffer.next_line()) is not None:
                lines.append(line)
    except ProtocolViolation as violation:
        return lines, violation.cause
    return lines, None


def test_three_lines_in_one_segment_come_out_in_order() -> None:
    assert lines_of([b"a\nbc\n\nd"]) == ([b"a", b"bc", b""], None)


def test_one_line_in_many_segments_comes_out_once() -> None:
    assert lines_of([b"", b"{", b"}", b"", b"\n"]) == ([b"{}"], None)


def test_a_carriage_return_alone_ends_no_line() -> None:
    assert lines_of([b"a\rb\r\n"]) == ([b"a\rb\r"], None)


@pytest.mark.parametrize("tail", [b"", b"\n"])
def test_a_line_over_the_cap_is_a_violation_finished_or_not(tail: bytes) -> None:
    assert lines_of([b"ok\n", b"x" * 17 + tail], limit=16) == ([b"ok"], "line_too_long")


def test_a_line_at_the_cap_passes() -> None:
    assert lines_of([b"x" * 16 + b"\n"], limit=16) == ([b"x" * 16], None)


@given(st.binary(max_size=200), st.integers(1, 30))
def test_whole_input_and_byte_by_byte_give_the_same_lines(data: bytes, limit: int) -> None:
    data = data.replace(b"\x00", b"\n")
    single = [data[i : i + 1] for i in range(len(data))]
    assert lines_of([data], limit) == lines_of(single, limit)
