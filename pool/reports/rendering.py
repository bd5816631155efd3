"""One way to show a list of values: a table for people, JSON or CSV for programs. It asks nobody for them.

A table is as wide as its terminal. What identifies (an address, a hash, a txid) is shortened in the middle,
since its two ends are what people compare; into a pipe it goes whole. JSON and CSV have every field by its
own name, satoshis and microseconds as the integers that they are.
"""

import csv
import datetime
import enum
import io
import sys
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH_IN_A_PIPE = 400
LEAST_SHORTENED = 11  # five characters, an ellipsis, five characters
FLOWING = 32  # room for some words a line
LEAST_FLOWING = 12  # room for a word
GAP = 2
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
# A cell that begins so is run as a formula by spreadsheets, and worker names are strangers' text
# (OWASP, "CSV Injection").

T = TypeVar("T", bound=msgspec.Struct)


class Form(enum.Enum):
    """How a list is shown."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Column(msgspec.Struct, Generic[T], frozen=True):
    """A column of a table: its heading, and what it says of a value. What is shortened loses its middle, a
    path its beginning, since its end says most; what flows may take several lines."""

    heading: str
    text: Callable[[T], str]
    is_number: bool = False
    is_shortened: bool = False
    is_path: bool = False
    is_flowing: bool = False


def show(
    lines: Sequence[T], columns: Sequence[Column[T]], kind: type[T], form: Form, console: Console, empty: str
) -> None:
    """Print the list; `empty` is what a table without rows says instead. CSV always has its headings."""
    if form is Form.JSON:
        console.file.write(json_text(lines))
    elif form is Form.CSV:
        console.file.write(csv_text(lines, kind))
    elif lines:
        made = table(lines, columns, console.width)
        # Where even short columns are too wide, lines run over the edge: no digit of money is cut off.
        needed = sum(column.width or 0 for column in made.columns) + GAP * (len(columns) - 1)
        console.width = max(console.width, needed)
        console.print(made)
    else:
        console.print(Text(empty))


def stdout_console() -> Console:
    """Where tables go: as wide as the terminal, or wide enough for everything where there is none."""
    is_terminal = sys.stdout.isatty()
    return Console(file=sys.stdout, highlight=False, width=None if is_terminal else WIDTH_IN_A_PIPE)


def table(lines: Sequence[T], columns: Sequence[Column[T]], width: int) -> Table:
    """The table in at most `width` columns, as far as shortening makes that possible."""
    cells = [[plain(column.text(line)) for column in columns] for line in lines]
    widths = [
        max(len(column.heading), *(len(row[place]) for row in cells)) for place, column in enumerate(columns)
    ]
    excess = sum(widths) + GAP * (len(columns) - 1) - width
    for place, least in _narrowed(columns, widths):
        cut = max(0, min(excess, widths[place] - least))
        widths[place], excess = widths[place] - cut, excess - cut
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, GAP, 0, 0))
    for column, wide in zip(columns, widths, strict=True):
        made.add_column(
            column.heading,
            justify="right" if column.is_number else "left",
            no_wrap=not column.is_flowing,
            overflow="fold",
            width=wide,
        )
    for row in cells:
        made.add_row(
            *(
                Text(_fitted(text, wide, column))
                for text, wide, column in zip(row, widths, columns, strict=True)
            )
        )
    return made


def _narrowed(columns: Sequence[Column[T]], widths: Sequence[int]) -> list[tuple[int, int]]:
    """Columns that may be narrower than their text, in order, and how narrow: prose wraps before anything is
    shortened, and once all is as short as it may be, prose wraps at every word."""
    places = sorted(range(len(columns)), key=lambda place: -widths[place])
    flowing = [place for place in places if columns[place].is_flowing]
    return [
        *((place, FLOWING) for place in flowing),
        *((place, LEAST_SHORTENED) for place in places if columns[place].is_path),
        *((place, LEAST_SHORTENED) for place in places if columns[place].is_shortened),
        *((place, LEAST_FLOWING) for place in flowing),
    ]


def _fitted(text: str, most: int, column: Column[T]) -> str:
    if column.is_path:
        return text if len(text) <= most else f"…{text[len(text) - most + 1 :]}"
    return shortened(text, most) if column.is_shortened else text


def shortened(text: str, most: int) -> str:
    """At most so many characters, the middle left out."""
    if len(text) <= most:
        return text
    kept = most - 1
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def plain(text: str) -> str:
    """Text of strangers on a terminal: nothing that moves the cursor or changes a colour."""
    return "".join(character if character.isprintable() else "�" for character in text)


# ---------------------------------------------------------------------- for programs


def json_text(value: Any) -> str:
    """Indented, one value; a list where it is one."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def csv_text(lines: Sequence[T], kind: type[T]) -> str:
    """A line of headings, then one for each value. A list inside of a value is left to JSON."""
    fields = [field for field in kind.__struct_fields__ if not _is_list(kind, field)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields)
    for line in lines:
        writer.writerow([csv_cell(getattr(line, field)) for field in fields])
    return text.getvalue()


def _is_list(kind: type[msgspec.Struct], name: str) -> bool:
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    return getattr(types[name], "__origin__", None) is tuple


def csv_cell(value: object) -> str:
    """A number as it is; text that a spreadsheet would run gets an apostrophe, which makes it text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value


# ---------------------------------------------------------------------- words of tables


def moment(at_us: int | None) -> str:
    """A time in UTC, to the minute; a dash where there is none."""
    if at_us is None:
        return "–"
    return datetime.datetime.fromtimestamp(at_us // 1_000_000, datetime.UTC).strftime("%Y-%m-%d %H:%M")
