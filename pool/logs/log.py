"""[shell] `Log`: how the pool's code says something. A typed face of the standard library's logger, no more.

    log = Log("engineroom.gateway")
    log.info(LogEvent.WORK_RENEWED, height=840_001, node="hall-a", transactions=3021, reward_sats=325_104_233)

Names of fields are compared with the vocabulary by a test (`tests/pool/logs/test_vocabulary.py`), types by
mypy. Below the level a call costs the level check. Handlers, levels and tests see ordinary records whose
message is a `Line`.
"""

import logging
from collections.abc import Mapping

from pool.logs.events import LogEvent
from pool.logs.line import Line
from pool.logs.redaction import Field

_STACK_LEVEL = 3  # the caller of `info`, neither `info` nor `_say`


class Log:
    """One logger by its name. `exc_info` is an error whose traceback belongs to the line."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: LogEvent, /, **fields: Field) -> None:
        self._say(logging.DEBUG, event, fields)

    def info(self, event: LogEvent, /, **fields: Field) -> None:
        self._say(logging.INFO, event, fields)

    def warning(self, event: LogEvent, /, **fields: Field) -> None:
        self._say(logging.WARNING, event, fields)

    def error(self, event: LogEvent, /, exc_info: BaseException | None = None, **fields: Field) -> None:
        self._say(logging.ERROR, event, fields, exc_info)

    def critical(self, event: LogEvent, /, exc_info: BaseException | None = None, **fields: Field) -> None:
        self._say(logging.CRITICAL, event, fields, exc_info)

    def log(self, level: int, event: LogEvent, /, **fields: Field) -> None:
        """At a level that depends on what happened."""
        self._say(level, event, fields)

    def _say(
        self, level: int, event: LogEvent, fields: Mapping[str, Field], exc_info: BaseException | None = None
    ) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, Line(event, fields), exc_info=exc_info, stacklevel=_STACK_LEVEL)
