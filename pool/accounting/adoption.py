"""Adopting what matches no payment: a person says whose it was, and it is taken off their balance.

Where the wallet can be asked, nothing is adopted that contradicts what it sent. A send to one address that
one account is paid at explains itself; so does one to addresses that nobody here is paid at. Anything else is
for a person to say.
"""

import re

import msgspec

from payouts.payment import Rules
from payouts.wallet import KnownTransaction, Wallet, WalletRefused, WalletSend
from pool.accounting import policy_changes
from pool.accounting.changes import Changes
from pool.accounting.checked import checked_amount, checked_payee_account, checked_reason
from pool.accounting.control import Refused
from pool.accounting.journal_entries import Adopted, Body, PaymentReplaced, PlannedPayee
from pool.accounting.matching import Matching
from pool.accounting.policy_changes import RESTORED
from pool.accounting.replacement import Replacement, replacement
from pool.accounting.requests import AdoptRequest, AdoptResult
from pool.accounting.unmatched import Unmatched
from pool.storage.database import Database, Reader
from stratum.work.coin import Network

ALL = "all"
HOW = "say whom with --payee ACCOUNT=SATS, or --nobody where nobody here was owed it"
DEEP_ENOUGH = Rules().confirmations
_TXID = re.compile("[0-9a-f]{64}")
_ENTRY = re.compile("[1-9][0-9]{0,17}")


class Adoption:
    """Adopts for one pool. `wallet` None: it cannot be asked here."""

    def __init__(
        self,
        database: Database,
        changes: Changes,
        network: Network,
        wallet: Wallet | None,
        matching: Matching | None,
    ) -> None:
        self._database = database
        self._changes = changes
        self._network = network
        self._wallet = wallet
        self._matching = matching

    async def adopt(self, request: AdoptRequest, now_us: int) -> AdoptResult:
        """Adopt, then look whether everything is matched and the hold can end. Raises Refused."""
        checked_reason(request.reason)
        what = request.what.strip().lower()
        if request.payees and request.is_nobodys:
            raise Refused("either it was paid to accounts, or it is nobody's")
        if what != ALL and not _TXID.fullmatch(what) and not _ENTRY.fullmatch(what):
            raise Refused(f"{request.what[:80]!r} is neither `all`, nor a journal entry's number, nor a txid")
        if request.payees and not _TXID.fullmatch(what):
            raise Refused("accounts are named for one transaction: give its txid")
        if what == ALL:
            adopted, waiting = await self._adopt_all(request, now_us)
        elif _TXID.fullmatch(what):
            adopted, waiting = [await self._adopt_send(what, request, now_us)], []
        else:
            adopted, waiting = [await self._adopt_entry(int(what), request, now_us)], []
        still = await self._look(now_us)
        is_released = still is not None and not still.payments and not still.wallet_txids
        return AdoptResult(adopted=tuple(adopted), waiting=tuple(waiting), is_released=is_released)

    # ------------------------------------------------------------------ what there is

    async def _look(self, now_us: int) -> Unmatched | None:
        """Without the wallet nothing could be known of its sends, and a hold would end too early."""
        if self._matching is None or self._wallet is None:
            return None
        return await self._matching.look(self._wallet, now_us)

    async def _why_nothing(self) -> str:
        async with self._database.reading() as reader:
            kinds = {kind for _, kind, _, _ in await policy_changes.holds(reader)}
        if RESTORED not in kinds:
            return "nothing waits to be adopted: payouts are not on hold after a restore"
        if self._wallet is None:
            return "payouts are on hold, and only a running pool can ask payout.wallet: start it first"
        return "payouts are on hold, and the wallet cannot be asked now: its node has to answer"

    async def _adopt_all(self, request: AdoptRequest, now_us: int) -> tuple[list[str], list[str]]:
        found = await self._look(now_us)
        if found is None:
            raise Refused(await self._why_nothing())
        adopted, waiting, seen = [], [], set[int]()
        for entry in found.payments:
            payment_id = getattr(entry.body, "payment_id", 0)
            if payment_id not in seen:
                seen.add(payment_id)
                adopted.append(await self._note_entry(entry.number, request, now_us))
        for txid in found.wallet_txids:
            try:
                adopted.append(await self._adopt_send(txid, request, now_us))
            except Refused as error:
                waiting.append(str(error))
        return adopted, waiting

    async def _adopt_entry(self, number: int, request: AdoptRequest, now_us: int) -> str:
        found = await self._look(now_us)
        if found is None or number not in {entry.number for entry in found.payments}:
            raise Refused(f"journal entry {number} is not one that waits for its payment")
        return await self._note_entry(number, request, now_us)

    async def _note_entry(self, number: int, request: AdoptRequest, now_us: int) -> str:
        body = Adopted(entry=number, txid=None, payees=(), reason=checked_reason(request.reason))
        await self._changes.make(body, now_us)
        return f"journal entry {number}"

    # ------------------------------------------------------------------ a wallet's send

    async def _adopt_send(self, txid: str, request: AdoptRequest, now_us: int) -> str:
        reason = checked_reason(request.reason)
        send, known = None, None
        if self._wallet is not None:
            depth = 0 if request.is_nobodys else DEEP_ENOUGH
            send, known = await self._send(self._wallet, txid, depth)
        taken = False

        async def choose(reader: Reader) -> Body | None:
            await _refuse_own(reader, txid)
            if self._wallet is not None and known is not None and send is not None:
                found = await replacement(reader, self._wallet, known, reason)
                if found is not None:
                    return await self._with_others(reader, found, send, request)
            if taken:
                return None  # there was a further payment, and it waits for this no more
            await _refuse_adopted(reader, txid)
            payees = await self._payees(reader, txid, send, request)
            fee_sats = (known.fee_sats or 0) if known is not None and payees else 0
            return Adopted(entry=None, txid=txid, payees=payees, reason=reason, fee_sats=fee_sats)

        while await self._changes.decide(choose, now_us) is not None:
            taken = True
        return f"transaction {txid}"

    async def _with_others(
        self, reader: Reader, found: Replacement, send: WalletSend, request: AdoptRequest
    ) -> PaymentReplaced:
        """With what it paid besides: to accounts that the operator has to name."""
        others = [address for address in send.addresses if address not in found.addresses]
        if not found.is_first or request.is_nobodys:
            return found.body
        if request.payees:
            named = await self._named(reader, request)
            total, left = sum(payee.sats for payee in named), send.sats - found.paid_sats
            if total > left:
                raise Refused(f"{total} sats are more than the {left} that {send.txid} paid to others")
            return msgspec.structs.replace(found.body, payees=(*found.body.payees, *named))
        accounts = [account for address in others for account in await _paid_at(reader, address)]
        if accounts:
            raise Refused(
                f"{send.txid} has paid others than payment {found.body.payment_id}'s payees, "
                f"{', '.join(accounts)} among them: {HOW}"
            )
        return found.body

    async def _send(self, wallet: Wallet, txid: str, depth: int) -> tuple[WalletSend, KnownTransaction]:
        for send in (await wallet.sends_since(None)).sends:
            if send.txid != txid or send.confirmations < 0:
                continue
            if send.confirmations < depth:
                raise Refused(
                    f"{txid} has {send.confirmations} confirmations; adopt it when it has {depth}: until "
                    "then another may take its place. One that is stuck: `abandontransaction` in the node"
                )
            try:
                return send, await wallet.transaction(txid)
            except WalletRefused as error:
                raise Refused(str(error)) from None
        raise Refused(f"the wallet has sent no transaction {txid} that stands")

    async def _payees(
        self, reader: Reader, txid: str, send: WalletSend | None, request: AdoptRequest
    ) -> tuple[PlannedPayee, ...]:
        if request.is_nobodys:
            return ()
        if not request.payees:
            return await _explained(reader, txid, send)
        payees = await self._named(reader, request)
        total = sum(payee.sats for payee in payees)
        if send is not None and total > send.sats:
            raise Refused(f"{total} sats are more than the {send.sats} that {txid} paid")
        return payees

    async def _named(self, reader: Reader, request: AdoptRequest) -> tuple[PlannedPayee, ...]:
        payees = []
        for part in request.payees:
            account = await checked_payee_account(reader, part.account, self._network)
            sats = checked_amount(part.sats, self._network)
            payees.append(PlannedPayee(account=account, address=account, sats=sats))
        if len({payee.account for payee in payees}) < len(payees):
            raise Refused("an account is named twice")
        return tuple(payees)


