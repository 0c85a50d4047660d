"""Request data: from which requests a value comes, followed back through names, texts and calls.

A value is followed through assignments, f-strings, ``+``, ``%`` and ``format``, calls that give a
text back, fields of schemas, entries of dictionaries, attributes of objects, what functions of the
project return, and the parameters of functions that requests reach. Numbers, UUIDs, dates, booleans,
enums and literals carry nothing that a client may choose freely; a value that is compared with a list
of allowed ones, looked up in a dictionary, matched against a pattern, escaped or otherwise checked is
left alone.

A column of a table is request data as well where a request fills it: the row comes back elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.calls import Step as Reach
from fastwright.app.checks import Checks
from fastwright.app.dependencies import RequestParameter
from fastwright.app.dispatch import Chosen, Dispatch
from fastwright.app.model import App
from fastwright.app.models import Table
from fastwright.app.on_loop import Loop, served
from fastwright.app.origins import origins, returns
from fastwright.app.routes import Route
from fastwright.app.scopes import Bound, Where
from fastwright.app.sent import ANY, Sent, is_element
from fastwright.app.stored import Stored, Write
from fastwright.app.symbols import Class, Function
from fastwright.app.types import (
    ClassObject,
    FunctionValue,
    Instance,
    ModuleValue,
    Type,
    alternatives,
)
from fastwright.read import syntax as s
from fastwright.read.module import Module

KINDS = frozenset({"path", "query", "body", "form", "file", "header", "cookie"})
_OF_TEXT = frozenset({"strip", "lower", "upper", "title", "lstrip", "rstrip", "casefold", "removeprefix",
                      "removesuffix", "decode", "encode", "expanduser", "read"})  # fmt: skip
"""Methods that give back what they are called on."""
_GIVING = frozenset({"Path", "PurePath", "b64decode", "cast", "deepcopy", "jsonable_encoder", "asdict",
                     "loads"})  # fmt: skip
"""Functions that give back what they are given."""
_BUILTINS = frozenset({"str", "dict", "list", "tuple", "set", "sorted", "reversed", "vars"})
_TEXTS = frozenset({"str", "Path", "PurePath", "b64decode"})
"""Those that make a text of it: the suffix of a path is not the client's choice of a path."""
_PARSING = frozenset({"loads", "model_validate_json", "parse_raw", "validate_json"})
"""Those of them that take a text apart: every part is the client's."""
_BUILDING = frozenset({"model_validate", "parse_obj", "from_orm", "validate_python",
                       "model_validate_json", "parse_raw", "validate_json"})  # fmt: skip
_TAKING = frozenset({"get", "pop", "setdefault", "getlist"})
_DUMPING = frozenset({"model_dump", "dict", "model_copy", "copy", "_asdict"})
_LEADING_SCHEME = re.compile(r"^(https?:)?//$", re.IGNORECASE)
_OF_REQUEST = {"query_params": "query", "headers": "header", "cookies": "cookie", "path_params": "path",
               "json": "body", "body": "body", "form": "form", "stream": "body",
               "receive": "message", "receive_text": "message", "receive_json": "message",
               "receive_bytes": "message", "iter_text": "message", "iter_json": "message",
               "iter_bytes": "message"}  # fmt: skip
_MAPPINGS = frozenset({"query_params", "headers", "cookies", "path_params"})
_REQUESTS = frozenset(
    {
        "fastapi.Request",
        "fastapi.requests.Request",
        "fastapi.requests.HTTPConnection",
        "fastapi.websockets.WebSocket",
    }
)
_DEPTH = 24
_MOST_CALLS = 3
_MOST_TARGETS = 4


class Step(msgspec.Struct, frozen=True, eq=False):
    """A place that a value passes: a parameter, a call."""

    module: Module
    node: s.Node
    note: str


