"""The project's own tests: which of them pass."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec

from fastwright.project.errors import FastwrightError
from fastwright.verify.interpreter import environment_for

_SHOWN = 3
_NO_TESTS = 5
"""What pytest exits with where it found none."""


class TestsError(FastwrightError):
    """The tests could not be run at all."""


class TestRun(msgspec.Struct, frozen=True):
    """Which tests passed, and which did not."""

    passed: frozenset[str]
    failed: frozenset[str]

    def broken_since(self, before: TestRun) -> tuple[str, ...]:
        """Return the tests that passed before, and do not pass now."""
        return tuple(sorted(before.passed - self.passed))


def run_tests(root: Path, roots: tuple[Path, ...], interpreter: Path, seconds: float) -> TestRun:
    """Run a project's tests with pytest, in the project's interpreter.

    Raises TestsError where they cannot be run or do not end in time.
    """
    with tempfile.TemporaryDirectory(prefix="fastwright-") as folder:
        report = Path(folder) / "report.xml"
        command = [str(interpreter), "-m", "pytest", "-q", f"--junitxml={report}"]
        try:
            done = subprocess.run(  # noqa: S603 - what the user asked for
                [*command, "-p", "no:cacheprovider"],
                cwd=root,
                env=environment_for((*roots, root)),
                stdin=subprocess.DEVNULL,
                check=False,
                capture_output=True,
                text=True,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise TestsError(
                f"the tests did not end within {seconds:g} s", "Give more with --timeout."
            ) from None
        if done.returncode == _NO_TESTS:
            raise TestsError("pytest found no tests", "Verify with --verify contract.")
        if not report.exists():
            said = (done.stdout + done.stderr).strip().splitlines()[-_SHOWN:]
            raise TestsError(
                f"the tests could not be run: {' / '.join(said)}",
                f"They were tried with {os.fspath(interpreter)}; --python names another.",
            )
        return _read(report)


def _read(report: Path) -> TestRun:
    passed, failed = set(), set()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it just now
        name = f"{case.get('classname')}::{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            failed.add(name)
        elif case.find("skipped") is None:
            passed.add(name)
    return TestRun(frozenset(passed - failed), frozenset(failed))
