"""What only the one writer may do: journalled, applied, and refused in one line where it cannot be."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from payouts.batch import Batch, Item, LeftOut
from payouts.transaction import Outpoint
from payouts.wallet import (
    KnownTransaction,
    Sends,
    SignedTransaction,
    WalletRefused,
    WalletSend,
    WalletUnavailable,
)
from pool.accounting import journal_entries
from pool.accounting.control import LONGEST_LINE_BYTES, ControlSocket, NobodyThere, Refused, ask
from pool.accounting.matching import Matching
from pool.accounting.operations import OperationRules, Operations
from pool.accounting.payer import Outcome
from pool.accounting.policy_changes import RESTORED, holds
from stratum.work.coin import network
from tests.pool.accounting.building import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    EPOCH,
    ERIN,
    HOUR_US,
    MAINNET,
    NOW_US,
    SECRET,
    SOURCE,
    Accounts,
    accounts_in,
)
from tests.pool.accounting.places import Places
from tests.pool.audit.signing import sign_bip137, sign_key_hash, text, witness
from tests.pool.storage.places import Place

TXID = "ee" * 32
DELAY_US = 48 * HOUR_US


class SendingWallet:
    """A wallet that is asked for nothing but what it has sent."""

    def __init__(self, *sends: WalletSend) -> None:
        self.sends = sends

    async def sends_since(self, block_hash: str | None) -> Sends:
        return Sends(self.sends, "")

    async def transaction(self, txid: str) -> KnownTransaction:
        for send in self.sends:
            if send.txid == txid:  # with coins that no payment here knows
                coin = Outpoint(f"{1:064x}", 0)
                signed = SignedTransaction(txid=txid, raw=b"", weight=400, inputs=(coin,), outputs=())
                return KnownTransaction(signed=signed, fee_sats=100, confirmations=send.confirmations)
        raise WalletRefused(f"the wallet has no transaction {txid}", passing=False)


def sent(sats: int, *addresses: str, txid: str = TXID, confirmations: int = 6) -> WalletSend:
    return WalletSend(txid=txid, sats=sats, confirmations=confirmations, addresses=addresses)


class Desk:
    """Operations of accounts, asked as the socket asks them."""

    def __init__(
        self,
        made: Accounts,
        wallet: "SendingWallet | None" = None,
        payer: "ScriptedPayer | None" = None,
    ) -> None:
        self.made = made
        self.marks_changed = 0
        rules = OperationRules(
            network=network("bitcoin", "regtest"),
            minimum_sats=100_000,
            payee_change_delay_us=DELAY_US,
            spool=made.directory / "spool",
        )
        matching = Matching(made.journal, made.database, made.changes)
        self.operations = Operations(
            made.database,
            made.changes,
            rules,
            lambda: made.now_us,
            payer=payer,  # type: ignore[arg-type]
            wallet=wallet,  # type: ignore[arg-type]
            matching=matching,
            marks_changed=self._changed,
        )

    def _changed(self) -> None:
        self.marks_changed += 1

    async def ask(self, name: str, **arguments: Any) -> Any:
        """The result, as it comes out of the socket."""
        return msgspec.json.decode(msgspec.json.encode(await self.operations.by_name()[name](**arguments)))

    async def refusal(self, name: str, **arguments: Any) -> str:
        """Why it is refused; nothing is journalled then."""
        before = self.made.journal.last_number
        with pytest.raises(Refused) as refused:
            await self.ask(name, **arguments)
        assert self.made.journal.last_number == before
        assert "\n" not in str(refused.value)
        return str(refused.value)

    async def holds(self) -> list[tuple[str, str]]:
        async with self.made.database.reading() as reader:
            return [(scope, kind) for scope, kind, _, _ in await holds(reader)]


async def earn(accounts: Accounts) -> Accounts:
    """500,000 sats of Alice's, 90,000 of Bob's."""
    await accounts.earn(ALICE, 500_000)
    await accounts.earn(BOB, 90_000)
    return accounts


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with Place.lent(tmp_path, server) as lent:
        yield lent


@pytest.fixture
async def made(place: Place) -> AsyncIterator[Accounts]:
    """On both databases: for what writes."""
    async with accounts_in(place.directory, place.url) as accounts:
        yield await earn(accounts)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """On SQLite: for what is refused before it writes."""
    async with accounts_in(tmp_path) as accounts:
        yield Desk(await earn(accounts))


# ---------------------------------------------------------------------- previews and holds


async def test_a_preview_without_a_wallet_shows_who_has_reached_the_minimum(made: Accounts) -> None:
    desk = Desk(made)
    found = await desk.ask("payouts_preview")
    assert [(line["account"], line["sats"], line["reason"]) for line in found["lines"]] == [
        (ALICE, 500_000, ""),
        (BOB, 90_000, "below the minimum of 100000 sats"),
    ]
    assert (found["sats"], found["obstacle"], found["is_wallet_asked"]) == (500_000, None, False)


async def test_a_held_account_is_in_the_preview_with_the_reason(desk: Desk) -> None:
    await desk.ask("hold", scope=ALICE, reason="a court says so")
    found = await desk.ask("payouts_preview")
    assert [(line["account"], line["reason"]) for line in found["lines"]] == [
        (ALICE, "on hold: a court says so"),
        (BOB, "below the minimum of 100000 sats"),
    ]
    assert found["sats"] == 0


async def test_a_hold_on_everything_stands_until_it_is_released(made: Accounts) -> None:
    desk = Desk(made)
    assert await desk.ask("hold", scope="all", reason="stop") == "all"
    assert (await desk.ask("payouts_preview"))["obstacle"] == "payouts are on hold: stop"
    assert await desk.refusal("hold", scope="all", reason="again") == "all is on hold already: stop"
    assert await desk.ask("release", scope="all", reason="looked at it") == ["stop"]
    assert await desk.holds() == []
    assert await desk.refusal("release", scope="all", reason="again") == "nothing holds all"
    assert desk.made.entries()[-2:] == [
        journal_entries.HoldPlaced(scope="all", hold_kind="operator", reason="stop"),
        journal_entries.HoldReleased(scope="all", hold_kind="operator", reason="looked at it"),
    ]


async def test_a_release_ends_a_hold_for_insolvency_but_none_after_a_restore(desk: Desk) -> None:
    for kind in ("solvency", RESTORED):
        body = journal_entries.HoldPlaced(scope="all", hold_kind=kind, reason=f"by {kind}")
        await desk.made.changes.make(body, NOW_US)
    assert await desk.ask("release", scope="all", reason="money was added") == ["by solvency"]
    assert await desk.holds() == [("all", RESTORED)]
    assert "payouts adopt" in await desk.refusal("release", scope="all", reason="let me")


async def test_a_payment_is_held_by_number_while_it_is_under_way(made: Accounts) -> None:
    desk = Desk(made)
    done = await desk.made.pay({ALICE: 200_000})
    under_way = await desk.made.pay({ALICE: 100_000}, is_confirmed=False)
    assert await desk.ask("hold", scope=f"payment:{under_way}", reason="odd") == "payment:2"
    assert await desk.holds() == [("payment:2", "operator")]
    assert "payment 1 is confirmed" in await desk.refusal("hold", scope=f"payment:{done}", reason="odd")


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        (CAROL, "there is no account"),
        (MAINNET, "is an address of bitcoin mainnet; this pool mines bitcoin regtest"),
        ("everything", "is not an address"),
        ("payment:77", "there is no payment 77"),
        ("payment:-1", "there is no payment -1"),
        ("payment:99999999999999999999999", "there is no payment"),
        ("@operator", "an account of the pool itself"),
    ],
)
async def test_a_hold_needs_a_scope_that_is_there(desk: Desk, scope: str, why: str) -> None:
    assert why in await desk.refusal("hold", scope=scope, reason="stop")


@pytest.mark.parametrize(
    ("reason", "why"),
    [("", "say why"), (" \n", "say why"), ("x" * 501, "501 characters"), ("\x1b[2J", "say why")],
)
async def test_a_reason_is_one_line_that_somebody_can_read(desk: Desk, reason: str, why: str) -> None:
    assert why in await desk.refusal("hold", scope="all", reason=reason)


async def test_paying_needs_a_running_pool(desk: Desk) -> None:
    assert "a running pool" in await desk.refusal("payouts_run")


class ScriptedPayer:
    """A payer whose next outcomes are known."""

    def __init__(self, *outcomes: Outcome | Exception, batch: Batch | None = None) -> None:
        self.outcomes = list(outcomes)
        self.batch = batch
        self.watched = 0

    async def pay(self, now_us: int) -> Outcome:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def watch(self, now_us: int) -> None:
        self.watched += 1

    async def preview(self, now_us: int) -> Batch:
        assert self.batch is not None
        return self.batch


async def test_paying_goes_on_until_nobody_is_due_and_sends_what_was_signed(desk: Desk) -> None:
    left_out = ((ALICE, 500, "dust"),)
    payer = ScriptedPayer(
        Outcome(1, None),
        Outcome(2, None),
        Outcome(None, "nobody's balance has reached its minimum", left_out),
    )
    found = await Desk(desk.made, payer=payer).ask("payouts_run")
    assert (found["payment_ids"], found["reason"]) == ([1, 2], None)
    assert [(line["account"], line["reason"]) for line in found["left_out"]] == [(ALICE, "dust")]
    assert payer.watched == 1


async def test_a_payment_that_was_not_signed_is_the_last(desk: Desk) -> None:
    payer = ScriptedPayer(Outcome(1, "the wallet is locked"), Outcome(2, None))
    found = await Desk(desk.made, payer=payer).ask("payouts_run")
    assert (found["payment_ids"], found["reason"]) == ([1], "the wallet is locked")


async def test_a_node_that_is_gone_is_a_refusal(desk: Desk) -> None:
    payer = ScriptedPayer(WalletUnavailable("the node at http://127.0.0.1:1 does not answer"))
    assert "does not answer" in await Desk(desk.made, payer=payer).refusal("payouts_run")


async def test_a_preview_by_the_wallet_says_whom_it_cannot_pay(desk: Desk) -> None:
    await desk.made.earn(DAVE, 200_000)
    batch = Batch(
        (Item(ALICE, ALICE, b"", 500_000),),
        (LeftOut(DAVE, 200_000, f"the node cannot pay to {DAVE}", needs_person=True),),
    )
    found = await Desk(desk.made, payer=ScriptedPayer(batch=batch)).ask("payouts_preview")
    assert [(line["account"], line["reason"]) for line in found["lines"]] == [
        (ALICE, ""),
        (DAVE, f"the node cannot pay to {DAVE}"),
        (BOB, "below the minimum of 100000 sats"),
    ]
    assert (found["paid"], found["sats"], found["is_wallet_asked"]) == (1, 500_000, True)


async def test_a_preview_of_very_many_fits_into_an_answer(desk: Desk) -> None:
    async with desk.made.database.writing() as writer:
        await writer.execute_many(
            "INSERT INTO account (name, first_seen_us) VALUES (?, 0)", [(f"x{n:061}",) for n in range(3_000)]
        )
        await writer.execute(
            "INSERT INTO balance (account_id, pot, sats) "
            "SELECT id, 'balance', 7 FROM account WHERE name LIKE 'x%'"
        )
    found = await desk.ask("payouts_preview")
    assert (found["lines"][0]["account"], len(found["lines"]), found["more"]) == (ALICE, 2_000, 1_002)
    assert len(msgspec.json.encode(found)) < LONGEST_LINE_BYTES


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("hold", {"scope": "all"}),
        ("hold", {"scope": "all", "reason": "stop", "kind": "solvency"}),
        ("hold", {"scope": 7, "reason": "stop"}),
        ("correct", {"account": ALICE, "against": "@operator", "sats": 1.5, "reason": "x"}),
        ("adopt", {"what": "all", "payees": [{"account": ALICE}], "reason": "x"}),
    ],
)
async def test_arguments_of_another_shape_are_refused(
    desk: Desk, name: str, arguments: dict[str, Any]
) -> None:
    assert (await desk.refusal(name, **arguments)).startswith("it cannot be asked so: ")


# ---------------------------------------------------------------------- payees


def signed(desk: Desk, to: str, minimum: str, number: int = 1, day: str = "2027-01-15") -> str:
    """Alice's BIP 322 signature of the text as docs and wallets show it."""
    message = (
        f"Engineroom payee change {number} on bitcoin regtest: account {ALICE} is paid to {to} "
        f"from {minimum} on, asked {day}"
    )
    return text(witness(sign_key_hash(SECRET, message)))