class Source(msgspec.Struct, frozen=True, eq=False):
    """Where in a request a value comes from, and the way that it takes."""

    name: str
    kind: str
    """path, query, body, form, file, header, cookie or message (of a WebSocket)."""
    route: Route | None
    parameter: RequestParameter | None
    steps: tuple[Step, ...]
    column: str | None = None
    """``Hook.url``: the column that kept it in between."""

    def then(self, module: Module, node: s.Node, note: str) -> Source:
        """Return the source with one step more."""
        return msgspec.structs.replace(self, steps=(*self.steps, Step(module, node, note)))

    @property
    def told(self) -> str:
        """How a message speaks of it: ``body.url of the request``."""
        kept = f", stored in {self.column}," if self.column is not None else ""
        return f"{self.name} of the {'message' if self.kind == 'message' else 'request'}{kept}"


class Wanted(msgspec.Struct, frozen=True):
    """Which part of a value is asked for.

    ``path`` are the fields, keys and elements that lead to it; ``calls`` those whose results are
    being looked into, innermost last; ``chosen`` what is known of keys by which functions are picked.
    """

    path: tuple[str, ...] = ()
    calls: tuple[CallSite, ...] = ()
    depth: int = 0
    chosen: tuple[Chosen, ...] = ()

    def of(self, *path: str) -> Wanted:
        """Return the same question about another part, one step on."""
        return Wanted(path, self.calls, self.depth + 1, self.chosen)

    def below(self, name: str) -> Wanted:
        """Return the question about the value that holds it under ``name``."""
        return self.of(name, *self.path)

    @property
    def rest(self) -> Wanted:
        """The question after the first step of the path."""
        return self.of(*self.path[1:])

    @property
    def key(self) -> str:
        """The first step of the path."""
        return self.path[0]


WHOLE = Wanted()
"""The question about a whole value."""


_LATER = {"functools.partial": 0, "fastapi.BackgroundTasks.add_task": 0}
"""What takes a function with its arguments and runs it later: where the function stands."""


