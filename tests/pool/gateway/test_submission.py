"""Block candidates on their way to the nodes and to disk: once, at once, whatever fails, until a verdict."""

import asyncio
import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pool.gateway.block_files import BlockFiles, FoundBlock, FoundFacts
from pool.gateway.outcome import Outcome
from pool.gateway.submission import Submitter
from pool.logs.line import Line
from pool.node.verdicts import Judgement, SubmitVerdict
from stratum.work.block import assemble_block
from stratum.work.coin import network
from stratum.work.hashing import sha256d
from stratum.work.share import BlockCandidate
from stratum.work.template import Template, parse_template
from tests.harness.scripted_node import regtest_template, tip_hash

NETWORK = "bitcoin regtest"
ACCEPTED = [SubmitVerdict("a", Judgement.ACCEPTED, "accepted")]
UNREACHABLE = [SubmitVerdict("a", Judgement.SILENT, "cannot connect")]
BEHIND = [SubmitVerdict("a", Judgement.NOT_YET, "prev-blk-not-found")]
SIDE_BRANCH = [SubmitVerdict("a", Judgement.SIDE_BRANCH, "inconclusive: on a side branch")]
REFUSED = [SubmitVerdict("a", Judgement.REFUSED, "bad-cb-amount")]


class FakeNodes:
    """Answers with the next of `verdicts`, with the last one for ever. Keeps the blocks that it was sent."""

    def __init__(self, *verdicts: list[SubmitVerdict]) -> None:
        self.blocks: list[str] = []
        self.fetches = 0
        self.open = asyncio.Event()
        self.open.set()
        self._verdicts = list(verdicts)

    async def submit_block(self, block_hex: str) -> list[SubmitVerdict]:
        self.blocks.append(block_hex)
        await self.open.wait()
        return self._verdicts.pop(0) if len(self._verdicts) > 1 else self._verdicts[0]

    def fetch_now(self) -> None:
        self.fetches += 1


