"""What the settings of one notification have to do with each other. Pure; it reads nothing.

Generators as in `config.rules`. No message repeats a url: the topic of ntfy and the path of many a webhook
are passwords. A setting that would have no effect is refused, not passed over.
"""

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from config.draft import as_far_as_known, known
from config.notice_schema import NotificationSettings
from config.problems import Problem
from config.repeats import twice
from config.schema import Settings

PLACEHOLDER_TOPIC = "YOUR-TOPIC"
SHORTEST_KEY = 16  # characters; a key that can be guessed signs nothing
LOCAL_ENDINGS = (".localhost", ".local", ".lan", ".internal", ".home.arpa")
# RFC 6761, 6762, 8375, ICANN's reserved .internal, and what home routers hand out
_BOT_TOKEN = re.compile(r"[0-9]{3,20}:[A-Za-z0-9_-]{20,100}")
_HEADER_TOKEN = re.compile(r"[!-~]{1,500}")  # what may stand behind `Bearer`
_CHAT = re.compile(r"-?[0-9]{1,18}|@[A-Za-z0-9_]{1,64}")


def notification_problems(settings: Settings) -> Iterator[Problem]:
    """Everything about notifications that contradicts something else."""
    for position, target in enumerate(settings.notifications):
        key = f"notifications.{position}"
        yield from as_far_as_known(
            _url(target, key),
            _secret(target, key),
            _chat(target, key),
            _addresses(target, key),
        )
    yield from twice(map(_name, settings.notifications), "notifications", "name")


def _name(target: NotificationSettings) -> str | None:
    return known(lambda: target.name)


# ---------------------------------------------------------------------- the address


def _url(target: NotificationSettings, key: str) -> Iterator[Problem]:
    kind, url = target.kind, target.url
    if url is None:
        if kind != "telegram":
            yield Problem(f"{key}.url", None, f"is missing: it says where the {kind} is")
        return
    parts = _parts(url)
    if parts is None:
        yield Problem(f"{key}.url", None, "cannot be read as https://HOST/PATH")
    elif parts.username is not None or parts.password is not None:
        message = "holds a user name or a password; a url here has neither, use secret_file"
        yield Problem(f"{key}.url", None, message)
    elif parts.scheme == "http" and not is_local(parts.hostname or ""):
        message = "leaves your network unencrypted, where anybody on the way can read it; use https://"
        yield Problem(f"{key}.url", None, message)
    elif kind == "ntfy" and not parts.path.strip("/"):
        yield Problem(f"{key}.url", None, "has no topic; write https://HOST/YOUR-TOPIC")
    elif parts.path.endswith(PLACEHOLDER_TOPIC):
        yield Problem(f"{key}.url", None, "still holds the example's text; put in a topic of yours")


def _parts(url: str) -> SplitResult | None:
    """None for what is no address of the web."""
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError, where what stands there is no number
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname else None


def is_local(host: str) -> bool:
    """Whether a host, by its name or its address, is this machine or in a private network."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(LOCAL_ENDINGS)
    return address.is_loopback or address.is_private or address.is_link_local


# ---------------------------------------------------------------------- secrets


def _secret(target: NotificationSettings, key: str) -> Iterator[Problem]:
    """What a secret holds is judged and never told."""
    kind, file, variable = target.kind, target.secret_file, target.secret_environment
    if file is not None and variable is not None:
        yield Problem(f"{key}.secret_file", None, "and secret_environment are both given; keep one")
        return
    if file is None and variable is None:
        needed = {"webhook": "the key that it is signed with", "telegram": "the bot's token"}.get(kind)
        if needed is not None:
            yield Problem(key, None, f"needs a secret_file or a secret_environment: {needed}")
        return
    if target.secret is not None:  # else it could not be read, which is told already
        source = f"{key}.secret_file" if file is not None else f"{key}.secret_environment"
        yield from _content(kind, target.secret.reveal(), source)


def _content(kind: str, value: str, source: str) -> Iterator[Problem]:
    if kind == "webhook" and len(value) < SHORTEST_KEY:
        yield Problem(source, None, f"holds a key that is too short; take {SHORTEST_KEY} characters or more")
    if kind == "telegram" and not _BOT_TOKEN.fullmatch(value):
        yield Problem(source, None, "does not hold a bot's token as BotFather gives it: DIGITS:LETTERS")
    if kind == "ntfy" and not _HEADER_TOKEN.fullmatch(value):
        yield Problem(source, None, "does not hold an access token: one word, like tk_…")


# ---------------------------------------------------------------------- the rest


def _chat(target: NotificationSettings, key: str) -> Iterator[Problem]:
    kind, chat_id = target.kind, target.chat_id
    if kind != "telegram":
        if chat_id is not None:
            yield Problem(f"{key}.chat_id", None, f"has no effect with {kind}; remove it")
    elif chat_id is None:
        yield Problem(f"{key}.chat_id", None, "is missing: it says which chat the bot writes into")
    elif not _CHAT.fullmatch(str(chat_id)):
        yield Problem(f"{key}.chat_id", None, "must be a chat's number, or @NAME of a channel")


def _addresses(target: NotificationSettings, key: str) -> Iterator[Problem]:
    if target.full_addresses and target.kind != "webhook":
        message = f"is for a webhook alone: {target.kind} shows what it carries to others; remove it"
        yield Problem(f"{key}.full_addresses", None, message)
