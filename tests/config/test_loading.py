"""Reading a settings file: every error with its key and line, all of them at once, and no secret in any of
them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config.loading import LARGEST_FILE_BYTES, load
from config.problems import Problem, SettingsError, render_problems
from config.schema import ListenerSettings, Settings
from config.secret import Secret

# Nothing but what has no default, on a network whose coins cost nothing: eight lines.
MINIMAL = """\
coin: bitcoin
network: regtest
payout:
  scheme: solo
nodes:
  - name: local
    url: http://127.0.0.1:18443
    cookie_file: node/.cookie
"""
WITH_PASSWORD = MINIMAL.replace("    cookie_file: node/.cookie\n", "    user: engineroom\n")

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_settings(content: str | bytes) -> Path:
        path = tmp_path / "engineroom.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_settings


def problems_of(path: Path, environment: Mapping[str, str] | None = None) -> list[Problem]:
    with pytest.raises(SettingsError) as refused:
        load(path, environment or {})
    return refused.value.problems


def only_problem_of(path: Path, environment: Mapping[str, str] | None = None) -> tuple[str, int | None, str]:
    (problem,) = problems_of(path, environment)
    return problem.key_path, problem.line, problem.message


# ---------------------------------------------------------------------- what loads


def test_the_least_that_loads_has_the_defaults_for_the_rest(write: Write) -> None:
    settings = load(write(MINIMAL), {})
    assert (settings.coin, settings.network, settings.payout.scheme) == ("bitcoin", "regtest", "solo")
    assert settings.coinbase.tag == "/engineroom/"
    assert settings.data_directory == "/var/lib/engineroom"
    assert settings.stratum.listeners == (ListenerSettings(),)
    assert settings.stratum.listeners[0].port == 3333
    assert settings.nodes[0].password is None


def test_a_heading_whose_keys_are_all_commented_out_is_the_defaults(write: Write) -> None:
    text = MINIMAL + "coinbase:\n  # tag: /us/\nlog:\n"
    assert load(write(text), {}) == load(write(MINIMAL), {})


def test_lists_and_sections_are_read_to_their_depth(write: Write) -> None:
    text = (
        MINIMAL
        + "stratum:\n  listeners:\n    - port: 1\n"
        + "    - {address: '::', port: 2, difficulty: {start: 0.5, minimum: 0.1}}\n"
    )
    first, second = load(write(text), {}).stratum.listeners
    assert (first.address, first.port, first.difficulty.start) == ("0.0.0.0", 1, 16384)
    assert (second.address, second.port, second.difficulty.start) == ("::", 2, 0.5)


@pytest.mark.parametrize(
    "content",
    [
        MINIMAL.replace("\n", "\r\n"),
        "\ufeff" + MINIMAL,
        "---\n" + MINIMAL + "...\n",
        "%YAML 1.2\n---\n" + MINIMAL,
        "# Überschrift\n" + MINIMAL,
    ],
    ids=["crlf", "byte order mark", "document marks", "directive", "comment"],
)
def test_editors_may_dress_the_file_as_they_like(write: Write, content: str) -> None:
    assert load(write(content), {}) == load(write(MINIMAL), {})


def test_a_list_can_be_written_once_and_named_twice(write: Write) -> None:
    """Anchors and merges are YAML; only a bomb of them is refused."""
    text = MINIMAL + (
        "stratum:\n"
        "  listeners:\n"
        "    - port: 1\n"
        "      difficulty: &small {start: 2, minimum: 1}\n"
        "    - port: 2\n"
        "      difficulty: *small\n"
        "    - port: 3\n"
        "      difficulty: {<<: *small, start: 4}\n"
    )
    listeners = load(write(text), {}).stratum.listeners
    assert [listener.difficulty.start for listener in listeners] == [2, 2, 4]


# YAML 1.2's core schema; YAML 1.1 had yes, on and sixty-based numbers, and 012 was ten.
@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "y", "n", "No", "NO"])
def test_the_words_that_were_booleans_once_are_text(write: Write, word: str) -> None:
    assert load(write(MINIMAL + f"coinbase:\n  tag: {word}\n"), {}).coinbase.tag == word
    assert only_problem_of(write(MINIMAL + f"trust_stricter_target: {word}\n")) == (
        "trust_stricter_target",
        9,
        f"is {word!r}; it must be true or false",
    )


@pytest.mark.parametrize(
    ("written", "seconds"), [("012", 12), ("0o12", 10), ("0x10", 16), ("1e2", 100), ("2.5", 2.5)]
)
def test_numbers_are_those_of_yaml_1_2(write: Write, written: str, seconds: float) -> None:
    assert load(write(MINIMAL + f"drain_seconds: {written}\n"), {}).drain_seconds == seconds


def test_a_colon_makes_no_number_of_minutes(write: Write) -> None:
    assert only_problem_of(write(MINIMAL + "drain_seconds: 1:30\n"))[2] == (
        "is '1:30'; it must be a number from 0 to 3600"
    )


# ---------------------------------------------------------------------- paths


def test_relative_paths_are_relative_to_the_files_folder(write: Write, tmp_path: Path) -> None:
    text = MINIMAL + "data_directory: data\nnotify_socket: run/notify.sock\n"
    settings = load(write(text), {})
    assert settings.data_directory == f"{tmp_path}/data"
    assert settings.notify_socket == f"{tmp_path}/run/notify.sock"
    assert settings.nodes[0].cookie_file == f"{tmp_path}/node/.cookie"


def test_absolute_paths_and_the_home_folder_stay_what_they_are(write: Write) -> None:
    text = MINIMAL.replace("node/.cookie", "~/.bitcoin/.cookie") + "data_directory: /srv/pool\n"
    settings = load(write(text), {})
    assert settings.data_directory == "/srv/pool"
    assert settings.nodes[0].cookie_file == str(Path.home() / ".bitcoin/.cookie")


def test_without_a_notify_socket_there_is_no_path(write: Write) -> None:
    assert load(write(MINIMAL), {}).notify_socket is None


@pytest.mark.parametrize("key", ["data_directory", "notify_socket"])
def test_the_folder_of_somebody_unknown_is_told(write: Write, key: str) -> None:
    assert only_problem_of(write(MINIMAL + f"{key}: ~no-such-user/pool\n")) == (
        key,
        9,
        "is '~no-such-user/pool', and this machine does not know whose folder that is",
    )


def test_a_cookie_in_the_folder_of_somebody_unknown_is_one_problem(write: Write) -> None:
    path = write(MINIMAL.replace("node/.cookie", "~no-such-user/.cookie"))
    assert only_problem_of(path)[:2] == ("nodes.0.cookie_file", 8)


# ---------------------------------------------------------------------- secrets


def test_a_password_comes_from_a_file_beside_the_settings(write: Write, tmp_path: Path) -> None:
    (tmp_path / "rpc.password").write_text("correct horse \n")
    settings = load(write(WITH_PASSWORD + "    password_file: rpc.password\n"), {})
    assert settings.nodes[0].password == Secret("correct horse ")  # only the line's end is cut off
    assert settings.nodes[0].password_file == f"{tmp_path}/rpc.password"


def test_a_password_comes_from_the_environment(write: Write) -> None:
    path = write(WITH_PASSWORD + "    password_environment: RPC_PASSWORD\n")
    settings = load(path, {"RPC_PASSWORD": "correct horse"})
    assert settings.nodes[0].password == Secret("correct horse")


def test_a_password_does_not_show_in_what_is_printed_of_the_settings(write: Write) -> None:
    path = write(WITH_PASSWORD + "    password_environment: RPC_PASSWORD\n")
    settings = load(path, {"RPC_PASSWORD": "correct horse"})
    password = settings.nodes[0].password
    assert password is not None
    assert password.reveal() == "correct horse"
    for shown in (
        repr(settings),
        str(settings),
        f"{settings.nodes}",
        repr(password),
        str(password),
        f"{password}",
    ):
        assert "horse" not in shown
    assert "Secret(hidden)" in repr(settings)


def test_secrets_are_equal_where_they_hold_the_same() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_an_inline_password_is_refused_and_not_repeated(write: Write) -> None:
    key, line, message = only_problem_of(write(WITH_PASSWORD + "    password: hunter2\n"))
    assert (key, line) == ("nodes.0.password", 9)
    assert message == "a secret does not belong into this file; use password_file or password_environment"


@pytest.mark.parametrize(
    "line",
    [
        "    password: hunter2\n    password: hunter2x\n",
        "    pasword: hunter2\n",
        "    rpcpassword: hunter2\n",
        "    password: [hunter2]\n",
        "    password: {is: hunter2}\n",
    ],
    ids=["twice", "misspelt", "bitcoin.conf's name", "list", "section"],
)
def test_no_way_of_writing_a_password_into_the_file_gets_it_printed(write: Write, line: str) -> None:
    path = write(WITH_PASSWORD + line)
    printed = render_problems(problems_of(path), path)
    assert "hunter2" not in printed
    assert "password" in printed or "pasword" in printed


def test_a_password_within_the_url_is_refused_and_not_printed(write: Write) -> None:
    path = write(MINIMAL.replace("http://127", "http://engineroom:hunter2@127"))
    key, line, message = only_problem_of(path)
    assert (key, line) == ("nodes.0.url", 7)
    assert message.startswith("holds an @; it must be text like the description says: ")
    assert "hunter2" not in message


@pytest.mark.parametrize("environment", [{}, {"RPC_PASSWORD": ""}, {"OTHER": "x"}])
def test_an_environment_variable_that_is_not_set_is_told(write: Write, environment: dict[str, str]) -> None:
    path = write(WITH_PASSWORD + "    password_environment: RPC_PASSWORD\n")
    assert only_problem_of(path, environment) == (
        "nodes.0.password_environment",
        9,
        "the environment variable RPC_PASSWORD is not set",
    )


def test_a_password_file_that_is_missing_is_told(write: Write, tmp_path: Path) -> None:
    path = write(WITH_PASSWORD + "    password_file: rpc.password\n")
    assert only_problem_of(path) == (
        "nodes.0.password_file",
        9,
        f"cannot read {tmp_path}/rpc.password: no such file or directory",
    )


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "it is not UTF-8 text")]
)
def test_a_password_file_that_holds_none_is_told(
    write: Write, tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "rpc.password").write_bytes(content)
    key, line, message = only_problem_of(write(WITH_PASSWORD + "    password_file: rpc.password\n"))
    assert (key, line) == ("nodes.0.password_file", 9)
    assert message.endswith(reason)


def test_a_password_files_path_that_no_file_can_have_is_told(write: Write) -> None:
    path = write(WITH_PASSWORD + '    password_file: "rpc\\0password"\n')
    assert only_problem_of(path)[:2] == ("nodes.0.password_file", 9)


def test_each_nodes_secret_is_looked_for_whatever_else_is_wrong(write: Write) -> None:
    text = (
        "coin: dogecoin\n"
        + WITH_PASSWORD.partition("\n")[2].replace("name: local", "name: not a name")
        + "    password_environment: RPC_PASSWORD\n"
        + "  - name: second\n    uri: http://127.0.0.1:1\n    user: x\n    password_file: none\n"
        + "  - 7\n"
    )
    assert [(problem.key_path, problem.line) for problem in problems_of(write(text))] == [
        ("coin", 1),
        ("nodes.0.name", 6),
        ("nodes.0.password_environment", 9),
        ("nodes.1.url", 10),  # missing
        ("nodes.1.uri", 11),
        ("nodes.1.password_file", 13),
        ("nodes.2", 14),
    ]


# ---------------------------------------------------------------------- the file as a whole


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert only_problem_of(tmp_path / "none.yaml") == ("", None, "cannot be read: no such file or directory")


def test_a_directory_is_told(tmp_path: Path) -> None:
    assert only_problem_of(tmp_path) == ("", None, "this is a directory, not a settings file")


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing but this\n", "---\n"])
def test_an_empty_file_is_told_where_to_begin(write: Write, content: str) -> None:
    assert only_problem_of(write(content)) == (
        "",
        None,
        "the file is empty; `engineroom config example` prints one to start from",
    )


@pytest.mark.parametrize("content", ["- a\n- b\n", "just text\n", "3\n", "true\n", "[]\n"])
def test_a_file_that_holds_no_keys_is_told_what_it_should(write: Write, content: str) -> None:
    key, line, message = only_problem_of(write(content))
    assert (key, line) == ("", None)
    assert message.startswith("a settings file is a list of `key: value` lines")


def test_text_that_is_not_utf8_is_told_with_its_line(write: Write) -> None:
    assert only_problem_of(write(b"coin: bitcoin\n# K\xfche\n")) == ("", 2, "the file is not UTF-8 text")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("coin: [bitcoin\nnetwork: regtest\n", 2),
        ("coin: bitcoin\n\tnetwork: regtest\n", 2),
        ("coin: 'bitcoin\n", 2),
        ("coin: *none\n", 1),
        (MINIMAL + "- stray\n", 9),
        (MINIMAL + "---\ncoin: litecoin\n", 9),
        ("coin: bit\x00coin\n", None),
    ],
    ids=["bracket", "tab", "quote", "alias", "list", "second document", "control character"],
)
def test_what_is_not_yaml_is_told_with_its_line(write: Write, content: str, line: int | None) -> None:
    key, found, message = only_problem_of(write(content))
    assert (key, found) == ("", line)
    assert message.startswith("this is not YAML: ")
    assert "\n" not in message


def test_a_key_written_twice_is_refused(write: Write) -> None:
    assert only_problem_of(write(MINIMAL + "coin: litecoin\n")) == (
        "",
        9,
        'found duplicate key "coin"; write every key once',
    )


def test_a_file_too_large_for_settings_is_refused_unread(write: Write) -> None:
    path = write(MINIMAL + "#" * LARGEST_FILE_BYTES)
    assert only_problem_of(path) == ("", None, "the file is larger than 1 MiB, which no settings file is")


def doubling_anchors(levels: int) -> str:
    """The billion laughs: each level holds the one before ten times."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        members = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{members}]")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "content",
    [
        doubling_anchors(9),
        "a: " + "[" * 60 + "]" * 60 + "\n",
        "x:\n" + "".join(f"  k{number}: 1\n" for number in range(10_001)),
    ],
    ids=["billion laughs", "sixty lists deep", "ten thousand keys"],
)
def test_a_bomb_is_refused_before_it_goes_off(write: Write, content: str) -> None:
    assert only_problem_of(write(content)) == (
        "",
        None,
        "the file nests deeper, or repeats itself more often, than any settings file does",
    )


