"""The body of a request, for a plain endpoint: a dependency on the event loop reads it."""

from __future__ import annotations

import re

import msgspec

from fastwright.app.model import App
from fastwright.app.symbols import Function
from fastwright.app.types import Instance
from fastwright.edit.builders import add_parameter, delete_parameter, delete_statements, first_byte
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring, is_taken
from fastwright.edit.source import line_start, text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.threads.bound import Unfit

_REQUESTS = frozenset({"fastapi.Request", "starlette.requests.Request"})
_READING = frozenset({"body", "json"})
_AT_ONCE = (s.Assign, s.AnnAssign, s.ExprStmt, s.Return)
_PROVIDER = "request_body"


class RequestBody(msgspec.Struct, frozen=True):
    """How an endpoint gets the body without waiting for it."""

    awaits: tuple[s.Await, ...]
    """Where it waits for the body now."""
    edits: tuple[Edit, ...]
    imports: tuple[Import, ...]


def request_body(app: App, endpoint: Function) -> RequestBody | None:
    """Return how an endpoint gets the body of its request, None if it reads none. Raises Unfit."""
    request = _request(app, endpoint)
    awaits = [] if request is None else _reading(app, endpoint, request)
    if request is None or not awaits:
        return None
    if not app.routes_for(endpoint) or endpoint.outer is not None or endpoint.owner is not None:
        raise Unfit(f"{endpoint.qualname} is no endpoint of its file")
    _check_first(app, endpoint, awaits[0])
    module, imports = endpoint.module, list[Import]()
    name, gone = _name(app, endpoint, awaits[0])
    edits = [] if gone is None else delete_statements(module, endpoint.node.body, [gone])
    for each in awaits:
        if gone is not None and gone.start <= each.start < gone.end:
            continue
        edits.append(_read(module, each, name, imports))
    edits += _signature(app, endpoint, request, name, awaits, imports)
    edits += _provider(module, endpoint, request)
    return RequestBody(tuple(awaits), tuple(edits), tuple(imports))


def _request(app: App, endpoint: Function) -> s.Parameter | None:
    for each in endpoint.parameters:
        kind = app.types.parameter(each, endpoint)
        if isinstance(kind, Instance) and kind.cls in _REQUESTS and each.default is None:
            return each
    return None


def _reading(app: App, endpoint: Function, request: s.Parameter) -> list[s.Await]:
    """Return where an endpoint waits for the body of its request, in source order."""
    return [
        node
        for node, around in app.calls.of_kind(endpoint, s.Await)
        if isinstance(node.value, s.Call)
        and isinstance(node.value.func, s.Attribute)
        and node.value.func.attr in _READING
        and s.dotted(node.value.func.value) == request.name
        and not around.deferred
    ]


def _check_first(app: App, endpoint: Function, first: s.Await) -> None:
    """Raise Unfit where the endpoint may end before it reads the body: a dependency always reads it."""
    module = endpoint.module
    for statement in endpoint.node.body:
        inside = statement.start <= first.start < statement.end
        tried = statement.body[0] if isinstance(statement, s.Try) else statement
        if tried.start <= first.start < tried.end and isinstance(tried, _AT_ONCE):
            return
        own = any(
            statement.start <= site.node.start < statement.end and site.targets
            for site in app.calls.sites(endpoint)
        )
        if inside or own or not isinstance(statement, (s.Assign, s.AnnAssign, s.ExprStmt)):
            line = f"{module.path}:{module.line(statement)}"
            raise Unfit(f"{endpoint.qualname} may never read the body ({line})")


def _name(app: App, endpoint: Function, first: s.Await) -> tuple[str, s.Stmt | None]:
    """Return the name of the parameter, and the statement that it makes superfluous."""
    own = app.types.locals.of(endpoint)
    for statement in endpoint.node.body:
        if isinstance(statement, s.Assign) and statement.value is first:
            target = statement.targets[0]
            call = first.value
            if (
                len(statement.targets) == 1
                and isinstance(target, s.Name)
                and len(own.get(target.id, ())) == 1
                and s.last_name(call) == "body"
            ):
                return target.id, statement
    parameters = {each.name for each in endpoint.node.params}
    read = {node.id for node, _ in app.calls.of_kind(endpoint, s.Name)}
    for name in ("body", "raw_body"):
        if name not in own and name not in parameters and name not in read:
            return name, None
    raise Unfit(f"{endpoint.qualname} has a body already")


def _read(module: Module, node: s.Await, name: str, imports: list[Import]) -> Edit:
    if s.last_name(node.value) == "body":
        return Edit(module.path, node.start, node.end, name)
    json = bring(module, "json")
    if json is None:
        raise Unfit("json means something else here")
    imports.extend(json.imports)
    start, end = node.start, node.end
    source = module.source
    if source[start - 1 : start] == b"(" and source[end : end + 1] == b")":
        if not re.match(rb"[\w)\]]", source[start - 2 : start - 1]):
            start, end = start - 1, end + 1
    return Edit(module.path, start, end, f"{json.name}.loads({name})")


def _signature(
    app: App,
    endpoint: Function,
    request: s.Parameter,
    name: str,
    awaits: list[s.Await],
    imports: list[Import],
) -> list[Edit]:
    """Return the edits that take the body, and the request no more where nothing else needs it."""
    module, node = endpoint.module, endpoint.node
    depends = bring(module, "fastapi", "Depends")
    annotated = bring(module, "typing", "Annotated")
    if depends is None or annotated is None:
        raise Unfit("Depends or Annotated mean something else here")
    if any(each.default is not None for each in node.params):
        taken = f"{name}: bytes = {depends.name}({_PROVIDER})"
    else:
        taken = f"{name}: {annotated.name}[bytes, {depends.name}({_PROVIDER})]"
        imports.extend(annotated.imports)
    imports.extend(depends.imports)
    used = [
        each
        for each, _ in app.calls.of_kind(endpoint, s.Name)
        if each.id == request.name
        and not any(wait.start <= each.start < wait.end for wait in awaits)
    ]
    if used or node.defines:
        added = add_parameter(module, node, taken)
        gone = None
    elif node.params[-1] is request:
        added, gone = Edit(module.path, request.start, request.end, taken), None
    else:
        added, gone = add_parameter(module, node, taken), delete_parameter(module, node, request)
    if added is None:
        raise Unfit(f"{endpoint.qualname} has parameters of several kinds")
    return [added, gone] if gone is not None else [added]


def _provider(module: Module, endpoint: Function, request: s.Parameter) -> list[Edit]:
    """Return the edit that puts the dependency before the endpoint, where the file has none."""
    for function in module.functions:
        body = function.body if function.name == _PROVIDER and function.is_async else []
        if len(body) == 1 and isinstance(body[0], s.Return):
            if text(module, body[0]).endswith("await request.body()"):
                return []
    if is_taken(module, _PROVIDER) or request.annotation is None:
        raise Unfit(f"{_PROVIDER} means something else here")
    start = line_start(module.source, first_byte(endpoint.node))
    annotation = text(module, request.annotation)
    code = (
        f"async def {_PROVIDER}(request: {annotation}) -> bytes:\n"
        "    return await request.body()\n\n\n"
    )
    return [Edit(module.path, start, start, code)]
