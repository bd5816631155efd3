"""Settings → the values that the leaves and the node side are built from. It opens and decides nothing."""

from collections.abc import Callable
from pathlib import Path

from config.schema import ListenerSettings, NodeSettings, Settings
from payouts.plan import Fee, Plan, sole
from pool.gateway.work_source import Variant, WorkRules
from pool.node.endpoint import NodeEndpoint
from stratum.errors import RejectReason
from stratum.pacing import PaceRules
from stratum.server import Listener
from stratum.session import SessionRules
from stratum.work.address import Address, AddressError, WrongNetwork, parse_address
from stratum.work.coin import Network

LATE_SHARE_GRACE_MILLISECONDS = 1000


def work_rules(settings: Settings, network: Network, epoch: bytes) -> WorkRules:
    """What all jobs have in common; `epoch` is the process's own random bytes."""
    return WorkRules(
        network=network,
        tag=settings.coinbase.tag.encode("ascii"),
        version_rolling_mask=int(settings.stratum.version_rolling_mask, 16),
        gateway=0,
        epoch=epoch,
    )


def pool_plan(settings: Settings, network: Network) -> Plan | None:
    """Everything to the pool's own address; None where it has none."""
    address = settings.payout.address
    return None if address is None else sole(parse_address(address, network).script)


def plans(
    settings: Settings, network: Network, current: Callable[[], Plan] | None = None
) -> Callable[[Variant], Plan]:
    """Whom each coinbase variant pays: its own payee and the fees with `solo`, what `current` says with the
    method `coinbase`, the pool's address otherwise."""
    payout = settings.payout
    own = pool_plan(settings, network)
    fees = tuple(
        Fee(parse_address(fee.address, network).script, fee.basis_points, fee.address) for fee in payout.fees
    )

    def plan_of(variant: Variant) -> Plan:
        if variant.payee is not None:
            return sole(variant.payee, fees)
        if current is not None:
            return current()
        if own is None:
            raise ValueError("a solo job without a payee: nobody is announced one before authorize")
        return own

    return plan_of


def listener(settings: Settings, one: ListenerSettings, network: Network) -> Listener:
    """One port, with the rules of the sessions behind it."""
    rules = settings.stratum
    proof_of_work = network.proof_of_work
    return Listener(
        one.address,
        one.port,
        SessionRules(
            proof_of_work=proof_of_work,
            pace=PaceRules(
                start=one.difficulty.start,
                minimum=one.difficulty.minimum,
                maximum=one.difficulty.maximum,
                share_interval_seconds=rules.share_interval_seconds,
                difficulty_1=proof_of_work.difficulty_1,
                marketplace_minimum=rules.nicehash_minimum_difficulty,
                shares_per_second=rules.maximum_shares_per_second,
            ),
            parse_address=address_book(network),
            version_rolling_mask=int(rules.version_rolling_mask, 16),
            sends_version_mask=rules.send_version_mask,
            late_share_grace_seconds=_late_share_grace_milliseconds(settings) / 1000,
            is_solo=settings.payout.scheme == "solo",
            names_per_connection=rules.maximum_names_per_connection,
        ),
    )


def _late_share_grace_milliseconds(settings: Settings) -> int:
    """As set, else by the scheme: where each share has its price a late one would be paid for nothing."""
    chosen = settings.stratum.late_share_grace_milliseconds
    if chosen is not None:
        return chosen
    return 0 if settings.payout.scheme in ("pps", "fpps") else LATE_SHARE_GRACE_MILLISECONDS


def address_book(network: Network) -> Callable[[str], Address | RejectReason]:
    """The sessions' judge of addresses: one network, computation only."""

    def parse(text: str) -> Address | RejectReason:
        try:
            return parse_address(text, network)
        except WrongNetwork:
            return RejectReason.WRONG_NETWORK
        except AddressError:
            return RejectReason.BAD_USER

    return parse


def endpoint_of(node: NodeSettings) -> NodeEndpoint:
    """A node of the settings as the node's side takes it."""
    password = node.password
    return NodeEndpoint(
        name=node.name,
        url=node.url,
        cookie_file=Path(node.cookie_file) if node.cookie_file is not None else None,
        user=node.user,
        password=password.reveal if password is not None else None,
        zmq_hashblock=node.zmq_hashblock,
        longpoll=node.longpoll,
    )
