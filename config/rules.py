"""What settings have to do with each other: rules that no single field can state. Pure; it reads nothing."""

import ipaddress

from config.problems import Problem
from config.schema import PLACEHOLDER_ADDRESS, ListenerSettings, NodeSettings, Settings

NETWORKS = {
    "bitcoin": ("mainnet", "testnet4", "signet", "regtest"),
    "litecoin": ("mainnet", "testnet", "regtest"),
}


def cross_field_problems(settings: Settings) -> list[Problem]:
    """Everything that contradicts something else; lines are added by the caller."""
    problems = _chain(settings) + _payout(settings)
    for position, node in enumerate(settings.nodes):
        problems += _node(node, f"nodes.{position}")
    problems += _twice([node.name for node in settings.nodes], "nodes", "name")
    for position, listener in enumerate(settings.stratum.listeners):
        problems += _listener(listener, f"stratum.listeners.{position}")
    places = [
        f"{_plain(entry.address)} port {entry.port}" for entry in settings.stratum.listeners if entry.port
    ]
    return problems + _twice(places, "stratum.listeners", "port")


def _chain(settings: Settings) -> list[Problem]:
    problems = []
    names = NETWORKS[settings.coin]
    if settings.network not in names:
        message = f"{settings.coin} has no {settings.network}; choose from {', '.join(names)}"
        problems.append(Problem("network", None, message))
    if settings.trust_stricter_target and settings.network != "regtest":
        message = f"is for regtest alone: on {settings.network} the bits decide what a block is; remove it"
        problems.append(Problem("trust_stricter_target", None, message))
    return problems


def _payout(settings: Settings) -> list[Problem]:
    payout = settings.payout
    if payout.mode == "pool" and payout.address is None:
        return [Problem("payout.address", None, "is missing: in pool mode it says who is paid for blocks")]
    if payout.mode == "solo" and payout.address is not None:
        message = "has no effect in solo mode, where miners are paid at their own addresses; remove it"
        return [Problem("payout.address", None, message)]
    if payout.address == PLACEHOLDER_ADDRESS:
        return [Problem("payout.address", None, "still holds the example's text; put in an address of yours")]
    return []


def _node(node: NodeSettings, key: str) -> list[Problem]:
    passwords = [node.password_file, node.password_environment]
    given = sum(password is not None for password in passwords)
    if node.cookie_file is not None:
        if node.user is not None or given:
            return [Problem(f"{key}.cookie_file", None, "is one way in, user and password another; keep one")]
        return []
    if node.user is None or given == 0:
        message = "needs a cookie_file, or user together with password_file or password_environment"
        return [Problem(key, None, message)]
    if given > 1:
        message = "and password_environment are both given; keep one"
        return [Problem(f"{key}.password_file", None, message)]
    return []


def _listener(listener: ListenerSettings, key: str) -> list[Problem]:
    problems = []
    try:
        ipaddress.ip_address(listener.address)
    except ValueError:
        message = f"is {listener.address!r}; it must be an IPv4 or IPv6 address, for example 0.0.0.0 or ::"
        problems.append(Problem(f"{key}.address", None, message))
    difficulty = listener.difficulty
    if not difficulty.minimum <= difficulty.start <= difficulty.maximum:
        message = (
            f"must go up: minimum {difficulty.minimum:g}, start {difficulty.start:g}, "
            f"maximum {difficulty.maximum:g} do not"
        )
        problems.append(Problem(f"{key}.difficulty", None, message))
    return problems


def _plain(address: str) -> str:
    """One spelling of an IP address: ::1 and 0:0:0:0:0:0:0:1 are one place."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def _twice(names: list[str], key: str, what: str) -> list[Problem]:
    return [
        Problem(f"{key}.{position}.{what}", None, f"{name} is there twice; give each its own")
        for position, name in enumerate(names)
        if name in names[:position]
    ]
