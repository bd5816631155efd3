"""The command line: options in, one line on stderr and an exit code for what goes wrong.

Exit codes: 0 done, 1 the world is not as it should be (a node, a port, a refused miner), 2 the command or the
settings are wrong. What a command does is imported when it runs, so that `--help` is quick.
"""

import importlib.metadata
import sys
from pathlib import Path
from typing import Annotated

import typer

from pool.commands import accounts, backup, ending, farm, notifications, payee, payouts, statement
from pool.commands.ending import SettingsFile, complain, fail, load_settings, said
from pool.logs.events import LogEvent
from pool.logs.log import Log

app = typer.Typer(
    name="engineroom",
    help="A Stratum mining pool server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Help with the settings file.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(accounts.app, name="accounts")
app.add_typer(payouts.app, name="payouts")
app.add_typer(payee.app, name="payee")
app.add_typer(statement.app, name="statement")
app.add_typer(farm.app, name="farm")
app.add_typer(notifications.app, name="notifications")

log = Log("engineroom")


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """A Stratum mining pool server."""
    if version:
        typer.echo(f"engineroom {importlib.metadata.version('engineroom')}")
        raise typer.Exit


@app.command()
def run(
    config: SettingsFile,
    with_accountant: Annotated[
        bool,
        typer.Option(
            "--accountant/--no-accountant",
            help="Keep the accounts as well; without it, start `engineroom accountant` yourself.",
        ),
    ] = True,
) -> None:
    """Run the pool until SIGTERM or Ctrl-C."""
    from pool.app import Application, CannotStart, stop_on_signals
    from pool.logs.stderr import log_to_stderr
    from pool.supervisor import ChildKeeper, accountant_command

    settings = load_settings(config)
    log_to_stderr(settings.log, "gateway")
    keeper = ChildKeeper("accountant", accountant_command(config)) if with_accountant else None

    async def serve() -> None:
        stop = stop_on_signals()
        application = Application(settings, keeper)
        await application.run(stop, _say_where)

    try:
        ending.run(serve())
    except CannotStart as error:
        fail(said(error))


@app.command()
def accountant(config: SettingsFile) -> None:
    """The one writer of the accounts, as `run` starts it: a process of its own."""
    from pool.accounting.process import run_accountant
    from pool.logs.stderr import log_to_stderr

    settings = load_settings(config)
    log_to_stderr(settings.log, "accountant")
    raise typer.Exit(ending.run(run_accountant(settings)))


@app.command()
def check(
    config: SettingsFile,
    hashrate: Annotated[
        str,
        typer.Option(help="For the expected time to a block, for example 600T or 1.2P (hashes a second)."),
    ] = "1T",
) -> None:
    """Validate the settings, contact the nodes and say what the pool would do; exit code 0 or 1."""
    from pool.checking import run_check
    from pool.wording import hashrate_from

    try:
        hashes_per_second = hashrate_from(hashrate)
    except ValueError as error:
        fail(f"--hashrate: {error}")
    settings = load_settings(config, exit_code=1)
    typer.echo(f"settings {config}: in order")
    raise typer.Exit(ending.run(run_check(settings, hashes_per_second, typer.echo, complain)))


@config_app.command("example")
def config_example() -> None:
    """Print the reference settings file: every key with its meaning, default and bounds."""
    from config.reference import reference_yaml

    typer.echo(reference_yaml(), nl=False)


@app.command()
def demo(
    blocks: Annotated[int, typer.Option(min=0, help="End after so many blocks; 0 runs until Ctrl-C.")] = 0,
    miners: Annotated[int, typer.Option(min=1, max=16, help="How many miners to start.")] = 2,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where Prometheus finds /metrics; 0 takes any free port.")
    ] = 9333,
) -> None:
    """Run a whole pool on this machine: an embedded regtest node, the server, miners, and a live display."""
    from pool.demo.run import DemoFailed, run_demo

    try:
        raise typer.Exit(ending.run(run_demo(blocks=blocks, miners=miners, metrics_port=metrics_port)))
    except DemoFailed as error:
        fail(said(error))


