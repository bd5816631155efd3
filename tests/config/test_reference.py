"""The reference file: what is shipped is what the schema says, complete, and it loads."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest

import config
from config.loading import load
from config.payout_schema import PayoutSettings, WalletSettings
from config.problems import SettingsError
from config.reference import WIDTH, reference_yaml
from config.schema import ListenerSettings, NodeSettings, Settings
from config.secret import Secret

EXAMPLES = Path(config.__file__).parent / "examples"
REFERENCE = EXAMPLES / "reference.yaml"
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"  # BIP 173, on regtest


def test_the_shipped_file_is_the_generated_one() -> None:
    assert REFERENCE.read_text("utf-8") == reference_yaml()


def test_it_loads_as_it_stands_and_holds_the_defaults() -> None:
    settings = load(REFERENCE, {})
    node = NodeSettings(
        name="local", url="http://127.0.0.1:18443", cookie_file="/var/lib/bitcoin/regtest/.cookie"
    )
    assert settings == Settings(coin="bitcoin", network="regtest", payout=settings.payout, nodes=(node,))
    assert settings.payout == PayoutSettings(address=ADDRESS, wallet=WalletSettings())
    assert settings.stratum.listeners == (ListenerSettings(),)


def uncommented() -> str:
    """Every setting that is shown with its default, switched on; prose stays what it is."""
    return re.sub(r"(?m)^( *)# ([a-z_]+: .+)$", r"\1\2", _without_prose())


def _without_prose() -> str:
    """Prose ends with a sentence's end or goes on below; a setting is one key of the schema and its value."""
    names = set(every_name(Settings))
    kept = []
    for line in reference_yaml().splitlines():
        comment = re.fullmatch(r" *# ([a-z_]+):(?: \S.*)?", line)
        if line.lstrip().startswith("#") and (comment is None or comment[1] not in names):
            continue
        kept.append(line)
    return "\n".join(kept) + "\n"


def every_name(struct: type[msgspec.Struct]) -> Iterator[str]:
    hints = get_type_hints(struct)
    for field in msgspec.structs.fields(struct):
        if hints[field.name] == Secret | None:
            continue
        yield field.encode_name
        for inner in (hints[field.name], *get_args(hints[field.name])):
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                yield from every_name(inner)


def test_switching_on_every_shown_default_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "engineroom.yaml"
    path.write_text(uncommented(), "utf-8")
    assert "\ndrain_seconds: 10\n" in uncommented()
    assert "\n        maximum: 1000000000000.0\n" in uncommented()
    assert load(path, {}) == load(REFERENCE, {})


@pytest.mark.parametrize("name", sorted(set(every_name(Settings))))
def test_every_setting_is_in_it(name: str) -> None:
    assert re.search(rf"(?m)^[ #-]*{name}:", reference_yaml())


def test_no_inline_password_is_offered() -> None:
    assert re.search(r"(?m)^[ #-]*password:", reference_yaml()) is None


def test_bounds_and_choices_are_told() -> None:
    text = reference_yaml()
    assert "# The TCP port; 0 takes any free one. (from 0 to 65535)" in text
    assert "# How often new transactions are picked up between blocks. (from 1 to 60)" in text
    assert "# What is mined. One of bitcoin, litecoin." in text


def test_its_lines_fit_a_terminal() -> None:
    assert max(len(line) for line in reference_yaml().splitlines()) <= WIDTH


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_lacks_nothing_but_what_only_its_operator_knows(path: Path) -> None:
    """An address, and a password: everything else in it loads."""
    try:
        load(path, {})
    except SettingsError as refused:
        keys = {problem.key_path.rpartition(".")[2] for problem in refused.problems}
    else:
        keys = set()
    assert keys <= {"address", "password_file", "password_environment"}
