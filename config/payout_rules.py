"""What the settings of money have to do with each other and with the rest. Pure; it reads nothing.

Generators as in `config.rules`. A setting that would have no effect is refused, not passed over: whoever
wrote it expects something that will not happen.
"""

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from config.draft import as_far_as_known, known
from config.payout_schema import (
    PLACEHOLDER_ADDRESS,
    CoinbasePaymentSettings,
    FeeSettings,
    PayoutSettings,
    PpsSettings,
    WalletSettings,
    WindowSettings,
)
from config.problems import Problem
from config.repeats import twice
from config.schema import ListenerSettings, Settings

WHOLE_BASIS_POINTS = 10_000
PAYING_PER_SHARE = ("pps", "fpps")
WITH_A_WINDOW = ("pplns", *PAYING_PER_SHARE)  # those that pay per share fall back to it
IN_THE_COINBASE = ("pplns", "proportional", "solo")


def payout_problems(settings: Settings) -> Iterator[Problem]:
    """Everything about money that contradicts something else."""
    payout = settings.payout
    yield from as_far_as_known(
        _address(payout),
        _placeholders(payout),
        _fees(payout),
        _hopping(settings),
        _method(payout),
        _per_share(settings),
        _sections_without_effect(payout),
        _wallet(settings),
    )


# ---------------------------------------------------------------------- addresses and fees


def _address(payout: PayoutSettings) -> Iterator[Problem]:
    key = "payout.address"
    if payout.scheme == "solo":
        if payout.address is not None:
            message = "has no effect with scheme solo, which pays miners at their own addresses; remove it"
            yield Problem(key, None, message)
    elif payout.address is None:
        reason = {
            "wallet": "with method wallet it says who is paid for blocks",
            "coinbase": "with method coinbase it holds what does not fit into a block",
        }[payout.method]
        yield Problem(key, None, f"is missing: {reason}")


def _placeholders(payout: PayoutSettings) -> Iterator[Problem]:
    fees = known(lambda: payout.fees) or ()
    texts = [(f"payout.fees.{position}.address", _recipient(fee)) for position, fee in enumerate(fees)]
    if known(lambda: payout.scheme) != "solo":  # with which it is to be removed, and another rule tells
        texts += [("payout.address", known(lambda: payout.address))]
    for key, text in texts:
        if text == PLACEHOLDER_ADDRESS:
            yield Problem(key, None, "still holds the example's text; put in an address of yours")


def _fees(payout: PayoutSettings) -> Iterator[Problem]:
    total = sum(map(_basis_points, payout.fees))
    if total >= WHOLE_BASIS_POINTS:
        message = f"are {total} basis points together, and {WHOLE_BASIS_POINTS} are the whole reward"
        yield Problem("payout.fees", None, f"{message}; leave something to the miners")
    yield from twice(map(_recipient, payout.fees), "payout.fees", "address")


def _recipient(fee: FeeSettings) -> str | None:
    return known(lambda: fee.address)


def _basis_points(fee: FeeSettings) -> int:
    return known(lambda: fee.basis_points) or 0


# ---------------------------------------------------------------------- scheme and method


def _hopping(settings: Settings) -> Iterator[Problem]:
    payout = settings.payout
    is_proportional, is_allowed = payout.scheme == "proportional", payout.allow_hopping
    if is_allowed and not is_proportional:
        message = f"has no effect with scheme {payout.scheme}, which hopping does not profit by; remove it"
        yield Problem("payout.allow_hopping", None, message)
    public = next(filter(None, map(_public_address, settings.stratum.listeners)), None)
    if is_proportional and not is_allowed and public is not None:
        message = (
            f"is proportional, which strangers can hop in and out of at the others' cost, and {public} is "
            "open to strangers; choose pplns, listen on private addresses, or set allow_hopping"
        )
        yield Problem("payout.scheme", None, message)


def _public_address(listener: ListenerSettings) -> str | None:
    """Where a listener can be reached from outside, as far as its address says; None where it cannot."""
    text = known(lambda: listener.address)
    if text is None:
        return None
    with suppress(ValueError):  # no IP address: another rule tells
        address = ipaddress.ip_address(text)
        address = getattr(address, "ipv4_mapped", None) or address
        # Python counts loopback and link-local addresses among the private ones, as it should, and 0.0.0.0
        # too, where a listener is at every address of the machine
        if address.is_unspecified or not address.is_private:
            return text
    return None


def _method(payout: PayoutSettings) -> Iterator[Problem]:
    if payout.method == "coinbase" and payout.scheme not in IN_THE_COINBASE:
        message = (
            f"cannot be coinbase with scheme {payout.scheme}: what it owes for shares is not what a block "
            "brings; use wallet"
        )
        yield Problem("payout.method", None, message)


def _per_share(settings: Settings) -> Iterator[Problem]:
    scheme = settings.payout.scheme
    if scheme not in PAYING_PER_SHARE:
        return
    if known(lambda: settings.payout.pps.reserve_sats is None):
        message = f"is missing: with scheme {scheme} the pool pays for shares before it finds a block"
        yield Problem("payout.pps.reserve_sats", None, message)
    if known(lambda: settings.stratum.late_share_grace_milliseconds):
        message = f"must be 0 with scheme {scheme}: a late share is paid for and can find nothing; remove it"
        yield Problem("stratum.late_share_grace_milliseconds", None, message)


# ---------------------------------------------------------------------- sections


def _sections_without_effect(payout: PayoutSettings) -> Iterator[Problem]:
    scheme = payout.scheme
    where = f"scheme {scheme}"
    if scheme not in WITH_A_WINDOW:
        yield from _changed(known(lambda: payout.window), WindowSettings(), "window", where)
    if scheme not in PAYING_PER_SHARE:
        yield from _changed(known(lambda: payout.pps), PpsSettings(), "pps", where)
    if scheme == "solo" or payout.method != "coinbase":
        where = where if scheme == "solo" else f"method {payout.method}"
        yield from _changed(known(lambda: payout.coinbase), CoinbasePaymentSettings(), "coinbase", where)


def _changed(section: Any, default: msgspec.Struct, name: str, where: str) -> Iterator[Problem]:
    """Each key of a section that is not used and is set to something."""
    for key in default.__struct_fields__ if section is not None else ():
        value = known(partial(getattr, section, key))
        if value is not None and value != getattr(default, key):
            yield Problem(f"payout.{name}.{key}", None, f"has no effect with {where}; remove it")


def _wallet(settings: Settings) -> Iterator[Problem]:
    wallet = settings.payout.wallet
    if wallet is not None:
        yield from as_far_as_known(_wallet_node(settings, wallet), _passphrase(wallet))


def _wallet_node(settings: Settings, wallet: WalletSettings) -> Iterator[Problem]:
    names = [node.name for node in settings.nodes]
    if wallet.node is not None and wallet.node not in names:
        message = f"is {wallet.node}, and no node is called that; choose from {', '.join(names)}"
        yield Problem("payout.wallet.node", None, message)


def _passphrase(wallet: WalletSettings) -> Iterator[Problem]:
    if wallet.passphrase_file is not None and wallet.passphrase_environment is not None:
        message = "and passphrase_environment are both given; keep one"
        yield Problem("payout.wallet.passphrase_file", None, message)
