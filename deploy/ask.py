"""`make ask`: puts the dashboards' first questions, or one of yours, to a Prometheus on this machine.

    python -m deploy.ask --port 9090                            # what each dashboard answers at a glance
    python -m deploy.ask --port 9090 'engineroom_connections'   # any PromQL

A pool and a Prometheus just started have nothing to say yet: it waits for them, up to a minute.
"""

import argparse
import http.client
import json
import math
import re
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec

from deploy.grafana.build import BOARDS
from deploy.grafana.dashboard import Dashboard

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 1.0
ANSWER_SECONDS = 10.0
VARIABLE = re.compile(r"\$\w+")  # of Grafana, in a matcher: =~"$gateway"
OF_EVERY_SERIES = {"__name__", "instance", "job"}  # labels that tell nothing here


class CannotAsk(Exception):
    """Prometheus is not there, or refuses the expression: one line."""


class Answer(msgspec.Struct, frozen=True):
    """One question's answer: a value, or several with their labels."""

    title: str
    expression: str
    values: list[tuple[dict[str, str], float]]


class Asking:
    """Instant queries of one Prometheus."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, title: str, expression: str) -> Answer:
        """Raises CannotAsk."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", f"/api/v1/query?{urlencode({'query': expression})}")
            answer = json.load(connection.getresponse())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CannotAsk(f"no Prometheus answers on 127.0.0.1 port {self._port}: {error}") from error
        finally:
            connection.close()
        if answer["status"] != "success":
            raise CannotAsk(f"Prometheus says of {expression}: {answer['error']}")
        return Answer(title, expression, _values(answer["data"]))

    def at_a_glance(self, board: Dashboard) -> list[Answer]:
        """What the first row of a dashboard shows, of everything that one may choose on it."""
        return [
            self.ask(panel.title, VARIABLE.sub(".*", query.expression))
            for panel in board.at_a_glance
            for query in panel.queries
        ]


def _values(data: dict[str, Any]) -> list[tuple[dict[str, str], float]]:
    if data["resultType"] == "scalar":
        return [({}, float(data["result"][1]))]
    if data["resultType"] != "vector":
        raise CannotAsk(f"it gives a {data['resultType']}: ask for its values now, without a [range]")
    return [(one["metric"], float(one["value"][1])) for one in data["result"]]


def is_answered(answers: Sequence[Answer]) -> bool:
    """Whether there is a number among them."""
    return any(not math.isnan(value) for answer in answers for _, value in answer.values)


def answer_text(answer: Answer) -> str:
    """A line for each value, the expression below."""
    shown = [f"  {answer.title}: {value:.10g}{_labels(labels)}" for labels, value in answer.values]
    return "\n".join([*(shown or [f"  {answer.title}: nothing yet"]), f"      {answer.expression}"])


def _labels(labels: dict[str, str]) -> str:
    told = ", ".join(f"{name} {value}" for name, value in labels.items() if name not in OF_EVERY_SERIES)
    return f"  ({told})" if told else ""


def until_answered(asked: Callable[[], list[Answer]]) -> list[Answer]:
    """Asks anew until there is a number, for a minute at most. Raises CannotAsk."""
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answers = asked()
            if is_answered(answers) or time.monotonic() > ends_at:
                return answers
        except CannotAsk:
            if time.monotonic() > ends_at:
                raise
        time.sleep(LOOK_SECONDS)


def main(words: Sequence[str]) -> int:
    """0 where each dashboard, or the expression, has an answer; 1 where one has none."""
    parser = argparse.ArgumentParser(prog="ask", description="Ask a Prometheus on this machine.")
    parser.add_argument("--port", type=int, default=9090, help="of Prometheus (9090)")
    parser.add_argument("expression", nargs="?", help="PromQL; without any, the dashboards' first rows")
    given = parser.parse_args(words)
    asking = Asking(given.port)
    try:
        if given.expression:
            told = [_told("Your question", [asking.ask("Answer", given.expression)])]
        else:
            told = [
                _told(
                    f"{board.title}: {board.description}", until_answered(partial(asking.at_a_glance, board))
                )
                for board in BOARDS
            ]
    except CannotAsk as error:
        sys.stderr.write(f"ask: {error}\n")
        return 1
    return 0 if all(told) else 1


def _told(heading: str, answers: Sequence[Answer]) -> bool:
    sys.stdout.write("\n".join([heading, *(answer_text(answer) for answer in answers)]) + "\n")
    return is_answered(answers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
