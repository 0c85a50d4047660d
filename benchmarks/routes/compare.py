"""Compare the routes that `fastwright map` finds with those of the running applications.

    python -m benchmarks.routes.compare [--limit N] [NAME ...]

Needs the unpacked wheels (benchmarks.fetch_corpus) and the stored tables (benchmarks.routes.truth).
What is compared is the set of (method, full path, endpoint). HEAD beside GET on the same path and
endpoint is dropped on both sides, since Starlette adds it to plain routes; an endpoint that a
function defines is named without the `<locals>` of its qualified name. A route that the map marks as
conditional (`presence` unknown, or in `routes_off`) counts when the application has it, and not as
extra when it has not. Prints every miss and extra,
then a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.corpus import Application, add_names, chosen
from benchmarks.tool import ToolError, document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WEBSOCKET = "WEBSOCKET"
"""Stands for the method of a WebSocket route."""


class Operation(NamedTuple):
    """What is compared: one method of one route."""

    path: str
    method: str
    endpoint: str

    @property
    def text(self) -> str:
        """The operation as it is printed, and as patterns see it."""
        return f"{self.method} {self.path} {self.endpoint}"


@dataclass(frozen=True)
class Comparison:
    """How the map of one application differs from its route table at run time."""

    application: Application
    matched: set[Operation]
    missed: set[Operation]
    extra: set[Operation]
    aside: int
    conditional: int
    """Operations that the map itself says exist only under other settings, and that the running
    application, with its settings, does not have. They count neither for nor against it."""

    @property
    def recall(self) -> float:
        """The share of the running application's operations that the map has."""
        return ratio(len(self.matched), len(self.matched) + len(self.missed))

    @property
    def precision(self) -> float:
        """The share of the map's operations that the running application has."""
        return ratio(len(self.matched), len(self.matched) + len(self.extra))


def main() -> int:
    """Compare the applications that are named, by default all that have a stored table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=1_000, help="differences shown of each kind")
    add_names(parser)
    arguments = parser.parse_args()
    comparisons = []
    for application in chosen(arguments.names):
        if not application.truth.is_file():
            print(f"{application.name}: no stored table")
            continue
        try:
            comparison = compare(application)
        except ToolError as error:
            print(f"{application.name}: {error}")
            continue
        comparisons.append(comparison)
        print_differences(comparison, arguments.limit)
    if not comparisons:
        return 2
    print(table(comparisons))
    return 0


def compare(application: Application) -> Comparison:
    """Map one application and compare."""
    actual = operations(json.loads(application.truth.read_text(encoding="utf-8"))["routes"])
    answer = document("map", application.source)
    certain = operations(r for r in answer["routes"] if r["presence"] in {"always", "startup"})
    off = operations(answer["routes_off"])
    maybe = operations(answer["routes"]) - certain
    conditional = (off | maybe) - certain - actual
    mapped = certain | ((off | maybe) & actual)
    different = actual ^ mapped
    aside = {operation for operation in different if is_aside(application, operation)}
    return Comparison(
        application,
        matched=actual & mapped,
        missed=actual - mapped - aside,
        extra=mapped - actual - aside,
        aside=len(aside),
        conditional=len(conditional),
    )


def operations(routes: Iterable[dict[str, Any]]) -> set[Operation]:
    """Return the operations of a list of routes, from the tool or from the running application."""
    found = {
        Operation(route["path"] or "/", method, route["endpoint"].replace(".<locals>", ""))
        for route in routes
        for method in methods(route)
    }
    return {
        operation
        for operation in found
        if operation.method != "HEAD" or operation._replace(method="GET") not in found
    }


def methods(route: dict[str, Any]) -> list[str]:
    """Return the methods of a route; a WebSocket route, which has none, gets one of its own."""
    if route.get("kind") == "websocket":
        return [WEBSOCKET]
    return [method.upper() for method in route["methods"]] or [WEBSOCKET]


def is_aside(application: Application, operation: Operation) -> bool:
    """Whether the manifest sets the operation aside."""
    return any(fnmatchcase(operation.text, item.pattern) for item in application.aside)


def print_differences(comparison: Comparison, limit: int) -> None:
    """Print each miss and each extra, and for a miss what the map has at the same place."""
    application = comparison.application
    print(f"== {application.name} {application.version}")
    for title, several in (("missed", comparison.missed), ("extra", comparison.extra)):
        for operation in sorted(several)[:limit]:
            print(f"{title:6} {operation.text}{hint(operation, comparison)}")
        if len(several) > limit:
            print(f"{title:6} ... and {len(several) - limit} more")


def hint(operation: Operation, comparison: Comparison) -> str:
    """Say what is nearest to a missed operation among the extra ones."""
    if operation not in comparison.missed:
        return ""
    for other in sorted(comparison.extra):
        if other[:2] == operation[:2]:
            return f"\n       (the map says endpoint {other.endpoint})"
    for other in sorted(comparison.extra):
        if other[1:] == operation[1:]:
            return f"\n       (the map says path {other.path})"
    return ""


def table(comparisons: Sequence[Comparison]) -> str:
    """Draw the table for RESULTS.md."""
    columns = ["application", "operations at run time", "found", "missed", "extra"]
    columns += ["only under other settings", "set aside", "recall", "precision"]
    rows = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    rows += [row(comparison) for comparison in comparisons]
    matched = sum(len(comparison.matched) for comparison in comparisons)
    missed = sum(len(comparison.missed) for comparison in comparisons)
    extra = sum(len(comparison.extra) for comparison in comparisons)
    aside = sum(comparison.aside for comparison in comparisons)
    recall, precision = ratio(matched, matched + missed), ratio(matched, matched + extra)
    rows.append(
        f"| all {len(comparisons)} | {matched + missed} | {matched} | {missed} | {extra}"
        f" | {sum(comparison.conditional for comparison in comparisons)} | {aside}"
        f" | {recall:.4f} | {precision:.4f} |"
    )
    return "\n".join(rows)


def row(comparison: Comparison) -> str:
    """Draw one application's row."""
    application = comparison.application
    matched, missed = len(comparison.matched), len(comparison.missed)
    return (
        f"| {application.name} {application.version} | {matched + missed} | {matched} | {missed}"
        f" | {len(comparison.extra)} | {comparison.conditional} | {comparison.aside}"
        f" | {comparison.recall:.4f} | {comparison.precision:.4f} |"
    )


def ratio(part: int, whole: int) -> float:
    """Return a share; of nothing, all of it."""
    return part / whole if whole else 1.0


if __name__ == "__main__":
    sys.exit(main())
