"""Numbers for what repeats (names, difficulties, templates, jobs, instruments), and their definitions.

A number is given once in a process, and means something only in the segment that defines it: with each new
segment `forget` voids the tables, and what is used again is defined again.
"""

from pool.spool import records
from pool.spool.records import TARGET_BYTES, Definition
from stratum.events import Worker
from stratum.work.job import Job
from stratum.work.template import Template

Series = tuple[str, tuple[str, ...]]  # an instrument's name, and the values of its labels

MOST_TEMPLATES = 64  # as many as jobs that can still be submitted to have; held, so with their transactions


class Numbers:
    """The tables of the segment being written. `names`, `jobs` (by id) and `difficulties` (by target) are for
    looking up; what is not there gets its number from the method of the same noun.

    `definitions` are those that no frame carries yet. `agents` of who is connected go into new names.
    """

    def __init__(self) -> None:
        self.agents: dict[Worker, str] = {}
        self.definitions: list[Definition] = []
        self._number = 0
        self.forget()

    def forget(self) -> None:
        """No number that was given means anything in the frames to come."""
        self.names: dict[Worker, int] = {}
        self.difficulties: dict[int, int] = {}
        self.jobs: dict[str, int] = {}
        self.instruments: dict[Series, int] = {}
        self._templates: dict[int, tuple[int, Template]] = {}

    def _next(self) -> int:
        self._number += 1
        return self._number

    def number_of(self, worker: Worker) -> int:
        """The name's number, old or new."""
        return self.names.get(worker) or self.name(worker)

    def name(self, worker: Worker) -> int:
        """A number for a name that has none yet."""
        number = self.names[worker] = self._next()
        agent = self.agents.get(worker, "")
        self.definitions.append(records.Name(number, worker.account, worker.script, worker.name, agent))
        return number

    def difficulty(self, target: int) -> int:
        """A number for a difficulty, by its target, that has none yet."""
        number = self.difficulties[target] = self._next()
        self.definitions.append(records.Difficulty(number, target.to_bytes(TARGET_BYTES, "big")))
        return number

    def instrument(self, series: Series) -> int:
        """A number for a series of figures that has none yet."""
        number = self.instruments[series] = self._next()
        self.definitions.append(records.Instrument(number, *series))
        return number

    def job(self, job: Job) -> int:
        """A number for a job that has none yet."""
        template = self._template(job.template)
        number = self.jobs[job.id] = self._next()
        self.definitions.append(
            records.JobMade(
                number=number,
                job_id=job.id,
                template=template,
                version=job.version,
                prefix=job.coinbase_prefix,
                suffix=job.coinbase_suffix,
                plan=job.plan_id,
                payee=job.payee,
                size_class=job.size_class,
                is_stripped=job.plan_is_stripped,
            )
        )
        return number

    def _template(self, template: Template) -> int:
        """By identity: comparing two templates compares all their transactions. It is held, so its id is its
        own."""
        known = self._templates.get(id(template))
        if known is not None:
            return known[0]
        number = self._next()
        if len(self._templates) >= MOST_TEMPLATES:
            del self._templates[next(iter(self._templates))]
        self._templates[id(template)] = (number, template)
        self.definitions.append(
            records.TemplateFacts(
                number=number,
                height=template.height,
                version=template.version,
                previous_hash=template.previous_hash,
                bits=template.bits,
                network_target=template.network_target.to_bytes(TARGET_BYTES, "big"),
                value_sats=template.coinbase_value_sats,
                fees_sats=sum(transaction.fee_sats for transaction in template.transactions),
                branch=template.merkle_branch,
            )
        )
        return number