def test_brackets_without_end_are_refused(write: Write) -> None:
    assert only_problem_of(write("a: " + "[" * 1_000))[2].startswith("this is not YAML")


@pytest.mark.parametrize("line", ["drain_seconds: !!set 1\n", "data_directory: !!omap x\n"])
def test_a_tag_that_does_not_fit_its_value_is_told(write: Write, line: str) -> None:
    assert only_problem_of(write(MINIMAL + line))[2].startswith("this is not YAML: ")


def test_a_list_that_holds_itself_is_refused(write: Write) -> None:
    assert only_problem_of(write(MINIMAL + "log: &a [*a]\n"))[:2] == ("log", 9)


def test_a_tag_constructs_nothing(write: Write) -> None:
    path = write(MINIMAL + "data_directory: !!python/object/apply:os.getcwd []\n")
    (problem,) = problems_of(path)
    assert (problem.key_path, problem.line) == ("data_directory", 9)


# ---------------------------------------------------------------------- keys and values


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("netwrok", "did you mean network?"),
        ("Payout", "did you mean payout?"),
        ("data_dir", "did you mean data_directory?"),
        ("drain-seconds", "did you mean drain_seconds?"),
        ("colour", "known here: coin, network, data_directory, database, "),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_known_one(write: Write, key: str, hint: str) -> None:
    path, line, message = only_problem_of(write(MINIMAL + f"{key}: 3\n"))
    assert (path, line) == (key, 9)
    assert message.startswith(f"there is no such setting; {hint}")


