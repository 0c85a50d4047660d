"""A list that services and repositories hand up to an endpoint: what each of them needs for a page."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fastwright.app.calls import CallSite, Execution
from fastwright.app.model import App
from fastwright.app.origins import origins
from fastwright.app.symbols import Function, is_abstract
from fastwright.app.types import Query
from fastwright.edit.builders import add_argument, add_parameter, chain_behind
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.read import syntax as s
from fastwright.recipes._from_rules import hits_of
from fastwright.recipes.recipe import Planned, Proposal, Stopped, Target
from fastwright.rules.data._given import SiftedError, rows_given
from fastwright.rules.data._pages import in_one_place, key_of

_RULE = "missing-pagination"
_NAMES = ("offset", "limit")
_MIXING = frozenset({"distinct", "union", "union_all", "from_statement", "group_by", "select_from"})


class _Refused(Exception):  # noqa: N818 - no error: the reason why a list stays
    """Why a list stays as it is, and where the reason stands."""

    def __init__(self, reason: str, function: Function, node: s.Node | None = None) -> None:
        super().__init__(reason)
        line = function.module.line(node if node is not None else function.node)
        self.reason = f"{reason} ({function.module.path}:{line})"


class _Way(msgspec.Struct, frozen=True, eq=False):
    """From an endpoint through the calls to the statement that reads the rows."""

    endpoint: Function
    chain: tuple[CallSite, ...]
    execution: Execution
    query: Query


def chains(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each list that an endpoint answers and that has no fix of its own."""
    endpoints = {
        (each.module.path, each.qualname, each.module.line(each.node)): each
        for each in app.endpoints
    }
    for hit in hits_of(app, _RULE):
        if hit.fix is not None or not target.holds(hit.place.file, hit.place.function):
            continue
        place = f"{hit.place.file}:{hit.place.line}"
        endpoint = next(
            (
                each
                for (file, name, _), each in endpoints.items()
                if file == hit.place.file
                and name == hit.place.function
                and each.module.source.count(b"\n", 0, each.node.name_start) + 1 == hit.place.line
            ),
            None,
        )
        if endpoint is None:
            yield Stopped(place, hit.message)
            continue
        try:
            yield _proposal(app, _way(app, endpoint), place)
        except _Refused as refused:
            yield Stopped(place, f"{hit.message}; {refused.reason}")


def _way(app: App, endpoint: Function) -> _Way:
    """Return how the rows come to an endpoint, all of them, in their order."""
    function, chain = endpoint, list[CallSite]()
    while True:
        try:
            value = rows_given(app, function)
        except SiftedError as sifted:
            raise _Refused(sifted.reason, function, sifted.node) from None
        execution = _execution(app, function, value)
        if execution is not None:
            break
        site = origins(app).site(function, value)
        if site is None or len(site.targets) != 1 or len(chain) > 4:
            raise _Refused("it is not known where the rows come from", function, value)
        chain.append(site)
        function = site.targets[0]
    query = execution.query
    if query is None or not in_one_place(query) or query.function is not function:
        raise _Refused("the statement is put together in several places", function)
    steps = {s.last_name(step) for step in query.steps}
    if not steps.isdisjoint(_MIXING) or _mixes(query):
        raise _Refused("the statement joins what a page would cut", function, query.node)
    return _Way(endpoint, tuple(chain), execution, query)


def _mixes(query: Query) -> bool:
    """Whether rows that were joined are put together again, or made unique: fewer than a page."""
    return any(
        s.last_name(node.func) == "contains_eager" or (query.legacy and _joins(node))
        for step in query.steps
        for node in s.walk(step)
        if isinstance(node, s.Call)
    )


def _joins(node: s.Call) -> bool:
    return s.last_name(node.func) in {"join", "outerjoin"}


def _execution(app: App, function: Function, node: s.Expr) -> Execution | None:
    """Return the execution of a statement that gives all its rows."""
    found = origins(app).execution(function, node)
    if found is None or found.kind != "read" or found.by_key:
        return None
    legacy = found.query is not None and found.query.legacy
    wanted = {"all"} if legacy else {"exec", "execute", "scalars"}
    return found if found.site.method in wanted else None


# ------------------------------------------------------------------------- making


