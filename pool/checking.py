"""`engineroom check`: asks the nodes, and tells what the pool would do. It starts nothing.

Everything is worked out by the code that mines: the template is fetched and checked as in `run`, and the
coinbase that is shown is the one that the first job would carry.
"""

import asyncio
import os
from collections.abc import Callable

import msgspec

from config.schema import NodeSettings, Settings
from pool.farm.opening import InventoryUnusable, open_places
from pool.gateway.work_source import EPOCH_BYTES, Variant, WorkSource
from pool.node.endpoint import NodeEndpoint
from pool.node.rpc import NodeError, NodeRpc, RpcError
from pool.node.templates import FetchedTemplate, WrongChain, explain, fetch_template, read_chain_info
from pool.outlook import NextBlock, outlook_lines
from pool.preflight import extranonce_bytes
from pool.translation import endpoint_of, plans, work_rules
from pool.wording import coins_text, counted, hashrate_text, span_text
from stratum.agents import UNKNOWN
from stratum.jobs import JobBook
from stratum.work.address import parse_address
from stratum.work.coin import Network, network
from stratum.work.coinbase import MAXIMUM_SCRIPT_BYTES, Coinbase, coinbase_cost, decode_outputs, worst_script
from stratum.work.difficulty import work_of_target
from stratum.work.job import Job
from stratum.work.template import Template, TemplateRefused

METHOD_NOT_FOUND = -32601
MINERS_SCRIPT = b"\x00\x14" + bytes(20)  # stands for the miner's own address in solo mode
Say = Callable[[str], None]


class NodeReport(msgspec.Struct, frozen=True):
    """What one node said: a template, or the one line that says why there is none."""

    name: str
    fetched: FetchedTemplate | None = None
    round_trip_seconds: float = 0.0
    trouble: str | None = None


async def run_check(settings: Settings, hashrate: float, say: Say, complain: Say) -> int:
    """Report to `say`, faults to `complain`; 0 where the pool could start and mine, 1 where not.

    `hashrate` is in hashes a second, for the expected time to a block.
    """
    here = network(settings.coin, settings.network)
    is_farm_known = _tell_farm(settings, say, complain)
    reports = await asyncio.gather(*(_ask(node, settings, here) for node in settings.nodes))
    for report in reports:
        if report.trouble is not None:
            complain(f"node {report.name}: {report.trouble}")
        elif report.fetched is not None:
            say(f"node {report.name}: {_node_line(report.fetched, report.round_trip_seconds)}")
    fetched = max(
        (report.fetched for report in reports if report.fetched is not None),
        key=lambda one: one.info.chainwork,
        default=None,
    )
    if fetched is None:
        complain("no node supplies work, so nothing can be mined")
        return 1
    _tell_work(settings, here, fetched.template, hashrate, say)
    is_well = is_farm_known and all(report.trouble is None for report in reports)
    return 0 if is_well else 1


def _tell_farm(settings: Settings, say: Say, complain: Say) -> bool:
    """What the inventory lists; False where it cannot be used."""
    if settings.farm.inventory is None:
        return True
    try:
        inventory = open_places(settings).inventory
    except InventoryUnusable as error:
        for line in error.lines:
            complain(line)
        return False
    machines = inventory.machines.values()
    expected = sum(one.expected_hashes_per_second or 0.0 for one in machines)
    groups = counted(len(inventory.groups()), "group")
    say(f"farm: {counted(len(machines), 'machine')} in {groups}, {hashrate_text(expected)} expected")
    return True


async def _ask(node: NodeSettings, settings: Settings, here: Network) -> NodeReport:
    endpoint = endpoint_of(node)
    rpc = NodeRpc(endpoint)
    try:
        return await _examine(rpc, endpoint, settings, here)
    except RpcError as error:
        return NodeReport(node.name, trouble=explain(error))
    except (NodeError, WrongChain) as error:
        return NodeReport(node.name, trouble=str(error))
    except TemplateRefused as error:
        return NodeReport(node.name, trouble=f"gives a template that cannot be mined: {error}")
    finally:
        await rpc.close()


async def _examine(rpc: NodeRpc, endpoint: NodeEndpoint, settings: Settings, here: Network) -> NodeReport:
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    await rpc.call("getbestblockhash", result=str)
    round_trip = loop.time() - started_at
    # Before a template is asked for: another coin's node would answer that with words about rules.
    await read_chain_info(rpc, here)
    fetched = await fetch_template(rpc, here, trust_stricter_target=settings.trust_stricter_target)
    info = fetched.info
    trouble = None
    if info.initial_download and not here.is_regtest:
        trouble = f"is still in its initial download, at block {info.blocks}: wait for its end"
    elif info.headers - info.blocks > 1:
        trouble = (
            f"is behind: it has {info.blocks} blocks of {info.headers} headers; wait until it has caught up"
        )
    else:
        trouble = await _second_opinion(rpc, settings)
    return NodeReport(endpoint.name, fetched, round_trip, trouble)


