"""What compose.yaml puts together: files that are there, parts that find one another, ports open to few."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from config.metrics_schema import MetricsSettings
from config.schema import ListenerSettings
from tests.deploy.rule_files import rule_expressions
from tests.harness.unpacked import check_config, check_rules

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
VARIABLE = re.compile(r"\$\{(\w+):\?([^}]+)\}")  # one without which compose ends, with what it says


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path)


COMPOSE = read(DEPLOY / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROMETHEUS = read(DEPLOY / "prometheus/prometheus.yml")
BINDS = [
    (name, volume)
    for name, service in SERVICES.items()
    for volume in service["volumes"]
    if volume["type"] == "bind"
]


def in_repository(service: str, path: str) -> Path:
    """The file of the repository that a service sees under this path."""
    for name, volume in BINDS:
        if name == service and Path(path).is_relative_to(volume["target"]):
            return DEPLOY / str(volume["source"]) / Path(path).relative_to(volume["target"])
    raise AssertionError(f"nothing is mounted in {service} at {path}")


def option(service: str, name: str) -> str:
    [value] = [word.partition("=")[2] for word in SERVICES[service]["command"] if word.startswith(f"{name}=")]
    return str(value)


@pytest.mark.parametrize(("service", "volume"), BINDS, ids=lambda value: str(value)[:40])
def test_what_is_mounted_is_in_the_repository_or_asked_for(service: str, volume: dict[str, Any]) -> None:
    assert volume["read_only"] is True
    assert volume["bind"] == {"create_host_path": False}, (
        "else Docker makes an empty folder of a missing file"
    )
    if "$" in volume["source"]:
        assert VARIABLE.fullmatch(volume["source"]), "it must be asked for where it is not set"
    else:
        assert (DEPLOY / volume["source"]).is_dir()
        assert list((DEPLOY / volume["source"]).iterdir()), "Git keeps no empty folder"


def test_every_volume_is_declared_and_used() -> None:
    used = {v["source"] for service in SERVICES.values() for v in service["volumes"] if v["type"] == "volume"}
    assert used == set(COMPOSE["volumes"])


def test_the_example_of_the_environment_names_every_variable_and_no_other() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    assert text.count("${") == len(VARIABLE.findall(text)), "a variable that may be missing"
    named = re.findall(r"^(\w+)=", (DEPLOY / "env.example").read_text(), re.MULTILINE)
    assert named == [name for name, _ in VARIABLE.findall(text)]


def test_images_are_pinned_to_a_release() -> None:
    for name, service in SERVICES.items():
        if "build" not in service:
            assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"]), name
    assert (DEPLOY / SERVICES["engineroom"]["build"] / "Dockerfile").exists()


def test_miners_come_from_everywhere_and_everybody_else_from_this_machine() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items()}
    assert ports.pop("engineroom") == [f"{ListenerSettings().port}:{ListenerSettings().port}"]
    assert all(port.startswith("127.0.0.1:") for [port] in ports.values())


def test_the_pools_ports_are_those_of_the_image_and_of_the_farms_settings() -> None:
    farm = read(ROOT / "config/examples/farm.yaml")
    published = {int(port.split(":")[-1]) for port in SERVICES["engineroom"]["ports"]}
    assert published == {listener["port"] for listener in farm["stratum"]["listeners"]}
    exposed = re.search(r"^EXPOSE (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert exposed is not None
    [metrics] = SERVICES["engineroom"]["expose"]
    assert {*published, int(metrics)} == {int(port) for port in exposed[1].split()}
    assert int(metrics) == MetricsSettings().port
    assert f"http://127.0.0.1:{metrics}/healthz" in SERVICES["engineroom"]["healthcheck"]["test"][-1]


def test_a_farm_has_enough_open_files_and_enough_time_to_stop() -> None:
    farm = read(ROOT / "config/examples/farm.yaml")
    engineroom = SERVICES["engineroom"]
    assert engineroom["ulimits"]["nofile"] > 2 * farm["stratum"]["maximum_connections"]
    minutes = int(engineroom["stop_grace_period"].removesuffix("m"))
    assert minutes * 60 > farm["drain_seconds"] + 30


def test_the_pools_folders_are_those_of_the_image() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    targets = {volume["type"]: volume["target"] for volume in SERVICES["engineroom"]["volumes"]}
    assert f"VOLUME {targets['volume']}\n" in dockerfile
    assert f'"{targets["bind"]}/engineroom.yaml"]' in dockerfile


def test_prometheus_accepts_its_settings_and_rules_and_scrapes_the_pool() -> None:
    settings_file = in_repository("prometheus", option("prometheus", "--config.file"))
    assert read(settings_file) == PROMETHEUS
    check_config(settings_file)
    for name in PROMETHEUS["rule_files"]:
        check_rules(settings_file.parent / name)
    [job] = [job for job in PROMETHEUS["scrape_configs"] if job["job_name"] == "engineroom"]
    [port] = SERVICES["engineroom"]["expose"]
    assert job["static_configs"] == [{"targets": [f"engineroom:{port}"]}]
    assert job["metrics_path"] == "/metrics"


def test_the_watchdog_always_fires() -> None:
    expressions = {e.where: e.text for e in rule_expressions(DEPLOY / "prometheus/alerts.yml")}
    assert expressions["alerts.yml: watchdog / EngineroomWatchdog"] == "vector(1)"


def test_alertmanager_is_where_prometheus_looks_for_it_and_reads_the_shipped_settings() -> None:
    [told] = PROMETHEUS["alerting"]["alertmanagers"]
    [port] = SERVICES["alertmanager"]["ports"]
    assert told["static_configs"] == [{"targets": [f"alertmanager:{port.split(':')[-1]}"]}]
    settings_file = in_repository("alertmanager", option("alertmanager", "--config.file"))
    settings = read(settings_file)
    assert settings_file.samefile(DEPLOY / "alertmanager/alertmanager.yml")
    assert all((settings_file.parent / name).exists() for name in settings["templates"])
    assert option("alertmanager", "--web.external-url") == f"http://{port.rpartition(':')[0]}", (
        "for the mails"
    )
    targets = [volume["target"] for name, volume in BINDS if name == "alertmanager"]
    assert settings["global"]["smtp_auth_password_file"] in targets


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    [source] = read(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    [port] = SERVICES["prometheus"]["ports"]
    assert source["url"] == f"http://prometheus:{port.split(':')[-1]}"
    assert source["jsonData"]["timeInterval"] == PROMETHEUS["global"]["scrape_interval"]
    [provider] = read(DEPLOY / "grafana/provisioning/dashboards/engineroom.yaml")["providers"]
    folder = in_repository("grafana", provider["options"]["path"])
    assert folder.samefile(DEPLOY / "grafana/dashboards")