def test_an_unknown_key_deep_inside_is_told_with_its_path_and_line(write: Write) -> None:
    text = (
        MINIMAL
        + "stratum:\n  listeners:\n    - port: 1\n    - port: 2\n      difficulty:\n        strat: 2\n"
    )
    assert only_problem_of(write(text)) == (
        "stratum.listeners.1.difficulty.strat",
        14,
        "there is no such setting; did you mean start?",
    )


def test_a_secret_is_not_among_the_suggestions(write: Write) -> None:
    _, _, message = only_problem_of(write(MINIMAL + "    zzz: 1\n"))
    known = message.partition("known here: ")[2].split(", ")
    assert "password_file" in known
    assert "password" not in known


@pytest.mark.parametrize("key", ["1", "~", "[a, b]", "{a: b}", "true"])
def test_a_key_that_is_no_text_is_an_unknown_one(write: Write, key: str) -> None:
    (problem,) = problems_of(write(MINIMAL + f"? {key}\n: 3\n"))
    assert problem.message.startswith("there is no such setting")


@pytest.mark.parametrize(
    ("key", "place", "line", "prose"),
    [
        ("coin", "coin", 1, "What is mined."),
        ("payout", "payout", 1, "Who is paid for blocks, and how"),
        ("nodes", "nodes", 1, "Full nodes of your own, the preferred one first."),
    ],
)
def test_a_missing_key_is_told_with_its_meaning(
    write: Write, key: str, place: str, line: int, prose: str
) -> None:
    sections = {
        "coin": "coin: bitcoin\n",
        "payout": "payout:\n  scheme: solo\n",
        "nodes": MINIMAL[MINIMAL.index("nodes:") :],
    }
    assert only_problem_of(write(MINIMAL.replace(sections[key], ""))) == (place, line, f"is missing: {prose}")


