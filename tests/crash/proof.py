"""What must be true of a dug pool once its payment is confirmed, whatever happened on the way.

Nothing lost, nothing counted twice, nobody paid twice: the accounts against what was mined, and against what
the node's chain holds for the payees.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal

from pool.accounting import directories, ledger
from pool.accounting.journal import Journal
from pool.accounting.journal_entries import (
    BlockSettled,
    PaymentAbandoned,
    PaymentConfirmed,
    PaymentPlanned,
    PaymentSigned,
)
from pool.storage.database import Reader
from stratum.work.address import parse_address
from tests.crash.dug import NETWORK, SHARES, Dug, wallet_rpc
from tests.harness.litecoind import Litecoind

COIN = 100_000_000
Received = Mapping[str, Sequence[tuple[str, int]]]


async def received_by(node: Litecoind, addresses: Sequence[str]) -> Received:
    """(txid, satoshis) of every output in the chain that pays one of these; none of them was ever spent."""
    found = await node.rpc("scantxoutset", "start", [f"addr({address})" for address in addresses])
    by_script: dict[str, list[tuple[str, int]]] = {}
    for output in found["unspents"]:
        by_script.setdefault(output["scriptPubKey"], []).append((output["txid"], sats(output["amount"])))
    return {address: by_script.get(parse_address(address, NETWORK).script.hex(), []) for address in addresses}


def sats(amount: Decimal) -> int:
    """A node's amount in satoshis."""
    return int(amount * COIN)


async def assert_right(dug: Dug, node: Litecoind, received: Received) -> None:
    """Everything at once: shares, block, ledger, payment, journal, wallet, chain."""
    async with dug.reading() as database, database.reading() as reader:
        await _assert_shares(reader, dug)
        await _assert_ledger(reader)
        txid, fee_sats = await _assert_payment(reader, dug, received)
    _assert_journal(dug)
    sends = await wallet_rpc(node, dug.name, "listsinceblock")
    sent = {entry["txid"] for entry in sends["transactions"] if entry["category"] == "send"}
    assert sent == {txid}, "the wallet has sent the payment, and nothing else"
    fee = (await wallet_rpc(node, dug.name, "gettransaction", txid))["fee"]
    assert -sats(fee) == fee_sats


async def _assert_shares(reader: Reader, dug: Dug) -> None:
    counted = await reader.rows(
        "SELECT account.name, SUM(shares), SUM(work_high * 4294967296 + work_low) FROM slot_account "
        "JOIN account ON account.id = account_id GROUP BY account.name"
    )
    # each is of difficulty 0.00001, whose target every hash meets: the work of one hash
    expected = {(payee, count, count) for payee, count in zip(dug.due, SHARES, strict=True)}
    assert set(counted) == expected, "every share is counted once"
    minutes = await reader.row("SELECT SUM(shares) FROM worker_minute")
    assert minutes == (sum(SHARES),)
    assert await reader.rows("SELECT hash, state FROM block") == [(dug.block_hash, "mature")]


async def _assert_ledger(reader: Reader) -> None:
    assert await ledger.faults(reader) == []
    assert await reader.row("SELECT SUM(sats) FROM ledger") == (0,)
    owed = await ledger.owed(reader)
    assert owed == {}, "nobody is owed anything any more"


async def _assert_payment(reader: Reader, dug: Dug, received: Received) -> tuple[str, int]:
    *planned, made = await reader.rows("SELECT id, state FROM payment ORDER BY id")
    # What was planned and not signed before a restore is planned anew.
    assert [state for _, state in planned] == ["abandoned"] * len(planned)
    assert made == (1 + len(planned), "confirmed")
    [(txid, fee_sats, number)] = await reader.rows("SELECT txid, fee_sats, payment_id FROM attempt")
    assert number == made[0], "nothing else was ever signed"
    items = await reader.rows(
        "SELECT account.name, sats, fee_sats FROM payment_item JOIN account ON account.id = account_id "
        "WHERE payment_id = ?",
        number,
    )
    assert {name: amount for name, amount, _ in items} == dug.due
    for payee, amount, share_of_fee in items:
        assert received[payee] == [(txid, amount - share_of_fee)], f"{payee} is paid once, by the payment"
    assert sum(share_of_fee for *_, share_of_fee in items) == fee_sats
    system = await ledger.system_balances(reader)
    assert system == {
        ledger.MINED: -dug.reward_sats,
        ledger.PAID: sum(amount for payee in dug.due for _, amount in received[payee]),
        ledger.NETWORK: fee_sats,
        ledger.PAYING: 0,
        ledger.OPERATOR: 0,
    }
    return txid, fee_sats


def _assert_journal(dug: Dug) -> None:
    with Journal.open(dug.data / directories.JOURNAL) as journal:
        kinds = Counter(type(entry.body) for entry in journal.entries())
    for once in (BlockSettled, PaymentSigned, PaymentConfirmed):
        assert kinds[once] == 1, f"{once.__name__} stands {kinds[once]} times in the journal"
    assert kinds[PaymentPlanned] == 1 + kinds[PaymentAbandoned]
