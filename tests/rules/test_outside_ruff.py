"""Ruff itself beside our rules, on generated modules: nothing that it reports is left unexplained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_nothing_is_unexplained() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.outside.ruff_rules", "--generated"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert "| ASYNC251 | blocking-call-in-async | 96 | 96 | 96 | 0 | 0 |" in run.stdout
