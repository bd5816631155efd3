"""Statements at the command line: counted again from real segments, shown, proved to one miner."""

import datetime
import os
from pathlib import Path

import msgspec
import pytest

from pool.accounting.archive import archive_finished
from pool.audit.digest import cuts_of, parts_of, sign_digest
from pool.audit.digest import encode as encode_digest
from pool.audit.keys import open_signing_key
from pool.audit.statement import AccountWork, Body, Fee, Rules, SegmentHash, Window, encode, sign_statement
from tests.harness.command import Ended
from tests.pool.accounting.building import ALICE, BOB, CAROL
from tests.pool.accounting.mined import ALICE as ALICE_NAME
from tests.pool.accounting.mined import BOB as BOB_NAME
from tests.pool.accounting.mined import DEFINITIONS, EPOCH, NETWORK_TARGET, START, Writing, replaced, share
from tests.pool.commands.running import Pool, command

DAY = datetime.date(2023, 11, 14)  # START is its first second
BLOCK_HASH = "00" * 8 + "ab" * 24
HEIGHT = 840_000
MAX_DAYS_SECONDS = 30 * 86_400
SHARE = 2**32  # the work of one share
NAMED = [replaced(ALICE_NAME, account=ALICE), replaced(BOB_NAME, account=BOB), *DEFINITIONS[2:]]


class Settled:
    """A pool whose block was found in the slot that begins 20 s after START, and the two segments behind it.

    Alice did two shares and Bob one, in three slots. Of 5,000,000,000 sats 1 % is the fee; of the rest,
    4,950,000,000, Alice has two thirds: 3,300,000,000, and Bob 1,650,000,000. The window needs eight shares
    and is not full; those who are in it divide everything.
    """

    def __init__(self, directory: Path) -> None:
        self.pool = Pool(directory)
        data = self.pool.directory
        self.archive = data / "archive"
        self.keys = data / "keys"
        self.key = open_signing_key(data)
        writing = Writing(data / "spool")
        writing.segment(0, NAMED)
        writing.frame(1, share("alice", nonce=1))
        writing.segment(11, NAMED)
        writing.frame(12, share("bob", nonce=2))
        writing.frame(21, share("alice", nonce=3))
        self.mark = writing.frame(24)
        writing.frame(31, share("bob", nonce=4))
        writing.close(32)
        self.segments = list(
            archive_finished(writing.directory, self.archive, EPOCH, writing.number, is_over=True)
        )
        self.file = data / "statements" / f"{HEIGHT}-{BLOCK_HASH}.json"
        self.file.parent.mkdir()
        self.write(self.body())

    def body(self) -> Body:
        return Body(
            found_at_us=(START + 23) * 1_000_000,
            finder=ALICE,
            network_target=NETWORK_TARGET.hex(),
            rules=Rules(scheme="pplns", method="wallet", unfilled="normalise", multiple=2, max_days=30),
            window=Window(
                from_slot=START + 20 - MAX_DAYS_SECONDS,
                through_slot=START + 20,
                slot_seconds=10,
                needed=str(8 * SHARE),
            ),
            marks={f"gateway-0/{EPOCH}": self.mark},
            work=(
                AccountWork(account=ALICE, whole=str(2 * SHARE)),
                AccountWork(account=BOB, whole=str(SHARE)),
            ),
            reward_sats=5_000_000_000,
            fees=(Fee(address=CAROL, basis_points=100, sats=50_000_000),),
            operator_sats=0,
            credits={ALICE: 3_300_000_000, BOB: 1_650_000_000},
            rounding={},
            segments=tuple(
                SegmentHash(
                    source="gateway-0",
                    first_frame=one.record.first_frame,
                    last_frame=one.record.last_frame,
                    sha256=one.record.sha256,
                )
                for one in self.segments
            ),
            digests=(),
            leaf_secret="cd" * 32,
        )

    def write(self, body: Body) -> None:
        """The pool's own signature under whatever it says."""
        made = sign_statement(
            body,
            network="bitcoin regtest",
            block_hash=BLOCK_HASH,
            height=HEIGHT,
            previous=None,
            signer=self.key,
        )
        self.file.write_bytes(encode(made))

    def write_digest(self, work: dict[int, dict[str, int]]) -> None:
        made = sign_digest(
            network="bitcoin regtest",
            day=DAY,
            slot_seconds=10,
            parts=parts_of(DAY, 10, cuts_of([self.body().window]), work),
            segments=(),
            previous=None,
            signer=self.key,
        )
        folder = self.pool.directory / "digests"
        folder.mkdir()
        (folder / f"{DAY}.json").write_bytes(encode_digest(made))

    def verify(self, *options: str) -> Ended:
        return command("statement", "verify", str(self.file), "--keys", str(self.keys), *options)

    def verify_with_archive(self) -> Ended:
        return self.verify("--archive", str(self.archive))


@pytest.fixture
def settled(tmp_path: Path) -> Settled:
    return Settled(tmp_path)


# ---------------------------------------------------------------------- verify


