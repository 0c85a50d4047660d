"""One HTTP request in a coroutine, made with `httpx.AsyncClient` where the project has httpx."""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.symbols import Function
from fastwright.edit.builders import arguments, under
from fastwright.edit.fix import Edit
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.recipes.recipe import Proposal
from fastwright.recipes.threads.plain import Blocked

_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
_OF_CLIENT = frozenset({"cookies", "proxy", "proxies", "verify", "cert", "trust_env"})
"""What the functions of httpx give to the client that they make."""
_OF_REQUEST = frozenset(
    {"params", "headers", "json", "data", "auth", "timeout", "follow_redirects"}
)
_OF_REQUESTS = frozenset({"params", "headers", "json", "timeout"})
"""What requests and httpx understand in the same way."""
_OF_ANSWER = frozenset({"json", "status_code", "content", "headers", "raise_for_status"})
"""What an answer of both gives: not ``text``, for which they guess encodings."""


def with_client(app: App, blocked: Blocked) -> Iterator[Proposal]:
    """Yield one change for each request that a coroutine makes in a statement of its own."""
    for function, _ in blocked.values():
        for site in app.calls.sites(function):
            library, _, method = (site.external or "").rpartition(".")
            if library not in {"httpx", "requests"} or method not in _METHODS:
                continue
            statement = _statement(function, site)
            if statement is None or not _is_free(app, function, statement):
                continue
            if any(f"{library}.{method}".encode() in each.source for each in app.tests):
                continue  # tests put something in its place
            if library == "httpx" or _is_the_same(app, site, statement):
                proposal = _proposal(site, statement, library)
                if proposal is not None:
                    yield proposal


def _is_free(app: App, function: Function, statement: s.Stmt) -> bool:
    """Whether `client` stands for nothing else: each request has a block of its own."""
    opened = [
        each
        for each in s.walk_scope(*function.node.body)
        if isinstance(each, s.With)
        and any(s.dotted(item.optional_vars) == "client" for item in each.items)
    ]
    names = [node for node, _ in app.calls.of_kind(function, s.Name) if node.id == "client"]
    return (
        all(any(each.start <= node.start < each.end for each in opened) for node in names)
        and not any(each.start <= statement.start < each.end for each in opened)
        and all(each.name != "client" for each in function.node.params)
    )


def _statement(function: Function, site: CallSite) -> s.Stmt | None:
    """Return the statement that makes a request, and does nothing else that may wait."""
    inside = site.around.loops and any(isinstance(each, s.Comp) for each in site.around.loops)
    if inside or site.around.deferred or function.node.is_generator:
        return None
    for each in s.walk_scope(*function.node.body):
        if isinstance(each, (s.Assign, s.ExprStmt, s.Return)):
            if each.start <= site.node.start and site.node.end <= each.end:
                return each
    return None


def _proposal(site: CallSite, statement: s.Stmt, library: str) -> Proposal | None:
    module, call = site.module, site.node
    httpx = bring(module, "httpx")
    known = _OF_CLIENT | _OF_REQUEST if library == "httpx" else _OF_REQUESTS
    if httpx is None or any(each.arg not in known for each in call.keywords):
        return None
    of_client = [each for each in call.keywords if each.arg in _OF_CLIENT]
    if of_client and b"\n" in module.source[call.start : call.end]:
        return None
    made = [text(module, each) for each in of_client]
    if library == "requests":
        made.append("follow_redirects=True")
        made += ["timeout=None"] if call.keyword("timeout") is None else []
    head = f"async with {httpx.name}.AsyncClient({', '.join(made)}) as client:"
    edits = under(module, [statement], head)
    if edits is None:
        return None
    behind = module.source[call.end : call.end + 1] in {b".", b"[", b"("}
    opening = f"{'(' if behind else ''}await client"
    end = call.func.value.end if isinstance(call.func, s.Attribute) else None
    if end is None:
        return None
    edits.append(Edit(module.path, call.start, end, opening))
    given = arguments(call)
    for each in of_client:
        number = given.index(each)
        start = given[number - 1].end if number else each.start
        edits.append(Edit(module.path, start, each.end, ""))
    edits += [Edit(module.path, call.end, call.end, ")")] if behind else []
    place = f"{module.path}:{module.line(call)}"
    title = f"{site.caller.qualname} of {module.path} makes its request with an asynchronous client"
    return Proposal(f"{title}: {place}", tuple(edits), httpx.imports, places=(place,))


# ----------------------------------------------------------------- requests and httpx


def _is_the_same(app: App, site: CallSite, statement: s.Stmt) -> bool:
    """Whether httpx makes the same request, and gives what is used of the answer."""
    has_httpx = "httpx" in app.versions.declared or any(
        fact.module.partition(".")[0] == "httpx"
        for module in app.sources
        for fact in module.header.imports
    )
    if not has_httpx or _is_known(app) or len(site.node.args) != 1:
        return False
    given = {each.arg: each.value for each in site.node.keywords}
    timeout, params = given.get("timeout"), given.get("params")
    if isinstance(timeout, s.Tuple) or (params is not None and not _is_plain(site, params)):
        return False
    return _is_understood(app, site, statement)


def _is_known(app: App) -> bool:
    """Whether anything in the project knows that it is requests: its exceptions, or tests."""
    return any(b"requests" in module.source for module in app.tests) or any(
        isinstance(part, (s.Name, s.Attribute))
        and (app.linker.external(part, module) or "").startswith("requests.")
        for module in app.sources
        if b"requests" in module.source
        for node in module.walk()
        for part in _handled(node)
    )


def _handled(node: s.Node) -> Iterator[s.Expr]:
    if isinstance(node, s.ExceptHandler) and node.type is not None:
        yield from node.type.elts if isinstance(node.type, s.Tuple) else [node.type]
    if isinstance(node, s.Call) and s.last_name(node) in {
        "exception_handler",
        "add_exception_handler",
    }:
        yield from node.args


def _is_plain(site: CallSite, params: s.Expr) -> bool:
    """Whether parameters are texts and numbers: requests leaves None out, and writes True."""
    sure = {
        each.name
        for each in site.caller.node.params
        if s.dotted(each.annotation) in {"str", "int"}
        and not (isinstance(each.default, s.Constant) and each.default.kind == "none")
    }
    return isinstance(params, s.Dict) and all(
        isinstance(value, s.JoinedStr)
        or (isinstance(value, s.Constant) and value.kind in {"str", "int"})
        or (isinstance(value, s.Name) and value.id in sure)
        for value in params.values
    )


def _is_understood(app: App, site: CallSite, statement: s.Stmt) -> bool:
    """Whether only that is used of the answer which is the same in both."""
    holding: list[s.Node] = [site.node]
    if isinstance(statement, s.Assign) and statement.value is site.node:
        target = statement.targets[0]
        if len(statement.targets) > 1 or not isinstance(target, s.Name):
            return False
        nodes = app.calls.of_kind(site.caller, s.Name)
        holding = [node for node, _ in nodes if node.id == target.id and node is not target]
    elif isinstance(statement, s.ExprStmt) and statement.value is site.node:
        return True
    used = {
        id(node.value)
        for node, _ in app.calls.of_kind(site.caller, s.Attribute)
        if node.attr in _OF_ANSWER
    }
    return all(id(node) in used for node in holding)
