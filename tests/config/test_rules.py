"""What settings have to do with each other, each rule with a file that keeps it and one that breaks it."""

import socket
import tempfile
from pathlib import Path

import pytest

from config.payout_schema import PLACEHOLDER_ADDRESS
from config.rules import LONGEST_SOCKET_PATH_BYTES, NETWORKS
from stratum.work.coin import COINS
from tests.config.files import COOKIE, listeners, loaded, only_problem, places, problems, text_of

# ---------------------------------------------------------------------- coin and network


def test_the_networks_are_those_that_the_protocol_code_knows() -> None:
    """Two packages that never import each other hold the same list."""
    assert {coin: set(names) for coin, names in NETWORKS.items()} == {
        coin: set(networks) for coin, networks in COINS.items()
    }


@pytest.mark.parametrize(
    ("coin", "network"), [(coin, name) for coin, names in NETWORKS.items() for name in names]
)
def test_every_network_of_a_coin_loads(tmp_path: Path, coin: str, network: str) -> None:
    settings = loaded(tmp_path, text_of(coin=coin, network=network))
    assert (settings.coin, settings.network) == (coin, network)


@pytest.mark.parametrize(
    ("coin", "network", "message"),
    [
        ("bitcoin", "testnet", "bitcoin has no testnet; choose from mainnet, testnet4, signet, regtest"),
        ("litecoin", "signet", "litecoin has no signet; choose from mainnet, testnet, regtest"),
        ("litecoin", "testnet4", "litecoin has no testnet4; choose from mainnet, testnet, regtest"),
    ],
)
def test_a_network_that_the_coin_has_not_is_refused(
    tmp_path: Path, coin: str, network: str, message: str
) -> None:
    assert only_problem(tmp_path, text_of(coin=coin, network=network)) == ("network", 2, message)


def test_a_stricter_target_may_be_trusted_on_regtest(tmp_path: Path) -> None:
    assert loaded(tmp_path, text_of(more="trust_stricter_target: true\n")).trust_stricter_target


@pytest.mark.parametrize("network", ["mainnet", "testnet4", "signet"])
def test_a_stricter_target_may_be_trusted_nowhere_else(tmp_path: Path, network: str) -> None:
    assert only_problem(tmp_path, text_of(network=network, more="trust_stricter_target: true\n")) == (
        "trust_stricter_target",
        9,
        f"is for regtest alone: on {network} the bits decide what a block is; remove it",
    )
    assert not loaded(
        tmp_path, text_of(network=network, more="trust_stricter_target: false\n")
    ).trust_stricter_target


# ---------------------------------------------------------------------- payout


def test_a_pool_has_an_address(tmp_path: Path) -> None:
    settings = loaded(tmp_path, text_of(payout="  address: bcrt1qx\n"))
    assert settings.payout.address == "bcrt1qx"  # whether it is one is not this package's to say


@pytest.mark.parametrize("address", ["", "  address:\n", "  address: ~\n"])
@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("wallet", "with method wallet it says who is paid for blocks"),
        ("coinbase", "with method coinbase it holds what does not fit into a block"),
    ],
)
def test_a_pool_without_an_address_is_refused(tmp_path: Path, method: str, reason: str, address: str) -> None:
    key, _, message = only_problem(tmp_path, text_of(payout=f"  method: {method}\n" + address))
    assert (key, message) == ("payout.address", f"is missing: {reason}")


def test_a_solo_pool_with_an_address_is_refused(tmp_path: Path) -> None:
    """Who set it expects to be paid there, and would not be."""
    key, line, message = only_problem(tmp_path, text_of(payout="  scheme: solo\n  address: bcrt1qx\n"))
    assert (key, line) == ("payout.address", 5)
    assert message.startswith("has no effect with scheme solo")


def test_the_examples_placeholder_is_refused_by_name(tmp_path: Path) -> None:
    text = text_of(payout=f"  scheme: pplns\n  address: {PLACEHOLDER_ADDRESS}\n")
    assert only_problem(tmp_path, text) == (
        "payout.address",
        5,
        "still holds the example's text; put in an address of yours",
    )


