"""Tests empty a database of their own, never the one that the application is configured for.

A fixture that drops or empties the tables of the application's own engine works on whatever the settings name
when somebody runs `pytest`: the database of the developer, or with a wrong environment that of production.

Reported where a test, fixture or helper of the tests drops all tables, truncates, or deletes every row of a
table through an engine (or a session of one) that the application itself makes at module level. The rule is
silent as soon as anything says that another database is meant: the tests or pytest's configuration touch the
environment or the settings, replace the engine, or speak of a test database; the module of the engine or that
of its settings knows about tests; or the address is an in-memory database. `create_all` alone destroys nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function, Variable
from fastwright.app.types import Literal, Statement
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule
from fastwright.rules.testing._fixtures import fixture

_ENGINES = frozenset({"create_engine", "create_async_engine"})
_MAKERS = frozenset(
    {"sessionmaker", "async_sessionmaker", "scoped_session", "async_scoped_session"}
)
_SESSIONS = frozenset({"Session", "AsyncSession"})
_RUNNING = frozenset({"drop_all", "run_sync", "execute", "exec", "delete"})
_ENVIRONMENT = frozenset({"environ", "setenv", "putenv", "load_dotenv", "dotenv_values", "getenv"})
_DATABASE_MARKS = frozenset({"sqlalchemy", "sqlmodel"})
_HOLDS = re.compile(r"engine|session|base|metadata|database|^db", re.IGNORECASE)
_DESTROYING = re.compile(
    r"\s*(truncate|drop\s+(table|schema|database)|delete\s+from\s+\S+\s*;?\s*$)", re.IGNORECASE
)
_OTHER_ADDRESS = re.compile(
    r"test\w*(url|uri|dsn|settings|config|engine)|TEST\w*_DB|(url|uri|dsn|database|engine)_?test",
    re.IGNORECASE,
)
_KNOWS = re.compile(
    r"pytest|\btesting\b|is_test|test_?(db|database|mode|env|setting|config)|(db|database|env)\w*_test"
    r"|\.env\.test|^tests?$",
    re.IGNORECASE,
)
_CONFIGURED = re.compile(
    r"^\s*(env|env_files|env_override\w*|setenv)\s*=|\[tool\.pytest_env\]", re.MULTILINE
)
_CONFIGURATIONS = ("pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini")
_ENVIRONMENTS = (".env.test", ".env.testing", "test.env")
_TEST = re.compile(r"test|memory|^sqlite(\+\w+)?://$", re.IGNORECASE)
_ADDRESS = re.compile(r"url|uri|dsn|database|db|engine|env", re.IGNORECASE)
_MAX_DEPTH = 5
_LONG = 60
"""Longer texts are prose."""


class _Destroyed(NamedTuple):
    """A call that empties or drops tables, and what it runs on."""

    node: s.Call
    what: str
    on: s.Expr


def check(app: App) -> Iterator[Hit]:
    """Report tests that destroy what is in the application's own database."""
    found = [
        (function, destroyed, engine)
        for module in app.tests
        if _may_have_database(module)
        for function in app.every_function(module, _RUNNING)
        for destroyed in _destroyed(app, function)
        if (engine := _engine(app, destroyed.on, function)) is not None
    ]
    if not found or any(_replaces(module) for module in app.tests):
        return
    seen: set[int] = set()
    for function, destroyed, engine in found:
        if id(function.node) in seen:
            continue
        seen.add(id(function.node))
        if _is_configured(app, function.module) or _knows_tests(app, engine.module):
            continue
        message = (
            f"{function.name} {destroyed.what} in the database that {engine.name} of"
            f" {engine.module.name} is configured for"
        )
        chain = [evidence(function.module, destroyed.node, destroyed.what)]
        if engine.value is not None:
            chain.append(evidence(engine.module, engine.value, "the application's own engine"))
        yield Hit(place(function.module, destroyed.node), message, tuple(chain))


# ----------------------------------------------------------------- what is destroyed


def _may_have_database(module: Module) -> bool:
    if not _DATABASE_MARKS.isdisjoint(module.header.marks):
        return True
    return any(
        _HOLDS.search(name)
        for fact in module.header.imports
        for name in (*fact.names, fact.module.rpartition(".")[2])
    )


def _destroyed(app: App, function: Function) -> Iterator[_Destroyed]:
    for site in app.calls.sites(function):
        node = site.node
        on = node.func.value if isinstance(node.func, s.Attribute) else None
        if on is None:
            continue
        if site.method == "drop_all" and s.last_name(on) == "metadata":
            bind = node.argument(0, "bind")
            if bind is not None:
                yield _Destroyed(node, "drops all tables", bind)
        elif site.method == "run_sync" and node.args and s.last_name(node.args[0]) == "drop_all":
            yield _Destroyed(node, "drops all tables", on)
        elif site.method in {"execute", "exec"} and node.args:
            what = _empties(app, node.args[0], function)
            if what is not None:
                yield _Destroyed(node, what, on)
        elif site.method == "delete":
            session = _queried(on)
            if session is not None:
                yield _Destroyed(node, "deletes every row of a table", session)


