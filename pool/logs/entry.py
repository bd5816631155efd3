"""What the vocabulary says of one event: its sentence, its meaning, and how it may be limited. Pure."""

import string

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """`sentence` is a template of `str.format` with names alone, what the console shows.

    `also` are fields that only JSON has. `cause` are the fields that tell one cause from another for the
    limit of lines; without any, all lines of the event are of one. `is_always`: never left out, however many
    come.
    """

    sentence: str
    meaning: str
    cause: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    is_always: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """Names, as the sentence has them first."""
        said = [name for _, name, _, _ in string.Formatter().parse(self.sentence) if name is not None]
        return (*dict.fromkeys(said), *self.also)