async def test_a_change_that_the_account_has_signed_takes_effect_after_the_delay(made: Accounts) -> None:
    desk = Desk(made)
    signature = signed(desk, BOB, "20000 satoshis")
    found = await desk.ask("payee_set", account=ALICE, address=BOB, minimum_sats=20_000, signature=signature)
    assert found == {
        "account": ALICE,
        "address": BOB,
        "minimum_sats": 20_000,
        "effective_us": NOW_US + DELAY_US,
    }
    body = desk.made.entries()[-1]
    assert isinstance(body, journal_entries.PayeeChanged)
    assert body.proof.startswith("BIP 322 simple: Engineroom payee change 1 on ")
    assert body.proof.endswith(signature)
    line = (await desk.ask("payouts_preview"))["lines"][0]
    assert (line["account"], line["address"]) == (ALICE, ALICE)
    await desk.made.later(hours=48)
    line = (await desk.ask("payouts_preview"))["lines"][0]
    assert (line["account"], line["address"]) == (ALICE, BOB)


async def test_a_legacy_address_signs_by_bip_137(desk: Desk) -> None:
    message = (
        f"Engineroom payee change 1 on bitcoin regtest: account {BOB} is paid to {ALICE} "
        "from the pool's minimum on, asked 2027-01-15"
    )
    found = await desk.ask(
        "payee_set", account=BOB, address=ALICE, signature=text(sign_bip137(SECRET, message, 31))
    )
    assert (found["address"], found["minimum_sats"]) == (ALICE, None)