def test_a_statement_is_counted_again_from_the_shares(settled: Settled) -> None:
    ended = settled.verify_with_archive()
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        f"block {HEIGHT} {BLOCK_HASH}: signed, and whole",
        "counted from shares: 2023-10-15 00:00 to 2023-11-14 00:00 UTC",
        "nothing differs",
    ]


def test_without_shares_window_and_amounts_are_checked(settled: Settled) -> None:
    ended = settled.verify()
    assert ended.code == 0
    assert ended.out.endswith("nothing differs; shares were not counted\n")
    assert "not checked, window and amounts excepted: 2023-10-15 00:00 to 2023-11-14 00:00 UTC" in ended.out


def test_stolen_work_shows_though_the_pool_has_signed_it(settled: Settled) -> None:
    work = (
        AccountWork(account=ALICE, whole=str(SHARE)),
        AccountWork(account=BOB, whole=str(2 * SHARE)),
    )
    earned = {ALICE: 1_650_000_000, BOB: 3_300_000_000}
    settled.write(msgspec.structs.replace(settled.body(), work=work, credits=earned))
    assert settled.verify().code == 0  # by itself it is in order
    ended = settled.verify_with_archive()
    assert ended.code == 1
    assert ended.err.splitlines() == [
        f"engineroom: work in whole slots of {ALICE}: stated {SHARE}, the evidence shows {2 * SHARE}",
        f"engineroom: work in whole slots of {BOB}: stated {2 * SHARE}, the evidence shows {SHARE}",
    ]
    assert "nothing differs" not in ended.out


def test_a_satoshi_that_went_elsewhere_shows(settled: Settled) -> None:
    earned = {ALICE: 3_300_000_001, BOB: 1_649_999_999}
    settled.write(msgspec.structs.replace(settled.body(), credits=earned))
    ended = settled.verify()
    assert ended.code == 1
    assert f"credit of {ALICE}: stated 3300000001, by the rules 3300000000" in ended.err


def test_an_unfilled_window_that_is_the_operators_is_divided_so(settled: Settled) -> None:
    # 3 of 8 shares are in the window: of 4,950,000,000 the operator has 5/8, 3,093,750,000; Alice 2/8,
    # 1,237,500,000, and Bob 1/8, 618,750,000.
    rules = msgspec.structs.replace(settled.body().rules, unfilled="operator")
    body = msgspec.structs.replace(
        settled.body(),
        rules=rules,
        operator_sats=3_093_750_000,
        credits={ALICE: 1_237_500_000, BOB: 618_750_000},
    )
    settled.write(body)
    assert settled.verify().code == 0


def test_shares_that_came_after_the_marks_are_not_counted(settled: Settled) -> None:
    marks = {f"gateway-0/{EPOCH}": settled.mark - 2}  # without Alice's second share
    settled.write(msgspec.structs.replace(settled.body(), marks=marks))
    ended = settled.verify_with_archive()
    assert ended.code == 1
    assert f"work in whole slots of {ALICE}: stated {2 * SHARE}, the evidence shows {SHARE}" in ended.err


def test_where_a_segment_is_gone_its_slots_are_named_as_unchecked(settled: Settled) -> None:
    settled.segments[0].path.unlink()
    ended = settled.verify_with_archive()
    assert ended.code == 3
    # the first frame that is left was made at 12 s: its slot may be there in part only
    assert "1 of the 2 segments that it names are not here" in ended.out
    assert "counted from shares: 2023-11-14 00:00 to 2023-11-14 00:00 UTC" in ended.out
    assert "not checked, window and amounts excepted: 2023-10-15 00:00 to 2023-11-14 00:00 UTC" in ended.out


def test_a_digest_stands_for_shares_that_are_gone(settled: Settled) -> None:
    work = {START: {ALICE: SHARE}, START + 10: {BOB: SHARE}, START + 20: {ALICE: SHARE}}
    settled.write_digest(work)
    settled.segments[0].path.unlink()
    ended = settled.verify_with_archive()
    assert ended.code == 3
    assert "compared with digests: 2023-11-14 00:00 to 2023-11-14 00:00 UTC" in ended.out
    assert "not checked, window and amounts excepted: 2023-10-15 00:00 to 2023-11-13 23:59 UTC" in ended.out


def test_a_folder_that_is_no_archive_is_a_wrong_path(settled: Settled, tmp_path: Path) -> None:
    for folder in (tmp_path / "nowhere", settled.keys):
        ended = settled.verify("--archive", str(folder))
        assert (ended.code, ended.out, ended.err) == (
            2,
            "",
            f"engineroom: {folder} holds no segments of any source: it is no archive of a pool\n",
        )


def test_a_digest_that_says_otherwise_is_a_difference(settled: Settled) -> None:
    settled.write_digest({START: {ALICE: 3 * SHARE}})
    settled.segments[0].path.unlink()
    ended = settled.verify_with_archive()
    assert ended.code == 1
    assert f"work in whole slots of {ALICE}: stated {2 * SHARE}, the evidence shows at least" in ended.err


