"""Modules must not import each other at run time.

In a cycle one module always runs while the other is half made. It works as long as the right one
is imported first; a new import anywhere, or a test that imports the other one, breaks it with
`ImportError: cannot import name ... (most likely due to a circular import)`. Where whole modules
are imported and only used later it keeps working, but nobody can read, test or reuse one without
the other: they are really one module, or something in one of them belongs in a third.

Only imports that run on import count: those under `TYPE_CHECKING`, inside functions, in a `try`
that catches ImportError and below the definitions of a module (where somebody put them because of
the cycle, and it works) are not reported. `import package` in a module of that package is none either, as long as the package is only
asked for something later: the package always starts first. Each group of modules that import each
other is reported once, at the import that is cheapest to cut.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from fastwright.app.imports import ImportEdge
from fastwright.app.model import App
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Evidence, Hit, Place
from fastwright.rules.rule import Case, Rule

Graph = Mapping[str, list[str]]
Statement: TypeAlias = s.Import | s.ImportFrom
_TRIED = 400
"""How many imports of a group are looked at for the cheapest or shortest cycle."""
_WORD = re.compile(r"[A-Za-z_]\w*")
_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception"})
_LONG = 200
"""Longer texts are no annotations."""
_FEW = 6
"""How many modules of a group a message names."""


class Use(msgspec.Struct, frozen=True):
    """How a module uses what an import gives it: the uses while it is imported, and all others."""

    on_import: int
    later: int


def check(app: App) -> Iterator[Hit]:
    """Report each group of modules that import each other, at the cheapest import."""
    uses = Uses(app)
    edges = {module.path: _runtime_edges(app, module) for module in app.sources}
    graph = {path: [edge.imported for edge in found] for path, found in edges.items()}
    for rough in components(graph):
        inside = set(rough)
        kept = {path: _real_edges(uses, edges[path], inside) for path in rough}
        real = {path: [edge.imported for edge in found] for path, found in kept.items()}
        for group in components(real):
            yield _hit(uses, group, kept)


def _runtime_edges(app: App, module: Module) -> list[ImportEdge]:
    written = {
        fact.start: module.absolute(fact.module, fact.level) for fact in module.header.imports
    }
    return [
        edge
        for edge in app.imports.of(module.path)
        if edge.when == "import"
        and edge.imported in app.modules
        and edge.imported != module.path
        and _is_sure(app, edge, written[edge.start])
    ]


def _is_sure(app: App, edge: ImportEdge, written: str) -> bool:
    """``import redis`` in a package that has a module ``redis`` means the library, not that."""
    name = app.modules[edge.imported].name
    folder = edge.importer.rpartition("/")[0]
    in_package = f"{folder}/__init__.py" in app.modules
    return not in_package or name == written or name.startswith(f"{written}.")


def components(graph: Graph) -> list[list[str]]:
    """Return the strongly connected components of more than one node, sorted (Tarjan, no recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: set[str] = set()
    stack: list[str] = []
    found: list[list[str]] = []
    for root in sorted(graph):
        if root in index:
            continue
        work: list[tuple[str, Iterator[str]]] = [(root, iter(graph[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, following = work[-1]
            for other in following:
                if other not in graph:
                    continue
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on_stack.add(other)
                    work.append((other, iter(graph[other])))
                    break
                if other in on_stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    component = _pop_until(node, stack, on_stack)
                    if len(component) > 1:
                        found.append(sorted(component))
    return sorted(found)


def _pop_until(node: str, stack: list[str], on_stack: set[str]) -> list[str]:
    component = []
    while True:
        last = stack.pop()
        on_stack.discard(last)
        component.append(last)
        if last == node:
            return component


def _real_edges(uses: Uses, edges: Iterable[ImportEdge], inside: set[str]) -> list[ImportEdge]:
    """Leave out imports that no order of importing can make fail.

    Those that may fail (``try: ... except ImportError``) or stand below the definitions that the
    others need (somebody has seen to it, and said so with a ``noqa``), and those of a package by its own modules
    that ask it for something only later: the package always starts first.
    """
    app, found = uses.app, []
    for edge in edges:
        if edge.imported not in inside:
            continue
        importer, imported = app.modules[edge.importer], app.modules[edge.imported]
        if edge.start in uses.guarded(importer):
            continue
        within = imported.is_package and importer.name.startswith(f"{imported.name}.")
        if within and not edge.names and not uses.on_import(edge):
            continue
        found.append(edge)
    return found


# --------------------------------------------------------------------- one group


def _hit(counted: Uses, group: list[str], edges: Mapping[str, list[ImportEdge]]) -> Hit:
    app = counted.app
    inside = set(group)
    members = [edge for path in group for edge in edges[path] if edge.imported in inside]
    uses: dict[int, Use] = {}
    costs: dict[int, Cost] = {}

    def cost(edge: ImportEdge) -> Cost:
        if id(edge) not in costs:
            uses[id(edge)] = counted.of(edge)
            costs[id(edge)] = _cost(app, edge, uses[id(edge)])
        return costs[id(edge)]

    cycle = _pair(members, cost) or _shortest_cycle(members)
    cheapest = min(cycle, key=lambda e: (cost(e), e.importer, e.start))
    turn = cycle.index(cheapest)
    path = [*cycle[turn:], *cycle[:turn]]
    names = [app.modules[edge.importer].name for edge in path]
    message = f"import cycle: {' -> '.join([*names, names[0]])}"
    if len(group) > len(path):
        others = [app.modules[p].name for p in group if p not in {e.importer for e in path}]
        shown = ", ".join(others[:_FEW]) + (" ..." if len(others) > _FEW else "")
        message += f"; {len(group)} modules import each other in all (also {shown})"
    message += f"; cheapest to cut here: {_how(app, cheapest, uses[id(cheapest)])}"
    proof = tuple(Evidence(_place(counted, e), _note(app, e)) for e in path)
    return Hit(_place(counted, cheapest), message, proof)


Cost = tuple[bool, bool, int]


def _cost(app: App, edge: ImportEdge, use: Use) -> Cost:
    """How hard an import is to cut.

    Hardest is a package's import of its own module, which is what its users come for; easiest a
    name that could come from where it is defined; what is only used later is easier than what is
    needed on import.
    """
    if _definer(app, edge) is not None:
        return False, False, 0
    down = app.modules[edge.imported].name.startswith(f"{app.modules[edge.importer].name}.")
    return down, use.on_import > 0, use.on_import + use.later


def _definer(app: App, edge: ImportEdge) -> Module | None:
    """Return the one module that really defines the imported names, if it is another one."""
    package = app.modules[edge.imported]
    found: dict[str, Module] = {}
    for name in edge.names:
        symbol = app.linker.member(package, name)
        module = symbol if isinstance(symbol, Module) else getattr(symbol, "module", None)
        if module is None or name == "*":
            return None
        found[module.path] = module
    only = next(iter(found.values()), None)
    if len(found) != 1 or only is None or only.path in {edge.imported, edge.importer}:
        return None
    return only


def _pair(members: list[ImportEdge], cost: Callable[[ImportEdge], Cost]) -> list[ImportEdge]:
    """Return two modules that import each other directly, the ones that are cheapest to part."""
    first: dict[tuple[str, str], ImportEdge] = {}
    for edge in members:
        first.setdefault((edge.importer, edge.imported), edge)
    mutual = [e for (a, b), e in first.items() if (b, a) in first][:_TRIED]
    if not mutual:
        return []
    edge = min(mutual, key=lambda e: (cost(e), e.importer, e.start))
    return [edge, first[edge.imported, edge.importer]]


def _shortest_cycle(members: list[ImportEdge]) -> list[ImportEdge]:
    """Return the shortest cycle of a group."""
    by_importer: dict[str, list[ImportEdge]] = {}
    for edge in members:
        by_importer.setdefault(edge.importer, []).append(edge)
    best: list[ImportEdge] = []
    for edge in members[:_TRIED]:
        back = _path(by_importer, edge.imported, edge.importer, len(best) - 2 if best else None)
        if back is not None:
            best = [edge, *back]
    return best


def _path(
    edges: Mapping[str, list[ImportEdge]], start: str, goal: str, limit: int | None
) -> list[ImportEdge] | None:
    """Return the shortest way from ``start`` to ``goal``, of at most ``limit`` imports."""
    came: dict[str, ImportEdge] = {}
    frontier, depth = [start], 0
    while frontier and (limit is None or depth < limit):
        depth += 1
        following = []
        for path in frontier:
            for edge in edges.get(path, ()):
                if edge.imported == start or edge.imported in came:
                    continue
                came[edge.imported] = edge
                if edge.imported == goal:
                    return _back(came, start, goal)
                following.append(edge.imported)
        frontier = following
    return None


def _back(came: Mapping[str, ImportEdge], start: str, goal: str) -> list[ImportEdge]:
    way = []
    at = goal
    while at != start:
        way.append(came[at])
        at = came[at].importer
    return way[::-1]


# ------------------------------------------------------------------------- uses


@dataclass
class Uses:
    """Counts names, each module once."""

    app: App
    _on_import: dict[str, Counter[str]] = field(default_factory=dict)
    _anywhere: dict[str, Counter[str]] = field(default_factory=dict)
    _statements: dict[str, Mapping[int, Statement]] = field(default_factory=dict)
    _guarded: dict[str, frozenset[int]] = field(default_factory=dict)

    def guarded(self, module: Module) -> frozenset[int]:
        """Return the starts of imports that are made safe.

        In a ``try`` that catches ImportError, or below the classes and functions of the module.
        """
        if module.path not in self._guarded:
            late = [] if module.is_package else _late(module.facts.body)
            self._guarded[module.path] = frozenset((*_guarded(module.facts.body), *late))
        return self._guarded[module.path]

    def statement(self, edge: ImportEdge) -> Statement | None:
        """Return the statement that an edge stands for."""
        found = self._statements.get(edge.importer)
        if found is None:
            module = self.app.modules[edge.importer]
            found = {statement.start: statement for statement in module.import_statements}
            self._statements[edge.importer] = found
        return found.get(edge.start)

    def on_import(self, edge: ImportEdge) -> int:
        """Count how often a module uses what an import binds while it is imported itself."""
        bound = self._bound(edge)
        if not bound:  # a star import: anything may be used
            return 1
        if edge.importer not in self._on_import:
            names = _names_on_import(self.app.modules[edge.importer])
            self._on_import[edge.importer] = Counter(names)
        return sum(self._on_import[edge.importer][name] for name in bound)

    def of(self, edge: ImportEdge) -> Use:
        """Count how often a module uses what an import binds, on import and later."""
        on_import = self.on_import(edge)
        bound = self._bound(edge)
        if not bound:
            return Use(on_import, 0)
        if edge.importer not in self._anywhere:
            self._anywhere[edge.importer] = Counter(_names(self.app.modules[edge.importer]))
        every = sum(self._anywhere[edge.importer][name] for name in bound)
        return Use(on_import, max(every - on_import, 0))

    def _bound(self, edge: ImportEdge) -> frozenset[str]:
        statement = self.statement(edge)
        return _bound(statement, edge) if statement is not None else frozenset()


def _bound(statement: s.Import | s.ImportFrom, edge: ImportEdge) -> frozenset[str]:
    """Return the names in the module that stand for what the edge imports."""
    if isinstance(statement, s.Import):
        return frozenset(a.asname or a.name.partition(".")[0] for a in statement.names)
    wanted = set(edge.names) or {edge.imported.removesuffix(".py").rsplit("/", 1)[-1]}
    found = [a for a in statement.names if a.name in wanted]
    if not found and not edge.names:  # a submodule that is a package: its folder's name
        found = [a for a in statement.names if f"/{a.name}/__init__" in f"/{edge.imported}"]
    return frozenset(a.asname or a.name for a in found if a.name != "*")


def _guarded(body: list[s.Stmt]) -> Iterator[int]:
    for statement in body:
        if isinstance(statement, s.If):
            for branch in statement.branches:
                yield from _guarded(branch.body)
            yield from _guarded(statement.orelse)
        elif isinstance(statement, s.Try):
            caught = {s.last_name(n) for h in statement.handlers for n in _kinds(h.type)}
            if caught & _IMPORT_ERRORS:
                for inner in s.statements(statement.body):
                    if isinstance(inner, (s.Import, s.ImportFrom)):
                        yield inner.start


def _late(body: list[s.Stmt]) -> Iterator[int]:
    """Yield the starts of imports that stand below a class or function of the module."""
    first = min((n.start for n in body if isinstance(n, (s.ClassDef, s.FunctionDef))), default=None)
    if first is not None:
        for node in s.statements(body):
            if isinstance(node, (s.Import, s.ImportFrom)) and node.start > first:
                yield node.start


def _kinds(node: s.Expr | None) -> list[s.Expr]:
    if node is None:
        return [s.Name(0, 0, "Exception")]
    return node.elts if isinstance(node, s.Tuple) else [node]


def _names(module: Module) -> Iterator[str]:
    """Yield every name in a module, those in quoted annotations and other plain text included."""
    for node in module.walk():
        if isinstance(node, s.Name):
            yield node.id
        elif (text := s.string(node)) is not None and len(text) < _LONG:
            yield from _WORD.findall(text)


def _names_on_import(module: Module) -> Iterator[str]:
    """Yield the names that are needed on import: not those in function bodies."""
    stack: list[s.Node] = list(module.facts.body)
    while stack:
        at = stack.pop()
        if isinstance(at, s.Name):
            yield at.id
        elif isinstance(at, s.FunctionDef):
            stack.extend(at.decorators)
            for parameter in at.params:
                stack.extend(filter(None, (parameter.annotation, parameter.default)))
            if at.returns is not None:
                stack.append(at.returns)
        elif not isinstance(at, s.Lambda):
            stack.extend(s.children(at))


# --------------------------------------------------------------------- messages


def _place(uses: Uses, edge: ImportEdge) -> Place:
    module = uses.app.modules[edge.importer]
    return place(module, uses.statement(edge) or s.Node(edge.start, edge.start + 1))


def _note(app: App, edge: ImportEdge) -> str:
    importer, imported = app.modules[edge.importer].name, app.modules[edge.imported].name
    what = f"{', '.join(edge.names[:3])} from " if edge.names else ""
    return f"{importer} imports {what}{imported}"


def _how(app: App, edge: ImportEdge, use: Use) -> str:
    what = ", ".join(edge.names[:3]) or app.modules[edge.imported].name
    definer = _definer(app, edge)
    if definer is not None:
        return f"{what} can come from {definer.name}, where it is defined"
    if not use.on_import and not use.later:
        return f"{what} is not used in this file"
    if not use.on_import:
        times = "once" if use.later == 1 else f"{use.later} times"
        return f"{what} is used {times}, only inside functions"
    total = use.on_import + use.later
    return f"{what} is used {'once' if total == 1 else f'{total} times'}"


RULE = Rule(
    summary="modules that import each other",
    severity="warning",
    mend="Move what both need into a module of its own, or turn the weaker direction round (pass"
    " the thing in, or import it under `TYPE_CHECKING` if only annotations need it). An import"
    " inside the function is a stopgap.",
    app=check,
    references=(
        "https://docs.python.org/3/faq/programming.html#what-are-the-best-practices-for-using-import-in-a-module",
    ),
)

CASES = (
    Case(
        "two services that need each other; the cheaper direction is reported",
        {
            "shop/__init__.py": "",
            "shop/catalog.py": """
            from shop.orders import OrderService  # <-

            PRICES = {}

            def best_sellers(session):
                return OrderService(session).units_sold()
            """,
            "shop/orders.py": """
            from shop import catalog

            class OrderService:
                prices = catalog.PRICES

                def units_sold(self):
                    return catalog.PRICES, catalog.best_sellers
            """,
        },
    ),
    Case(
        "a cycle through three modules is reported once",
        {
            "a.py": """
            from b import B

            class A(B): ...
            """,
            "b.py": """
            from c import C

            class B(C): ...
            """,
            "c.py": """
            from a import A  # <-

            class C: ...

            def make() -> None:
                A()
            """,
        },
    ),
    Case(
        "a package that needs its own module, which takes a name from the package",
        {
            "core/__init__.py": """
            from core.engine import Engine

            LIMIT = 3
            """,
            "core/engine.py": """
            from core import LIMIT  # <-

            class Engine:
                def run(self) -> int:
                    return LIMIT
            """,
        },
    ),
    Case(
        "for type checkers only, or inside a function",
        {
            "models.py": """
            from __future__ import annotations
            from typing import TYPE_CHECKING

            if TYPE_CHECKING:
                from services import Service

            class Model:
                service: Service
            """,
            "services.py": """
            from models import Model

            class Service:
                model: Model

                def other(self) -> None:
                    from views import show
                    show(self)
            """,
            "views.py": """
            from services import Service

            def show(service: Service) -> None: ...
            """,
        },
    ),
    Case(
        "an import below what the other module needs",
        {
            "block.py": """
            class Block: ...

            from export import ExportBlock  # noqa: E402

            KINDS = [Block, ExportBlock]
            """,
            "export.py": """
            from block import Block

            class ExportBlock(Block): ...
            """,
        },
    ),
    Case(
        "an import that may fail",
        {
            "a.py": """
            try:
                from b import B
            except ImportError:
                B = None

            class A: ...
            """,
            "b.py": """
            from a import A

            class B(A): ...
            """,
        },
    ),
    Case(
        "modules of a package that import their siblings through it",
        {
            "api/__init__.py": """
            from api import items, users
            """,
            "api/items.py": """
            from api import users

            def owner(): return users.find()
            """,
            "api/users.py": """
            import api

            def find(): return api.items
            """,
        },
    ),
    Case(
        "a name taken through the package, which could come from where it is defined",
        {
            "search/__init__.py": """
            from search.base import Engine
            from search.elastic import Elastic
            """,
            "search/base.py": """
            class Engine: ...
            """,
            "search/elastic.py": """
            from search import Engine  # <-

            class Elastic(Engine): ...
            """,
        },
    ),
    Case(
        "whole modules that need each other; the one with a single use is reported",
        {
            "a.py": """
            import b

            def f(): return b.g(), b.h()
            """,
            "b.py": """
            import a  # <-

            def g(): return a.f

            def h(): ...
            """,
        },
    ),
    Case(
        "modules of a package that take names from each other, one way",
        {
            "app/__init__.py": "",
            "app/models.py": """
            class User: ...
            """,
            "app/services.py": """
            from app import models

            def first() -> models.User: ...
            """,
            "app/main.py": """
            from app import models, services
            """,
        },
    ),
)
