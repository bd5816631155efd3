"""An incident as one line that a person reads on a phone. Pure; it knows no incident but the one given."""

import datetime
from collections import Counter
from typing import get_args

from pool.farm.faults import Fault
from pool.farm.incidents import Departure, Incident
from pool.wording import counted, hashrate_text

MICROSECONDS = 1_000_000


def incident_line(incident: Incident, now_us: int, zone: datetime.tzinfo = datetime.UTC) -> str:
    """`rack hall-a/row-3/rack-7: 38 of 40 machines silent since 12:03 (first: m-12), −9.1 TH/s`.

    Times are shown in the zone, with their date where that is not today's.
    """
    begun = time_text(incident.begun_us, now_us, zone)
    what = _what(incident)
    if incident.well_since_us is not None:
        well = time_text(incident.well_since_us, now_us, zone)
        return f"{what}: {_ending(incident)} since {well}; {_at_most(incident)} since {begun}"
    if incident.cause.kind == "machine":
        said = f"{incident.faults[0].state} since {begun}"
    else:
        number = _number(len(incident.faults), incident.machines)
        said = f"{number} {_states(incident.faults)} since {begun} (first: {incident.first})"
    missing = incident.missing_hashes_per_second
    return f"{what}: {said}, −{hashrate_text(missing)}" if missing > 0 else f"{what}: {said}"


def time_text(at_us: int, now_us: int, zone: datetime.tzinfo) -> str:
    """12:03, or 2026-11-27 12:03 where that is another day than now."""
    at = datetime.datetime.fromtimestamp(at_us // MICROSECONDS, zone)
    now = datetime.datetime.fromtimestamp(now_us // MICROSECONDS, zone)
    return at.strftime("%H:%M" if at.date() == now.date() else "%Y-%m-%d %H:%M")


def _what(incident: Incident) -> str:
    cause = incident.cause
    match cause.kind:
        case "farm":
            return "the whole farm"
        case "group":
            return f"{cause.level} {cause.name}"
        case "firmware":
            return f"firmware {cause.name}"
        case "minute":
            return "in one minute"
        case "machine":
            place = incident.faults[0].place if incident.faults else None
            where = f" in {place.group}" if place is not None and place.levels else ""
            return f"machine {incident.first}{where}"


def _number(count: int, machines: int | None) -> str:
    return counted(count, "machine") if not machines else f"{count:,} of {counted(machines, 'machine')}"


def _ending(incident: Incident) -> str:
    """`well again`, `38 paused, 2 forgotten`, or `2 forgotten, others well again`."""
    if not incident.departed:
        return "well again"
    if incident.cause.kind == "machine":
        return next(iter(incident.departed.values()))
    counts = Counter(incident.departed.values())
    each = [f"{counts[why]:,} {why}" for why in get_args(Departure) if counts[why]]
    others = ["others well again"] if len(incident.departed) < incident.most else []
    return ", ".join(each + others)


def _at_most(incident: Incident) -> str:
    machines = incident.machines
    if machines is not None and machines < incident.most:  # fewer are left by now, by a pause for one
        machines = None
    return f"{_number(incident.most, machines)} at fault"


def _states(faults: tuple[Fault, ...]) -> str:
    states = Counter(fault.state for fault in faults)
    if len(states) == 1:
        return faults[0].state
    each = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items(), key=_most_first))
    return f"at fault ({each})"


def _most_first(entry: tuple[str, int]) -> tuple[int, str]:
    return -entry[1], entry[0]
