"""What settings have to do with each other: rules that no single field can state. Pure; it reads nothing.

Each rule is a generator that reads what it judges, and no more: at a field that is unknown it ends, and the
others go on (see config.draft). Those of money are in config.payout_rules, those of a farm in
config.farm_rules, of notifications in config.notice_rules.
"""

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

from config.draft import as_far_as_known, known
from config.farm_rules import farm_problems
from config.notice_rules import notification_problems
from config.payout_rules import payout_problems
from config.problems import Problem
from config.repeats import twice
from config.schema import ListenerSettings, NodeSettings, Settings

NETWORKS = {
    "bitcoin": ("mainnet", "testnet4", "signet", "regtest"),
    "litecoin": ("mainnet", "testnet", "regtest"),
}
HOUR_SECONDS = 3_600
LONGEST_SOCKET_PATH_BYTES = 107  # Linux's sun_path has 108, and the last one is a zero


def cross_field_problems(settings: Settings) -> list[Problem]:
    """Everything that contradicts something else; lines are added by the caller."""
    return list(
        as_far_as_known(
            _network(settings),
            _stricter_target(settings),
            _socket_path(settings),
            _database(settings),
            _database_password(settings),
            _slots(settings),
            _nodes(settings),
            _listeners(settings),
            _metrics(settings),
            payout_problems(settings),
            farm_problems(settings),
            notification_problems(settings),
        )
    )


def _network(settings: Settings) -> Iterator[Problem]:
    names = NETWORKS[settings.coin]
    if settings.network not in names:
        message = f"{settings.coin} has no {settings.network}; choose from {', '.join(names)}"
        yield Problem("network", None, message)


def _stricter_target(settings: Settings) -> Iterator[Problem]:
    if settings.trust_stricter_target and settings.network != "regtest":
        message = f"is for regtest alone: on {settings.network} the bits decide what a block is; remove it"
        yield Problem("trust_stricter_target", None, message)


def _socket_path(settings: Settings) -> Iterator[Problem]:
    """The kernel refuses a longer path, and would do so only when the pool starts."""
    key, path, remedy = "notify_socket", settings.notify_socket, "choose a shorter path"
    if path is None:
        key, path = "data_directory", f"{settings.data_directory}/notify.sock"
        remedy = "choose a shorter path, or set notify_socket to one"
    length = len(path.encode("utf-8", "surrogatepass"))
    if length > LONGEST_SOCKET_PATH_BYTES:
        message = (
            f"puts the notify socket at a path of {length} bytes, and a socket's may have "
            f"{LONGEST_SOCKET_PATH_BYTES}; {remedy}"
        )
        yield Problem(key, None, message)


def _database(settings: Settings) -> Iterator[Problem]:
    """What is wrong with it is told without it, since it may hold a password."""
    url = settings.database
    if url is None:
        return
    try:
        parts = urlsplit(url)
        fields = parse_qs(parts.query, keep_blank_values=True)
        has_password = parts.password is not None or "password" in fields
        _ = parts.port  # raises ValueError, where what stands there is no number
        is_odd = bool(parts.fragment) or "@" in parts.path + parts.query or parts.netloc.count("@") > 1
    except ValueError:
        has_password, is_odd = False, True
    if has_password:
        message = "holds a password; use database_password_file or database_password_environment"
        yield Problem("database", None, message)
    elif is_odd:
        yield Problem("database", None, "cannot be read as postgresql://USER@HOST:PORT/DATABASE")


def _database_password(settings: Settings) -> Iterator[Problem]:
    file, variable = settings.database_password_file, settings.database_password_environment
    if file is not None and variable is not None:
        message = "and database_password_environment are both given; keep one"
        yield Problem("database_password_file", None, message)
    elif (file is not None or variable is not None) and settings.database is None:
        key = "database_password_file" if file is not None else "database_password_environment"
        yield Problem(key, None, "has no effect without database: a file needs no password; remove it")


def _slots(settings: Settings) -> Iterator[Problem]:
    """Old slots are summed up to hours and days, which must be whole numbers of them."""
    seconds = settings.accounting.slot_seconds
    if HOUR_SECONDS % seconds:
        message = f"is {seconds}, and an hour is no multiple of that; choose one like 10, 12, 15 or 20"
        yield Problem("accounting.slot_seconds", None, message)


def _nodes(settings: Settings) -> Iterator[Problem]:
    for position, node in enumerate(settings.nodes):
        yield from as_far_as_known(_way_in(node, f"nodes.{position}"))
    yield from twice(map(_name, settings.nodes), "nodes", "name")


def _name(node: NodeSettings) -> str | None:
    return known(lambda: node.name)


def _way_in(node: NodeSettings, key: str) -> Iterator[Problem]:
    passwords = [node.password_file, node.password_environment]
    given = sum(password is not None for password in passwords)
    if node.cookie_file is not None:
        if given or node.user is not None:
            yield Problem(f"{key}.cookie_file", None, "is one way in, user and password another; keep one")
    elif given == 0 or node.user is None:
        message = "needs a cookie_file, or user together with password_file or password_environment"
        yield Problem(key, None, message)
    elif given > 1:
        yield Problem(f"{key}.password_file", None, "and password_environment are both given; keep one")


def _listeners(settings: Settings) -> Iterator[Problem]:
    listeners = settings.stratum.listeners
    for position, listener in enumerate(listeners):
        key = f"stratum.listeners.{position}"
        yield from as_far_as_known(_ip_address(listener.address, key), _difficulty(listener, key))
    yield from twice(map(_place, listeners), "stratum.listeners", "port")


def _metrics(settings: Settings) -> Iterator[Problem]:
    yield from _ip_address(settings.metrics.address, "metrics")


def _ip_address(address: str, key: str) -> Iterator[Problem]:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        message = f"is {address!r}; it must be an IPv4 or IPv6 address, for example 0.0.0.0 or ::"
        yield Problem(f"{key}.address", None, message)


def _difficulty(listener: ListenerSettings, key: str) -> Iterator[Problem]:
    difficulty = listener.difficulty
    steps = {
        "minimum": known(lambda: difficulty.minimum),
        "start": known(lambda: difficulty.start),
        "maximum": known(lambda: difficulty.maximum),
    }
    told = {name: value for name, value in steps.items() if value is not None}
    if list(told.values()) != sorted(told.values()):
        numbers = ", ".join(f"{name} {value:g}" for name, value in told.items())
        yield Problem(f"{key}.difficulty", None, f"must go up: {numbers} do not")


def _place(listener: ListenerSettings) -> str | None:
    """Where it listens, in one spelling: ::1 and 0:0:0:0:0:0:0:1 are one place. None for any free port."""
    port, address = known(lambda: listener.port), known(lambda: listener.address)
    if not port or address is None:
        return None
    with suppress(ValueError):  # no IP address: another rule tells
        address = str(ipaddress.ip_address(address))
    return f"{address} port {port}"
