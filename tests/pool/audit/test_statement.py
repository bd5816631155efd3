"""Statements: the same bytes each time, sealed as a whole, refused when anything is changed, and chained."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pool.audit import statement as statements
from pool.audit.document import (
    UNSURE_OF_THE_KEY,
    AuditError,
    BadSignature,
    NewerDocument,
    Seal,
    UnknownKey,
    Unreadable,
    canonical,
)
from pool.audit.statement import AccountWork, chain_problems, decode, encode, verify, weights_of
from tests.pool.audit.settled import KEY, OTHER_KEY, TRUSTED, WEIGHTS, body, statement


def test_weights_are_what_the_edge_makes_of_the_work() -> None:
    assert weights_of(body()) == WEIGHTS


def test_a_statement_survives_its_file_and_is_verified() -> None:
    made = statement()
    assert decode(encode(made)) == made
    assert verify(decode(encode(made)), TRUSTED) == ()
    assert (made.head.total, made.head.scale) == ("209715200000", "100000")
    assert encode(statement()) == encode(made)  # made again, for a rebuild: the same bytes


def test_canonical_json_is_sorted_dense_utf_8() -> None:
    assert canonical({"b": "é…", "a": [1, None]}) == '{"a":[1,null],"b":"é…"}'.encode()
    members = list(json.loads(encode(statement()))["head"])
    assert members == sorted(members)


def test_an_indented_reordered_file_is_verified_too() -> None:
    document = json.loads(encode(statement()))
    shuffled = {key: document[key] for key in ("seal", "head", "body")}
    assert verify(decode(json.dumps(shuffled, indent=4).encode()), TRUSTED) == ()


def test_without_trusted_keys_the_one_inside_is_taken_with_a_warning() -> None:
    assert verify(statement(), None) == (UNSURE_OF_THE_KEY,)


def test_a_key_that_is_not_trusted_is_named() -> None:
    with pytest.raises(UnknownKey, match=f"signed by the key {KEY.key_id}, which is not trusted"):
        verify(statement(), {OTHER_KEY.key_id: OTHER_KEY.public_key})


def test_a_forger_with_a_key_of_their_own_is_refused() -> None:
    made = statement()
    own = Seal(OTHER_KEY.public_key, OTHER_KEY.sign(b"engineroom statement\n" + canonical(made.head)))
    for trusted in (TRUSTED, None):
        with pytest.raises(BadSignature):
            verify(msgspec.structs.replace(made, seal=own), trusted)


def test_a_signature_for_another_kind_of_document_is_refused() -> None:
    made = statement()
    seal = Seal(KEY.public_key, KEY.sign(b"engineroom digest\n" + canonical(made.head)))
    with pytest.raises(BadSignature):
        verify(msgspec.structs.replace(made, seal=seal), TRUSTED)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The way to every value of a JSON document that holds no other."""
    if isinstance(value, dict):
        return [place for key in value for place in places(value[key], (*path, key))]
    if isinstance(value, list):
        return [place for i in range(len(value)) for place in places(value[i], (*path, i))]
    return [path]


DOCUMENT = json.loads(encode(statement()))


@pytest.mark.parametrize("place", places(DOCUMENT), ids=lambda place: ".".join(map(str, place)))
def test_any_changed_value_is_refused(place: tuple[str | int, ...]) -> None:
    document = json.loads(encode(statement()))
    holder = document
    for key in place[:-1]:
        holder = holder[key]
    old = holder[place[-1]]
    holder[place[-1]] = (
        "00" * 32
        if old is None
        else old + 1
        if isinstance(old, int)
        else old[:-1] + ("1" if old[-1] != "1" else "2")
    )
    with pytest.raises(AuditError):
        verify(decode(json.dumps(document).encode()), TRUSTED)


def test_a_newer_version_is_refused_by_name_even_if_its_form_is_unknown() -> None:
    newer = b'{"head":{"version":2,"something":1},"new":{}}'
    with pytest.raises(NewerDocument, match="version 2; this program knows 1"):
        decode(newer)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"head":{}}',
        b'{"head":{"version":1}}',
        b"[" * 100_000,
        encode(statement())[:-1],
        encode(statement()).replace(b'"finder"', b'"Finder"'),
        encode(statement()).replace(b'{"body"', b'{"more":1,"body"'),
        encode(statement()).replace(b'"whole":"1000000"', b'"whole":"-1000000"'),
        encode(statement()).replace(b'"whole":"1000000"', b'"whole":"01000000"'),
        encode(statement()).replace(b'"reward_sats":1000000', b'"reward_sats":1000000.5'),
        encode(statement()).replace(b'"reward_sats":1000000', b'"reward_sats":-1'),
        encode(statement()).replace(b'"reward_sats":1000000', b'"reward_sats":99999999999999999999999'),
    ],
)
def test_what_is_no_statement_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable, match=r"^this is no statement: .+$"):
        decode(data)


@given(st.binary(max_size=300))
def test_no_bytes_make_reading_fail_otherwise(data: bytes) -> None:
    with pytest.raises(AuditError):
        decode(data)


def test_an_account_that_stands_twice_is_refused() -> None:
    twice = (AccountWork(account="alice", whole="1"), AccountWork(account="alice", whole="2"))
    with pytest.raises(Unreadable, match="twice"):
        statement(body(work=twice))


def test_work_beyond_all_windows_is_refused() -> None:
    with pytest.raises(Unreadable, match="2\\^512"):
        statement(body(work=(AccountWork(account="alice", whole="9" * 155),)))


def test_a_window_without_work_has_a_statement_too() -> None:
    empty = body(work=(), credits={}, rounding={}, operator_sats=990_000)
    made = statement(msgspec.structs.replace(empty, window=msgspec.structs.replace(empty.window, edge=None)))
    assert verify(decode(encode(made)), TRUSTED) == ()
    assert (made.head.total, made.head.scale) == ("0", "1")


def test_statements_form_a_chain_and_a_missing_one_is_named() -> None:
    first = statement()
    second = statement(previous=first, height=840_010)
    third = statement(previous=second, height=840_020)
    assert first.head.previous is None
    assert chain_problems([first, second, third]) == []
    (problem,) = chain_problems([first, third])
    assert "block 840020" in problem
    assert "block 840000" in problem
    assert statements.VERSION == 1
