"""Whether the pool is fit to work: the checks of `/readyz`, each with its cause; pure."""

from collections.abc import Collection

import msgspec

from pool.gateway.alarms import Alarm
from pool.instruments.board import Board

OLDEST_JOB_SECONDS = 120.0  # jobs are renewed every 28 s while there is a node
_UNWRITABLE = (Alarm.FULL, Alarm.SYNC, Alarm.WRITE)


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One condition, and what is the matter where it does not hold, or not everywhere."""

    is_ok: bool = msgspec.field(name="ok")
    cause: str | None = None


class Health(msgspec.Struct, frozen=True):
    """The body of `/readyz`."""

    status: str
    checks: dict[str, Check]

    @property
    def is_ready(self) -> bool:
        return all(check.is_ok for check in self.checks.values())


def judge(
    board: Board, now: float, unix: float, alarms: Collection[Alarm], database_trouble: str | None
) -> Health:
    """By the newest frames of the gateways. `now` is the board's clock, `unix` the one on the wall, which
    jobs are dated by; `alarms` are all that a gateway has; `database_trouble` is None where the accounts can
    be written."""
    gateway = _gateway(board, now)
    if gateway.is_ok:
        node = _check(any(board.reading(now, "has_work")), "no node supplies work")
        job, spool = _job(board, now, unix), _spool(alarms)
    else:  # what it showed last is no cause
        node = job = Check(False, f"not known: {gateway.cause}")
        spool = _spool(alarms) if alarms else node
    checks = {
        "gateway": gateway,
        "node": node,
        "job": job,
        "spool": spool,
        "database": Check(database_trouble is None, database_trouble),
    }
    is_ready = all(check.is_ok for check in checks.values())
    return Health("ready" if is_ready else "not ready", checks)


def unanswered(cause: str) -> Health:
    """Where nothing can be said of the gateways."""
    return Health("not ready", {"instruments": Check(False, cause)})


def _gateway(board: Board, now: float) -> Check:
    """One that is up is enough: what is ready is the pool."""
    missing = [source for source in board.gateways if not board.is_up(source, now)]
    if len(missing) == len(board.gateways):
        return Check(False, "no gateway has written a frame lately")
    return Check(True, f"{', '.join(missing)}: no frame lately" if missing else None)


def _job(board: Board, now: float, unix: float) -> Check:
    made = max(board.reading(now, "job_timestamp_seconds"), default=None)
    if made is None:
        return Check(False, "no job was made")
    return _check(unix - made < OLDEST_JOB_SECONDS, f"the newest job is {unix - made:.0f} s old")


def _spool(alarms: Collection[Alarm]) -> Check:
    found = [alarm for alarm in _UNWRITABLE if alarm in alarms]
    return _check(not found, f"a gateway's spool has the alarms {', '.join(found)}: see its log")


def _check(is_ok: bool, cause: str) -> Check:
    return Check(True) if is_ok else Check(False, cause)
