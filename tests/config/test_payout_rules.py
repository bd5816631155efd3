"""What the settings of money have to do with each other, each rule with files that keep and break it."""

from pathlib import Path

import pytest

from config.payout_schema import PLACEHOLDER_ADDRESS, WalletSettings
from config.secret import Secret
from tests.config.files import listeners, loaded, only_problem, places, problems, text_of

ADDRESS = "  address: bcrt1qx\n"
PRIVATE = listeners("address: 10.0.0.1")


def pool(*lines: str, more: str = "") -> str:
    """A pool with an address; `payout:` stands in line 3, its address in line 4, these lines from 5 on."""
    return text_of(payout=ADDRESS + "".join(f"  {line}\n" for line in lines), more=more)


def solo(*lines: str, more: str = "") -> str:
    """`scheme: solo` stands in line 4, these lines from 5 on."""
    return text_of(payout="  scheme: solo\n" + "".join(f"  {line}\n" for line in lines), more=more)


# ---------------------------------------------------------------------- what was called something else


@pytest.mark.parametrize("value", ["pool", "solo", "7", "[a]"])
@pytest.mark.parametrize("address", ["", ADDRESS, f"  address: {PLACEHOLDER_ADDRESS}\n"])
def test_the_mode_of_earlier_versions_is_told_with_what_to_write_now(
    tmp_path: Path, value: str, address: str
) -> None:
    found = problems(tmp_path, text_of(payout=f"  mode: {value}\n{address}"))
    told = {problem.key_path: problem for problem in found}
    assert told["payout.mode"].line == 4
    assert told["payout.mode"].message == (
        "is now `scheme`; instead of `mode: pool` write `scheme: pplns` and `method: wallet`, "
        "instead of `mode: solo` write `scheme: solo`"
    )
    assert set(told) == {"payout.mode"} | ({"payout.address"} if PLACEHOLDER_ADDRESS in address else set())


# ---------------------------------------------------------------------- schemes and methods


def test_the_default_is_pplns_from_a_wallet_and_without_one_nothing_is_paid(tmp_path: Path) -> None:
    payout = loaded(tmp_path, pool()).payout
    assert (payout.scheme, payout.method, payout.fees) == ("pplns", "wallet", ())
    assert (payout.window.multiple, payout.window.max_days, payout.window.unfilled) == (2, 30, "normalise")
    assert (payout.maturity_confirmations, payout.minimum_sats) == (101, 100_000)
    assert payout.payee_change_delay_hours == 48
    assert payout.wallet is None


def test_a_wallet_section_without_keys_is_a_wallet_with_the_defaults(tmp_path: Path) -> None:
    wallet = loaded(tmp_path, pool("wallet:")).payout.wallet
    assert wallet == WalletSettings()
    assert (wallet.node, wallet.name, wallet.interval_minutes, wallet.max_fee_percent) == (None, None, 60, 2)
    assert (wallet.most_outputs, wallet.input_confirmations, wallet.daily_limit_sats) == (1_000, 6, None)


@pytest.mark.parametrize("scheme", ["pplns", "proportional"])
def test_a_block_can_be_divided_in_its_coinbase(tmp_path: Path, scheme: str) -> None:
    settings = loaded(tmp_path, pool(f"scheme: {scheme}", "method: coinbase", more=PRIVATE))
    assert settings.payout.coinbase.remainder == "custody"


def test_a_solo_pool_may_say_that_it_pays_in_the_coinbase(tmp_path: Path) -> None:
    assert loaded(tmp_path, solo("method: coinbase")).payout.scheme == "solo"


@pytest.mark.parametrize("scheme", ["pps", "fpps"])
def test_what_shares_are_owed_cannot_be_paid_by_a_coinbase(tmp_path: Path, scheme: str) -> None:
    text = pool(f"scheme: {scheme}", "method: coinbase", "pps: {reserve_sats: 1}")
    key, line, message = only_problem(tmp_path, text)
    assert (key, line) == ("payout.method", 6)
    assert message.startswith(f"cannot be coinbase with scheme {scheme}: ")
    assert message.endswith("; use wallet")


