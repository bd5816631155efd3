"""One thing to say: an event and its fields, as a sentence or as plain values. Pure: it writes nothing."""

import string
from collections.abc import Mapping, Sequence
from typing import Any

from pool.logs.events import LogEvent
from pool.logs.redaction import Field, Plain, shown


class Line:
    """The message of a log record. Its text is made when somebody writes it, not when it is said."""

    __slots__ = ("event", "fields")

    def __init__(self, event: LogEvent, fields: Mapping[str, Field]) -> None:
        self.event = event
        self.fields = fields

    def __str__(self) -> str:
        return self.sentence(full_addresses=False)

    def sentence(self, *, full_addresses: bool) -> str:
        return _WORDS.vformat(self.event.value.sentence, (), self.values(full_addresses=full_addresses))

    def values(self, *, full_addresses: bool) -> dict[str, Plain]:
        """The fields, redacted."""
        return {name: shown(field, full_addresses=full_addresses) for name, field in self.fields.items()}


class _Words(string.Formatter):
    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return kwargs[str(key)]

    def format_field(self, value: Any, format_spec: str) -> str:
        match value:
            case None:
                return "unknown"
            case dict():
                return "; ".join(f"{key}: {text}" for key, text in value.items())
            case _:
                return format(value, format_spec)


_WORDS = _Words()
