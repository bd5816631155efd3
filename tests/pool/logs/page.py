"""Writes the table of docs/logs.md: from the vocabulary, and from the calls what level each event has.

`python -m tests.pool.logs.page`, which `make reference` runs, puts it into the document anew.
"""

from pool.logs.events import LogEvent
from tests.pool.logs.calls import LEVELS, ROOT, Call, log_calls

DOCUMENT = ROOT / "docs/logs.md"
BEGIN = "<!-- made by `make reference`; do not edit below -->\n"


def table() -> str:
    calls = log_calls()
    rows = [_row(event, [call for call in calls if call.event == event.name]) for event in LogEvent]
    return "\n".join(["| event | level | fields | what it means |", "|---|---|---|---|", *rows]) + "\n"


def document() -> str:
    """The page as it should be: what a person wrote, and the table."""
    prose, _, _ = DOCUMENT.read_text().partition(BEGIN)
    return f"{prose}{BEGIN}\n{table()}"


def _row(event: LogEvent, calls: list[Call]) -> str:
    found = {level for call in calls for level in call.levels}
    levels = ", ".join(level for level in LEVELS if level in found) or "as it comes"
    fields = ", ".join(event.value.fields) or "none"
    return f"| `{event.name.lower()}` | {levels} | {fields} | {event.value.meaning} |"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