def test_a_flipped_bit_in_the_archive_is_named_and_nothing_is_guessed(settled: Settled) -> None:
    path = settled.segments[1].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    ended = settled.verify_with_archive()
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert str(path) in ended.err


def test_another_segment_in_a_segments_place_is_a_difference(settled: Settled) -> None:
    segments = (
        msgspec.structs.replace(settled.body().segments[0], sha256="ee" * 32),
        settled.body().segments[1],
    )
    settled.write(msgspec.structs.replace(settled.body(), segments=segments))
    ended = settled.verify_with_archive()
    assert ended.code == 1
    assert "frames 1 to 1 of gateway-0 are not those that the statement was counted from" in ended.err


def test_work_that_a_plan_paid_is_not_looked_for_in_shares(settled: Settled) -> None:
    window = msgspec.structs.replace(settled.body().window, from_slot=START + 20, needed=None)
    rules = Rules(scheme="pplns", method="coinbase", unfilled="normalise")
    body = msgspec.structs.replace(settled.body(), plan_id="ab" * 32, window=window, rules=rules)
    settled.write(body)
    ended = settled.verify_with_archive()
    assert (ended.code, ended.err) == (0, "")
    assert "the coinbase paid by a plan" in ended.out


def test_a_changed_statement_is_refused(settled: Settled) -> None:
    settled.file.write_bytes(settled.file.read_bytes().replace(b"3300000000", b"3300000001"))
    ended = settled.verify()
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "changed after it was signed" in ended.err


def test_without_trusted_keys_a_statement_is_whole_but_anybodys(settled: Settled) -> None:
    ended = command("statement", "verify", str(settled.file))
    assert ended.code == 0
    assert "not whose it is" in ended.err


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_statement_is_one_line(settled: Settled, content: bytes) -> None:
    settled.file.write_bytes(content)
    ended = settled.verify()
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)


# ---------------------------------------------------------------------- show, prove, check


def test_a_statement_is_shown_by_height_and_by_hash(settled: Settled) -> None:
    ended = settled.pool.run("statement", "show", str(HEIGHT))
    assert ended.code == 0
    assert settled.pool.run("statement", "show", BLOCK_HASH.upper()).out == ended.out
    assert "reward    50.00000000" in ended.out
    assert f"fee       0.50000000 (1 %) {CAROL}" in ended.out
    assert ended.out.splitlines()[-2:] == [
        f"     33.00000000   66.6667 %  {ALICE}",
        f"     16.50000000   33.3333 %  {BOB}",
    ]


def test_the_document_itself_is_handed_out_to_the_byte(settled: Settled) -> None:
    ended = settled.pool.run("statement", "show", str(HEIGHT), "--json")
    assert ended.out == settled.file.read_text() + "\n"


def test_two_blocks_of_one_height_are_told_apart(settled: Settled) -> None:
    other = settled.file.with_name(f"{HEIGHT}-{'cd' * 32}.json")
    other.write_bytes(settled.file.read_bytes())
    ended = settled.pool.run("statement", "show", str(HEIGHT))
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert BLOCK_HASH in ended.err
    assert settled.pool.run("statement", "show", BLOCK_HASH).code == 0


def test_a_proof_shows_one_miner_its_part_and_nobody_elses(settled: Settled, tmp_path: Path) -> None:
    made = settled.pool.run("statement", "prove", ALICE)
    assert made.code == 0
    assert BOB not in made.out
    file = tmp_path / "proof.json"
    file.write_text(made.out)
    ended = command("statement", "check", str(file), "--keys", str(settled.keys))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        f"block {HEIGHT} {BLOCK_HASH}: {ALICE} has 66.6667 % of the work, {2 * SHARE} of {3 * SHARE} hashes\n"
    )
    file.write_text(made.out.replace(str(2 * SHARE), str(3 * SHARE)))
    changed = command("statement", "check", str(file), "--keys", str(settled.keys))
    assert (changed.code, changed.out, changed.err.count("\n")) == (1, "", 1)


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("show", "7"), 1, "there is no statement of block 7"),
        (("show", "../../etc/passwd"), 1, "there is no statement"),
        (("prove", CAROL), 1, "has no work in any statement"),
        (("prove", CAROL, "--block", str(HEIGHT)), 1, "has no work in the statement"),
        (("prove", ALICE, "--block", "7"), 1, "there is no statement of block 7"),
        (("prove", "nonsense"), 2, "is not an address"),
    ],
)
def test_what_is_not_there_is_one_line(
    settled: Settled, arguments: tuple[str, ...], code: int, why: str
) -> None:
    ended = settled.pool.run("statement", *arguments)
    assert (ended.code, ended.out, ended.err.count("\n")) == (code, "", 1)
    assert why in ended.err


def test_a_proof_that_is_none_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    for content in (b"", b"\xff", os.urandom(20_000)):
        file.write_bytes(content)
        ended = command("statement", "check", str(file))
        assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    file.unlink()
    assert command("statement", "check", str(file)).code == 1
