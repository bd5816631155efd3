"""The harness: a real Prometheus scrapes a real endpoint, and promtool and amtool say what they think."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.harness.prometheus import Prometheus
from tests.harness.unpacked import (
    amtool,
    check_alertmanager_config,
    check_config,
    check_metrics,
    check_rules,
    program,
    promtool,
    run_rule_tests,
)

EXPOSED = """\
# HELP farm_machines Machines by state.
# TYPE farm_machines gauge
farm_machines{state="ok"} 2495
farm_machines{state="silent"} 5
"""
RULES = """\
groups:
  - name: farm
    rules:
      - {record: farm:machines:sum, expr: sum(farm_machines)}
      - alert: MachinesSilent
        expr: farm_machines{state="silent"} > 3
        labels: {severity: warning}
        annotations: {summary: '{{ $value }} machines are silent'}
      - alert: MachinesGone
        expr: absent(farm_machines)
        labels: {severity: critical}
        annotations: {summary: '{{ $value }} farm is gone'}
"""
RULE_TESTS = """\
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series: [{series: 'farm_machines{state="silent"}', values: '3 4'}]
    alert_rule_test:
      - eval_time: %s
        alertname: MachinesSilent
        exp_alerts:
          - exp_labels: {severity: warning, state: silent}
            exp_annotations: {summary: 4 machines are silent}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yml"
    path.write_text(RULES)
    return path


@pytest.fixture
async def endpoint() -> AsyncIterator[str]:
    """HOST:PORT of a server that exposes the metrics above."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=EXPOSED)

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    yield f"{host}:{port}"
    await runner.cleanup()


async def test_targets_are_scraped_queried_and_judged(tmp_path: Path, endpoint: str, rules: Path) -> None:
    async with Prometheus(tmp_path, [endpoint, "127.0.0.1:1"], rule_files=[rules]) as prometheus:
        samples = await prometheus.wait_for("farm_machines")
        assert {labels["state"]: value for labels, value in samples} == {"ok": 2495.0, "silent": 5.0}
        assert samples[0].labels["job"] == "engineroom"
        assert await prometheus.query("sum(farm_machines)") == [({}, 2500.0)]
        assert await prometheus.query("farm_machines > 9999") == []
        [(_, now)] = await prometheus.query("time()")
        [series] = await prometheus.query_range('farm_machines{state="ok"}', now - 10, now, 1)
        assert {value for _, value in series.points} == {2495.0}
        await prometheus.wait_for('ALERTS{alertstate="firing", alertname="MachinesSilent"}')
        await prometheus.wait_for("farm:machines:sum == 2500")
        await prometheus.wait_for("up == 0")
        targets = {target.health: target for target in await prometheus.targets()}
        assert targets["up"].scrape_url == f"http://{endpoint}/metrics"
        assert "connection refused" in targets["down"].last_error


async def test_a_rule_fires_when_its_condition_holds(tmp_path: Path, rules: Path) -> None:
    async with Prometheus(tmp_path, rule_files=[rules]) as prometheus:
        found = {rule.name: rule for rule in await prometheus.wait_for_rules()}
        assert found["MachinesGone"].state == "firing", "nobody exposes any"
        assert found["MachinesSilent"].state == "inactive"
        assert found["farm:machines:sum"].state is None, "a recording has no state"
        [alert] = await prometheus.alerts()
        assert (alert.state, alert.labels["severity"]) == ("firing", "critical")
        assert alert.annotations == {"summary": "1 farm is gone"}


async def test_a_wait_in_vain_ends_with_what_there_was_instead(tmp_path: Path) -> None:
    async with Prometheus(tmp_path) as prometheus:
        assert await prometheus.query("1 / 0") == [({}, float("inf"))]
        with pytest.raises(AssertionError, match=r"after 0.2 seconds vector\(1\) gives .*value=1.0"):
            await prometheus.wait_for("vector(1)", lambda samples: samples[0].value == 2, seconds=0.2)


async def test_an_expression_that_is_refused_fails_with_the_servers_words(tmp_path: Path) -> None:
    async with Prometheus(tmp_path) as prometheus:
        with pytest.raises(AssertionError, match="unclosed left parenthesis"):
            await prometheus.query("sum(")


async def test_a_rule_that_cannot_be_evaluated_fails_with_its_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    matching = "vector(1) + on() (label_replace(vector(1), 'a', 'b', '', '') or vector(2))"
    broken.write_text(f'groups: [{{name: g, rules: [{{alert: Twice, expr: "{matching}"}}]}}]')
    async with Prometheus(tmp_path, rule_files=[broken]) as prometheus:
        with pytest.raises(AssertionError, match="Twice: found duplicate series"):
            await prometheus.wait_for_rules()


async def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text("groups: [{name: g, rules: [{alert: A, expr: 'up =='}]}]")
    with pytest.raises(AssertionError, match="could not parse expression"):
        async with Prometheus(tmp_path, rule_files=[broken]):
            raise AssertionError("it has started with rules that it cannot read")


def test_promtool_refuses_a_broken_rule_in_its_own_words(tmp_path: Path, rules: Path) -> None:
    check_rules(rules)
    rules.write_text(RULES.replace("> 3", "> > 3"))
    done = promtool("check", "rules", rules)
    assert done.returncode == 1
    with pytest.raises(AssertionError, match='rule 2, "MachinesSilent": could not parse expression'):
        check_rules(rules)


def test_promtool_refuses_a_rule_that_is_there_twice(rules: Path) -> None:
    rules.write_text(RULES + "      - {alert: MachinesGone, expr: up, labels: {severity: critical}}\n")
    with pytest.raises(AssertionError, match="1 duplicate rule"):
        check_rules(rules)


def test_promtool_runs_tests_of_rules(tmp_path: Path, rules: Path) -> None:
    cases = tmp_path / "cases.yml"
    cases.write_text(RULE_TESTS % "1m")  # the second value, 4, is above 3
    run_rule_tests(cases)
    cases.write_text(RULE_TESTS % "0m")  # the first one is not
    with pytest.raises(AssertionError, match=r"got:\[\]"):
        run_rule_tests(cases)


def test_promtool_reads_an_exposition_and_finds_what_is_wrong_with_it() -> None:
    check_metrics(EXPOSED)
    for text, complaint in {
        "farm_machines 1\n": "farm_machines no help text",
        "farm_machines{ 1\n": "text format parsing error in line 1",
        "": "nothing is exposed",
    }.items():
        with pytest.raises(AssertionError, match=complaint):
            check_metrics(text)


def test_settings_are_checked_with_the_rules_that_they_name(tmp_path: Path, rules: Path) -> None:
    settings = tmp_path / "prometheus.yml"
    settings.write_text("rule_files: [rules.yml]")
    check_config(settings)
    rules.unlink()
    with pytest.raises(AssertionError, match="does not point to an existing file"):
        check_config(settings)


def test_amtool_refuses_a_route_to_nobody(tmp_path: Path) -> None:
    settings = tmp_path / "alertmanager.yml"
    settings.write_text("{route: {receiver: mail}, receivers: [{name: mail}]}")
    check_alertmanager_config(settings)
    assert "1 receivers" in amtool("check-config", settings).stdout
    settings.write_text("{route: {receiver: mail}, receivers: [{name: male}]}")
    with pytest.raises(AssertionError, match='undefined receiver "mail"'):
        check_alertmanager_config(settings)


def test_a_program_that_is_not_there_is_asked_for_in_one_line() -> None:
    with pytest.raises(
        AssertionError, match=r"is missing: run \.ci/unpack prometheus prometheus-alertmanager$"
    ):
        program("prometheus", "no-such-program")
