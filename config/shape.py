"""A YAML document against the structs of the schema: field by field, each error with its key and line.

msgspec converts one value at a time here, because it would stop at the first error and an operator wants
all of them. What does convert becomes a draft, whose other fields are unknown.
"""

import difflib
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from config.draft import Draft, Unknown
from config.problems import Problem
from config.secret import Secret

T = TypeVar("T", bound=msgspec.Struct)

_INLINE_SECRET = "a secret does not belong into this file; use {name}_file or {name}_environment"  # noqa: S105

# What earlier versions called something: what to write now, and the keys that this was meant for.
FORMER = {
    "payout.mode": (
        (
            "is now `scheme`; instead of `mode: pool` write `scheme: pplns` and `method: wallet`, "
            "instead of `mode: solo` write `scheme: solo`"
        ),
        ("scheme", "method"),
    ),
}


class Shape:
    """One walk over a document; `problems` holds what it found wrong."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.problems: list[Problem] = []
        self._document = document
        self._lines: dict[str, int] = {"": 1}

    def convert(self, struct: type[T]) -> Draft[T]:
        """The document as this struct, as far as it goes; `problems` says why it goes no further."""
        return self._section(self._document, struct, "")

    def line_of(self, key_path: str) -> int | None:
        """The line of a key, or of the nearest one above it that the file has."""
        while key_path not in self._lines and key_path:
            key_path = key_path.rpartition(".")[0]
        return self._lines.get(key_path)

    def _problem(self, key_path: str, message: str) -> None:
        self.problems.append(Problem(key_path, self.line_of(key_path), message))

    # ------------------------------------------------------------------ sections

    def _section(self, value: Any, struct: type[T], key_path: str) -> Draft[T]:
        if value is None:  # a heading whose keys are all commented out
            value = {}
        if not isinstance(value, dict):
            self._problem(key_path, f"is a section: write its keys below it, not {_shown(value)}")
            return Draft(struct, {})
        hints = get_type_hints(struct, include_extras=True)
        # by the file's keys, which are the fields' names but for words that Python keeps to itself (`from`)
        fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
        values = {field.name: field.default for field in fields.values() if not field.required}
        for key, child in value.items():
            child_path = f"{key_path}.{key}" if key_path else str(key)
            self._lines[child_path] = _line_of_key(value, key)
            if key in fields and hints[fields[key].name] != Secret | None:
                name = fields[key].name
                values.pop(name, None)
                with suppress(Unknown):
                    values[name] = self._value(child, hints[name], child_path)
                continue
            names = [name for name, field in fields.items() if hints[field.name] != Secret | None]
            for meant in self._unknown(str(key), child_path, names, fields):
                if meant not in value:
                    values.pop(fields[meant].name, None)
        for key, field in fields.items():
            if field.required and key not in value:
                missing = f"{key_path}.{key}" if key_path else key
                what = _description(hints[field.name]) or "it has no default"
                self._problem(missing, f"is missing: {what}")
        return Draft(struct, values)

    def _unknown(self, key: str, key_path: str, names: list[str], fields: dict[str, Any]) -> Sequence[str]:
        """Tell of it; returns the names that may have been meant, whose defaults nobody wanted then."""
        if key in fields:
            self._problem(key_path, _INLINE_SECRET.format(name=key))
            return (f"{key}_file", f"{key}_environment")
        if key_path in FORMER:
            message, successors = FORMER[key_path]
            self._problem(key_path, message)
            return successors
        near = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}"
        self._problem(key_path, f"there is no such setting; {hint}")
        return near

    # ------------------------------------------------------------------ values

    def _value(self, value: Any, hint: Any, key_path: str) -> Any:
        """The value converted. Raises Unknown where a problem had to be told instead."""
        bare, meta = bare_and_meta(hint)
        struct = struct_of(bare)
        if struct is not None:
            return self._section(value, struct, key_path)
        if get_origin(bare) is tuple:
            return self._list(value, get_args(bare)[0], meta, key_path)
        return self._scalar(value, hint, key_path)

    def _list(self, value: Any, hint: Any, meta: Meta | None, key_path: str) -> Any:
        """A list of sections or of single values; an entry that cannot be used makes only a section unknown,
        and of single values the whole list, since nobody knows what it would say without that one."""
        if not isinstance(value, list):
            self._problem(key_path, "is a list: begin each entry with `- `")
            raise Unknown(key_path)
        least = meta.min_length or 0 if meta is not None else 0
        most = meta.max_length if meta is not None and meta.max_length is not None else len(value)
        if not least <= len(value) <= most:
            self._problem(key_path, f"has {len(value)} entries; {least} to {most} are possible")
        entries = []
        for position, entry in enumerate(value):
            entry_path = f"{key_path}.{position}"
            self._lines[entry_path] = _line_of_item(value, position)
            with suppress(Unknown):
                entries.append(self._value(entry, hint, entry_path))
        if len(entries) < len(value):
            raise Unknown(key_path)
        return tuple(entries)

    def _scalar(self, value: Any, hint: Any, key_path: str) -> Any:
        plain = _plain(value)
        if plain is None and type(None) in get_args(bare_and_meta(hint)[0]):
            return None  # a key whose value was blanked: not set
        if isinstance(plain, float) and not math.isfinite(plain):
            self._problem(key_path, f"is {plain}, which is no number to work with")
            raise Unknown(key_path)
        try:
            return msgspec.convert(plain, _without_none(hint), strict=True)
        except msgspec.ValidationError as error:
            self._problem(key_path, _told(str(error), plain, hint))
            raise Unknown(key_path) from None


# ---------------------------------------------------------------------- words


def _told(error: str, value: Any, hint: Any) -> str:
    """msgspec's sentence in the words of an operator: what it is, and what it may be."""
    wanted = _wanted(hint)
    for mark in ("an @", "a password"):  # not to be printed
        if isinstance(value, str) and mark.partition(" ")[2] in value.lower():
            return f"holds {mark}; it must be {wanted}"
    return f"is {_shown(value)}; it must be {wanted}" if wanted else error