@dataclass(eq=False)
class RequestData:
    """Follows values back to requests.

    ``checks`` matches further names of checking calls. With ``leading`` only the beginning of a text
    matters: the scheme and host of a URL.
    """

    app: App
    checks: re.Pattern[str] | None = None
    leading: bool = False
    running: Loop = field(init=False)
    sent: Sent = field(init=False)
    checked: Checks = field(init=False)
    stored: Stored = field(init=False)
    dispatch: Dispatch = field(init=False)
    _callers: dict[int, list[CallSite]] | None = None
    _handing_on: dict[int, list[CallSite]] | None = None
    _active: set[tuple[int, str, tuple[str, ...]]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.running = served(self.app)
        self.sent = Sent(self.app)
        self.checked = Checks(self.app, self.checks)
        self.stored = Stored(self.app, self.running.reached, self.callers)
        self.dispatch = Dispatch(self.app)

    def sources(self, node: s.Expr, function: Function, wanted: Wanted = WHOLE) -> Iterator[Source]:
        """Yield where in a request the value of an expression comes from."""
        if wanted.depth > _DEPTH:
            return
        match node:
            case s.Await() | s.NamedExpr():
                yield from self.sources(node.value, function, wanted)
            case s.JoinedStr() | s.BinOp():
                yield from self._text(node, function, wanted)
            case s.BoolOp():
                yield from self._any(node.values, function, wanted)
            case s.IfExp():
                yield from self._any((node.body, node.orelse), function, wanted)
            case s.Tuple() | s.List() | s.Set():
                yield from self._elements(node, function, wanted)
            case s.Dict():
                yield from self._display(node, function, wanted)
            case s.Comp():
                if node.kind == "dict" or not wanted.path or is_element(wanted.key):
                    yield from self.sources(node.elt, function, wanted.rest)
            case s.Call() | s.Subscript() | s.Attribute() | s.Name():
                yield from self._held(node, function, wanted)

    def _any(self, nodes: Iterable[s.Expr], function: Function, wanted: Wanted) -> Iterator[Source]:
        for node in nodes:
            if not isinstance(node, s.Constant):
                yield from self.sources(node, function, wanted.of(*wanted.path))

    def _text(
        self, node: s.JoinedStr | s.BinOp, function: Function, wanted: Wanted
    ) -> Iterator[Source]:
        """A text is made of all of its parts; of a URL, only the first decides where it leads."""
        parts = node.values if isinstance(node, s.JoinedStr) else [node.left, node.right]
        if isinstance(node, s.BinOp) and wanted.path:
            if node.op not in {"|", "+"}:
                return
        elif self.leading:
            first = parts[0] if parts else None
            if isinstance(first, s.Constant):
                is_scheme = isinstance(first.value, str) and _LEADING_SCHEME.match(first.value)
                parts = parts[1:2] if is_scheme else []
            else:
                parts = parts[:1]
        yield from self._any(parts, function, wanted)

    def _elements(
        self, node: s.Tuple | s.List | s.Set, function: Function, wanted: Wanted
    ) -> Iterator[Source]:
        if not wanted.path:
            yield from self._any(node.elts, function, wanted)
        elif wanted.key == ANY:
            yield from self._any(node.elts, function, wanted.rest)
        elif wanted.key.isdigit() and int(wanted.key) < len(node.elts):
            yield from self.sources(node.elts[int(wanted.key)], function, wanted.rest)

    def _display(self, node: s.Dict, function: Function, wanted: Wanted) -> Iterator[Source]:
        """``{"url": body.url, **more}``: the last entry of a name counts."""
        if not wanted.path:
            return
        for key, value in reversed(list(zip(node.keys, node.values, strict=True))):
            name = s.string(key)
            if key is None:
                yield from self.sources(value, function, wanted.of(*wanted.path))
            elif name == wanted.key or ANY in {wanted.key, name or ANY}:
                yield from self.sources(value, function, wanted.rest)
                if name == wanted.key:
                    return

    def _held(
        self, node: s.Call | s.Subscript | s.Attribute | s.Name, function: Function, wanted: Wanted
    ) -> Iterator[Source]:
        if self.checked.covers(node, function):
            return
        found = False
        for source in self._followed(node, function, wanted):
            found = True
            yield source
        if not found and wanted.path and not self._is_made(node, function):
            yield from self._column(node, function, wanted)

    def _followed(
        self, node: s.Call | s.Subscript | s.Attribute | s.Name, function: Function, wanted: Wanted
    ) -> Iterator[Source]:
        match node:
            case s.Call():
                yield from self._call(node, function, wanted)
            case s.Subscript():
                part = _entry(node.slice)
                if isinstance(node.slice, s.Slice):
                    yield from self.sources(node.value, function, wanted.of(*wanted.path))
                else:
                    yield from self.sources(node.value, function, wanted.below(part))
            case s.Attribute():
                if node.attr in _MAPPINGS and self._is_request(node.value, function):
                    if wanted.path:
                        yield from self._request(node.attr, wanted, node, function)
                else:
                    yield from self.sources(node.value, function, wanted.below(node.attr))
            case s.Name():
                yield from self._name(node, function, wanted)

    # ---------------------------------------------------------------------- calls

    def _call(self, node: s.Call, function: Function, wanted: Wanted) -> Iterator[Source]:
        """``name.strip()``, ``str(name)``, ``body.model_dump()``, ``Params(url=url)``, ``build(url)``."""
        name = s.last_name(node.func) or ""
        site = origins(self.app).site(function, node)
        base = node.func.value if isinstance(node.func, s.Attribute) else None
        if base is not None and name in _OF_REQUEST and self._is_request(base, function):
            yield from self._request(name, wanted, node, function)
        elif site is not None and _is_of_project(site):
            if not self.checked.is_check(name):
                yield from self._result(site, wanted)
        elif name in (_BUILTINS if base is None else _BUILDING) | _GIVING:
            is_part_of_text = name in _TEXTS and bool(wanted.path)
            if not is_part_of_text and not self._is_judged(node, function, wanted):
                inner = () if name in _PARSING else wanted.path
                yield from self._any(node.args, function, wanted.of(*inner))
        elif base is not None:
            yield from self._method(name, base, node, function, wanted)

    def _method(
        self, name: str, base: s.Expr, node: s.Call, function: Function, wanted: Wanted
    ) -> Iterator[Source]:
        """Yield from where what a method of text, paths, dictionaries and schemas gives back is."""
        same = wanted.of(*wanted.path)
        if name in {"join", "joinpath", "format"}:
            yield from self._joined(name, base, node, function, same)
        elif name in _TAKING and node.args:
            key = s.string(node.args[0]) or ANY
            inner = wanted.rest if name == "getlist" else wanted
            yield from self.sources(base, function, inner.below(key))
        elif name == "items":
            if wanted.path[:2] == (ANY, "1"):
                yield from self.sources(base, function, wanted.of(ANY, *wanted.path[2:]))
        elif _gives_back(name, node, wanted):
            yield from self.sources(base, function, same)

    def _joined(
        self, name: str, base: s.Expr, node: s.Call, function: Function, wanted: Wanted
    ) -> Iterator[Source]:
        """``os.path.join(root, name)``, ``folder.joinpath(name)``, ``"{}".format(name)``."""
        where = Where(function.module, function)
        parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        if name != "join" or not isinstance(self.app.types.of(base, where), ModuleValue):
            parts.insert(0, base)
        if self.leading:
            text = s.string(base)
            if name == "format" and text is not None:
                begins = re.match(r"(https?://)?\{", text, re.IGNORECASE)
                parts = parts[1:2] if begins else []
            else:
                parts = parts[:1]
        yield from self._any(parts, function, wanted)

    def _result(self, site: CallSite, wanted: Wanted) -> Iterator[Source]:
        """Yield where what a function of the project returns, or an object that it makes, is from."""
        if len(wanted.calls) >= _MOST_CALLS:
            return
        made = _class_made(site)
        if made is not None:
            yield from self._constructed(made, site, wanted)
            return
        asked = Wanted(wanted.path, (*wanted.calls, site), wanted.depth + 1)
        for target in site.targets[:_MOST_TARGETS]:
            mark = (id(target.node), "return", wanted.path)
            if mark in self._active:
                continue
            self._active.add(mark)
            try:
                for returned in returns(self.app, target):
                    for source in self.sources(returned, target, asked):
                        yield source.then(site.module, site.node, target.qualname)
            finally:
                self._active.discard(mark)

    def _constructed(self, cls: Class, site: CallSite, wanted: Wanted) -> Iterator[Source]:
        """``Params(url=url, **more).url``: what the constructor is given for it."""
        if not wanted.path or self._is_judged_field(cls, wanted.key):
            return
        init = self.app.linker.method(cls, "__init__")
        if init is not None:
            asked = Wanted(wanted.path[1:], (*wanted.calls, site), wanted.depth + 1)
            yield from self._assigned(cls, wanted.key, asked)
            return
        given = site.node.keyword(wanted.key)
        if given is not None:
            yield from self.sources(given, site.caller, wanted.rest)
            return
        for keyword in site.node.keywords:
            if keyword.arg is None:
                yield from self.sources(keyword.value, site.caller, wanted.of(*wanted.path))

    def _assigned(self, cls: Class, name: str, wanted: Wanted) -> Iterator[Source]:
        """Yield from where ``self.name`` of a class is, as its methods set it."""
        for ancestor in self.app.linker.mro(cls):
            if isinstance(ancestor, Class):
                for method, _, value in self.app.types.self_values(ancestor).get(name, ()):
                    if value is not None:
                        yield from self.sources(value, method, wanted)

    def _is_judged(self, node: s.Call, function: Function, wanted: Wanted) -> bool:
        """Whether ``Model.model_validate(...)`` makes a field that says what it admits."""
        if not wanted.path or not isinstance(node.func, s.Attribute):
            return False
        found = self.app.types.of(node.func.value, Where(function.module, function))
        return any(
            isinstance(option, ClassObject)
            and isinstance(option.cls, Class)
            and self._is_judged_field(option.cls, wanted.key)
            for option in alternatives(found)
        )

    def _is_judged_field(self, cls: Class, name: str) -> bool:
        schema = self.app.models.schema(cls)
        if schema is None:
            return False
        if schema.is_settings:
            return True
        described = schema.fields.get(name)
        return described is not None and (
            self.sent.is_judged(cls, described) or not self.sent.may_hold(described.type)
        )

    # ------------------------------------------------------------------- requests

    def _request(
        self, attribute: str, wanted: Wanted, node: s.Node, function: Function
    ) -> Iterator[Source]:
        step = self.running.step(function)
        entry = self.running.entries.get(id(step.root.node)) if step is not None else None
        if step is None or entry is None or entry.route is None or entry.kind in {"task", "thread"}:
            return
        named = [part for part in wanted.path if part != ANY]
        name = named[0] if named and attribute in _MAPPINGS else _shown(attribute, wanted.path)
        kind = _OF_REQUEST[attribute]
        steps = (*_way(step), Step(function.module, node, f"{kind} {name}"))
        yield Source(name, kind, entry.route, None, steps)

    def _is_request(self, node: s.Expr, function: Function) -> bool:
        found = self.app.types.of(node, Where(function.module, function))
        return any(isinstance(o, Instance) and o.cls in _REQUESTS for o in alternatives(found))

    # ---------------------------------------------------------------------- names

    def _name(self, node: s.Name, function: Function, wanted: Wanted) -> Iterator[Source]:
        bound = self.app.types.locals.lookup(node.id, node.start, function)
        if bound is None:
            return
        if bound.how == "parameter":
            if wanted.path and self._is_self(node.id, function):
                yield from self._own(function, wanted)
            elif wanted.path or self.sent.may_hold(
                self.app.types.of(node, Where(function.module, function))
            ):
                yield from self._parameter(node.id, function, wanted)
        elif bound.value is not None and bound.how in {"assign", "element"}:
            yield from self.sources(bound.value, function, _through(bound, wanted))

    def _is_self(self, name: str, function: Function) -> bool:
        owner, params = function.owner, function.node.params
        return (
            owner is not None and bool(params) and params[0].name == name and not function.is_static
        )

    def _own(self, function: Function, wanted: Wanted) -> Iterator[Source]:
        """``self.url``: what the methods of the class set."""
        owner = function.owner
        if owner is None or self.app.models.is_schema(owner) or self.app.types.is_table(owner):
            return
        mark = (id(owner.node), "self", wanted.path)
        if mark in self._active:
            return
        self._active.add(mark)
        try:
            yield from self._assigned(owner, wanted.key, wanted.rest)
        finally:
            self._active.discard(mark)

    def _parameter(self, name: str, function: Function, wanted: Wanted) -> Iterator[Source]:
        """Yield the requests that fill a parameter: its own endpoint's, or its callers'."""
        mark = (id(function.node), name, wanted.path)
        if mark in self._active:
            return
        self._active.add(mark)
        try:
            source = self._of_request(name, function, wanted.path)
            if source is not None:
                yield source
                return
            names = [parameter.name for parameter in function.parameters]
            if name not in names:
                return
            position = names.index(name)
            yield from self._provided(function.parameters[position], function, wanted)
            for site, asked in self._asking(function, wanted):
                is_known = site in wanted.calls  # a step where its result was asked for
                for found in self._given(site, position, name, asked):
                    if is_known:
                        yield found
                    else:
                        yield found.then(site.module, site.node, function.qualname)
        finally:
            self._active.discard(mark)

    def _asking(self, function: Function, wanted: Wanted) -> Iterator[tuple[CallSite, Wanted]]:
        """Yield the calls that fill parameters: the one whose result is asked for, or every one."""
        if wanted.calls and function in wanted.calls[-1].targets:
            yield wanted.calls[-1], Wanted(wanted.path, wanted.calls[:-1], wanted.depth + 1)
            return
        for site in self.callers(function):
            chosen = self.dispatch.by(site, function, wanted.chosen)
            if chosen is not None:
                yield site, Wanted(wanted.path, (), wanted.depth + 1, chosen)
        for site in self.handing_on(function):
            yield site, Wanted(wanted.path, (), wanted.depth + 1)

    def _given(self, site: CallSite, position: int, name: str, wanted: Wanted) -> Iterator[Source]:
        given = site.node.argument(position, name)
        if given is not None:
            yield from self.sources(given, site.caller, wanted)
            return
        for keyword in site.node.keywords:
            if keyword.arg is None:
                yield from self.sources(keyword.value, site.caller, wanted.below(name))

    def _provided(
        self, parameter: s.Parameter, function: Function, wanted: Wanted
    ) -> Iterator[Source]:
        """Yield from where what a dependency gives is: what it returns or yields, or an object."""
        provider = self.app.types.dependency_of(parameter, Where(function.module, function.outer))
        for option in alternatives(provider) if provider is not None else ():
            asked = Wanted(wanted.path, (), wanted.depth + 1)
            if isinstance(option, FunctionValue):
                made = option.function
                for node in (*returns(self.app, made), *_yields(self.app, made)):
                    yield from self.sources(node, made, asked)
            elif isinstance(option, ClassObject) and isinstance(option.cls, Class):
                if wanted.path:
                    yield from self._assigned(option.cls, wanted.key, asked.rest)

    def _of_request(self, name: str, function: Function, path: tuple[str, ...]) -> Source | None:
        entry = self.running.entries.get(id(function.node))
        route = entry.route if entry is not None else None
        if entry is None or route is None or entry.kind not in {"endpoint", "dependency"}:
            return None
        for parameter in route.parameters:
            if parameter.function.node is function.node and parameter.name == name:
                if parameter.kind in KINDS and self._is_open(parameter, path):
                    step = Step(function.module, parameter.node, f"{parameter.kind} {name}")
                    return Source(_shown(name, path), parameter.kind, route, parameter, (step,))
        return None

    def _is_open(self, parameter: RequestParameter, path: tuple[str, ...]) -> bool:
        if not path:
            return not self.sent.is_restricted(parameter)
        return not self.sent.has_limits(parameter) and self.sent.is_free_at(parameter.type, path)

    # -------------------------------------------------------------------- columns

    def _column(self, node: s.Expr, function: Function, wanted: Wanted) -> Iterator[Source]:
        """``hook.url`` of a row: what requests write to the column."""
        name, rest = wanted.key, wanted.path[1:]
        for table in self._tables(node, function):
            if not self.stored.is_plain(table, name):
                continue
            mark = (id(table.cls.node), name, rest)
            if mark in self._active or not self._keeps_text(table, name, rest):
                continue
            self._active.add(mark)
            try:
                for write in self.stored.to(table, name):
                    yield from self._written(write, table, node, function, wanted)
            finally:
                self._active.discard(mark)

    def _written(
        self, write: Write, table: Table, node: s.Expr, function: Function, wanted: Wanted
    ) -> Iterator[Source]:
        path = wanted.path if write.column is None else wanted.path[1:]
        column = f"{table.cls.name}.{wanted.key}"
        calls = (write.by,) if write.by is not None else ()
        asked = Wanted(path, calls, wanted.depth + 1)
        for source in self.sources(write.value, write.function, asked):
            kept = source.then(write.function.module, write.node, f"stored in {column}")
            steps = (*kept.steps, *self._reading(function))
            read = Step(function.module, node, f"{column} read back")
            yield msgspec.structs.replace(
                kept, steps=(*steps, read), column=source.column or column
            )

    def _reading(self, function: Function) -> Iterator[Step]:
        """Yield the way from a request to the function that reads a row; none leads to a job."""
        step = self.running.step(function)
        if step is not None:
            route = self.running.entry(step.root).route
            if route is not None:
                yield Step(route.module, route.node, route.label)
            yield from _way(step)

    def _tables(self, node: s.Expr, function: Function) -> Iterator[Table]:
        for option in alternatives(self.app.types.of(node, Where(function.module, function))):
            if isinstance(option, Instance) and isinstance(option.cls, Class):
                table = self.app.models.table(option.cls)
                if table is not None:
                    yield table

    def _keeps_text(self, table: Table, column: str, rest: tuple[str, ...]) -> bool:
        found: Type = table.columns[column].type
        return bool(rest) or self.sent.may_hold(found)

    def _is_made(self, node: s.Expr, function: Function, depth: int = 0) -> bool:
        """Whether a value is an object that the code makes rather than a row that it reads."""
        if isinstance(node, s.Call):
            site = origins(self.app).site(function, node)
            return site is not None and _class_made(site) is not None
        if not isinstance(node, s.Name) or depth > _MOST_CALLS:
            return False
        bound = self.app.types.locals.lookup(node.id, node.start, function)
        if bound is None or bound.path:
            return False
        if bound.how == "assign" and bound.value is not None:
            return self._is_made(bound.value, function, depth + 1)
        names = [parameter.name for parameter in function.parameters]
        callers = self.callers(function)
        if bound.how != "parameter" or node.id not in names or not callers:
            return False
        given = [site.node.argument(names.index(node.id), node.id) for site in callers]
        return all(
            value is not None and self._is_made(value, site.caller, depth + 1)
            for value, site in zip(given, callers, strict=True)
        )

    def callers(self, function: Function) -> list[CallSite]:
        """Return the calls, in what requests reach, that may run ``function``."""
        if self._callers is None:
            self._callers = {}
            for step in self.running.reached:
                for site in self.app.calls.sites(step.function):
                    for target in site.targets:
                        self._callers.setdefault(id(target.node), []).append(site)
        return self._callers.get(id(function.node), [])

    def handing_on(self, function: Function) -> list[CallSite]:
        """Return the calls that have ``function`` run with arguments: in a thread, as a task, partly."""
        if self._handing_on is None:
            self._handing_on = {}
            positions = {**self.app.library.elsewhere, **_LATER}
            for step in self.running.reached:
                for site in self.app.calls.sites(step.function):
                    position = positions.get(site.external or "")
                    if position is not None and position < len(site.node.args):
                        self._keep_handed(_as_called(site, position))
        return self._handing_on.get(id(function.node), [])

    def _keep_handed(self, called: CallSite) -> None:
        where = Where(called.module, called.caller)
        for option in alternatives(self.app.types.of(called.node.func, where)):
            for target in self.app.calls.targets(option):
                assert self._handing_on is not None  # noqa: S101 - made by the caller
                self._handing_on.setdefault(id(target.node), []).append(called)


def _as_called(site: CallSite, position: int) -> CallSite:
    """``to_thread(keep, file)`` as ``keep(file)``: what stands behind a function is given to it."""
    given, node = site.node.args[position], site.node
    called = s.Call(node.start, node.end, given, node.args[position + 1 :], node.keywords)
    return msgspec.structs.replace(site, node=called)


def _way(step: Reach) -> Iterator[Step]:
    """Yield the calls by which a function is reached."""
    for site in step.chain:
        if site.targets:
            yield Step(site.module, site.node, site.targets[0].qualname)


def _through(bound: Bound, wanted: Wanted) -> Wanted:
    """Return what is asked of the value that a name is taken from."""
    unpacked = (*map(str, bound.path), *wanted.path)
    return wanted.of(ANY, *unpacked) if bound.how == "element" else wanted.of(*unpacked)


def _gives_back(name: str, node: s.Call, wanted: Wanted) -> bool:
    """Whether a method gives back the part that is asked for of what it is called on."""
    if name in _DUMPING:
        return not (wanted.path and _leaves_out(node, wanted.key))
    return name in _OF_TEXT or (name == "values" and bool(wanted.path))


def _is_of_project(site: CallSite) -> bool:
    """Whether a call runs a function of the project, or makes an object of one of its classes."""
    return _class_made(site) is not None or any(
        isinstance(option, FunctionValue) for option in alternatives(site.callee)
    )


def _class_made(site: CallSite) -> Class | None:
    for option in alternatives(site.callee):
        if isinstance(option, ClassObject) and isinstance(option.cls, Class):
            return option.cls
    return None


def _leaves_out(dump: s.Call, name: str) -> bool:
    """Whether ``model_dump(exclude={"url"})`` or ``include`` leaves a field out."""
    excluded, included = dump.keyword("exclude"), dump.keyword("include")
    if excluded is not None and any(s.string(node) == name for node in s.walk(excluded)):
        return True
    return isinstance(included, s.Set) and all(s.string(node) != name for node in included.elts)


def _shown(name: str, path: tuple[str, ...]) -> str:
    """Return how a part of a value reads: ``body.jobs[].url``."""
    return name + "".join("[]" if is_element(part) else f".{part}" for part in path)


def _entry(node: s.Expr) -> str:
    """Return the step of a path that a subscript is: a key, a place, or any."""
    if isinstance(node, s.Constant) and node.kind == "int":
        return str(node.value)
    return s.string(node) or ANY


def _yields(app: App, function: Function) -> list[s.Expr]:
    return [
        node.value for node, _ in app.calls.of_kind(function, s.Yield) if node.value is not None
    ]