async def _refuse_own(reader: Reader, txid: str) -> None:
    own = await reader.row("SELECT payment_id FROM attempt WHERE txid = ?", txid)
    if own is not None:
        raise Refused(f"{txid} is an attempt of payment {own[0]}: it is accounted for")


async def _refuse_adopted(reader: Reader, txid: str) -> None:
    replaced = await reader.row("SELECT id FROM payment WHERE replaced_by = ?", txid)
    if replaced is not None:
        raise Refused(f"{txid} has been adopted before, for payment {replaced[0]}")
    if await reader.row("SELECT 1 FROM adopted_send WHERE txid = ?", txid) is not None:
        raise Refused(f"{txid} has been adopted before")


async def _explained(reader: Reader, txid: str, send: WalletSend | None) -> tuple[PlannedPayee, ...]:
    """Whom a send paid, where its addresses alone say so."""
    if send is None:
        raise Refused(f"the wallet cannot be asked what {txid} paid: {HOW}")
    accounts = [
        (account, address) for address in send.addresses for account in await _paid_at(reader, address)
    ]
    if not accounts:
        return ()
    if len(accounts) > 1 or len(send.addresses) > 1:
        names = ", ".join(account for account, _ in accounts)
        raise Refused(f"{txid} paid {send.sats} sats to several addresses, of {names} among others: {HOW}")
    ((account, address),) = accounts
    return (PlannedPayee(account=account, address=address, sats=send.sats),)


async def _paid_at(reader: Reader, address: str) -> list[str]:
    """The accounts that are paid at an address, were once, or are to be: a restored database may be of
    before that change."""
    rows = await reader.rows(
        "SELECT name FROM account WHERE name = ? UNION "
        "SELECT account.name FROM payee_change JOIN account ON account.id = payee_change.account_id "
        "WHERE payee_change.address = ?",
        *(address, address),
    )
    return sorted(name for (name,) in rows)