def test_an_unknown_scheme_is_refused(tmp_path: Path) -> None:
    assert only_problem(tmp_path, text_of(payout="  scheme: pool\n")) == (
        "payout.scheme",
        4,
        "is 'pool'; it must be one of pplns, proportional, pps, fpps, solo",
    )


# ---------------------------------------------------------------------- nodes: cookie or password

USER = "    user: engineroom\n"
PASSWORD_FILE = "    password_file: rpc.password\n"
PASSWORD_ENVIRONMENT = "    password_environment: RPC_PASSWORD\n"


@pytest.mark.parametrize("login", [COOKIE, USER + PASSWORD_FILE, USER + PASSWORD_ENVIRONMENT])
def test_one_way_in_is_what_a_node_needs(tmp_path: Path, login: str) -> None:
    (tmp_path / "rpc.password").write_text("x\n")
    node = loaded(tmp_path, text_of(login=login)).nodes[0]
    assert (node.cookie_file is None) == (node.password is not None)


@pytest.mark.parametrize("login", ["", USER, PASSWORD_ENVIRONMENT, PASSWORD_FILE])
def test_half_a_way_in_is_refused(tmp_path: Path, login: str) -> None:
    (tmp_path / "rpc.password").write_text("x\n")
    assert only_problem(tmp_path, text_of(login=login)) == (
        "nodes.0",
        6,
        "needs a cookie_file, or user together with password_file or password_environment",
    )


@pytest.mark.parametrize("extra", [USER, PASSWORD_FILE, PASSWORD_ENVIRONMENT, USER + PASSWORD_ENVIRONMENT])
def test_a_cookie_beside_a_password_is_refused(tmp_path: Path, extra: str) -> None:
    (tmp_path / "rpc.password").write_text("x\n")
    assert only_problem(tmp_path, text_of(login=COOKIE + extra)) == (
        "nodes.0.cookie_file",
        8,
        "is one way in, user and password another; keep one",
    )


def test_two_passwords_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rpc.password").write_text("x\n")
    assert only_problem(tmp_path, text_of(login=USER + PASSWORD_FILE + PASSWORD_ENVIRONMENT)) == (
        "nodes.0.password_file",
        9,
        "and password_environment are both given; keep one",
    )


def test_each_node_is_looked_at(tmp_path: Path) -> None:
    more = "  - name: second\n    url: http://127.0.0.1:18444\n  - name: third\n    url: http://127.0.0.1:18445\n"
    found = problems(tmp_path, text_of(more=more))
    assert [(problem.key_path, problem.line) for problem in found] == [("nodes.1", 9), ("nodes.2", 11)]


def test_two_nodes_of_one_name_are_refused(tmp_path: Path) -> None:
    more = f"  - name: local\n    url: http://127.0.0.1:18444\n{COOKIE}"
    assert only_problem(tmp_path, text_of(more=more)) == (
        "nodes.1.name",
        9,
        "local is there twice; give each its own",
    )


# ---------------------------------------------------------------------- listeners


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "::", "::1", "2001:db8::1", "fe80::1%eth0"])
def test_a_listener_has_an_ipv4_or_ipv6_address(tmp_path: Path, address: str) -> None:
    settings = loaded(tmp_path, text_of(more=listeners(f"address: '{address}'")))
    assert settings.stratum.listeners[0].address == address


@pytest.mark.parametrize(
    "address", ["localhost", "", "0.0.0.0:3333", "[::]", "300.1.1.1", "*", "127.1", "::g"]
)
def test_a_listener_at_anything_else_is_refused(tmp_path: Path, address: str) -> None:
    assert only_problem(tmp_path, text_of(more=listeners(f"address: '{address}'"))) == (
        "stratum.listeners.0.address",
        11,
        f"is {address!r}; it must be an IPv4 or IPv6 address, for example 0.0.0.0 or ::",
    )


