"""Blocks from frame and file, and along the chain: there and back, with the ledger's sums at each step."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from payouts.maturity import Rules, Transition
from pool.accounting import blocks, ledger
from pool.accounting.block_coinbase import coinbase_of
from pool.accounting.block_watch import FILE_PATIENCE_US, BlockWatch
from pool.accounting.blocks import Block
from pool.accounting.changes import Changes
from pool.accounting.journal_entries import BlockChanged
from pool.accounting.ledger import MINED, OPERATOR
from pool.accounting.names import Names
from pool.gateway.block_files import BlockFiles, Folder, FoundBlock, SavedBlock
from pool.node.rpc import NodeRpc
from pool.storage.database import Database, DatabaseUnavailable, Writer
from stratum.work.transaction import compact_size, with_witness
from tests.harness.scripted_node import Failure, Hang, Raw
from tests.pool.accounting.building import ALICE, BOB, NOW_US, SECOND_US, TARGET, Accounts, accounts_in
from tests.pool.accounting.chain_node import ChainNode

pytestmark = pytest.mark.usefixtures("either_database")

HEIGHT = 900
REWARD_SATS = 5_000
RULES = Rules(maturity_confirmations=101, burial_depth=6)
SCRIPT = b"\x00\x14" + bytes(20)
# Version, one input without a real outpoint, a script of two bytes, one output, lock time.
COINBASE = (
    b"\x02\0\0\0\x01"
    + bytes(32)
    + b"\xff\xff\xff\xff\x02\x01\x65\xff\xff\xff\xff\x01"
    + REWARD_SATS.to_bytes(8, "little")
    + bytes([len(SCRIPT)])
    + SCRIPT
    + bytes(4)
)
HEADER = (
    b"\0\0\0\x20"
    + bytes.fromhex("11" * 32)
    + bytes(32)
    + b"\x01\0\0\0"
    + bytes.fromhex("ffff7f20")
    + bytes(4)
)


class Watch:
    """The accounts, a node, and the production watch over both."""

    def __init__(self, made: Accounts, node: ChainNode, rpc: NodeRpc) -> None:
        self.made = made
        self.node = node
        self.rpc = rpc
        self.heard: list[Transition] = []
        self.restart()

    def restart(self) -> None:
        names = Names()
        changes = Changes(self.made.journal, self.made.database, names)
        self.watch = BlockWatch(self.made.database, changes, names, RULES, slot_seconds=10)
        self.watch.on_change = self._hear

    async def _hear(self, block: Block, transition: Transition) -> None:
        self.heard.append(transition)

    async def record(self, tag: int = 1, height: int = HEIGHT) -> str:
        """A candidate as a frame tells of it."""
        new = new_block(tag, height)
        async with self.made.database.writing() as writer:
            account = await self.made.names.account(writer, ALICE, NOW_US)
            await blocks.record(writer, msgspec.structs.replace(new, account_id=account), NOW_US)
        return new.hash

    def bury(self, block_hash: str) -> None:
        """On the best chain, 101 deep."""
        self.node.put(block_hash, HEIGHT)
        self.node.grow(HEIGHT + 100 - self.node.height)

    async def look(self) -> int:
        return await self.watch.look(await self.node.chosen(self.rpc), self.made.now_us)

    async def block(self, block_hash: str) -> Block:
        async with self.made.database.reading() as reader:
            found = await blocks.find(reader, block_hash)
        assert found is not None
        return found

    async def state(self, block_hash: str) -> str:
        return (await self.block(block_hash)).state

    async def settle(self, block_hash: str) -> None:
        await self.made.settle(block_hash, {ALICE: 4_900, OPERATOR: 100})

    async def pots(self) -> dict[tuple[str, str], int]:
        async with self.made.database.reading() as reader:
            assert await ledger.faults(reader) == []
            rows = await reader.rows(
                "SELECT account.name, pot, sats FROM balance JOIN account ON account.id = account_id "
                "WHERE sats <> 0"
            )
        return {(name, pot): sats for name, pot, sats in rows}


IMMATURE = {(MINED, "immature"): -5_000, (ALICE, "immature"): 4_900, (OPERATOR, "immature"): 100}
MATURE = {(MINED, "balance"): -5_000, (ALICE, "balance"): 4_900, (OPERATOR, "balance"): 100}


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watch]:
    async with accounts_in(tmp_path) as made, ChainNode(height=HEIGHT) as node:
        rpc = NodeRpc(node.endpoint())
        yield Watch(made, node, rpc)
        await rpc.close()


def new_block(tag: int, height: int = HEIGHT) -> blocks.NewBlock:
    return blocks.NewBlock(
        hash=sha256(b"%d" % tag).hexdigest(),
        height=height,
        previous_hash="11" * 32,
        found_us=NOW_US,
        slot=NOW_US // SECOND_US,
        account_id=None,
        worker="rig",
        job_id="0a01",
        plan_id=None,
        coinbase=COINBASE,
        network_target=TARGET,
        reward_sats=REWARD_SATS,
    )


# ---------------------------------------------------------------------- the chain


async def test_a_candidate_on_the_best_chain_is_accepted_and_matures_with_its_credits(
    watched: Watch,
) -> None:
    block_hash = await watched.record()
    watched.node.put(block_hash, watched.node.height)
    assert await watched.look() == 1
    assert await watched.state(block_hash) == blocks.ACCEPTED
    await watched.settle(block_hash)
    assert await watched.pots() == IMMATURE
    watched.node.grow(99)
    assert await watched.look() == 0
    found = await watched.block(block_hash)
    assert (found.state, found.confirmations) == (blocks.ACCEPTED, 100)
    watched.node.grow(1)
    assert await watched.look() == 1
    assert await watched.state(block_hash) == blocks.MATURE
    assert await watched.pots() == MATURE
    assert [one.to_state for one in watched.heard] == ["accepted", "mature"]


async def test_the_first_change_has_all_facts_in_the_journal_and_later_ones_have_none(
    watched: Watch,
) -> None:
    """Enough to make the row in a database that has never seen the frame."""
    await watched.made.source(mark=7)
    block_hash = await watched.record()
    async with watched.made.database.writing() as writer:
        await writer.execute("UPDATE block SET source_id = (SELECT id FROM source), frame = 7")
    watched.bury(block_hash)
    await watched.look()  # 101 confirmations: accepted, and mature at once
    first, second = watched.made.entries()
    assert isinstance(first, BlockChanged)
    assert isinstance(second, BlockChanged)
    assert first.facts is not None
    assert (first.facts.source, first.facts.frame, first.facts.account) == ("gateway-0", 7, ALICE)
    assert bytes.fromhex(first.facts.coinbase) == COINBASE
    assert (first.transition, first.from_state, first.to_state) == (1, "candidate", "accepted")
    assert (second.transition, second.to_state, second.facts) == (2, "mature", None)


async def test_the_facts_alone_make_the_row_again(watched: Watch, tmp_path: Path) -> None:
    block_hash = await watched.record()
    watched.bury(block_hash)
    await watched.look()
    before = await watched.block(block_hash)
    (tmp_path / "other").mkdir()
    async with accounts_in(tmp_path / "other") as other:
        for entry in watched.made.journal.entries():
            await other.changes.make(entry.body, entry.at_us)
        async with other.database.reading() as reader:
            found = await blocks.find(reader, block_hash)
            assert found is not None
            row = await reader.row("SELECT name FROM account WHERE id = ?", found.account_id)
    assert row == (ALICE,)
    assert msgspec.structs.replace(found, account_id=None, frame=None, confirmations=0) == (
        msgspec.structs.replace(before, account_id=None, confirmations=0)
    )


async def test_an_orphan_takes_its_credits_back_and_brings_them_again_when_it_returns(
    watched: Watch,
) -> None:
    block_hash = await watched.record()
    watched.node.put(block_hash, watched.node.height)
    await watched.look()
    await watched.settle(block_hash)
    for _ in range(2):
        watched.node.displace(block_hash)
        watched.node.grow(4)
        assert await watched.look() == 0  # five blocks stand in its place: a race, perhaps
        assert await watched.pots() == IMMATURE
        watched.node.grow(1)
        assert await watched.look() == 1
        assert await watched.state(block_hash) == blocks.ORPHANED
        assert await watched.pots() == {}
        watched.node.put(block_hash, HEIGHT)
        assert await watched.look() == 1
        assert await watched.pots() == IMMATURE
        watched.node.grow(-5)
    watched.node.grow(100)
    await watched.look()
    assert await watched.pots() == MATURE


async def test_a_mature_block_that_is_orphaned_and_returns_ends_as_if_it_had_never_been_away(
    watched: Watch,
) -> None:
    block_hash = await watched.record()
    watched.bury(block_hash)
    await watched.look()
    await watched.settle(block_hash)  # settled after it matured: credited and matured at once
    assert await watched.pots() == MATURE
    watched.node.displace(block_hash)
    await watched.look()
    assert await watched.pots() == {}
    watched.bury(block_hash)
    assert await watched.look() == 2  # accepted, and mature
    assert await watched.pots() == MATURE
    numbers = [body.transition for body in watched.made.entries() if isinstance(body, BlockChanged)]
    assert numbers == [1, 2, 3, 4, 5]


async def test_a_block_that_the_node_never_had_is_refused_and_may_be_accepted_after_all(
    watched: Watch,
) -> None:
    block_hash = await watched.record(height=watched.node.height)
    watched.node.grow(4)
    assert await watched.look() == 0
    watched.node.grow(1)
    assert await watched.look() == 1
    assert await watched.state(block_hash) == blocks.REFUSED
    watched.node.put(block_hash, watched.node.height - 5)
    await watched.look()
    assert await watched.state(block_hash) == blocks.ACCEPTED


async def test_blocks_in_doubt_are_named_until_they_are_back(watched: Watch) -> None:
    block_hash = await watched.record()
    watched.node.put(block_hash, watched.node.height)
    await watched.look()
    watched.node.displace(block_hash)
    await watched.look()
    assert watched.watch.in_doubt == {block_hash}
    watched.node.put(block_hash, watched.node.height)
    await watched.look()
    assert watched.watch.in_doubt == set()


async def test_a_doubt_ends_with_the_orphaning(watched: Watch) -> None:
    """Its credits are taken back: nothing is left to doubt."""
    block_hash = await watched.record()
    watched.node.put(block_hash, watched.node.height)
    await watched.look()
    watched.node.displace(block_hash)
    watched.node.grow(6)
    await watched.look()
    assert await watched.state(block_hash) == blocks.ORPHANED
    await watched.look()
    assert watched.watch.in_doubt == set()


@pytest.mark.parametrize(
    "answer",
    [
        Failure(-28, "Loading block index"),
        Failure(-1, "any error"),
        Raw(503, b"Work queue depth exceeded"),
        Raw(200, b"<html>"),
    ],
)
@pytest.mark.parametrize("state", [blocks.CANDIDATE, blocks.ACCEPTED, blocks.MATURE])
async def test_an_error_of_the_node_changes_nothing(watched: Watch, state: str, answer: object) -> None:
    block_hash = await watched.record()
    if state != blocks.CANDIDATE:
        watched.node.put(block_hash, HEIGHT)
        watched.node.grow(100 if state == blocks.MATURE else 0)
        await watched.look()
        await watched.settle(block_hash)
    before, pots = len(watched.made.entries()), await watched.pots()
    watched.node.answers["getblockheader"] = answer
    watched.node.grow(50)
    assert await watched.look() == 0
    assert (await watched.state(block_hash), await watched.pots()) == (state, pots)
    assert len(watched.made.entries()) == before
    assert watched.watch.in_doubt == set()


async def test_a_block_that_is_unknown_without_another_in_its_place_stays(watched: Watch) -> None:
    block_hash = await watched.record()
    watched.node.put(block_hash, watched.node.height)
    await watched.look()
    watched.node.forget(block_hash)
    watched.node.answers["getblockhash"] = Failure(-1, "any error")
    watched.node.grow(50)
    assert await watched.look() == 0
    assert await watched.state(block_hash) == blocks.ACCEPTED


async def test_one_of_two_looks_at_once_makes_the_change(watched: Watch) -> None:
    block_hash = await watched.record()
    watched.bury(block_hash)
    counts = await asyncio.gather(watched.look(), watched.look())
    assert sum(counts) == 2  # accepted and mature, once each
    assert len(watched.made.entries()) == 2
    assert await watched.state(block_hash) == blocks.MATURE


async def test_a_crash_after_the_append_is_rolled_forward_and_judged_on(watched: Watch) -> None:
    block_hash = await watched.record()
    await watched.made.source()
    body = BlockChanged(
        hash=block_hash,
        height=HEIGHT,
        transition=1,
        from_state="candidate",
        to_state="accepted",
        reason="x",
        facts=None,
    )
    watched.made.journal.append(body, NOW_US)
    watched.restart()
    watched.bury(block_hash)
    await watched.look()
    # the look that saw a candidate finds it accepted, and leaves the rest to the next one
    await watched.look()
    assert await watched.state(block_hash) == blocks.MATURE
    assert [one.transition for one in watched.made.entries()] == [1, 2]  # type: ignore[union-attr]


async def test_many_blocks_are_looked_at_with_few_questions_at_once(watched: Watch) -> None:
    hashes = [await watched.record(tag, watched.node.height - tag) for tag in range(60)]
    for tag, block_hash in enumerate(hashes):
        watched.node.put(block_hash, watched.node.height - tag)
    plain, at_once = watched.node.answers["getblockheader"], 0
    four, fifth, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(block_hash: str, *_: object) -> object:
        nonlocal at_once
        at_once += 1
        if at_once == 4:
            four.set()
        if at_once == 5:
            fifth.set()
        await go_on.wait()
        at_once -= 1
        return plain(block_hash)

    watched.node.answers["getblockheader"] = slow
    looking = asyncio.create_task(watched.look())
    await four.wait()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(fifth.wait(), 0.1)
    go_on.set()
    assert await looking == 60
    assert {await watched.state(one) for one in hashes} == {blocks.ACCEPTED}
    assert sorted(body.transition for body in watched.made.entries()) == list(range(1, 61))  # type: ignore[union-attr]


async def test_blocks_that_nothing_can_happen_to_any_more_are_not_asked_for(watched: Watch) -> None:
    """Two maturities deep: 202 blocks. One that is not yet decided is asked for at any depth."""
    mature, lost, undecided = [await watched.record(tag) for tag in (1, 2, 3)]
    watched.node.answers["getblockhash"] = Failure(-1, "any error")
    watched.bury(mature)
    watched.node.displace(lost)
    await watched.look()
    states = [await watched.state(one) for one in (mature, lost, undecided)]
    assert states == [blocks.MATURE, blocks.ORPHANED, blocks.CANDIDATE]
    watched.node.grow(101)  # the tip is 1,101, and 900 > 1,101 − 202
    watched.node.requests.clear()
    await watched.look()
    assert watched.node.requests["getblockheader"] == 3
    watched.node.grow(1)
    watched.node.requests.clear()
    await watched.look()
    assert watched.node.requests["getblockheader"] == 1


async def test_a_node_that_does_not_answer_holds_up_nothing_for_ever(watched: Watch) -> None:
    """The call's own limit ends it; here the node ends first."""
    await watched.record()
    best = await watched.node.chosen(watched.rpc)
    watched.node.answers["getblockheader"] = Hang()
    looking = asyncio.create_task(watched.watch.look(best, NOW_US))
    await watched.node.asked("getblockheader")
    await watched.node.stop()
    async with asyncio.timeout(10):
        assert await looking == 0