class Settled:
    """A listener that lets a test wait for outcomes."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[FoundBlock, Outcome]] = []

    def block_settled(self, found: FoundBlock, outcome: Outcome, verdicts: Sequence[SubmitVerdict]) -> None:
        self.outcomes.append((found, outcome))


def a_template() -> Template:
    answer = json.dumps(regtest_template(tip_hash(100), 100)).encode()
    return parse_template(answer, network("bitcoin", "regtest"))


def a_candidate(nonce: int = 7, *, crosses_time_edge: bool = False) -> BlockCandidate:
    """No valid block, which nobody here looks at; the coinbase has the shape of one, with one output."""
    header = bytes(76) + nonce.to_bytes(4, "little")
    coinbase = (
        bytes.fromhex("0200000001" + "00" * 32 + "ffffffff03026500feffffff01")
        + (5_000_000_000).to_bytes(8, "little")
        + bytes.fromhex("015164000000")
    )
    return BlockCandidate(
        header=header,
        block_hash=sha256d(header),
        coinbase=coinbase,
        template=a_template(),
        chains=("regtest",),
        job_id="0a1b",
        user="alice.rig",
        account="alice",
        worker="rig",
        crosses_time_edge=crosses_time_edge,
    )


def submitter_of(directory: Path, nodes: FakeNodes, listener: Settled | None = None) -> Submitter:
    return Submitter(
        directory, nodes, listener or Settled(), network=NETWORK, unix_now=lambda: 1_700_000_000.0
    )


def files(directory: Path) -> dict[str, list[str]]:
    """Names of the saved blocks in each folder that holds any."""
    folders = {
        folder.name: sorted(file.name for file in folder.iterdir()) for folder in directory.glob("blocks/*")
    }
    return {name: found for name, found in folders.items() if found}


def file_name(candidate: BlockCandidate) -> str:
    return f"101-{candidate.block_hash[::-1].hex()}.json"


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():
            await asyncio.sleep(0.005)


def messages(caplog: pytest.LogCaptureFixture, at_least: int = logging.DEBUG) -> list[str]:
    records = [record for record in caplog.records if record.name == "engineroom.blocks"]
    return [record.getMessage() for record in records if record.levelno >= at_least]


async def test_a_candidate_is_sent_kept_and_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    nodes, settled, candidate = FakeNodes(ACCEPTED), Settled(), a_candidate()
    submitter = submitter_of(tmp_path, nodes, settled)
    submitter.hand_over(candidate)
    await submitter.drain(5)
    block_hex = assemble_block(candidate.header, candidate.coinbase, candidate.template).hex()
    assert nodes.blocks == [block_hex]
    assert nodes.fetches == 1
    assert [outcome for _, outcome in settled.outcomes] == [Outcome.ACCEPTED]
    assert files(tmp_path) == {"accepted": [file_name(candidate)]}
    document = json.loads((tmp_path / "blocks" / "accepted" / file_name(candidate)).read_text())
    assert document == {
        "schema": 2,
        "found": {
            "network": NETWORK,
            "block_hash": candidate.block_hash[::-1].hex(),
            "height": 101,
            "reward_sats": 5_000_000_000,
            "transactions": 1,
            "job_id": "0a1b",
            "user": "alice.rig",
            "account": "alice",
            "worker": "rig",
            "found_at": 1_700_000_000.0,
            "crosses_time_edge": False,
            "found_at_us": 1_700_000_000_000_000,
            "script_hex": None,
            "coinbase_hex": candidate.coinbase.hex(),
            "plan_id": None,
            "plan_is_stripped": False,
            "plan_generation": 0,
            "size_class": 0,
            "network_target_hex": "7fffff" + 58 * "0",
            "payee_hex": None,
        },
        "verdicts": [{"node": "a", "judgement": "accepted", "text": "accepted"}],
        "block": block_hex,
    }
    (line,) = messages(caplog)
    for word in (candidate.block_hash[::-1].hex(), "height 101", "alice.rig", "0a1b", "accepted", "node a"):
        assert word in line


async def test_a_block_found_is_one_line_with_everything_in_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"  # BIP 173
    candidate = msgspec.structs.replace(a_candidate(), account=address, user=f"{address}.rig")
    nodes = FakeNodes([*ACCEPTED, SubmitVerdict("b", Judgement.SILENT, "has not answered yet")])
    submitter = Submitter(tmp_path, nodes, Settled(), network=NETWORK, unix_now=lambda: 1_700_000_000.5)
    submitter.hand_over(candidate, FoundFacts(1_700_000_000_250_000))
    await submitter.drain(5)
    (record,) = [record for record in caplog.records if record.name == "engineroom.blocks"]
    assert isinstance(record.msg, Line)
    value = int.from_bytes(candidate.block_hash, "little")
    values = record.msg.values(full_addresses=False)
    # regtest's target 7fffff·2^232 is as far above difficulty 1, ffff·2^208, as 1 / 4.656e-10
    assert values.pop("network_difficulty") == pytest.approx(4.656e-10, rel=1e-3)
    assert values.pop("hash_difficulty") == pytest.approx(0xFFFF * 2**208 / value)
    assert values == {
        "hash": candidate.block_hash[::-1].hex(),
        "height": 101,
        "network": NETWORK,
        "reward_sats": 5_000_000_000,
        "transactions": 1,
        "found_at": "2023-11-14T22:13:20.250+00:00",  # 1,700,000,000 s after 1970 is 22:13:20
        "user": "bcrt1q…ygt080.rig",
        "account": "bcrt1q…ygt080",
        "worker": "rig",
        "job": "0a1b",
        "verdict_ms": 250,
        "outcome": "accepted",
        "verdicts": {"a": "accepted", "b": "has not answered yet"},
    }
    assert record.getMessage().endswith(
        ", answered 250 ms later: accepted: node a: accepted; b: has not answered yet"
    )


async def test_the_milliseconds_are_until_the_first_answer_not_until_the_last(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    nodes, clock = FakeNodes(UNREACHABLE, BEHIND, ACCEPTED), iter(range(1, 100))
    submitter = Submitter(tmp_path, nodes, Settled(), network=NETWORK, unix_now=lambda: next(clock))
    submitter.hand_over(a_candidate())  # found at second 1, BEHIND comes at second 2
    await submitter.drain(5)
    assert ", answered 1000 ms later: accepted" in messages(caplog)[-1]


async def test_the_same_header_is_sent_once_and_another_at_the_same_time(tmp_path: Path) -> None:
    nodes, settled = FakeNodes(ACCEPTED), Settled()
    submitter = submitter_of(tmp_path, nodes, settled)
    for nonce in (1, 2, 1, 2, 1):
        submitter.hand_over(a_candidate(nonce))
    await submitter.drain(5)
    assert len(nodes.blocks) == 2
    assert len({found.block_hash for found, _ in settled.outcomes}) == 2


async def test_the_file_is_there_while_the_nodes_are_silent(tmp_path: Path) -> None:
    nodes, candidate = FakeNodes(ACCEPTED), a_candidate()
    nodes.open.clear()
    submitter = submitter_of(tmp_path, nodes)
    submitter.hand_over(candidate)
    await until(lambda: files(tmp_path) == {"pending": [file_name(candidate)]})
    nodes.open.set()
    await submitter.drain(5)
    assert files(tmp_path) == {"accepted": [file_name(candidate)]}


async def test_a_disk_that_fails_stops_nothing_and_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nodes, settled = FakeNodes(ACCEPTED), Settled()
    submitter = submitter_of(tmp_path, nodes, settled)
    shutil.rmtree(tmp_path / "blocks")
    (tmp_path / "blocks").write_text("a file where the folder should be")
    submitter.hand_over(a_candidate())
    await submitter.drain(5)
    assert [outcome for _, outcome in settled.outcomes] == [Outcome.ACCEPTED]
    assert any("is not saved" in line for line in messages(caplog, logging.ERROR))


async def test_on_a_full_disk_room_is_made_for_the_block_and_it_is_saved(tmp_path: Path) -> None:
    nodes, candidate, blocks = FakeNodes(ACCEPTED), a_candidate(), tmp_path / "blocks"
    asked = []

    def make_room() -> bool:
        asked.append(True)
        blocks.unlink()
        return True

    submitter = Submitter(tmp_path, nodes, Settled(), network=NETWORK, make_room=make_room)
    shutil.rmtree(blocks)
    blocks.write_text("what is in the way")
    nodes.open.clear()
    submitter.hand_over(candidate)
    await until(lambda: files(tmp_path) == {"pending": [file_name(candidate)]})
    assert asked == [True]
    nodes.open.set()
    await submitter.drain(5)


async def test_the_file_says_all_that_the_record_of_the_candidate_says(tmp_path: Path) -> None:
    nodes, candidate = FakeNodes(ACCEPTED), msgspec.structs.replace(a_candidate(), script=b"\x00\x14")
    submitter = submitter_of(tmp_path, nodes)
    assert submitter.hand_over(candidate, FoundFacts(1_700_000_000_123_456, "plan", True, 600, b"\x51", 7))
    assert not submitter.hand_over(candidate, FoundFacts(1)), "once"
    await submitter.drain(5)
    found = BlockFiles(tmp_path).read(tmp_path / "blocks" / "accepted" / file_name(candidate)).found
    assert (found.found_at_us, found.found_at) == (1_700_000_000_123_456, 1_700_000_000.123456)
    assert (found.plan_id, found.plan_is_stripped, found.size_class) == ("plan", True, 600)
    assert (found.script_hex, found.coinbase_hex) == ("0014", candidate.coinbase.hex())
    assert (found.payee_hex, found.plan_generation) == ("51", 7)


async def test_a_block_of_schema_1_is_submitted_and_knows_its_time(tmp_path: Path) -> None:
    await _leave_pending(tmp_path, a_candidate())
    path = tmp_path / "blocks" / "pending" / file_name(a_candidate())
    document = json.loads(path.read_bytes())
    later = ("found_at_us", "script_hex", "coinbase_hex", "plan_id", "plan_is_stripped", "size_class")
    for field in later:
        del document["found"][field]
    path.write_text(json.dumps(document | {"schema": 1}))
    found = BlockFiles(tmp_path).read(path).found
    assert (found.found_at_us, found.plan_id, found.coinbase_hex) == (1_700_000_000_000_000, None, "")
    nodes = FakeNodes(ACCEPTED)
    submitter = submitter_of(tmp_path, nodes)
    await submitter.resubmit_saved()
    await submitter.drain(5)
    assert files(tmp_path) == {"accepted": [path.name]}


async def test_silent_nodes_are_asked_until_one_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    nodes, settled, candidate = FakeNodes(UNREACHABLE, UNREACHABLE, ACCEPTED), Settled(), a_candidate()
    submitter = submitter_of(tmp_path, nodes, settled)
    submitter.hand_over(candidate)
    await submitter.drain(5)
    assert len(nodes.blocks) == 3
    assert files(tmp_path) == {"accepted": [file_name(candidate)]}
    assert len(messages(caplog)) == 2  # that it waits, and what became of it


async def test_a_refused_block_is_kept_as_refused_and_fetches_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nodes, settled, candidate = FakeNodes(REFUSED), Settled(), a_candidate()
    submitter = submitter_of(tmp_path, nodes, settled)
    submitter.hand_over(candidate)
    await submitter.drain(5)
    assert files(tmp_path) == {"refused": [file_name(candidate)]}
    assert nodes.fetches == 0
    assert [outcome for _, outcome in settled.outcomes] == [Outcome.REFUSED]
    (line,) = messages(caplog, logging.ERROR)
    assert "bad-cb-amount" in line


async def test_a_block_on_a_side_branch_is_kept_apart_and_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    nodes, settled, candidate = FakeNodes(SIDE_BRANCH), Settled(), a_candidate()
    submitter = submitter_of(tmp_path, nodes, settled)
    submitter.hand_over(candidate)
    await submitter.drain(5)
    assert files(tmp_path) == {"side-branch": [file_name(candidate)]}
    assert nodes.fetches == 0
    assert [outcome for _, outcome in settled.outcomes] == [Outcome.SIDE_BRANCH]
    ((level, line),) = [
        (record.levelno, record.getMessage()) for record in caplog.records if record.name.endswith(".blocks")
    ]
    assert level == logging.WARNING
    assert "at height 101 of " in line
    assert line.endswith("on a side branch: node a: inconclusive: on a side branch")
    assert "accepted" not in line


async def test_a_node_that_was_thrown_back_is_sent_the_block_until_it_has_caught_up(tmp_path: Path) -> None:
    nodes, settled, candidate = FakeNodes(UNREACHABLE, BEHIND, BEHIND, ACCEPTED), Settled(), a_candidate()
    submitter = submitter_of(tmp_path, nodes, settled)
    submitter.hand_over(candidate)
    await submitter.drain(5)
    assert len(nodes.blocks) == 4
    assert [outcome for _, outcome in settled.outcomes] == [Outcome.ACCEPTED]
    assert files(tmp_path) == {"accepted": [file_name(candidate)]}


async def test_a_block_that_a_node_behind_refuses_waits_for_the_next_start(tmp_path: Path) -> None:
    nodes, settled, candidate = FakeNodes(BEHIND), Settled(), a_candidate()
    submitter = submitter_of(tmp_path, nodes, settled)
    submitter.hand_over(candidate)
    await until(lambda: len(nodes.blocks) > 1)
    await submitter.drain(0)
    assert settled.outcomes == []
    assert files(tmp_path) == {"pending": [file_name(candidate)]}


class LateClock:
    """The running loop's clock, which can be put forward."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.ahead_seconds = 0.0
        true_time = loop.time
        loop.time = lambda: true_time() + self.ahead_seconds  # type: ignore[method-assign]


