"""Request data: from which requests a value comes, followed back through names, texts and calls.

A value is followed through assignments, f-strings, ``+``, ``%`` and ``format``, calls that give a
text back, fields of schemas, entries of dictionaries and the parameters of functions that requests
reach. Numbers, UUIDs, dates, booleans, enums and literals carry nothing that a client may choose
freely; a value that is compared with a list of allowed ones, looked up in a dictionary, matched
against a pattern, escaped or otherwise checked is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.dependencies import RequestParameter
from fastwright.app.model import App
from fastwright.app.on_loop import Loop, served
from fastwright.app.routes import Route
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import UNKNOWN, Instance, Literal, Sequence, Type, alternatives
from fastwright.read import syntax as s
from fastwright.read.module import Module

KINDS = frozenset({"path", "query", "body", "form", "file", "header", "cookie"})
_KEEPING = frozenset({"strip", "lower", "upper", "title", "lstrip", "rstrip", "str", "casefold",
                      "removeprefix", "removesuffix", "decode", "encode", "Path", "PurePath",
                      "joinpath", "expanduser", "join", "format", "get", "read", "json", "body",
                      "b64decode"})  # fmt: skip
"""Calls that give back what they are called on, or what they are given."""
_FREE = frozenset({"builtins.str", "builtins.bytes", "fastapi.UploadFile", "pydantic.HttpUrl",
                   "pydantic.AnyHttpUrl", "pydantic.AnyUrl"})  # fmt: skip
_OF_REQUEST = {"query_params": "query", "headers": "header", "cookies": "cookie", "path_params": "path",
               "json": "body", "body": "body", "form": "form"}  # fmt: skip
_REQUESTS = frozenset(
    {"fastapi.Request", "fastapi.requests.Request", "fastapi.requests.HTTPConnection"}
)
_DEPTH = 8
_HOPS = 10
"""Names, calls and parameters that an entry of a dictionary is followed through."""


class Step(msgspec.Struct, frozen=True, eq=False):
    """A place that a value passes: a parameter, a call."""

    module: Module
    node: s.Node
    note: str


class Source(msgspec.Struct, frozen=True, eq=False):
    """Where in a request a value comes from, and the way that it takes."""

    name: str
    kind: str
    """path, query, body, form, file, header or cookie."""
    route: Route | None
    parameter: RequestParameter | None
    steps: tuple[Step, ...]

    def then(self, module: Module, node: s.Node, note: str) -> Source:
        """Return the source with one step more."""
        return msgspec.structs.replace(self, steps=(*self.steps, Step(module, node, note)))


@dataclass(eq=False)
class RequestData:
    """Follows values back to requests. ``checks`` matches further names of checking calls."""

    app: App
    checks: re.Pattern[str] | None = None
    running: Loop = field(init=False)
    _callers: dict[int, list[CallSite]] | None = None
    _checked: dict[int, set[str]] = field(default_factory=dict)
    _active: set[tuple[int, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.running = served(self.app)

    def sources(self, node: s.Expr, function: Function, depth: int = 0) -> Iterator[Source]:
        """Yield where in a request the value of an expression comes from."""
        if depth > _DEPTH:
            return
        match node:
            case s.Await():
                yield from self.sources(node.value, function, depth)
            case s.JoinedStr():
                yield from self._any((v for v in node.values), function, depth)
            case s.BinOp():
                yield from self._any((node.left, node.right), function, depth)
            case s.BoolOp():
                yield from self._any(node.values, function, depth)
            case s.IfExp():
                yield from self._any((node.body, node.orelse), function, depth)
            case s.Tuple() | s.List():
                yield from self._any(node.elts, function, depth)
            case s.Call():
                yield from self._call(node, function, depth)
            case s.Subscript():
                yield from self._entry(node.value, s.string(node.slice), function, depth)
            case s.Attribute():
                yield from self._attribute(node, function, depth)
            case s.Name():
                yield from self._name(node, function, depth)

    def _any(self, nodes: Iterable[s.Expr], function: Function, depth: int) -> Iterator[Source]:
        for node in nodes:
            if not isinstance(node, s.Constant):
                yield from self.sources(node, function, depth + 1)

    def _call(self, node: s.Call, function: Function, depth: int) -> Iterator[Source]:
        """``name.strip()``, ``str(name)``, ``os.path.join(root, name)``, ``request.headers.get("x")``."""
        name = s.last_name(node.func)
        if name not in _KEEPING:
            return
        if isinstance(node.func, s.Attribute):
            key = s.string(node.args[0]) if name == "get" and node.args else None
            if name == "get":
                yield from self._entry(node.func.value, key, function, depth)
                return
            if name in _OF_REQUEST and self._is_request(node.func.value, function):
                yield from self._request(name, name, node, function)
                return
            yield from self.sources(node.func.value, function, depth + 1)
        if name not in {"decode", "encode", "strip", "read"}:
            yield from self._any(node.args, function, depth)
            yield from self._any((k.value for k in node.keywords), function, depth)

    def _entry(
        self, base: s.Expr, key: str | None, function: Function, depth: int
    ) -> Iterator[Source]:
        """``payload["url"]``, ``request.query_params["next"]``."""
        if isinstance(base, s.Attribute) and base.attr in _OF_REQUEST:
            if self._is_request(base.value, function):
                yield from self._request(base.attr, key or base.attr, base, function)
                return
        if isinstance(base, s.Await):
            base = base.value
        if isinstance(base, (s.Name, s.Call)):
            for source in self._mapping(base, function, depth):
                label = f"{source.name}[{key!r}]" if key else source.name
                yield msgspec.structs.replace(source, name=label)
        if key is not None:
            yield from self._keyed(base, (key,), function, depth)

    def _keyed(
        self, node: s.Expr, keys: tuple[str, ...], function: Function, depth: int, hops: int = 0
    ) -> Iterator[Source]:
        """Yield where the entry of a dictionary comes from that the project itself puts together.

        ``keys`` lead to it, outermost first: ``job["request"]["name"]``.
        """
        mark = (id(node), ".".join(keys))
        if hops > _HOPS or mark in self._active:
            return
        self._active.add(mark)
        try:
            yield from self._keyed_in(node, keys, function, depth, hops + 1)
        finally:
            self._active.discard(mark)

    def _keyed_in(
        self, node: s.Expr, keys: tuple[str, ...], function: Function, depth: int, hops: int
    ) -> Iterator[Source]:
        match node:
            case s.Await():
                yield from self._keyed(node.value, keys, function, depth, hops)
            case s.Dict():
                value = _entry_of(node, keys[0])
                if value is not None and len(keys) > 1:
                    yield from self._keyed(value, keys[1:], function, depth, hops)
                elif value is not None:
                    yield from self.sources(value, function, depth)
            case s.Subscript():
                key = s.string(node.slice)
                if key is not None:
                    yield from self._keyed(node.value, (key, *keys), function, depth, hops)
            case s.Call():
                yield from self._keyed_call(node, keys, function, depth, hops)
            case s.Name():
                yield from self._keyed_name(node, keys, function, depth, hops)

    def _keyed_call(
        self, node: s.Call, keys: tuple[str, ...], function: Function, depth: int, hops: int
    ) -> Iterator[Source]:
        """``job.get("request")``, and what a function of the project returns."""
        if isinstance(node.func, s.Attribute) and node.func.attr == "get" and node.args:
            key = s.string(node.args[0])
            if key is not None:
                yield from self._keyed(node.func.value, (key, *keys), function, depth, hops)
            return
        site = next((x for x in self.app.calls.sites(function) if x.node is node), None)
        if site is None or len(site.targets) != 1:
            return
        target = site.targets[0]
        for returned, _ in self.app.calls.of_kind(target, s.Return):
            if returned.value is not None:
                for found in self._keyed(returned.value, keys, target, depth, hops):
                    yield found.then(site.module, site.node, target.qualname)

    def _keyed_name(
        self, node: s.Name, keys: tuple[str, ...], function: Function, depth: int, hops: int
    ) -> Iterator[Source]:
        bound = self.app.types.locals.lookup(node.id, node.start, function)
        if bound is None or bound.path or self._is_changed(node.id, function):
            return
        if bound.how == "assign" and bound.value is not None:
            yield from self._keyed(bound.value, keys, function, depth, hops)
        elif bound.how == "parameter":
            names = [parameter.name for parameter in function.parameters]
            for site in self.callers(function) if node.id in names else ():
                given = site.node.argument(names.index(node.id), node.id)
                if given is not None:
                    for found in self._keyed(given, keys, site.caller, depth, hops):
                        yield found.then(site.module, site.node, function.qualname)

    def _is_changed(self, name: str, function: Function) -> bool:
        """Whether a function checks a dictionary, or puts entries into it."""
        if name in self.checked(function):
            return True
        return any(
            isinstance(target, s.Subscript) and s.dotted(target.value) == name
            for node, _ in self.app.calls.of_kind(function, s.Assign)
            for target in node.targets
        )

    def _mapping(self, base: s.Expr, function: Function, depth: int) -> Iterator[Source]:
        """Yield where a dictionary comes from whose entries the client chooses."""
        if isinstance(base, s.Call):
            yield from self._call(base, function, depth + 1)
            return
        if not isinstance(base, s.Name) or base.id in self.checked(function):
            return
        bound = self.app.types.locals.lookup(base.id, base.start, function)
        if bound is None or bound.path:
            return
        if bound.how == "assign" and bound.value is not None:
            value = bound.value.value if isinstance(bound.value, s.Await) else bound.value
            if isinstance(value, s.Call) and s.last_name(value.func) in {"json", "form"}:
                yield from self._call(value, function, depth + 1)
        elif bound.how == "parameter":
            found = self.app.types.of(base, Where(function.module, function))
            if any(
                isinstance(o, Instance) and o.cls == "builtins.dict" for o in alternatives(found)
            ):
                yield from self._parameter(base.id, function, depth, whole=True)

    def _request(
        self, attribute: str, name: str, node: s.Node, function: Function
    ) -> Iterator[Source]:
        step = Step(function.module, node, f"{_OF_REQUEST[attribute]} {name}")
        entry = self.running.entries.get(id(function.node))
        route = entry.route if entry is not None else None
        if route is not None:
            yield Source(name, _OF_REQUEST[attribute], route, None, (step,))

    def _is_request(self, node: s.Expr, function: Function) -> bool:
        found = self.app.types.of(node, Where(function.module, function))
        return any(isinstance(o, Instance) and o.cls in _REQUESTS for o in alternatives(found))

    def _name(self, node: s.Name, function: Function, depth: int) -> Iterator[Source]:
        if node.id in self.checked(function):
            return
        bound = self.app.types.locals.lookup(node.id, node.start, function)
        if bound is None or bound.path:
            return
        if bound.how == "parameter":
            if self._may_be_free(self.app.types.of(node, Where(function.module, function))):
                yield from self._parameter(node.id, function, depth)
        elif bound.how in {"assign", "element"} and bound.value is not None:
            yield from self.sources(bound.value, function, depth + 1)

    def _attribute(self, node: s.Attribute, function: Function, depth: int) -> Iterator[Source]:
        """``body.name``: a field of a schema that a parameter holds; ``file.filename``."""
        base = node.value
        if not isinstance(base, s.Name) or (s.dotted(node) or "") in self.checked(function):
            return
        owner = self.app.types.of(base, Where(function.module, function))
        bound = self.app.types.locals.lookup(base.id, base.start, function)
        if bound is None or bound.how != "parameter" or base.id in self.checked(function):
            return
        if not any(self._is_field(option, node.attr) for option in alternatives(owner)):
            return
        for source in self._parameter(base.id, function, depth, whole=True):
            yield msgspec.structs.replace(source, name=f"{source.name}.{node.attr}")

    def _is_field(self, owner: Type, name: str) -> bool:
        """Whether an attribute is one that a client fills freely."""
        if not isinstance(owner, Instance):
            return False
        if not isinstance(owner.cls, Class):
            return owner.cls == "fastapi.UploadFile" and name in {"filename", "content_type"}
        schema = self.app.models.schema(owner.cls)
        described = schema.fields.get(name) if schema is not None else None
        if schema is None or schema.is_settings or described is None:
            return False
        return self._may_be_free(described.type) and not has_pattern(described.default)

    def _parameter(
        self, name: str, function: Function, depth: int, *, whole: bool = False
    ) -> Iterator[Source]:
        """Yield the requests that fill a parameter: its own endpoint's, or its callers'.

        ``whole`` says that a part of it is asked for: then it may be a schema or a dictionary.
        """
        mark = (id(function.node), name)
        if mark in self._active or depth > _DEPTH:
            return
        self._active.add(mark)
        try:
            source = self._of_request(name, function, whole=whole)
            if source is not None:
                yield source
                return
            names = [parameter.name for parameter in function.parameters]
            if name not in names:
                return
            for site in self.callers(function):
                given = site.node.argument(names.index(name), name)
                found_in = (
                    self._given(given, site.caller, depth + 1, whole=whole)
                    if given is not None
                    else self._unpacked(site, name, depth)
                )
                for found in found_in:
                    yield found.then(site.module, site.node, function.qualname)
        finally:
            self._active.discard(mark)

    def _unpacked(self, site: CallSite, name: str, depth: int) -> Iterator[Source]:
        """``create(**job)``: the entries are the arguments."""
        for keyword in site.node.keywords:
            if keyword.arg is None:
                yield from self._keyed(keyword.value, (name,), site.caller, depth)

    def _given(
        self, given: s.Expr, caller: Function, depth: int, *, whole: bool
    ) -> Iterator[Source]:
        if whole and isinstance(given, s.Name):
            bound = self.app.types.locals.lookup(given.id, given.start, caller)
            if bound is not None and bound.how == "parameter":
                yield from self._parameter(given.id, caller, depth, whole=True)
            return
        yield from self.sources(given, caller, depth)

    def _of_request(self, name: str, function: Function, *, whole: bool) -> Source | None:
        entry = self.running.entries.get(id(function.node))
        route = entry.route if entry is not None else None
        if entry is None or route is None or entry.kind not in {"endpoint", "dependency"}:
            return None
        for parameter in route.parameters:
            if parameter.function.node is function.node and parameter.name == name:
                if parameter.kind in KINDS and (whole or not self._is_restricted(parameter)):
                    step = Step(function.module, parameter.node, f"{parameter.kind} {name}")
                    return Source(name, parameter.kind, route, parameter, (step,))
        return None

    def _is_restricted(self, parameter: RequestParameter) -> bool:
        """Whether what a client may send is narrow: another type, a pattern, an enum."""
        where = Where(parameter.function.module, parameter.function.outer)
        markers = [parameter.marker, parameter.node.default]
        markers += [node for node, _ in self.app.types.metadata(parameter.node.annotation, where)]
        if any(has_pattern(marker) for marker in markers):
            return True
        return not self._may_be_free(parameter.type)

    def _may_be_free(self, found: Type) -> bool:
        """Whether a value is surely text or bytes, or a schema that may hold some."""
        for option in alternatives(found):
            if option is UNKNOWN or isinstance(option, (Literal, Sequence)):
                continue
            if isinstance(option, Instance):
                if isinstance(option.cls, Class):
                    return self.app.models.is_schema(option.cls)
                if option.cls in _FREE:
                    return True
        return False

    # --------------------------------------------------------------------- checks

    def checked(self, function: Function) -> set[str]:
        """Return the names that a function compares with allowed values, matches or escapes."""
        key = id(function.node)
        found = self._checked.get(key)
        if found is not None:
            return found
        found = self._checked[key] = set()
        for node, _ in self.app.calls.nodes(function):
            if isinstance(node, s.Compare) and {"in", "not in", "=="} & set(node.ops):
                found.update(s.dotted(_bare(part)) or "" for part in (node.left, *node.comparators))
            elif isinstance(node, s.Call) and self._is_check(node):
                found.update(s.dotted(_bare(given)) or "" for given in node.args)
                found.update(s.dotted(_bare(keyword.value)) or "" for keyword in node.keywords)
                if isinstance(node.func, s.Attribute):
                    found.add(s.dotted(node.func.value) or "")
            elif isinstance(node, s.Match):
                found.add(s.dotted(node.subject) or "")
        found.update(self._looked_up(function))
        found.discard("")
        return found

    def _looked_up(self, function: Function) -> Iterator[str]:
        """``row = await find(name)``, ``if not row: raise``: the database knows the name."""
        refused = {
            name
            for node, _ in self.app.calls.of_kind(function, s.If)
            if (name := _refused_without(node)) is not None
        }
        if not refused:
            return
        asking = {
            id(site.node): site
            for site in self.app.calls.sites(function)
            if any(map(self.app.calls.asks_database, site.targets))
        }
        asking.update((id(e.site.node), e.site) for e in self.app.calls.executions(function))
        for node, _ in self.app.calls.of_kind(function, s.Assign):
            value = node.value.value if isinstance(node.value, s.Await) else node.value
            if id(value) in asking and s.dotted(node.targets[0]) in refused:
                call = asking[id(value)].node
                for given in (*call.args, *(keyword.value for keyword in call.keywords)):
                    parts = given.elts if isinstance(given, (s.Tuple, s.List)) else [given]
                    yield from (s.dotted(part) or "" for part in parts)

    def _is_check(self, node: s.Call) -> bool:
        name = s.last_name(node.func) or ""
        return self.app.library.checks(name) or (
            self.checks is not None and bool(self.checks.search(name))
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


def _refused_without(node: s.If) -> str | None:
    """Return the name without which a function goes no further: ``if not row: raise``."""
    branch = node.branches[0]
    if not branch.body or not isinstance(branch.body[-1], (s.Raise, s.Return)):
        return None
    test = branch.test
    if isinstance(test, s.UnaryOp) and test.op == "not":
        return s.dotted(test.operand)
    if isinstance(test, s.Compare) and test.ops == ["is"]:
        right = test.comparators[0]
        return s.dotted(test.left) if getattr(right, "kind", "") == "none" else None
    return None


def _entry_of(node: s.Dict, key: str) -> s.Expr | None:
    """Return the value of a key in a dictionary that is written out."""
    pairs = zip(node.keys, node.values, strict=True)
    return next((value for name, value in pairs if s.string(name) == key), None)


def has_pattern(node: s.Expr | None) -> bool:
    """Whether a field or parameter says what it admits: a pattern, a validator."""
    return isinstance(node, s.Call) and (
        any(keyword.arg in {"pattern", "regex", "enum"} for keyword in node.keywords)
        or s.last_name(node.func) in {"AfterValidator", "BeforeValidator", "StringConstraints"}
    )


def _bare(node: s.Expr) -> s.Expr:
    """Return the name inside ``name.lower()``, ``str(name)``."""
    while isinstance(node, s.Call):
        if isinstance(node.func, s.Attribute):
            node = node.func.value
        elif len(node.args) == 1:
            node = node.args[0]
        else:
            break
    return node
