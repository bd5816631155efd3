"""The PromQL in files of Prometheus rules: of alerts, of recordings, of the queries in an alert's texts."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.deploy.promql import Expression

ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`')
VERBS = {"%q": '".*"', "%s": ".*", "%v": ".*", "%d": "1"}


def rule_expressions(path: Path) -> list[Expression]:
    """All PromQL of one file; ValueError for a query in an alert's text that cannot be read off it."""
    found = []
    for group, rule in _rules(path):
        where = f"{path.name}: {group} / {rule.get('alert') or rule.get('record')}"
        found.append(Expression(where, str(rule["expr"])))
        texts = [*rule.get("annotations", {}).values(), *rule.get("labels", {}).values()]
        found += [Expression(f"{where}, in a text of it", query) for query in _queries(texts)]
    return found


def alerts(path: Path) -> dict[str, Mapping[str, Any]]:
    """The file's alerts by name, as they stand in it."""
    return {str(rule["alert"]): rule for _, rule in _rules(path) if "alert" in rule}


def recordings(path: Path) -> dict[str, str]:
    """What the file's recording rules compute, by the name that they give it."""
    return {str(rule["record"]): str(rule["expr"]) for _, rule in _rules(path) if "record" in rule}


def recorded_names(path: Path) -> set[str]:
    """The metrics that the file's recording rules make, which nobody exposes."""
    return set(recordings(path))


def _rules(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for group in YAML(typ="safe").load(path)["groups"]:
        for rule in group["rules"]:
            yield group["name"], rule


def _queries(texts: list[str]) -> Iterator[str]:
    """{{ query "…" }} and {{ printf "…%q…" $labels.site | query }}: the first literal of such an action."""
    for text in texts:
        for action in ACTION.findall(str(text)):
            if not re.search(r"\bquery\b", LITERAL.sub("", action)):
                continue
            literal = LITERAL.search(action)
            if literal is None:
                raise ValueError(f"which query is this: {action!r}")
            query = literal[0][1:-1] if literal[0].startswith("`") else json.loads(literal[0])
            if "printf" in action[: literal.start()]:
                query = re.sub("%[qsvd]", lambda verb: VERBS[verb[0]], query)
            yield query
