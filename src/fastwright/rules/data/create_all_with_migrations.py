"""Where Alembic makes the tables, nothing else does.

`metadata.create_all()` at start-up makes tables that are missing and changes none. A new table is thus there
before its migration, which then fails ("table already exists"), or is never written, because it works on
the developer's machine; new columns are not added, so that the schema is neither that of the models nor
that of the migrations, and `alembic revision --autogenerate` compares with the wrong state.

Reported is `create_all` that surely runs on import, or when the application starts (lifespan, start-up
handler, factory; also through calls), in a project with Alembic migrations beside it. Under a condition (for
tests, for SQLite, in development), together with `stamp` or `upgrade`, for another `Base` than that of the
migrations, in scripts and in tests it is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.calls import CallSite, Step
from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function, Variable
from fastwright.app.types import FunctionValue, alternatives
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, of_step, place
from fastwright.rules.finding import Evidence, Hit
from fastwright.rules.rule import Case, Rule, case

_NAMES = frozenset({"create_all", "run_sync"})
_MIGRATING = frozenset({"stamp", "upgrade", "run_migrations", "ensure_version"})
_NEAR = 4


def check(app: App) -> Iterator[Hit]:
    """Report ``create_all`` on import and at start-up."""
    migrations = [module for module in app.modules.values() if _imports(module, "op")]
    if not migrations or not app.applications:
        return
    environments = [module for module in app.modules.values() if _imports(module, "context")]
    seen: set[int] = set()
    for module, node, chain in (*_on_import(app), *_at_start(app)):
        if id(node) in seen or not _is_beside(module, migrations):
            continue
        if _is_for_another(app, module, node, environments):
            continue
        seen.add(id(node))
        message = "create_all() makes tables beside Alembic's migrations: leave them to Alembic"
        first = migrations[0]
        proof = (*chain, evidence(first, first.facts.body[0], "a migration of Alembic"))
        yield Hit(place(module, node), message, proof)


def _imports(module: Module, name: str) -> bool:
    """``from alembic import op`` in migrations, ``from alembic import context`` in ``env.py``."""
    return any(
        fact.module == "alembic" and name in fact.names and fact.level == 0
        for fact in module.header.imports
    )


def _is_beside(module: Module, migrations: list[Module]) -> bool:
    """Whether migrations are at the root of the project, or in the same part of it."""
    part = module.path.partition("/")[0]
    tops = {migration.path.partition("/")[0] for migration in migrations}
    return part in tops or any("alembic" in top or "migration" in top for top in tops)


# ----------------------------------------------------------------------- finding


def _on_import(app: App) -> Iterator[tuple[Module, s.Call, tuple[Evidence, ...]]]:
    """Yield ``create_all`` in statements that importing the application runs."""
    for path in _imported(app):
        module = app.modules[path]
        if {"sqlalchemy", "sqlmodel", "FastAPI"}.isdisjoint(module.header.marks):
            continue
        for statement in module.facts.body:
            if isinstance(statement, (s.ExprStmt, s.With, s.Assign)):
                for node in s.walk_scope(statement):
                    if isinstance(node, s.Call):
                        yield from _of_call(app, module, node)


def _of_call(
    app: App, module: Module, node: s.Call
) -> Iterator[tuple[Module, s.Call, tuple[Evidence, ...]]]:
    if _creates(node):
        yield module, node, (evidence(module, node, "runs on import"),)
        return
    for option in alternatives(app.types.of(node.func, Where(module))):
        if isinstance(option, FunctionValue) and not option.function.is_async:
            first = evidence(module, node, "runs on import")
            for at, call, chain in _below(app, [option.function]):
                yield at, call, (first, *chain)


def _imported(app: App) -> list[str]:
    """Return the modules that importing the applications imports, and their own."""
    pending = [application.module.path for application in app.applications]
    found: dict[str, None] = {}
    while pending:
        path = pending.pop()
        if path not in found and path in app.modules and app.modules[path].kind == "source":
            found[path] = None
            pending += [edge.imported for edge in app.imports.of(path) if edge.when == "import"]
    return list(found)


def _at_start(app: App) -> Iterator[tuple[Module, s.Call, tuple[Evidence, ...]]]:
    roots: list[Function] = []
    for application in app.applications:
        handlers = [h.function for h in application.event_handlers if h.event == "startup"]
        starting = (application.lifespan, application.factory, *handlers)
        roots += [f for f in starting if f is not None and f.module.kind == "source"]
    yield from _below(app, roots)


def _below(
    app: App, roots: list[Function]
) -> Iterator[tuple[Module, s.Call, tuple[Evidence, ...]]]:
    for step in app.calls.reach(roots, lambda site, _: _is_sure(site)):
        function = step.function
        if _NAMES.isdisjoint(function.node.called) or len(step.chain) > _NEAR:
            continue
        if _migrates(step):
            continue
        for site in app.calls.sites(function):
            if _creates(site.node) and _is_sure(site):
                start = evidence(step.root.module, _name(step.root), "runs at the start")
                yield site.module, site.node, (start, *of_step(step))


def _name(function: Function) -> s.Name:
    node = function.node
    return s.Name(node.name_start, node.name_start + len(node.name.encode()), node.name)


def _is_sure(site: CallSite) -> bool:
    """Whether a call runs under no condition: none around it, and no return before it."""
    around = site.around
    if around.branches or around.handled or around.deferred:
        return False
    return not any(
        isinstance(node, s.If) and node.end < site.node.start and _leaves(node)
        for node in s.statements(site.caller.node.body)
    )


def _leaves(node: s.If) -> bool:
    return any(
        isinstance(inner, s.Return)
        for branch in node.branches
        for inner in s.statements(branch.body)
    )


def _migrates(step: Step) -> bool:
    """Whether one of the functions on the way looks after migrations, too."""
    functions = [step.function, *(site.caller for site in step.chain)]
    return any(not _MIGRATING.isdisjoint(function.node.called) for function in functions)


def _creates(node: s.Call) -> bool:
    """``Base.metadata.create_all(engine)``, ``connection.run_sync(Base.metadata.create_all)``."""
    return _metadata(node) is not None


def _metadata(node: s.Call) -> s.Expr | None:
    """Return what ``create_all`` is called on, a ``metadata``."""
    func: s.Expr = node.func
    if isinstance(func, s.Attribute) and func.attr == "run_sync" and node.args:
        func = node.args[0]
    if not isinstance(func, s.Attribute) or func.attr != "create_all":
        return None
    if any(keyword.arg == "tables" for keyword in node.keywords):
        return None
    return func.value if s.last_name(func.value) == "metadata" else None


def _is_for_another(app: App, module: Module, node: s.Call, environments: list[Module]) -> bool:
    """Whether the tables belong to a ``Base`` that the migrations do not look at."""
    metadata = _metadata(node)
    base = _base(app, metadata, module)
    if base is None or not environments:
        return False
    known = []
    for environment in environments:
        target = app.linker.scope(environment).names.get("target_metadata")
        value = target.value if isinstance(target, Variable) else None
        known.append(_base(app, value, environment))
    return all(each is not None and each.node is not base.node for each in known)


def _base(app: App, metadata: s.Expr | None, module: Module) -> Class | None:
    if not isinstance(metadata, s.Attribute):
        return None
    found = app.linker.expression(metadata.value, module)
    return found if isinstance(found, Class) else None


RULE = Rule(
    summary="create_all where Alembic makes the tables",
    severity="warning",
    mend="Remove it and run `alembic upgrade head` before the application starts; tests may call"
    " `create_all` in a fixture.",
    app=check,
    references=(
        "https://alembic.sqlalchemy.org/en/latest/cookbook.html#building-an-up-to-date-database-from-scratch",
        "https://fastapi.tiangolo.com/tutorial/sql-databases/",
    ),
)

_MODELS = """
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)

