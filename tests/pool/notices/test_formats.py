"""The request that each kind of target gets."""

import email.header

import msgspec
import pytest

from pool.notices.formats import encoded, request_of, signature
from pool.notices.notice import Test
from tests.pool.notices.receiving import (
    BOT_TOKEN,
    CHANGE,
    FINDER,
    KEY,
    NETWORK,
    NOW_US,
    NTFY_TOKEN,
    PAYEE,
    SECRETS,
    block,
    incidents,
    target,
)

NOW = 1_800_000_000
OWN = target("own", "webhook", "https://example.org/hook", KEY)
PHONE = target("phone", "ntfy", "https://ntfy.sh/topic", NTFY_TOKEN)
CHAT = target("chat", "telegram", "https://api.telegram.org", BOT_TOKEN, chat_id=-100)


def test_a_signature_is_the_one_that_openssl_computes() -> None:
    """printf %s '1800000000.{"version":1,"id":"test:1800000000000000"}' |
    openssl dgst -sha256 -hmac 'correct horse battery staple'"""
    found = signature(KEY.encode(), NOW, b'{"version":1,"id":"test:1800000000000000"}')
    assert found == "0d7fffaac6f6f77c55bc7611069c2fac244aca83ee5d2d930fca0a02280f0e9b"


def test_a_webhook_gets_all_fields_and_short_addresses() -> None:
    request = request_of(OWN, [CHANGE], NETWORK, NOW)
    assert (request.method, request.url) == ("POST", "https://example.org/hook")
    assert request.headers == {
        "Content-Type": "application/json",
        "X-Engineroom-Timestamp": "1800000000",
        "X-Engineroom-Signature": f"sha256={signature(KEY.encode(), NOW, request.body)}",
    }
    body = msgspec.json.decode(request.body)
    assert body == {
        "version": 1,
        "id": CHANGE.id,
        "kind": "payee_change",
        "at": "2027-01-15T08:00:00Z",
        "network": "bitcoin mainnet",
        "title": "Payee change for bc1qw5…v8f3t4",
        "text": body["text"],
        "fields": {
            "at_us": NOW_US,
            "account": "bc1qw5…v8f3t4",
            "address": "1BvBMS…JaNVN2",
            "minimum_sats": 50_000,
            "effective_us": NOW_US + 172_800_000_000,
            "asked_by": "signature",
        },
    }
    assert body["text"].startswith("to 1BvBMS…JaNVN2, as of 2027-01-17T08:00:00Z\n")


def test_a_webhook_gets_full_addresses_where_the_settings_say_so_and_the_same_id() -> None:
    own = msgspec.structs.replace(OWN, full_addresses=True)
    body = msgspec.json.decode(request_of(own, [CHANGE], NETWORK, NOW).body)
    assert (body["fields"]["account"], body["fields"]["address"]) == (FINDER, PAYEE)
    assert body["id"] == msgspec.json.decode(request_of(OWN, [CHANGE], NETWORK, NOW).body)["id"]


def test_ntfy_gets_text_and_headers() -> None:
    request = request_of(PHONE, [block()], NETWORK, NOW)
    assert (request.method, request.url) == ("POST", "https://ntfy.sh/topic")
    assert request.headers == {
        "Content-Type": "text/plain; charset=utf-8",
        "Title": "Block 840,000 found",
        "Priority": "4",
        "Tags": "tada",
        "Authorization": f"Bearer {NTFY_TOKEN}",
    }
    assert request.body.decode().splitlines() == [
        "3.25104233 bitcoin, found by bc1qw5…v8f3t4 (rig)",
        f"hash {840_000:064x}",
        NETWORK,
    ]


def test_ntfy_without_a_token_is_asked_without_one() -> None:
    open_topic = msgspec.structs.replace(PHONE, secret=None)
    assert "Authorization" not in request_of(open_topic, [block()], NETWORK, NOW).headers


@pytest.mark.parametrize(
    "text", ["三号机房 22 台矿机离线", "机" * 100, "é", "Rack 7: 22 machines … and 14 more"]
)
def test_a_title_beyond_ascii_is_words_of_rfc_2047(text: str) -> None:
    """Python's own decoder reads it back; none is longer than 75 characters."""
    words = encoded(text).split(" ")
    assert all(word.isascii() and len(word) <= 75 for word in words)
    assert all(word.startswith("=?utf-8?b?") and word.endswith("?=") for word in words)
    assert str(email.header.make_header(email.header.decode_header(" ".join(words)))) == text


def test_one_word_of_rfc_2047_as_ntfy_documents_it() -> None:
    """printf %s é | base64"""
    assert encoded("é") == "=?utf-8?b?w6k=?="


def test_telegram_gets_a_message_for_its_chat() -> None:
    request = request_of(CHAT, [Test(at_us=NOW_US)], NETWORK, NOW)
    assert request.url == f"https://api.telegram.org/bot{BOT_TOKEN}/sendMessage"
    assert request.headers == {"Content-Type": "application/json"}
    assert msgspec.json.decode(request.body) == {
        "chat_id": -100,
        "text": "Test\nNotices of this pool arrive here.\nbitcoin mainnet",
        "link_preview_options": {"is_disabled": True},
    }


def test_people_get_several_notices_in_one() -> None:
    request = request_of(CHAT, incidents(*range(15)), NETWORK, NOW)
    assert msgspec.json.decode(request.body)["text"].splitlines() == [
        "Incident 0, and 14 more",
        "",
        "and 14 more: 14 × incident",
        NETWORK,
    ]


@pytest.mark.parametrize("one", [OWN, PHONE, CHAT], ids=lambda one: one.kind)
def test_what_is_printed_of_targets_and_requests_holds_no_secret(one: object) -> None:
    request = request_of(one, [block()], NETWORK, NOW)  # type: ignore[arg-type]
    shown = f"{one!r} {one} {request!r} {request}"
    assert all(secret not in shown for secret in (*SECRETS, "ntfy.sh/topic", "example.org/hook"))
