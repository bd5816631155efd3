"""Notifications in the settings: each rule with files that keep and break it; no problem repeats a secret."""

from pathlib import Path

import pytest

from config.notice_schema import EVENTS
from config.secret import Secret
from tests.config.files import loaded, only_problem, problems, text_of

BOT_TOKEN = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"  # the example of Telegram's documentation
KEY = "correct horse battery staple"


@pytest.fixture(autouse=True)
def secrets(tmp_path: Path) -> None:
    for name, value in (
        ("key", KEY),
        ("bot", BOT_TOKEN),
        ("tk", "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"),
        ("x", "x"),
    ):
        (tmp_path / name).write_text(f"{value}\n")


def told(*entries: str) -> str:
    """`notifications:` stands in line 9, its entries from 10 on."""
    return text_of(more="notifications:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries))


WEBHOOK = "name: own, kind: webhook, url: 'https://example.org/hook', secret_file: key"
NTFY = "name: phone, kind: ntfy, url: 'https://ntfy.sh/topic'"
TELEGRAM = "name: chat, kind: telegram, secret_file: bot, chat_id: -1001234567890"


def test_nobody_is_told_by_default(tmp_path: Path) -> None:
    assert loaded(tmp_path, text_of()).notifications == ()


def test_one_of_each_kind_is_told_everything(tmp_path: Path) -> None:
    own, phone, chat = loaded(tmp_path, told(WEBHOOK, NTFY, TELEGRAM)).notifications
    assert (own.kind, own.url, own.secret) == ("webhook", "https://example.org/hook", Secret(KEY))
    assert (phone.secret, phone.events, phone.full_addresses) == (None, EVENTS, False)
    assert (chat.url, chat.chat_id, chat.secret) == (None, -1001234567890, Secret(BOT_TOKEN))
    assert own.secret_file == f"{tmp_path}/key"


def test_a_channel_has_a_name_and_a_secret_may_be_in_the_environment(tmp_path: Path) -> None:
    entry = "name: own, kind: webhook, url: 'https://a.org', secret_environment: RPC_PASSWORD"
    key, line, message = only_problem(tmp_path, told(entry))  # where it is one letter long
    assert (key, line) == ("notifications.0.secret_environment", 10)
    assert message == "holds a key that is too short; take 16 characters or more"
    (channel,) = loaded(tmp_path, told(TELEGRAM.replace("-1001234567890", "'@my_pool'"))).notifications
    assert channel.chat_id == "@my_pool"


def test_events_can_be_chosen(tmp_path: Path) -> None:
    (phone,) = loaded(tmp_path, told(f"{NTFY}, events: [block_found, node_down]")).notifications
    assert phone.events == ("block_found", "node_down")


def test_an_unknown_event_is_told_with_those_there_are(tmp_path: Path) -> None:
    key, line, message = only_problem(tmp_path, told(f"{NTFY}, events: [block_found, block_lost]"))
    assert (key, line) == ("notifications.0.events.1", 10)
    assert message == (
        "is 'block_lost'; it must be one of block_found, block_orphaned, incident, incident_over, "
        "payment_sent, payee_change, node_down, node_back"
    )


def test_every_unknown_event_is_told_and_no_events_at_all_are_too_few(tmp_path: Path) -> None:
    found = problems(tmp_path, told(f"{NTFY}, events: [a, block_found, 7]", f"{NTFY}, events: []"))
    assert {one.key_path for one in found} == {
        "notifications.0.events.0",
        "notifications.0.events.2",
        "notifications.1.events",
        "notifications.1.name",
    }


@pytest.mark.parametrize(
    ("entry", "key", "message"),
    [
        ("name: a, kind: webhook, secret_file: key", "url", "is missing: it says where the webhook is"),
        ("name: a, kind: ntfy", "url", "is missing: it says where the ntfy is"),
        (
            "name: a, kind: ntfy, url: 'https://ntfy.sh/'",
            "url",
            "has no topic; write https://HOST/YOUR-TOPIC",
        ),
        (
            "name: a, kind: ntfy, url: 'https://ntfy.sh/YOUR-TOPIC'",
            "url",
            "still holds the example's text; put in a topic of yours",
        ),
        (
            "name: a, kind: webhook, url: 'https://a.org'",
            "",
            "needs a secret_file or a secret_environment: the key that it is signed with",
        ),
        (
            "name: a, kind: telegram, chat_id: 7",
            "",
            "needs a secret_file or a secret_environment: the bot's token",
        ),
        (
            "name: a, kind: telegram, secret_file: bot",
            "chat_id",
            "is missing: it says which chat the bot writes into",
        ),
        (
            "name: a, kind: telegram, secret_file: bot, chat_id: my pool",
            "chat_id",
            "must be a chat's number, or @NAME of a channel",
        ),
        (f"{NTFY}, chat_id: 7", "chat_id", "has no effect with ntfy; remove it"),
        (
            f"{NTFY}, full_addresses: true",
            "full_addresses",
            "is for a webhook alone: ntfy shows what it carries to others; remove it",
        ),
        (
            "name: a, kind: telegram, secret_file: key, chat_id: 7",
            "secret_file",
            "does not hold a bot's token as BotFather gives it: DIGITS:LETTERS",
        ),
        (f"{NTFY}, secret_file: key", "secret_file", "does not hold an access token: one word, like tk_…"),
        (
            "name: a, kind: webhook, url: 'https://a.org', secret_file: x",
            "secret_file",
            "holds a key that is too short; take 16 characters or more",
        ),
        (
            f"{WEBHOOK}, secret_environment: RPC_PASSWORD",
            "secret_file",
            "and secret_environment are both given; keep one",
        ),
    ],
)
def test_what_is_missing_or_without_effect(tmp_path: Path, entry: str, key: str, message: str) -> None:
    found = {one.key_path: one.message for one in problems(tmp_path, told(entry))}
    assert found[f"notifications.0.{key}".rstrip(".")] == message
    assert all(secret not in text for text in found.values() for secret in (KEY, BOT_TOKEN))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/hook",
        "http://[::1]/hook",
        "http://192.168.1.4/hook",
        "http://homeassistant.local:8123/api",
        "http://homeassistant/hook",
        "https://example.org:8443/hook?from=pool",
    ],
)
def test_a_network_of_ones_own_may_be_spoken_to_unencrypted(tmp_path: Path, url: str) -> None:
    (own,) = loaded(tmp_path, told(WEBHOOK.replace("https://example.org/hook", url))).notifications
    assert own.url == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "http://example.org/hunter2",
            "leaves your network unencrypted, where anybody on the way can read it; use https://",
        ),
        (
            "http://8.8.8.8/hunter2",
            "leaves your network unencrypted, where anybody on the way can read it; use https://",
        ),
        (
            "https://me:hunter2@example.org/",
            "holds a user name or a password; a url here has neither, use secret_file",
        ),
        ("ftp://example.org/hunter2", "cannot be read as https://HOST/PATH"),
        ("https://example.org:x/hunter2", "cannot be read as https://HOST/PATH"),
        ("https://exam ple.org/hunter2", "cannot be read as https://HOST/PATH"),
        ("https:///hunter2", "cannot be read as https://HOST/PATH"),
        ("hunter2", "cannot be read as https://HOST/PATH"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_and_not_printed(
    tmp_path: Path, url: str, message: str
) -> None:
    text = told(WEBHOOK.replace("https://example.org/hook", url))
    assert only_problem(tmp_path, text) == ("notifications.0.url", 10, message)


def test_names_stand_once(tmp_path: Path) -> None:
    key, line, message = only_problem(tmp_path, told(NTFY, NTFY))
    assert (key, line) == ("notifications.1.name", 11)
    assert message == "phone is there twice; give each its own"


def test_a_secret_in_the_file_is_refused_and_a_file_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    key, _, message = only_problem(tmp_path, told(f"{WEBHOOK}, secret: hunter2"))
    assert key == "notifications.0.secret"
    assert message.endswith("use secret_file or secret_environment")
    key, _, message = only_problem(tmp_path, told(WEBHOOK.replace(": key", ": nowhere")))
    assert (key, message) == (
        "notifications.0.secret_file",
        f"cannot read {tmp_path}/nowhere: no such file or directory",
    )


def test_a_secret_does_not_show_in_what_is_printed_of_the_settings(tmp_path: Path) -> None:
    shown = repr(loaded(tmp_path, told(WEBHOOK, TELEGRAM)))
    assert KEY not in shown
    assert BOT_TOKEN not in shown
