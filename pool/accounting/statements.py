"""Signed statements of settled blocks: made from what was divided, kept as files, chained.

    DATA/statements/HEIGHT-HASH.json      written and synced before the settlement is journalled

The journal and the database hold each file's SHA-256, so that one that was changed or lost shows.
"""

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from payouts.settlement import Settlement
from payouts.window import Edge
from pool.accounting.archive import days_between
from pool.accounting.blocks import Block
from pool.accounting.directories import SPOOL
from pool.accounting.document_file import store
from pool.accounting.in_force import in_force_for_job
from pool.audit import statement as audit
from pool.audit.keys import SigningKey
from pool.spool.parts import part_of
from pool.spool.segments import segments_of
from pool.storage.database import Reader

FOLDER = "statements"
LAST_SETTLED = "last_settled"  # in meta: the block whose statement the next one follows


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a division was made of. `edge_seconds` is the length of the slot that is cut. `settlement` is
    None where a coinbase had paid by a plan: then `earned` is by payee's account, and `fees` are (account,
    basis points, sats). `by_hand` is a person's reason, where no rule has divided it."""

    needed: int | None
    edge: Edge | None
    from_slot: int
    whole: Mapping[str, int]
    at_edge: Mapping[str, int]
    carried: Mapping[str, int]
    settlement: Settlement | None
    edge_seconds: int | None = None
    earned: Mapping[str, int] = {}
    fees: tuple[tuple[str, int, int], ...] = ()
    plan_id: str | None = None
    by_hand: str | None = None


class StatementRules(msgspec.Struct, frozen=True, kw_only=True):
    """What every statement of a pool says of its rules. `fees` is (address, basis points)."""

    network: str
    scheme: str
    method: str
    unfilled: str
    multiple: int
    max_days: int
    slot_seconds: int
    operator: str
    fees: tuple[tuple[str, int], ...]
    earlier: "tuple[tuple[int, StatementRules], ...]" = ()

    def of(self, block: Block) -> "StatementRules":
        """What the block is divided by; `earlier` is (until, rules), oldest first."""
        is_solo = block.payee is not None
        return in_force_for_job(self, self.earlier, block.found_us, is_solo=is_solo)


class Statements:
    """Makes and finds the files of one data directory."""

    def __init__(self, data_directory: Path, rules: StatementRules, key: SigningKey) -> None:
        self._folder = data_directory / FOLDER
        self._spool = data_directory / SPOOL
        self._rules = rules
        self._key = key

    def follow(self, rules: StatementRules) -> None:
        """Go on by these rules."""
        self._rules = rules

    def scheme_of(self, block: Block) -> str:
        """The scheme that a block's statement names."""
        return self._rules.of(block).scheme

    async def write(self, reader: Reader, block: Block, facts: Facts) -> str:
        """Sign and store a block's statement; the SHA-256 of the file, hex."""
        previous = await self._previous(reader)
        body = await self._body(reader, block, facts)
        made = audit.sign_statement(
            body,
            network=self._rules.network,
            block_hash=block.hash,
            height=block.height,
            previous=previous,
            signer=self._key,
        )
        document = audit.encode(made)
        await asyncio.to_thread(store, statement_path(self._folder, block.height, block.hash), document)
        return sha256(document).hexdigest()

    async def _previous(self, reader: Reader) -> audit.Statement | None:
        """The statement before this one, by order of settling; None for the first, or where it is lost."""
        row = await reader.row(
            "SELECT block.height, block.hash FROM meta JOIN block ON block.hash = meta.value "
            "WHERE meta.key = ?",
            LAST_SETTLED,
        )
        if row is None:
            return None
        path = statement_path(self._folder, int(row[0]), str(row[1]))
        try:
            return audit.decode(await asyncio.to_thread(path.read_bytes))
        except FileNotFoundError:
            return None

    async def _body(self, reader: Reader, block: Block, facts: Facts) -> audit.Body:
        sources = await reader.rows("SELECT name, epoch, mark FROM source ORDER BY name, epoch")
        marks = {f"{name}/{epoch}": int(mark) for name, epoch, mark in sources}
        segments = await reader.rows(
            "SELECT source.name, first_frame, last_frame, sha256, deleted_us, first_us, last_us "
            "FROM archive_segment "
            "JOIN source ON source.id = source_id WHERE last_us >= ? AND first_us <= ? "
            "ORDER BY source.name, serial",
            *(facts.from_slot * 1_000_000, (block.slot + self._rules.slot_seconds) * 1_000_000),
        )
        row = None
        if block.account_id is not None:
            row = await reader.row("SELECT name FROM account WHERE id = ?", block.account_id)
        rules = self._rules.of(block)
        amounts = _amounts(rules, facts)
        return audit.Body(
            found_at_us=block.found_us,
            finder="" if row is None else str(row[0]),
            network_target=block.network_target,
            rules=_stated(rules),
            window=self._window(block, facts),
            marks=marks,
            work=_work_rows(facts),
            reward_sats=block.reward_sats,
            fees=amounts.fees,
            operator_sats=amounts.operator_sats,
            credits=dict(amounts.credits),
            rounding=dict(amounts.rounding),
            segments=tuple(
                audit.SegmentHash(source=name, first_frame=first, last_frame=last, sha256=digest)
                for name, first, last, digest, deleted_us, _, _ in segments
                if deleted_us is None
            ),
            parts=await asyncio.to_thread(_parts, self._spool, sources),
            digests=await self._digests(reader, [one for one in segments if one[4] is not None]),
            leaf_secret=self._key.secret_for(f"statement {block.hash}").hex(),
            plan_id=None if facts.plan_id is None else facts.plan_id.partition(":")[0],
            by_hand=facts.by_hand,
        )

    async def _digests(
        self, reader: Reader, deleted: Sequence[tuple[Any, ...]]
    ) -> tuple[audit.DigestHash, ...]:
        """Of the days that segments which are gone had frames of."""
        days = sorted({day for *_, first_us, last_us in deleted for day in days_between(first_us, last_us)})
        found = []
        for day in days:
            row = await reader.row("SELECT hash FROM digest WHERE day = ?", day)
            if row is not None:
                found.append(audit.DigestHash(day=day, sha256=str(row[0])))
        return tuple(found)

    def _window(self, block: Block, facts: Facts) -> audit.Window:
        edge = None
        if facts.edge is not None and facts.edge.slot is not None:
            edge = audit.Edge(
                slot=facts.edge.slot,
                work=str(facts.edge.work),
                inside=str(facts.edge.taken),
                seconds=facts.edge_seconds or self._rules.slot_seconds,
            )
        return audit.Window(
            from_slot=max(0, facts.from_slot),
            through_slot=block.slot,
            slot_seconds=self._rules.slot_seconds,
            edge=edge,
            needed=None if facts.needed is None else str(facts.needed),
        )