def test_a_missing_key_of_a_list_entry_is_told_at_the_entry(write: Write) -> None:
    text = MINIMAL + "  - name: second\n    cookie_file: x\n"
    assert only_problem_of(write(text)) == (
        "nodes.1.url",
        9,
        "is missing: Where its RPC listens, without credentials: http://127.0.0.1:8332",
    )


@pytest.mark.parametrize(
    ("lines", "place", "line", "message"),
    [
        ("drain_seconds: soon\n", "drain_seconds", 9, "is 'soon'; it must be a number from 0 to 3600"),
        ("drain_seconds: '10'\n", "drain_seconds", 9, "is '10'; it must be a number from 0 to 3600"),
        ("drain_seconds: true\n", "drain_seconds", 9, "is true; it must be a number from 0 to 3600"),
        ("drain_seconds:\n", "drain_seconds", 9, "is empty; it must be a number from 0 to 3600"),
        ("drain_seconds: [1]\n", "drain_seconds", 9, "is a list; it must be a number from 0 to 3600"),
        ("drain_seconds: {a: 1}\n", "drain_seconds", 9, "is a section; it must be a number from 0 to 3600"),
        ("drain_seconds: -1\n", "drain_seconds", 9, "is -1; it must be a number from 0 to 3600"),
        ("drain_seconds: 3600.5\n", "drain_seconds", 9, "is 3600.5; it must be a number from 0 to 3600"),
        ("drain_seconds: .inf\n", "drain_seconds", 9, "is inf, which is no number to work with"),
        ("drain_seconds: .nan\n", "drain_seconds", 9, "is nan, which is no number to work with"),
        ("drain_seconds: 1e400\n", "drain_seconds", 9, "is inf, which is no number to work with"),
        (
            "template_refresh_seconds: 0.5\n",
            "template_refresh_seconds",
            9,
            "is 0.5; it must be a number from 1 to 60",
        ),
        ("trust_stricter_target: 1\n", "trust_stricter_target", 9, "is 1; it must be true or false"),
        ("data_directory: 7\n", "data_directory", 9, "is 7; it must be text, not empty"),
        (
            "log:\n  level: loud\n",
            "log.level",
            10,
            "is 'loud'; it must be one of debug, info, warning, error",
        ),
        ("log: debug\n", "log", 9, "is a section: write its keys below it, not 'debug'"),
        ("log: [debug]\n", "log", 9, "is a section: write its keys below it, not a list"),
        ("stratum:\n  listeners: 3333\n", "stratum.listeners", 10, "is a list: begin each entry with `- `"),
        ("stratum:\n  listeners: []\n", "stratum.listeners", 10, "has 0 entries; 1 to 16 are possible"),
        (
            "stratum:\n  listeners:\n    - 3333\n",
            "stratum.listeners.0",
            11,
            "is a section: write its keys below it, not 3333",
        ),
        (
            "stratum:\n  listeners:\n    - port: 65536\n",
            "stratum.listeners.0.port",
            11,
            "is 65536; it must be a whole number from 0 to 65535",
        ),
        (
            "stratum:\n  listeners:\n    - port: 33.3\n",
            "stratum.listeners.0.port",
            11,
            "is 33.3; it must be a whole number from 0 to 65535",
        ),
        (
            "stratum:\n  listeners:\n    - difficulty: {start: 0}\n",
            "stratum.listeners.0.difficulty.start",
            11,
            "is 0; it must be a number above 0, at most 1e+15",
        ),
    ],
)
def test_a_value_that_cannot_be_is_told_with_what_can(
    write: Write, lines: str, place: str, line: int, message: str
) -> None:
    assert only_problem_of(write(MINIMAL + lines)) == (place, line, message)


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ("coinbase:\n  tag: Küche\n", "coinbase.tag"),
        ("coinbase:\n  tag: " + "x" * 41 + "\n", "coinbase.tag"),
        ("coinbase:\n  tag: |\n    /us/\n", "coinbase.tag"),  # a block of text ends with a newline
        ("stratum:\n  version_rolling_mask: 0x1fffe000\n", "stratum.version_rolling_mask"),
        ("stratum:\n  version_rolling_mask: 1fffe\n", "stratum.version_rolling_mask"),
        (
            "stratum:\n  version_rolling_mask: 12345678\n",
            "stratum.version_rolling_mask",
        ),  # a number: quote it
        ("stratum:\n  version_rolling_mask: |\n    1fffe000\n", "stratum.version_rolling_mask"),
    ],
)
def test_text_that_has_not_its_form_is_told_what_form_that_is(write: Write, lines: str, place: str) -> None:
    key, line, message = only_problem_of(write(MINIMAL + lines))
    assert (key, line) == (place, 10)
    assert "; it must be text like the description says: " in message


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:18443",
        "ftp://127.0.0.1",
        "http://",
        "http://host/wallet/x",
        "http://a b",
        "'http://host\n\n'",
    ],
)
def test_a_url_that_is_none_is_refused(write: Write, url: str) -> None:
    key, line, _ = only_problem_of(write(MINIMAL.replace("http://127.0.0.1:18443", url)))
    assert (key, line) == ("nodes.0.url", 7)


