"""Sending to real servers: what arrives, what is tried again and when, what one target's trouble costs."""

import asyncio
import contextlib
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pool.notices.notice import Incident, NoticeKind
from pool.notices.outbox import FOLDER, Outbox
from pool.notices.pacing import PACES, Pace, Patience
from pool.notices.sender import Sender
from pool.notices.targets import Target
from tests.pool.notices.receiving import (
    BOT_TOKEN,
    KEY,
    NETWORK,
    NOW_US,
    NTFY_TOKEN,
    SECONDS,
    SECRETS,
    TELEGRAM_PATH,
    Answer,
    Receiver,
    block,
    incidents,
    target,
)

PATIENCE = Patience(first_pause_seconds=0.01, longest_pause_seconds=0.04)


@contextlib.asynccontextmanager
async def sending(
    directory: Path, *targets: Target, jitter: Callable[[], float] = lambda: 0.0, **options: Any
) -> AsyncIterator[Outbox]:
    """A sender at work on what this data directory's outbox holds."""
    outbox = Outbox.open(directory, targets)
    options = {"patience": PATIENCE, **options}
    sender = Sender(targets, outbox, NETWORK, lambda: NOW_US, jitter, **options)
    task = asyncio.create_task(sender.run())
    try:
        yield outbox
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def is_done(outbox: Outbox, name: str) -> None:
    """Nothing waits for this target any more."""
    async with asyncio.timeout(SECONDS):
        while True:
            changed = outbox.changed
            if not outbox.waiting(name):
                return
            await changed.wait()


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name == "engineroom.notices"]


async def test_each_kind_of_target_gets_it_and_a_webhook_can_check_it(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        targets = (receiver.webhook(), receiver.ntfy(), receiver.telegram())
        async with sending(tmp_path, *targets) as outbox:
            await outbox.take([block()], NOW_US)
            hook = await receiver.next("/hook")
            phone = await receiver.next("/topic")
            chat = await receiver.next(TELEGRAM_PATH)
            for one in targets:
                await is_done(outbox, one.name)
    assert (hook.method, hook.headers["X-Engineroom-Timestamp"]) == ("POST", "1800000000")
    digest = hmac.new(KEY.encode(), b"1800000000." + hook.body, hashlib.sha256).hexdigest()
    assert hook.headers["X-Engineroom-Signature"] == f"sha256={digest}"
    assert hook.json["id"] == block().id
    assert (phone.headers["Title"], phone.headers["Priority"]) == ("Block 840,000 found", "4")
    assert phone.headers["Authorization"] == f"Bearer {NTFY_TOKEN}"
    assert chat.json["text"].startswith("Block 840,000 found\n")


async def test_what_a_server_fails_at_is_tried_again_in_order_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as receiver:
        receiver.answers["/hook"] = [Answer(500), Answer(503), Answer(408), Answer(200)]
        async with sending(tmp_path, receiver.webhook()) as outbox:
            await outbox.take(incidents(1, 2), NOW_US)
            got = [(await receiver.next("/hook")).json["id"] for _ in range(5)]
            await is_done(outbox, "own")
    assert got == ["incident:i1"] * 4 + ["incident:i2"]
    assert told(caplog) == [
        "own cannot be told: it answers HTTP 500; it is tried again",
        "own is told again",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, headers={"Retry-After": "1"}),
        Answer(429, body='{"ok":false,"error_code":429,"parameters":{"retry_after":1}}'),  # Telegram's
    ],
    ids=["header", "body"],
)
async def test_a_server_that_asks_for_time_gets_it(tmp_path: Path, answer: Answer) -> None:
    """PATIENCE alone would come back after 10 ms."""
    async with Receiver() as receiver:
        receiver.answers[TELEGRAM_PATH] = [answer, Answer()]
        async with sending(tmp_path, receiver.telegram()) as outbox:
            await outbox.take(incidents(1), NOW_US)
            first, second = await receiver.next(TELEGRAM_PATH), await receiver.next(TELEGRAM_PATH)
            await is_done(outbox, "chat")
    assert second.at - first.at >= 1.0


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            Answer(400, '{"ok":false,"description":"Bad Request: chat not found"}'),
            " 400 (Bad Request: chat not found)",
        ),
        (Answer(401, '{"code":40101,"http":401,"error":"unauthorized"}'), " 401 (unauthorized)"),
        (Answer(404, "no JSON"), " 404"),
        (Answer(403, '{"description": 7}'), " 403"),
        (Answer(403, '{"more": ' + 2_000 * "["), " 403"),  # deeper than any decoder follows
        (Answer(401, f'{{"description":"no bot {BOT_TOKEN}"}}'), " 401"),
        (
            Answer(302, headers={"Location": "/elsewhere"}),
            " 302: a redirect; put the address that it leads to into the settings",
        ),
    ],
)
async def test_what_is_refused_is_told_once_and_not_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: Answer, reason: str
) -> None:
    async with Receiver() as receiver:
        receiver.answers[TELEGRAM_PATH] = [answer, Answer()]
        async with sending(tmp_path, receiver.telegram()) as outbox:
            await outbox.take(incidents(1, 2), NOW_US)
            await is_done(outbox, "chat")
        assert "Incident 1" in (await receiver.next(TELEGRAM_PATH)).json["text"]
        assert "Incident 2" in (await receiver.next(TELEGRAM_PATH)).json["text"]
        assert receiver.count(TELEGRAM_PATH) == 0
    assert told(caplog) == [f"chat refuses incident: it answers HTTP{reason}"]