@app.command()
def mine(
    url: Annotated[str, typer.Option(help="stratum+tcp://HOST:PORT")],
    user: Annotated[str, typer.Option(help="ADDRESS.worker")],
    password: Annotated[str, typer.Option(help="For example d=0.001 for a fixed difficulty.")] = "x",  # noqa: S107
    algorithm: Annotated[str, typer.Option(help="sha256d or scrypt")] = "sha256d",
    threads: Annotated[int, typer.Option(min=1, max=256, help="Worker processes.")] = 1,
    version_rolling: Annotated[bool, typer.Option(help="Ask for version rolling.")] = True,
    suggest_difficulty: Annotated[float | None, typer.Option(help="A difficulty to ask for.")] = None,
    shares: Annotated[int, typer.Option(min=0, help="End after so many accepted shares; 0 never.")] = 0,
) -> None:
    """Mine on this machine's CPU: to try a set-up out, not to earn anything."""
    from pool.miner.run import MinerOptions, run_miner

    options = MinerOptions(
        url=url,
        user=user,
        password=password,
        algorithm=algorithm,
        threads=threads,
        version_rolling=version_rolling,
        suggest_difficulty=suggest_difficulty,
        shares=shares,
    )
    raise typer.Exit(ending.run(run_miner(options)))


@app.command()
def devnode(
    datadir: Annotated[Path, typer.Option(help="Where the chain is kept.")],
    rpc_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the JSON-RPC face.")] = 18443,
    rpc_bind: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    zmq_hashblock: Annotated[
        str | None, typer.Option(help="Publish new blocks here: tcp://127.0.0.1:28332")
    ] = None,
    user: Annotated[str | None, typer.Option(help="RPC user; without it a .cookie file is written.")] = None,
    password: Annotated[
        str | None, typer.Option(help="RPC password, for a node that holds play money.")
    ] = None,
    target_difficulty: Annotated[
        float | None, typer.Option(help="Show a stricter target in templates (for trust_stricter_target).")
    ] = None,
    network: Annotated[str, typer.Option(help="regtest, and no other.")] = "regtest",
) -> None:
    """Run the embedded regtest node (Bitcoin Core's consensus engine) until SIGTERM or Ctrl-C."""
    if network != "regtest":
        sys.stderr.write(
            f"engineroom: the devnode is for regtest alone, not for {network}; run a real node\n"
        )
        raise typer.Exit(2)
    try:
        from pool.devnode.run import CannotRun, DevnodeOptions, run_devnode
    except ImportError as error:
        fail(said(error))
    options = DevnodeOptions(
        datadir=datadir,
        rpc_port=rpc_port,
        rpc_bind=rpc_bind,
        zmq_address=zmq_hashblock,
        user=user,
        password=password,
        target_difficulty=target_difficulty,
    )
    try:
        ending.run(run_devnode(options, lambda line: typer.echo(line)))
    except CannotRun as error:
        fail(said(error))


@app.command(help="Tell a running pool that the node has a new tip (for the node's -blocknotify).")
def notify(
    socket: Annotated[str, typer.Argument(help="The pool's notify_socket.")],
    block_hash: Annotated[str | None, typer.Argument(help="%s of -blocknotify.")] = None,
) -> None:
    """Here for `--help` alone: `pool.entry` runs it without this module."""
    from pool.notify import main as send

    raise typer.Exit(send([socket] if block_hash is None else [socket, block_hash]))


def _say_where(bound: list[tuple[str, int]]) -> None:
    for address, port in bound:
        shown = f"[{address}]" if ":" in address else address
        log.info(LogEvent.POOL_LISTENING, host=shown, port=port)


for command in (accounts.balance, accounts.blocks, backup.backup, backup.restore):
    app.command()(command)
