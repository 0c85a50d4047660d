"""Ruff's FastAPI and async rules beside ours, in code that requests reach.

    python -m benchmarks.outside.ruff_rules [--list] [--generated] [NAME ...]

Runs `ruff check --select FAST001,...,ASYNC251` over the applications of the corpus (or, with
--generated, over modules that `generated.py` writes) and looks for each finding among ours: the same
place, or for a whole signature the same function. A difference is explained in `explained.toml`, or it
is printed as unexplained and the command fails. Ruff looks at one function at a time; what counts here is
code that requests reach: endpoints, dependencies, and everything that they call on the event loop.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.corpus import add_names, chosen
from benchmarks.outside.generated import write
from fastwright.app.on_loop import on_loop
from fastwright.project.discover import open_project
from fastwright.review.run import Options, load_project, review

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastwright.app.model import App
    from fastwright.rules.finding import Finding

EXPLAINED = Path(__file__).with_name("explained.toml")
OURS = {
    "FAST001": "redundant-response-model",
    "FAST002": "unannotated-dependency",
    "FAST003": "unused-path-parameter",
    "ASYNC210": "blocking-call-in-async",
    "ASYNC212": "blocking-call-in-async",
    "ASYNC220": "blocking-call-in-async",
    "ASYNC221": "blocking-call-in-async",
    "ASYNC222": "blocking-call-in-async",
    "ASYNC230": "blocking-call-in-async",
    "ASYNC240": "blocking-call-in-async",
    "ASYNC250": "blocking-call-in-async",
    "ASYNC251": "blocking-call-in-async",
}
"""Ruff's rule -> ours."""


class Reported(NamedTuple):
    """A finding of Ruff."""

    rule: str
    file: str
    line: int
    text: str
    """The line of source."""


class Difference(NamedTuple):
    """A class of findings that we leave out, and why."""

    rule: str
    why: str
    applications: tuple[str, ...]
    files: tuple[str, ...]
    holds: tuple[str, ...]
    """What the line of source holds, where the reason is in the line."""

    def covers(self, application: str, found: Reported) -> bool:
        """Whether this is why a finding is not one of ours."""
        return (
            found.rule.startswith(self.rule)
            and (not self.applications or application in self.applications)
            and (not self.files or any(found.file.startswith(file) for file in self.files))
            and (not self.holds or any(part in found.text for part in self.holds))
        )


class Compared(NamedTuple):
    """What became of Ruff's findings."""

    all: Counter[str]
    reached: Counter[str]
    ours: Counter[str]
    explained: Counter[str]
    unexplained: list[tuple[str, Reported]]


def main() -> None:
    """Compare and print the table; exit 1 where something is unexplained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="print what is explained, too")
    parser.add_argument("--generated", action="store_true", help="generated modules, no corpus")
    add_names(parser)
    options = parser.parse_args()
    total = Compared(Counter(), Counter(), Counter(), Counter(), [])
    if options.generated:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
            compare("generated", Path(folder).resolve(), total, shown=options.list)
    else:
        for application in chosen(options.names):
            compare(application.name, application.source, total, shown=options.list)
    for application, found in total.unexplained:
        print(f"unexplained {application} {found.rule} {found.file}:{found.line} {found.text}")
    print(
        "| rule of Ruff | ours | findings | reached by requests | ours too | explained | unexplained |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    unexplained = Counter(found.rule for _, found in total.unexplained)
    for rule, our in OURS.items():
        counts = (c[rule] for c in (*total[:4], unexplained))
        print(f"| {rule} | {our} | {' | '.join(map(str, counts))} |")
    sys.exit(1 if total.unexplained else 0)


def compare(name: str, root: Path, total: Compared, *, shown: bool) -> None:
    """Add one application to the totals."""
    project = open_project(root)
    options = Options(path=root, select=tuple(sorted(set(OURS.values()))), cache=False)
    findings = review(options).review.findings
    app = load_project(project, options).app
    reached = list(_reached(app))
    ours = {place for finding in findings for place in _places(finding)}
    functions = {(f.rule, f.place.file, f.place.function) for f in findings}
    for found in ruff(root):
        module = app.modules.get(found.file)
        if module is None or module.kind != "source":
            continue
        total.all[found.rule] += 1
        holder = [r for r in reached if r[0] == found.file and r[1] <= found.line <= r[2]]
        if not holder:
            continue
        total.reached[found.rule] += 1
        our = OURS[found.rule]
        if (our, found.file, found.line) in ours or _same_function(app, found, our, functions):
            total.ours[found.rule] += 1
        elif (why := explained(name, found)) is not None:
            total.explained[found.rule] += 1
            if shown:
                print(
                    f"explained {name} {found.rule} {found.file}:{found.line} {found.text}: {why}"
                )
        else:
            total.unexplained.append((name, found))


def ruff(root: Path) -> Iterator[Reported]:
    """Yield what Ruff reports below a folder."""
    command = [
        sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--preview", "--exit-zero",
        "--target-version", "py312", "--output-format", "json", "--select", ",".join(OURS), str(root),
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for found in json.loads(done.stdout):
        file, line = Path(found["filename"]), found["location"]["row"]
        if found["code"] in OURS:
            text = file.read_text("utf-8", "replace").splitlines()[line - 1].strip()
            path = file.resolve().relative_to(root.resolve()).as_posix()
            yield Reported(found["code"], path, line, text)


def explained(application: str, found: Reported) -> str | None:
    """Return why a finding of Ruff is none of ours, where somebody wrote it down."""
    for difference in differences():
        if difference.covers(application, found):
            return difference.why
    return None


def differences() -> list[Difference]:
    """Read the explained differences."""
    entries = tomllib.loads(EXPLAINED.read_text("utf-8"))["difference"]
    return [
        Difference(
            entry["rule"],
            entry["why"],
            tuple(entry.get("applications", ())),
            tuple(entry.get("files", ())),
            tuple(entry.get("holds", ())),
        )
        for entry in entries
    ]


def _reached(app: App) -> Iterator[tuple[str, int, int]]:
    """Yield file, first and last line of each function that the event loop runs for requests.

    Endpoints that run in threads are among them for the rules about signatures.
    """
    endpoints = [route.endpoint for route in app.routes if route.endpoint is not None]
    for function in (*(step.function for step in on_loop(app).reached), *endpoints):
        module, node = function.module, function.node
        first = min([node.start, *(decorator.start for decorator in node.decorators)])
        yield module.path, module.facts.line(first), module.facts.line(node.end - 1)


def _places(finding: Finding) -> Iterator[tuple[str, str, int]]:
    yield finding.rule, finding.place.file, finding.place.line
    for link in finding.evidence:
        yield finding.rule, link.place.file, link.place.line


def _same_function(
    app: App, found: Reported, our: str, functions: set[tuple[str, str, str | None]]
) -> bool:
    """Whether ours is said of the whole signature, or of the function that declares the path."""
    if not found.rule.startswith("FAST"):
        return False
    module = app.modules[found.file]
    return any(
        (our, found.file, module.function_at(node.name_start)) in functions
        for node in module.functions
        if module.facts.line(min([node.start, *(d.start for d in node.decorators)]))
        <= found.line
        <= module.facts.line(node.end - 1)
    )


if __name__ == "__main__":
    main()