def test_two_listeners_at_one_place_are_refused(tmp_path: Path) -> None:
    more = listeners("port: 3333", "port: 3334", "port: 3333")
    assert only_problem(tmp_path, text_of(more=more)) == (
        "stratum.listeners.2.port",
        13,
        "0.0.0.0 port 3333 is there twice; give each its own",
    )


def test_the_default_port_counts_too(tmp_path: Path) -> None:
    more = listeners("port: 3333", "difficulty: {start: 2}")
    key, line, _ = only_problem(tmp_path, text_of(more=more))
    assert (key, line) == ("stratum.listeners.1.port", 12)  # the entry's line: the key is not in the file


def test_one_port_at_two_addresses_is_two_places(tmp_path: Path) -> None:
    more = listeners("address: 127.0.0.1, port: 3333", "address: '::1', port: 3333")
    assert len(loaded(tmp_path, text_of(more=more)).stratum.listeners) == 2


def test_any_number_of_listeners_may_take_any_free_port(tmp_path: Path) -> None:
    assert len(loaded(tmp_path, text_of(more=listeners("port: 0", "port: 0"))).stratum.listeners) == 2


@pytest.mark.parametrize(
    ("difficulty", "numbers"),
    [
        ("start: 1, minimum: 2", "minimum 2, start 1, maximum 1e+12"),
        ("start: 0.5", "minimum 1, start 0.5, maximum 1e+12"),
        ("start: 4, maximum: 2", "minimum 1, start 4, maximum 2"),
        ("start: 4, minimum: 8, maximum: 2", "minimum 8, start 4, maximum 2"),
    ],
)
def test_difficulties_that_do_not_go_up_are_refused(tmp_path: Path, difficulty: str, numbers: str) -> None:
    assert only_problem(tmp_path, text_of(more=listeners(f"difficulty: {{{difficulty}}}"))) == (
        "stratum.listeners.0.difficulty",
        11,
        f"must go up: {numbers} do not",
    )


def test_three_equal_difficulties_are_a_fixed_one(tmp_path: Path) -> None:
    more = listeners("difficulty: {start: 8, minimum: 8, maximum: 8}")
    assert loaded(tmp_path, text_of(more=more)).stratum.listeners[0].difficulty.start == 8


# ---------------------------------------------------------------------- the notify socket's path


@pytest.mark.parametrize(
    "text",
    [
        f"notify_socket: /{'s' * 106}\n",
        f"data_directory: /{'d' * 94}\n",  # and 12 of /notify.sock
        f"data_directory: /{'d' * 300}\nnotify_socket: /run/notify.sock\n",
    ],
    ids=["socket", "directory", "socket elsewhere"],
)
def test_a_socket_path_of_107_bytes_fits(tmp_path: Path, text: str) -> None:
    loaded(tmp_path, text_of(more=text))


@pytest.mark.parametrize(
    ("text", "key", "length", "remedy"),
    [
        (f"notify_socket: /{'s' * 107}\n", "notify_socket", 108, "choose a shorter path"),
        (f"notify_socket: /{'ü' * 54}\n", "notify_socket", 109, "choose a shorter path"),
        (
            f"data_directory: /{'d' * 95}\n",
            "data_directory",
            108,
            "choose a shorter path, or set notify_socket to one",
        ),
    ],
    ids=["socket", "two bytes a letter", "directory"],
)
def test_a_socket_path_that_the_kernel_would_refuse_is_told(
    tmp_path: Path, text: str, key: str, length: int, remedy: str
) -> None:
    assert only_problem(tmp_path, text_of(more=text)) == (
        key,
        9,
        f"puts the notify socket at a path of {length} bytes, and a socket's may have 107; {remedy}",
    )


def test_the_longest_path_that_is_let_through_can_be_bound() -> None:
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound,
    ):
        path = f"{folder}/".ljust(LONGEST_SOCKET_PATH_BYTES, "s")
        bound.bind(path)
        with pytest.raises(OSError, match="too long"):
            bound.bind(path + "s")


