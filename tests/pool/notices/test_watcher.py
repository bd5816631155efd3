"""What the accounts show, as notices: each once, wherever a restart or a reorganisation falls."""

from pathlib import Path

import pytest

from pool.accounting import blocks
from pool.accounting.journal_entries import (
    PayeeChanged,
    PaymentAbandoned,
    PaymentBroadcast,
    PaymentConfirmed,
    PaymentReopened,
    PaymentSigned,
    SpentOutput,
)
from pool.notices import watcher
from pool.notices.notice import BlockFound, BlockOrphaned, Notice, PayeeChange, PaymentSent
from pool.notices.queue import Position
from tests.pool.accounting.building import ALICE, BOB, NOW_US, Accounts, accounts_in

pytestmark = pytest.mark.usefixtures("either_database")
NOTHING = Position(transition=0, payee_change=0, payment=0, under_way={})


class Watching:
    """Looks at accounts again and again, from where the last look has come to."""

    def __init__(self, accounts: Accounts, since: Position) -> None:
        self.accounts, self.position = accounts, since

    async def look(self) -> list[Notice]:
        async with self.accounts.database.reading() as reader:
            found, self.position = await watcher.news(reader, self.position)
        return found


async def from_now(accounts: Accounts) -> Watching:
    async with accounts.database.reading() as reader:
        return Watching(accounts, await watcher.now_at(reader))


async def sign(accounts: Accounts, attempt: int, txid: str, *, fee_sats: int = 100) -> None:
    body = PaymentSigned(
        payment_id=1,
        attempt=attempt,
        txid=txid,
        raw="0200",
        inputs=(SpentOutput(txid="cc" * 32, output=0, sats=10**9),),
        fee_sats=fee_sats,
        weight=561,
        fee_shares=(),
    )
    await accounts.changes.make(body, accounts.now_us)


async def broadcast(accounts: Accounts, attempt: int, txid: str) -> None:
    body = PaymentBroadcast(payment_id=1, attempt=attempt, txid=txid, height=900)
    await accounts.changes.make(body, accounts.now_us)


async def test_what_happened_before_anybody_was_to_be_told_is_no_news(tmp_path: Path) -> None:
    async with accounts_in(tmp_path) as made:
        await made.earn(ALICE, 1_000)
        await made.pay({ALICE: 500}, is_confirmed=False)
        watching = await from_now(made)
        assert await watching.look() == []
        block_hash = await made.block(ALICE, reward_sats=2_000, height=77)
        (notice,) = await watching.look()
        assert notice == BlockFound(
            at_us=NOW_US,
            hash_hex=block_hash,
            height=77,
            reward_sats=2_000,
            found_us=NOW_US,
            account=ALICE,
            worker="rig",
        )
        assert await watching.look() == []


async def test_a_block_is_found_orphaned_back_and_orphaned_again_and_its_maturing_is_no_news(
    tmp_path: Path,
) -> None:
    async with accounts_in(tmp_path) as made:
        watching = await from_now(made)
        block_hash = await made.block(None, reward_sats=2_000, height=77)
        for state in (blocks.ORPHANED, blocks.ACCEPTED, blocks.ORPHANED, blocks.ACCEPTED, blocks.MATURE):
            await made.go(block_hash, state)
        found = await watching.look()
    assert [notice.id for notice in found] == [
        f"block_found:{block_hash}",
        f"block_orphaned:{block_hash}:2",
        f"block_found:{block_hash}:3",
        f"block_orphaned:{block_hash}:4",
        f"block_found:{block_hash}:5",
    ]
    assert found[1] == BlockOrphaned(
        at_us=NOW_US,
        hash_hex=block_hash,
        height=77,
        reward_sats=2_000,
        account=None,
        worker="rig",
        transition=2,
        reason="the chain says so",
    )


