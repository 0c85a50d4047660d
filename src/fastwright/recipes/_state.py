"""What modules keep for requests becomes state of the application, which `Depends` gives to those who need it.

Containers that requests fill (those that `module-level-mutable-state` reports) and clients of other services are made with the application.
Clients that can be closed are made when it starts, and closed when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

from fastwright.app.model import App
from fastwright.app.setup.result import Application
from fastwright.app.symbols import Variable
from fastwright.edit import source as at
from fastwright.edit.builders import (
    add_argument,
    block_of,
    insert,
    insert_after,
    under,
)
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import is_taken
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes._application import assignment
from fastwright.recipes._from_rules import hits_of
from fastwright.recipes._handed import (
    Kept,
    Spelled,
    free_name,
    hand_down,
    outermost,
    refuse_names,
    spelled,
    takers_of,
    uses,
    written_in,
)
from fastwright.recipes._provided import keeper_of, provided, refuse_cycles
from fastwright.recipes.recipe import Planned, Proposal, Stopped, Target

_RULE = "module-level-mutable-state"
_Closing: TypeAlias = Literal["with", "async with", "never"]


class _Client(NamedTuple):
    """A client of another service: its class, and how it is closed."""

    cls: str
    closed: _Closing


_CLIENTS: Mapping[str, _Client] = {
    "httpx.Client": _Client("httpx.Client", "with"),
    "httpx.AsyncClient": _Client("httpx.AsyncClient", "async with"),
    "requests.Session": _Client("requests.Session", "with"),
    "requests.sessions.Session": _Client("requests.Session", "with"),
    "redis.Redis": _Client("redis.Redis", "with"),
    "redis.from_url": _Client("redis.Redis", "with"),
    "redis.Redis.from_url": _Client("redis.Redis", "with"),
    "redis.asyncio.Redis": _Client("redis.asyncio.Redis", "async with"),
    "redis.asyncio.from_url": _Client("redis.asyncio.Redis", "async with"),
    "redis.asyncio.Redis.from_url": _Client("redis.asyncio.Redis", "async with"),
    "elasticsearch.AsyncElasticsearch": _Client("elasticsearch.AsyncElasticsearch", "async with"),
    "openai.OpenAI": _Client("openai.OpenAI", "with"),
    "openai.AsyncOpenAI": _Client("openai.AsyncOpenAI", "async with"),
    "stripe.StripeClient": _Client("stripe.StripeClient", "never"),
    "boto3.client": _Client("botocore.client.BaseClient", "never"),
    "boto3.resource": _Client("boto3.resources.base.ServiceResource", "never"),
    "sendgrid.SendGridAPIClient": _Client("sendgrid.SendGridAPIClient", "never"),
    "twilio.rest.Client": _Client("twilio.rest.Client", "never"),
}
"""What makes a client -> what it is."""
_CONTAINERS = frozenset(
    {"builtins.dict", "builtins.list", "builtins.set", "collections.defaultdict", "collections.deque",
     "collections.OrderedDict", "collections.Counter"}
)  # fmt: skip


class _Kept(NamedTuple):
    """A variable of a module that becomes state."""

    variable: Variable
    statement: s.Assign | s.AnnAssign
    value: s.Expr
    client: _Client | None


def state(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each variable of a module that requests share."""
    applications = [
        each for each in app.applications if each.fastapi and each.module.kind == "source"
    ]
    for found in _found(app, target):
        module = found.variable.module
        place = f"{module.path}:{module.line(found.statement)}"
        try:
            proposal = _proposal(app, applications, found, place)
        except Kept as kept:
            yield Stopped(kept.place, f"{found.variable.name}: {kept.reason}")
        else:
            yield proposal


def _found(app: App, target: Target) -> Iterator[_Kept]:
    shared = {(hit.place.file, hit.place.line) for hit in hits_of(app, _RULE)}
    for module in app.sources:
        if not target.holds(module.path):
            continue
        for statement in module.facts.body:
            if not isinstance(statement, (s.Assign, s.AnnAssign)) or statement.value is None:
                continue
            names = statement.targets if isinstance(statement, s.Assign) else [statement.target]
            variable = app.linker.scope(module).names.get(s.last_name(names[0]) or "")
            if (
                len(names) != 1
                or not isinstance(names[0], s.Name)
                or not isinstance(variable, Variable)
            ):
                continue
            client = _client(app, module, statement.value)
            if client is not None or (module.path, module.line(statement)) in shared:
                yield _Kept(variable, statement, statement.value, client)


