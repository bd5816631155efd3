"""Starting on what is wrong, and stopping: one line that says what to do, an exit code, never a traceback."""

import signal
import socket
from pathlib import Path

import pytest

from tests.end_to_end.nodes import ALL, make_node
from tests.harness.command import Ended, engineroom
from tests.harness.hand_miner import HandMiner
from tests.harness.litecoind import free_ports
from tests.harness.pool_process import PAYOUT_ADDRESSES, RunningPool

BITCOIN = PAYOUT_ADDRESSES["bitcoin"]


def write_settings(directory: Path, **changes: str) -> Path:
    """Settings for a node that is not there; each change replaces a line's value."""
    [rpc_port] = free_ports(1)
    (directory / "password").write_text("p")
    values = {
        "coin": "bitcoin",
        "network": "regtest",
        "data_directory": "pool-data",
        "payout": f"{{scheme: pplns, address: {BITCOIN}}}",
        "drain_seconds": "0",
        "nodes": f"[{{name: a, url: 'http://127.0.0.1:{rpc_port}', user: u, password_file: password}}]",
        "stratum": "{listeners: [{address: 127.0.0.1, port: 0}]}",
        **changes,
    }
    file = directory / "engineroom.yaml"
    file.write_text("".join(f"{key}: {value}\n" for key, value in values.items()))
    return file


def assert_one_line(ended: Ended, *words: str, codes: tuple[int, ...] = (1, 2)) -> None:
    assert ended.code in codes, ended
    assert ended.err.count("\n") == 1, ended.err
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err


async def test_a_port_in_use_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = write_settings(tmp_path, stratum=f"{{listeners: [{{address: 127.0.0.1, port: {port}}}]}}")
        ended = await engineroom("run", "-c", file)
    assert_one_line(ended, f"port {port}", "in use", "change stratum.listeners", codes=(1,))


@pytest.mark.parametrize("command", ["run", "check"])
async def test_an_address_of_another_network_is_refused_with_its_line(command: str, tmp_path: Path) -> None:
    mainnet = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"  # BIP 173
    file = write_settings(tmp_path, payout=f"{{scheme: pplns, address: {mainnet}}}")
    ended = await engineroom(command, "-c", file)
    assert_one_line(ended, f"{file}:4: payout.address", "bitcoin mainnet", "bitcoin regtest")


async def test_all_that_is_wrong_with_settings_is_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    file = write_settings(tmp_path, coin="bitcoins", drain_secnods="3", data_directory="[1]", payout="{}")
    ended = await engineroom("run", "-c", file)
    assert ended.code == 2
    lines = ended.err.splitlines()
    assert [line.split(": ")[0].rpartition(":")[2] for line in lines] == ["1", "3", "4", "8"]
    assert "did you mean drain_seconds?" in lines[3]


async def test_a_settings_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert_one_line(await engineroom("run", "-c", tmp_path / "no.yaml"), "no.yaml", "no such file")


async def test_check_says_that_a_node_is_unreachable_and_what_to_do(tmp_path: Path) -> None:
    ended = await engineroom("check", "-c", write_settings(tmp_path))
    assert ended.code == 1
    assert "cannot connect" in ended.err
    assert "is the node running" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_and_ends_with_zero(number: signal.Signals, tmp_path: Path) -> None:
    async with make_node("devnode", tmp_path) as node:
        await node.mine(1)
        async with RunningPool(tmp_path, [node]) as pool:
            miner = await HandMiner.connect(pool.port, pool.user, pool.algorithm)
            await miner.next_job()
            assert await pool.stop(number) == 0
            await pool.says("stopping: closing 1 connections")
            await pool.says("stopped: ")
            await miner.close()
            assert not any("Traceback" in line for line in pool.lines)


async def is_let_in(pool: RunningPool) -> bool:
    """Whether a new miner is served; one that the kernel had taken may be closed instead of refused."""
    try:
        late = await HandMiner.connect(pool.port, pool.user, pool.algorithm)
    except ConnectionRefusedError:
        return False
    await late.wait_for_end()
    return late.client.is_authorised


