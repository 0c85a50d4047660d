"""Measure fastwright review beside other tools: seconds, cold and warm, and peak memory.

    python -m benchmarks.speed [--sizes shop argilla-server ...] [--tools fastwright ruff-all ...]

Everything is measured in one run, in rounds over all tools, so that a drift of the machine meets
all of them. Cold is without any cache of the tool; warm is after a comment, or a function, was
appended to one file, with the cache of the run before that. The figures are medians of five runs; a tool whose
first run is slow gets fewer, and the table says how many. The other tools are installed into an
environment of their own ($FASTWRIGHT_CORPUS/tools); --python names its interpreter, which
fastapi-therapist needs to be 3.12 or newer. The applications are reviewed as they come out of their
wheels, in scratch copies.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import measure
from benchmarks.corpus import cache, chosen
from benchmarks.peers import Subject, Tool, install, tools, version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "shop"
SIZES = ("shop", "argilla-server", "apache-airflow-core", "litellm")
CACHES = (".fastwright_cache", ".hydroid_cache", ".ruff_cache", "__pycache__")
"""Folders that a tool may leave in the tree that it reads."""

EDITS = {
    "warm, a comment": "# edited {}\n",
    "warm, code": "\n\ndef edited_{}(value: int) -> int:\n    return value + 1\n",
}
"""States with the cache of the run before, and what is appended to one file before each run."""

RUNS = 5
FEWER = ((60.0, 1), (20.0, 3))
"""Seconds that a first run takes at least, and how many runs there are then."""

NOISE = 0.15
"""The spread, as a share of the median, from which a figure is marked as noisy."""

BUSY = 0.25
"""The load, as a share of the cores, from which a warning says that the machine is busy."""

MEBIBYTE = 1024 * 1024


@dataclass
class Series:
    """The runs of one tool on one tree, in one state of its cache."""

    tool: Tool
    state: str
    command: Callable[[Subject], list[str]]
    runs: list[measure.Run] = field(default_factory=list)
    all_processes: int = 0
    failure: str = ""

    @property
    def median(self) -> float | None:
        """The median time, if there is one."""
        if self.failure or not self.runs:
            return None
        return statistics.median(run.seconds for run in self.runs)

    def wants_more(self, rounds: int) -> bool:
        """Whether another run is due, given how long the first one took."""
        if self.failure:
            return False
        return not self.runs or len(self.runs) < allowed(self.runs[0].seconds, rounds)


def allowed(seconds: float, rounds: int) -> int:
    """Return how many runs there are of something that takes so long."""
    for least, runs in FEWER:
        if seconds >= least:
            return min(runs, rounds)
    return rounds


@dataclass(frozen=True)
class Bench:
    """A scratch copy of an application for the runs in one state, and how they are made there."""

    subject: Subject
    state: str
    timeout: float

    @property
    def scratch(self) -> Path:
        """The folder around the copy, for caches and output."""
        return self.subject.root.parent

    def time(self, series: Series) -> None:
        """Time one run and add it to its series."""
        self.prepare()
        run = measure.run(
            series.command(self.subject),
            cwd=self.scratch,
            env=self.environment(),
            timeout=self.timeout,
            output=self.scratch / "output",
        )
        series.runs.append(run)
        series.failure = failure(series.tool, run)

    def weigh(self, series: Series) -> None:
        """Measure the memory of all processes together, in a run that is not timed."""
        self.prepare()
        series.all_processes = measure.peak_of_all_processes(
            series.command(self.subject),
            cwd=self.scratch,
            env=self.environment(),
            timeout=self.timeout,
            output=self.scratch / "output",
        )

    def prepare(self) -> None:
        """Bring the tree and the caches into the state that is measured."""
        if self.state in EDITS:
            with edited_file(self.subject.root).open("a", encoding="utf-8") as file:
                file.write(EDITS[self.state].format(time.time_ns()))
            return
        shutil.rmtree(self.scratch / "cache", ignore_errors=True)
        for folder in CACHES:
            for place in (self.scratch, self.subject.root):
                shutil.rmtree(place / folder, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        """Return an environment with a cache folder of its own."""
        return {**os.environ, "XDG_CACHE_HOME": str(self.scratch / "cache"), "NO_COLOR": "1"}


def failure(tool: Tool, run: measure.Run) -> str:
    """Say why a run does not count, if it does not."""
    if run.timed_out:
        return f"more than {run.seconds:.0f} s"
    return f"exit {run.status}" if tool.crashed(run.status) else ""


def copied(name: str, scratch: Path) -> Subject:
    """Make a scratch copy of an application; it is then in the operating system's file cache."""
    source, environment = EXAMPLE, None
    if name != EXAMPLE.name:
        [application] = chosen([name])
        source, environment = application.source, application.environment
    shutil.copytree(source, scratch / name, ignore=shutil.ignore_patterns(*CACHES))
    exists = environment is not None and environment.is_dir()
    return Subject(scratch / name, environment if exists else None)


