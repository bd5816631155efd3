"""The vocabulary against the code that speaks it: no event unknown or unused, no field missing, none raw."""

import ast
import re

import pytest

from pool.logs.events import LogEvent
from pool.logs.formats import RESERVED
from tests.pool.logs.calls import Call, log_calls, sources
from tests.pool.logs.page import DOCUMENT, document

CALLS = log_calls()
MADE_BY_THE_HANDLER = {LogEvent.LIBRARY_SPOKE, LogEvent.LINES_LEFT_OUT}
RAW = re.compile(r"(?:^|_)(?:account|address|payee|user|username|password|passphrase|secret|url)$")
TYPES = {"AddressText", "UserText", "UrlText", "Secret"}
FIELDS_BY_TYPE = {
    "account": "AddressText",
    "address": "AddressText",
    "user": "UserText",
    "database": "UrlText",
    "endpoint": "UrlText",
}


def where(call: Call) -> str:
    return call.where


def test_there_are_calls_to_look_at() -> None:
    assert len(CALLS) > 80


@pytest.mark.parametrize("call", CALLS, ids=where)
def test_a_call_names_an_event_and_has_exactly_its_fields(call: Call) -> None:
    assert call.event in LogEvent.__members__, f"{call.where} names no event"
    assert call.is_exact, f"{call.where}: fields that nobody can read from the source"
    assert set(call.fields) == set(LogEvent[call.event].value.fields), call.where
    assert call.levels, f"{call.where}: its level cannot be read from the source"


@pytest.mark.parametrize("event", LogEvent, ids=lambda event: event.name)
def test_every_event_is_said_somewhere(event: LogEvent) -> None:
    assert event in MADE_BY_THE_HANDLER or any(call.event == event.name for call in CALLS)


@pytest.mark.parametrize("event", LogEvent, ids=lambda event: event.name)
def test_an_entry_is_in_order(event: LogEvent) -> None:
    entry = event.value
    assert re.fullmatch(r"[A-Z]+(?:_[A-Z]+)+", event.name), "noun and verb, in JSON in small letters"
    assert entry.meaning.endswith(".")
    assert "|" not in entry.meaning, "it stands in a table"
    assert set(entry.cause) <= set(entry.fields)
    assert not set(entry.fields) & set(RESERVED)
    assert not set(entry.also) & {name for name in entry.fields if f"{{{name}" in entry.sentence}


@pytest.mark.parametrize("call", CALLS, ids=where)
def test_what_is_to_be_redacted_is_handed_over_as_its_type(call: Call) -> None:
    for name, value in call.fields.items():
        assert not raw_names(value), f"{call.where}: {name} is handed over raw"
        expected = FIELDS_BY_TYPE.get(name)
        if expected is not None:
            assert isinstance(value, ast.Call), f"{call.where}: {name} is no {expected}"
            assert isinstance(value.func, ast.Name), f"{call.where}: {name} is no {expected}"
            assert value.func.id == expected, f"{call.where}: {name} is no {expected}"


def raw_names(value: ast.expr) -> list[str]:
    """Names and attributes in an expression that are called like a secret, outside of a redacting type."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in TYPES:
        return []
    name = value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else ""
    found = [name] if RAW.search(name) else []
    for child in ast.iter_child_nodes(value):
        if isinstance(child, ast.expr):
            found += raw_names(child)
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("found.account", ["account"]),
        ("f'{item.address}: no'", ["address"]),
        ("str(self._url)", ["_url"]),
        ("AddressText(found.account)", []),
        ("accounts", []),
        ("UserText(candidate.user)", []),
    ],
)
def test_raw_names_are_found_wherever_they_stand(source: str, expected: list[str]) -> None:
    assert raw_names(ast.parse(source, mode="eval").body) == expected


def test_nobody_else_logs() -> None:
    """Outside of `pool/logs` the library is there for its levels; the demo silences it."""
    for name, module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "logging":
                is_demo = (name, node.attr) == ("pool/demo/run.py", "getLogger")
                assert node.attr.isupper() or is_demo, f"{name}:{node.lineno}: logging.{node.attr}"


def test_the_document_has_the_table_of_today() -> None:
    assert DOCUMENT.read_text() == document(), "run `make reference`"