engine = create_engine("sqlite://")
"""

_MIGRATION = """
from alembic import op

def upgrade() -> None:
    op.create_table("orders")
"""

_ENVIRONMENT = """
from alembic import context
from app.models import Base

target_metadata = Base.metadata
"""

CASES = (
    Case(
        "on import, and in a lifespan through a function",
        {
            "alembic/env.py": _ENVIRONMENT,
            "alembic/versions/1_first.py": _MIGRATION,
            "app/models.py": _MODELS,
            "app/start.py": """
                from app.models import Base, engine

                async def make_tables(async_engine) -> None:
                    async with async_engine.begin() as connection:
                        await connection.run_sync(Base.metadata.create_all)  # <-
                """,
            "app/main.py": """
                from contextlib import asynccontextmanager
                from fastapi import FastAPI
                from app.models import Base, engine
                from app.start import make_tables

                Base.metadata.create_all(bind=engine)  # <-

                @asynccontextmanager
                async def lifespan(app: FastAPI):
                    await make_tables(engine)
                    yield

                app = FastAPI(lifespan=lifespan)
                """,
        },
    ),
    Case(
        "under a condition, together with a stamp, in a script",
        {
            "alembic/env.py": _ENVIRONMENT,
            "alembic/versions/1_first.py": _MIGRATION,
            "app/models.py": _MODELS,
            "app/reset.py": """
                from app.models import Base, engine

                Base.metadata.create_all(engine)
                """,
            "app/main.py": """
                from alembic import command
                from fastapi import FastAPI
                from app.models import Base, engine
                from app.settings import settings

                if settings.testing:
                    Base.metadata.create_all(bind=engine)

                app = FastAPI()

                @app.on_event("startup")
                def start() -> None:
                    Base.metadata.create_all(engine)
                    command.stamp(settings.alembic, "head")

                @app.on_event("startup")
                def start_sqlite() -> None:
                    if engine.dialect.name != "sqlite":
                        return
                    Base.metadata.create_all(engine)
                """,
        },
    ),
    Case(
        "another Base than that of the migrations",
        {
            "alembic/env.py": _ENVIRONMENT,
            "alembic/versions/1_first.py": _MIGRATION,
            "app/models.py": _MODELS,
            "app/cache.py": """
                from sqlalchemy.orm import DeclarativeBase

                class CacheBase(DeclarativeBase): ...
                """,
            "app/main.py": """
                from fastapi import FastAPI
                from app.cache import CacheBase
                from app.models import engine

                CacheBase.metadata.create_all(engine)
                app = FastAPI()
                """,
        },
    ),
    case(
        "without Alembic",
        """
        from fastapi import FastAPI
        from sqlmodel import SQLModel, create_engine

        engine = create_engine("sqlite://")
        app = FastAPI()

        @app.on_event("startup")
        def start() -> None:
            SQLModel.metadata.create_all(engine)
        """,
    ),
)
