"""Records on their way to stderr: both formats, tracebacks, hostile fields, floods."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from datetime import datetime

import pytest

from pool.logs.events import LogEvent
from pool.logs.formats import ConsoleFormat, JsonFormat
from pool.logs.limits import LINES_A_MINUTE
from pool.logs.log import Log
from pool.logs.redaction import AddressText, UserText
from pool.logs.stderr import LimitedHandler

NAME = "engineroom.tests.stderr"
ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"  # BIP 173
log = Log(NAME)


class Desk:
    """A log of its own, whose time stands where the test puts it."""

    def __init__(self, form: logging.Formatter) -> None:
        self.now = 0.0
        self.stream = io.StringIO()
        self.handler = LimitedHandler(self.stream, lambda: self.now)
        self.handler.setFormatter(form)
        self.logger = logging.getLogger(NAME)
        self.logger.addHandler(self.handler)
        self.logger.propagate = False
        self.logger.setLevel(logging.DEBUG)

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    def documents(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines()]


def opened(form: logging.Formatter) -> Iterator[Desk]:
    desk = Desk(form)
    yield desk
    desk.logger.removeHandler(desk.handler)
    desk.logger.propagate = True
    desk.logger.setLevel(logging.NOTSET)


@pytest.fixture
def console() -> Iterator[Desk]:
    yield from opened(ConsoleFormat())


@pytest.fixture
def as_json() -> Iterator[Desk]:
    yield from opened(JsonFormat("gateway"))


def renew(height: int = 840_001, node: str = "hall-a") -> None:
    log.info(LogEvent.WORK_RENEWED, height=height, node=node, transactions=3021, reward_sats=325_104_233)


def test_the_console_shows_a_sentence(console: Desk) -> None:
    renew()
    (line,) = console.lines()
    stamp, _, rest = line.partition(" INFO     ")
    assert datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S,%f")  # noqa: DTZ007  local time, as it is shown
    assert rest == (
        "engineroom.tests.stderr: new work at height 840001 from hall-a: 3021 transactions, 325104233 sats"
    )


def test_json_shows_the_same_as_values_in_one_object(as_json: Desk) -> None:
    renew()
    (document,) = as_json.documents()
    at = str(document.pop("at"))
    assert at.endswith("Z")
    assert len(at) == len("2026-01-01T12:00:00.000Z")
    assert datetime.fromisoformat(at).tzinfo is not None
    assert document == {
        "level": "info",
        "event": "work_renewed",
        "logger": NAME,
        "process": "gateway",
        "height": 840_001,
        "node": "hall-a",
        "transactions": 3021,
        "reward_sats": 325_104_233,
    }


def test_json_has_fields_that_the_sentence_has_not(as_json: Desk) -> None:
    log.info(
        LogEvent.POOL_REPORTED,
        connections=2500,
        hashrate="600 TH/s",
        hashes_per_second=6e14,
        accepted=1,
        refused=0,
        blocks=0,
    )
    (document,) = as_json.documents()
    assert document["hashes_per_second"] == 6e14


def test_what_is_not_known_is_said_so(console: Desk) -> None:
    log.error(LogEvent.PAYEE_LEFT_OUT, account=AddressText(None), address=AddressText(ADDRESS), reason="dust")
    (line,) = console.lines()
    assert line.endswith(": unknown is left out of payments for a day: the node refuses bc1qw5…v8f3t4: dust")


@pytest.mark.parametrize("full_addresses", [False, True])
def test_full_addresses_are_a_setting_of_both_formats(full_addresses: bool) -> None:
    forms = ConsoleFormat(full_addresses=full_addresses), JsonFormat("p", full_addresses=full_addresses)
    for form in forms:
        for desk in opened(form):
            log.warning(
                LogEvent.ACCOUNT_UNPAYABLE,
                account=AddressText(ADDRESS),
                error=f"{ADDRESS} is foreign",
            )
            assert desk.stream.getvalue().count(ADDRESS) == (2 if full_addresses else 0)


FORGED = "x\n2026-01-01 00:00:00,000 INFO     engineroom: block found"


@pytest.mark.parametrize("form", [ConsoleFormat(), JsonFormat("gateway")])
def test_a_hostile_name_makes_no_line_of_its_own(form: logging.Formatter) -> None:
    for desk in opened(form):
        log.debug(LogEvent.CONNECTION_CLOSED, peer=UserText(FORGED), reason=FORGED)
        assert len(desk.lines()) == 1


def fail(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_a_traceback_is_indented_and_forges_no_line(console: Desk) -> None:
    log.critical(LogEvent.CALLBACK_FAILED, fail(f"{FORGED} {ADDRESS}"), what="a callback")
    first, *rest = console.lines()
    assert first.endswith("CRITICAL engineroom.tests.stderr: a callback")
    assert rest[0] == "  Traceback (most recent call last):"
    assert all(line.startswith("  ") for line in rest)
    assert "bc1qw5…v8f3t4" in rest[-1]


def test_a_traceback_is_one_field_of_json(as_json: Desk) -> None:
    log.error(LogEvent.OPERATION_FAILED, fail("why"), operation="pay")
    (document,) = as_json.documents()
    lines = str(document["traceback"]).splitlines()
    assert (lines[0], lines[-1]) == ("Traceback (most recent call last):", "ValueError: why")


def test_a_librarys_line_is_an_event_too(as_json: Desk) -> None:
    logging.getLogger(f"{NAME}.library").warning("socket.send() raised %s for http://u:p@h/", "x\ny")
    (document,) = as_json.documents()
    assert document["event"] == "library_spoke"
    assert document["text"] == "socket.send() raised x\\ny for http://•••@h/"
    assert document["logger"] == f"{NAME}.library"


def test_below_the_level_no_field_is_even_looked_at(as_json: Desk) -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise AssertionError

    as_json.logger.setLevel(logging.INFO)
    log.debug(LogEvent.CONNECTION_CLOSED, peer="::1", reason=Unspeakable())
    assert as_json.lines() == []


# ------------------------------------------------------------------ floods


def test_a_flood_of_one_cause_is_counted_and_told_with_the_next_line_after_its_minute(as_json: Desk) -> None:
    for height in range(LINES_A_MINUTE + 1_234):
        renew(height)
    assert len(as_json.lines()) == LINES_A_MINUTE
    as_json.now = 60.0
    log.debug(LogEvent.CONNECTION_CLOSED, peer="::1", reason="idle")
    *_, told, last = as_json.documents()
    assert last["event"] == "connection_closed"
    assert (told["event"], told["of"], told["lines"]) == ("lines_left_out", "work_renewed", 1_234)
    assert (told["level"], told["logger"]) == ("info", NAME)
    assert told["like"] == "new work at height 20 from hall-a: 3021 transactions, 325104233 sats"


def test_the_console_says_it_in_a_sentence(console: Desk) -> None:
    for _ in range(LINES_A_MINUTE + 1_234):
        renew()
    console.handler.close()
    last = console.lines()[-1]
    assert "… and 1,234 more like it since 20" in last
    assert last.endswith(": new work at height 840001 from hall-a: 3021 transactions, 325104233 sats")


def test_each_node_is_a_cause_of_its_own(as_json: Desk) -> None:
    for _ in range(100):
        renew(node="hall-a")
    renew(node="hall-b")
    assert as_json.documents()[-1]["node"] == "hall-b"


def test_different_errors_are_all_written_and_the_same_one_is_counted(as_json: Desk) -> None:
    for number in range(100):
        log.error(LogEvent.SEGMENT_UNCUT, path=f"segment-{number}", error="No space left on device")
    assert len(as_json.lines()) == 100
    for _ in range(100):
        log.error(LogEvent.SEGMENT_UNCUT, path="segment-1", error="No space left on device")
    assert len(as_json.lines()) == 100 + LINES_A_MINUTE - 1


def test_blocks_and_payments_are_always_written(as_json: Desk) -> None:
    for _ in range(100):
        log.info(LogEvent.PAYMENT_CONFIRMED, payment=1, txid="ab")
    assert len(as_json.lines()) == 100


def test_a_librarys_flood_is_one_cause_by_the_text_that_it_formats(as_json: Desk) -> None:
    for number in range(100):
        logging.getLogger(f"{NAME}.library").warning("socket %d failed", number)
    assert len(as_json.lines()) == LINES_A_MINUTE


def test_threads_lose_and_double_no_line(as_json: Desk) -> None:
    def say() -> None:
        for _ in range(200):
            renew()

    threads = [threading.Thread(target=say) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    as_json.handler.close()
    *written, told = as_json.documents()
    assert len(written) == LINES_A_MINUTE
    assert told["lines"] == 800 - LINES_A_MINUTE
