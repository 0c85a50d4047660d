"""Compare other tools with fastwright on the slices of which every problem is labelled.

    python -m benchmarks.labels.compare [NAME ...]

Every tool reviews the whole application of each slice; what it reports counts where its rule answers
one of the categories (the tables below) and stands in the lines that were read. The scores are those
of ``recall.py``. NAME is a tool.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.corpus import cache, chosen
from benchmarks.labels import recall
from benchmarks.labels.slices import Report, Score, read_problems, read_slices, score
from benchmarks.peers import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUFF = {
    "ASYNC2": "blocking", "S608": "injection", "S602": "injection", "S604": "injection",
    "S605": "injection", "S301": "injection", "S506": "injection", "S310": "injection",
    "PLR0915": "fat-endpoint", "PLR0912": "fat-endpoint", "C901": "fat-endpoint",
}  # fmt: skip
BANDIT = {"B608": "injection", "B602": "injection", "B605": "injection", "B301": "injection",
          "B506": "injection", "B310": "injection"}  # fmt: skip
PYLINT = {"too-many-statements": "fat-endpoint", "too-many-branches": "fat-endpoint",
          "too-many-locals": "fat-endpoint"}  # fmt: skip
THERAPIST = {
    "FASTT001": "blocking", "FASTT002": "blocking", "FASTT005": "blocking", "FASTT006": "blocking",
    "FASTT033": "blocking", "FASTT030": "n-plus-one", "FASTT032": "n-plus-one",
    "FASTT035": "pagination", "FASTT010": "leak", "FASTT011": "leak",
    "FASTT017": "injection", "FASTT040": "pydantic-v1", "FASTT041": "pydantic-v1",
    "FASTT042": "pydantic-v1",
}  # fmt: skip
SAFELINT = {"SAFE101": "fat-endpoint", "SAFE104": "fat-endpoint", "SAFE801": "injection",
            "SAFE907": "injection"}  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """An application, and its environment where that is installed."""

    root: Path
    environment: Path

    def relative(self, path: str) -> str:
        """Return a path as the labels give it."""
        given = Path(path)
        return given.relative_to(self.root).as_posix() if given.is_absolute() else given.as_posix()


def answer(command: list[str]) -> Any:  # noqa: ANN401 - each tool has its own document
    """Run a tool and return the JSON that it prints."""
    # hydroid's threads overflow the stack that they get by default on some of the applications
    environment = {**os.environ, "RUST_MIN_STACK": str(512 * 1024 * 1024)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    start = min((i for i in (done.stdout.find("{"), done.stdout.find("[")) if i >= 0), default=-1)
    if start < 0:
        raise SystemExit(f"{command[0]}: no JSON: {done.stderr[-500:]}")
    return json.loads(done.stdout[start:])


def fastwright(subject: Subject) -> Iterator[Report]:
    """Ours."""
    yield from recall.reports(subject.root)


def ruff(subject: Subject) -> Iterator[Report]:
    """Ruff, every rule on."""
    command = [installed("ruff"), "check", "--isolated", "--no-cache", "--select", "ALL"]
    for found in answer([*command, "--output-format", "json", str(subject.root)]):
        code = found["code"] or ""
        for start, category in RUFF.items():
            if code.startswith(start):
                line, end = found["location"]["row"], found["end_location"]["row"]
                yield Report(category, subject.relative(found["filename"]), line, end)


def bandit(subject: Subject) -> Iterator[Report]:
    """Bandit, its defaults."""
    command = [installed("bandit"), "--quiet", "--recursive", "--format", "json"]
    for found in answer([*command, str(subject.root)])["results"]:
        if category := BANDIT.get(found["test_id"]):
            lines = found["line_range"]
            yield Report(category, subject.relative(found["filename"]), lines[0], lines[-1])


def pylint(subject: Subject) -> Iterator[Report]:
    """Pylint, its rules on the size of functions."""
    only = ["--disable=all", f"--enable={','.join(PYLINT)}"]
    command = [installed("pylint"), "--recursive=y", "--output-format=json", *only]
    for found in answer([*command, str(subject.root)]):
        file = subject.relative(str(Path(found["path"]).resolve()))
        yield Report(PYLINT[found["symbol"]], file, found["line"], found["line"])


def therapist(subject: Subject) -> Iterator[Report]:
    """fastapi-therapist, its defaults."""
    command = [installed("fastapi-therapist"), "--json-compact", "--no-vulture", "--no-ruff"]
    for found in answer([*command, str(subject.root)])["diagnostics"]:
        if category := THERAPIST.get(found["rule"]):
            file, line = subject.relative(found["filePath"]), found["line"]
            yield Report(category, file, line, line)


def hydroid(*, environment: bool) -> Callable[[Subject], Iterator[Report]]:
    """Return hydroid with the CPU rules on, with or without the application's environment."""

    def run(subject: Subject) -> Iterator[Report]:
        command = [installed("hydroid"), "--no-cache", "--cpu", "--format", "json"]
        if (
            environment and subject.environment.is_dir()
        ):  # one application cannot be installed apart
            command += ["--python", str(subject.environment)]
        for found in answer([*command, str(subject.root)])["diagnostics"]:
            places = [found["location"], *(link["location"] for link in found["chain"])]
            steps = tuple((subject.relative(p["path"]), p["line"]) for p in places)
            file, line = steps[-1]
            yield Report("blocking", file, line, line, steps)

    return run