async def test_patience_counts_from_the_first_answer_and_not_through_an_outage(tmp_path: Path) -> None:
    clock = LateClock()

    class Returning(FakeNodes):
        """Unreachable for an hour, then behind; then, if that is not given up, as long behind as it takes."""

        async def submit_block(self, block_hex: str) -> list[SubmitVerdict]:
            verdicts = await super().submit_block(block_hex)
            clock.ahead_seconds += {1: 3600.0, 3: 599.0, 4: 2.0}.get(len(self.blocks), 0.0)
            return verdicts

    nodes, settled, candidate = Returning(UNREACHABLE, BEHIND), Settled(), a_candidate()
    submitter = submitter_of(tmp_path, nodes, settled)
    submitter.hand_over(candidate)
    await submitter.drain(5000)
    assert len(nodes.blocks) == 4
    assert [outcome for _, outcome in settled.outcomes] == [Outcome.REFUSED]
    assert files(tmp_path) == {"refused": [file_name(candidate)]}


async def test_a_refusal_over_the_time_edge_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nodes, settled = FakeNodes([SubmitVerdict("a", Judgement.REFUSED, "time-too-new")]), Settled()
    submitter = submitter_of(tmp_path, nodes, settled)
    submitter.hand_over(a_candidate(crosses_time_edge=True))
    await submitter.drain(5)
    assert [outcome for _, outcome in settled.outcomes] == [Outcome.NOT_COUNTED]
    assert messages(caplog, logging.WARNING) == []


