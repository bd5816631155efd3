"""Times as people type them."""

import datetime
import re
from zoneinfo import ZoneInfo

import pytest

from pool.farm.pause_time import moment_from

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime.datetime(2026, 11, 28, 17, 30, tzinfo=BERLIN)


def moment(text: str, now: datetime.datetime = NOW) -> str:
    found = moment_from(text, now, lambda local: local.replace(tzinfo=BERLIN))
    return found.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("text", "utc"),  # Berlin is an hour ahead in winter, two in summer
    [
        ("18:00", "2026-11-28 17:00"),
        ("17:30", "2026-11-29 16:30"),  # it is that minute now: tomorrow's is meant
        ("6:15", "2026-11-29 05:15"),
        ("+3h", "2026-11-28 19:30"),
        ("+90m", "2026-11-28 18:00"),
        ("+2d", "2026-11-30 16:30"),
        ("2026-12-01T06:00", "2026-12-01 05:00"),
        ("2026-12-01 06:00", "2026-12-01 05:00"),
        ("2027-07-01T06:00", "2027-07-01 04:00"),
        ("2026-12-01T06:00Z", "2026-12-01 06:00"),
        ("2026-12-01T06:00+08:00", "2026-11-30 22:00"),
    ],
)
def test_a_time_is_the_users_own(text: str, utc: str) -> None:
    assert moment(text) == utc


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-11-28T17:29", "is past; write a time like 18:00"),
        ("2026-11-28T17:30", "is past"),
        ("+0h", "is past"),
        ("2028-01-01T00:00", "is more than a year away"),
        ("+367d", "is more than a year away"),
        ("24:00", "is no time; write a time like 18:00, 2026-12-01T06:00 or +3h"),
        ("18:60", "is no time"),
        ("2026-12-01", "is no time"),
        ("2026-02-30T06:00", "is no time"),
        ("+3", "is no time"),
        ("tomorrow", "is no time"),
        ("", "is no time"),
    ],
)
def test_what_is_no_time_to_come_is_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        moment(text)