def _parts(spool: Path, sources: Sequence[tuple[Any, ...]]) -> tuple[audit.PartHash, ...]:
    """What was counted of each segment that is not in the archive yet. Blocking; raises OSError."""
    found = []
    for name, epoch, mark in sources:
        for segment in segments_of(spool / name).get(epoch, []):
            if segment.first > mark:
                continue
            try:
                part = part_of(segment.path.read_bytes(), segment.first, mark)
            except FileNotFoundError:
                continue  # it goes into the archive just now, whole
            if part.last_frame >= segment.first:
                found.append(
                    audit.PartHash(
                        source=name,
                        epoch=epoch,
                        first_frame=segment.first,
                        last_frame=part.last_frame,
                        sha256=part.sha256,
                    )
                )
    return tuple(found)


class _Amounts(msgspec.Struct, frozen=True):
    fees: tuple[audit.Fee, ...]
    operator_sats: int
    credits: Mapping[str, int]
    rounding: Mapping[str, int]


def statement_path(folder: Path, height: int, block_hash: str) -> Path:
    """Where the statement of a block is; `folder` is DATA/statements."""
    return folder / f"{height}-{block_hash}.json"


def _work_rows(facts: Facts) -> tuple[audit.AccountWork, ...]:
    accounts = sorted(facts.whole.keys() | facts.at_edge.keys() | facts.carried.keys())
    return tuple(
        audit.AccountWork(
            account=account,
            whole=str(facts.whole.get(account, 0)),
            edge=str(facts.at_edge.get(account, 0)),
            carried=str(facts.carried.get(account, 0)),
        )
        for account in accounts
    )


def _stated(rules: StatementRules) -> audit.Rules:
    has_window = rules.scheme in ("pplns", "pps", "fpps")
    return audit.Rules(
        scheme=rules.scheme,
        method=rules.method,
        unfilled=rules.unfilled,
        multiple=rules.multiple if has_window else None,
        max_days=rules.max_days if has_window else None,
    )


def _amounts(rules: StatementRules, facts: Facts) -> "_Amounts":
    if facts.settlement is not None:
        fees = tuple(
            audit.Fee(address=address, basis_points=points, sats=sats)
            for (address, points), sats in zip(rules.fees, facts.settlement.fee_sats, strict=True)
        )
        return _Amounts(
            fees,
            facts.settlement.operator_sats,
            facts.settlement.by_account,
            facts.settlement.rounding,
        )
    earned = dict(facts.earned)
    fees = tuple(
        audit.Fee(address=account, basis_points=points, sats=sats) for account, points, sats in facts.fees
    )
    operator_sats = earned.pop(rules.operator, 0)
    return _Amounts(fees, operator_sats, {name: sats for name, sats in earned.items() if sats}, {})
