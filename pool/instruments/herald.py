"""What the instruments see that somebody wants to be told: incidents and nodes. Pure; it sends nothing.

What has been there for a minute is told, once, and once more when it is over: within that minute the other
machines of a rack are found silent as well. An incident whose cause turns out to be a wider one is told
again. One that has become part of another is not over; nothing is said of it any more.
"""

from collections.abc import Mapping, Sequence

import msgspec

from pool.farm.cause import Cause
from pool.farm.incident_line import incident_line
from pool.farm.incidents import Incident
from pool.notices import notice
from pool.notices.notice import Notice

LASTING_US = 60_000_000  # a machine that restarts, or a node that is, is nobody's night


class HeraldMemory(msgspec.Struct, frozen=True):
    """What a later process needs, so that nothing is told twice."""

    incidents: list[Incident] = []
    causes: dict[str, Cause] = {}
    troubled: dict[str, tuple[int, str]] = {}
    down: list[str] = []


class Herald:
    """Remembers what was told."""

    def __init__(self, memory: HeraldMemory | None = None) -> None:
        known = HeraldMemory() if memory is None else memory
        self._seen_us: dict[str, int] = {}  # of incidents, when each was first looked at
        self._incidents = {one.id: one for one in known.incidents}  # those that were told, as they were last
        self._causes = dict(known.causes)  # by which they were told
        self._troubled = dict(known.troubled)
        self._down = set(known.down)

    def export(self) -> HeraldMemory:
        """For the next process: nothing is told twice."""
        return HeraldMemory(
            list(self._incidents.values()), dict(self._causes), dict(self._troubled), sorted(self._down)
        )

    def incidents(self, now: Sequence[Incident], now_us: int) -> list[Notice]:
        """What is news of the farm's incidents."""
        told: list[Notice] = []
        here = {one.id: one for one in now}
        self._seen_us = {known: self._seen_us.get(known, now_us) for known in here}
        for one in now:
            is_due = one.faults and now_us - self._seen_us[one.id] >= LASTING_US
            if is_due and self._causes.get(one.id) != one.cause:
                self._causes[one.id] = one.cause
                self._incidents[one.id] = one
                told.append(_begun(one, now_us))
        for known in list(self._incidents):
            latest = here.get(known)
            if latest is not None:
                self._incidents[known] = latest
                continue
            gone = self._incidents.pop(known)
            del self._causes[known]
            if gone.well_since_us is not None:
                told.append(_over(gone, now_us))
        return told

    def nodes(self, troubles: Mapping[str, str | None], now_us: int) -> list[Notice]:
        """What is news of the nodes; `troubles` is what is wrong with each, None where nothing is."""
        told: list[Notice] = []
        for node, trouble in troubles.items():
            if trouble is None:
                since_us, _ = self._troubled.pop(node, (now_us, ""))
                if node in self._down:
                    self._down.discard(node)
                    told.append(notice.NodeBack(at_us=now_us, node=node, down_us=since_us))
                continue
            since_us, _ = self._troubled.setdefault(node, (now_us, trouble))
            if node not in self._down and now_us - since_us >= LASTING_US:
                self._down.add(node)
                told.append(notice.NodeDown(at_us=since_us, node=node, reason=trouble.replace("_", " ")))
        return told


def _begun(incident: Incident, now_us: int) -> Notice:
    return notice.Incident(
        at_us=incident.begun_us,
        incident_id=_id_of(incident),
        what=incident_line(incident, now_us),
        group=_group_of(incident),
        machines=len(incident.faults),
    )


def _over(incident: Incident, now_us: int) -> Notice:
    return notice.IncidentOver(
        at_us=now_us,
        incident_id=_id_of(incident),
        what=incident_line(incident, now_us),
        group=_group_of(incident),
        machines=incident.most,
        began_us=incident.begun_us,
    )


def _id_of(incident: Incident) -> str:
    """By its cause: told again by a wider one, it is not taken for the same news."""
    return f"{incident.id}:{incident.cause.level or incident.cause.kind}"


def _group_of(incident: Incident) -> str:
    return incident.cause.name if incident.cause.kind == "group" else ""
