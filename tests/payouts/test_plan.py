"""Plans as documents: equal plans, equal bytes; every weight intact; nothing taken that cannot pay."""

from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payouts.plan import Fee, Payee, Plan, PlanError, decode_plan, encode_plan, seal, sole, unseal

MINER, OTHER, OPERATOR, CUSTODY = (b"\x00\x14" + bytes([n]) * 20 for n in range(4))

PLAN = Plan(
    payees=(Payee(MINER, 3 << 90, "miner", 1_200), Payee(OTHER, 1, "other", -7)),
    custody=CUSTODY,
    fees=(Fee(OPERATOR, 100, "operator", 250),),
    generation=7,
    marks=(("gateway-0", 12), ("gateway-1", 99)),
    remainder="advance",
    minimum_output_sats=10_000,
    dust_sats_per_kvb=3_000,
    most_outputs=20,
    held=(OTHER,),
)
DOCUMENT = (
    b'{"version":1,"generation":7,"marks":[["gateway-0",12],["gateway-1",99]],"payees":['
    b'["miner","00140000000000000000000000000000000000000000","3713820117856140824697372672",1200],'
    b'["other","00140101010101010101010101010101010101010101","1",-7]],'
    b'"fees":[["operator","00140202020202020202020202020202020202020202",100,250]],'
    b'"custody":"00140303030303030303030303030303030303030303","remainder":"advance",'
    b'"minimum_output_sats":10000,"dust_sats_per_kvb":3000,"most_outputs":20,'
    b'"held":["00140101010101010101010101010101010101010101"]}'
)


def changed(**fields: Any) -> bytes:
    """PLAN's document with some members replaced."""
    return msgspec.json.encode(msgspec.json.decode(DOCUMENT) | fields)


def test_a_plan_is_one_document_and_its_id_the_hash_of_it() -> None:
    assert encode_plan(PLAN) == DOCUMENT  # 3 · 2^90 = 3,713,820,117,856,140,824,697,372,672
    assert PLAN.id == sha256(DOCUMENT).hexdigest()
    assert decode_plan(DOCUMENT) == PLAN


def test_where_nothing_is_held_the_document_is_what_it_was_before_anything_could_be() -> None:
    free = msgspec.structs.replace(PLAN, held=())
    assert encode_plan(free) == DOCUMENT[: DOCUMENT.index(b',"held"')] + b"}"
    assert decode_plan(encode_plan(free)) == free


def test_another_content_is_another_id_and_the_stripped_plan_keeps_its() -> None:
    assert msgspec.structs.replace(PLAN, generation=8).id != PLAN.id
    assert PLAN.stripped.id == PLAN.id
    assert PLAN.stripped.is_stripped
    assert PLAN.stripped.stripped is PLAN.stripped
    assert encode_plan(PLAN.stripped) == DOCUMENT


@given(
    weights=st.lists(st.integers(0, 2**300), min_size=1, max_size=5).filter(any),
    carry_over_sats=st.integers(-(2**62), 2**62),
    generation=st.integers(1, 2**40),
)
def test_every_number_comes_back_from_the_file(
    weights: list[int], carry_over_sats: int, generation: int
) -> None:
    payees = tuple(Payee(MINER, weight, f"a{n}", carry_over_sats) for n, weight in enumerate(weights))
    plan = Plan(payees=payees, custody=CUSTODY, generation=generation)
    again = unseal(seal(plan))
    assert again == plan
    assert again.id == plan.id


def test_a_file_that_was_cut_or_changed_is_refused() -> None:
    sealed = seal(PLAN)
    for length in range(0, len(sealed), 7):
        with pytest.raises(PlanError):
            unseal(sealed[:length])
    with pytest.raises(PlanError, match="damaged"):
        unseal(sealed.replace(b"1200", b"1201"))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"version": 2}, "version 2"),
        ({"generation": 0}, "generations begin at 1"),
        ({"payees": []}, "at least one"),
        ({"payees": [["a", MINER.hex(), "0", 0]]}, "at least one"),
        ({"payees": [["a", MINER.hex(), "5", 0], ["b", OTHER.hex(), "-1", 0]]}, "not negative"),
        ({"payees": [["a", MINER.hex(), "5", 0], ["a", OTHER.hex(), "1", 0]]}, "twice"),
        ({"payees": [["a", MINER.hex(), "5.0", 0]]}, "no plan"),
        ({"payees": [["a", MINER.hex(), "1", 2**62 + 1]]}, "all money"),
        ({"payees": [["a", "", "1", 0]]}, "output script"),
        ({"custody": ""}, "output script"),
        ({"custody": "51" * 43}, "output script"),
        ({"custody": "xx"}, "no plan"),
        ({"fees": [["f", MINER.hex(), 10_001, 0]]}, "basis points"),
        ({"fees": [["f", MINER.hex(), 10_001, 0], ["g", MINER.hex(), -1, 0]]}, "basis points"),
        ({"remainder": "keep"}, "no plan"),
        ({"most_outputs": 0}, "one output is always made"),
        ({"minimum_output_sats": -1}, "not negative"),
        ({"surprise": 1}, "no plan"),
        ({"held": ["52", "51"]}, "in order"),
        ({"held": ["51", "51"]}, "each of them once"),
    ],
)
def test_a_plan_that_cannot_be_paid_by_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        decode_plan(changed(**fields))


def test_a_sole_payee_is_its_own_custody() -> None:
    assert sole(MINER) == Plan(payees=(Payee(MINER, 1),), custody=MINER)
