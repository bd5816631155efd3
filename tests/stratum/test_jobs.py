"""The job book: what can still be found, for how long, and what of it can be credited only once."""

import pytest

from stratum.errors import RejectReason
from stratum.jobs import CREDITED_SECONDS, JUDGED_SECONDS, JobBook, offer_of
from stratum.work.difficulty import MAX_TARGET, SHA256D_DIFFICULTY_1, share_difficulty
from stratum.work.job import Job
from stratum.work.share import judge
from tests.builders import CURTIME, make_job

TEN_MINUTES = 600.0
DIFFICULTY = share_difficulty(16.0, SHA256D_DIFFICULTY_1)
MASK = 0x1FFFE000


@pytest.fixture
def book() -> JobBook:
    book = JobBook()
    assert book.new_tip(now=0.0) == 1
    return book


def install(book: JobBook, job_id: str, replaced: Job | None = None, now: float = 0.0) -> Job:
    job = make_job(job_id=job_id, tip=book.tip)
    book.install(job, replaced, now)
    return job


def header(nonce: int = 0, ntime: int = CURTIME) -> bytes:
    """Only the time of a header is read when its hash is judged."""
    return bytes(68) + ntime.to_bytes(4, "little") + bytes(4) + nonce.to_bytes(4, "little")


def is_credited(job: Job, pow_hash: bytes, target: int = MAX_TARGET) -> RejectReason | None:
    _, reason = judge(job, target, header(), pow_hash, is_authorised=True, is_stale=False, now=0.0)
    return reason


def test_the_periods_are_those_that_the_protocol_page_promises() -> None:
    """Ten minutes of credit after a newer job, ten more of the block test."""
    assert (CREDITED_SECONDS, JUDGED_SECONDS) == (TEN_MINUTES, TEN_MINUTES)


def test_a_job_is_found_by_its_id(book: JobBook) -> None:
    first, second = install(book, "1"), install(book, "2")
    assert book.find("1") is first
    assert book.find("2") is second
    assert len(book) == 2


@pytest.mark.parametrize("job_id", ["", "3", "1 ", "01"])
def test_an_id_that_was_never_announced_is_not_found(book: JobBook, job_id: str) -> None:
    install(book, "1")
    assert book.find(job_id) is None


def test_the_current_job_never_expires(book: JobBook) -> None:
    job = install(book, "1")
    book.expire(now=1e9)
    assert book.find("1") is job


def test_a_replaced_job_is_kept_for_twenty_minutes(book: JobBook) -> None:
    first = install(book, "1")
    install(book, "2", replaced=first, now=100.0)
    book.expire(now=100.0 + 2 * TEN_MINUTES)
    assert book.find("1") is first
    book.expire(now=100.0 + 2 * TEN_MINUTES + 0.001)
    assert book.find("1") is None
    assert book.find("2") is not None


def test_expiry_begins_where_the_job_was_replaced_and_not_where_it_was_made(book: JobBook) -> None:
    first = install(book, "1", now=0.0)
    install(book, "2", replaced=first, now=5000.0)
    book.expire(now=5000.0)
    assert book.find("1") is first


def test_a_stale_job_is_kept_for_ten_minutes_after_the_tip_moved(book: JobBook) -> None:
    old = install(book, "1")
    assert book.new_tip(now=50.0) == 2
    install(book, "2", replaced=old, now=50.0)
    book.expire(now=50.0 + TEN_MINUTES)
    assert book.find("1") is old  # for the block test, and to be called stale instead of unknown
    book.expire(now=50.0 + TEN_MINUTES + 0.001)
    assert book.find("1") is None
    assert book.find("2") is not None


def test_a_job_replaced_long_before_the_tip_moved_goes_at_its_own_time(book: JobBook) -> None:
    first = install(book, "1")
    install(book, "2", replaced=first, now=0.0)
    book.new_tip(now=1000.0)
    book.expire(now=1200.001)  # twenty minutes after it was replaced, not yet ten after the tip
    assert book.find("1") is None
    assert book.find("2") is not None


def test_each_stale_job_lives_ten_minutes_from_the_end_of_its_own_tip(book: JobBook) -> None:
    """Where blocks come every few minutes the next tip must not give old jobs another ten."""
    install(book, "1")
    book.new_tip(now=10.0)
    install(book, "2")
    book.new_tip(now=300.0)
    book.expire(now=10.0 + TEN_MINUTES)
    assert len(book) == 2
    book.expire(now=10.0 + TEN_MINUTES + 0.001)
    assert book.find("1") is None
    assert book.find("2") is not None
    book.expire(now=300.0 + TEN_MINUTES + 0.001)
    assert len(book) == 0


