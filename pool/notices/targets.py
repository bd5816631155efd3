"""Targets: who is told of what and where, from the settings. Values only; nothing is sent here."""

from typing import Literal

import msgspec

from config.schema import Settings
from config.secret import Secret
from pool.notices.notice import NoticeKind

TELEGRAM_URL = "https://api.telegram.org"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One who is told. `url` is the webhook's or the topic's; of Telegram that of its Bot API. What a url
    holds is told to nobody: a topic is a password."""

    name: str
    kind: Literal["webhook", "ntfy", "telegram"]
    url: str
    secret: Secret | None
    chat_id: int | str | None
    events: frozenset[NoticeKind]
    full_addresses: bool

    def __repr__(self) -> str:
        return f"Target({self.name})"

    def wants(self, kind: NoticeKind) -> bool:
        """Whether it is told of these."""
        return kind in self.events


def targets_of(settings: Settings) -> tuple[Target, ...]:
    """As the settings name them."""
    return tuple(
        Target(
            name=one.name,
            kind=one.kind,
            url=(one.url or TELEGRAM_URL).rstrip("/") if one.kind == "telegram" else one.url or "",
            secret=one.secret,
            chat_id=one.chat_id,
            events=frozenset(map(NoticeKind, one.events)),
            full_addresses=one.full_addresses,
        )
        for one in settings.notifications
    )