def test_a_relative_socket_path_is_measured_from_the_root(tmp_path: Path) -> None:
    name = "s" * (107 - len(f"{tmp_path}/"))
    loaded(tmp_path, text_of(more=f"notify_socket: {name}\n"))
    assert only_problem(tmp_path, text_of(more=f"notify_socket: {name}s\n"))[:2] == ("notify_socket", 9)


# ---------------------------------------------------------------------- all rules, and what they need


def test_an_unknown_key_in_each_section_hides_no_rule(tmp_path: Path) -> None:
    text = text_of(
        coin="litecoin",
        network="signet",
        payout="  scheme: pplns\n  zzz: 1\n",
        login="    zzz: 1\n",
        more="zzz: 1\ntrust_stricter_target: true\n"
        + listeners("address: x, zzz: 1, difficulty: {zzz: 1, start: 0.1}"),
    )
    assert places(tmp_path, text) == [
        ("network", 2),
        ("payout.address", 3),
        ("payout.zzz", 5),
        ("nodes.0", 7),
        ("nodes.0.zzz", 9),
        ("zzz", 10),
        ("trust_stricter_target", 11),
        ("stratum.listeners.0.zzz", 14),
        ("stratum.listeners.0.difficulty.zzz", 14),
        ("stratum.listeners.0.address", 14),
        ("stratum.listeners.0.difficulty", 14),
    ]


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"coin": "dogecoin", "network": "testnet4"}, "coin"),
        ({"network": "mian", "more": "trust_stricter_target: true\n"}, "network"),
        ({"network": "mainnet", "more": "trust_stricter_target: 1\n"}, "trust_stricter_target"),
        ({"payout": "  scheme: 1\n"}, "payout.scheme"),
        ({"payout": f"  scheme: solo\n  address: [{PLACEHOLDER_ADDRESS}]\n"}, "payout.address"),
        ({"payout": "  scheme: pplns\n  address: 7\n"}, "payout.address"),
        ({"login": "    cookie_file: 7\n"}, "nodes.0.cookie_file"),
        ({"login": USER + "    password_file: 7\n"}, "nodes.0.password_file"),
        ({"login": "    user: 7\n" + PASSWORD_ENVIRONMENT}, "nodes.0.user"),
        ({"more": listeners("address: 7")}, "stratum.listeners.0.address"),
        ({"more": listeners("port: x", "port: 3333")}, "stratum.listeners.0.port"),
        ({"more": listeners("difficulty: {start: x, maximum: 2}")}, "stratum.listeners.0.difficulty.start"),
        ({"more": listeners("difficulty: 7")}, "stratum.listeners.0.difficulty"),
        ({"more": f"data_directory: /{'d' * 95}\nnotify_socket: 7\n"}, "notify_socket"),
        ({"more": "data_directory: 7\n"}, "data_directory"),
    ],
)
def test_a_value_that_cannot_be_is_one_problem_and_no_rule_guesses_it(
    tmp_path: Path, settings: dict[str, str], place: str
) -> None:
    assert only_problem(tmp_path, text_of(**settings))[0] == place


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"login": "    cookie_fil: .cookie\n"}, "nodes.0.cookie_fil"),
        ({"login": USER + "    password_env: RPC_PASSWORD\n"}, "nodes.0.password_env"),
        ({"login": USER + "    password: hunter2\n"}, "nodes.0.password"),
        ({"login": "    usr: engineroom\n" + PASSWORD_ENVIRONMENT}, "nodes.0.usr"),
        ({"payout": "  scheme: pplns\n  adress: bcrt1qx\n"}, "payout.adress"),
        ({"more": listeners("port: 3333", "prot: 3334")}, "stratum.listeners.1.prot"),
        ({"more": listeners("difficulty: {strat: 8, maximum: 9}")}, "stratum.listeners.0.difficulty.strat"),
        ({"more": f"data_directory: /{'d' * 95}\nnotify_sockt: /run/x\n"}, "notify_sockt"),
    ],
)
def test_a_mistyped_key_is_not_told_again_as_a_missing_one(
    tmp_path: Path, settings: dict[str, str], place: str
) -> None:
    """The default that stands in its place is not what was written."""
    assert only_problem(tmp_path, text_of(**settings))[0] == place


