"""The settings of Alertmanager that we ship, in a real Alertmanager that mails to a server of the test."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.deploy.rule_files import alerts
from tests.harness.alertmanager import Alertmanager
from tests.harness.mail_server import MailServer
from tests.harness.unpacked import amtool, check_alertmanager_config

SHIPPED = Path(__file__).parents[2] / "deploy/alertmanager"
SETTINGS = SHIPPED / "alertmanager.yml"
RULES = alerts(SHIPPED.parent / "prometheus/alerts.yml")


def silent(count: int, site: str) -> list[dict[str, str]]:
    labels = {"alertname": "MachineSilent", "scope": "machine", "severity": "warning", "site": site}
    return [{**labels, "worker": f"rig-{number}"} for number in range(count)]


def node_down(severity: str = "critical") -> dict[str, str]:
    return {"alertname": "NodeDown", "scope": "node", "severity": severity, "node": "home"}


def shipped(name: str, /, **of_series: str) -> dict[str, str]:
    """The labels that Prometheus gives one of the alerts that we ship."""
    scraped = {"instance": "engineroom:9333", "job": "engineroom"}
    return {"alertname": name, **scraped, **of_series, **RULES[name]["labels"]}


def body(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


@asynccontextmanager
async def running(
    directory: Path, group_wait: str = "1s", *, has_shipped_intervals: bool = False
) -> AsyncIterator[tuple[Alertmanager, MailServer]]:
    """What is shipped, but for the mail server, the half minute that a group waits to be complete and, unless
    they are what the test is about, the times of the single routes and the minutes between two mails."""
    async with MailServer() as mail_server:
        folder = directory / "settings"
        shutil.copytree(SHIPPED, folder)
        yaml = YAML()
        settings = yaml.load(SETTINGS)
        settings["global"] = {
            "smtp_smarthost": f"127.0.0.1:{mail_server.port}",
            "smtp_from": settings["global"]["smtp_from"],
            "smtp_require_tls": False,
        }
        settings["route"]["group_wait"] = group_wait
        if not has_shipped_intervals:
            for route in (settings["route"], *settings["route"]["routes"]):
                route["group_interval"] = "1s"
            for route in settings["route"]["routes"]:
                route["group_wait"] = group_wait
        yaml.dump(settings, folder / SETTINGS.name)
        async with Alertmanager(directory, folder / SETTINGS.name) as alertmanager:
            yield alertmanager, mail_server


def test_amtool_accepts_the_settings() -> None:
    check_alertmanager_config(SETTINGS)


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=EngineroomWatchdog", "severity=none"], "watchdog"),
        (["alertname=NodeDown", "scope=node", "severity=critical"], "operator"),
        (["alertname=BlockFound", "scope=pool", "severity=info"], "news"),
        (["alertname=MachineSilent", "scope=machine", "severity=warning"], "operator"),
    ],
)
def test_the_watchdog_is_not_mailed_and_everything_else_is(labels: list[str], receiver: str) -> None:
    done = amtool("config", "routes", "test", f"--config.file={SETTINGS}", *labels)
    assert done.stdout.strip() == receiver


async def test_a_site_of_2500_silent_machines_is_one_short_mail(tmp_path: Path) -> None:
    async with running(tmp_path, group_wait="3s") as (alertmanager, mail_server):
        await alertmanager.post(silent(2500, "hall-a"), "a machine is silent")
        [mail] = await mail_server.received(1)
        text = body(mail)
        assert mail["Subject"] == "[2500 firing] MachineSilent at hall-a", (
            "all of them: nothing is left to tell"
        )
        assert mail["To"] == "operator@example.org"
        assert text.startswith("2500 firing:\n- a machine is silent (since 20")
        assert text.count("- a machine is silent") == 20
        assert "- and more" in text
        [group] = await alertmanager.groups()
        assert (group["labels"], len(group["alerts"])) == (
            {"alertname": "MachineSilent", "site": "hall-a"},
            2500,
        )


async def test_each_site_has_a_mail_of_its_own(tmp_path: Path) -> None:
    async with running(tmp_path) as (alertmanager, mail_server):
        await alertmanager.post([*silent(2, "hall-a"), *silent(1, "hall-b")])
        subjects = {mail["Subject"] for mail in await mail_server.received(2)}
        assert subjects == {"[2 firing] MachineSilent at hall-a", "[1 firing] MachineSilent at hall-b"}


async def test_a_node_that_is_down_is_told_and_its_machines_are_not(tmp_path: Path) -> None:
    async with running(tmp_path) as (alertmanager, mail_server):
        await alertmanager.post([node_down()], "node home is down")
        await alertmanager.post(silent(2500, "hall-a"))
        [mail] = await mail_server.received(1)
        assert mail["Subject"] == "[1 firing] NodeDown"
        assert "- node home is down (since 20" in body(mail)
        assert await alertmanager.states("MachineSilent") == {"suppressed"}
        assert await alertmanager.states("NodeDown") == {"active"}


async def test_what_is_over_is_told_too(tmp_path: Path) -> None:
    async with running(tmp_path) as (alertmanager, mail_server):
        await alertmanager.post([node_down()], "node home is down")
        await mail_server.received(1)
        await alertmanager.end([node_down()])
        _, mail = await mail_server.received(2)
        assert mail["Subject"] == "[all clear] NodeDown"
        assert body(mail).startswith("1 over:\n- NodeDown (since 20"), "named, where there is no summary"


async def test_what_is_critical_is_told_within_seconds_whatever_has_been_open_since_the_morning(
    tmp_path: Path,
) -> None:
    """Five seconds are its own; the others' next mail may go five minutes after their first."""
    async with running(tmp_path, has_shipped_intervals=True) as (alertmanager, mail_server):
        await alertmanager.post([shipped("EngineroomPayoutsHeld")])
        await mail_server.received(1)
        await alertmanager.post([shipped("EngineroomNoWork", gateway="0")])
        _, mail = await mail_server.received(2, seconds=15)
        assert mail["Subject"] == "[1 firing] EngineroomNoWork"
        assert body(mail).startswith("1 firing:\n"), "what was told before is not told again"


