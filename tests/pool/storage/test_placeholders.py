"""Placeholders of PostgreSQL from those of SQLite."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.storage.placeholders import numbered


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", "SELECT 1"),
        ("VALUES (?, ?, ?)", "VALUES ($1, $2, $3)"),
        ("a = '?' AND b = ?", "a = '?' AND b = $1"),
        ("a = 'it''s ?' AND b = ?", "a = 'it''s ?' AND b = $1"),
        ("a = '' AND b = ? AND c = '?'", "a = '' AND b = $1 AND c = '?'"),
        ('"odd?name" = ?', '"odd?name" = $1'),
        ("? -- why?\n, ?", "$1 -- why?\n, $2"),
        ("? /* a? \n b? */ ?", "$1 /* a? \n b? */ $2"),
        ("'-- ?', ?", "'-- ?', $1"),
    ],
)
def test_placeholders_are_numbered_outside_of_literals_names_and_comments(sql: str, expected: str) -> None:
    assert numbered(sql) == expected


@given(st.lists(st.sampled_from(["?", "'a?'", "''", '"b?"', "x", "/* ? */", " "]), max_size=30))
def test_any_mixture_has_as_many_numbers_as_bare_placeholders(parts: list[str]) -> None:
    text = " ".join(parts)
    for number in range(1, parts.count("?") + 1):
        assert f"${number}" in numbered(text)
    assert f"${parts.count('?') + 1}" not in numbered(text)
