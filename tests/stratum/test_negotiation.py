"""BIP 310's configure, in the spellings of real firmware."""

from typing import Any

import pytest

from stratum.negotiation import negotiate

POOL_MASK = 0x1FFFE000
ROLLING = {"version-rolling": True, "version-rolling.mask": "1fffe000"}


@pytest.mark.parametrize(
    "options",
    [
        {"version-rolling.mask": "ffffffff"},  # cgminer, Bitaxe
        {
            "version-rolling.mask": "FFFFFFFF",
            "version-rolling.min-bit-count": "2",
        },  # cpuminer forks: a string
        {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 16},  # bosminer
        {"version-rolling.mask": "0x1fffe000"},
        {"version-rolling.min-bit-count": 99},  # no mask: all bits; too few bits end nothing
        {},
    ],
)
def test_every_way_of_asking_for_version_rolling_gets_the_pools_mask(options: dict[str, Any]) -> None:
    granted = negotiate([["version-rolling"], options], POOL_MASK)
    assert granted.reply == ROLLING
    assert (granted.requested_mask or 0) & POOL_MASK == POOL_MASK


def test_a_mask_of_the_clients_own_is_intersected() -> None:
    granted = negotiate([["version-rolling"], {"version-rolling.mask": "00c00001"}], POOL_MASK)
    assert granted.reply == {"version-rolling": True, "version-rolling.mask": "00c00000"}


@pytest.mark.parametrize("mask", ["zzzz", "-1", "1fffe000ff", 1, [], True, "", "1fff e000", "00000001"])
def test_a_mask_that_is_none_is_refused_in_the_reply_and_nowhere_else(mask: object) -> None:
    granted = negotiate([["version-rolling"], {"version-rolling.mask": mask}], POOL_MASK)
    assert granted.reply == {"version-rolling": False, "version-rolling.mask": "00000000"}


def test_a_scrypt_port_says_that_there_is_no_version_rolling() -> None:
    assert negotiate([["version-rolling"], {}], 0).reply["version-rolling"] is False


def test_vnish_asks_for_everything_at_once_and_gets_one_answer_each() -> None:
    granted = negotiate(
        [
            ["version-rolling", "minimum-difficulty", "subscribe-extranonce", "info", "unheard-of"],
            {"version-rolling.mask": "1fffe000", "minimum-difficulty.value": 2048},
        ],
        POOL_MASK,
    )
    assert granted.reply == {
        **ROLLING,
        "minimum-difficulty": True,
        "subscribe-extranonce": True,
        "info": True,
        "unheard-of": False,
    }
    assert granted.minimum_difficulty == 2048
    assert granted.wants_extranonce


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0.0), (0.5, 0.5), ("2048", 2048.0), (1e40, 1e40)],
)
def test_a_minimum_difficulty_is_any_number_from_zero(value: object, expected: float) -> None:
    granted = negotiate([["minimum-difficulty"], {"minimum-difficulty.value": value}], POOL_MASK)
    assert granted.reply == {"minimum-difficulty": True}
    assert granted.minimum_difficulty == expected


@pytest.mark.parametrize("value", [-5, "abc", None, True, [], "1e5", 10**400])
def test_a_minimum_difficulty_that_is_no_number_is_answered_false(value: object) -> None:
    granted = negotiate([["minimum-difficulty"], {"minimum-difficulty.value": value}], POOL_MASK)
    assert granted.reply == {"minimum-difficulty": False}


@pytest.mark.parametrize("params", [[], [None], ["version-rolling"], [{}], [[1, None, [], {}]], [["x" * 65]]])
def test_parameters_of_another_shape_get_an_empty_answer(params: list[Any]) -> None:
    assert negotiate(params, POOL_MASK).reply == {}


def test_a_thousand_extensions_get_sixteen_answers() -> None:
    assert len(negotiate([[f"x{n}" for n in range(1000)], {}], POOL_MASK).reply) == 16
