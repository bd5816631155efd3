"""Notices as people read them: a title and a few lines of plain text, with shortened addresses."""

import datetime
from collections import Counter
from collections.abc import Sequence
from typing import assert_never

from pool.notices.notice import (
    BlockFound,
    BlockOrphaned,
    Incident,
    IncidentOver,
    NodeBack,
    NodeDown,
    Notice,
    NoticeKind,
    PayeeChange,
    PaymentSent,
    Test,
)
from pool.wording import coins_text, counted, span_text

LONGEST_TITLE = 120  # characters; a phone shows fewer
LONGEST_TEXT = 1_000  # characters: four bytes each are what ntfy's 4,096 hold, and Telegram's 4,096 as well
ENDS_SHOWN = 6  # of an address, at both ends: enough to know one's own by

NAMES: dict[NoticeKind, str] = {
    NoticeKind.BLOCK_FOUND: "block found",
    NoticeKind.BLOCK_ORPHANED: "block orphaned",
    NoticeKind.INCIDENT: "incident",
    NoticeKind.INCIDENT_OVER: "incident over",
    NoticeKind.PAYMENT_SENT: "payment sent",
    NoticeKind.PAYEE_CHANGE: "payee change",
    NoticeKind.NODE_DOWN: "node down",
    NoticeKind.NODE_BACK: "node back",
    NoticeKind.TEST: "test",
}


def shortened(address: str) -> str:
    """`bc1qw5…v8f3t4`: a notice goes through other people's servers. What is no longer than that stays."""
    if len(address) <= 2 * ENDS_SHOWN + 1:
        return address
    return f"{address[:ENDS_SHOWN]}…{address[-ENDS_SHOWN:]}"


def moment(at_us: int) -> str:
    """ISO 8601 in UTC, to the second."""
    at = datetime.datetime.fromtimestamp(at_us // 1_000_000, datetime.UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def title(notice: Notice) -> str:
    """One line of at most LONGEST_TITLE characters."""
    return _cut(_one_line(_title(notice)), LONGEST_TITLE)


def text(notice: Notice, network: str) -> str:
    """Lines of together at most LONGEST_TEXT characters; `network` as in `bitcoin mainnet` is the last."""
    lines = [_one_line(line) for line in _lines(notice, network.partition(" ")[0])]
    return _cut("\n".join(line for line in lines if line), LONGEST_TEXT - len(network) - 1) + f"\n{network}"


def together(notices: Sequence[Notice], network: str) -> tuple[str, str]:
    """Title and text of several in one: the first of the highest rank, and how many more of which kind."""
    first = max(notices, key=lambda notice: notice.rank)
    others = Counter(notice.kind for notice in notices if notice is not first)
    more = f"and {others.total():,} more"
    kinds = ", ".join(f"{count:,} × {NAMES[kind]}" for kind, count in others.most_common())
    head = _cut(title(first), LONGEST_TITLE - len(more) - 2)
    lines = text(first, network).removesuffix(f"\n{network}")
    tail = f"\n{more}: {kinds}\n{network}"
    return f"{head}, {more}", _cut(lines, LONGEST_TEXT - len(tail)) + tail


def _title(notice: Notice) -> str:
    match notice:
        case BlockFound():
            return f"Block {notice.height:,} {'found' if notice.returned is None else 'stands again'}"
        case BlockOrphaned():
            return f"Block {notice.height:,} is orphaned"
        case IncidentOver():
            return f"Over: {notice.what}"
        case Incident():
            return notice.what
        case PaymentSent():
            again = " sent again with more fee" if notice.attempt > 1 else " sent"
            return f"Payment {notice.payment_id:,}{again}"
        case PayeeChange():
            return f"Payee change for {shortened(notice.account)}"
        case NodeDown():
            return f"Node {notice.node} is down"
        case NodeBack():
            return f"Node {notice.node} is back"
        case Test():
            return "Test"
        case _:
            assert_never(notice)


def _lines(notice: Notice, coin: str) -> Sequence[str]:
    match notice:
        case BlockFound() | BlockOrphaned():
            return _of_block(notice, coin)
        case IncidentOver():
            return [*_where(notice), f"after {_span(notice.began_us, notice.at_us)}"]
        case Incident():
            return _where(notice)
        case PaymentSent():
            paid = f"{coins_text(notice.sats)} {coin} to {counted(notice.payees, 'payee')}"
            return [f"{paid}, network fee {coins_text(notice.fee_sats)}", f"transaction {notice.txid}"]
        case PayeeChange():
            return _of_payee(notice, coin)
        case NodeDown():
            return [notice.reason]
        case NodeBack():
            return [f"after {_span(notice.down_us, notice.at_us)}"]
        case Test():
            return ["Notices of this pool arrive here."]
        case _:
            assert_never(notice)


def _of_block(notice: BlockFound | BlockOrphaned, coin: str) -> list[str]:
    finder = "nobody that is known" if notice.account is None else shortened(notice.account)
    by = f"found by {finder}" + (f" ({notice.worker})" if notice.worker else "")
    why = notice.reason if isinstance(notice, BlockOrphaned) else ""
    return [why, f"{coins_text(notice.reward_sats)} {coin}, {by}", f"hash {notice.hash_hex}"]


def _of_payee(notice: PayeeChange, coin: str) -> list[str]:
    who = "the operator" if notice.asked_by == "operator" else "a message that the account has signed"
    lines = [f"to {shortened(notice.address)}, as of {moment(notice.effective_us)}", f"asked for by {who}"]
    if notice.minimum_sats is not None:
        lines.insert(1, f"from {coins_text(notice.minimum_sats)} {coin} on")
    return lines


def _where(notice: Incident) -> list[str]:
    machines = counted(notice.machines, "machine") if notice.machines else ""
    return [", ".join(part for part in (notice.group, machines) if part)]


def _span(from_us: int, to_us: int) -> str:
    return span_text(max(0, to_us - from_us) // 1_000_000)


def _one_line(line: str) -> str:
    """Names come from miners and nodes: whatever does not print is a space."""
    return "".join(letter if letter.isprintable() else " " for letter in line).strip()


def _cut(line: str, most: int) -> str:
    return line if len(line) <= most else line[: max(most - 1, 0)] + "…"
