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
from fastwright.app.model import App
from fastwright.app.request_data import RequestData, Source
from fastwright.app.symbols import Function
from fastwright.edit import source as at
from fastwright.edit.builders import add_argument
from fastwright.edit.fix import Edit, Fix
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import call_name, evidence, of_route, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case

_TEXT = frozenset({"sqlalchemy.text", "sqlalchemy.literal_column", "sqlalchemy.sql.text"})
_RUNNING = frozenset({"execute", "exec", "scalar", "scalars", "exec_driver_sql", "stream"})
_STATEMENT = re.compile(
    r"\b(select|insert|update|delete|where|from|order\s+by|group\s+by|limit|and|or|set|values|join"
    r"|into|drop|alter|create|like|having)\b",
    re.IGNORECASE,
)
_DEPTH = 8


def check(app: App) -> Iterator[Hit]:
    """Report values of a request that become text of a statement."""
    tracing = _Tracing(app, RequestData(app))
    hits: dict[tuple[str, int], list[tuple[CallSite, Interpolated]]] = {}
    for step in tracing.data.running.reached:
        function = step.function
        if function.node.called and not _may_run(app, function):
            continue
        for site in app.calls.sites(function):
            given = _statement_text(app, site)
            if given is None:
                continue
            for found in tracing.interpolated(given, function):
                key = (found.module.path, found.module.line(found.node))
                hits.setdefault(key, []).append((site, found))
    for same in hits.values():
        yield _hit(app, *same[0], same[1:])


def _may_run(app: App, function: Function) -> bool:
    names = {name.rpartition(".")[2] for name in app.library.statements}
    return not (_RUNNING | names | {"text", "literal_column"}).isdisjoint(function.node.called)


def _statement_text(app: App, site: CallSite) -> s.Expr | None:
    """Return what a call takes as text of a statement, or None."""
    if site.external in _TEXT:
        return site.node.argument(0, "text")
    if site.external in app.library.statements:
        return site.node.argument(0, "query")
    if site.method in _RUNNING and site.receiver is not None:
        if app.types.session_kind(site.receiver) is not None:
            given = site.node.argument(0, "statement")
            return None if isinstance(given, s.Call) else given
    return None


def _hit(
    app: App, site: CallSite, found: Interpolated, more: list[tuple[CallSite, Interpolated]]
) -> Hit:
    source = found.source
    message = f"{source.told} becomes text of the statement in {call_name(site)}: SQL injection"
    proof = (
        *(of_route(source.route) if source.route is not None else ()),
        *(evidence(step.module, step.node, step.note) for step in source.steps),
        *found.handed_on,
        evidence(site.module, site.node, call_name(site)),
        *_also_runs(site, found, more),
    )
    fix = _fix(app, site) if not more and not found.handed_on else None
    return Hit(place(found.module, found.node), message, proof, fix)


def _fix(app: App, site: CallSite) -> Fix | None:
    """Return the fix for ``execute(text(f"... a = '{value}'"))``: the value is bound as ``:value``."""
    module, given = site.module, site.node.argument(0, "text")
    source = module.source
    runs = [
        other.node
        for other in app.calls.sites(site.caller)
        if len(other.node.args) == 1 and other.node.args[0] is site.node and not other.node.keywords
    ]
    if site.external not in _TEXT or len(runs) != 1 or not isinstance(given, s.JoinedStr):
        return None
    values = [each for each in given.values if not isinstance(each, s.Constant)]
    value, name = values[0], s.last_name(values[0])
    if len(values) != 1 or name is None or not isinstance(value, (s.Name, s.Attribute)):
        return None
    written = source[given.start : given.end]
    if not written.startswith((b'f"', b"f'")) or written.count(b"{") != 1:
        return None
    start, end = source.rindex(b"{", 0, value.start), source.index(b"}", value.end) + 1
    quoted = source[start - 1 : start] == b"'" == source[end : end + 1]
    start, end = (start - 1, end + 1) if quoted else (start, end)
    compared = source[given.start : start].rstrip().endswith((b"=", b"<", b">", b"like", b"LIKE"))
    if not compared or source[value.end : end].strip(b" '") != b"}":
        return None
    key = f"{at.quote(source)}{name}{at.quote(source)}"
    edits = (
        Edit(module.path, given.start, given.start + 1, ""),
        Edit(module.path, start, end, f":{name}"),
        add_argument(module, runs[0], f"{{{key}: {at.text(module, value)}}}"),
    )
    return Fix("suggest", edits)


def _also_runs(
    site: CallSite, found: Interpolated, more: list[tuple[CallSite, Interpolated]]
) -> Iterator[Evidence]:
    """Yield the other places that run the same text, or hand it on to what does."""
    told = {(site.module.path, site.module.line(site.node))}
    told.update((link.place.file, link.place.line) for link in found.handed_on)
    for other, same in more:
        link = (
            same.handed_on[0]
            if same.handed_on
            else evidence(other.module, other.node, call_name(other))
        )
        if (link.place.file, link.place.line) not in told:
            told.add((link.place.file, link.place.line))
            yield Evidence(link.place, f"also {link.note}")


class Interpolated(msgspec.Struct, frozen=True, eq=False):
    """A value of a request that a text holds: where it is put in, and how the text is handed on."""

    source: Source
    node: s.Expr
    module: Module
    handed_on: tuple[Evidence, ...]