# ---------------------------------------------------------------------- proportional, and who can hop


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.9", "169.254.1.1", "::1", "fd00::1"])
def test_proportional_may_be_used_among_friends(tmp_path: Path, address: str) -> None:
    text = pool("scheme: proportional", more=listeners(f"address: '{address}'", "address: fe80::1%eth0"))
    assert loaded(tmp_path, text).payout.scheme == "proportional"


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "::", "8.8.8.8", "2600::1", "100.64.0.1", "::ffff:8.8.8.8", "::ffff:0.0.0.0"]
)
def test_proportional_is_refused_where_strangers_can_come_in(tmp_path: Path, address: str) -> None:
    more = listeners("address: 10.0.0.1", f"address: '{address}', port: 1")
    key, line, message = only_problem(tmp_path, pool("scheme: proportional", more=more))
    assert (key, line) == ("payout.scheme", 5)
    assert f"and {address} is open to strangers; choose pplns" in message
    allowed = pool("scheme: proportional", "allow_hopping: true", more=more)
    assert loaded(tmp_path, allowed).payout.allow_hopping


def test_the_default_listener_is_open_to_strangers(tmp_path: Path) -> None:
    assert only_problem(tmp_path, pool("scheme: proportional"))[0] == "payout.scheme"


def test_a_listener_that_is_no_address_says_nothing_about_strangers(tmp_path: Path) -> None:
    text = pool("scheme: proportional", more=listeners("address: nowhere"))
    assert only_problem(tmp_path, text)[0] == "stratum.listeners.0.address"


def test_hopping_is_allowed_only_where_there_is_something_to_hop(tmp_path: Path) -> None:
    key, line, _ = only_problem(tmp_path, pool("allow_hopping: true"))
    assert (key, line) == ("payout.allow_hopping", 5)


# ---------------------------------------------------------------------- paying per share


@pytest.mark.parametrize("scheme", ["pps", "fpps"])
def test_paying_per_share_needs_a_reserve(tmp_path: Path, scheme: str) -> None:
    with_reserve = pool(f"scheme: {scheme}", "pps: {reserve_sats: 5000000000}")
    assert loaded(tmp_path, with_reserve).payout.pps.reserve_sats == 5_000_000_000
    assert only_problem(tmp_path, pool(f"scheme: {scheme}")) == (
        "payout.pps.reserve_sats",
        3,
        f"is missing: with scheme {scheme} the pool pays for shares before it finds a block",
    )


@pytest.mark.parametrize("reserve", ["0", "-1", "1.5", "8400000000000001"])
def test_a_reserve_is_an_amount_that_can_be(tmp_path: Path, reserve: str) -> None:
    text = pool("scheme: pps", f"pps: {{reserve_sats: {reserve}}}")
    assert only_problem(tmp_path, text)[:2] == ("payout.pps.reserve_sats", 6)


@pytest.mark.parametrize("scheme", ["pps", "fpps"])
def test_a_late_share_has_no_price(tmp_path: Path, scheme: str) -> None:
    late = "stratum: {{late_share_grace_milliseconds: {0}}}\n"
    lines = f"scheme: {scheme}", "pps: {reserve_sats: 1}"
    assert loaded(tmp_path, pool(*lines, more=late.format(0))).stratum.late_share_grace_milliseconds == 0
    assert only_problem(tmp_path, pool(*lines, more=late.format(1000))) == (
        "stratum.late_share_grace_milliseconds",
        11,
        f"must be 0 with scheme {scheme}: a late share is paid for and can find nothing; remove it",
    )


def test_paying_per_share_may_set_the_window_that_it_falls_back_to(tmp_path: Path) -> None:
    text = pool("scheme: pps", "pps: {reserve_sats: 1}", "window: {multiple: 3}")
    assert loaded(tmp_path, text).payout.window.multiple == 3


# ---------------------------------------------------------------------- fees


def fee(address: str, basis_points: int) -> str:
    return f"    - {{address: {address}, basis_points: {basis_points}}}"


def test_fees_go_to_any_recipients_as_long_as_something_is_left(tmp_path: Path) -> None:
    # 5000 + 4999 + 0 = 9999 of 10000
    fees = loaded(tmp_path, pool("fees:", fee("a", 5000), fee("b", 4999), fee("c", 0))).payout.fees
    assert [(one.address, one.basis_points) for one in fees] == [("a", 5000), ("b", 4999), ("c", 0)]


def test_fees_that_take_everything_are_refused(tmp_path: Path) -> None:
    # 5000 + 4999 + 1 = 10000
    text = pool("fees:", fee("a", 5000), fee("b", 4999), fee("c", 1))
    assert only_problem(tmp_path, text) == (
        "payout.fees",
        5,
        "are 10000 basis points together, and 10000 are the whole reward; leave something to the miners",
    )


