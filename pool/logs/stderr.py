"""[shell] The handler that writes a process' log to stderr as the settings say; floods it leaves out.

What is left out: lines beyond LINES_A_MINUTE of one cause, except those of events that are `is_always`. A
cause is the event with the fields that its entry names. At level error and above it is the whole sentence, so
that no error ever hides another. A library's cause is the text that it formats.
"""

import logging
import sys
import time
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from typing import TextIO

from config.schema import LogSettings
from pool.logs.events import LogEvent
from pool.logs.formats import ConsoleFormat, JsonFormat, line_of
from pool.logs.limits import LeftOut, RateLimit
from pool.logs.line import Line


def log_to_stderr(settings: LogSettings, process: str) -> None:
    """From now on everything that this process logs; `process` is its name in JSON."""
    handler = LimitedHandler(sys.stderr)
    handler.setFormatter(
        JsonFormat(process, full_addresses=settings.full_addresses)
        if settings.format == "json"
        else ConsoleFormat(full_addresses=settings.full_addresses)
    )
    logging.basicConfig(level=settings.level.upper(), handlers=[handler])


class LimitedHandler(logging.StreamHandler[TextIO]):
    """Writes each record as its formatter says, or counts it.

    The counts are told with the next line of any cause, and at the end of the process, by `close`, which
    `logging` calls then. A gateway reports once a minute, so that its counts wait no longer; an accountant
    that has nothing more to say may keep one for longer, which is why each says since when it counts. A timer
    would have to run in every process for that alone.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._limit = RateLimit[logging.LogRecord]()

    def emit(self, record: logging.LogRecord) -> None:
        """Called with the handler's lock held, from any thread."""
        try:
            self._emit(record)
        except Exception:  # as StreamHandler.emit does: what is said is never what makes the pool fail
            self.handleError(record)

    def close(self) -> None:
        self.acquire()
        try:
            for left_out in self._limit.all():
                super().emit(_summary(left_out))
        finally:
            self.release()
        super().close()

    def _emit(self, record: logging.LogRecord) -> None:
        now = self._clock()
        for left_out in self._limit.ended(now):
            super().emit(_summary(left_out))
        cause = cause_of(record)
        if cause is None or self._limit.admits(cause, record, now):
            super().emit(record)


def cause_of(record: logging.LogRecord) -> Hashable:
    """What makes two records the same to the limit; None for one that is always written."""
    line = record.msg
    if not isinstance(line, Line):
        return record.name, str(line)
    entry = line.event.value
    if entry.is_always:
        return None
    if record.levelno >= logging.ERROR:
        return line.event, line.sentence(full_addresses=True)
    return line.event, *(str(line.fields.get(name)) for name in entry.cause)


def _summary(left_out: LeftOut[logging.LogRecord]) -> logging.LogRecord:
    first = left_out.first
    like = line_of(first)
    said = Line(
        LogEvent.LINES_LEFT_OUT,
        {
            "lines": left_out.count,
            "since": datetime.fromtimestamp(first.created, UTC).isoformat(timespec="seconds"),
            "like": str(like),
            "of": like.event.name.lower(),
        },
    )
    return logging.LogRecord(first.name, first.levelno, first.pathname, first.lineno, said, None, None)
