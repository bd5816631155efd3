"""Block rows and what a change of a block's state does to the ledger; it asks no node and settles no window.

A change has a number, taken from the journal entry that was written before it. Whatever a block's entries add
up to at that moment is moved on or taken back whole, under a key with that number: a block that is orphaned,
returns and matures ends with the same sums as one that was never away.
"""

import msgspec

from pool.accounting.ledger import BALANCE, IMMATURE, Entry, Row, post, standing
from pool.storage.database import Reader, Writer
from stratum.work.difficulty import work_of_target

CANDIDATE, ACCEPTED, MATURE, ORPHANED, REFUSED = "candidate", "accepted", "mature", "orphaned", "refused"
STANDING = (ACCEPTED, MATURE)
STRIPPED = ":stripped"  # behind a plan's id: the job paid by it, but not its carry-over
WATCHED = (CANDIDATE, ACCEPTED, MATURE, ORPHANED)


class NewBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate as the frame or the block's file tells of it. `coinbase` is the full non-witness
    transaction; `account_id` None where no authorised name stood behind it; `network_target` is 64 hex
    digits, the most significant first. `payee` is the script of a solo job: its coinbase has paid the finder.
    """

    hash: str
    height: int
    previous_hash: str
    found_us: int
    slot: int
    account_id: int | None
    worker: str
    job_id: str
    plan_id: str | None
    coinbase: bytes
    network_target: str
    reward_sats: int
    source_id: int | None = None
    frame: int | None = None
    payee: bytes | None = None

    @property
    def network_work(self) -> int:
        """Expected hashes of a block like this."""
        return work_of_target(int(self.network_target, 16))


class Block(NewBlock, frozen=True, kw_only=True):
    """A block's row."""

    state: str
    transition: int
    confirmations: int


_COLUMNS = (
    "hash, height, previous_hash, found_us, slot, account_id, worker, job_id, plan_id, coinbase, "
    "network_target, reward_sats, source_id, frame, payee, state, transition, confirmations"
)


def _block(row: tuple[object, ...]) -> Block:
    names = _COLUMNS.split(", ")
    fields: dict[str, object] = dict(zip(names, row, strict=True))
    return msgspec.convert(fields, Block)


async def record(writer: Writer, new: NewBlock, at_us: int) -> bool:
    """Make the candidate's row; False where frame or file was read before. The first reader's time and slot
    stand."""
    if await writer.row("SELECT 1 FROM block WHERE hash = ?", new.hash):
        return False
    await writer.execute(
        f"INSERT INTO block ({_COLUMNS}, seen_us) "  # noqa: S608  column names of ours
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *(new.hash, new.height, new.previous_hash, new.found_us, new.slot, new.account_id, new.worker),
        *(new.job_id, new.plan_id, new.coinbase, new.network_target, new.reward_sats),
        *(new.source_id, new.frame, new.payee, CANDIDATE, 0, 0, at_us),
    )
    return True


async def find(reader: Reader, block_hash: str) -> Block | None:
    """The block of this hash (displayed hex)."""
    row = await reader.row(f"SELECT {_COLUMNS} FROM block WHERE hash = ?", block_hash)  # noqa: S608
    return None if row is None else _block(row)


async def in_states(reader: Reader, *states: str) -> list[Block]:
    """All blocks in these states, by slot, then hash: the order in which they are settled."""
    marks = ", ".join("?" for _ in states)
    rows = await reader.rows(
        f"SELECT {_COLUMNS} FROM block WHERE state IN ({marks}) ORDER BY slot, hash",  # noqa: S608
        *states,
    )
    return [_block(row) for row in rows]


async def next_transition(reader: Reader) -> int:
    """The number of the next change of any block's state."""
    row = await reader.row("SELECT COALESCE(MAX(number), 0) FROM block_transition")
    return 1 + (int(row[0]) if row is not None else 0)


async def change_state(
    writer: Writer, block: Block, to_state: str, *, number: int, at_us: int, reason: str
) -> None:
    """Write the transition and its entries. Done already (by number): changes nothing."""
    if await writer.row("SELECT 1 FROM block_transition WHERE number = ?", number):
        return
    await writer.execute(
        "INSERT INTO block_transition (number, hash, from_state, to_state, at_us, reason) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        *(number, block.hash, block.state, to_state, at_us, reason),
    )
    await writer.execute(
        "UPDATE block SET state = ?, transition = ? WHERE hash = ?", to_state, number, block.hash
    )
    rows = await _consequences(writer, block, to_state)
    if rows:
        key = f"block:{block.hash}:{number}:{to_state}"
        await post(
            writer, Entry(key=key, rows=tuple(rows), at_us=at_us, block_hash=block.hash, reason=reason)
        )


async def _consequences(writer: Writer, block: Block, to_state: str) -> list[Row]:
    if to_state == MATURE:
        return _matured(await standing(writer, block.hash))
    if to_state in (ORPHANED, REFUSED):
        return [
            Row(account, pot, "orphaned", -sats) for account, pot, sats in await standing(writer, block.hash)
        ]
    if to_state == ACCEPTED and block.state == ORPHANED:
        return await _credited_first(writer, block.hash)
    return []


def _matured(stands: list[tuple[int, str, int]]) -> list[Row]:
    rows: list[Row] = []
    for account, pot, sats in stands:
        if pot == IMMATURE:
            rows += (Row(account, IMMATURE, "matured", -sats), Row(account, BALANCE, "matured", sats))
    return rows


async def _credited_first(writer: Writer, block_hash: str) -> list[Row]:
    """What settling gave: a settled round is not divided anew when its block returns."""
    rows = await writer.rows(
        "SELECT account_id, pot, kind, sats FROM ledger WHERE entry_key = ?", settlement_key(block_hash)
    )
    return [Row(account, pot, kind, sats) for account, pot, kind, sats in rows]


def settlement_key(block_hash: str) -> str:
    """The entry that divides a block's reward: once, whatever becomes of the block."""
    return f"block:{block_hash}:settled"


async def note_confirmations(writer: Writer, block_hash: str, confirmations: int) -> None:
    """For people to look at; states are changed by transitions alone."""
    await writer.execute("UPDATE block SET confirmations = ? WHERE hash = ?", confirmations, block_hash)
