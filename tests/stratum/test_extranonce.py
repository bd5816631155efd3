"""extranonce1: unique while anybody holds it."""

import pytest

from stratum.extranonce import COUNTER_VALUES, ExtranonceCounter


def test_values_are_the_gateways_byte_and_a_counter() -> None:
    counter = ExtranonceCounter(gateway=0xAB, start=1)
    assert [counter.take(), counter.take()] == [b"\xab\x00\x00\x01", b"\xab\x00\x00\x02"]


def test_the_counter_wraps_around_values_that_are_held() -> None:
    counter = ExtranonceCounter(gateway=0, start=COUNTER_VALUES - 1)
    last, first = counter.take(), counter.take()
    assert (last, first) == (b"\x00\xff\xff\xff", b"\x00\x00\x00\x00")
    assert last is not None
    counter.release(last)
    assert counter.take() == b"\x00\x00\x00\x01"  # not the one that was just given back


def test_nothing_is_given_out_twice_when_all_are_held() -> None:
    counter = ExtranonceCounter(gateway=0, start=0)
    counter._held = set(range(COUNTER_VALUES))  # 2^24 takes would take a minute
    assert counter.take() is None
    counter.release(b"\x00\x00\x00\x07")
    assert counter.take() == b"\x00\x00\x00\x07"


def test_giving_back_what_is_not_held_is_a_bug() -> None:
    with pytest.raises(KeyError):
        ExtranonceCounter(gateway=0, start=0).release(bytes(4))


def test_a_gateway_number_has_eight_bits() -> None:
    with pytest.raises(ValueError, match="0 to 255"):
        ExtranonceCounter(gateway=256, start=0)
