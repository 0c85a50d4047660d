"""The README is true: its commands run as they are written."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SHELL = [block.strip() for language, block in BLOCKS if language == "sh"]
COMMANDS = [
    line.partition(" #")[0].strip() for block in SHELL[2:] for line in block.splitlines() if line
]

AUTHOR = {
    "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org",
    "VIRTUAL_ENV": sys.prefix,
}  # fmt: skip
"""Who commits, and the environment that has what the application needs."""


def run(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, shell=True, cwd=cwd, env={**os.environ, **environment}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example shop in a ``src`` layout, in a repository with an ``origin/main``."""
    folder = tmp_path_factory.mktemp("readme")
    origin, clone = folder / "origin", folder / "clone"
    shutil.copytree(ROOT / "examples" / "shop" / "shop", origin / "src" / "shop")
    shutil.copy(ROOT / "examples" / "shop" / "pyproject.toml", origin)
    git = "git -c user.name=a -c user.email=a@example.org"
    setup = f"git init -q -b main && git add . && {git} commit -qm first"
    assert run(setup, origin).returncode == 0
    assert run(f"git clone -q {origin} {clone}", folder).returncode == 0
    return clone


def test_commands_run_one_after_the_other(project: Path) -> None:
    for command in COMMANDS:
        name, *arguments = shlex.split(command)
        assert name == "fastwright"
        done = run(shlex.join([sys.executable, "-m", "fastwright", *arguments]), project, **AUTHOR)
        differs = done.returncode == 1 and "--diff" in arguments
        assert differs or done.returncode == 0, f"{command}\n{done.stderr}{done.stdout}"
        assert "Traceback" not in done.stderr


def test_configuration_is_understood() -> None:
    from fastwright.project.config import parse_config

    blocks = [block for language, block in BLOCKS if language == "toml"]
    for block in blocks:
        parse_config(tomllib.loads(block)["tool"]["fastwright"], "README.md")


def test_first_blocks_are_the_main_job_and_the_tests() -> None:
    assert "fastwright review examples/shop" in SHELL[0]
    assert SHELL[1] == "scripts/test"
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("exec scripts/test")


@pytest.mark.slow
def test_main_job_on_a_fresh_machine(tmp_path: Path) -> None:
    """In a clean copy, with an empty HOME: nothing but Python, pip and git."""
    clone = tmp_path / "clone"
    assert run(f"git clone -q {ROOT} {clone}", tmp_path).returncode == 0
    home = tmp_path / "home"
    home.mkdir()
    done = run(SHELL[0], clone, HOME=str(home), VIRTUAL_ENV="", PIP_DISABLE_PIP_VERSION_CHECK="1")
    assert done.returncode == 0, done.stderr
    assert "problems in" in done.stdout
    assert "OrderService" in done.stdout, "problems that need the whole application"


def test_every_recipe_is_named() -> None:
    from fastwright.recipes.registry import recipes

    assert all(f"`{name}`" in README for name in recipes())