def _without_none(hint: Any) -> Any:
    """`Annotated[str | None, bounds]` as `Annotated[str, bounds]`: a bound on a text must not meet None."""
    bare, meta = bare_and_meta(hint)
    options = [option for option in get_args(bare) if option is not type(None)]
    return Annotated[options[0], meta] if meta is not None and len(options) == 1 else hint


def _wanted(hint: Any) -> str:
    bare, meta = bare_and_meta(hint)
    options = get_args(bare)
    if options and all(isinstance(option, str) for option in options):
        return "one of " + ", ".join(options)
    types = [option for option in options if option is not type(None)] or [bare]
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    words = names.get(types[0], "something else")
    return words + bounds_text(meta)


def bare_and_meta(hint: Any) -> tuple[Any, Meta | None]:
    """A field's type without its annotations, and the one among them that has its bounds and its prose."""
    if get_origin(hint) is not Annotated:
        return hint, None
    bare, *extras = get_args(hint)
    return bare, next((extra for extra in extras if isinstance(extra, Meta)), None)


def struct_of(bare: Any) -> type[msgspec.Struct] | None:
    """The struct of a section, be it `Section` or `Section | None`; None for any other value's type."""
    options = [option for option in get_args(bare) if option is not type(None)] or [bare]
    [first, *others] = options
    return first if not others and isinstance(first, type) and issubclass(first, msgspec.Struct) else None


def bounds_text(meta: Meta | None) -> str:
    """The bounds of a field as words, or nothing."""
    if meta is None:
        return ""
    if meta.pattern is not None:
        return f" like the description says: {meta.description}"
    if meta.min_length is not None:
        return ", not empty"
    if meta.max_length is not None:
        return f" of at most {meta.max_length} characters"
    low, is_open = (meta.ge, False) if meta.ge is not None else (meta.gt, True)
    if low is None:
        return ""
    start = f" above {low:g}" if is_open else f" from {low:g}"
    return start + (f", at most {meta.le:g}" if is_open and meta.le is not None else f" to {meta.le:g}")


def _description(hint: Any) -> str | None:
    bare, meta = bare_and_meta(hint)
    if meta is not None:
        return meta.description
    return (bare.__doc__ or "").strip().rstrip(".") or None


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value!r}"[:80]


def _plain(value: Any) -> Any:
    """ruamel's own number and text types as Python's; a number above all floats is told as infinite."""
    if isinstance(value, bool) or value is None:
        return value
    for plain in (int, float, str):
        if isinstance(value, plain):
            try:
                return plain(value)
            except OverflowError:
                return math.inf
    return value


def _line_of_key(section: Any, key: Any) -> int:
    data = getattr(section, "lc", None)
    try:
        return int(data.key(key)[0]) + 1 if data is not None else 1
    except (KeyError, TypeError, AttributeError):  # a key that came in through a merge (<<) has no line
        return int(getattr(data, "line", 0)) + 1


def _line_of_item(section: Any, position: int) -> int:
    data = getattr(section, "lc", None)
    return int(data.item(position)[0]) + 1 if data is not None and data.data else 1
