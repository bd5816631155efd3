"""Settings as far as a file's values could be used, so that each rule is asked about everything it can judge.

A field that has a problem of its own is unknown: it has no value, not even its default, because a rule that
judged a made-up one would tell of things that are not in the file. Pure; it finds no problems itself.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

import msgspec

from config.problems import Problem

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")


class Unknown(Exception):
    """The value was asked for and has a problem of its own, which is told elsewhere."""


class Draft(Generic[S]):
    """One section: `values` holds what is known of it, defaults included."""

    def __init__(self, struct: type[S], values: dict[str, Any]) -> None:
        self.struct = struct
        self.values = values

    def view(self) -> S:
        """To be read like the struct; reading an unknown field raises Unknown."""
        return cast("S", _View(self))

    def finished(self) -> S:
        """The struct itself, once nothing in it is unknown."""
        return self.struct(**{name: _each(value, Draft.finished) for name, value in self.values.items()})


class _View:
    def __init__(self, draft: Draft[Any]) -> None:
        self._draft = draft

    def __getattr__(self, name: str) -> Any:
        if name not in self._draft.struct.__struct_fields__:
            raise AttributeError(name)
        if name not in self._draft.values:
            raise Unknown(name)
        return _each(self._draft.values[name], Draft.view)


def _each(value: Any, of_draft: Callable[[Draft[Any]], Any]) -> Any:
    if isinstance(value, tuple):
        return tuple(_each(entry, of_draft) for entry in value)
    return of_draft(value) if isinstance(value, Draft) else value


def known(read: Callable[[], T]) -> T | None:
    """What `read` returns, or None where it came upon something unknown."""
    with suppress(Unknown):
        return read()
    return None


def as_far_as_known(*rules: Iterator[Problem]) -> Iterator[Problem]:
    """What all of these rules find. Each is a generator, and ends for itself at something unknown."""
    for rule in rules:
        with suppress(Unknown):
            yield from rule