@dataclass(eq=False)
class _Tracing:
    """Follows values back to requests."""

    app: App
    data: RequestData
    _active: set[tuple[int, str]] = field(default_factory=set)

    # ------------------------------------------------------------ interpolations

    def interpolated(
        self, node: s.Expr, function: Function, depth: int = 0
    ) -> Iterator[Interpolated]:
        """Yield the request's values that a text holds, names of texts followed."""
        if depth > _DEPTH:
            return
        if isinstance(node, s.Name):
            for value in self._texts(node, function):
                yield from self.interpolated(value, function, depth + 1)
            yield from self._given_texts(node, function, depth)
            return
        for part in _parts(node):
            for source in self.data.sources(part, function):
                yield Interpolated(source, node, function.module, ())
        for inner in _inner_texts(node):
            yield from self.interpolated(inner, function, depth + 1)

    def _given_texts(self, node: s.Name, function: Function, depth: int) -> Iterator[Interpolated]:
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
            for site in self.data.callers(function):
                given = site.node.argument(names.index(node.id), node.id)
                if given is not None:
                    for found in self.interpolated(given, site.caller, depth + 1):
                        link = evidence(site.module, site.node, function.qualname)
                        yield Interpolated(
                            found.source, found.node, found.module, (*found.handed_on, link)
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


def _is(node: s.Expr, name: str) -> bool:
    return isinstance(node, s.Name) and node.id == name


RULE = Rule(
    summary="a value of the request in the text of a statement",
    severity="error",
    mend='Bind the value: `text("... WHERE name = :name")` with `{"name": name}`; choose columns'
    " and directions from a dictionary of those that are allowed.",
    profiles=("security",),
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
    case(
        "through a job's dictionary and a port; a name that the database knows is no input",
        """
        from abc import ABC, abstractmethod
        from contextlib import asynccontextmanager
        import asyncpg
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Database(ABC):
            @abstractmethod
            async def run(self, query: str): ...

            @abstractmethod
            async def one(self, query: str, values): ...

        class Postgres(Database):
            def __init__(self, pool: asyncpg.Pool):
                self.pool = pool

            async def run(self, query: str):
                async with self.pool.acquire() as connection:
                    await connection.execute(query)

            async def one(self, query: str, values):
                async with self.pool.acquire() as connection:
                    return await connection.fetchrow(query, *values)

        class Indexes:
            def __init__(self, database: Database):
                self.database = database

            async def create(self, name: str, column: str, kind: str):
                sql = f"CREATE INDEX {name} ON chunks"  # <-
                if kind == "slow":
                    await self.database.run(sql)
                async with (
                    self.database.pool.acquire() as connection
                ):
                    await connection.execute(sql)

            async def rename(self, name: str, column: str):
                await self.database.run(f"ALTER TABLE chunks RENAME {column} TO x")

            async def drop(self, name: str, column: str):
                known = await self.database.one("SELECT 1 FROM pg_indexes WHERE a = $1", (name, 1))
                if not known:
                    raise ValueError(name)
                await self.database.run(f"DROP INDEX {name}")

        indexes = Indexes(Postgres(asyncpg.Pool()))

        class Wanted(BaseModel):
            name: str
            column: int

        def parsed(data: dict) -> dict:
            return {"name": data["name"], "column": data.get("column")}

        async def create(job: dict):
            given = parsed(job.get("request"))
            await indexes.create(**given, kind="slow")

        async def change(job: dict):
            given = parsed(job["request"])
            given["name"] = "fixed"
            await indexes.rename(**given)
            await indexes.drop(**parsed(job["request"]))

        @app.post("/indexes")
        async def start(wanted: Wanted):
            await create({"request": {"name": wanted.name, "column": wanted.column}})
            await change({"request": {"name": wanted.name, "column": wanted.column}})
        """,
    ),
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
        "a value that can be bound, one that is a name",
        """
        from fastapi import FastAPI
        from sqlalchemy import create_engine, text

        app = FastAPI()
        engine = create_engine("sqlite://")

        @app.get("/items")
        def items(name: str, sort: str) -> None:
            with engine.connect() as connection:
                connection.execute(text(f"select * from items where name = '{name}'"))  # <-
                connection.execute(text(f"select * from items order by {sort}"))  # <-
        """,
        after="""
        from fastapi import FastAPI
        from sqlalchemy import create_engine, text

        app = FastAPI()
        engine = create_engine("sqlite://")

        @app.get("/items")
        def items(name: str, sort: str) -> None:
            with engine.connect() as connection:
                connection.execute(text("select * from items where name = :name"), {"name": name})
                connection.execute(text(f"select * from items order by {sort}"))
        """,
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
    case(
        "parameters in a dictionary that a handler gets, picked by its name",
        """
        from fastapi import FastAPI
        from pydantic import BaseModel
        from sqlalchemy import create_engine, text

        app = FastAPI()
        engine = create_engine("sqlite://")

        class Index(BaseModel):
            name: str

        def create(data: dict) -> None:
            build(**{"name": data["name"]})

        def drop(data: dict) -> None:
            with engine.connect() as connection:
                connection.execute(text(f"drop index {data['name']}"))

        HANDLERS = {"create": create, "drop": drop}

        def build(name: str) -> None:
            with engine.connect() as connection:
                connection.execute(text(f"create index {name} on rows (id)"))  # <-

        def run(action: str, data: dict) -> None:
            HANDLERS[action](data)

        @app.post("/indices")
        def create_index(body: Index) -> None:
            run("create", {"name": body.name})

        @app.delete("/indices/{number}")
        def drop_index(number: int) -> None:
            run("drop", {"name": number})
        """,
    ),
)
