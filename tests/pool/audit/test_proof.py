"""Proofs: small, checked without a statement, and refused when anything in them is changed."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.audit import proof as proofs
from pool.audit.document import UNSURE_OF_THE_KEY, AuditError, BadSignature, UnknownKey, Unreadable
from pool.audit.statement import AccountWork, Statement
from tests.pool.audit.settled import OTHER_KEY, TRUSTED, body, statement


def statement_of(accounts: int) -> Statement:
    """A full window at 1 ZH/s: weights of about 2^150 (10 s of 10^21 hashes are 2^73; N is 2^80 and more)."""
    work = tuple(
        AccountWork(
            account=f"bc1qw508d6qejxtdg4y5r3zarvary0c5xw{i:08}", whole=str(2**70 + i), edge=str(2**60)
        )
        for i in range(accounts)
    )
    edge = msgspec.structs.replace(body().window.edge, work=str(10**22), inside=str(10**21))
    return statement(body(work=work, window=msgspec.structs.replace(body().window, edge=edge)))


def test_a_proof_shows_an_accounts_part_of_the_total() -> None:
    made = proofs.decode(proofs.encode(proofs.prove(statement(), "carol")))
    shown = proofs.check(made, TRUSTED)
    # 3,886,080,000 / 100,000 = 38,860.8 of 2,097,152 hashes
    assert (shown.account, shown.weight, shown.total, shown.scale) == (
        "carol",
        3_886_080_000,
        209_715_200_000,
        100_000,
    )
    assert shown.head == statement().head
    assert shown.warnings == ()
    assert proofs.check(made, None).warnings == (UNSURE_OF_THE_KEY,)


@pytest.mark.parametrize(("accounts", "most_bytes"), [(500, 1500), (10_000, 1900)])
def test_a_proof_is_one_or_two_kilobytes_and_names_nobody_else(accounts: int, most_bytes: int) -> None:
    made = statement_of(accounts)
    account = made.body.work[accounts // 3].account
    data = proofs.encode(proofs.prove(made, account))
    assert len(data) <= most_bytes
    assert proofs.check(proofs.decode(data), TRUSTED).account == account
    assert data.count(b"bc1q") == 1


def test_every_account_of_a_statement_has_a_proof() -> None:
    made = statement()
    shown = [proofs.check(proofs.prove(made, row.account), TRUSTED) for row in made.body.work]
    assert sum(each.weight for each in shown) == shown[0].total


def test_who_did_no_work_gets_no_proof() -> None:
    with pytest.raises(KeyError):
        proofs.prove(statement(), "mallory")


def test_a_key_that_is_not_trusted_is_refused() -> None:
    with pytest.raises(UnknownKey):
        proofs.check(proofs.prove(statement(), "bob"), {OTHER_KEY.key_id: OTHER_KEY.public_key})


def test_a_proof_for_another_blocks_root_is_refused() -> None:
    other = statement(body(work=body().work[:2]), height=840_001)
    moved = msgspec.structs.replace(proofs.prove(statement(), "bob"), head=other.head, seal=other.seal)
    with pytest.raises(BadSignature, match="does not lead"):
        proofs.check(moved, TRUSTED)


@pytest.mark.parametrize("member", ["account", "weight", "salt", "steps", "head", "seal"])
def test_any_changed_member_is_refused(member: str) -> None:
    document = json.loads(proofs.encode(proofs.prove(statement(), "bob")))
    changed = {
        "account": "carol",
        "weight": "100000000001",
        "salt": "A" * 43 + "=",
        "steps": document["steps"][:-1],
        "head": {**document["head"], "total": "209715200001"},
        "seal": {**document["seal"], "signature": "A" * 86 + "=="},
    }
    document[member] = changed[member]
    with pytest.raises(AuditError):
        proofs.check(proofs.decode(json.dumps(document).encode()), TRUSTED)


@given(st.lists(st.one_of(st.text(max_size=60), st.from_regex("[LR][A-Za-z0-9+/]{44,60}=*", fullmatch=True))))
def test_no_step_makes_checking_fail_otherwise(steps: list[str]) -> None:
    changed = msgspec.structs.replace(proofs.prove(statement(), "bob"), steps=tuple(steps))
    with pytest.raises(AuditError):
        proofs.check(changed, TRUSTED)


@pytest.mark.parametrize("data", [b"", b"{}", b"[", b" " * (16 * 1024 + 1)])
def test_what_is_no_proof_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable, match=r"^this is no proof: "):
        proofs.decode(data)