@pytest.mark.parametrize("basis_points", [-1, 10_000])
def test_a_fee_is_a_part_of_the_whole(tmp_path: Path, basis_points: int) -> None:
    text = pool("fees:", fee("a", basis_points))
    assert only_problem(tmp_path, text) == (
        "payout.fees.0.basis_points",
        6,
        f"is {basis_points}; it must be a whole number from 0 to 9999",
    )


def test_a_fee_has_a_recipient_and_a_size(tmp_path: Path) -> None:
    text = pool("fees:", "  - {address: a}", "  - {basis_points: 1}")
    assert places(tmp_path, text) == [("payout.fees.0.basis_points", 6), ("payout.fees.1.address", 7)]


def test_a_recipient_stands_there_once(tmp_path: Path) -> None:
    text = pool("fees:", fee("a", 1), fee("b", 1), fee("a", 2))
    assert only_problem(tmp_path, text) == (
        "payout.fees.2.address",
        8,
        "a is there twice; give each its own",
    )


def test_the_placeholder_is_no_recipient(tmp_path: Path) -> None:
    for text in (pool("fees:", fee(PLACEHOLDER_ADDRESS, 1)), solo("fees:", fee(PLACEHOLDER_ADDRESS, 1))):
        key, line, message = only_problem(tmp_path, text)
        assert (key, line) == ("payout.fees.0.address", 6)
        assert message == "still holds the example's text; put in an address of yours"


def test_a_solo_pool_takes_fees_and_needs_no_address_of_its_own(tmp_path: Path) -> None:
    payout = loaded(tmp_path, solo("fees:", fee("a", 100))).payout
    assert (payout.address, payout.fees[0].basis_points) == (None, 100)


# ---------------------------------------------------------------------- sections that would have no effect


@pytest.mark.parametrize(
    ("text", "place", "where"),
    [
        (solo("window: {multiple: 3}"), ("payout.window.multiple", 5), "scheme solo"),
        (
            pool("scheme: proportional", "window: {unfilled: operator}", more=PRIVATE),
            ("payout.window.unfilled", 6),
            "scheme proportional",
        ),
        (pool("pps: {reserve_sats: 1}"), ("payout.pps.reserve_sats", 5), "scheme pplns"),
        (solo("coinbase: {most_outputs: 9}"), ("payout.coinbase.most_outputs", 5), "scheme solo"),
        (pool("coinbase: {remainder: advance}"), ("payout.coinbase.remainder", 5), "method wallet"),
    ],
)
def test_a_setting_without_effect_is_refused(
    tmp_path: Path, text: str, place: tuple[str, int], where: str
) -> None:
    assert only_problem(tmp_path, text) == (*place, f"has no effect with {where}; remove it")


def test_a_value_that_cannot_be_hides_no_setting_without_effect(tmp_path: Path) -> None:
    text = pool("coinbase:", "  plan_age_minutes: soon", "  most_outputs: 9")
    assert places(tmp_path, text) == [
        ("payout.coinbase.plan_age_minutes", 6),
        ("payout.coinbase.most_outputs", 7),
    ]


def test_an_address_without_effect_is_not_told_to_be_replaced(tmp_path: Path) -> None:
    key, line, message = only_problem(tmp_path, solo(f"address: {PLACEHOLDER_ADDRESS}"))
    assert (key, line) == ("payout.address", 5)
    assert message.startswith("has no effect with scheme solo")


def test_defaults_may_stand_in_any_section(tmp_path: Path) -> None:
    """The reference file holds them all."""
    text = solo("window: {multiple: 2}", "pps: {reserve_sats: ~}", "coinbase: {remainder: custody}")
    assert loaded(tmp_path, text).payout == loaded(tmp_path, solo()).payout


@pytest.mark.parametrize("text", [solo("wallet: {name: x}"), pool("method: coinbase", "wallet: {name: x}")])
def test_a_wallet_stays_where_blocks_pay_for_what_it_has_paid_before(tmp_path: Path, text: str) -> None:
    wallet = loaded(tmp_path, text).payout.wallet
    assert wallet is not None
    assert wallet.name == "x"


