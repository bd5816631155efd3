"""Journal entries about blocks → rows: a block appears, changes, is settled; a round joins another."""

from collections.abc import Awaitable, Callable

import msgspec

from pool.accounting import blocks
from pool.accounting.journal_entries import BlockChanged, BlockFacts, BlockLeftOpen, BlockSettled, OrphanJoins
from pool.accounting.journal_lines import Entry
from pool.accounting.ledger import BALANCE, IMMATURE, Row, post, standing
from pool.accounting.ledger import Entry as LedgerEntry
from pool.accounting.names import Names
from pool.accounting.statements import LAST_SETTLED
from pool.storage.database import Writer


async def _changed(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    if not isinstance(body, BlockChanged):
        raise TypeError(f"entry {entry.number} is no change of a block")
    if body.facts is not None:
        await _appear(writer, names, body, body.facts, entry.at_us)
    block = await blocks.find(writer, body.hash)
    if block is None:
        raise LookupError(f"journal entry {entry.number} changes block {body.hash}, which was never recorded")
    if body.to_state != block.state:
        await blocks.change_state(
            writer,
            block,
            body.to_state,
            number=body.transition,
            at_us=entry.at_us,
            reason=body.reason,
        )


async def _appear(writer: Writer, names: Names, body: BlockChanged, facts: BlockFacts, at_us: int) -> None:
    account = None if facts.account is None else await names.account(writer, facts.account, facts.found_us)
    source = await writer.row("SELECT id FROM source WHERE name = ? AND epoch = ?", facts.source, facts.epoch)
    new = blocks.NewBlock(
        hash=body.hash,
        height=body.height,
        previous_hash=facts.previous_hash,
        found_us=facts.found_us,
        slot=facts.slot,
        account_id=account,
        worker=facts.worker,
        job_id=facts.job_id,
        plan_id=facts.plan_id,
        coinbase=bytes.fromhex(facts.coinbase),
        network_target=facts.network_target,
        reward_sats=facts.reward_sats,
        source_id=None if source is None else int(source[0]),
        frame=facts.frame,
        payee=None if facts.payee is None else bytes.fromhex(facts.payee),
    )
    await blocks.record(writer, new, at_us)


async def _settled(writer: Writer, names: Names, entry: Entry) -> None:
    """The division, once. Credits of a block that matured before its window was complete mature at once."""
    body = entry.body
    if not isinstance(body, BlockSettled):
        raise TypeError(f"entry {entry.number} settles no block")
    await writer.execute(
        "INSERT INTO settlement (hash, round, scheme, from_slot, through_slot, joined, settled_us, "
        "statement_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING",
        *(body.hash, body.round, body.scheme, body.from_slot, body.through_slot),
        *(msgspec.json.encode(body.joined).decode(), entry.at_us, body.statement_hash),
    )
    await writer.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        *(LAST_SETTLED, body.hash),
    )
    rows = [
        Row(await names.account(writer, one.account, entry.at_us), IMMATURE, one.credit_kind, one.sats)
        for one in body.credits
    ]
    key = blocks.settlement_key(body.hash)
    await post(
        writer,
        LedgerEntry(
            key=key,
            rows=tuple(rows),
            at_us=entry.at_us,
            block_hash=body.hash,
            reason=body.reason or None,
        ),
    )
    block = await blocks.find(writer, body.hash)
    if block is not None and block.state == blocks.MATURE:
        moves = [
            row
            for account, pot, sats in await standing(writer, body.hash)
            if pot == IMMATURE
            for row in (Row(account, IMMATURE, "matured", -sats), Row(account, BALANCE, "matured", sats))
        ]
        key = f"block:{body.hash}:{block.transition}:matured-late"
        await post(writer, LedgerEntry(key=key, rows=tuple(moves), at_us=entry.at_us, block_hash=body.hash))


async def _left_open(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    if not isinstance(body, BlockLeftOpen):
        raise TypeError(f"entry {entry.number} leaves no block open")
    await writer.execute(
        "INSERT INTO block_left_open (hash, reason, since_us) VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING",
        *(body.hash, body.reason, entry.at_us),
    )


async def _joins(writer: Writer, names: Names, entry: Entry) -> None:
    body = entry.body
    if not isinstance(body, OrphanJoins):
        raise TypeError(f"entry {entry.number} joins no rounds")
    await writer.execute(
        "INSERT INTO orphan_work (hash, transition, from_slot, through_slot, joins_round, joined_us) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (hash, transition, through_slot) DO NOTHING",
        *(body.hash, body.transition, body.from_slot, body.through_slot, body.joins_round, entry.at_us),
    )


APPLIERS: dict[type, Callable[[Writer, Names, Entry], Awaitable[None]]] = {
    BlockChanged: _changed,
    BlockSettled: _settled,
    BlockLeftOpen: _left_open,
    OrphanJoins: _joins,
}
