"""The worked examples of docs/payouts.md do what they show; there is one for each scheme."""

import doctest
import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from config.payout_schema import PayoutSettings

DOCUMENT = Path(__file__).parents[2] / "docs/payouts.md"
SECTIONS = {  # by heading: all of its code
    part.partition("\n")[0]: "".join(re.findall(r"^```python\n(.*?)^```", part, re.DOTALL | re.MULTILINE))
    for part in re.split(r"^## ", DOCUMENT.read_text(), flags=re.MULTILINE)[1:]
}


def failures_in(code: str, name: str) -> str:
    """What doctest has to say about examples that share one namespace; nothing where all are right."""
    test = doctest.DocTestParser().get_doctest(code, {}, name, str(DOCUMENT), 0)
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    return "".join(said)


@pytest.mark.parametrize("heading", [heading for heading, code in SECTIONS.items() if ">>>" in code])
def test_what_an_example_shows_is_what_the_code_does(heading: str) -> None:
    assert failures_in(SECTIONS[heading], heading) == ""


def test_each_scheme_has_an_example() -> None:
    schemes = get_args(get_type_hints(PayoutSettings)["scheme"])
    assert "pplns" in schemes
    for scheme in schemes:
        assert ">>>" in SECTIONS[scheme]


def test_an_example_that_is_wrong_is_noticed() -> None:
    assert "Expected:\n    3\nGot:\n    2\n" in failures_in(">>> 1 + 1\n3\n", "wrong")