async def test_a_target_that_hangs_holds_up_no_other_and_is_asked_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as receiver:
        receiver.answers["/hook"] = [Answer(hangs=True), Answer(hangs=True), Answer()]
        targets = (receiver.webhook(), receiver.ntfy())
        async with sending(tmp_path, *targets, timeout_seconds=0.2) as outbox:
            await outbox.take(incidents(1, 2), NOW_US)
            await is_done(outbox, "phone")
            assert len(outbox.waiting("own")) == 2
            await is_done(outbox, "own")
    assert told(caplog)[0] == "own cannot be told: it did not answer within 0.2 s; it is tried again"


async def test_a_target_where_nobody_listens_keeps_what_waits_for_a_later_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as receiver:
        port = receiver.port  # free again once it has ended
    gone = target("own", "webhook", f"http://127.0.0.1:{port}/hook", KEY)
    async with Receiver() as receiver:
        phone = receiver.ntfy()
        async with sending(tmp_path, gone, phone) as outbox:
            await outbox.take(incidents(1, 2), NOW_US)
            await is_done(outbox, "phone")
            async with asyncio.timeout(SECONDS):
                while not told(caplog):
                    await asyncio.sleep(0.005)
        assert told(caplog) == [
            "own cannot be told: cannot connect to it (Connection refused); it is tried again"
        ]
        async with sending(tmp_path, receiver.webhook(), phone) as outbox:
            assert [(await receiver.next("/hook")).json["id"] for _ in range(2)] == [
                "incident:i1",
                "incident:i2",
            ]
            await is_done(outbox, "own")
        assert receiver.count("/topic") == 2  # by the first sender, each once


