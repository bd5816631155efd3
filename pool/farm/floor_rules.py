"""What the settings say of the floor's machines; values only."""

import msgspec

from pool.farm.exposure import WatchTerms


class FloorRules(msgspec.Struct, frozen=True, kw_only=True):
    """`expected_hashes_per_second` is of a machine of which no list says more; `most_machines` bounds those
    that nobody has listed. `own_accounts` are those whose machines' faults are the operator's matter, None
    where all are: who leaves a pool for others has left, and is no incident."""

    expected_hashes_per_second: float | None = None
    false_alarms_per_day: float = 1.0
    rejecting_percent: float = 5.0
    most_machines: int = 10_000
    own_accounts: frozenset[str] | None = None

    def owns(self, account: str, *, is_listed: bool) -> bool:
        """Whether the faults of this machine are the operator's matter."""
        return is_listed or self.own_accounts is None or account in self.own_accounts

    def terms(self, machines: int) -> WatchTerms:
        """What each of so many machines is watched by."""
        return WatchTerms(max(1, machines), self.false_alarms_per_day, self.rejecting_percent)