def test_a_mistyped_key_beside_the_right_one_takes_nothing_from_it(tmp_path: Path) -> None:
    more = listeners("difficulty: {start: 0.5, strat: 8}")
    assert places(tmp_path, text_of(more=more)) == [
        ("stratum.listeners.0.difficulty.strat", 11),
        ("stratum.listeners.0.difficulty", 11),
    ]


def test_a_value_that_cannot_be_hides_no_rule_about_the_others(tmp_path: Path) -> None:
    text = text_of(
        payout=f"  scheme: 7\n  address: {PLACEHOLDER_ADDRESS}\n",
        login=COOKIE
        + "  - 7\n"
        + "  - name: not a name\n    url: http://127.0.0.1:18444\n    user: x\n"
        + "  - name: local\n    url: 7\n"
        + COOKIE,
        more=listeners(
            "address: x, port: x", "port: 1, difficulty: {start: x, minimum: 3, maximum: 2}", "port: 1"
        ),
    )
    assert places(tmp_path, text) == [
        ("payout.scheme", 4),
        ("payout.address", 5),
        ("nodes.1", 10),
        ("nodes.2.name", 11),
        ("nodes.2", 11),
        ("nodes.3.name", 14),
        ("nodes.3.url", 15),
        ("stratum.listeners.0.port", 19),
        ("stratum.listeners.0.address", 19),
        ("stratum.listeners.1.difficulty.start", 20),
        ("stratum.listeners.1.difficulty", 20),
        ("stratum.listeners.2.port", 21),
    ]
    told = {problem.key_path: problem.message for problem in problems(tmp_path, text)}
    assert told["stratum.listeners.1.difficulty"] == "must go up: minimum 3, maximum 2 do not"


def test_too_many_entries_are_looked_at_all_the_same(tmp_path: Path) -> None:
    more = "".join(f"  - name: n{n}\n    url: http://127.0.0.1:1\n{COOKIE}" for n in range(7)) + (
        "  - name: n0\n    url: http://127.0.0.1:1\n"
    )
    assert places(tmp_path, text_of(more=more)) == [
        ("nodes", 5),
        ("nodes.8", 30),
        ("nodes.8.name", 30),
    ]


def test_all_rules_are_told_at_once(tmp_path: Path) -> None:
    text = text_of(
        coin="litecoin",
        network="signet",
        payout="  scheme: pplns\n",
        login=USER,
        more="trust_stricter_target: true\n" + listeners("address: x, difficulty: {start: 0.1}"),
    )
    assert [problem.key_path for problem in problems(tmp_path, text)] == [
        "network",
        "payout.address",
        "nodes.0",
        "trust_stricter_target",
        "stratum.listeners.0.address",
        "stratum.listeners.0.difficulty",
    ]


# ---------------------------------------------------------------------- slots


@pytest.mark.parametrize("seconds", [1, 10, 12, 60, 3600])
def test_slots_that_make_up_an_hour_load(tmp_path: Path, seconds: int) -> None:
    settings = loaded(tmp_path, text_of(more=f"accounting: {{slot_seconds: {seconds}}}\n"))
    assert settings.accounting.slot_seconds == seconds


@pytest.mark.parametrize("seconds", [7, 11, 3599])
def test_slots_that_do_not_make_up_an_hour_are_refused(tmp_path: Path, seconds: int) -> None:
    key, _, message = only_problem(tmp_path, text_of(more=f"accounting: {{slot_seconds: {seconds}}}\n"))
    assert key == "accounting.slot_seconds"
    assert f"is {seconds}, and an hour is no multiple of that" in message
