"""Numbers as people read and write them."""

import pytest

from pool.wording import coins_text, hashrate_from, hashrate_text, span_text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0, "0 H/s"),
        (999, "999 H/s"),
        (999.6, "1 kH/s"),
        (6e14, "600 TH/s"),
        (1.25e18, "1.25 EH/s"),
        (1e22, "1e+04 EH/s"),
    ],
)
def test_a_hashrate_has_three_digits_and_a_unit(rate: float, text: str) -> None:
    assert hashrate_text(rate) == text


@pytest.mark.parametrize(
    ("text", "rate"),
    [("600T", 6e14), ("1.2 PH/s", 1.2e15), ("250k", 2.5e5), ("7", 7), ("3 gh", 3e9), ("1EH/s", 1e18)],
)
def test_a_hashrate_can_be_written_in_any_usual_way(text: str, rate: float) -> None:
    assert hashrate_from(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "-1T", "0", "1e5", "T", "600 T/h", "١T"])
def test_what_is_no_hashrate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="600T"):
        hashrate_from(text)


@pytest.mark.parametrize(
    ("sats", "text"),
    [
        (0, "0.00000000"),
        (1, "0.00000001"),
        (-1, "-0.00000001"),
        (5_000_000_000, "50.00000000"),
        (312_534_567, "3.12534567"),
    ],
)
def test_coins_are_exact(sats: int, text: str) -> None:
    assert coins_text(sats) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.002, "0.002 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7200, "2 hours"),
        (172_800, "2 days"),
        (618_386_400, "19.6 years"),  # 19.595 years of 365.25 days
        (3.15576e11, "10,000 years"),
    ],
)
def test_a_span_is_told_in_the_largest_unit_of_which_there_are_two(seconds: float, text: str) -> None:
    assert span_text(seconds) == text