async def test_a_block_is_told_once_and_nothing_of_what_is_open_with_it(tmp_path: Path) -> None:
    """What ends is told within a second, and what is new after one: the end of the block's alert is not."""
    async with running(tmp_path) as (alertmanager, mail_server):
        await alertmanager.post([shipped("EngineroomPayoutsHeld")])
        await mail_server.received(1)
        await alertmanager.post([shipped("EngineroomBlockFound")])
        await mail_server.received(2)
        await alertmanager.end([shipped("EngineroomBlockFound")])
        await alertmanager.post([shipped("EngineroomWalletLow")])
        assert [mail["Subject"] for mail in await mail_server.received(3)] == [
            "[1 firing] EngineroomPayoutsHeld",
            "[1 firing] EngineroomBlockFound",
            "[1 firing] EngineroomWalletLow",
        ]


async def test_a_node_that_is_only_slow_hides_no_machine(tmp_path: Path) -> None:
    async with running(tmp_path) as (alertmanager, mail_server):
        await alertmanager.post([node_down("warning"), *silent(1, "hall-a")])
        assert len(await mail_server.received(2)) == 2
        assert await alertmanager.states("MachineSilent") == {"active"}


async def test_an_alertmanager_that_does_not_start_says_why(tmp_path: Path) -> None:
    settings = tmp_path / "broken.yml"
    settings.write_text("{route: {receiver: mail}, receivers: []}")
    with pytest.raises(AssertionError, match="undefined receiver"):
        async with Alertmanager(tmp_path, settings):
            raise AssertionError("it has started without a receiver")


