"""Change a copy of a real application, and run its own tests before and after.

    python -m benchmarks.own_tests PROJECT [--python ENV/bin/python] [--to layered|clean] [--tests "ARGUMENTS"]

Prints a row of the table in RESULTS.md, what was left alone, and each test that passed before and does not any more
(goal: none). The copy lies in a temporary folder; the project is not touched.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

IGNORED = shutil.ignore_patterns(".fastwright_cache", "__pycache__", ".venv", ".pytest_cache")
HOW = {"failure": "failed", "error": "errors", "skipped": "skipped"}


def main() -> int:
    """Print what became of the application; 1 where a test that passed does not any more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--python", default=sys.executable, help="the interpreter of its tests")
    parser.add_argument("--to", choices=("layered", "clean"), help="restructure instead of fix")
    parser.add_argument("--tests", default="", help="what pytest is given", metavar="ARGUMENTS")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / options.project.resolve().name
        shutil.copytree(options.project, copy, ignore=IGNORED, symlinks=True)
        before = tests(copy, options.python, shlex.split(options.tests))
        started = time.perf_counter()
        command = (
            ["restructure", str(copy), "--to", options.to] if options.to else ["fix", str(copy)]
        )
        done = subprocess.run(
            [sys.executable, "-m", "fastwright", *command, "--allow-dirty", "--no-cache"],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        sys.stderr.write(done.stdout + done.stderr)
        after = tests(copy, options.python, shlex.split(options.tests))
    lost = sorted(name for name, how in before.items() if how == "passed" != after.get(name))
    last = (done.stdout.strip().splitlines() or ["nothing"])[-1].partition(".")[0]
    print(
        f"| {copy.name} | {' '.join(command[:1] + command[2:])} | {last} | {summary(before)} | {summary(after)}"
        f" | {len(lost)} | {seconds:.0f} |"
    )
    for name in lost:
        print(f"passed before: {name}")
    return 1 if lost else 0


def tests(project: Path, python: str, arguments: list[str]) -> dict[str, str]:
    """Run the tests of a project; return by name whether each passed, failed or was skipped."""
    report = project.parent / "report.xml"
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *arguments],
        cwd=project, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if not report.is_file() or not list(ET.parse(report).iter("testcase")):  # noqa: S314 - our own
        sys.exit(f"The tests cannot be run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    found = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our own report
        kinds = [HOW[child.tag] for child in case if child.tag in HOW]
        found[f"{case.get('classname')}::{case.get('name')}"] = kinds[0] if kinds else "passed"
    return found


def summary(results: dict[str, str]) -> str:
    """Return ``12 passed, 1 failed``."""
    counted = Counter(results.values())
    kinds = ("passed", "failed", "errors", "skipped")
    return ", ".join(f"{counted[kind]} {kind}" for kind in kinds if counted[kind])


if __name__ == "__main__":
    sys.exit(main())