def edited_file(root: Path) -> Path:
    """Choose the file that is edited before each warm run: the middle one of those with routes."""
    files = sorted(root.rglob("*.py"))
    routers = [path for path in files if b"APIRouter" in path.read_bytes()]
    candidates = routers or files
    return candidates[len(candidates) // 2]


def measured(name: str, picked: Iterable[Tool], options: argparse.Namespace) -> str:
    """Measure the tools on one application, in rounds, and return the table."""
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        benches = {
            state: Bench(copied(name, Path(folder) / state), state, options.timeout)
            for state in ("cold", *EDITS)
        }
        several = series_of(picked)
        for series in several:
            if series.state in EDITS:  # fills the cache
                benches[series.state].time(series)
                series.runs.clear()
        for _ in range(options.runs):
            for series in several:
                if series.wants_more(options.runs):
                    benches[series.state].time(series)
                    report_progress(name, series)
        for series in several:
            if not series.failure:
                benches[series.state].weigh(series)
        return table(name, benches["cold"].subject.root, several)


def series_of(picked: Iterable[Tool]) -> list[Series]:
    """Return the series to measure: cold for every tool, and warm for those with a cache."""
    several = []
    for tool in picked:
        several.append(Series(tool, "cold", tool.cold))
        if tool.warm:
            several.extend(Series(tool, state, tool.warm) for state in EDITS)
    return several


def report_progress(name: str, series: Series) -> None:
    """Say what came of the last run."""
    outcome = series.failure or f"{series.runs[-1].seconds:.2f} s"
    print(f"  {name} {series.tool.name} {series.state}: {outcome}", file=sys.stderr, flush=True)


def table(name: str, root: Path, several: list[Series]) -> str:
    """Draw the table of one application."""
    lines = sum(path.read_bytes().count(b"\n") for path in root.rglob("*.py"))
    ours = {one.state: one.median for one in several if one.tool.name == "fastwright"}
    columns = [
        *("tool", "cache", "seconds", "range", "processor seconds", "largest process, MiB"),
        *("all processes, MiB", "runs", "times fastwright"),
    ]
    rows = [f"### {name}: {lines:,} lines of Python", ""]
    rows += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return "\n".join(rows + [row(one, ours.get(one.state)) for one in several])


def row(series: Series, ours: float | None) -> str:
    """Draw the row of one tool."""
    title = f"| {series.tool.name} | {series.state} "
    middle = series.median
    if middle is None:
        return f"{title}| {series.failure} | | | | | | |"
    seconds = [run.seconds for run in series.runs]
    noisy = ", noisy" if max(seconds) - min(seconds) > NOISE * middle else ""
    processor = statistics.median(run.processor_seconds for run in series.runs)
    largest = statistics.median(run.largest_process for run in series.runs) / MEBIBYTE
    times = f"{middle / ours:.1f}" if ours else ""
    return (
        f"{title}| {middle:.2f} | {min(seconds):.2f} to {max(seconds):.2f}{noisy} | {processor:.2f}"
        f" | {largest:.0f} | {series.all_processes / MEBIBYTE:.0f} | {len(seconds)} | {times} |"
    )


def conditions(picked: Iterable[Tool]) -> str:
    """Say what was measured, with which commands, on what."""
    example = Subject(Path("ROOT"), Path("ENVIRONMENT"))
    rows = [f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}.", ""]
    for tool in picked:
        program, *arguments = tool.cold(example)
        rows.append(f"- `{' '.join([Path(program).name, *arguments])}` ({version(tool)})")
    return "\n".join(rows)


def warn_if_busy() -> None:
    """Warn where other work on the machine would show in the figures."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > BUSY * cores:
        print(f"warning: the machine is busy (load {load:.1f}, {cores} cores)", file=sys.stderr)


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [tool.name for tool in tools()]
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="NAME")
    parser.add_argument("--tools", nargs="+", default=names, choices=names, metavar="NAME")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds for one run")
    parser.add_argument("--python", default=sys.executable, help="interpreter for the other tools")
    options = parser.parse_args()
    missing = install(options.python)
    if missing:
        print(f"warning: not installed: {', '.join(missing)}", file=sys.stderr)
    picked = [t for t in tools() if t.name in options.tools and t.binary not in missing]
    warn_if_busy()
    print(conditions(picked))
    for name in options.sizes:
        print(f"\n{measured(name, picked, options)}", flush=True)


if __name__ == "__main__":
    main()