# ---------------------------------------------------------------------- the gateway's files


def saved_block(tag: int = 1, **changes: object) -> SavedBlock:
    """A block's file as the gateway writes it."""
    new = new_block(tag)
    found = FoundBlock(
        network="bitcoin regtest",
        block_hash=new.hash,
        height=HEIGHT,
        reward_sats=REWARD_SATS,
        transactions=1,
        job_id="0a01",
        user=f"{BOB}.s19",
        account=BOB,
        worker="s19",
        found_at=NOW_US / SECOND_US,
        crosses_time_edge=False,
        found_at_us=NOW_US,
        script_hex=SCRIPT.hex(),
        coinbase_hex=COINBASE.hex(),
        plan_id=None,
        network_target_hex=TARGET,
    )
    block = HEADER + compact_size(1) + with_witness(COINBASE)
    return SavedBlock(found=msgspec.structs.replace(found, **changes), block=block.hex())


async def read(watched: Watch, now_us: int = NOW_US + FILE_PATIENCE_US) -> int:
    return await watched.watch.read_files(watched.made.directory, now_us)


@pytest.mark.parametrize("folder", [Folder.PENDING, Folder.ACCEPTED, Folder.SIDE_BRANCH])
async def test_a_block_whose_frame_is_lost_comes_from_its_file(watched: Watch, folder: Folder) -> None:
    files = BlockFiles(watched.made.directory)
    saved = saved_block(plan_id="ab" * 32, plan_is_stripped=True, payee_hex=SCRIPT.hex())
    files.save(saved)
    if folder is not Folder.PENDING:
        files.settle(saved, folder)
    assert await read(watched) == 1
    found = await watched.block(saved.found.block_hash)
    assert (found.state, found.height, found.worker, found.coinbase) == (
        blocks.CANDIDATE,
        HEIGHT,
        "s19",
        COINBASE,
    )
    assert (found.found_us, found.slot, found.reward_sats) == (NOW_US, NOW_US // SECOND_US, REWARD_SATS)
    assert found.plan_id == "ab" * 32 + blocks.STRIPPED
    assert found.previous_hash == "11" * 32
    assert found.payee == SCRIPT
    async with watched.made.database.reading() as reader:
        assert await reader.row("SELECT name, script FROM account WHERE id = ?", found.account_id) == (
            BOB,
            SCRIPT,
        )
    assert await read(watched) == 0
    watched.restart()
    assert await read(watched) == 0  # the row is there


async def test_a_block_from_its_file_goes_the_way_of_all_blocks(watched: Watch) -> None:
    BlockFiles(watched.made.directory).save(saved_block(payee_hex=SCRIPT.hex()))
    await read(watched)
    block_hash = saved_block().found.block_hash
    watched.bury(block_hash)
    await watched.look()
    assert await watched.state(block_hash) == blocks.MATURE
    first = watched.made.entries()[0]
    assert isinstance(first, BlockChanged)
    assert first.facts is not None
    assert (first.facts.source, first.facts.account, first.facts.payee) == ("", BOB, SCRIPT.hex())


async def test_of_frame_and_file_the_first_that_was_read_stands(watched: Watch) -> None:
    block_hash = await watched.record()
    BlockFiles(watched.made.directory).save(saved_block())
    assert await read(watched) == 0
    assert (await watched.block(block_hash)).worker == "rig"


async def test_a_file_before_its_frame_stands_as_well(watched: Watch) -> None:
    BlockFiles(watched.made.directory).save(saved_block())
    await read(watched)
    block_hash = await watched.record()
    assert (await watched.block(block_hash)).worker == "s19"


async def test_a_young_file_is_left_to_its_frame(watched: Watch) -> None:
    BlockFiles(watched.made.directory).save(saved_block())
    assert await read(watched, NOW_US + FILE_PATIENCE_US - 1) == 0
    assert await read(watched) == 1


async def test_a_file_of_schema_1_has_its_coinbase_and_target_in_the_block(watched: Watch) -> None:
    saved = saved_block(found_at_us=0, script_hex=None, coinbase_hex="", plan_id=None, network_target_hex="")
    BlockFiles(watched.made.directory).save(saved)
    assert await read(watched) == 1
    found = await watched.block(saved.found.block_hash)
    assert found.coinbase == COINBASE
    assert found.network_target == "7fffff" + "00" * 29  # of the bits 207fffff
    assert found.found_us == NOW_US
    watched.bury(found.hash)
    assert await watched.look() == 2  # its facts can be journalled


@pytest.mark.parametrize(
    "damage",
    [{"block": "zz"}, {"block": ""}, {"block": HEADER.hex()}, {"script_hex": "0"}, {"coinbase_hex": "x"}],
)
async def test_a_damaged_file_is_named_once_and_stops_nobody_else(
    watched: Watch, damage: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    files = BlockFiles(watched.made.directory)
    bad = saved_block(1, **({"coinbase_hex": ""} if "block" in damage else damage))
    files.save(msgspec.structs.replace(bad, block=damage.get("block", bad.block)))
    files.save(saved_block(2))
    assert await read(watched) == 1
    await read(watched)
    named = [record for record in caplog.records if bad.found.file_name in record.message]
    assert len(named) == 1
    assert (await watched.block(saved_block(2).found.block_hash)).worker == "s19"


async def test_a_file_that_is_no_json_or_gone_is_left_to_the_submitter(watched: Watch) -> None:
    path = BlockFiles(watched.made.directory).save(saved_block())
    path.write_bytes(b"{")
    assert await read(watched) == 0


async def test_without_a_folder_of_blocks_there_is_nothing_to_read(watched: Watch) -> None:
    assert await read(watched) == 0


class GoneDatabase:
    """Fails once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_gone = True

    def writing(self) -> AbstractAsyncContextManager[Writer]:
        if self.is_gone:
            raise DatabaseUnavailable("the server is gone")
        return self._database.writing()


async def test_a_file_is_read_again_when_the_database_was_gone(watched: Watch) -> None:
    BlockFiles(watched.made.directory).save(saved_block())
    database = GoneDatabase(watched.made.database)
    watch = BlockWatch(database, watched.made.changes, watched.made.names, RULES, slot_seconds=10)  # type: ignore[arg-type]
    with pytest.raises(DatabaseUnavailable):
        await watch.read_files(watched.made.directory, NOW_US + FILE_PATIENCE_US)
    database.is_gone = False
    assert await watch.read_files(watched.made.directory, NOW_US + FILE_PATIENCE_US) == 1


def test_a_coinbase_is_found_in_a_block_with_and_without_a_witness() -> None:
    assert coinbase_of(HEADER + compact_size(1) + with_witness(COINBASE)) == COINBASE
    assert coinbase_of(HEADER + compact_size(300) + COINBASE + b"more transactions") == COINBASE


@pytest.mark.parametrize("cut", [0, 79, 80, 81, 90, 130, len(COINBASE) + 80, len(COINBASE) + 114])
def test_a_block_that_ends_within_its_coinbase_has_none(cut: int) -> None:
    block = HEADER + compact_size(1) + with_witness(COINBASE)
    with pytest.raises(ValueError, match=r"ends within|no coinbase"):
        coinbase_of(block[:cut])