@pytest.mark.parametrize(
    ("day", "is_in_time"),
    [("2027-01-16", True), ("2027-01-08", True), ("2027-01-07", False), ("2027-01-17", False)],
)
async def test_a_signature_is_good_for_seven_days(desk: Desk, day: str, is_in_time: bool) -> None:
    arguments = {
        "account": ALICE,
        "address": BOB,
        "minimum_sats": 20_000,
        "signature": signed(desk, BOB, "20000 satoshis", day=day),
    }
    if is_in_time:
        assert (await desk.ask("payee_set", **arguments))["address"] == BOB
    else:
        assert "What has to be signed" in await desk.refusal("payee_set", **arguments)


@pytest.mark.parametrize("change", [{"address": CAROL}, {"minimum_sats": 20_001}, {"minimum_sats": None}])
async def test_a_signature_says_nothing_about_another_change(desk: Desk, change: dict[str, Any]) -> None:
    signature = signed(desk, BOB, "20000 satoshis")
    arguments = {"account": ALICE, "address": BOB, "minimum_sats": 20_000, "signature": signature} | change
    assert "What has to be signed" in await desk.refusal("payee_set", **arguments)


async def test_a_signature_cannot_be_used_twice(made: Accounts) -> None:
    desk = Desk(made)
    first = signed(desk, BOB, "20000 satoshis")
    second = signed(desk, CAROL, "20000 satoshis", number=2)
    await desk.ask("payee_set", account=ALICE, address=BOB, minimum_sats=20_000, signature=first)
    await desk.ask("payee_set", account=ALICE, address=CAROL, minimum_sats=20_000, signature=second)
    refusal = await desk.refusal(
        "payee_set", account=ALICE, address=BOB, minimum_sats=20_000, signature=first
    )
    assert "Engineroom payee change 3 on" in refusal
    async with desk.made.database.reading() as reader:
        rows = await reader.rows("SELECT address, state FROM payee_change ORDER BY id")
    assert rows == [(BOB, "replaced"), (CAROL, "waiting")]


