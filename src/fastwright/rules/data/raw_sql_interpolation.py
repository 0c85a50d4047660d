"""Values go to the database as parameters, never as text of the statement.

`text(f"... WHERE name = '{name}'")` with a value of the request is SQL injection (CWE-89): the
client writes the statement. Bind it: `text("... WHERE name = :name")` with `{"name": name}`.

Reported is an f-string, `format`, `%` or `+` whose result reaches `text()` or a session's, a
connection's or a driver's `execute`, where the value put in comes from a request as text: a
parameter of an endpoint or a text field of its body, followed back through assignments and calls.
Numbers, UUIDs, dates, booleans, enums and literals cannot carry SQL. Constants, settings and
columns that the code itself lists are no input, and a value that is compared with a list of allowed
ones, looked up in a dictionary, matched against a pattern or quoted is taken to be checked. What
cannot be followed to a request is not reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.dependencies import RequestParameter
from fastwright.app.library import LIBRARY
from fastwright.app.model import App
from fastwright.app.on_loop import Loop, served
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import UNKNOWN, Instance, Literal, Sequence, Type, alternatives
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import call_name, evidence, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case

_TEXT = frozenset({"sqlalchemy.text", "sqlalchemy.literal_column", "sqlalchemy.sql.text"})
_RUNNING = frozenset({"execute", "exec", "scalar", "scalars", "exec_driver_sql", "stream"})
_KEEPING = frozenset({"strip", "lower", "upper", "title", "lstrip", "rstrip", "str", "casefold",
                      "removeprefix", "removesuffix"})  # fmt: skip
_CHECKING = re.compile(
    r"valid|sanit|quote|escape|check|verify|ensure|allow|safe|isidentifier|isalnum|isdigit|isdecimal"
    r"|isnumeric|fullmatch|match|literal_value|ident",
    re.IGNORECASE,
)
_STATEMENT = re.compile(
    r"\b(select|insert|update|delete|where|from|order\s+by|group\s+by|limit|and|or|set|values|join"
    r"|into|drop|alter|create|like|having)\b",
    re.IGNORECASE,
)
_SAFE = ("builtins.int", "builtins.float", "builtins.bool", "uuid.", "datetime.", "decimal.",
         "ipaddress.", "pydantic.UUID", "pydantic.Positive", "pydantic.NonNegative")  # fmt: skip
_KINDS = frozenset({"path", "query", "body", "form", "header", "cookie"})
_DEPTH = 8


def check(app: App) -> Iterator[Hit]:
    """Report values of a request that become text of a statement."""
    running = served(app)
    tracing = _Tracing(app, running)
    seen: set[tuple[str, int]] = set()
    for step in running.reached:
        function = step.function
        if function.node.called and not _may_run(function):
            continue
        for site in app.calls.sites(function):
            given = _statement_text(app, site)
            if given is None:
                continue
            for found in tracing.interpolated(given, function):
                key = (found.module.path, found.module.line(found.node))
                if key not in seen:
                    seen.add(key)
                    yield _hit(site, found)


def _may_run(function: Function) -> bool:
    names = {name.rpartition(".")[2] for name in LIBRARY.statements}
    return not (_RUNNING | names | {"text", "literal_column"}).isdisjoint(function.node.called)


def _statement_text(app: App, site: CallSite) -> s.Expr | None:
    """Return what a call takes as text of a statement, or None."""
    if site.external in _TEXT:
        return site.node.argument(0, "text")
    if site.external in LIBRARY.statements:
        return site.node.argument(0, "query")
    if site.method in _RUNNING and site.receiver is not None:
        if app.types.session_kind(site.receiver) is not None:
            given = site.node.argument(0, "statement")
            return None if isinstance(given, s.Call) else given
    return None


def _hit(site: CallSite, found: Source) -> Hit:
    parameter, route_links = found.parameter, found.links
    message = (
        f"{parameter} of the request becomes text of the statement in {call_name(site)}:"
        " SQL injection"
    )
    last = evidence(site.module, site.node, call_name(site))
    return Hit(place(found.module, found.node), message, (*route_links, last))


class Source(msgspec.Struct, frozen=True, eq=False):
    """A value of a request that a statement's text holds: where it is put in, how it came there."""

    parameter: str
    node: s.Expr
    links: tuple[Evidence, ...]
    module: Module