async def test_closes_are_spread_over_the_drain_and_nobody_new_is_let_in(tmp_path: Path) -> None:
    async with make_node("devnode", tmp_path) as node:
        await node.mine(1)
        async with RunningPool(tmp_path, [node], drain_seconds=1.0) as pool:
            miners = [await HandMiner.connect(pool.port, pool.user, pool.algorithm) for _ in range(5)]
            for miner in miners:
                await miner.next_job()
            pool.signal(signal.SIGTERM)
            await pool.says("stopping: closing 5 connections")
            assert not await is_let_in(pool)
            closed_at = [await miner.wait_for_end() for miner in miners]
            assert 0.4 < max(closed_at) - min(closed_at) < 15, "five closes, spread over a second or more"
            assert await pool.wait() == 0


async def test_without_a_node_the_pool_waits_says_so_and_mines_when_one_comes(tmp_path: Path) -> None:
    node = make_node("devnode", tmp_path)
    async with RunningPool(tmp_path, [node]) as pool:
        miner = await HandMiner.connect(pool.port, pool.user, pool.algorithm)
        await pool.says("cannot connect")
        async with node:
            await miner.next_job()
            assert miner.is_connected
            await miner.close()


@pytest.mark.parametrize("kind", ALL)
async def test_check_tells_what_the_pool_would_do(kind: str, tmp_path: Path) -> None:
    async with make_node(kind, tmp_path) as node:
        await node.mine(3)
        pool = RunningPool(tmp_path, [node])
        ended = await engineroom("check", "-c", pool.settings_file, "--hashrate", "1k")
    assert ended.code == 0, ended
    assert ended.err == ""
    lines = ended.out.splitlines()
    assert lines[0] == f"settings {pool.settings_file}: in order"
    assert lines[1].startswith(f"node {node.name}: chain regtest, block 3 of 3 headers, answers in ")
    # regtest's subsidy is 50 coins until its first halving, at block 150
    assert lines[2] == f"next block: height 4, reward 50.00000000 {node.coin}"
    assert lines[3].startswith("coinbase: ")
    assert lines[4] == f"  pays 50.00000000 to {pool.address}"
    assert lines[5] == "  pays 0.00000000 to nobody: the witness commitment"
    # regtest: every second hash is a block, so a thousand hashes a second take two milliseconds
    assert lines[-1].endswith("a block is expected every 0.002 seconds")


async def test_check_refuses_a_node_of_another_coin(tmp_path: Path) -> None:
    async with make_node("litecoind", tmp_path) as node:
        url = f"http://127.0.0.1:{node.rpc_port}"
        node_entry = f"[{{name: a, url: '{url}', user: u, password_file: password}}]"
        file = write_settings(tmp_path, nodes=node_entry, network="signet", payout="{scheme: solo}")
        ended = await engineroom("check", "-c", file)
    assert ended.code == 1
    assert "node a: is on chain 'regtest', and the settings say bitcoin signet" in ended.err


async def test_check_names_a_wrong_password(tmp_path: Path) -> None:
    async with make_node("devnode", tmp_path) as node:
        pool = RunningPool(tmp_path, [node])
        (tmp_path / "password").write_text("wrong")
        ended = await engineroom("check", "-c", pool.settings_file)
    assert ended.code == 1
    assert "password" in ended.err
    assert "Traceback" not in ended.err


async def test_a_hashrate_that_is_none_is_told(tmp_path: Path) -> None:
    file = write_settings(tmp_path)
    assert_one_line(await engineroom("check", "-c", file, "--hashrate", "fast"), "--hashrate", "600T")


async def test_the_version_is_told() -> None:
    ended = await engineroom("--version")
    assert (ended.code, ended.out) == (0, "engineroom 0.1.0\n")


async def test_check_counts_the_machines_of_the_inventory_and_tells_what_is_wrong_with_it(
    tmp_path: Path,
) -> None:
    listed = "name,group,model,expected_ths,watts\nm-1,a/row-1,S1,0.24,240\nm-2,a/row-2,S1,0.24,240\n"
    async with make_node("devnode", tmp_path) as node:
        pool = RunningPool(tmp_path, [node], stratum_extra="farm: {inventory: machines.csv}\n")
        inventory = tmp_path / "machines.csv"
        inventory.write_text(listed)
        good = await engineroom("check", "-c", pool.settings_file)
        inventory.write_text(listed.replace("m-2", "m-1"))
        bad = await engineroom("check", "-c", pool.settings_file)
    assert "farm: 2 machines in 3 groups, 480 GH/s expected" in good.out.splitlines()
    assert good.code == 0, good
    assert bad.code == 1
    assert f"{inventory}:3: 'm-1' is listed in line 2 already" in bad.err