async def test_what_a_drain_interrupts_is_sent_by_the_next_process(tmp_path: Path) -> None:
    candidate = a_candidate()
    first_nodes = FakeNodes(UNREACHABLE)
    first = submitter_of(tmp_path, first_nodes)
    first.hand_over(candidate)
    await until(lambda: len(first_nodes.blocks) > 1)
    await first.drain(0.01)
    assert files(tmp_path) == {"pending": [file_name(candidate)]}
    nodes, settled = FakeNodes([SubmitVerdict("a", Judgement.ACCEPTED, "duplicate")]), Settled()
    second = submitter_of(tmp_path, nodes, settled)
    await second.resubmit_saved()
    await second.drain(5)
    assert nodes.blocks == first_nodes.blocks[:1]
    assert files(tmp_path) == {"accepted": [file_name(candidate)]}
    assert settled.outcomes[0][0].user == "alice.rig"


async def test_a_block_found_as_the_drain_ends_is_on_disk_all_the_same(tmp_path: Path) -> None:
    candidate = a_candidate()
    submitter = submitter_of(tmp_path, FakeNodes(UNREACHABLE))
    submitter.hand_over(candidate)
    await submitter.drain(0)
    assert files(tmp_path) == {"pending": [file_name(candidate)]}


def _truncated(document: bytes) -> bytes:
    return document[: len(document) // 2]


def _with_another_block(document: bytes) -> bytes:
    return document.replace(b'"block":"00', b'"block":"ff')


@pytest.mark.parametrize("damage", [_truncated, _with_another_block, lambda _: b"", lambda _: b"\x00\xff"])
async def test_a_damaged_file_is_set_aside_with_one_line_and_the_others_are_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    await _leave_pending(tmp_path, a_candidate(1), a_candidate(2))
    caplog.clear()
    damaged = tmp_path / "blocks" / "pending" / file_name(a_candidate(1))
    damaged.write_bytes(damage(damaged.read_bytes()))
    nodes = FakeNodes(ACCEPTED)
    submitter = submitter_of(tmp_path, nodes)
    await submitter.resubmit_saved()
    await submitter.drain(5)
    assert len(nodes.blocks) == 1
    assert files(tmp_path) == {"accepted": [file_name(a_candidate(2))], "unreadable": [damaged.name]}
    (line,) = messages(caplog, logging.ERROR)
    assert str(damaged) in line


async def test_a_block_of_another_network_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    candidate = a_candidate()
    await _leave_pending(tmp_path, candidate)
    nodes = FakeNodes(ACCEPTED)
    submitter = Submitter(tmp_path, nodes, Settled(), network="bitcoin mainnet")
    await submitter.resubmit_saved()
    await submitter.drain(5)
    assert nodes.blocks == []
    assert files(tmp_path) == {"pending": [file_name(candidate)]}
    assert any("left alone" in line for line in messages(caplog))


async def test_a_block_of_a_newer_version_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await _leave_pending(tmp_path, a_candidate())
    saved = tmp_path / "blocks" / "pending" / file_name(a_candidate())
    saved.write_bytes(saved.read_bytes().replace(b'"schema":2', b'"schema":3'))
    nodes = FakeNodes(ACCEPTED)
    submitter = submitter_of(tmp_path, nodes)
    await submitter.resubmit_saved()
    await submitter.drain(5)
    assert nodes.blocks == []
    assert files(tmp_path) == {"pending": [saved.name]}
    assert any("newer version" in line for line in messages(caplog, logging.ERROR))


async def test_a_bug_in_a_submission_ends_the_run_and_leaves_what_is_needed_to_build_the_block(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Buggy(FakeNodes):
        async def submit_block(self, block_hex: str) -> list[SubmitVerdict]:
            raise ZeroDivisionError

    submitter = submitter_of(tmp_path, Buggy(ACCEPTED))
    submitter.hand_over(a_candidate())
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(5):
            await submitter.run()
    await submitter.drain(5)
    assert files(tmp_path) == {"pending": [file_name(a_candidate())]}
    assert any("failed by a bug" in line for line in messages(caplog, logging.CRITICAL))


async def _leave_pending(directory: Path, *candidates: BlockCandidate) -> None:
    submitter = submitter_of(directory, FakeNodes(UNREACHABLE))
    for candidate in candidates:
        submitter.hand_over(candidate)
    await until(lambda: len(files(directory).get("pending", [])) == len(candidates))
    await submitter.drain(0)


FOLDERS = {"pending", "accepted", "side-branch", "refused", "unreadable"}


def test_the_folders_are_there_before_the_first_block(tmp_path: Path) -> None:
    BlockFiles(tmp_path / "not" / "there" / "yet")
    made = tmp_path / "not" / "there" / "yet" / "blocks"
    assert {path.name for path in made.iterdir()} == FOLDERS
    assert files(tmp_path / "not" / "there" / "yet") == {}, "nothing is left of the trial"


OPEN_A_STORE_AND_TELL_WHICH_FOLDERS_ARE_SYNCED = """
import os, pathlib, sys
from pool.gateway.block_files import BlockFiles

def tell(event, arguments):
    if event == "open" and arguments[2] & (os.O_TMPFILE | os.O_DIRECTORY) == os.O_DIRECTORY:
        print(arguments[0])

sys.addaudithook(tell)
BlockFiles(pathlib.Path(sys.argv[1]))
"""


def test_a_power_cut_after_the_start_leaves_the_folders(tmp_path: Path) -> None:
    """A folder is opened as one for its fsync alone; a name is durable once the folder it stands in is."""
    directory = tmp_path / "new" / "data"
    ended = subprocess.run(
        [sys.executable, "-c", OPEN_A_STORE_AND_TELL_WHICH_FOLDERS_ARE_SYNCED, str(directory)],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert set(ended.stdout.splitlines()) >= {
        str(path) for path in (directory / "blocks", directory, directory.parent, tmp_path)
    }


@pytest.mark.parametrize("taken", ["blocks", "blocks/pending", "blocks/side-branch"])
def test_a_place_where_no_block_could_be_kept_is_told_at_the_start(tmp_path: Path, taken: str) -> None:
    path = tmp_path / taken
    path.parent.mkdir(exist_ok=True)
    path.write_text("a file where a folder should be")
    with pytest.raises(OSError, match=re.escape(str(path))):
        BlockFiles(tmp_path)


def test_documents_of_version_1_are_read_for_ever(tmp_path: Path) -> None:
    """A literal file, so that a change of the struct that would orphan saved blocks is noticed."""
    header_hash = sha256d(bytes(80))[::-1].hex()
    document: dict[str, Any] = {
        "schema": 1,
        "found": {
            "network": "litecoin mainnet",
            "block_hash": header_hash,
            "height": 5,
            "reward_sats": 1,
            "transactions": 2,
            "job_id": "1",
            "user": "u",
            "account": None,
            "worker": "",
            "found_at": 1.5,
            "crosses_time_edge": True,
        },
        "verdicts": [],
        "block": "00" * 81,
    }
    path = tmp_path / "5.json"
    path.write_text(json.dumps(document))
    saved = BlockFiles(tmp_path).read(path)
    assert saved.found.account is None
    assert saved.block == "00" * 81
