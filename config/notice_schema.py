"""The settings of notifications as typed values: to whom is told what, and how it reaches them."""

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from config.secret import Secret

Event = Literal[
    "block_found",
    "block_orphaned",
    "incident",
    "incident_over",
    "payment_sent",
    "payee_change",
    "node_down",
    "node_back",
]
EVENTS: tuple[Event, ...] = get_args(Event)


class NotificationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One who is told of what happens."""

    name: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9_-]{1,32}\Z", description="What logs call it: letters, digits, - and _."),
    ]
    kind: Annotated[
        Literal["webhook", "ntfy", "telegram"],
        Meta(
            description="`webhook`: signed JSON to a program of yours. `ntfy`: to phones, by ntfy.sh or a "
            "server of your own. `telegram`: a bot of yours writes into a chat."
        ),
    ]
    url: Annotated[
        str | None,
        Meta(
            min_length=1,
            description="Where it is sent: of ntfy with the topic, https://ntfy.sh/YOUR-TOPIC. For telegram "
            "only with a Bot API server of your own. http:// is for your own network alone.",
        ),
    ] = None
    secret_file: Annotated[
        str | None,
        Meta(
            min_length=1,
            description="A file that holds the secret and nothing else: the key that a webhook is signed "
            "with, ntfy's access token (if it asks for one), the Telegram bot's token.",
        ),
    ] = None
    secret_environment: Annotated[
        str | None, Meta(description="The name of an environment variable that holds the secret.")
    ] = None
    chat_id: Annotated[
        int | str | None,
        Meta(description="The Telegram chat: its number (negative for a group), or @NAME of a channel."),
    ] = None
    events: Annotated[
        tuple[Event, ...],
        Meta(min_length=1, max_length=len(EVENTS), description="What is told; by default everything."),
    ] = EVENTS
    full_addresses: Annotated[
        bool,
        Meta(
            description="Webhook only: miners' addresses in full, not as `bc1qw5…kygt08`. What is sent "
            "goes through other people's servers."
        ),
    ] = False
    secret: Secret | None = None
