"""The commented reference file, generated from the schema's prose. It neither reads nor writes files."""

import textwrap
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from config.schema import Settings
from config.secret import Secret
from config.shape import bare_and_meta, bounds_text, struct_of

WIDTH = 100

_HEADER = """\
# Engineroom: every setting, its meaning, its bounds and its default.
# Lines that begin with `# ` and a key show the default; remove the `# ` to change it.
# Relative paths are relative to this file. Secrets never stand in here: see password_file.
# Check your file with `engineroom check -c FILE` before you run it.
"""

_ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"  # BIP 173's key on regtest, worth nothing

# What a required setting or a list shows: a whole that loads, on a network whose coins cost nothing.
_EXAMPLES: dict[str, str] = {
    "coin": "bitcoin",
    "network": "regtest",
    "payout.address": _ADDRESS,
    "payout.fees.address": _ADDRESS,
    "payout.fees.basis_points": "100",
    "nodes.name": "local",
    "nodes.url": "http://127.0.0.1:18443",
    "nodes.cookie_file": "/var/lib/bitcoin/regtest/.cookie",
    "farm.power.tariffs.from": '"00:00"',
    "farm.power.tariffs.to": '"24:00"',
    "farm.power.tariffs.price_per_kwh": "0.12",
    "notifications.name": "phone",
    "notifications.kind": "ntfy",
    "notifications.url": "https://ntfy.sh/YOUR-TOPIC",
    "stratum.listeners.address": "0.0.0.0",  # noqa: S104  an example of the default
    "stratum.listeners.port": "3333",
}


def reference_yaml() -> str:
    """The reference file, as `engineroom config example` prints it."""
    return _HEADER + "\n".join(_section(Settings, "", 0)) + "\n"


def _section(struct: type[msgspec.Struct], path: str, indent: int) -> list[str]:
    lines: list[str] = []
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        hint = hints[field.name]
        if hint == Secret | None:
            continue
        field_path = f"{path}.{field.encode_name}" if path else field.encode_name
        if indent == 0:
            lines.append("")
        lines += _field(field, hint, field_path, indent)
    return lines


def _field(field: Any, hint: Any, path: str, indent: int) -> list[str]:
    bare, meta = bare_and_meta(hint)
    pad = " " * indent
    struct = struct_of(bare)
    if struct is not None:
        return [
            *_prose(struct.__doc__ or "", pad),
            f"{pad}{field.encode_name}:",
            *_section(struct, path, indent + 2),
        ]
    if get_origin(bare) is tuple and struct_of(get_args(bare)[0]) is not None:
        is_empty = field.default == ()
        margin = f"{pad}# " if is_empty else pad
        entry = _entry(get_args(bare)[0], path, len(margin))
        return [
            *_prose(_sentence(meta, None), pad),
            *(margin + line for line in (f"{field.encode_name}:", *entry)),
        ]
    prose = _prose(_sentence(meta, bare), pad)
    example = _EXAMPLES.get(path)
    if example is not None:
        return [*prose, f"{pad}{field.encode_name}: {example}"]
    shown = "" if field.default is None else _yaml(field.default)
    line = f"{pad}# {field.encode_name}: {shown}".rstrip()
    if len(line) > WIDTH and isinstance(field.default, tuple):
        entries = (f"{pad}#   - {_yaml(entry)}" for entry in field.default)
        return [*prose, f"{pad}# {field.encode_name}:", *entries]
    return [*prose, line]


def _entry(struct: type[msgspec.Struct], path: str, margin: int) -> list[str]:
    """A list's only entry, as it stands right of a margin."""
    lines = [line[margin:] for line in _section(struct, path, margin + 4)]
    first = next(position for position, line in enumerate(lines) if not line.lstrip().startswith("#"))
    lines[first] = "  - " + lines[first].lstrip()
    return lines


def _sentence(meta: Meta | None, bare: Any) -> str:
    sentence = (meta.description or "") if meta is not None else ""
    is_list = get_origin(bare) is tuple
    choice = get_args(bare)[0] if is_list else bare
    options = [option for option in get_args(choice) if isinstance(option, str)]
    bounds = "" if meta is None or meta.pattern or meta.max_length else bounds_text(meta)
    if options:
        return f"{sentence} {'Any' if is_list else 'One'} of {', '.join(options)}."
    return f"{sentence} ({bounds.strip(' ,')})" if bounds else sentence


def _prose(text: str, pad: str) -> list[str]:
    return [f"{pad}# {line}" for line in textwrap.wrap(" ".join(text.split()), WIDTH - len(pad) - 2)]


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, str):
        is_plain = (
            value and not value.replace("e", "").isdigit() and all(c.isalnum() or c in "/._-" for c in value)
        )
        return value if is_plain else f'"{value}"'
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)
