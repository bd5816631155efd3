"""`engineroom notifications test` against a real server: one line for each target, and what the code says."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pool.commands.running import Pool
from tests.pool.notices.receiving import BOT_TOKEN, KEY, SECRETS, TELEGRAM_PATH, Answer, Receiver

WAIT_SECONDS = 20.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """In a thread of its own: the command has a loop of its own."""
    made = Receiver()
    is_up, loop, over = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with made:
            is_up.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert is_up.wait(WAIT_SECONDS)
    yield made
    loop.call_soon_threadsafe(over.set)
    thread.join(WAIT_SECONDS)
    loop.close()


@pytest.fixture
def pool(tmp_path: Path, receiver: Receiver) -> Pool:
    """With a webhook, ntfy and Telegram, all played by the receiver."""
    made = Pool(tmp_path)
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "bot").write_text(BOT_TOKEN)
    server = f"http://127.0.0.1:{receiver.port}"
    with made.settings.open("a") as file:
        file.write(
            "notifications:\n"
            f"  - {{name: own, kind: webhook, url: '{server}/hook', secret_file: key}}\n"
            f"  - {{name: phone, kind: ntfy, url: '{server}/topic', events: [block_found]}}\n"
            f"  - {{name: chat, kind: telegram, url: '{server}', secret_file: bot, chat_id: -100}}\n"
        )
    return made


def test_each_target_gets_a_test_whatever_it_wants_else(pool: Pool, receiver: Receiver) -> None:
    ended = pool.run("notifications", "test")
    assert (ended.code, ended.out, ended.err) == (0, "own: ok\nphone: ok\nchat: ok\n", "")
    assert [receiver.count(path) for path in ("/hook", "/topic", TELEGRAM_PATH)] == [1, 1, 1]


def test_what_went_wrong_is_told_with_code_1_and_without_secrets(pool: Pool, receiver: Receiver) -> None:
    receiver.answers[TELEGRAM_PATH] = [Answer(401, '{"ok":false,"description":"Unauthorized"}')]
    receiver.answers["/topic"] = [Answer(429)]
    ended = pool.run("notifications", "test")
    assert ended.code == 1
    assert ended.out.splitlines() == [
        "own: ok",
        "phone: it answers HTTP 429",
        "chat: it answers HTTP 401 (Unauthorized)",
    ]
    assert all(secret not in ended.out + ended.err for secret in SECRETS)


def test_one_alone_can_be_tried(pool: Pool, receiver: Receiver) -> None:
    assert pool.run("notifications", "test", "--only", "phone").out == "phone: ok\n"
    assert receiver.count("/hook") == 0
    ended = pool.run("notifications", "test", "--only", "fax")
    assert (ended.code, ended.out) == (1, "")
    assert "there is no target fax" in ended.err


def test_where_nobody_is_to_be_told_that_is_said(tmp_path: Path) -> None:
    ended = Pool(tmp_path).run("notifications", "test")
    assert ended.code == 1
    assert ended.err.startswith("engineroom: nobody to tell: there are none under `notifications` in ")