async def test_what_cannot_sign_is_changed_by_the_operator_only(desk: Desk) -> None:
    await desk.made.earn(DAVE, 1_000)
    wish = {"account": DAVE, "address": BOB, "minimum_sats": 20_000}
    assert await desk.refusal("payee_set", **wish, signature=text(bytes(65)))
    await desk.ask("payee_set", **wish, is_operators=True, reason="asked by letter")
    body = desk.made.entries()[-1]
    assert isinstance(body, journal_entries.PayeeChanged)
    assert (body.proof, body.effective_us) == ("operator: asked by letter", NOW_US + DELAY_US)


async def test_the_same_change_again_is_refused(made: Accounts) -> None:
    desk = Desk(made)
    wish: dict[str, Any] = {"account": ALICE, "is_operators": True, "reason": "asked"}
    assert "is so already" in await desk.refusal("payee_set", **wish, address=ALICE)
    await desk.ask("payee_set", **wish, address=BOB)
    assert "has been asked for" in await desk.refusal("payee_set", **wish, address=BOB)
    await desk.made.later(hours=48)
    assert "is so already" in await desk.refusal("payee_set", **wish, address=BOB)
    await desk.ask("payee_set", **wish, address=ALICE)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"account": CAROL}, "there is no account"),
        ({"account": "@operator"}, "an account of the pool itself"),
        ({"account": MAINNET}, "this pool mines bitcoin regtest"),
        ({"address": MAINNET}, "this pool mines bitcoin regtest"),
        ({"address": "ltc1qhdhvrwe6rgqns8fz28tee0hphr5x7ulw5exv4w"}, "this pool mines bitcoin regtest"),
        ({"address": ""}, "is not an address"),
        ({"minimum_sats": -1}, "it has to be above zero"),
        ({"minimum_sats": 0}, "it has to be above zero"),
        ({"minimum_sats": 545}, "dust: the least is 546"),
        ({"minimum_sats": 2_100_000_000_000_001}, "more than all there will ever be"),
        ({"minimum_sats": 2**70}, "more than all there will ever be"),
        ({"is_operators": False}, "either signed by the account's address or made by the operator"),
        ({"signature": "AA=="}, "either signed by the account's address or made by the operator"),
        ({"reason": ""}, "say why"),
    ],
)
async def test_a_wrong_wish_for_a_payee_is_refused(desk: Desk, change: dict[str, Any], why: str) -> None:
    wish = {"account": ALICE, "address": BOB, "is_operators": True, "reason": "asked"} | change
    assert why in await desk.refusal("payee_set", **wish)


