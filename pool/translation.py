"""Settings → the values that the leaves and the node side are built from. It opens and decides nothing."""

from collections.abc import Callable
from pathlib import Path

from config.schema import ListenerSettings, NodeSettings, Settings
from payouts.plan import Plan, sole
from pool.gateway.work_source import Variant, WorkRules
from pool.node.endpoint import NodeEndpoint
from stratum.errors import RejectReason
from stratum.pacing import PaceRules
from stratum.server import Listener
from stratum.session import SessionRules
from stratum.work.address import Address, AddressError, WrongNetwork, parse_address
from stratum.work.coin import Network


def work_rules(settings: Settings, network: Network, epoch: bytes) -> WorkRules:
    """What all jobs have in common; `epoch` is the process's own random bytes."""
    return WorkRules(
        network=network,
        tag=settings.coinbase.tag.encode("ascii"),
        version_rolling_mask=int(settings.stratum.version_rolling_mask, 16),
        gateway=0,
        epoch=epoch,
    )


def plans(settings: Settings, network: Network) -> Callable[[Variant], Plan]:
    """Whom each coinbase variant pays: its own payee in solo mode, the pool's address otherwise."""
    address = settings.payout.address
    pool_plan = None if address is None else sole(parse_address(address, network).script)

    def plan_of(variant: Variant) -> Plan:
        if variant.payee is not None:
            return sole(variant.payee)
        if pool_plan is None:
            raise ValueError("a solo job without a payee: nobody is announced one before authorize")
        return pool_plan

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
            late_share_grace_seconds=rules.late_share_grace_milliseconds / 1000,
            is_solo=settings.payout.mode == "solo",
            names_per_connection=rules.maximum_names_per_connection,
        ),
    )


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
