"""The metrics and matchers that PromQL uses; it reads tokens and checks no grammar: Prometheus does that."""

import re
from collections.abc import Iterator
from typing import NamedTuple

TOKENS = re.compile(
    r"""
      (?P<space>\s+|\#[^\n]*)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    | (?P<range>\[[^\]]*\])                           # [5m], [1h:30s]: durations, and a colon that is no name
    | (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?![\w:]))  # 5m, 1h30m
    | (?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
    | (?P<operator>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){},@])
    """,
    re.VERBOSE,
)
# Written in any case, unlike the names of functions and metrics.
LABEL_LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
WORDS = {"and", "or", "unless", "atan2", "bool", "offset", "inf", "nan"}


class PromqlError(ValueError):
    """An expression whose metrics cannot be told from its text."""


class Expression(NamedTuple):
    """PromQL as it goes to Prometheus, and where it stands, for a test to say so."""

    where: str
    text: str


class Matcher(NamedTuple):
    """One condition on a label of a metric, as in metric{label=~"value"}."""

    metric: str
    label: str
    operator: str
    value: str


class _Token(NamedTuple):
    kind: str
    text: str


def metric_names(expression: str) -> set[str]:
    """Every metric that is selected, {__name__="…"} included; PromqlError where a pattern selects by name."""
    names: set[str] = set()
    tokens = [token for token in _tokens(expression) if token.kind != "space"]
    tokens.append(_Token("end", ""))
    at = 0
    while tokens[at].kind != "end":
        token, following = tokens[at], tokens[at + 1]
        at += 1
        if token.text == "{":
            at = _skip(tokens, at, "}", names)
        elif token.kind != "name":
            continue
        elif token.text.lower() in LABEL_LISTS:
            if following.text == "(":
                at = _skip(tokens, at + 1, ")", None)
        elif token.text.lower() not in WORDS and not _is_called(following):
            names.add(token.text)
    return names


def matchers(expression: str) -> list[Matcher]:
    """All conditions on labels of metrics that are named in front of them, in their order."""
    found = []
    tokens = [token for token in _tokens(expression) if token.kind != "space"]
    metric, is_inside = "", False
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if token.text == "{":
            metric, is_inside = before.text, True
        elif token.text == "}":
            is_inside = False
        elif is_inside and token.kind == "operator" and after.kind == "string":
            found.append(Matcher(metric, before.text, token.text, after.text[1:-1]))
    return found


def _is_called(following: _Token) -> bool:
    """A function or an aggregation: `rate(…)`, `sum(…)`, `sum by (site) (…)`."""
    return following.text == "(" or following.text.lower() in {"by", "without"}


def _skip(tokens: list[_Token], at: int, closing: str, names: set[str] | None) -> int:
    """The place after a list of labels or matchers; a matcher of the metric's name is noted in `names`."""
    while tokens[at].text != closing:
        if tokens[at].kind == "end":
            raise PromqlError(f"{closing} is missing")
        if tokens[at].text == "__name__" and names is not None:
            if tokens[at + 1].text != "=":
                raise PromqlError(f"__name__{tokens[at + 1].text}{tokens[at + 2].text} may be any metric")
            names.add(tokens[at + 2].text[1:-1])
        at += 1
    return at + 1


def _tokens(expression: str) -> Iterator[_Token]:
    at = 0
    while at < len(expression):
        match = TOKENS.match(expression, at)
        if match is None:
            raise PromqlError(f"not PromQL from here on: {expression[at : at + 40]!r}")
        yield _Token(str(match.lastgroup), match[0])
        at = match.end()