# ---------------------------------------------------------------------- corrections


async def test_a_correction_moves_satoshis_and_keeps_the_reason(made: Accounts) -> None:
    desk = Desk(made)
    before = await desk.made.balances()
    number = await desk.ask("correct", account=ALICE, against="@operator", sats=-1_000, reason="paid twice")
    after = await desk.made.balances()
    assert after[ALICE] == before[ALICE] - 1_000
    assert after["@operator"] == 1_000
    async with desk.made.database.reading() as reader:
        rows = await reader.rows(
            "SELECT sats, kind, reason FROM ledger WHERE entry_key = ?", f"correction:{number}"
        )
    assert sorted(rows) == [(-1_000, "correction", "paid twice"), (1_000, "correction", "paid twice")]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"account": CAROL}, "there is no account"),
        ({"against": CAROL}, "there is no account"),
        ({"against": ALICE}, "against itself"),
        ({"against": "@paying"}, "follows from payments alone"),
        ({"against": "@nobody"}, "is not an address"),
        ({"sats": 0}, "0 sats changes nothing"),
        ({"sats": -500_001}, "has a balance of 500000 sats"),
        ({"sats": 90_001, "against": BOB}, "has a balance of 90000 sats"),
        ({"sats": 2_100_000_000_000_001}, "more than all there will ever be"),
        ({"sats": -2_100_000_000_000_001}, "more than all there will ever be"),
        ({"sats": 2**80}, "more than all there will ever be"),
        ({"reason": ""}, "say why"),
    ],
)
async def test_a_wrong_correction_is_refused(desk: Desk, change: dict[str, Any], why: str) -> None:
    wish = {"account": ALICE, "against": "@operator", "sats": 5, "reason": "a slip"} | change
    assert why in await desk.refusal("correct", **wish)


# ---------------------------------------------------------------------- adoption


async def restored(made: Accounts) -> None:
    body = journal_entries.HoldPlaced(scope="all", hold_kind=RESTORED, reason="entries were missing")
    await made.changes.make(body, NOW_US)


async def test_a_send_to_one_accounts_address_explains_itself_and_ends_the_hold(made: Accounts) -> None:
    await restored(made)
    desk = Desk(made, SendingWallet(sent(400_000, ALICE)))
    found = await desk.ask("adopt", what="all", reason="sent before the backup")
    assert found == {"adopted": [f"transaction {TXID}"], "waiting": [], "is_released": True}
    assert await desk.holds() == []
    balances = await made.balances()
    assert (balances[ALICE], balances["@paid"]) == (100_000, 400_000)


async def test_a_send_to_where_an_account_is_paid_now_is_that_accounts(made: Accounts) -> None:
    desk = Desk(made, SendingWallet(sent(400_000, CAROL)))
    await desk.ask("payee_set", account=ALICE, address=CAROL, is_operators=True, reason="asked")
    await made.later(hours=48)
    await desk.ask("adopt", what=TXID, reason="by hand")
    assert (await made.balances())[ALICE] == 100_000


