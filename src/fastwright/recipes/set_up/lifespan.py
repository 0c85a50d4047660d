"""What an application does when it starts: its lifespan, as it is or new; and the statements that go there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastwright.app.model import App
from fastwright.app.setup.result import Application
from fastwright.app.symbols import Function
from fastwright.edit import source as at
from fastwright.edit.builders import add_argument, insert, insert_after, insert_before
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import is_taken
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Kept, Planned, Proposal, Stopped, Target
from fastwright.recipes.shared.application import assignment
from fastwright.recipes.shared.from_rules import hits_of
from fastwright.recipes.shared.handed import outermost, written_in

_RULE = "side-effect-at-import"


def started(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each module of an application that makes tables when it is imported."""
    for application in app.applications:
        module = application.module
        if not application.fastapi or not target.holds(module.path):
            continue
        lines = {hit.place.line for hit in hits_of(app, _RULE) if hit.place.file == module.path}
        for statement in module.facts.body:
            if module.line(statement) in lines and _makes_tables(statement):
                try:
                    yield _moved(app, application, statement)
                except Kept as kept:
                    yield Stopped(kept.place, f"create_all: {kept.reason}")


def _makes_tables(statement: s.Stmt) -> bool:
    made = statement.value if isinstance(statement, s.ExprStmt) else None
    return isinstance(made, s.Call) and s.last_name(made.func) == "create_all"


def _moved(app: App, application: Application, statement: s.Stmt) -> Proposal:
    """Return what makes tables when the application starts. Raises Kept."""
    module = application.module
    refuse_tests_without_start(app)
    _refuse_others(app, application, statement)
    line = at.text(module, statement)
    place = f"{module.path}:{module.line(statement)}"
    title = f"{module.path} makes its tables when the application starts"
    lines = [*comments(module, statement), line]
    function = lifespan_of(application)
    if function is None:
        edits, imports = new_lifespan(application, [*lines, "yield"])
    elif function.module is not module:
        raise Kept(function.module, function.node, "the lifespan is in another module")
    else:
        first = function.node.body[0]
        is_doc = isinstance(first, s.ExprStmt) and s.string(first.value) is not None
        place_it = insert_after if is_doc else insert_before
        edits, imports = [place_it(module, first, "\n".join(lines))], []
    edits.append(gone(module, statement))
    return Proposal(title, tuple(edits), tuple(imports), places=(place,))


def _refuse_others(app: App, application: Application, statement: s.Stmt) -> None:
    """Raise Kept where tables may be needed by what does not start the application."""
    module, made = application.module, assignment(application)
    for importer in app.modules.values():
        if importer is module:
            continue
        for edge in importer.import_statements:
            if not isinstance(edge, s.ImportFrom):
                named = any(app.index.resolve(alias.name, importer.path) for alias in edge.names)
            else:
                origin = importer.absolute(edge.module, edge.level)
                named = app.index.resolve(origin, importer.path) is not None
                offered = {alias.name for alias in edge.names}
                if (
                    importer.kind == "test"
                    and app.index.resolve(origin, importer.path) == module.path
                ):
                    named = made is None or not offered <= {made[1], "create_app"}
            if importer.kind == "test" and named and not _is_test(app, importer, edge):
                raise Kept(importer, edge, "a test uses more of the application than its requests")
    for later in module.facts.body:
        is_running = isinstance(later, (s.With, s.For, s.While, s.ExprStmt))
        if is_running and later.start > statement.start and made is not None:
            names = {node.id for node in s.walk(later) if isinstance(node, s.Name)}
            if made[1] not in names:
                raise Kept(module, later, "may need the tables")


def _is_test(app: App, importer: Module, edge: s.Import | s.ImportFrom) -> bool:
    """Whether an import is of other tests."""
    dotted = (
        importer.absolute(edge.module, edge.level)
        if isinstance(edge, s.ImportFrom)
        else edge.names[0].name
    )
    path = app.index.resolve(dotted, importer.path)
    return path is not None and path in app.modules and app.modules[path].kind == "test"


# ---------------------------------------------------------------------- lifespans


def lifespan_of(application: Application) -> Function | None:
    """Return the lifespan of an application, None where it has none. Raises Kept for one of another form."""
    if application.event_handlers:
        handler = application.event_handlers[0].place
        raise Kept(handler.module, handler.node, "a lifespan would take the place of this event")
    found = application.lifespan
    if found is None and "lifespan" in application.keywords:
        raise Kept(application.module, application.node, "its lifespan is no function")
    if found is not None:
        is_usual = found.is_async and found.node.is_generator and found.module.kind == "source"
        if not is_usual:
            raise Kept(found.module, found.node, "this lifespan is not of the usual form")
    return found


def new_lifespan(application: Application, lines: Sequence[str]) -> tuple[list[Edit], list[Import]]:
    """Return what gives an application a lifespan of these lines. Raises Kept."""
    module, made = application.module, assignment(application)
    if is_taken(module, "lifespan") or not isinstance(application.node, s.Call) or made is None:
        raise Kept(module, application.node, "lifespan means something else here")
    imports: list[Import] = []
    words = []
    for origin, last in (
        ("contextlib", "asynccontextmanager"),
        ("fastapi", "FastAPI"),
        ("collections.abc", "AsyncIterator"),
    ):
        brought = written_in(module, module.path, origin, last)
        words.append(brought.name)
        imports += brought.imports
    own = "app" if any("app." in line for line in lines) else "_"
    head = f"@{words[0]}\nasync def lifespan({own}: {words[1]}) -> {words[2]}[None]:\n"
    code = head + "".join(f"    {line}\n" for line in lines) + "\n\n"
    before: s.Stmt = made[0]
    if application.function is not None:
        before = outermost(application.function).node
    start = first_line(module.source, before)
    return [
        insert(module, start, code.replace("\n", at.newline(module.source))),
        add_argument(module, application.node, "lifespan=lifespan"),
    ], imports


def refuse_tests_without_start(app: App) -> None:
    """Raise Kept where a test talks to the application without having it started."""
    for module in app.tests:
        entered = {
            id(item.context_expr)
            for node in module.walk()
            if isinstance(node, s.With)
            for item in node.items
        }
        for node in module.walk():
            if not isinstance(node, s.Call):
                continue
            called = s.last_name(node.func)
            starts = called == "TestClient" and id(node) not in entered
            if starts or (called == "ASGITransport" and b"LifespanManager" not in module.source):
                raise Kept(module, node, "tests talk to the application without starting it")


# --------------------------------------------------------------------- statements


def first_line(source: bytes, statement: s.Stmt) -> int:
    """Return where the lines of a statement begin, the comments directly above it included."""
    start = at.line_start(source, statement.start)
    while start > 0 and source[at.line_start(source, start - 1) : start].startswith(b"#"):
        start = at.line_start(source, start - 1)
    return start


def comments(module: Module, statement: s.Stmt) -> list[str]:
    """Return the comments directly above a statement."""
    above = module.source[first_line(module.source, statement) : statement.start]
    return above.decode().splitlines()


def gone(module: Module, statement: s.Stmt) -> Edit:
    """Return the edit that takes a statement away, with the comments above it."""
    source = module.source
    start = first_line(source, statement)
    end = at.next_line(source, statement.end - 1)
    if not source[
        end : at.next_line(source, end)
    ].strip():  # what parts it from what follows is enough
        while start > 0 and not source[at.line_start(source, start - 1) : start].strip():
            start = at.line_start(source, start - 1)
    if start == 0:
        end = at.blank_lines(source, end)
    return Edit(module.path, start, end, "")