@dataclass(eq=False)
class _Tracing:
    """Follows values back to requests."""

    app: App
    running: Loop
    _callers: dict[int, list[CallSite]] | None = None
    _checked: dict[int, set[str]] = field(default_factory=dict)
    _active: set[tuple[int, str]] = field(default_factory=set)

    # ------------------------------------------------------------ interpolations

    def interpolated(self, node: s.Expr, function: Function, depth: int = 0) -> Iterator[Source]:
        """Yield the request's values that a text holds, names of texts followed."""
        if depth > _DEPTH:
            return
        if isinstance(node, s.Name):
            for value in self._texts(node, function):
                yield from self.interpolated(value, function, depth + 1)
            yield from self._given_texts(node, function, depth)
            return
        for part in _parts(node):
            for origin in self._origins(part, function, depth):
                yield Source(origin[0], node, origin[1], function.module)
        for inner in _inner_texts(node):
            yield from self.interpolated(inner, function, depth + 1)

    def _given_texts(self, node: s.Name, function: Function, depth: int) -> Iterator[Source]:
        """Yield what callers put into a text that they hand to ``function``."""
        bound = self.app.types.locals.lookup(node.id, node.start, function)
        names = [parameter.name for parameter in function.parameters]
        mark = (id(function.node), f"text {node.id}")
        if bound is None or bound.how != "parameter" or node.id not in names:
            return
        if mark in self._active:
            return
        self._active.add(mark)
        try:
            for site in self.callers(function):
                given = site.node.argument(names.index(node.id), node.id)
                if given is not None:
                    for found in self.interpolated(given, site.caller, depth + 1):
                        link = evidence(site.module, site.node, function.qualname)
                        yield Source(
                            found.parameter, found.node, (*found.links, link), found.module
                        )
        finally:
            self._active.discard(mark)

    def _texts(self, name: s.Name, function: Function) -> Iterator[s.Expr]:
        """Yield the expressions that make the text that a local name holds, additions included."""
        for node, _ in self.app.calls.nodes(function):
            if node.start > name.start:
                break
            if isinstance(node, s.Assign) and any(_is(t, name.id) for t in node.targets):
                yield node.value
            elif isinstance(node, (s.AnnAssign, s.AugAssign)) and _is(node.target, name.id):
                if node.value is not None:
                    yield node.value
            elif (
                isinstance(node, s.Call)
                and isinstance(node.func, s.Attribute)
                and node.func.attr == "append"
                and _is(node.func.value, name.id)
                and node.args
            ):
                yield node.args[0]

    # -------------------------------------------------------------------- origins

    def _origins(
        self, node: s.Expr, function: Function, depth: int
    ) -> Iterator[tuple[str, tuple[Evidence, ...]]]:
        """Yield where in a request a value comes from: its name, and the chain."""
        if depth > _DEPTH:
            return
        if isinstance(node, s.Await):
            node = node.value
        if isinstance(node, (s.JoinedStr, s.BinOp)):
            for part in _parts(node):
                yield from self._origins(part, function, depth + 1)
        elif isinstance(node, s.BoolOp):
            for value in node.values:
                yield from self._origins(value, function, depth + 1)
        elif isinstance(node, s.IfExp):
            yield from self._origins(node.body, function, depth + 1)
            yield from self._origins(node.orelse, function, depth + 1)
        elif isinstance(node, s.Call):
            inner = _kept(node)
            if inner is not None:
                yield from self._origins(inner, function, depth + 1)
        elif isinstance(node, s.Attribute):
            if self._is_text(self.app.types.of(node, Where(function.module, function))):
                yield from self._field(node, function, depth)
        elif isinstance(node, s.Name):
            yield from self._name(node, function, depth)

    def _name(
        self, node: s.Name, function: Function, depth: int
    ) -> Iterator[tuple[str, tuple[Evidence, ...]]]:
        if node.id in self.checked(function):
            return
        bound = self.app.types.locals.lookup(node.id, node.start, function)
        if bound is None or bound.path:
            return
        if bound.how == "parameter":
            found = self.app.types.of(node, Where(function.module, function))
            if self._is_text(found):
                yield from self._parameter(node.id, function, depth)
        elif bound.how == "assign" and bound.value is not None:
            yield from self._origins(bound.value, function, depth + 1)

    def _field(
        self, node: s.Attribute, function: Function, depth: int
    ) -> Iterator[tuple[str, tuple[Evidence, ...]]]:
        """``body.name``: a text field of a schema that a parameter holds."""
        base = node.value
        if not isinstance(base, s.Name) or (s.dotted(node) or "") in self.checked(function):
            return
        owner = self.app.types.of(base, Where(function.module, function))
        if not isinstance(owner, Instance) or not isinstance(owner.cls, Class):
            return
        schema = self.app.models.schema(owner.cls)
        described = schema.fields.get(node.attr) if schema is not None else None
        if schema is None or schema.is_settings or described is None:
            return
        if _has_pattern(described.default):
            return
        bound = self.app.types.locals.lookup(base.id, base.start, function)
        if bound is not None and bound.how == "parameter":
            for name, links in self._parameter(base.id, function, depth):
                yield f"{name}.{node.attr}", links

    def _parameter(
        self, name: str, function: Function, depth: int
    ) -> Iterator[tuple[str, tuple[Evidence, ...]]]:
        """Yield the requests that fill a parameter: its own endpoint's, or its callers'."""
        mark = (id(function.node), name)
        if mark in self._active or depth > _DEPTH:
            return
        self._active.add(mark)
        try:
            request = self._of_request(name, function)
            if request is not None:
                yield request
                return
            for site in self.callers(function):
                names = [parameter.name for parameter in function.parameters]
                if name not in names:
                    continue
                given = site.node.argument(names.index(name), name)
                if given is None:
                    continue
                link = evidence(site.module, site.node, function.qualname)
                for origin, links in self._origins(given, site.caller, depth + 1):
                    yield origin, (*links, link)
        finally:
            self._active.discard(mark)

    def _of_request(self, name: str, function: Function) -> tuple[str, tuple[Evidence, ...]] | None:
        entry = self.running.entries.get(id(function.node))
        route = entry.route if entry is not None else None
        if entry is None or route is None or entry.kind not in {"endpoint", "dependency"}:
            return None
        for parameter in route.parameters:
            if parameter.function.node is function.node and parameter.name == name:
                if parameter.kind in _KINDS and not _is_restricted(self.app, parameter):
                    node = evidence(function.module, parameter.node, f"{parameter.kind} {name}")
                    return name, (*of_route(route), node)
        return None

    # --------------------------------------------------------------------- checks

    def checked(self, function: Function) -> set[str]:
        """Return the names that a function compares with allowed values, matches or quotes."""
        key = id(function.node)
        found = self._checked.get(key)
        if found is None:
            found = self._checked[key] = set()
            for node, _ in self.app.calls.nodes(function):
                if isinstance(node, s.Compare) and {"in", "not in", "=="} & set(node.ops):
                    found.add(s.dotted(_bare(node.left)) or "")
                elif isinstance(node, s.Call) and _CHECKING.search(s.last_name(node.func) or ""):
                    found.update(s.dotted(_bare(arg)) or "" for arg in node.args)
                    if isinstance(node.func, s.Attribute):
                        found.add(s.dotted(node.func.value) or "")
                elif isinstance(node, s.Match):
                    found.add(s.dotted(node.subject) or "")
        return found

    def callers(self, function: Function) -> list[CallSite]:
        """Return the calls, in what requests reach, that may run ``function``."""
        if self._callers is None:
            self._callers = {}
            for step in self.running.reached:
                for site in self.app.calls.sites(step.function):
                    for target in site.targets:
                        self._callers.setdefault(id(target.node), []).append(site)
        return self._callers.get(id(function.node), [])

    def _is_text(self, found: Type) -> bool:
        """Whether a value is surely text, or a schema that may hold some."""
        for option in alternatives(found):
            if isinstance(option, Instance):
                if option.cls == "builtins.str":
                    return True
                if isinstance(option.cls, Class):
                    return self.app.models.is_schema(option.cls)
        return False


