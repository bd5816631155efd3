"""What the instruments see that somebody wants to be told: incidents and nodes. Pure; it sends nothing.

What lasts a minute is told, once when it has and once when it is over. An incident that has become part of a
wider one is not over; nothing is said of it any more.
"""

from collections.abc import Mapping, Sequence

import msgspec

from pool.farm.incident_line import incident_line
from pool.farm.incidents import Incident
from pool.notices import notice
from pool.notices.notice import Notice

LASTING_US = 60_000_000  # a machine that restarts, or a node that is, is nobody's night


class HeraldMemory(msgspec.Struct, frozen=True):
    """What a later process needs, so that nothing is told twice."""

    incidents: list[Incident]
    troubled: dict[str, tuple[int, str]]
    down: list[str]


class Herald:
    """Remembers what was told."""

    def __init__(self, memory: HeraldMemory | None = None) -> None:
        self._incidents = {} if memory is None else {one.id: one for one in memory.incidents}
        self._troubled = {} if memory is None else dict(memory.troubled)
        self._down = set[str]() if memory is None else set(memory.down)

    def export(self) -> HeraldMemory:
        return HeraldMemory(list(self._incidents.values()), self._troubled, sorted(self._down))

    def incidents(self, now: Sequence[Incident], now_us: int) -> list[Notice]:
        """What is news of the farm's incidents."""
        told: list[Notice] = []
        here = {one.id: one for one in now}
        for one in now:
            if one.id not in self._incidents and one.faults and now_us - one.begun_us >= LASTING_US:
                self._incidents[one.id] = one
                told.append(_begun(one, now_us))
        for known in list(self._incidents):
            latest = here.get(known)
            if latest is not None:
                self._incidents[known] = latest
                continue
            gone = self._incidents.pop(known)
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
        incident_id=incident.id,
        what=incident_line(incident, now_us),
        group=_group_of(incident),
        machines=len(incident.faults),
    )


def _over(incident: Incident, now_us: int) -> Notice:
    return notice.IncidentOver(
        at_us=now_us,
        incident_id=incident.id,
        what=incident_line(incident, now_us),
        group=_group_of(incident),
        machines=incident.most,
        began_us=incident.begun_us,
    )


def _group_of(incident: Incident) -> str:
    return incident.cause.name if incident.cause.kind == "group" else ""