@pytest.mark.parametrize("unknown", ["scheme: nothing", "method: nothing"])
def test_where_scheme_or_method_is_unknown_nothing_is_without_effect(tmp_path: Path, unknown: str) -> None:
    text = text_of(payout=f"  {unknown}\n  wallet:\n  coinbase: {{most_outputs: 9}}\n  allow_hopping: true\n")
    hopping = ["payout.allow_hopping"] if unknown.startswith("method") else []
    assert [problem.key_path for problem in problems(tmp_path, text)] == [
        f"payout.{unknown.partition(':')[0]}",
        *hopping,
    ]


# ---------------------------------------------------------------------- the wallet


def test_a_wallet_is_one_of_a_node_of_the_file(tmp_path: Path) -> None:
    wallet = loaded(tmp_path, pool("wallet: {node: local}")).payout.wallet
    assert wallet is not None
    assert wallet.node == "local"
    assert only_problem(tmp_path, pool("wallet: {node: locale}")) == (
        "payout.wallet.node",
        5,
        "is locale, and no node is called that; choose from local",
    )


def test_a_wallets_node_is_not_missed_where_a_nodes_name_is_unknown(tmp_path: Path) -> None:
    text = pool("wallet: {node: locale}").replace("name: local", "name: not a name")
    assert only_problem(tmp_path, text)[0] == "nodes.0.name"


@pytest.mark.parametrize("source", ["passphrase_file: secret", "passphrase_environment: RPC_PASSWORD"])
def test_a_passphrase_comes_from_beside_the_file_or_from_the_environment(tmp_path: Path, source: str) -> None:
    (tmp_path / "secret").write_text("x\n")
    wallet = loaded(tmp_path, pool(f"wallet: {{{source}}}")).payout.wallet
    assert wallet is not None
    assert wallet.passphrase == Secret("x")
    assert wallet.passphrase_file in (None, f"{tmp_path}/secret")


def test_two_passphrases_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x\n")
    text = pool("wallet:", "  passphrase_file: secret", "  passphrase_environment: RPC_PASSWORD")
    assert only_problem(tmp_path, text) == (
        "payout.wallet.passphrase_file",
        6,
        "and passphrase_environment are both given; keep one",
    )


def test_a_passphrase_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    assert only_problem(tmp_path, pool("wallet: {passphrase_environment: NOT_SET}")) == (
        "payout.wallet.passphrase_environment",
        5,
        "the environment variable NOT_SET is not set",
    )
    assert only_problem(tmp_path, pool("wallet: {passphrase_file: none}")) == (
        "payout.wallet.passphrase_file",
        5,
        f"cannot read {tmp_path}/none: no such file or directory",
    )


def test_a_passphrase_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    key, line, message = only_problem(tmp_path, pool("wallet: {passphrase: hunter2}"))
    assert (key, line) == ("payout.wallet.passphrase", 5)
    assert message == "a secret does not belong into this file; use passphrase_file or passphrase_environment"


# ---------------------------------------------------------------------- bounds


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("minimum_sats: 545", "payout.minimum_sats"),
        ("maturity_confirmations: 99", "payout.maturity_confirmations"),
        ("payee_change_delay_hours: -1", "payout.payee_change_delay_hours"),
        ("window: {multiple: 0}", "payout.window.multiple"),
        ("window: {multiple: 2.5}", "payout.window.multiple"),
        ("window: {max_days: 0}", "payout.window.max_days"),
        ("window: {unfilled: burn}", "payout.window.unfilled"),
        ("wallet: {max_fee_percent: 0}", "payout.wallet.max_fee_percent"),
        ("wallet: {most_outputs: 1001}", "payout.wallet.most_outputs"),
        ("wallet: {daily_limit_sats: 0}", "payout.wallet.daily_limit_sats"),
        ("wallet: {fallback_fee_sats_per_vbyte: 0}", "payout.wallet.fallback_fee_sats_per_vbyte"),
        ("wallet: {input_confirmations: 0}", "payout.wallet.input_confirmations"),
        ("wallet: {fee_paid_by: nobody}", "payout.wallet.fee_paid_by"),
        ("coinbase: {minimum_output_sats: 545}", "payout.coinbase.minimum_output_sats"),
        ("coinbase: {plan_age_minutes: 0}", "payout.coinbase.plan_age_minutes"),
        ("coinbase: {most_outputs: 0}", "payout.coinbase.most_outputs"),
    ],
)
def test_what_lies_outside_its_bounds_is_refused(tmp_path: Path, line: str, key: str) -> None:
    assert only_problem(tmp_path, pool(line))[:2] == (key, 5)