def _parts(node: s.Expr) -> Iterator[s.Expr]:
    """Yield what is put into a text: f-string values, operands of ``+`` and ``%``, ``format``."""
    if isinstance(node, s.JoinedStr):
        if _reads_like_sql(node):
            yield from (v for v in node.values if not isinstance(v, s.Constant))
    elif isinstance(node, s.BinOp) and node.op == "+":
        if _reads_like_sql(node):
            for side in (node.left, node.right):
                if isinstance(side, (s.BinOp, s.JoinedStr)):
                    yield from _all_parts(side)
                elif not isinstance(side, s.Constant):
                    yield side
    elif isinstance(node, s.BinOp) and node.op == "%":
        if _reads_like_sql(node):
            right = node.right
            yield from right.elts if isinstance(right, s.Tuple) else [right]
    elif isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
        if node.func.attr == "format" and _reads_like_sql(node.func.value):
            yield from node.args
            yield from (keyword.value for keyword in node.keywords)


def _all_parts(node: s.Expr) -> Iterator[s.Expr]:
    if isinstance(node, s.JoinedStr):
        yield from (v for v in node.values if not isinstance(v, s.Constant))
    elif isinstance(node, s.BinOp):
        for side in (node.left, node.right):
            if isinstance(side, (s.BinOp, s.JoinedStr)):
                yield from _all_parts(side)
            elif not isinstance(side, s.Constant):
                yield side


