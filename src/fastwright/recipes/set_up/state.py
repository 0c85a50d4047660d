"""What modules keep for requests becomes state of the application, which `Depends` gives to those who need it.

Containers that requests fill (those that `module-level-mutable-state` reports) and clients of other services are made with the application.
Clients that can be closed are made when it starts, and closed when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

from fastwright.app.model import App
from fastwright.app.setup.result import Application
from fastwright.app.symbols import Class, Function, Variable
from fastwright.edit import source as at
from fastwright.edit.builders import (
    block_of,
    insert_after,
    under,
)
from fastwright.edit.fix import Edit, Import
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Kept, Planned, Proposal, Stopped, Target
from fastwright.recipes.set_up.lifespan import (
    comments,
    gone,
    lifespan_of,
    new_lifespan,
    refuse_tests_without_start,
)
from fastwright.recipes.shared.application import assignment, made_by_tests
from fastwright.recipes.shared.from_rules import hits_of
from fastwright.recipes.shared.handed import (
    Spelled,
    free_name,
    hand_down,
    refuse_names,
    spelled,
    takers_of,
    uses,
)
from fastwright.recipes.shared.provided import keeper_of, provided, refuse_cycles
from fastwright.recipes.shared.services import service_of

_RULE = "module-level-mutable-state"
_Closing: TypeAlias = Literal["with", "async with", "never"]


class _Client(NamedTuple):
    """A client of another service, and how it is closed."""

    cls: str
    """Its class, where that is of a library."""
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


def once(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each resource that settings describe and that every request makes anew."""
    for hit in hits_of(app, "resource-per-request"):
        place = f"{hit.place.file}:{hit.place.line}"
        if not target.holds(hit.place.file, hit.place.function):
            continue
        module = app.modules[hit.place.file]
        function = next(
            (
                each
                for each in app.functions(module)
                if each.node.start <= module.facts.line_starts[hit.place.line - 1] < each.node.end
            ),
            None,
        )
        if hit.fix is None or function is None or _reads_environment(app, function):
            yield Stopped(place, hit.message)
        else:
            title = f"{hit.message}: once is enough"
            yield Proposal(title, hit.fix.edits, hit.fix.imports, places=(place,))


def _reads_environment(app: App, function: Function) -> bool:
    names = (app.linker.external(n, function.module, function) or "" for n in s.walk(function.node))
    return any(name.startswith(("os.environ", "os.getenv")) for name in names)


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
    cls = app.linker.expression(value.func, module)
    if isinstance(cls, Class):  # one of the project's, which asks the outside
        methods = cls.own_methods.values()
        sites = [site for each in methods for site in app.calls.sites(each)]
        asks = any(service_of(site.external or "") is not None for site in sites)
        return _Client("", "never") if asks else None
    return _CLIENTS.get(app.linker.external(value.func, module) or "")


# ------------------------------------------------------------------- the change


def _proposal(app: App, applications: list[Application], found: _Kept, place: str) -> Proposal:
    variable, module = found.variable, found.variable.module
    if len(applications) != 1:
        raise Kept(module, found.statement, "there is not one application to keep it")
    application = applications[0]
    other = made_by_tests(app)
    if other is not None:
        raise Kept(*other, "a test makes an application of its own")
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
    edits += [*made_edits, gone(module, found.statement)]
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
    made = found.value.func if isinstance(found.value, s.Call) else None
    if found.client is not None and made is not None:
        is_class = isinstance(app.linker.expression(made, module), Class)
        if is_class or app.linker.external(made, module) == found.client.cls:
            return Spelled(module, made)
        origin, _, name = found.client.cls.rpartition(".")
        return origin, name
    for display, bare in ((s.Dict, "dict"), (s.List, "list"), (s.Set, "set")):
        if isinstance(found.value, display):
            return "builtins", bare
    container = app.linker.external(made, module) or ""
    if container not in _CONTAINERS:
        raise Kept(module, found.statement, "its type is not known")
    origin, _, name = container.rpartition(".")
    return origin, name


def _request(app: App) -> tuple[str, str]:
    """Return what a dependency takes that reads state; WebSockets are no requests."""
    sockets = any(route.kind == "websocket" for route in app.routes)
    return ("fastapi.requests", "HTTPConnection") if sockets else ("fastapi", "Request")


def _comments(found: _Kept) -> list[str]:
    """Return the comments above a variable."""
    return comments(found.variable.module, found.statement)


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
    assert found.client is not None  # noqa: S101 - asked by the caller
    refuse_tests_without_start(app)
    function = lifespan_of(application)
    module = function.module if function is not None else application.module
    value, wanted = spelled(app, Spelled(found.variable.module, found.value), module, module.path)
    opened = f"{found.client.closed} {value} as {name}:"
    if function is None:
        lines = [*_comments(found), opened, f"    app.state.{name} = {name}", "    yield"]
        edits, imports = new_lifespan(application, lines)
        return edits, [*imports, *wanted]
    node = function.node
    yields = [each for each in s.walk_scope(*node.body) if isinstance(each, s.Yield)]
    at_rest = block_of(node.body, yields[0]) if len(yields) == 1 else None
    if at_rest is None or len(node.params) != 1:
        raise Kept(module, node, "this lifespan is not of the usual form")
    given = node.params[0]
    own = "app" if given.name.startswith("_") else given.name
    if _names(node, name) or (own != given.name and _names(node, own)):
        raise Kept(module, node, f"{name} means something else here")
    outer = at.indentation(module.source, at_rest[1].start)
    head = "".join(f"{line}\n{outer}" for line in [*_comments(found), opened])
    head = f"{head}{at.step(module)}{own}.state.{name} = {name}"
    edits = under(module, [at_rest[1]], head.replace("\n", at.newline(module.source))) or []
    if not edits:
        raise Kept(module, at_rest[1], "the lifespan cannot be indented here")
    if own != given.name:
        edits.append(Edit(module.path, given.start, given.start + len(given.name.encode()), own))
    return edits, list(wanted)


def _names(node: s.Node, name: str) -> bool:
    return any(isinstance(each, s.Name) and each.id == name for each in s.walk(node))
