"""The columns of each list, as a person wants to read them in 80 columns."""

from collections.abc import Sequence

from pool.accounting.requests import PreviewLine
from pool.accounting.sources import CLOSED
from pool.reports.accounts import AccountLine
from pool.reports.balance import LedgerLine
from pool.reports.blocks import BlockLine
from pool.reports.pauses import PauseLine
from pool.reports.payments import HoldLine, PaymentLine
from pool.reports.rendering import Column, moment
from pool.reports.sources import SourceLine
from pool.wording import coins_text, hashrate_text, span_text


def _about(line: LedgerLine) -> str:
    if line.payment_id is not None:
        return f"payment {line.payment_id}"
    return line.block_hash or line.reason or ""


def _behind(line: SourceLine) -> str:
    return "–" if line.state == CLOSED else span_text(line.lag_seconds)


_ACCOUNTS: tuple[Column[AccountLine], ...] = (
    Column("account", lambda one: one.account, is_shortened=True),
    Column("last seen, UTC", lambda one: moment(one.last_seen_us)),
    Column("24 hours", lambda one: hashrate_text(one.hashes_per_second), is_number=True),
    Column("immature", lambda one: coins_text(one.immature_sats), is_number=True),
    Column("balance", lambda one: coins_text(one.balance_sats), is_number=True),
    Column("paid", lambda one: coins_text(one.paid_sats), is_number=True),
)
_ON_ITS_WAY: Column[AccountLine] = Column(
    "on its way", lambda one: coins_text(one.on_its_way_sats), is_number=True
)


def accounts_columns(lines: Sequence[AccountLine]) -> Sequence[Column[AccountLine]]:
    """What is on its way has a column while there is any: 80 columns have no room for zeros."""
    if not any(line.on_its_way_sats for line in lines):
        return _ACCOUNTS
    return (*_ACCOUNTS[:-1], _ON_ITS_WAY, _ACCOUNTS[-1])


LEDGER: tuple[Column[LedgerLine], ...] = (
    Column("time, UTC", lambda one: moment(one.at_us)),
    Column("kind", lambda one: one.kind),
    Column("pot", lambda one: one.pot),
    Column("amount", lambda one: coins_text(one.sats), is_number=True),
    Column("of", _about, is_shortened=True),
)
BLOCKS: tuple[Column[BlockLine], ...] = (
    Column("height", lambda one: str(one.height), is_number=True),
    Column("hash", lambda one: one.hash, is_shortened=True),
    Column("state", lambda one: one.state),
    Column("deep", lambda one: "–" if one.confirmations < 0 else str(one.confirmations), is_number=True),
    Column("reward", lambda one: coins_text(one.reward_sats), is_number=True),
    Column("found, UTC", lambda one: moment(one.found_us)),
    Column("by", lambda one: one.finder or "–", is_shortened=True),
)
PAYMENTS: tuple[Column[PaymentLine], ...] = (
    Column("no.", lambda one: "block" if one.id is None else str(one.id), is_number=True),
    Column("state", lambda one: one.state.replace("_", " ")),
    Column("to", lambda one: str(one.payees), is_number=True),
    Column("amount", lambda one: coins_text(one.sats), is_number=True),
    Column("fee", lambda one: coins_text(one.fee_sats), is_number=True),
    Column("txid", lambda one: one.txid or "–", is_shortened=True),
    Column("changed, UTC", lambda one: moment(one.changed_us)),
)
HOLDS: tuple[Column[HoldLine], ...] = (
    Column("scope", lambda one: one.scope, is_shortened=True),
    Column("by", lambda one: one.kind),
    Column("since, UTC", lambda one: moment(one.placed_us)),
    Column("reason", lambda one: one.reason, is_flowing=True),
)
SOURCES: tuple[Column[SourceLine], ...] = (
    Column("source", lambda one: one.source),
    Column("epoch", lambda one: one.epoch),
    Column("state", lambda one: one.state),
    Column("frame", lambda one: str(one.mark), is_number=True),
    Column("behind", _behind, is_number=True),
    Column("trouble", lambda one: one.trouble or "", is_flowing=True),
)
PAUSES: tuple[Column[PauseLine], ...] = (
    Column("group", lambda one: one.group),
    Column("state", lambda one: one.state),
    Column("since, UTC", lambda one: moment(one.since_us)),
    Column("until, UTC", lambda one: moment(one.until_us)),
    Column("reason", lambda one: one.reason, is_flowing=True),
)


def _payee(line: PreviewLine) -> str:
    return "the same" if line.address == line.account else line.address


PREVIEW: tuple[Column[PreviewLine], ...] = (
    Column("account", lambda one: one.account, is_shortened=True),
    Column("paid to", _payee, is_shortened=True),
    Column("amount", lambda one: coins_text(one.sats), is_number=True),
    Column("now", lambda one: f"no: {one.reason}" if one.reason else "yes", is_flowing=True),
)