def _inner_texts(node: s.Expr) -> Iterator[s.Expr]:
    """Yield the texts that an expression is made of: ``sql + where``, ``" AND ".join(parts)``."""
    if isinstance(node, s.BinOp) and node.op == "+":
        yield from (side for side in (node.left, node.right) if not isinstance(side, s.Constant))
    elif isinstance(node, s.JoinedStr):
        yield from (v for v in node.values if isinstance(v, (s.Name, s.Call)))
    elif isinstance(node, s.Call):
        name = s.last_name(node.func)
        if name in {"text", "join", "strip", "dedent"} and node.args:
            yield from (a for a in node.args if isinstance(a, (s.Name, s.JoinedStr, s.BinOp)))
    elif isinstance(node, s.IfExp):
        yield node.body
        yield node.orelse


def _reads_like_sql(node: s.Expr) -> bool:
    return any(
        isinstance(inner, s.Constant)
        and isinstance(inner.value, str)
        and _STATEMENT.search(inner.value)
        for inner in s.walk(node)
    )


def _kept(call: s.Call) -> s.Expr | None:
    """Return whose text a call gives back: ``name.strip()``, ``str(name)``."""
    name = s.last_name(call.func)
    if name not in _KEEPING:
        return None
    if isinstance(call.func, s.Attribute):
        return call.func.value
    return call.args[0] if call.args else None


def _bare(node: s.Expr) -> s.Expr:
    """Return the name inside ``name.lower()``."""
    while isinstance(node, s.Call) and isinstance(node.func, s.Attribute):
        node = node.func.value
    return node


def _is(node: s.Expr, name: str) -> bool:
    return isinstance(node, s.Name) and node.id == name


def _is_restricted(app: App, parameter: RequestParameter) -> bool:
    """Whether what a client may send cannot be SQL: another type, a pattern, an enum."""
    where = Where(parameter.function.module, parameter.function.outer)
    markers = [parameter.marker, parameter.node.default]
    markers += [node for node, _ in app.types.metadata(parameter.node.annotation, where)]
    if any(_has_pattern(marker) for marker in markers):
        return True
    for option in alternatives(parameter.type):
        if option is UNKNOWN or isinstance(option, (Literal, Sequence)):
            return True
        if isinstance(option, Instance):
            if isinstance(option.cls, Class):
                return not app.models.is_schema(option.cls)
            return option.name.startswith(_SAFE) or option.cls != "builtins.str"
    return True


def _has_pattern(node: s.Expr | None) -> bool:
    return isinstance(node, s.Call) and (
        any(keyword.arg in {"pattern", "regex"} for keyword in node.keywords)
        or s.last_name(node.func) in {"AfterValidator", "BeforeValidator", "StringConstraints"}
    )


RULE = Rule(
    summary="a value of the request in the text of a statement",
    severity="error",
    mend='Bind the value: `text("... WHERE name = :name")` with `{"name": name}`; choose columns'
    " and directions from a dictionary of those that are allowed.",
    app=check,
    references=(
        "CWE-89",
        "https://docs.sqlalchemy.org/en/20/core/sqlelement.html#sqlalchemy.sql.expression.text",
    ),
)

_HEAD = """
    from fastapi import Depends, FastAPI
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import Session

    app = FastAPI()
    engine = create_engine("sqlite://")

    def get_session():
        with Session(engine) as session:
            yield session
    """