def test_bounds_are_inclusive(write: Write) -> None:
    text = (
        MINIMAL
        + "drain_seconds: 3600\ntemplate_refresh_seconds: 1\nstratum:\n  listeners:\n    - port: 65535\n"
    )
    settings = load(write(text), {})
    assert (settings.drain_seconds, settings.template_refresh_seconds) == (3600, 1)
    assert settings.stratum.listeners[0].port == 65535
    assert len(load(write(MINIMAL + "coinbase:\n  tag: " + "x" * 40 + "\n"), {}).coinbase.tag) == 40


def test_too_many_entries_are_told(write: Write) -> None:
    entries = "".join(f"    - port: {port}\n" for port in range(1, 18))
    assert only_problem_of(write(MINIMAL + "stratum:\n  listeners:\n" + entries)) == (
        "stratum.listeners",
        10,
        "has 17 entries; 1 to 16 are possible",
    )


# ---------------------------------------------------------------------- all at once


def test_every_problem_is_told_in_the_order_of_the_file(write: Write) -> None:
    text = (
        "coin: dogecoin\n"
        "network: regtest\n"
        "payuot:\n"
        "  scheme: solo\n"
        "nodes:\n"
        "  - name: spaces are not allowed\n"
        "    url: http://127.0.0.1:18443\n"
        "    password: hunter2\n"
        "drain_seconds: -1\n"
    )
    assert [(problem.key_path, problem.line) for problem in problems_of(write(text))] == [
        ("coin", 1),
        ("payout", 1),  # missing, and so without a line of its own
        ("payuot", 3),
        ("nodes.0.name", 6),
        ("nodes.0.password", 8),
        ("drain_seconds", 9),
    ]