def _queried(node: s.Expr) -> s.Expr | None:
    """Return the session of ``session.query(...)``, if nothing narrows the query."""
    if (
        isinstance(node, s.Call)
        and isinstance(node.func, s.Attribute)
        and node.func.attr == "query"
    ):
        return node.func.value
    return None


def _empties(app: App, node: s.Expr, function: Function) -> str | None:
    """Return what a statement does, if it leaves nothing."""
    found = app.types.of(node, Where(function.module, function))
    if isinstance(found, Statement) and found.query.kind == "delete":
        return "deletes every row of a table" if not found.query.filters else None
    if isinstance(node, s.Call) and s.last_name(node) == "text" and node.args:
        text = node.args[0]
        if isinstance(text, s.JoinedStr) and text.values:
            text = text.values[0]
        if _DESTROYING.match(s.string(text) or ""):
            return "empties tables"
    if isinstance(node, s.Call) and s.last_name(node) == "delete" and not node.args:
        owner = node.func.value if isinstance(node.func, s.Attribute) else None
        if isinstance(owner, s.Name) and _is_table_of_metadata(app, owner, function):
            return "deletes every row of every table"
    return None


def _is_table_of_metadata(app: App, node: s.Name, function: Function) -> bool:
    bound = app.types.locals.lookup(node.id, node.start, function)
    return (
        bound is not None
        and bound.value is not None
        and any(s.last_name(n) == "sorted_tables" for n in s.walk(bound.value))
    )


# ------------------------------------------------------------------------ the engine


def _engine(app: App, node: s.Expr, function: Function, depth: int = 0) -> Variable | None:
    """Return the application's engine that a session, connection or engine belongs to."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(node, s.Name):
        bound = app.types.locals.lookup(node.id, node.start, function)
        if bound is not None and bound.parameter is not None:
            return _of_fixture(app, node.id, function, depth)
        if bound is not None:
            return _made(app, bound.value, function, depth)
    if isinstance(node, s.Call):
        return _made(app, node, function, depth)
    return _of_source(app, app.linker.expression(node, function.module, function), depth)


def _made(app: App, node: s.Expr | None, function: Function, depth: int) -> Variable | None:
    """``Session(engine)``, ``SessionLocal()``, ``engine.begin()``."""
    if isinstance(node, s.Await):
        node = node.value
    if not isinstance(node, s.Call):
        return _engine(app, node, function, depth + 1) if node is not None else None
    if s.last_name(node) in _SESSIONS:
        given = node.argument(0, "bind")
        return _engine(app, given, function, depth + 1) if given is not None else None
    if isinstance(node.func, s.Attribute) and node.func.attr in {"begin", "connect"}:
        return _engine(app, node.func.value, function, depth + 1)
    return _of_source(app, app.linker.expression(node.func, function.module, function), depth)


def _of_fixture(app: App, name: str, function: Function, depth: int) -> Variable | None:
    given = fixture(app, name, function.module)
    if given is None or given.node is function.node:
        return None
    for node in s.walk_scope(*given.node.body):
        value = node.value if isinstance(node, (s.Yield, s.Return)) else None
        if value is not None:
            return _engine(app, value, given, depth + 1)
    return None


def _of_source(app: App, symbol: object, depth: int) -> Variable | None:
    if not isinstance(symbol, Variable) or symbol.module.kind != "source" or depth > _MAX_DEPTH:
        return None
    if len(symbol.values) != 1 or not isinstance(symbol.value, s.Call):
        return None
    made = s.last_name(symbol.value)
    if made in _ENGINES:
        address = symbol.value.argument(0, "url")
        if address is None:
            return None
        found = app.types.of(address, Where(symbol.module))
        known = str(found.value) if isinstance(found, Literal) else ""
        return None if _TEST.search(known) else symbol
    if made in _MAKERS:
        given = symbol.value.argument(0, "bind")
        of = app.linker.expression(given, symbol.module) if given is not None else None
        return _of_source(app, of, depth + 1)
    return None


# ------------------------------------------------------------- another database is meant


def _replaces(module: Module) -> bool:
    """Whether a test module changes the environment, the settings or the engine."""
    for node in module.walk():
        if isinstance(node, (s.Name, s.Attribute)):
            name = node.id if isinstance(node, s.Name) else node.attr
            if name in _ENVIRONMENT or _OTHER_ADDRESS.search(name):
                return True
        elif isinstance(node, s.Assign):
            for target in node.targets:
                if isinstance(target, s.Attribute) and (
                    target.attr.isupper() or "engine" in target.attr
                ):
                    return True
        elif isinstance(node, s.Call) and s.last_name(node.func) in {"patch", "setattr", "object"}:
            if any("engine" in (s.string(given) or "").lower() for given in node.args):
                return True
        elif isinstance(node, (s.Compare, s.Assert)):
            if any("test" in (s.string(inner) or "") for inner in s.walk(node)) and _is_guard(node):
                return True
    return False


def _is_guard(node: s.Node) -> bool:
    return any(
        isinstance(inner, (s.Attribute, s.Name)) and _ADDRESS.search(s.last_name(inner) or "")
        for inner in s.walk(node)
    )


def _is_configured(app: App, module: Module) -> bool:
    """Whether pytest's configuration, beside the tests or above them, gives them an environment."""
    folder = module.path
    while folder:
        folder = folder.rpartition("/")[0]
        prefix = f"{folder}/" if folder else ""
        if any(app.read_file(prefix + name) is not None for name in _ENVIRONMENTS):
            return True
        for name in _CONFIGURATIONS:
            content = app.read_file(prefix + name)
            if content is not None and _CONFIGURED.search(content.decode(errors="replace")):
                return True
    return False