async def test_a_send_to_strangers_is_nobodys(made: Accounts) -> None:
    await restored(made)
    before = await made.balances()
    desk = Desk(made, SendingWallet(sent(400_000, ERIN)))
    assert (await desk.ask("adopt", what="all", reason="the electricity"))["is_released"]
    assert await made.balances() == before


async def test_a_send_to_several_waits_for_a_person_and_the_hold_stays(made: Accounts) -> None:
    await restored(made)
    desk = Desk(made, SendingWallet(sent(400_000, ALICE, ERIN)))
    found = await desk.ask("adopt", what="all", reason="sent before the backup")
    assert (found["adopted"], found["is_released"]) == ([], False)
    assert ALICE in found["waiting"][0]
    assert await desk.holds() == [("all", RESTORED)]
    parts = [{"account": ALICE, "sats": 300_000}]
    assert (await desk.ask("adopt", what=TXID.upper(), payees=parts, reason="looked it up"))["is_released"]
    assert (await made.balances())[ALICE] == 200_000


async def test_without_the_wallet_a_person_has_to_say_all(made: Accounts) -> None:
    await restored(made)
    desk = Desk(made)
    assert "the wallet cannot be asked" in await desk.refusal("adopt", what=TXID, reason="x")
    assert "only a running pool can ask" in await desk.refusal("adopt", what="all", reason="x")
    found = await desk.ask("adopt", what=TXID, payees=[{"account": BOB, "sats": 90_000}], reason="x")
    assert not found["is_released"]
    assert await desk.holds() == [("all", RESTORED)]
    assert BOB not in await made.balances()


async def test_a_journal_entry_whose_payment_is_lost_is_adopted_by_its_number(made: Accounts) -> None:
    await made.pay({ALICE: 200_000})
    planned = made.journal.last_number - 3  # planned, signed, broadcast, confirmed
    await restored(made)
    async with made.database.writing() as writer:
        for sql in ("DELETE FROM attempt", "DELETE FROM payment_item", "DELETE FROM payment"):
            await writer.execute(sql)
    desk = Desk(made, SendingWallet())
    assert "is not one that waits" in await desk.refusal("adopt", what=str(planned - 1), reason="x")
    found = await desk.ask("adopt", what=str(planned), reason="its rows were lost, not its money")
    assert found == {"adopted": [f"journal entry {planned}"], "waiting": [], "is_released": True}
    assert await desk.holds() == []


async def test_what_is_adopted_is_not_adopted_again(made: Accounts) -> None:
    desk = Desk(made, SendingWallet(sent(1_000, ALICE)))
    await desk.ask("adopt", what=TXID, reason="x")
    assert "has been adopted before" in await desk.refusal("adopt", what=TXID, reason="x")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"what": "everything"}, "neither `all`, nor a journal entry's number, nor a txid"),
        ({"what": "0"}, "neither `all`"),
        ({"what": "3"}, "journal entry 3 is not one that waits"),
        ({"what": "aa" * 32}, "the wallet has sent no transaction"),
        ({"what": "ab" * 32}, "the wallet has sent no transaction"),
        ({"what": "all", "payees": [{"account": ALICE, "sats": 5}]}, "give its txid"),
        ({"what": "all"}, "nothing waits to be adopted"),
        ({"payees": [{"account": ALICE, "sats": 400_001}]}, "more than the 400000"),
        ({"payees": [{"account": ALICE, "sats": 5}, {"account": ALICE, "sats": 6}]}, "named twice"),
        ({"payees": [{"account": ALICE, "sats": -5}]}, "it has to be above zero"),
        ({"payees": [{"account": CAROL, "sats": 5}]}, "there is no account"),
        ({"payees": [{"account": "@operator", "sats": 5}]}, "an account of the pool itself"),
        ({"payees": [{"account": ALICE, "sats": 5}], "is_nobodys": True}, "or it is nobody's"),
    ],
)
async def test_a_wrong_adoption_is_refused(desk: Desk, change: dict[str, Any], why: str) -> None:
    excluded = sent(5, ALICE, txid="ab" * 32, confirmations=-3)
    desk = Desk(desk.made, SendingWallet(sent(400_000, ALICE), excluded))
    assert why in await desk.refusal("adopt", **({"what": TXID, "reason": "x"} | change))