def _proposal(app: App, way: _Way, place: str) -> Proposal:
    _check(app, way)
    module, query = way.query.module, way.query
    key = key_of(app, query)
    call = way.execution.site.node
    asked = call.func.value if isinstance(call.func, s.Attribute) and query.legacy else None
    asked = asked or call.argument(0, "statement")
    if key is None or asked is None:
        raise _Refused("no single table with one key", way.execution.site.caller, query.node)
    order = "" if query.ordered else f".order_by({key})"
    paged = chain_behind(module, asked, f"{order}.offset(offset).limit(limit)")
    edits, imports = [paged], list[Import]()
    for site in way.chain:
        if any(isinstance(each, (s.Comp, s.Starred)) for each in site.node.args):
            raise _Refused("arguments of several kinds", site.caller, site.node)
        edits.append(add_argument(site.module, site.node, "offset=offset, limit=limit"))
        edits.append(_parameters(app, site, imports))
    edits.append(_of_request(way.endpoint, imports))
    places = (place, f"{module.path}:{module.line(query.node)}")
    title = f"{way.endpoint.qualname} of {way.endpoint.module.path} answers a page"
    return Proposal(title, tuple(edits), tuple(imports), places=places)


def _check(app: App, way: _Way) -> None:
    """Refuse where a name is taken, or where somebody else stands for a function on the way."""
    functions = [way.endpoint, *(site.targets[0] for site in way.chain)]
    if len({id(each.node) for each in functions}) != len(functions):
        raise _Refused("calls itself", way.endpoint)
    for function in functions:
        names = {node.id for node, _ in app.calls.of_kind(function, s.Name)}
        if names & set(_NAMES) or set(_NAMES) & {each.name for each in function.parameters}:
            raise _Refused("the names offset and limit are taken", function)
    for function in functions[1:]:
        _check_only(app, function)
    if _callers(app, way.endpoint):
        raise _Refused("the endpoint is called by others", way.endpoint)


def _check_only(app: App, function: Function) -> None:
    """Refuse a method that others override, implement or stand in for."""
    if is_abstract(function) or function.node.decorators:
        raise _Refused(f"{function.qualname} is more than a plain function", function)
    if function.owner is not None:
        around = [*app.linker.mro(function.owner), *app.subclasses(function.owner)]
        for cls in around:
            methods = getattr(cls, "own_methods", {})
            if cls is not function.owner and function.name in methods:
                raise _Refused(f"{function.qualname} is overridden", function)
    name = function.name.encode()
    for module in app.tests:
        if name in module.source and any(
            (isinstance(node, s.FunctionDef) and node.name == function.name)
            or (isinstance(node, s.Constant) and node.value == function.name)
            for node in module.walk()
        ):
            raise _Refused(f"{module.path} may stand in for {function.qualname}", function)


def _callers(app: App, function: Function) -> int:
    """Return how many calls in the project may call a function."""
    name = function.name.encode()
    return sum(
        any(target.node is function.node for target in site.targets)
        for module in app.sources
        if name in module.source
        for caller in app.every_function(module)
        for site in app.calls.sites(caller)
        if site.method == function.name
    )


def _parameters(app: App, site: CallSite, imports: list[Import]) -> Edit:
    """Return the edit that lets a function take a page; who asks for none gets all, as before."""
    function, others = site.targets[0], _named(app, site.targets[0]) > 1
    module = function.module
    number = "int"
    if others or any(each.default is not None for each in function.node.params):
        optional = _optional(app, function, imports)
        taken = f"offset: {number} = 0, limit: {optional} = None"
    else:
        taken = f"offset: {number}, limit: {number}"
    edit = add_parameter(module, function.node, taken)
    if edit is None:
        raise _Refused("parameters of several kinds", function)
    return edit


def _named(app: App, function: Function) -> int:
    """Return how often the project, its tests included, names what may be a function."""
    name = function.name.encode()
    return sum(
        (isinstance(node, s.Name) and node.id == function.name)
        or (isinstance(node, s.Attribute) and node.attr == function.name)
        for module in (*app.sources, *app.tests)
        if name in module.source
        for node in module.walk()
    )


def _optional(app: App, function: Function, imports: list[Import]) -> str:
    """Return ``int | None`` as the project writes it."""
    module = function.module
    if any(b"| None" in each.source for each in app.sources):
        return "int | None"
    optional = bring(module, "typing", "Optional")
    if optional is None:
        raise _Refused("the name Optional is taken", function)
    imports.extend(optional.imports)
    return f"{optional.name}[int]"


def _of_request(endpoint: Function, imports: list[Import]) -> Edit:
    """Return the edit that takes offset and limit from the request."""
    module = endpoint.module
    annotated, query = bring(module, "typing", "Annotated"), bring(module, "fastapi", "Query")
    if annotated is None or query is None:
        raise _Refused("the names Annotated and Query are taken", endpoint)
    imports += [*annotated.imports, *query.imports]
    taken = (
        f"offset: {annotated.name}[int, {query.name}(ge=0)] = 0, "
        f"limit: {annotated.name}[int, {query.name}(ge=1, le=100)] = 50"
    )
    edit = add_parameter(module, endpoint.node, taken)
    if edit is None:
        raise _Refused("parameters of several kinds", endpoint)
    return edit
