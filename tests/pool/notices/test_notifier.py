"""From the accounts, and from whoever tells it, to a server: once, across restarts, and in nobody's way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from config.notice_schema import NotificationSettings
from config.schema import NodeSettings, Settings
from config.secret import Secret
from pool.accounting.accountant import Accountant, now_us
from pool.accounting.directories import JOURNAL
from pool.accounting.journal import Journal
from pool.accounting.pace import Pace
from pool.notices.notice import NodeDown
from pool.notices.notifier import MOST_IN_HAND, Notifier
from pool.notices.outbox import FILE, FOLDER
from pool.notices.pacing import Patience
from pool.notices.queue import Queue
from pool.storage.database import ReadableDatabase
from pool.storage.opening import open_database
from tests.pool.accounting.building import ALICE, NOW_US, accounts_in
from tests.pool.accounting.chain_node import ChainNode
from tests.pool.accounting.mined import Writing, candidate, share
from tests.pool.accounting.pool_of import settings_of
from tests.pool.notices.receiving import KEY, SECONDS, Answer, Receiver, incidents

PATIENCE = Patience(first_pause_seconds=0.01, longest_pause_seconds=0.02, after_bug_seconds=0.01)


def telling(settings: Settings, receiver: Receiver, path: str = "/hook") -> Settings:
    own = NotificationSettings(
        name="own",
        kind="webhook",
        url=f"http://127.0.0.1:{receiver.port}{path}",
        secret_environment="KEY",
        secret=Secret(KEY),
    )
    return msgspec.structs.replace(settings, notifications=(own,))


@contextlib.asynccontextmanager
async def running(
    settings: Settings, now_us: Callable[[], int] = lambda: NOW_US, kind: type[Notifier] = Notifier
) -> AsyncIterator[Notifier]:
    notifier = kind.of(settings, now_us, PATIENCE)
    assert notifier is not None
    task = asyncio.create_task(notifier.run())
    try:
        yield notifier
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def all_noted(directory: Path) -> None:
    """What was sent is written down: what ends before that is sent again, as it should be."""
    async with asyncio.timeout(SECONDS):
        while msgspec.json.decode((directory / FOLDER / FILE).read_bytes(), type=Queue).entries:
            await asyncio.sleep(0.005)


async def looked(notifier: Notifier, database: ReadableDatabase) -> None:
    """A look of a notifier that has its outbox, which it takes in the first step of `run`."""
    await asyncio.sleep(0)
    await notifier.look(database)


def test_where_nobody_is_to_be_told_there_is_none(tmp_path: Path) -> None:
    assert Notifier.of(settings_of(tmp_path, scheme="solo"), lambda: NOW_US) is None
    assert list(tmp_path.iterdir()) == []


async def test_what_the_accounts_show_is_sent_once_whatever_restarts(tmp_path: Path) -> None:
    async with Receiver() as receiver, accounts_in(tmp_path) as made:
        settings = telling(settings_of(tmp_path, address=ALICE), receiver)
        async with running(settings) as notifier:
            await looked(notifier, made.database)
        first = await made.block(ALICE, reward_sats=1_000)  # while nobody looks
        async with running(settings) as notifier:
            await looked(notifier, made.database)
            assert (await receiver.next("/hook")).json["id"] == f"block_found:{first}"
            await all_noted(tmp_path)
        # its process ends between reading and having sent
        second = await made.block(ALICE, reward_sats=1_000)
        receiver.answers["/hook"] = [Answer(500)]
        async with running(settings) as notifier:
            await looked(notifier, made.database)
            await receiver.next("/hook")
        while receiver.count("/hook"):
            await receiver.next("/hook")
        receiver.answers["/hook"] = [Answer(200)]
        async with running(settings) as notifier:
            await looked(notifier, made.database)
            assert (await receiver.next("/hook")).json["id"] == f"block_found:{second}"
            notifier.take(NodeDown(at_us=NOW_US, node="home", reason="gone"))
            assert (await receiver.next("/hook")).json["id"] == f"node_down:home:{NOW_US}"
        assert receiver.count("/hook") == 0


async def test_what_is_taken_is_sent_once_for_its_id_and_costs_its_teller_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as receiver:
        settings = telling(settings_of(tmp_path, scheme="solo"), receiver)
        async with running(settings) as notifier:
            (tmp_path / FOLDER).write_text("a file where the folder belongs")
            for notice in [*incidents(1), *incidents(1), *incidents(2)]:
                notifier.take(notice)
            async with asyncio.timeout(SECONDS):
                while "notices cannot be written down" not in caplog.text:
                    await asyncio.sleep(0.005)
            (tmp_path / FOLDER).unlink()
            got = [(await receiver.next("/hook")).json["id"] for _ in range(2)]
            notifier.take(*incidents(1))
            notifier.take(*incidents(3))
            assert (await receiver.next("/hook")).json["id"] == "incident:i3"
    assert got == ["incident:i1", "incident:i2"]
    assert caplog.text.count("cannot be written down") == 1


async def test_what_cannot_be_written_down_is_bounded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as receiver:
        notifier = Notifier.of(telling(settings_of(tmp_path, scheme="solo"), receiver), lambda: NOW_US)
        assert notifier is not None
        for notice in incidents(*range(MOST_IN_HAND + 2)):
            notifier.take(notice)
    assert [record.message for record in caplog.records] == [
        "too many notices at once: some are told to nobody"
    ]


async def test_what_a_bug_kept_from_being_written_down_is_written_after_a_pause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    calls = iter([True])

    def failing_once() -> int:
        if next(calls, False):
            raise KeyError("a bug")
        return NOW_US

    async with Receiver() as receiver:
        settings = telling(settings_of(tmp_path, scheme="solo"), receiver)
        async with running(settings, failing_once) as notifier:
            notifier.take(*incidents(1))
            assert (await receiver.next("/hook")).json["id"] == "incident:i1"
    assert "writing notices down has failed by a bug and begins anew in 0.01 s" in caplog.text


async def test_what_is_in_hand_at_the_end_is_written_down(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        settings = telling(settings_of(tmp_path, scheme="solo"), receiver)
        async with running(settings) as notifier:
            notifier.take(*incidents(1))
            await receiver.next("/hook")
            notifier.take(*incidents(2))
        async with running(settings):
            while (await receiver.next("/hook")).json["id"] != "incident:i2":  # the first one perhaps again
                pass


async def test_what_was_taken_while_nothing_ran_is_written_down_at_the_end(tmp_path: Path) -> None:
    """As in the pause after a bug."""
    async with Receiver() as receiver:
        settings = telling(settings_of(tmp_path, scheme="solo"), receiver)
        ended = Notifier.of(settings, lambda: NOW_US)
        assert ended is not None
        ended.take(*incidents(1))
        await ended.finish()
        async with running(settings):
            assert (await receiver.next("/hook")).json["id"] == "incident:i1"


async def test_who_comes_while_another_still_ends_waits_for_the_outbox(tmp_path: Path) -> None:
    """As after a kill of the supervisor; two at once would send everything twice."""
    async with Receiver() as receiver:
        receiver.answers["/hook"] = [Answer(500), Answer(200)]
        settings = telling(settings_of(tmp_path, scheme="solo"), receiver)
        async with contextlib.AsyncExitStack() as stack:
            async with running(settings) as first:
                await asyncio.sleep(0)  # it has the outbox from its first step on
                second = await stack.enter_async_context(running(settings))
                second.take(*incidents(2))
                first.take(*incidents(1))
                got = [(await receiver.next("/hook")).json["id"] for _ in range(2)]
                assert got == ["incident:i1", "incident:i1"]
                await all_noted(tmp_path)
            assert (await receiver.next("/hook")).json["id"] == "incident:i2"
        assert receiver.count("/hook") == 0


# ---------------------------------------------------------------------- the accountant

BRISK = Pace(apply_seconds=0.02, chain_seconds=0.02, notice_seconds=0.02, keep_seconds=60.0, bug_seconds=0.02)


@contextlib.asynccontextmanager
async def keeping_accounts(settings: Settings, notifier: Notifier) -> AsyncIterator[Accountant]:
    """The real accountant, at all its duties."""
    directory = Path(settings.data_directory)
    journal = Journal.open(directory / JOURNAL)
    database = await open_database(settings.database, directory, holder="a test", now_us=now_us())
    accountant = Accountant(settings, database, journal, pace=BRISK)
    stop = asyncio.Event()
    task = asyncio.create_task(accountant.run(stop, notifier))
    try:
        yield accountant
    finally:
        stop.set()
        async with asyncio.timeout(SECONDS):
            await task


async def test_a_block_in_the_chain_is_one_post_of_the_accountant(tmp_path: Path) -> None:
    spool = Writing(tmp_path / "spool")
    spool.frame(1, share("alice"), candidate("alice", 1, 1))
    spool.frame(2)
    block_hash = "01" * 32  # of the candidate with tag 1
    async with Receiver() as receiver, ChainNode() as node:
        cookie = tmp_path / "cookie"
        cookie.write_text(f"{node.user}:{node.password}")
        ours = NodeSettings(name="node", url=node.endpoint().url, cookie_file=str(cookie))
        settings = msgspec.structs.replace(settings_of(tmp_path, address=ALICE), nodes=(ours,))
        settings = telling(settings, receiver)
        receiver.answers["/hook"] = [Answer(200)]
        async with running(settings, now_us) as notifier, keeping_accounts(settings, notifier):
            async with asyncio.timeout(SECONDS):
                while not (tmp_path / FOLDER / FILE).exists():  # news is what comes after the first look
                    await asyncio.sleep(0.005)
            node.put(block_hash, height=120)
            got = (await receiver.next("/hook")).json
            await all_noted(tmp_path)
        assert got["id"] == f"block_found:{block_hash}"
        assert (got["fields"]["height"], got["fields"]["account"]) == (120, "alice")
        async with running(settings, now_us) as notifier, keeping_accounts(settings, notifier) as accountant:
            await notifier.look(accountant._database)
            notifier.take(NodeDown(at_us=now_us(), node="node", reason="a test"))
            assert (await receiver.next("/hook")).json["kind"] == "node_down"
        assert receiver.count("/hook") == 0


async def test_a_receiver_that_is_gone_costs_the_accountant_nothing(tmp_path: Path) -> None:
    """It ends as it should, and what waited is sent by the next one."""
    async with Receiver() as receiver:
        receiver.answers["/hook"] = [Answer(hangs=True)]
        settings = telling(settings_of(tmp_path, address=ALICE), receiver)
        down = NodeDown(at_us=now_us(), node="node", reason="a test")
        async with running(settings, now_us) as notifier, keeping_accounts(settings, notifier) as accountant:
            notifier.take(down)
            await receiver.next("/hook")
            await accountant.apply()
        receiver.answers["/hook"] = [Answer(200)]
        async with running(settings, now_us) as notifier, keeping_accounts(settings, notifier):
            assert (await receiver.next("/hook")).json["id"] == down.id


async def test_a_bug_in_the_notices_does_not_end_the_accountant(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Shares that come after it are counted, and a block is told once the bug is over."""

    class Failing(Notifier):
        fails = True

        async def look(self, database: ReadableDatabase) -> None:
            if self.fails:
                raise KeyError("a bug")
            await super().look(database)

    async with Receiver() as receiver:
        settings = telling(settings_of(tmp_path, address=ALICE), receiver)
        async with (
            asyncio.timeout(SECONDS),
            running(settings, now_us, Failing) as notifier,
            keeping_accounts(settings, notifier) as accountant,
        ):
            while "reading the accounts for notices has failed by a bug" not in caplog.text:
                await asyncio.sleep(0.005)
            spool = Writing(tmp_path / "spool")
            spool.frame(1, share("alice"))
            spool.frame(2)
            while not accountant.intake.shares:
                await asyncio.sleep(0.005)
            Failing.fails = False
            notifier.take(NodeDown(at_us=now_us(), node="node", reason="a test"))
            assert (await receiver.next("/hook")).json["kind"] == "node_down"