def test_rules_secrets_and_further_checks_are_told_together(write: Write) -> None:
    text = (
        WITH_PASSWORD
        + "    password_environment: RPC_PASSWORD\n"
        + "stratum:\n  listeners:\n    - address: nowhere\ncoinbase:\n  tag: /x/\n"
    )

    def further(settings: Settings) -> list[Problem]:
        return [Problem("coinbase.tag", None, f"{settings.coinbase.tag} is nobody's name")]

    with pytest.raises(SettingsError) as refused:
        load(write(text), {}, further)
    assert [(problem.key_path, problem.line) for problem in refused.value.problems] == [
        ("nodes.0.password_environment", 9),
        ("stratum.listeners.0.address", 12),
        ("coinbase.tag", 14),
    ]


def test_a_further_problem_at_a_key_that_is_told_already_is_left_out(write: Write) -> None:
    path = write(MINIMAL.replace("scheme: solo", "scheme: pplns"))

    def further(_: Settings) -> list[Problem]:
        return [Problem("payout.address", None, "cannot be an address")]

    with pytest.raises(SettingsError) as refused:
        load(path, {}, further)
    (problem,) = refused.value.problems
    assert problem.message.startswith("is missing")
    assert problem.line == 3  # of the section: the key itself is nowhere


def test_a_further_problem_at_a_value_that_cannot_be_is_left_out(write: Write) -> None:
    def further(_: Settings) -> list[Problem]:
        return [Problem("coinbase.tag", None, "is nobody's name")]

    with pytest.raises(SettingsError) as refused:
        load(write(MINIMAL + "coinbase:\n  tag: 7\n"), {}, further)
    (problem,) = refused.value.problems
    assert problem.message.startswith("is 7; ")