async def test_an_attempt_of_ours_is_not_adopted(made: Accounts) -> None:
    await made.pay({ALICE: 200_000})
    async with made.database.reading() as reader:
        row = await reader.row("SELECT txid FROM attempt")
    assert row is not None
    desk = Desk(made, SendingWallet(sent(200_000, ALICE, txid=row[0])))
    assert "an attempt of payment 1" in await desk.refusal("adopt", what=row[0], reason="x")


# ---------------------------------------------------------------------- gaps


async def test_frames_that_are_gone_are_given_up_and_the_source_goes_on(
    made: Accounts, tmp_path: Path
) -> None:
    places = Places(tmp_path)
    places.write(2, 11, 20)
    await made.source(mark=4, state="stopped", trouble="frames 5 to 10 are missing")
    desk = Desk(made)
    found = await desk.ask("accept_gap", source=SOURCE, epoch=EPOCH, reason="the disk is lost")
    assert found == {"first_frame": 5, "last_frame": 10}
    assert desk.marks_changed == 1
    async with made.database.reading() as reader:
        assert await reader.row("SELECT mark, state, trouble FROM source") == (10, "live", None)
    assert made.entries()[-1] == journal_entries.GapAccepted(
        source=SOURCE,
        epoch=EPOCH,
        first_frame=5,
        last_frame=10,
        reason="the disk is lost (frames 5 to 10 are missing)",
    )


async def test_a_broken_block_is_given_up_alone(made: Accounts, tmp_path: Path) -> None:
    places = Places(tmp_path)
    path = places.write(1, 1, 20)
    data = bytearray(path.read_bytes())
    middle = data.index(b"agent 7")
    data[middle] ^= 1
    path.write_bytes(data)
    await made.source(mark=6, state="stopped", trouble="a bad checksum")
    found = await Desk(made).ask("accept_gap", source=SOURCE, epoch=EPOCH, reason="a flipped bit")
    assert found == {"first_frame": 7, "last_frame": 7}


async def test_a_source_behind_whose_mark_nothing_follows_ends(made: Accounts) -> None:
    await made.source(mark=4, state="stopped", trouble="the file is gone")
    found = await Desk(made).ask("accept_gap", source=SOURCE, epoch=EPOCH, reason="the disk is lost")
    assert found == {"first_frame": 5, "last_frame": 4}
    async with made.database.reading() as reader:
        assert await reader.row("SELECT mark, state, trouble FROM source") == (4, "closed", None)


async def test_only_what_has_stopped_can_be_given_up(made: Accounts, tmp_path: Path) -> None:
    Places(tmp_path).write(1, 1, 20)
    await made.source(mark=6)
    desk = Desk(made)
    wish = {"source": SOURCE, "epoch": EPOCH, "reason": "x"}
    assert "is live: nothing of it is lost" in await desk.refusal("accept_gap", **wish)
    assert "stopped are: none" in await desk.refusal("accept_gap", **(wish | {"source": "../gateway-0"}))
    assert "stopped are: none" in await desk.refusal("accept_gap", **(wish | {"epoch": "ff" * 8}))


async def test_what_can_be_read_again_is_not_given_up(made: Accounts, tmp_path: Path) -> None:
    Places(tmp_path).write(1, 1, 20)
    await made.source(mark=6, state="stopped", trouble="a bad checksum")
    refusal = await Desk(made).refusal("accept_gap", source=SOURCE, epoch=EPOCH, reason="x")
    assert "frame 7 of gateway-0 can be read again" in refusal


# ---------------------------------------------------------------------- the socket


async def test_the_socket_gives_results_and_refusals(made: Accounts, tmp_path: Path) -> None:
    with pytest.raises(NobodyThere):
        await ask(tmp_path, "hold", scope="all", reason="stop")
    control = ControlSocket(tmp_path / "accountant.sock", Desk(made).operations.by_name())
    await control.open()
    try:
        assert await ask(tmp_path, "hold", scope="all", reason="stop") == "all"
        with pytest.raises(Refused, match="all is on hold already: stop"):
            await ask(tmp_path, "hold", scope="all", reason="stop")
        with pytest.raises(Refused, match="it cannot be asked so"):
            await ask(tmp_path, "hold", scope=["all"], reason="stop")
    finally:
        await control.close()
