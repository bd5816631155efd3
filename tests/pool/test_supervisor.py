"""A child that is kept alive: started again when it dies, ended when it is time, never left behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from pool.supervisor import ChildKeeper, Patience, accountant_command

PATIENCE = Patience(first_pause_seconds=0.01, longest_pause_seconds=0.04, stop_seconds=10.0)
SECONDS = 20.0

# Says that it runs by making its file, which holds its process id; then waits for a signal.
WAITS = """
import os, pathlib, signal, sys
{before}
path = pathlib.Path(sys.argv[1])
(path / f"{{os.getpid()}}.part").write_text("")
(path / f"{{os.getpid()}}.part").rename(path / f"{{os.getpid()}}")
while True:
    signal.pause()
"""
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
FINISHES = """
def finish(*_):
    (path / "finished").write_text("")
    sys.exit(0)
signal.signal(signal.SIGTERM, finish)
"""


def child(directory: Path, before: str = "") -> list[str]:
    return [sys.executable, "-c", WAITS.format(before=before), str(directory)]


async def until(condition: object) -> None:
    """Another process's doing: there is no event to wait on."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


def running(directory: Path) -> set[int]:
    return {int(path.name) for path in directory.iterdir() if path.name.isdigit()}


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


class Kept:
    """A keeper that runs."""

    def __init__(self, command: list[str], patience: Patience = PATIENCE) -> None:
        self.keeper = ChildKeeper("child", command, patience)
        self.task = asyncio.create_task(self.keeper.run())

    async def end(self) -> None:
        async with asyncio.timeout(SECONDS):
            await self.keeper.stop()
            await self.task


async def test_a_child_that_is_killed_is_started_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept(child(tmp_path))
    for count in range(1, 4):
        await until(lambda count=count: len(running(tmp_path)) == count)
        pid = kept.keeper.pid
        assert pid in running(tmp_path)
        os.kill(pid, signal.SIGKILL)
    await until(lambda: len(running(tmp_path)) == 4)
    assert kept.keeper.starts == 4
    # the pauses double, up to the longest
    told = [record.message for record in caplog.records if "has ended" in record.message]
    assert told == [
        f"the child has ended (killed by SIGKILL); it is started again in {pause:g} s"
        for pause in (0.01, 0.02, 0.04)
    ]
    await kept.end()
    assert not any(is_alive(pid) for pid in running(tmp_path))


def test_pauses_double_up_to_the_longest_and_begin_anew_after_a_healthy_life() -> None:
    patience = Patience()
    pauses, pause = [], 0.0
    for _ in range(7):
        pause = patience.after(pause, lived_seconds=0.5, code=1)
        pauses.append(pause)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert patience.after(30, lived_seconds=60, code=1) == 1
    assert patience.after(30, lived_seconds=59, code=1) == 30


@pytest.mark.parametrize("code", [2, 3])
def test_one_that_needs_a_person_is_only_asked_again_now_and_then(code: int) -> None:
    assert Patience().after(0, lived_seconds=0.1, code=code) == 30
    assert Patience().after(1, lived_seconds=600, code=code) == 30


async def test_an_exit_code_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept([sys.executable, "-c", "raise SystemExit(3)"])
    await until(lambda: "has ended (exit code 3); it is started again in 0.04 s" in caplog.text)
    await kept.end()


async def test_a_child_ends_by_sigterm_and_may_finish_what_it_is_at(tmp_path: Path) -> None:
    kept = Kept(child(tmp_path, FINISHES))
    await until(lambda: running(tmp_path))
    await kept.end()
    assert (tmp_path / "finished").exists()
    assert kept.keeper.pid is None
    assert kept.keeper.starts == 1


async def test_a_child_that_does_not_end_is_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept(child(tmp_path, STUBBORN), Patience(stop_seconds=0.2))
    await until(lambda: running(tmp_path))
    await kept.end()
    assert "did not end within 0.2 s and is killed" in caplog.text
    assert not any(is_alive(pid) for pid in running(tmp_path))


async def test_stopping_during_a_pause_does_not_wait_for_it(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept([sys.executable, "-c", "pass"], Patience(first_pause_seconds=600, longest_pause_seconds=600))
    await until(lambda: "started again in 600 s" in caplog.text)
    await kept.end()
    assert kept.keeper.starts == 1


async def test_stopping_while_the_child_is_being_started_ends_it(tmp_path: Path) -> None:
    kept = Kept(child(tmp_path))
    await asyncio.sleep(0)  # run has begun, and its child has not
    await kept.end()
    assert kept.keeper.pid is None
    assert not any(is_alive(pid) for pid in running(tmp_path))


async def test_stopping_before_the_beginning_starts_nothing() -> None:
    keeper = ChildKeeper("child", [sys.executable, "-c", "pass"], PATIENCE)
    await keeper.stop()
    await keeper.run()
    assert keeper.starts == 0


async def test_a_program_that_is_not_there_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept([str(tmp_path / "nothing")])
    await until(lambda: kept.keeper.starts >= 2)
    assert "the child cannot be started: [Errno 2]" in caplog.text
    await kept.end()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_child_dies_with_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    program = f"""
import asyncio
from pool.supervisor import ChildKeeper
asyncio.run(ChildKeeper("child", {child(tmp_path)!r}).run())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    await until(lambda: running(tmp_path))
    (pid,) = running(tmp_path)
    assert is_alive(pid)
    parent.send_signal(number)
    await parent.wait()
    await until(lambda: not is_alive(pid))


async def test_a_keyboard_interrupt_of_the_terminal_does_not_reach_the_child(tmp_path: Path) -> None:
    """Ctrl-C goes to the foreground process group; the child is in a session of its own."""
    kept = Kept(child(tmp_path))
    await until(lambda: running(tmp_path))
    (pid,) = running(tmp_path)
    assert os.getpgid(pid) == pid != os.getpgrp()
    assert os.getsid(pid) == pid
    await kept.end()


def test_the_accountant_is_started_with_this_python_and_these_settings() -> None:
    command = accountant_command(Path("/etc/engineroom.yaml"))
    assert command == [sys.executable, "-P", "-m", "pool.entry", "accountant", "-c", "/etc/engineroom.yaml"]


async def test_a_folder_named_pool_in_the_working_directory_is_not_the_program(
    tmp_path: Path,
) -> None:
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "__init__.py").write_text("raise SystemExit('the wrong pool')")
    process = await asyncio.create_subprocess_exec(
        *accountant_command(tmp_path / "none.yaml"), cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert b"none.yaml" in said
    assert b"the wrong pool" not in said