def _client(app: App, module: Module, value: s.Expr) -> _Client | None:
    if not isinstance(value, s.Call):
        return None
    return _CLIENTS.get(app.linker.external(value.func, module) or "")


# ------------------------------------------------------------------- the change


def _proposal(app: App, applications: list[Application], found: _Kept, place: str) -> Proposal:
    variable, module = found.variable, found.variable.module
    if len(applications) != 1:
        raise Kept(module, found.statement, "there is not one application to keep it")
    application = applications[0]
    if len(variable.values) != 1 or _is_rebound(module, variable.name):
        raise Kept(module, found.statement, "is bound more than once")
    refuse_names(app, variable)
    places = uses(app, variable)
    if not places:
        raise Kept(module, found.statement, "nothing uses it")
    takers = takers_of(app, places)
    plain = variable.name.strip("_").lower()
    name = free_name(takers, places, (plain, f"shared_{plain}"))
    if any(plain in each.header.state for each in app.modules.values()):
        raise Kept(module, found.statement, f"the application keeps a {plain} already")
    keeper = keeper_of(app, application, takers)
    alias = "".join(word.capitalize() for word in plain.split("_")) + "Dep"
    kind = _type(app, found)
    provider = provided(
        app,
        keeper,
        (f"get_{plain}", alias),
        {"type": kind, "request": _request(app), "annotated": ("typing", "Annotated"),
         "depends": ("fastapi", "Depends")},
        f"def get_{plain}(request: {{request}}) -> {{type}}:\n"
        f"    {plain}: {{type}} = request.app.state.{plain}\n    return {plain}\n\n\n"
        f"{alias} = {{annotated}}[{{type}}, {{depends}}(get_{plain})]\n",
    )  # fmt: skip
    edits, imports = hand_down(takers, places, name, kind, (keeper.name, alias))
    edits += provider.edits
    imports += provider.imports
    made_edits, made_imports = _made(app, application, found, plain)
    edits += [*made_edits, _gone(module, found.statement)]
    imports += made_imports
    refuse_cycles(app, imports, keeper)
    title = f"{variable.name} of {module.path} is state of the application"
    return Proposal(title, tuple(edits), tuple(imports), provider.new, places=(place,))


def _is_rebound(module: Module, name: str) -> bool:
    return any(
        isinstance(node, s.Flow) and node.keyword == "global" and name in node.names
        for node in module.walk()
    )


def _type(app: App, found: _Kept) -> Spelled | tuple[str, str]:
    """Return the type of a variable, as it is declared or as its value has it."""
    module = found.variable.module
    if isinstance(found.statement, s.AnnAssign):
        return Spelled(module, found.statement.annotation)
    if found.client is not None:
        origin, _, name = found.client.cls.rpartition(".")
        return origin, name
    for display, bare in ((s.Dict, "dict"), (s.List, "list"), (s.Set, "set")):
        if isinstance(found.value, display):
            return "builtins", bare
    called = found.value.func if isinstance(found.value, s.Call) else None
    made = app.linker.external(called, module) or ""
    if made not in _CONTAINERS:
        raise Kept(module, found.statement, "its type is not known")
    origin, _, name = made.rpartition(".")
    return origin, name


def _request(app: App) -> tuple[str, str]:
    """Return what a dependency takes that reads state; WebSockets are no requests."""
    sockets = any(route.kind == "websocket" for route in app.routes)
    return ("fastapi.requests", "HTTPConnection") if sockets else ("fastapi", "Request")


def _gone(module: Module, statement: s.Stmt) -> Edit:
    """Return the edit that takes a statement away, with the comments above it."""
    source = module.source
    start = _first_line(source, statement)
    end = at.next_line(source, statement.end - 1)
    if not source[
        end : at.next_line(source, end)
    ].strip():  # what parts it from what is behind is enough
        while start > 0 and not source[at.line_start(source, start - 1) : start].strip():
            start = at.line_start(source, start - 1)
    if start == 0:
        end = at.blank_lines(source, end)
    return Edit(module.path, start, end, "")


def _first_line(source: bytes, statement: s.Stmt) -> int:
    start = at.line_start(source, statement.start)
    while start > 0 and source[at.line_start(source, start - 1) : start].startswith(b"#"):
        start = at.line_start(source, start - 1)
    return start


def _comments(found: _Kept) -> list[str]:
    """Return the comments above a variable."""
    source = found.variable.module.source
    above = source[_first_line(source, found.statement) : found.statement.start]
    return above.decode().splitlines()