def test_a_further_check_that_needs_what_cannot_be_used_is_not_asked(write: Write) -> None:
    def further(settings: Settings) -> list[Problem]:
        return [Problem("coinbase.tag", None, f"{settings.coinbase.tag} is nobody's name")]

    with pytest.raises(SettingsError) as refused:
        load(write(MINIMAL + "coinbase:\n  tag: 7\n"), {}, further)
    (problem,) = refused.value.problems
    assert problem.message.startswith("is 7; ")


def test_problems_are_printed_as_editors_understand_them(write: Write) -> None:
    path = write(MINIMAL + "log:\n  level: loud\n")
    assert render_problems(problems_of(path), path) == (
        f"{path}:10: log.level: is 'loud'; it must be one of debug, info, warning, error"
    )
    missing = path.with_name("none.yaml")
    assert (
        render_problems(problems_of(missing), missing)
        == f"{missing}: cannot be read: no such file or directory"
    )


def test_the_error_itself_names_what_is_wrong(write: Write) -> None:
    with pytest.raises(SettingsError, match=r"log\.level: is 'loud'"):
        load(write(MINIMAL + "log:\n  level: loud\n"), {})


# ---------------------------------------------------------------------- anything


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text("ab:-#&*!|>'\"%@`{}[], \n\t0", max_size=12)
)
lines = st.tuples(
    st.sampled_from(
        ["coin", "nodes", "- name", "  url", "    password", "stratum", "  listeners", "&a x", "<<"]
    ),
    st.sampled_from([": ", ":", ":\n  - ", ": *a", ": &a ", ": !!set "]),
    scalars.map(str),
).map("".join)


@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.ReusedAnchorWarning")
@given(content=st.lists(lines, max_size=8).map("\n".join) | st.text(max_size=60))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_file_holds_its_problems_are_a_list(write: Write, content: str) -> None:
    path = write(content.encode("utf-8", "surrogatepass"))
    problems: list[Any] = problems_of(path)
    assert problems
    assert render_problems(problems, path)


@pytest.mark.parametrize("key", ["data_directory", "notify_socket"])
def test_an_empty_path_is_not_the_settings_own_folder(write: Write, key: str) -> None:
    key_path, _, message = only_problem_of(write(MINIMAL + f'{key}: ""\n'))
    assert (key_path, message) == (key, "is ''; it must be text, not empty")


@pytest.mark.parametrize("key", ["notify_socket"])
def test_a_key_whose_value_was_blanked_is_not_set(write: Write, key: str) -> None:
    assert getattr(load(write(MINIMAL + f"{key}:\n"), {}), key) is None


@pytest.mark.parametrize("key", ["zmq_hashblock", "user", "password_file", "password_environment"])
def test_a_blanked_key_of_a_node_is_not_set(write: Write, key: str) -> None:
    assert getattr(load(write(MINIMAL + f"    {key}: null\n"), {}).nodes[0], key) is None


def test_a_blanked_cookie_file_leaves_the_node_without_a_way_in(write: Write) -> None:
    key_path, _, message = only_problem_of(
        write(MINIMAL.replace("cookie_file: node/.cookie", "cookie_file:"))
    )
    assert key_path == "nodes.0"
    assert message.startswith("needs a cookie_file")
