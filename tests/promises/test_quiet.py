"""Good code is left in peace: nothing is reported on applications that are as they should be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastwright.review.run import Options, review

EXAMPLES = Path(__file__).parents[2] / "examples"
GOOD = ["notes"]


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_reported_with_every_rule_on(name: str) -> None:
    outcome = review(Options(path=EXAMPLES / name, select=("all",), cache=False))
    assert outcome.review.findings == ()
    assert outcome.review.failures == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["notes", "shop", "kiosk", "blog", "tracker"])
def test_the_examples_pass_their_own_tests(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=EXAMPLES / name,
        env={**os.environ, "PYTHONPATH": ".", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
