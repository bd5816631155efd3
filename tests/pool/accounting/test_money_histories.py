"""Money in is money out: random histories of blocks and payments, there and back, with crashes in between.

Each step goes through Changes with a real journal and SQLite. Where a step crashes, its entry is in the
journal and nothing has been applied; the books are opened again. Beside it the same history runs undisturbed,
and both end as the same rows.
"""

import hashlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pool.accounting import blocks, ledger, payment_changes
from pool.accounting import journal_entries as kinds
from pool.storage.database import Reader
from tests.pool.accounting.mined import NETWORK_TARGET, REWARD_SATS, START, Books, books, us

PAYEES = ("alice", "bob", "carol")
BLOCKS, FEE_SATS = 3, 300
ZEROS = "00" * 32
Step = tuple[str, int, int, bool]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("accepted", "settle", "mature", "orphaned") * 3,
                *("plan", "sign", "broadcast", "confirm") * 4,
                *("bump", "reopen", "abandon", "set_aside", "replace", "adopt", "correct"),
            ]
        ),
        st.integers(0, 5),
        st.integers(1, 4),
        st.booleans(),
    ),
    min_size=20,
    max_size=70,
)


def hash_of(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


class History:
    """Chooses what a step means in the books as they are; None where it means nothing now."""

    def __init__(self) -> None:
        self.loses_paid_money = False  # a mature block fell, or an abandoned payment came back

    async def body(self, reader: Reader, step: Step) -> kinds.Body | None:
        kind, index, amount, _ = step
        if kind in ("accepted", "mature", "orphaned"):
            return await self._block(reader, index % BLOCKS, kind)
        if kind == "settle":
            return await self._settle(reader, index, amount)
        if kind == "plan":
            return await self._plan(reader, index, amount)
        if kind == "correct":
            return kinds.Correction(
                account=PAYEES[index % 3], against="@operator", pot="balance", sats=amount, reason="a gift"
            )
        if kind == "adopt":
            return await self._adopt(reader, index, amount)
        return await self._payment(reader, index, kind)

    async def _adopt(self, reader: Reader, index: int, amount: int) -> kinds.Body | None:
        name, txid = PAYEES[index % 3], hash_of("by hand", index)
        sats = (await balances(reader, "balance")).get(name, 0) // amount
        if sats <= 0 or await reader.row("SELECT 1 FROM adopted_send WHERE txid = ?", txid):
            return None
        payee = kinds.PlannedPayee(account=name, address=name, sats=sats)
        return kinds.Adopted(entry=None, txid=txid, payees=(payee,), reason="by hand", fee_sats=index)

    async def _block(self, reader: Reader, index: int, to_state: str) -> kinds.Body | None:
        block_hash = f"{index + 1:02x}" * 32
        block = await blocks.find(reader, block_hash)
        state = "candidate" if block is None else block.state
        allowed = {
            "candidate": ("accepted", "orphaned"),
            "accepted": ("mature", "orphaned"),
            "mature": ("orphaned",),
            "orphaned": ("accepted",),
        }
        if to_state not in allowed[state]:
            return None
        self.loses_paid_money |= state == "mature"
        facts = kinds.BlockFacts(
            previous_hash=ZEROS,
            source="gateway-0",
            epoch="00",
            frame=1,
            found_us=us(index),
            slot=START + 10 * index,
            account="alice",
            worker="rig",
            job_id="1",
            plan_id=None,
            coinbase="00",
            network_target=NETWORK_TARGET.hex(),
            reward_sats=REWARD_SATS,
        )
        return kinds.BlockChanged(
            hash=block_hash,
            height=100 + index,
            transition=await blocks.next_transition(reader),
            from_state=state,
            to_state=to_state,
            reason="",
            facts=facts if block is None else None,
        )

    async def _settle(self, reader: Reader, index: int, amount: int) -> kinds.Body | None:
        block = await blocks.find(reader, f"{index % BLOCKS + 1:02x}" * 32)
        if block is None or block.state not in blocks.STANDING:
            return None
        if await reader.row("SELECT 1 FROM settlement WHERE hash = ?", block.hash):
            return None
        parts = [REWARD_SATS * amount // 10, REWARD_SATS // 10, 1]
        lines = [("@mined", "block", -REWARD_SATS), ("@operator", "fee", REWARD_SATS - sum(parts))]
        lines += [(payee, "credit", sats) for payee, sats in zip(PAYEES, parts, strict=True)]
        if index >= BLOCKS:  # its coinbase has paid alice, and a satoshi too much to carol
            paid = {"alice": parts[0], "carol": 2}
            lines += [(payee, "coinbase", -sats) for payee, sats in paid.items()]
            lines.append(("@paid", "coinbase", sum(paid.values())))
            self.loses_paid_money = True
        return kinds.BlockSettled(
            hash=block.hash,
            transition=block.transition,
            round=0,
            scheme="pplns",
            from_slot=block.slot,
            through_slot=block.slot,
            statement_hash=ZEROS,
            credits=tuple(kinds.Credit(account=a, credit_kind=k, sats=s) for a, k, s in lines),
        )

    async def _plan(self, reader: Reader, index: int, amount: int) -> kinds.Body | None:
        due = {name: sats // amount for name, sats in (await balances(reader, "balance")).items()}
        payees = tuple(
            kinds.PlannedPayee(account=name, address=name, sats=sats)
            for name, sats in sorted(due.items())
            if name in PAYEES and sats > 2 * FEE_SATS
        )
        if not payees:
            return None
        payer = "payees" if index % 2 else "pool"
        return kinds.PaymentPlanned(
            payment_id=await payment_changes.next_id(reader), fee_payer=payer, payees=payees
        )

    async def _payment(self, reader: Reader, index: int, kind: str) -> kinds.Body | None:
        payment = await payment_changes.find(reader, index + 1)
        if payment is None:
            return None
        number, state, tries = payment.id, str(payment.state), len(payment.attempts)
        last = payment.attempts[-1] if payment.attempts else None
        if (kind, state) == ("sign", "planned") or (kind, state) == ("bump", "broadcast"):
            bears = payment.fee_payer == "payees"
            fee = FEE_SATS * (tries + 1)
            return kinds.PaymentSigned(
                payment_id=number,
                attempt=tries + 1,
                txid=hash_of(number, tries),
                raw="00",
                inputs=(kinds.SpentOutput(txid=ZEROS, output=number, sats=payment.sats + fee),),
                fee_sats=fee,
                weight=400,
                fee_shares=(kinds.FeeShare(account=payment.items[0].account, sats=fee),) if bears else (),
            )
        if (kind, state) == ("broadcast", "signed") and last is not None:
            return kinds.PaymentBroadcast(payment_id=number, attempt=tries, txid=last.txid, height=9)
        if (kind, state) == ("confirm", "broadcast") and last is not None:
            return kinds.PaymentConfirmed(
                payment_id=number, attempt=tries, txid=last.txid, block_hash=ZEROS, height=10
            )
        if (kind, state) == ("abandon", "broadcast"):
            return kinds.PaymentAbandoned(payment_id=number, conflicting_txid=ZEROS, reason="100 deep")
        if kind == "set_aside" and state in ("planned", "signed", "broadcast"):
            return kinds.PaymentSetAside(payment_id=number, reason="the wallet is locked")
        if (kind, state) == ("replace", "set_aside") and tries:
            payees = tuple(
                kinds.PlannedPayee(account=item.account, address=item.address, sats=item.sats - 1)
                for item in payment.items
            )
            return kinds.PaymentReplaced(
                payment_id=number,
                txid=hash_of("bumped by hand", number),
                payees=payees,
                excess_sats=7,
                fee_sats=FEE_SATS,
                reason="bumped by hand",
            )
        if kind == "reopen" and state in ("confirmed", "abandoned", "set_aside"):
            self.loses_paid_money |= state == "abandoned"
            to_state = "broadcast" if last is not None and last.broadcast_height is not None else "signed"
            return kinds.PaymentReopened(
                payment_id=number, to_state=to_state if tries else "planned", reason="a reorganisation"
            )
        return None


async def balances(reader: Reader, pot: str) -> dict[str, int]:
    rows = await reader.rows(
        "SELECT account.name, sats FROM balance JOIN account ON account.id = account_id WHERE pot = ?", pot
    )
    return dict(rows)


async def check(own: Books, history: History) -> None:
    """What holds after every step."""
    async with own.database.reading() as reader:
        assert await ledger.faults(reader) == []
        [total] = (await reader.row("SELECT COALESCE(SUM(sats), 0) FROM ledger")) or (1,)
        assert total == 0
        mature, immature = await balances(reader, "balance"), await balances(reader, "immature")
        paid = await reader.rows(
            "SELECT account.name, SUM(sats) FROM payment_item JOIN payment ON payment.id = payment_id "
            "JOIN account ON account.id = account_id WHERE state <> 'abandoned' GROUP BY account.name"
        )
        replaced = await reader.rows(
            "SELECT account.name, SUM(-ledger.sats) FROM ledger "
            "JOIN payment ON payment.id = ledger.payment_id "
            "JOIN account ON account.id = account_id WHERE replaced_by IS NOT NULL GROUP BY account.name"
        )
        earned = await reader.rows(
            "SELECT account.name, SUM(sats) FROM ledger JOIN account ON account.id = account_id "
            "WHERE pot = 'balance' AND payment_id IS NULL GROUP BY account.name"
        )
        under_way = await reader.row(
            "SELECT COALESCE(SUM(sats), 0) FROM payment_item JOIN payment ON payment.id = payment_id "
            "WHERE state NOT IN ('confirmed', 'abandoned')"
        )
    assert mature.get("@paying", 0) == (under_way or (0,))[0]
    for payee in PAYEES:
        assert immature.get(payee, 0) >= (0 if payee != "carol" else -BLOCKS)  # what coinbases advanced
        # What an account holds is what it has earned less what every payment that may stand takes from it, or
        # the transaction that was taken for one has paid.
        gone = dict(paid).get(payee, 0) + dict(replaced).get(payee, 0)
        assert mature.get(payee, 0) == dict(earned).get(payee, 0) - gone
        if not history.loses_paid_money:
            assert mature.get(payee, 0) >= 0, "paid more than was owed"


CONTENTS = (
    "SELECT entry_key, account.name, pot, kind, sats FROM ledger JOIN account ON account.id = account_id",
    "SELECT hash, state, transition FROM block",
    "SELECT id, state, reason, replaced_by FROM payment",
    "SELECT txid, reason FROM adopted_send",
    "SELECT payment_id, position, sats, fee_sats FROM payment_item",
    "SELECT payment_id, number, txid, state FROM attempt",
    "SELECT key, value FROM meta WHERE key = 'journal'",
)


async def lived_through(directory: Path, steps: list[Step], crashes: Callable[[Step], bool]) -> list[Any]:
    history, stack = History(), AsyncExitStack()
    own = await stack.enter_async_context(books(directory))
    try:
        for position, step in enumerate(steps):
            at_us = us(1_000 + position)
            if not crashes(step):
                await own.changes.decide(lambda reader, step=step: history.body(reader, step), at_us)
            else:
                await own.changes.catch_up()
                async with own.database.reading() as reader:
                    body = await history.body(reader, step)
                if body is not None:
                    own.journal.append(body, at_us)
                await stack.aclose()  # and nothing of it reached the database
                own = await stack.enter_async_context(books(directory))
                await own.changes.catch_up()
            await check(own, history)
        return [sorted(await own.rows(sql)) for sql in CONTENTS]
    finally:
        await stack.aclose()


@settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
async def test_money_in_is_money_out_and_a_crash_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    undisturbed = await lived_through(tmp_path_factory.mktemp("whole"), steps, lambda step: False)
    crashed = await lived_through(tmp_path_factory.mktemp("crashed"), steps, lambda step: step[3])
    assert crashed == undisturbed


async def test_a_block_that_falls_after_it_was_paid_leaves_its_payees_in_debt_and_returns(
    tmp_path: Path,
) -> None:
    history: list[tuple[str, int]] = [
        *(("accepted", 0), ("settle", 0), ("mature", 0)),
        *(("plan", 0), ("sign", 0), ("broadcast", 0), ("confirm", 0)),
        ("orphaned", 0),
    ]
    async with books(tmp_path) as own:
        chooser = History()

        async def go(kind: str, index: int) -> None:
            number = await own.changes.decide(
                lambda reader: chooser.body(reader, (kind, index, 1, False)), us(1_000)
            )
            assert number is not None, kind
            await check(own, chooser)

        for kind, index in history:
            await go(kind, index)
        async with own.database.reading() as reader:
            fallen = await balances(reader, "balance")
        # alice and bob were paid a tenth of the reward each, for a block that is none; the pool paid the fee
        assert (fallen["alice"], fallen["bob"]) == (-REWARD_SATS // 10, -REWARD_SATS // 10)
        assert fallen["@paid"] == 2 * REWARD_SATS // 10
        assert fallen["@operator"] == -FEE_SATS
        for kind, index in (("accepted", 0), ("mature", 0)):
            await go(kind, index)
        async with own.database.reading() as reader:
            back = await balances(reader, "balance")
        assert (back["alice"], back["bob"], back["carol"]) == (0, 0, 1)
