"""[shell] The two forms of a line: a sentence for people, a JSON object for programs. Writes neither.

    2026-01-01 12:00:00,000 INFO     engineroom.gateway: new work at height 840001 from hall-a: …
    {"at":"2026-01-01T11:00:00.000Z","level":"info","event":"work_renewed","logger":"engineroom.gateway",…}

A record is one line, whatever its fields hold. Only a traceback has more of them in the console, all
indented, so that none can pass for a line of the log; in JSON it is one field.
"""

import logging
import traceback
from datetime import UTC, datetime

import msgspec

from pool.logs.events import LogEvent
from pool.logs.line import Line
from pool.logs.redaction import shown_text

RESERVED = ("at", "level", "event", "logger", "process", "traceback")  # names that no field may have


def line_of(record: logging.LogRecord) -> Line:
    """What the record says; a library's text is an event as well."""
    if isinstance(record.msg, Line):
        return record.msg
    return Line(LogEvent.LIBRARY_SPOKE, {"text": record.getMessage()})


class ConsoleFormat(logging.Formatter):
    """For people, in local time."""

    def __init__(self, *, full_addresses: bool = False) -> None:
        super().__init__()
        self._full_addresses = full_addresses

    def format(self, record: logging.LogRecord) -> str:
        sentence = line_of(record).sentence(full_addresses=self._full_addresses)
        head = f"{self.formatTime(record)} {record.levelname:<8} {record.name}: {sentence}"
        return "\n  ".join([head, *_traceback(record, full_addresses=self._full_addresses)])


class JsonFormat(logging.Formatter):
    """For programs: one object, in UTC. `process` tells apart who writes to the same stderr."""

    def __init__(self, process: str, *, full_addresses: bool = False) -> None:
        super().__init__()
        self._process = process
        self._full_addresses = full_addresses

    def format(self, record: logging.LogRecord) -> str:
        line = line_of(record)
        at = datetime.fromtimestamp(record.created, UTC)
        document: dict[str, object] = {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": line.event.name.lower(),
            "logger": record.name,
            "process": self._process,
            **line.values(full_addresses=self._full_addresses),
        }
        told = _traceback(record, full_addresses=self._full_addresses)
        if told:
            document["traceback"] = "\n".join(told)
        return msgspec.json.encode(document).decode()


def _traceback(record: logging.LogRecord, *, full_addresses: bool) -> list[str]:
    """Its lines, each as safe as any text: an error's message may come from the network."""
    if not record.exc_info or record.exc_info[1] is None:
        return []
    lines = "".join(traceback.format_exception(record.exc_info[1])).splitlines()
    return [shown_text(line, full_addresses=full_addresses) for line in lines]