# ------------------------------------------------------------- where it is made


def _made(
    app: App, application: Application, found: _Kept, name: str
) -> tuple[list[Edit], list[Import]]:
    """Return what makes the state where the application is made, or when it starts. Raises Kept."""
    if found.client is not None and found.client.closed != "never":
        return _opened(app, application, found, name)
    made = assignment(application)
    if made is None:
        raise Kept(application.module, application.node, "the application has no name there")
    statement, variable = made
    module = application.module
    value, imports = spelled(app, Spelled(found.variable.module, found.value), module, module.path)
    lines = [*_comments(found), f"{variable}.state.{name} = {value}"]
    return [insert_after(module, statement, "\n".join(lines))], list(imports)


def _opened(
    app: App, application: Application, found: _Kept, name: str
) -> tuple[list[Edit], list[Import]]:
    """Return what opens a client when the application starts, and closes it when it ends. Raises Kept."""
    _refuse_tests_without_start(app)
    if application.event_handlers:
        handler = application.event_handlers[0].place
        raise Kept(handler.module, handler.node, "a lifespan would take the place of this event")
    lifespan = application.lifespan
    if lifespan is None and "lifespan" in application.keywords:
        raise Kept(
            application.module, application.node, "its lifespan is no function that is known"
        )
    if lifespan is None:
        return _started(app, application, found, name)
    module, node = lifespan.module, lifespan.node
    yields = [each for each in s.walk_scope(*node.body) if isinstance(each, s.Yield)]
    at_rest = block_of(node.body, yields[0]) if len(yields) == 1 else None
    if at_rest is None or not node.is_async or len(node.params) != 1 or module.kind != "source":
        raise Kept(module, node, "this lifespan is not of the usual form")
    given = node.params[0]
    own = "app" if given.name.startswith("_") else given.name
    if is_taken(module, own) and own != given.name and _names(node, own):
        raise Kept(module, node, "this lifespan is not of the usual form")
    if _names(node, name):
        raise Kept(module, node, f"{name} means something else here")
    value, imports = spelled(app, Spelled(found.variable.module, found.value), module, module.path)
    assert found.client is not None  # noqa: S101 - asked by the caller
    outer = at.indentation(module.source, at_rest[1].start)
    head = "".join(f"{line}\n{outer}" for line in _comments(found))
    head += f"{found.client.closed} {value} as {name}:\n"
    head += f"{outer}{at.step(module)}{own}.state.{name} = {name}"
    edits = under(module, [at_rest[1]], head.replace("\n", at.newline(module.source)))
    if edits is None:
        raise Kept(module, at_rest[1], "the lifespan cannot be indented here")
    if own != given.name:
        edits.append(Edit(module.path, given.start, given.start + len(given.name.encode()), own))
    return edits, list(imports)


def _names(node: s.Node, name: str) -> bool:
    return any(isinstance(each, s.Name) and each.id == name for each in s.walk(node))


def _started(
    app: App, application: Application, found: _Kept, name: str
) -> tuple[list[Edit], list[Import]]:
    """Return what gives an application a lifespan that opens and closes a client."""
    module, made = application.module, assignment(application)
    if is_taken(module, "lifespan") or not isinstance(application.node, s.Call) or made is None:
        raise Kept(module, application.node, "lifespan means something else here")
    value, wanted = spelled(app, Spelled(found.variable.module, found.value), module, module.path)
    imports = list(wanted)
    words = []
    for origin, last in (
        ("contextlib", "asynccontextmanager"),
        ("fastapi", "FastAPI"),
        ("collections.abc", "AsyncIterator"),
    ):
        brought = written_in(module, module.path, origin, last)
        words.append(brought.name)
        imports += brought.imports
    assert found.client is not None  # noqa: S101 - asked by the caller
    above = "".join(f"    {line}\n" for line in _comments(found))
    code = (
        f"@{words[0]}\nasync def lifespan(app: {words[1]}) -> {words[2]}[None]:\n"
        f"{above}    {found.client.closed} {value} as {name}:\n"
        f"        app.state.{name} = {name}\n        yield\n\n\n"
    )
    before: s.Stmt = made[0]
    if application.function is not None:
        before = outermost(application.function).node
    start = _first_line(module.source, before)
    return [
        insert(module, start, code.replace("\n", at.newline(module.source))),
        add_argument(module, application.node, "lifespan=lifespan"),
    ], imports


def _refuse_tests_without_start(app: App) -> None:
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