@pytest.mark.parametrize(
    ("proof", "asked_by"), [("operator: he has called", "operator"), ("bip137: text | c2ln", "signature")]
)
async def test_a_payee_change_is_told_when_it_is_asked_for_and_not_when_it_takes_effect(
    tmp_path: Path, proof: str, asked_by: str
) -> None:
    async with accounts_in(tmp_path) as made:
        watching = await from_now(made)
        body = PayeeChanged(
            account=ALICE,
            address=BOB,
            minimum_sats=None,
            requested_us=made.now_us,
            effective_us=made.now_us + 7,
            proof=proof,
        )
        await made.changes.make(body, made.now_us)
        (notice,) = await watching.look()
        await made.later(1)
        assert await watching.look() == []
    assert notice == PayeeChange(
        at_us=NOW_US,
        account=ALICE,
        address=BOB,
        minimum_sats=None,
        effective_us=NOW_US + 7,
        asked_by=asked_by,  # type: ignore[arg-type]
    )


async def test_a_payment_is_told_once_when_it_is_sent(tmp_path: Path) -> None:
    async with accounts_in(tmp_path) as made:
        await made.earn(ALICE, 1_000)
        await made.earn(BOB, 1_000)
        watching = await from_now(made)
        await made.pay({ALICE: 500, BOB: 400}, fee_sats=33, is_confirmed=False)
        (notice,) = await watching.look()
        assert isinstance(notice, PaymentSent)
        txid = notice.txid
        assert notice == PaymentSent(
            at_us=NOW_US, payment_id=1, txid=txid, attempt=1, payees=2, sats=900, fee_sats=33
        )
        confirmed = PaymentConfirmed(payment_id=1, attempt=1, txid=txid, block_hash="dd" * 32, height=901)
        await made.changes.make(confirmed, made.now_us)
        assert await watching.look() == []
        assert watching.position.under_way == {}
        await made.pay({ALICE: 100})  # sent and confirmed between two looks
        (second,) = await watching.look()
        assert isinstance(second, PaymentSent)
        assert (second.payment_id, second.payees, second.sats) == (2, 1, 100)
        assert await watching.look() == []


async def test_a_second_attempt_is_told_with_the_time_of_its_signing(tmp_path: Path) -> None:
    async with accounts_in(tmp_path) as made:
        await made.earn(ALICE, 1_000)
        await made.pay({ALICE: 500}, is_confirmed=False)
        watching = await from_now(made)
        await made.later(48)
        await sign(made, 2, "ee" * 32, fee_sats=77)
        assert await watching.look() == []  # nobody has it yet
        await broadcast(made, 2, "ee" * 32)
        (notice,) = await watching.look()
        assert notice == PaymentSent(
            at_us=made.now_us, payment_id=1, txid="ee" * 32, attempt=2, payees=1, sats=500, fee_sats=77
        )
        assert await watching.look() == []


async def test_a_payment_that_was_given_up_and_comes_back_is_under_the_ids_it_had(tmp_path: Path) -> None:
    async with accounts_in(tmp_path) as made:
        await made.earn(ALICE, 1_000)
        watching = await from_now(made)
        await made.pay({ALICE: 500}, is_confirmed=False)
        (first,) = await watching.look()
        await made.changes.make(
            PaymentAbandoned(payment_id=1, conflicting_txid="ff" * 32, reason="a conflict"), made.now_us
        )
        assert await watching.look() == []
        reopened = PaymentReopened(payment_id=1, to_state="broadcast", reason="the chain says so")
        await made.changes.make(reopened, made.now_us)
        assert [notice.id for notice in await watching.look()] == [first.id]


async def test_many_are_read_in_several_looks_and_none_is_passed_over(tmp_path: Path) -> None:
    async with accounts_in(tmp_path) as made:
        watching = Watching(made, NOTHING)
        hashes = [await made.block(None, reward_sats=1) for _ in range(watcher.MOST_ROWS + 5)]
        first, second, third = await watching.look(), await watching.look(), await watching.look()
    assert (len(first), len(second), third) == (watcher.MOST_ROWS, 5, [])
    assert [notice.id for notice in first + second] == [f"block_found:{one}" for one in hashes]


async def test_accounts_that_begin_anew_are_read_from_their_start(tmp_path: Path) -> None:
    """As after a lost journal: the position is of rows that are no more."""
    async with accounts_in(tmp_path) as made:
        watching = Watching(made, Position(transition=57, payee_change=9, payment=30, under_way={30: ()}))
        await made.earn(ALICE, 1_000)
        await made.pay({ALICE: 500})
        assert [str(notice.kind) for notice in await watching.look()] == ["block_found", "payment_sent"]
        assert await watching.look() == []
        assert (watching.position.transition, watching.position.payment) == (2, 1)
