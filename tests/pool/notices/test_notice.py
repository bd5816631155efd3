"""What a notice is known by, and what people read of it."""

import msgspec
import pytest

from config.notice_schema import EVENTS
from pool.notices.notice import (
    RANKS,
    BlockOrphaned,
    Incident,
    IncidentOver,
    NodeBack,
    NodeDown,
    Notice,
    NoticeKind,
    PaymentSent,
    Test,
)
from pool.notices.texts import LONGEST_TEXT, LONGEST_TITLE, NAMES, shortened, text, title, together
from tests.pool.notices.receiving import CHANGE, FINDER, NETWORK, NOW_US, PAYEE, SECOND_US, block

MINUTE_US = 60 * SECOND_US
ORPHANED = BlockOrphaned(
    at_us=NOW_US,
    hash_hex="ab" * 32,
    height=840_000,
    reward_sats=312_500_000,
    account=None,
    worker="",
    transition=9,
    reason="another block stands in its place",
)
PAYMENT = PaymentSent(
    at_us=NOW_US, payment_id=1_234, txid="cd" * 32, attempt=1, payees=3, sats=50_000_000, fee_sats=1_410
)
SILENT = Incident(
    at_us=NOW_US, incident_id="silent-7", what="22 machines are silent", group="rack 7", machines=22
)
OVER = IncidentOver(
    at_us=NOW_US, incident_id="silent-7", what="22 machines are silent", began_us=NOW_US - 30 * MINUTE_US
)
DOWN = NodeDown(at_us=NOW_US, node="home", reason="it does not answer")
BACK = NodeBack(at_us=NOW_US + 30 * MINUTE_US, node="home", down_us=NOW_US)
RETURNED = msgspec.structs.replace(block(), returned=11)
ALL: list[Notice] = [block(), ORPHANED, SILENT, OVER, PAYMENT, CHANGE, DOWN, BACK, Test(at_us=NOW_US)]


def test_the_settings_know_every_kind_but_the_test() -> None:
    assert set(EVENTS) == {str(kind) for kind in NoticeKind} - {"test"}
    assert set(RANKS) == set(NAMES) == set(NoticeKind) == {notice.kind for notice in ALL}


@pytest.mark.parametrize(
    ("notice", "known_by"),
    [
        (block(1), "block_found:" + "0" * 63 + "1"),
        (RETURNED, "block_found:" + f"{840_000:064x}" + ":11"),
        (ORPHANED, "block_orphaned:" + "ab" * 32 + ":9"),
        (SILENT, "incident:silent-7"),
        (OVER, "incident_over:silent-7"),
        (PAYMENT, "payment_sent:1234:" + "cd" * 32),
        # printf %s bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 | sha256sum | cut -c1-16
        (CHANGE, "payee_change:6cd42dab0217b54f:1800000000000000"),
        (DOWN, "node_down:home:1800000000000000"),
        (BACK, "node_back:home:1800000000000000"),
        (Test(at_us=5), "test:5"),
    ],
    ids=lambda value: value.kind if isinstance(value, msgspec.Struct) else "",
)
def test_the_id_follows_from_what_happened(notice: Notice, known_by: str) -> None:
    assert notice.id == known_by


@pytest.mark.parametrize("notice", ALL, ids=lambda notice: notice.kind)
def test_it_can_be_stored(notice: Notice) -> None:
    assert msgspec.json.decode(msgspec.json.encode(notice), type=Notice) == notice


@pytest.mark.parametrize(
    ("notice", "head", "lines"),
    [
        (
            block(),
            "Block 840,000 found",
            ["3.25104233 bitcoin, found by bc1qw5…v8f3t4 (rig)", f"hash {840_000:064x}"],
        ),
        (
            RETURNED,
            "Block 840,000 stands again",
            ["3.25104233 bitcoin, found by bc1qw5…v8f3t4 (rig)", f"hash {840_000:064x}"],
        ),
        (
            ORPHANED,
            "Block 840,000 is orphaned",
            [
                "another block stands in its place",
                "3.12500000 bitcoin, found by nobody that is known",
                "hash " + "ab" * 32,
            ],
        ),
        (SILENT, "22 machines are silent", ["rack 7, 22 machines"]),
        (OVER, "Over: 22 machines are silent", ["after 30 minutes"]),
        (
            PAYMENT,
            "Payment 1,234 sent",
            ["0.50000000 bitcoin to 3 payees, network fee 0.00001410", "transaction " + "cd" * 32],
        ),
        (
            msgspec.structs.replace(PAYMENT, attempt=2, payees=1),
            "Payment 1,234 sent again with more fee",
            ["0.50000000 bitcoin to 1 payee, network fee 0.00001410", "transaction " + "cd" * 32],
        ),
        (
            CHANGE,
            "Payee change for bc1qw5…v8f3t4",
            [
                "to 1BvBMS…JaNVN2, as of 2027-01-17T08:00:00Z",
                "from 0.00050000 bitcoin on",
                "asked for by a message that the account has signed",
            ],
        ),
        (DOWN, "Node home is down", ["it does not answer"]),
        (BACK, "Node home is back", ["after 30 minutes"]),
        (Test(at_us=NOW_US), "Test", ["Notices of this pool arrive here."]),
    ],
    ids=lambda value: value.kind if isinstance(value, msgspec.Struct) else "",
)
def test_what_people_read(notice: Notice, head: str, lines: list[str]) -> None:
    assert title(notice) == head
    assert text(notice, NETWORK) == "\n".join([*lines, NETWORK])


@pytest.mark.parametrize("notice", ALL, ids=lambda notice: notice.kind)
def test_no_address_is_told_in_full(notice: Notice) -> None:
    told = title(notice) + text(notice, NETWORK) + notice.id
    assert FINDER not in told
    assert PAYEE not in told


def test_what_is_as_short_as_its_short_form_stays() -> None:
    assert shortened("thirteenchars") == "thirteenchars"
    assert shortened("fourteen chars") == "fourte… chars"


def test_names_from_outside_stay_within_a_line_and_texts_within_bounds() -> None:
    notice = msgspec.structs.replace(SILENT, what="a\r\nPriority: 5\x00" + "b" * 200, group="界" * 5_000)
    assert title(notice).startswith("a  Priority: 5 bbb")
    assert len(title(notice)) == LONGEST_TITLE
    assert title(notice).endswith("b…")
    assert len(text(notice, NETWORK)) == LONGEST_TEXT
    assert text(notice, NETWORK).endswith(f"界…\n{NETWORK}")
    head, lines = together([notice] * 3, NETWORK)
    assert (len(head), len(lines)) == (LONGEST_TITLE, LONGEST_TEXT)


def test_several_are_the_most_important_one_and_how_many_more() -> None:
    head, lines = together([SILENT, OVER, DOWN, SILENT, PAYMENT], NETWORK)
    assert head == "Node home is down, and 4 more"
    assert lines.splitlines() == [
        "it does not answer",
        "and 4 more: 2 × incident, 1 × incident over, 1 × payment sent",
        NETWORK,
    ]
