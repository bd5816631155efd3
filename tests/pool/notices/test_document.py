"""What docs/notifications.md tells receivers: its example judges real requests, its tables are complete."""

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from config.notice_schema import EVENTS, NotificationSettings
from pool.notices.formats import request_of
from pool.notices.notice import Notice
from tests.config.files import loaded, text_of
from tests.pool.notices.receiving import FINDER, KEY, NETWORK, NOW_US, SECOND_US, block, target

DOCUMENT = (Path(__file__).parents[3] / "docs/notifications.md").read_text("utf-8")
NOW = NOW_US // SECOND_US
OWN = target("own", "webhook", "https://example.org/hook", KEY)


def fenced(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None
    return found[1]


def judged(headers: dict[str, str], body: bytes, *, key: str = KEY, now: float = NOW + 5.0) -> bool:
    """What the document's lines make of a request."""
    names: dict[str, Any] = {"headers": headers, "body": body, "key": key.encode(), "now": now}
    exec(fenced("python"), names)  # noqa: S102  the document's own example
    return bool(names["is_ours"])


def test_its_example_takes_what_the_pool_signed_and_nothing_else() -> None:
    request = request_of(OWN, [block()], NETWORK, NOW)
    assert judged(request.headers, request.body)
    assert not judged(request.headers, request.body + b" ")
    assert not judged(request.headers, request.body, key="another key of the same")
    assert not judged(request.headers, request.body, now=NOW + 301.0)
    assert not judged(request.headers | {"X-Engineroom-Timestamp": str(NOW + 1)}, request.body)


def test_its_vector_is_judged_right_by_its_example() -> None:
    signature = re.search(r"sha256=[0-9a-f]{64}", DOCUMENT)
    assert signature is not None
    headers = {"X-Engineroom-Timestamp": "1800000000", "X-Engineroom-Signature": signature[0]}
    assert judged(headers, b'{"version":1,"id":"test:1800000000000000"}', now=1_800_000_000.0)


def test_its_json_is_what_is_sent() -> None:
    shown = msgspec.json.decode(fenced("json"))
    found = block()
    assert shown["fields"]["account"] == f"{FINDER[:6]}…{FINDER[-6:]}"
    sent = msgspec.json.decode(request_of(OWN, [found], NETWORK, NOW).body)
    shortened = {"hash_hex": found.hash_hex}
    assert shown["fields"] | shortened == sent["fields"]
    long = shown["fields"]["hash_hex"]
    assert {
        name: str(value).replace(long, found.hash_hex) for name, value in shown.items() if name != "fields"
    } == {name: str(value) for name, value in sent.items() if name != "fields"}


@pytest.mark.parametrize("kind", get_args(Notice), ids=lambda kind: kind.__name__)
def test_its_table_names_every_field_of_a_notice(kind: type[msgspec.Struct]) -> None:
    name = str(kind.__struct_config__.tag)
    (row,) = [line for line in DOCUMENT.splitlines() if re.match(rf"\| [^|]*`{name}`[^|]*\|", line)]
    for field in msgspec.structs.fields(kind):
        assert field.name == "at_us" or f"`{field.name}`" in row, f"{name} lacks {field.name}"


def test_it_names_every_setting_and_every_event_and_its_example_loads(tmp_path: Path) -> None:
    for field in msgspec.structs.fields(NotificationSettings):
        assert field.name == "secret" or f"`{field.name}`" in DOCUMENT
    assert all(f"`{event}`" in DOCUMENT for event in EVENTS)
    (phone,) = loaded(tmp_path, text_of(more=fenced("yaml"))).notifications
    assert (phone.kind, len(phone.events)) == ("ntfy", 4)