def safelint(subject: Subject) -> Iterator[Report]:
    """Safelint with its FastAPI preset."""
    with TemporaryDirectory() as folder:
        settings = Path(folder) / "safelint.toml"
        settings.write_text('[python]\nframework = "fastapi"\n', encoding="utf-8")
        command = [installed("safelint"), "check", str(subject.root), "--config", folder]
        found_here = answer([*command, "--all-files", "--format", "json", "--no-cache"])
    for found in found_here["violations"]:
        if category := SAFELINT.get(found["code"]):
            line = found["lineno"]
            yield Report(category, subject.relative(found["filepath"]), line, line)


def faex(subject: Subject) -> Iterator[Report]:
    """Faex: what it calls undeclared, other than HTTPException."""
    for endpoint in answer([installed("faex"), "check", str(subject.root), "--format", "json"])[
        "endpoints"
    ]:
        for found in endpoint["undeclared_exceptions"]:
            if found["class"] != "HTTPException" and found["line"]:
                file = subject.relative(found["file"])
                yield Report("unhandled", file, found["line"], found["line"])


TOOLS: dict[str, Callable[[Subject], Iterator[Report]]] = {
    "fastwright": fastwright,
    "ruff": ruff,
    "fastapi-therapist": therapist,
    "hydroid, dependencies installed": hydroid(environment=True),
    "hydroid, nothing installed": hydroid(environment=False),
    "safelint": safelint,
    "faex": faex,
    "bandit": bandit,
    "pylint": pylint,
}


def main() -> int:
    """Print the table: for each tool its totals, and found/problems by category."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="tools; all by default")
    names = parser.parse_args().names or list(TOOLS)
    problems = read_problems()
    print("| tool | found | of | recall | reported | labelled | precision | by category |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        everything, categories = Score(), {category: Score() for category in recall.CATEGORIES}
        reports: dict[str, list[Report]] = {}
        for part in read_slices():
            (application,) = chosen([part.application])
            if application.name not in reports:
                subject = Subject(application.source, cache() / "venvs" / application.name)
                reports[application.name] = list(TOOLS[name](subject))
            mine = [problem for problem in problems if problem.slice == part.name]
            for category, found in score(part, mine, reports[application.name])[0].items():
                everything.add(found)
                categories[category].add(found)
        print(row(name, everything, categories), flush=True)
    return 0


def row(name: str, everything: Score, categories: dict[str, Score]) -> str:
    """Draw one row."""
    parts = [
        f"{category} {found.found}/{found.found + found.missed}"
        for category, found in categories.items()
        if found.found
    ]
    return (
        f"| {name} | {everything.found} | {everything.found + everything.missed}"
        f" | {recall.share(everything.recall)} | {everything.true + everything.false}"
        f" | {everything.true} | {recall.share(everything.precision)} | {', '.join(parts)} |"
    )


if __name__ == "__main__":
    sys.exit(main())