async def test_a_bug_at_one_target_holds_up_no_other_and_is_lived_through(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    patience = Patience(first_pause_seconds=0.01, longest_pause_seconds=0.04, after_bug_seconds=0.01)
    calls = iter([True])

    def failing_once() -> float:
        if next(calls, False):
            raise KeyError("a bug")
        return 0.0

    async with Receiver() as receiver:
        receiver.answers["/hook"] = [Answer(500), Answer(500), Answer()]
        targets = (receiver.webhook(), receiver.ntfy())
        async with sending(tmp_path, *targets, jitter=failing_once, patience=patience) as outbox:
            await outbox.take(incidents(1, 2), NOW_US)
            await is_done(outbox, "own")
            await is_done(outbox, "phone")
        got = [(await receiver.next("/hook")).json["id"] for _ in range(4)]
        assert got == ["incident:i1", "incident:i1", "incident:i1", "incident:i2"]
        assert receiver.count("/topic") == 2
    assert [line for line in told(caplog) if "bug" in line] == [
        "telling own has failed by a bug and begins anew in 0.01 s"
    ]
    assert "KeyError: 'a bug'" in caplog.text


async def test_a_storm_reaches_a_chat_as_few_and_a_program_as_each(tmp_path: Path) -> None:
    paces = PACES | {"telegram": Pace(most=3, merges=True)}
    storm = incidents(*range(16))
    async with Receiver() as receiver:
        async with sending(tmp_path, receiver.webhook(), receiver.telegram(), paces=paces) as outbox:
            await outbox.take(storm, NOW_US)
            await is_done(outbox, "chat")
            await is_done(outbox, "own")
        heads = [(await receiver.next(TELEGRAM_PATH)).json["text"].splitlines()[0] for _ in range(3)]
        assert heads == ["Incident 0", "Incident 1", "Incident 2, and 13 more"]  # 16 − 3
        assert receiver.count(TELEGRAM_PATH) == 0
        assert receiver.count("/hook") == 16


async def test_more_than_a_target_bears_waits_for_the_next_window(tmp_path: Path) -> None:
    paces = PACES | {"webhook": Pace(most=2, window_seconds=2.0, merges=False)}
    async with Receiver() as receiver, sending(tmp_path, receiver.webhook(), paces=paces) as outbox:
        await outbox.take(incidents(1, 2, 3), NOW_US)
        got = [await receiver.next("/hook") for _ in range(3)]
    # the third leaves two seconds after the first has left, which is a little before it was received
    assert got[2].at - got[0].at > 1.5


async def test_only_what_a_target_wants_is_sent(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        own = receiver.webhook(events=frozenset({NoticeKind.BLOCK_FOUND}))
        async with sending(tmp_path, own) as outbox:
            await outbox.take([*incidents(1), block(), *incidents(2)], NOW_US)
            assert (await receiver.next("/hook")).json["kind"] == "block_found"
            await is_done(outbox, "own")
        assert receiver.count("/hook") == 0


async def test_what_cannot_be_noted_as_sent_is_noted_before_anything_more_is_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as receiver, sending(tmp_path, receiver.webhook()) as outbox:
        folder, aside = tmp_path / FOLDER, tmp_path / "aside"
        receiver.answers["/hook"] = [Answer(500), Answer()]
        await outbox.take(incidents(1, 2), NOW_US)
        await receiver.next("/hook")
        folder.rename(aside)
        folder.write_text("a file where the folder belongs")
        assert (await receiver.next("/hook")).json["id"] == "incident:i1"
        async with asyncio.timeout(SECONDS):
            while not any("cannot be written down" in line for line in told(caplog)):
                await asyncio.sleep(0.005)
        assert receiver.count("/hook") == 0
        folder.unlink()
        aside.rename(folder)
        assert (await receiver.next("/hook")).json["id"] == "incident:i2"
        await is_done(outbox, "own")
        assert receiver.count("/hook") == 0


def everything_that_fails(receiver: Receiver) -> Sequence[Target]:
    nowhere = "http://127.0.0.1:1"
    return (
        receiver.webhook("own", f"/hook/{KEY.replace(' ', '-')}"),
        receiver.ntfy(),
        receiver.telegram(),
        target("gone-own", "webhook", f"{nowhere}/{BOT_TOKEN}", KEY),
        target("gone-phone", "ntfy", f"{nowhere}/topic", NTFY_TOKEN),
        target("gone-chat", "telegram", nowhere, BOT_TOKEN, chat_id=7),
        target("unknown-chat", "telegram", "http://nowhere.invalid", BOT_TOKEN, chat_id=7),
        target("odd-chat", "telegram", "http://[::1", BOT_TOKEN, chat_id=7),
        target("long-chat", "telegram", f"http://{'a' * 70}.invalid", BOT_TOKEN, chat_id=7),
    )


async def test_no_secret_is_logged_whatever_goes_wrong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Receiver() as receiver:
        echo = f'{{"description":"{KEY} {NTFY_TOKEN} {BOT_TOKEN}"}}'
        for path in (f"/hook/{KEY.replace(' ', '-')}", "/topic", TELEGRAM_PATH):
            receiver.answers[path] = [Answer(500, echo), Answer(429, echo), Answer(400, echo)]
        targets = everything_that_fails(receiver)
        async with sending(tmp_path, *targets) as outbox:
            await outbox.take([Incident(at_us=NOW_US, incident_id="1", what="1")], NOW_US)
            async with asyncio.timeout(SECONDS):
                while {line.split()[0] for line in told(caplog)} != {one.name for one in targets}:
                    await asyncio.sleep(0.005)
            for name in ("own", "phone", "chat"):
                await is_done(outbox, name)
    for name in ("odd-chat", "long-chat"):
        assert f"{name} refuses incident: its url is no address: write https://HOST/PATH" in told(caplog)
    shown = caplog.text
    assert all(secret not in shown for secret in (*SECRETS, KEY.replace(" ", "-"), "/topic"))