async def _second_opinion(rpc: NodeRpc, settings: Settings) -> str | None:
    """The node's own view of the addresses that will be paid:
    it costs nothing, and a mistake costs blocks."""
    addresses = {"payout.address": settings.payout.address} | {
        f"payout.fees.{position}.address": fee.address for position, fee in enumerate(settings.payout.fees)
    }
    for key, address in addresses.items():
        if address is not None and not await _is_known_as_address(rpc, address):
            return f"does not know {key} {address!r} as an address"
    return None


async def _is_known_as_address(rpc: NodeRpc, address: str) -> bool:
    try:
        answer = await rpc.call("validateaddress", address, result=dict[str, object])
    except RpcError as error:
        if error.code == METHOD_NOT_FOUND:  # the devnode has no such method, and no opinion
            return True
        raise
    return answer.get("isvalid") is True


def _node_line(fetched: FetchedTemplate, round_trip_seconds: float) -> str:
    info, template = fetched.info, fetched.template
    return (
        f"chain {info.chain}, block {info.blocks} of {info.headers} headers, answers in "
        f"{round_trip_seconds * 1000:.1f} ms, template of {len(template.transactions)} transactions"
    )


# ---------------------------------------------------------------------- what it would do


def _tell_work(settings: Settings, here: Network, template: Template, hashrate: float, say: Say) -> None:
    job = _first_job(settings, here, template)
    say(
        f"next block: height {template.height}, reward {coins_text(template.coinbase_value_sats)} {here.coin}"
    )
    for line in _coinbase_lines(settings, here, template, job):
        say(line)
    for one in settings.stratum.listeners:
        shown = f"[{one.address}]" if ":" in one.address else one.address
        difficulty = one.difficulty
        say(
            f"miners connect to {shown}:{one.port}, difficulty {difficulty.start:g} at first, "
            f"from {difficulty.minimum:g} to {difficulty.maximum:g}"
        )
    network_work = work_of_target(template.network_target)
    for line in outlook_lines(settings, _next_block(template, network_work), hashrate):
        say(line)
    say(
        f"at {hashrate_text(hashrate)} and network difficulty {job.network_difficulty:,.6g} "
        f"a block is expected every {span_text(network_work / hashrate)}"
    )


def _next_block(template: Template, network_work: int) -> NextBlock:
    reward_sats = template.coinbase_value_sats
    fees_sats = sum(transaction.fee_sats for transaction in template.transactions)
    return NextBlock(network_work, reward_sats, subsidy_sats=reward_sats - fees_sats)


def _first_job(settings: Settings, here: Network, template: Template) -> Job:
    source = WorkSource(work_rules(settings, here, os.urandom(EPOCH_BYTES)), JobBook(), plans(settings, here))
    payee = MINERS_SCRIPT if settings.payout.scheme == "solo" else None
    source.new_template(template, received_at=0.0, now=0.0)
    job = source.current_job(Variant(payee, UNKNOWN.coinbase_bytes), 0.0)
    if job is None:
        raise RuntimeError("a template that was just installed gave no job")
    return job


def _coinbase_lines(settings: Settings, here: Network, template: Template, job: Job) -> list[str]:
    """The coinbase of a job, decoded from its bytes: size, script, and each output in words."""
    coinbase = Coinbase(job.coinbase_prefix, job.coinbase_suffix)
    size = extranonce_bytes(here)
    cost = coinbase_cost(coinbase, size, has_witness=template.witness_commitment is not None)
    script_bytes = len(worst_script(coinbase, size))
    head = (
        f"coinbase: {cost.size_bytes} bytes, weight {cost.weight}, tag {settings.coinbase.tag!r}, "
        f"script {script_bytes} of {MAXIMUM_SCRIPT_BYTES} bytes"
    )
    lines = [head] + [
        f"  pays {coins_text(output.value_sats)} to {_payee_text(settings, here, template, output.script)}"
        for output in decode_outputs(coinbase)
    ]
    if settings.payout.scheme != "solo" and settings.payout.method == "coinbase":
        lines.append(
            "  and once there are shares, their miners in its stead, as many as the firmware has room for"
        )
    return lines


def _payee_text(settings: Settings, here: Network, template: Template, script: bytes) -> str:
    if script == template.witness_commitment:
        return "nobody: the witness commitment"
    if settings.payout.scheme == "solo" and script == MINERS_SCRIPT:
        return "the address in the user name of the miner that finds it"
    address, fees = settings.payout.address, settings.payout.fees
    for known in [*([] if address is None else [address]), *(fee.address for fee in fees)]:
        if script == parse_address(known, here).script:
            return known
    return f"the script {script.hex()}"
