"""The settings of the farm's machines as typed values: which, where they stand, when one is at fault."""

from typing import Annotated

import msgspec
from msgspec import Meta

LONGEST_PATTERN = 500
# An expression that a person can still read. One that backtracks without end is the operator's own matter; it
# is only ever applied to worker names, of at most 64 characters (stratum.username).
MOST_LEVELS = 6
# Country, site, hall, row, rack, shelf: nobody walks further, and each level is one more sum of everything.


class MachineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `farm` says of machines."""

    name_pattern: Annotated[
        str | None,
        Meta(
            max_length=LONGEST_PATTERN,
            description="A regular expression that fits a whole worker name; its named groups, in their "
            "order, are where the machine stands: '(?P<site>[a-z]+)-(?P<row>[0-9]+)-(?P<rack>[0-9]+)'. A "
            "last one called `position` is the place within its group.",
        ),
    ] = None
    inventory: Annotated[
        str | None,
        Meta(
            min_length=1,
            description="A CSV file with the columns name, group, model, expected_ths, watts. What it says "
            "of a machine goes before `name_pattern`; machines that never came are shown too.",
        ),
    ] = None
    expected_terahashes: Annotated[
        float | None,
        Meta(
            gt=0,
            le=100_000,  # no machine does a tenth of an exahash
            description="What a machine should do where no inventory says, in TH/s; without it a machine is "
            "measured by its own past.",
        ),
    ] = None
    false_alarms_per_day: Annotated[
        float,
        Meta(
            gt=0,
            le=1_000,
            description="How many false alarms of silent or slow machines the whole farm may give in a day. "
            "Fewer means that true ones come later.",
        ),
    ] = 1
    rejecting_percent: Annotated[
        float,
        Meta(
            gt=0,
            le=100,
            description="A machine of whose work a larger part than this is refused is at fault.",
        ),
    ] = 5
    accounts: Annotated[
        tuple[str, ...],
        Meta(
            max_length=1_000,
            description="Only machines that mine with these addresses are the farm's; by default all are.",
        ),
    ] = ()
