"""A wish to be paid elsewhere → the journal entry that does it, if it is signed or the operator's.

A signature is of `pool.audit.payee_change`'s text: of this network, account, payee, minimum, and of a number
that is used once. The text has a date; the last days' are tried, so that nobody has to type it again.
"""

import datetime
from collections.abc import Iterator

import msgspec

from config.payout_schema import LEAST_OUTPUT_SATS
from pool.accounting.checked import checked_address, checked_amount, checked_payee_account, checked_reason
from pool.accounting.control import Refused
from pool.accounting.journal_entries import PayeeChanged
from pool.accounting.requests import PayeeRequest
from pool.audit.ownership import Refusal, verify_message
from pool.audit.payee_change import SIGNED_FOR_DAYS, PayeeChange, is_in_time, message_for
from pool.storage.database import Reader
from stratum.work.coin import Network

OPERATORS_PROOF = "operator: "  # before the reason; any other proof is a signature


async def wished_change(
    reader: Reader, request: PayeeRequest, network: Network, delay_us: int, now_us: int
) -> PayeeChanged:
    """The change, in effect `delay_us` from now. Raises Refused."""
    account = checked_address(await checked_payee_account(reader, request.account, network), network)
    payee = checked_address(request.address, network)
    minimum_sats = _checked_minimum(request.minimum_sats, network)
    if (request.signature is None) != request.is_operators:
        raise Refused("a change is either signed by the account's address or made by the operator")
    await _refuse_repetition(reader, account.text, payee.text, minimum_sats, now_us)
    if request.signature is None:
        proof = f"{OPERATORS_PROOF}{checked_reason(request.reason)}"
    else:
        change = await _asked_change(reader, request, network, now_us)
        proof = _proof(change, request.signature, _day(now_us))
    return PayeeChanged(
        account=account.text,
        address=payee.text,
        minimum_sats=minimum_sats,
        requested_us=now_us,
        effective_us=now_us + delay_us,
        proof=proof,
    )


async def text_to_sign(reader: Reader, request: PayeeRequest, network: Network, now_us: int) -> str:
    """What the account's address signs today for this change, to the character. Raises Refused."""
    return message_for(await _asked_change(reader, request, network, now_us))


async def _asked_change(reader: Reader, request: PayeeRequest, network: Network, now_us: int) -> PayeeChange:
    """With the account's next number."""
    account = checked_address(await checked_payee_account(reader, request.account, network), network)
    row = await reader.row(
        "SELECT COUNT(*) FROM payee_change JOIN account ON account.id = payee_change.account_id "
        "WHERE account.name = ?",
        account.text,
    )
    return PayeeChange(
        network=network,
        account=account,
        payee=checked_address(request.address, network),
        minimum_sats=_checked_minimum(request.minimum_sats, network),
        number=1 + (0 if row is None else int(row[0])),
        asked_on=_day(now_us),
    )


def _day(now_us: int) -> datetime.date:
    return datetime.datetime.fromtimestamp(now_us // 1_000_000, datetime.UTC).date()


def _checked_minimum(minimum_sats: int | None, network: Network) -> int | None:
    if minimum_sats is None:
        return None
    checked_amount(minimum_sats, network)
    if minimum_sats < LEAST_OUTPUT_SATS:
        raise Refused(f"a minimum of {minimum_sats} sats is dust: the least is {LEAST_OUTPUT_SATS}")
    return minimum_sats


def _proof(change: PayeeChange, signature: str, today: datetime.date) -> str:
    """What shows later that the account wanted it; raises Refused where the signature is of no such text."""
    last: Refusal | None = None
    for dated in _in_time(change, today):
        message = message_for(dated)
        found = verify_message(change.account, change.network, message, signature)
        if not isinstance(found, Refusal):
            return f"{found.method}: {message} | {''.join(signature.split())}"
        last = last or found
    reason = "no date fits" if last is None else last.reason
    raise Refused(
        f"{reason}. What has to be signed: {message_for(change)!r}, or the same text of one of the last "
        f"{SIGNED_FOR_DAYS} days"
    )


def _in_time(change: PayeeChange, today: datetime.date) -> Iterator[PayeeChange]:
    """The change dated today and on each other day that is in time, the nearest first."""
    for days in sorted(range(-1, SIGNED_FOR_DAYS + 1), key=abs):
        dated = msgspec.structs.replace(change, asked_on=today - datetime.timedelta(days))
        if is_in_time(dated, today):
            yield dated


async def _refuse_repetition(
    reader: Reader, account: str, address: str, minimum_sats: int | None, now_us: int
) -> None:
    """A change that is the same as the last one: a number would be used up, and a clock started anew."""
    row = await reader.row(
        "SELECT payee_change.address, minimum_sats, effective_us FROM payee_change "
        "JOIN account ON account.id = payee_change.account_id "
        "WHERE account.name = ? AND payee_change.state <> 'replaced' ORDER BY payee_change.id DESC LIMIT 1",
        account,
    )
    last_address, last_minimum, effective_us = (account, None, 0) if row is None else row
    if (last_address, last_minimum) == (address, minimum_sats):
        when = "is so already" if effective_us <= now_us else "has been asked for, and waits"
        raise Refused(f"{account} paid to {address}, with that minimum: it {when}")