def _knows_tests(app: App, module: Module) -> bool:
    """Whether the module of the engine, or one that it imports, chooses by whether tests run."""
    paths = {module.path, *(edge.imported for edge in app.imports.of(module.path))}
    for path in paths:
        for node in app.modules[path].walk():
            text = s.string(node) if isinstance(node, s.Constant) else None
            if isinstance(node, (s.Name, s.Attribute)):
                text = s.last_name(node)
            if text and len(text) < _LONG and _KNOWS.search(text):
                return True
    return False


RULE = Rule(
    summary="tests that empty the application's own database",
    severity="warning",
    confidence="medium",
    mend="Make an engine for the tests (in memory, or with an address of its own) and override the"
    " session dependency, or roll each test back.",
    app=check,
    references=("https://fastapi.tiangolo.com/advanced/testing-dependencies/",),
)

_DB = """
from os import environ
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

engine = create_engine(environ["DATABASE_URL"])
SessionLocal = sessionmaker(bind=engine)

class Base(DeclarativeBase): ...

class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
"""

CASES = (
    Case(
        "drops the tables, deletes every row, truncates",
        {
            "db.py": _DB,
            "tests/conftest.py": """
            import pytest
            from sqlalchemy import delete, text
            from sqlalchemy.orm import Session
            from db import Base, Item, SessionLocal, engine

            @pytest.fixture(autouse=True)
            def tables():
                Base.metadata.create_all(engine)
                yield
                Base.metadata.drop_all(bind=engine)  # <-

            @pytest.fixture
            def session():
                with Session(engine) as session:
                    yield session
                    session.execute(delete(Item))  # <-

            def empty() -> None:
                session = SessionLocal()
                session.execute(text("TRUNCATE items"))  # <-

            def empty_each() -> None:
                with engine.begin() as connection:
                    for table in reversed(Base.metadata.sorted_tables):
                        connection.execute(table.delete())  # <-
            """,
            "tests/test_items.py": """
            from db import Item

            def test_items(session):
                session.query(Item).delete()  # <-
            """,
        },
    ),
    Case(
        "only created, or single rows",
        {
            "db.py": _DB,
            "tests/conftest.py": """
            import pytest
            from sqlalchemy import delete
            from db import Base, Item, SessionLocal, engine

            @pytest.fixture
            def session():
                Base.metadata.create_all(engine)
                session = SessionLocal()
                yield session
                session.execute(delete(Item).where(Item.id == 1))
                session.rollback()
            """,
        },
    ),
    Case(
        "an engine of the tests",
        {
            "db.py": _DB,
            "tests/conftest.py": """
            import pytest
            from sqlalchemy import create_engine
            from db import Base

            engine = create_engine("sqlite://")

            @pytest.fixture
            def tables():
                yield
                Base.metadata.drop_all(engine)
            """,
        },
    ),
    Case(
        "in memory",
        {
            "db.py": _DB.replace('environ["DATABASE_URL"]', "URL").replace(
                "engine =", 'URL = "sqlite://"\nengine ='
            ),
            "tests/conftest.py": """
            import pytest
            from db import Base, engine

            @pytest.fixture
            def tables():
                yield
                Base.metadata.drop_all(engine)
            """,
        },
    ),
    Case(
        "the tests set the environment",
        {
            "db.py": _DB,
            "tests/conftest.py": """
            import os

            os.environ["DATABASE_URL"] = "sqlite://"

            import pytest
            from db import Base, engine

            @pytest.fixture
            def tables():
                yield
                Base.metadata.drop_all(engine)
            """,
        },
    ),
    Case(
        "the settings know about tests",
        {
            "db.py": _DB.replace('environ["DATABASE_URL"]', 'environ["TEST_DATABASE_URL"]'),
            "tests/conftest.py": """
            import pytest
            from db import Base, engine

            @pytest.fixture
            def tables():
                yield
                Base.metadata.drop_all(engine)
            """,
        },
    ),
)