@pytest.mark.parametrize(
    ("cause", "extra"),
    [
        ("EngineroomGatewayDown", {"gateway": "0"}),
        ("EngineroomSpoolFails", {"gateway": "0", "alarm": "spool-write"}),
        ("EngineroomNoWork", {"gateway": "0"}),
    ],
)
async def test_the_shipped_alerts_of_nodes_and_gateways_hide_all_of_machines_and_nothing_else(
    tmp_path: Path, cause: str, extra: dict[str, str]
) -> None:
    of_machines = [name for name in RULES if RULES[name]["labels"]["scope"] == "machine"]
    others = ["EngineroomNodeDown", "EngineroomDatabaseFails", "EngineroomPayoutsHeld"]
    async with running(tmp_path) as (alertmanager, mail_server):
        await alertmanager.post([shipped(cause, **extra)])
        await alertmanager.post([shipped(name, incident="rack@17") for name in of_machines])
        await alertmanager.post([shipped(name) for name in others])
        told = {mail["Subject"] for mail in await mail_server.received(4)}
        assert told == {f"[1 firing] {name}" for name in (cause, *others)}
        hidden = [await alertmanager.states(name) for name in of_machines]
        assert hidden == [{"suppressed"}] * len(of_machines)
        assert [await alertmanager.states(name) for name in others] == [{"active"}] * len(others)


async def test_another_sites_machines_are_told_all_the_same(tmp_path: Path) -> None:
    here = {"site": "hall-a", "instance": "a:9333"}
    there = {"site": "hall-b", "instance": "b:9333"}
    async with running(tmp_path) as (alertmanager, mail_server):
        await alertmanager.post([shipped("EngineroomNoWork", gateway="0", **here)])
        await alertmanager.post([shipped("EngineroomHashrateDrop", **there)])
        assert len(await mail_server.received(2)) == 2
        assert await alertmanager.states("EngineroomHashrateDrop") == {"active"}


async def test_a_database_that_is_away_hides_no_machine(tmp_path: Path) -> None:
    async with running(tmp_path) as (alertmanager, mail_server):
        await alertmanager.post(
            [shipped("EngineroomDatabaseFails"), shipped("EngineroomIncident", incident="r")]
        )
        assert len(await mail_server.received(2)) == 2
        assert await alertmanager.states("EngineroomIncident") == {"active"}


async def test_of_the_steps_of_single_machines_the_highest_is_told(tmp_path: Path) -> None:
    steps = {step: shipped("EngineroomMachinesFail", more_than=step) for step in ("0", "5", "25", "100")}
    async with running(tmp_path) as (alertmanager, mail_server):
        await alertmanager.post([steps["0"]], "4 machines")
        await mail_server.received(1)
        await alertmanager.post([steps[step] for step in ("0", "5", "25", "100")], "120 machines")
        _, mail = await mail_server.received(2)
        assert mail["Subject"] == "[1 firing] EngineroomMachinesFail"
        assert body(mail).startswith("1 firing:\n- 120 machines")
        await alertmanager.end([steps["100"], steps["25"]])
        *_, mail = await mail_server.received(3)
        assert mail["Subject"] == "[1 firing] EngineroomMachinesFail"
        assert body(mail).count("\n- ") == 3, "the step that it is at now, and those that are over"


async def test_each_shipped_incident_has_a_mail_and_single_machines_share_one(tmp_path: Path) -> None:
    incidents = [shipped("EngineroomIncident", incident=f"rack-{one}", name=one) for one in ("r-1", "r-2")]
    async with running(tmp_path) as (alertmanager, mail_server):
        await alertmanager.post([*incidents, shipped("EngineroomMachinesFail")])
        subjects = {mail["Subject"] for mail in await mail_server.received(3)}
        assert subjects == {
            "[1 firing] EngineroomIncident r-1",
            "[1 firing] EngineroomIncident r-2",
            "[1 firing] EngineroomMachinesFail",
        }
