"""The Dockerfile's steps, run in a scratch folder: the result must start without the source tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
VENV = "/opt/engineroom"


def steps(stage: str) -> list[tuple[str, str]]:
    """(instruction, arguments) of one stage, continued lines joined."""
    lines = re.sub(r"\\\n\s*", " ", stage).splitlines()
    pairs = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
    return [(pair[0], pair[1]) for pair in pairs]


FIRST, SECOND = (steps("FROM" + stage) for stage in re.split(r"^FROM", DOCKERFILE, flags=re.MULTILINE)[1:])


def ignored(name: str) -> bool:
    """Whether .dockerignore keeps a top-level name out of the build: it lists what is let in."""
    return f"!{name}" not in (ROOT / ".dockerignore").read_text().splitlines()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first stage's COPY and RUN steps, with its folders moved below a scratch one; gives the venv."""
    scratch = tmp_path_factory.mktemp("image")
    source, venv = scratch / "src", scratch / "venv"
    source.mkdir()
    for instruction, arguments in FIRST:
        if instruction == "COPY":
            *names, _ = arguments.split()
            for name in names:
                assert not ignored(name), f".dockerignore keeps {name} out"
                origin = ROOT / name
                if origin.is_dir():
                    shutil.copytree(origin, source / name, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(origin, source)
        elif instruction == "RUN":
            command = arguments.replace(VENV, str(venv)).replace(
                "python -m venv", f"{sys.executable} -m venv"
            )
            done = subprocess.run(["sh", "-c", command], cwd=source, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(source)  # the second stage has no source tree
    return venv


def environment() -> dict[str, str]:
    text = next(arguments for instruction, arguments in SECOND if instruction == "ENV")
    return dict(pair.split("=", 1) for pair in text.split())


def test_the_image_starts_engineroom_without_the_source_tree(image: Path, tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()  # a folder of this name in the working directory must not be imported
    (tmp_path / "pool" / "__init__.py").write_text("raise SystemExit('the wrong pool')")
    variables = {**os.environ, **environment(), "PATH": f"{image}/bin:{os.environ['PATH']}"}
    done = subprocess.run(
        ["engineroom", "--version"], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "engineroom 0.1.0\n", "")


def test_the_image_prints_its_reference_settings_and_refuses_missing_ones(image: Path) -> None:
    program = f"{image}/bin/engineroom"
    example = subprocess.run([program, "config", "example"], capture_output=True, text=True, check=True)
    assert example.stdout == (ROOT / "config/examples/reference.yaml").read_text()
    command = [program, "run", "-c", "/etc/engineroom/engineroom.yaml"]
    missing = subprocess.run(command, capture_output=True, text=True, check=False)
    assert missing.returncode == 2
    assert missing.stderr.count("\n") == 1


def test_the_second_stage_holds_the_venv_alone_and_runs_as_nobody_special() -> None:
    copies = [arguments for instruction, arguments in SECOND if instruction == "COPY"]
    assert copies == [f"--from=build {VENV} {VENV}"]
    users = [arguments for instruction, arguments in SECOND if instruction == "USER"]
    assert users == ["engineroom"]
    made_at = next(i for i, (_, arguments) in enumerate(SECOND) if "useradd" in arguments)
    assert made_at < SECOND.index(("USER", "engineroom"))
    assert environment()["PYTHONSAFEPATH"] == "1"
    assert FIRST[0][1].split()[0] == SECOND[0][1], "both stages on one base image: the venv links its Python"
