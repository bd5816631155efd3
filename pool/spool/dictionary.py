"""A segment's numbers, resolved: which name, difficulty, template or job one stands for. It only grows."""

from collections.abc import Iterable
from typing import TypeVar

from pool.spool.records import Difficulty, Instrument, JobMade, Name, Record, TemplateFacts

T = TypeVar("T")


class UnknownNumber(Exception):
    """A record names a number that its segment has not defined: the frame that did is damaged."""

    def __init__(self, kind: str, number: int) -> None:
        super().__init__(f"{kind} {number} is not defined in this segment")
        self.kind = kind
        self.number = number


class Dictionary:
    """What one segment has defined so far. Kept with a frame it stays right: no number is given twice."""

    __slots__ = (
        "_difficulties",
        "_instruments",
        "_jobs",
        "_names",
        "_network_works",
        "_templates",
        "_works",
    )

    def __init__(self, definitions: Iterable[Record] = ()) -> None:
        self._names: dict[int, Name] = {}
        self._difficulties: dict[int, Difficulty] = {}
        self._templates: dict[int, TemplateFacts] = {}
        self._jobs: dict[int, JobMade] = {}
        self._works: dict[int, int] = {}
        self._instruments: dict[int, Instrument] = {}
        self._network_works: dict[int, int] = {}  # by template, as far as asked for
        self.learn(definitions)

    def learn(self, records: Iterable[Record]) -> None:
        """Take the definitions among a frame's records."""
        for record in records:
            if isinstance(record, Name):
                self._names[record.number] = record
            elif isinstance(record, Difficulty):
                self._difficulties[record.number] = record
                self._works[record.number] = record.work
            elif isinstance(record, TemplateFacts):
                self._templates[record.number] = record
            elif isinstance(record, JobMade):
                self._jobs[record.number] = record
            elif isinstance(record, Instrument):
                self._instruments[record.number] = record

    def name(self, number: int) -> Name:
        """Raises UnknownNumber, as all of these do."""
        return _known(self._names, "name", number)

    def difficulty(self, number: int) -> Difficulty:
        return _known(self._difficulties, "difficulty", number)

    def work(self, difficulty: int) -> int:
        """Expected hashes of a share at the difficulty of this number."""
        return _known(self._works, "difficulty", difficulty)

    def template(self, number: int) -> TemplateFacts:
        return _known(self._templates, "template", number)

    def job(self, number: int) -> JobMade:
        return _known(self._jobs, "job", number)

    def instrument(self, number: int) -> Instrument:
        return _known(self._instruments, "instrument", number)

    def network_work_of_job(self, job: int) -> int:
        """Expected hashes of a block of this job."""
        template = self.job(job).template
        work = self._network_works.get(template)
        if work is None:
            work = self._network_works[template] = self.template(template).network_work
        return work

    def template_of_job(self, job: int) -> TemplateFacts:
        return self.template(self.job(job).template)


def _known(table: dict[int, T], kind: str, number: int) -> T:
    found = table.get(number)
    if found is None:
        raise UnknownNumber(kind, number)
    return found
