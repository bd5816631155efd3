"""The health rule and the choice of the source, as tables: observations and times in, verdicts out."""

import pytest

from pool.node.health import Health, Observation, Trouble, TroubleKind, assess, choose


def seen(
    name: str = "a",
    *,
    trouble: Trouble | None = None,
    has_template: bool = True,
    initial_download: bool = False,
    blocks: int = 100,
    headers: int = 100,
    chainwork: int = 1000,
) -> Observation:
    return Observation(
        name=name,
        trouble=trouble,
        has_template=has_template,
        initial_download=initial_download,
        blocks=blocks,
        headers=headers,
        chainwork=chainwork,
    )


def trouble(kind: TroubleKind, since: float = 0.0) -> Trouble:
    return Trouble(kind, "is in trouble", since)


def kinds(
    observations: list[Observation],
    now: float = 100.0,
    previous: dict[str, Health] | None = None,
    ignore_initial_download: bool = False,
) -> dict[str, TroubleKind | None]:
    healths = assess(observations, previous or {}, now, ignore_initial_download=ignore_initial_download)
    return {name: health.trouble.kind if health.trouble else None for name, health in healths.items()}


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        (seen(), None),
        (seen(has_template=False), TroubleKind.NOT_ASKED),
        (seen(headers=101), None),  # a header comes before its block
        (seen(headers=102), TroubleKind.CATCHING_UP),
        (seen(initial_download=True), TroubleKind.INITIAL_DOWNLOAD),
        # failing for 0.9 s is a hiccup, for 1 s an outage
        (seen(trouble=trouble(TroubleKind.UNREACHABLE, since=99.1)), None),
        (seen(trouble=trouble(TroubleKind.UNREACHABLE, since=99.0)), TroubleKind.UNREACHABLE),
        (seen(trouble=trouble(TroubleKind.NODE_ERROR, since=99.1)), None),
        (seen(trouble=trouble(TroubleKind.NODE_ERROR, since=99.0)), TroubleKind.NODE_ERROR),
        # without a template there is nothing to go on with
        (
            seen(trouble=trouble(TroubleKind.UNREACHABLE, since=99.9), has_template=False),
            TroubleKind.UNREACHABLE,
        ),
        # these do not pass, and no second is lost on them
        (seen(trouble=trouble(TroubleKind.WRONG_CHAIN, since=100.0)), TroubleKind.WRONG_CHAIN),
        (seen(trouble=trouble(TroubleKind.TEMPLATE_REFUSED, since=100.0)), TroubleKind.TEMPLATE_REFUSED),
    ],
)
def test_a_node_alone(observation: Observation, expected: TroubleKind | None) -> None:
    assert kinds([observation]) == {"a": expected}


def test_on_regtest_the_initial_download_flag_says_nothing() -> None:
    assert kinds([seen(initial_download=True)], ignore_initial_download=True) == {"a": None}


@pytest.mark.parametrize(("elapsed_seconds", "expected"), [(20.0, None), (20.1, TroubleKind.BEHIND)])
def test_less_chainwork_than_another_is_borne_for_twenty_seconds(
    elapsed_seconds: float, expected: TroubleKind | None
) -> None:
    both = [seen("a", chainwork=999), seen("b", chainwork=1000)]
    first = assess(both, {}, 50.0, ignore_initial_download=False)
    assert kinds(both, now=50.0 + elapsed_seconds, previous=first) == {"a": expected, "b": None}


def test_catching_up_in_between_starts_the_twenty_seconds_anew() -> None:
    behind = [seen("a", chainwork=999), seen("b", chainwork=1000)]
    level = [seen("a", chainwork=1000), seen("b", chainwork=1000)]
    healths = assess(behind, {}, 0.0, ignore_initial_download=False)
    healths = assess(level, healths, 15.0, ignore_initial_download=False)
    healths = assess(behind, healths, 16.0, ignore_initial_download=False)
    assert kinds(behind, now=30.0, previous=healths) == {"a": None, "b": None}


@pytest.mark.parametrize("kind", [TroubleKind.UNREACHABLE, TroubleKind.WRONG_CHAIN])
def test_the_work_of_a_node_that_cannot_be_mined_on_is_no_measure(kind: TroubleKind) -> None:
    both = [seen("a", chainwork=999), seen("b", chainwork=5000, trouble=trouble(kind))]
    first = assess(both, {}, 50.0, ignore_initial_download=False)
    assert kinds(both, now=500.0, previous=first) == {"a": None, "b": kind}


GOOD, DOWN = Health(None), Health(trouble(TroubleKind.UNREACHABLE))


@pytest.mark.parametrize(
    ("current", "works", "healths", "expected"),
    [
        (None, (10, 10), (GOOD, GOOD), "a"),  # the first of the settings
        (None, (10, 11), (GOOD, GOOD), "b"),  # more work before order
        ("a", (10, 11), (GOOD, GOOD), "b"),  # at once
        ("b", (10, 10), (GOOD, GOOD), "b"),  # equal work keeps the current one
        ("b", (11, 10), (GOOD, GOOD), "a"),  # and back when the other is ahead
        ("a", (10, 10), (DOWN, GOOD), "b"),  # failover
        ("a", (10, 9), (DOWN, GOOD), "b"),  # even to one that is behind: better than nothing
        ("b", (10, 10), (GOOD, DOWN), "a"),  # and back
        ("a", (10, 10), (DOWN, DOWN), None),
    ],
)
def test_the_choice_of_the_source(
    current: str | None, works: tuple[int, int], healths: tuple[Health, Health], expected: str | None
) -> None:
    observations = [seen("a", chainwork=works[0]), seen("b", chainwork=works[1])]
    assert choose(current, observations, {"a": healths[0], "b": healths[1]}) == expected
