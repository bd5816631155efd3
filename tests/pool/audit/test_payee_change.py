"""The text of a payee change: exact, on one line, and naming everything that takes effect."""

import datetime

import msgspec
import pytest

from pool.audit.ownership import Refusal, Verified, verify_message
from pool.audit.payee_change import PayeeChange, is_in_time, message_for
from stratum.work.address import parse_address
from stratum.work.coin import network
from tests.pool.audit.signing import SECRET, p2wpkh, sign_bip137, sign_key_hash, text, witness

SIGNET = network("bitcoin", "signet")
OLD = parse_address("tb1qcrh3yqn4nlleplcez2yndq2ry8h9ncg3qh7n54", SIGNET)
NEW = parse_address("tb1pae5um27ahn8n73pgexe3kcwlp8dhswpn684h2k2w6t9a7w3eq65qephd5y", SIGNET)
CHANGE = PayeeChange(
    network=SIGNET,
    account=OLD,
    payee=NEW,
    minimum_sats=250_000,
    number=3,
    asked_on=datetime.date(2026, 5, 1),
)


def test_the_text_is_this_to_the_character() -> None:
    assert message_for(CHANGE) == (
        "Engineroom payee change 3 on bitcoin signet: account tb1qcrh3yqn4nlleplcez2yndq2ry8h9ncg3qh7n54 is "
        "paid to tb1pae5um27ahn8n73pgexe3kcwlp8dhswpn684h2k2w6t9a7w3eq65qephd5y from 250000 satoshis on, "
        "asked 2026-05-01"
    )
    assert "from the pool's minimum on" in message_for(msgspec.structs.replace(CHANGE, minimum_sats=None))


@pytest.mark.parametrize(
    "change",
    [
        {"network": network("bitcoin", "testnet4")},
        {"account": NEW},
        {"payee": OLD},
        {"minimum_sats": 250_001},
        {"minimum_sats": None},
        {"number": 4},
        {"asked_on": datetime.date(2026, 5, 2)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_signature_for_one_change_is_none_for_another(change: dict[str, object]) -> None:
    own = msgspec.structs.replace(CHANGE, account=p2wpkh(SECRET))
    other = msgspec.structs.replace(own, **change)
    for signature in (
        text(witness(sign_key_hash(SECRET, message_for(own)))),
        text(sign_bip137(SECRET, message_for(own), 39)),
    ):
        assert isinstance(verify_message(own.account, SIGNET, message_for(own), signature), Verified)
        assert isinstance(verify_message(own.account, SIGNET, message_for(other), signature), Refusal)


def test_a_text_without_a_number_or_with_a_negative_minimum_is_not_made() -> None:
    for change in ({"number": 0}, {"minimum_sats": -1}):
        with pytest.raises(ValueError, match="numbered from 1"):
            message_for(msgspec.structs.replace(CHANGE, **change))


def test_a_text_is_good_for_a_week() -> None:
    verdicts = [is_in_time(CHANGE, CHANGE.asked_on + datetime.timedelta(days)) for days in (-2, -1, 0, 7, 8)]
    assert verdicts == [False, True, True, True, False]