def test_a_reorg_back_to_an_earlier_tip_does_not_revive_its_jobs(book: JobBook) -> None:
    """Tips are numbered, not compared: the third tip may have the first one's hash."""
    first = install(book, "1")
    assert book.new_tip(now=10.0) == 2
    assert book.new_tip(now=20.0) == 3
    assert first.tip != book.tip


def test_the_moment_of_the_tips_change_is_remembered(book: JobBook) -> None:
    book.new_tip(now=12.5)
    assert book.tip_changed_at == 12.5


def test_the_last_job_of_a_variant_that_nobody_mines_ages_like_a_replaced_one(book: JobBook) -> None:
    job = install(book, "1")
    book.retire_variant(job, now=100.0)
    book.expire(now=100.0 + 2 * TEN_MINUTES)
    assert book.find("1") is job
    book.expire(now=100.0 + 2 * TEN_MINUTES + 0.001)
    assert book.find("1") is None


def test_retiring_a_job_that_was_replaced_before_does_not_prolong_it(book: JobBook) -> None:
    first = install(book, "1")
    install(book, "2", replaced=first, now=0.0)
    book.retire_variant(first, now=1000.0)
    book.expire(now=2 * TEN_MINUTES + 0.001)
    assert book.find("1") is None


def test_a_book_does_not_grow_while_jobs_come_and_go(book: JobBook) -> None:
    """A day of two variants, a job each 30 seconds: twenty minutes of them and the current ones are held."""
    current: dict[str, Job] = {}
    for second in range(0, 86_400, 30):
        for variant in ("a", "b"):
            job = install(book, f"{variant}{second}", current.get(variant), float(second))
            current[variant] = job
        book.expire(float(second))
    # replaced at most 1,200 s ago: 41 jobs of each variant (0, 30 … 1,200), and its current one
    assert len(book) == 2 * 42
    assert len(book._replaced_at) == 2 * 41


# ---------------------------------------------------------------------- shares, credited once


def test_a_hash_is_credited_once_for_a_job() -> None:
    job = make_job()
    assert is_credited(job, b"\x01" * 32) is None
    assert is_credited(job, b"\x01" * 32) is RejectReason.DUPLICATE
    assert is_credited(job, b"\x02" * 32) is None


def test_the_claim_lives_with_the_job_and_not_with_who_submits(book: JobBook) -> None:
    """A share replayed on a second connection finds the same job in the book, and with it the claim."""
    install(book, "1")
    found = book.find("1")
    again = book.find("1")
    assert found is not None
    assert again is not None
    assert is_credited(found, b"\x01" * 32) is None
    assert is_credited(again, b"\x01" * 32) is RejectReason.DUPLICATE


def test_a_hash_that_was_not_credited_is_not_claimed() -> None:
    """Otherwise a share refused at a high difficulty could not come in at a lower one."""
    job = make_job()
    value = (2**200).to_bytes(32, "little")
    assert is_credited(job, value, target=2**200 - 1) is RejectReason.LOW_DIFFICULTY
    assert is_credited(job, value, target=2**200) is None


# ---------------------------------------------------------------------- offers


def test_sessions_that_are_promised_the_same_at_the_same_moment_share_one_offer() -> None:
    job = make_job()
    offer = offer_of(job, DIFFICULTY, MASK, now=5.0)
    assert offer_of(job, DIFFICULTY, MASK, now=5.0) is offer
    assert (offer.job, offer.difficulty, offer.mask, offer.announced_at) == (job, DIFFICULTY, MASK, 5.0)
    assert offer.extranonce1 is None


def test_another_difficulty_mask_or_moment_is_another_offer() -> None:
    job = make_job()
    harder = share_difficulty(32.0, SHA256D_DIFFICULTY_1)
    first = offer_of(job, DIFFICULTY, MASK, now=5.0)
    others = [
        offer_of(job, harder, MASK, now=5.0),
        offer_of(job, DIFFICULTY, 0, now=5.0),
        offer_of(make_job(job_id="2"), DIFFICULTY, MASK, now=5.0),
        offer_of(job, DIFFICULTY, MASK, now=6.0),
    ]
    assert all(other != first for other in others)
    assert first.announced_at == 5.0  # what was promised stays promised


def test_offers_of_past_moments_are_not_collected() -> None:
    job = make_job()
    for moment in range(100):
        offer_of(job, DIFFICULTY, MASK, float(moment))
    assert len(job.offers) == 1