CASES = (
    Case(
        "two functions below the endpoint, through a local name",
        {
            "app/base.py": _HEAD,
            "app/reports.py": """
                from sqlalchemy import text

                TABLE = "orders"

                class Reports:
                    def __init__(self, engine):
                        self.engine = engine

                    def sales(self, tenant: int, status: str) -> list:
                        sql = f"SELECT * FROM {TABLE} WHERE tenant = {tenant} AND status = '{status}'"  # <-
                        with self.engine.connect() as connection:
                            return connection.execute(text(sql)).all()
                """,
            "app/main.py": """
                from app.base import app, engine
                from app.reports import Reports

                @app.get("/sales/{tenant}")
                def sales(tenant: int, status: str = "new"):
                    return Reports(engine).sales(tenant, status)
                """,
        },
    ),
    Case(
        "a field of the body, by format, % and +",
        {
            "app/base.py": _HEAD,
            "app/main.py": """
                from fastapi import Depends
                from pydantic import BaseModel
                from sqlalchemy import text
                from sqlalchemy.orm import Session
                from app.base import app, get_session

                class Search(BaseModel):
                    words: str
                    limit: int

                @app.post("/search")
                def search(body: Search, session: Session = Depends(get_session)):
                    session.execute(text("select * from a where b = '{}'".format(body.words)))  # <-
                    session.execute(text("select * from a where b = '%s'" % body.words))  # <-
                    sql = "select * from a where b = '" + body.words.strip() + "'"  # <-
                    sql += f" limit {body.limit}"
                    return session.execute(text(sql)).all()
                """,
        },
    ),
    Case(
        "bound, a number, a constant, checked, looked up, an enum",
        {
            "app/base.py": _HEAD,
            "app/main.py": """
                from enum import Enum
                from typing import Annotated, Literal
                from uuid import UUID
                from fastapi import Depends, Query
                from sqlalchemy import text
                from sqlalchemy.orm import Session
                from app.base import app, get_session

                TABLE = "orders"
                COLUMNS = {"name": "lower(name)", "date": "created_at"}

                class Direction(str, Enum):
                    up = "asc"
                    down = "desc"

                @app.get("/{key}")
                def read(
                    key: UUID,
                    name: str,
                    limit: int,
                    sort: str,
                    column: str,
                    direction: Direction,
                    kind: Literal["a", "b"],
                    code: Annotated[str, Query(pattern="^[a-z]+$")],
                    ids: list[int],
                    session: Session = Depends(get_session),
                ):
                    if column not in COLUMNS:
                        return []
                    marks = ", ".join(f":id{n}" for n in range(len(ids)))
                    sql = f"select * from {TABLE} where name = :name and id in ({marks})"
                    sql += f" and key = '{key}' and kind = '{kind}' and code = '{code}'"
                    sql += f" order by {COLUMNS[sort]}, {column} {direction.value} limit {limit}"
                    pattern = f"%{name}%"
                    return session.execute(text(sql), {"name": pattern}).all()
                """,
        },
    ),
    Case(
        "the statement is made here and run by a helper",
        {
            "app/base.py": _HEAD,
            "app/store.py": """
                import asyncpg

                class Store:
                    def __init__(self, pool: asyncpg.Pool):
                        self.pool = pool

                    async def run(self, query: str, *args):
                        return await self.pool.fetch(query, *args)
                """,
            "app/main.py": """
                from fastapi import Depends
                from app.base import app
                from app.store import Store

                def get_store() -> Store: ...

                @app.get("/names")
                async def names(sort: str, name: str, store: Store = Depends(get_store)):
                    await store.run("select * from a where name = $1", name)
                    return await store.run(f"select * from a order by {sort}")  # <-
                """,
        },
    ),
    case(
        "an f-string that is no statement; a value that no request gives",
        """
        from fastapi import FastAPI
        from sqlalchemy import create_engine, text

        app = FastAPI()
        engine = create_engine("sqlite://")

        def drop(schema: str) -> None:
            with engine.connect() as connection:
                connection.execute(text(f"drop schema {schema}"))

        @app.post("/reset")
        def reset(name: str) -> dict:
            drop("scratch")
            return {"message": f"select {name} from the list"}
        """,
    ),
)
