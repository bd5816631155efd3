"""How often the accountant does each of its duties. Values only."""

import msgspec


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds between two rounds of a duty; `trouble_seconds` pass at least before one that failed is tried
    again, and `database_seconds` at most where it was the database: whether that is back must not wait for
    the slowest duty; `bug_seconds` after a bug in what is no money. `paying_seconds` None: the settings'
    interval."""

    apply_seconds: float = 0.25
    chain_seconds: float = 2.0
    plan_seconds: float = 5.0
    watch_payments_seconds: float = 10.0
    keep_seconds: float = 30.0
    measure_seconds: float = 5.0
    notice_seconds: float = 3.0
    paying_seconds: float | None = None
    trouble_seconds: float = 2.0
    database_seconds: float = 10.0
    bug_seconds: float = 60.0
