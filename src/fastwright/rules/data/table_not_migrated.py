"""What the models declare, a migration creates.

A table or a column that no Alembic migration creates exists on the machine of whoever wrote it, and in no database that
is migrated: the first statement on it fails in production. And two heads (two revisions that start from the same one, most
often after a merge) stop `alembic upgrade head` altogether, and with it the deployment.

Reported are tables and columns that the project's migrations never name, and folders of migrations with several
heads. Migrations are read, not run: a name that stands anywhere in them (in raw SQL, in a list, in a helper's argument)
counts as created. Nothing is said of tables where the migrations create some from variables or from the models
(`create_all`, `__table__`), where `env.py` leaves tables out (`include_object`), where the application creates its tables
itself at start-up, or of a family of tables that is mostly not migrated here. Missing downgrades and dropped tables are
decisions, and not reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from fastwright.app.model import App
from fastwright.app.models import Column, Table
from fastwright.app.symbols import Class
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import evidence, name_place, place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case

_WORD = re.compile(r"\w+")
_FROM_MODELS = frozenset({"create_all", "__table__", "sorted_tables"})
_LEAVING_OUT = frozenset({"include_object", "include_name"})
_CALLS = frozenset({"Column", "mapped_column", "Field"})


class _Revision(msgspec.Struct, frozen=True, eq=False):
    """What one migration file says of itself."""

    module: Module
    name: str
    node: s.Node
    before: tuple[str, ...]
    labelled: bool


@dataclass(eq=False)
class _Migrated:
    """What the migrations of a project create, as far as they can be read."""

    columns: dict[str, set[str]] = field(default_factory=dict)
    """Table -> columns, for tables that one literal call creates."""
    created: dict[str, tuple[Module, s.Call]] = field(default_factory=dict)
    open_tables: set[str] = field(default_factory=set)
    """Tables of which not every column is written out."""
    words: set[str] = field(default_factory=set)
    """Every word of a text that is no column of a call that was understood."""
    understood: bool = True


def check(app: App) -> Iterator[Hit]:
    """Report tables and columns that no migration creates, and several heads."""
    migrations = [module for module in app.modules.values() if module.kind == "migration"]
    if not migrations:
        return
    revisions = [found for module in migrations if (found := _revision(module)) is not None]
    if not revisions:
        return
    yield from _several_heads(revisions)
    migrated = _read(migrations)
    if migrated.understood and app.tables:
        yield from _missing(app, migrated)


# -------------------------------------------------------------------------- heads


def _revision(module: Module) -> _Revision | None:
    """Return the revision that a file is; None for other files, and for names that are not literal."""
    name: str | None = None
    node: s.Node | None = None
    before: tuple[str, ...] | None = None
    labelled = False
    for statement in module.facts.body:
        target = _single_target(statement)
        if target is None or not isinstance(statement, (s.Assign, s.AnnAssign)):
            continue
        if target == "revision":
            name, node = s.string(statement.value), statement
        elif target == "down_revision":
            before = _names(statement.value)
        elif target in {"branch_labels", "depends_on"}:
            labelled = labelled or not _is_none(statement.value)
    if name is None or node is None or before is None:
        return None
    return _Revision(module, name, node, before, labelled)


def _single_target(statement: s.Stmt) -> str | None:
    if isinstance(statement, s.Assign) and len(statement.targets) == 1:
        return s.dotted(statement.targets[0])
    return s.dotted(statement.target) if isinstance(statement, s.AnnAssign) else None


def _names(node: s.Expr | None) -> tuple[str, ...] | None:
    """Return the revisions that a literal names; None where it is not one."""
    if _is_none(node):
        return ()
    parts = node.elts if isinstance(node, (s.Tuple, s.List)) else [node]
    texts = [text for part in parts if (text := s.string(part)) is not None]
    return tuple(texts) if len(texts) == len(parts) else None


def _is_none(node: s.Expr | None) -> bool:
    return node is None or (isinstance(node, s.Constant) and node.kind == "none")


def _several_heads(revisions: list[_Revision]) -> Iterator[Hit]:
    folders: dict[str, list[_Revision]] = {}
    for revision in revisions:
        folders.setdefault(revision.module.path.rpartition("/")[0], []).append(revision)
    for found in folders.values():
        names = {revision.name for revision in found}
        before = {name for revision in found for name in revision.before}
        if any(r.labelled for r in found) or not before <= names or len(names) != len(found):
            continue
        heads = [revision for revision in found if revision.name not in before]
        if len(heads) > 1:
            last = heads[-1]
            others = ", ".join(head.name for head in heads[:-1])
            message = f"revision {last.name} is one of {len(heads)} heads (others: {others})"
            chain = tuple(evidence(head.module, head.node, f"head {head.name}") for head in heads)
            yield Hit(place(last.module, last.node), message, chain)


# ----------------------------------------------------------------------- migrations


def _read(modules: list[Module]) -> _Migrated:
    found = _Migrated()
    for module in modules:
        taken = {id(node.value) for node in module.facts.body[:1] if isinstance(node, s.ExprStmt)}
        batches = _batches(module)
        for node in module.walk():
            if isinstance(node, s.Call):
                _operation(found, module, node, batches, taken)
            elif isinstance(node, s.Attribute):
                if node.attr in _FROM_MODELS:
                    found.understood = False
            elif isinstance(node, (s.Name, s.Keyword, s.FunctionDef)):
                name = node.id if isinstance(node, s.Name) else getattr(node, "arg", None)
                name = node.name if isinstance(node, s.FunctionDef) else name
                if name in _LEAVING_OUT:
                    found.understood = False
            elif (text := s.string(node)) is not None and id(node) not in taken:
                found.words.update(_WORD.findall(text))
    return found


def _batches(module: Module) -> dict[str, str | None]:
    """Return name -> table for ``with op.batch_alter_table("orders") as batch``, None where it differs."""
    found: dict[str, str | None] = {}
    for function in module.functions:
        for node in s.walk_scope(*function.body):
            if not isinstance(node, s.With):
                continue
            for item in node.items:
                call, name = item.context_expr, s.dotted(item.optional_vars)
                if (
                    name
                    and isinstance(call, s.Call)
                    and s.last_name(call.func) == "batch_alter_table"
                ):
                    table = s.string(call.argument(0, "table_name"))
                    same = found.setdefault(name, table) == table
                    found[name] = table if same else None
    return found


def _operation(
    found: _Migrated,
    module: Module,
    call: s.Call,
    batches: dict[str, str | None],
    taken: set[int],
) -> None:
    """Take note of what one call of ``op`` creates."""
    func = call.func
    if not isinstance(func, s.Attribute):
        return
    if func.attr == "create_table":
        _create(found, module, call, taken)
    elif func.attr == "add_column":
        on = s.dotted(func.value) or ""
        table = batches.get(on) if on in batches else s.string(call.argument(0, "table_name"))
        column = call.argument(0 if on in batches else 1, "column")
        name = _column_name(column, taken)
        if table is not None and name is not None:
            found.columns.setdefault(table, set()).add(name)
            found.words.add(table)
        elif name is not None:
            found.words.add(name)
    elif func.attr == "rename_table":
        old, new = (s.string(arg) for arg in call.args[:2]) if len(call.args) > 1 else (None, None)
        if old and new:
            found.columns.setdefault(new, set()).update(found.columns.get(old, ()))
            found.open_tables.add(new)


def _create(found: _Migrated, module: Module, call: s.Call, taken: set[int]) -> None:
    table = s.string(call.argument(0, "table_name"))
    if table is None:
        found.understood = False
        return
    found.words.add(table)
    found.created.setdefault(table, (module, call))
    known = found.columns.setdefault(table, set())
    for part in call.args[1:]:
        name = _column_name(part, taken)
        if name is not None:
            known.add(name)
        elif not (
            isinstance(part, s.Call) and (s.last_name(part) or "").endswith(("Constraint", "Index"))
        ):
            found.open_tables.add(table)


def _column_name(node: s.Expr | None, taken: set[int]) -> str | None:
    """Return the name in ``sa.Column("name", ...)``."""
    if not isinstance(node, s.Call) or s.last_name(node) != "Column":
        return None
    given = node.argument(0, "name")
    if given is not None and s.string(given) is not None:
        taken.add(id(given))
    return s.string(given)


# --------------------------------------------------------------------------- models


def _missing(app: App, migrated: _Migrated) -> Iterator[Hit]:
    families: dict[str, list[tuple[Table, str]]] = {}
    for table in app.tables:
        name = _table_name(app, table)
        if name is not None:
            families.setdefault(_family(app, table), []).append((table, name))
    for tables in families.values():
        absent = [(table, name) for table, name in tables if not _is_named(name, migrated)]
        if len(absent) * 2 > len(tables):
            continue
        hits = [*_absent(absent), *_columns(tables, migrated)]
        if hits and not _creates_all(app):
            yield from hits


def _is_named(name: str, migrated: _Migrated) -> bool:
    return name.rpartition(".")[2] in migrated.words


def _family(app: App, table: Table) -> str:
    """Return the base class under which a table's metadata is."""
    classes = [a for a in app.linker.mro(table.cls) if isinstance(a, Class)]
    bases = [cls for cls in classes if app.types.is_declarative(cls)]
    return bases[-1].id if len(bases) > 1 else ""


def _table_name(app: App, table: Table) -> str | None:
    """Return the name of a table where it is surely known."""
    cls = table.cls
    for name in ("__table__", "__abstract__"):
        if name in cls.own_attributes:
            return None
    declared = app.linker.class_attribute(cls, "__tablename__")
    if declared is not None:
        return s.string(declared[1].value) if declared[0] is cls else None
    if app.linker.method(cls, "__tablename__") is not None:
        return None
    return table.name if any(keyword.arg == "table" for keyword in cls.node.keywords) else None


def _absent(tables: list[tuple[Table, str]]) -> Iterator[Hit]:
    for table, name in tables:
        arguments = table.cls.own_attributes.get("__table_args__")
        if arguments is not None and any(s.string(n) == "info" for n in s.walk(arguments)):
            continue
        message = f"no migration creates the table {name} of {table.cls.name}"
        yield Hit(name_place(table.cls), message)


def _columns(tables: list[tuple[Table, str]], migrated: _Migrated) -> Iterator[Hit]:
    """Yield the columns that no migration names, of tables that one creates column by column."""
    for table, name in tables:
        if name not in migrated.created or name in migrated.open_tables:
            continue
        for column in table.columns.values():
            written = _written_name(column)
            if column.owner is not table.cls and "__tablename__" in column.owner.own_attributes:
                continue  # in the table of the parent class
            if written is None or written in migrated.columns[name] | migrated.words:
                continue
            module, call = migrated.created[name]
            message = f"no migration adds the column {written} to {name}"
            created = evidence(module, call, f"creates {name} without {written}")
            yield Hit(place(column.owner.module, column.node), message, (created,))


def _written_name(column: Column) -> str | None:
    """Return the name of a column in the database, None where it may be no column."""
    node = column.node
    call = column.call
    if call is None:
        if not isinstance(node, s.AnnAssign) or node.value is not None:
            return None
        plain = (
            isinstance(node.annotation, s.Subscript)
            and s.last_name(node.annotation.value) == "Mapped"
        )
        return column.name if plain else None
    if s.last_name(call) not in _CALLS:
        return None
    if s.last_name(call) == "Field":
        return None if call.keyword("sa_column") is not None else column.name
    first = call.args[0] if call.args else None
    return s.string(first) or s.string(call.keyword("name")) or column.name


def _creates_all(app: App) -> bool:
    """Whether the application creates its tables by itself."""
    for module in app.sources:
        if "sqlalchemy" in module.header.marks or "sqlmodel" in module.header.marks:
            for node in module.walk():
                if isinstance(node, s.Attribute) and node.attr == "create_all":
                    return True
    return False


RULE = Rule(
    summary="a table or column that no migration creates, or several heads",
    severity="error",
    confidence="medium",
    mend="Make the migration (`alembic revision --autogenerate`, and read it); join heads with"
    " `alembic merge heads`.",
    app=check,
    references=(
        "https://alembic.sqlalchemy.org/en/latest/autogenerate.html",
        "https://alembic.sqlalchemy.org/en/latest/branches.html",
    ),
)

_MODELS = """
from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

class Base(DeclarativeBase): ...

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    nickname: Mapped[str]MISSING
    mail: Mapped[str] = mapped_column("e_mail")
    age = Column(Integer)

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[int]

class BigOrder(Order):
    __tablename__ = "big_orders"
    id: Mapped[int] = mapped_column(primary_key=True)

class Invoice(Base):TABLE
    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
"""

_FIRST = """
    import sqlalchemy as sa
    from alembic import op

    revision = "a1"
    down_revision = None

    def upgrade():
        op.create_table(
            "users",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("name", sa.String(), nullable=False),
            sa.PrimaryKeyConstraint("id"),
        )
        with op.batch_alter_table("users") as batch:
            batch.add_column(sa.Column("e_mail", sa.String()))
        op.create_table("orders", sa.Column("id", sa.Integer()), sa.Column("total", sa.Integer()))
        op.create_table("big_orders", sa.Column("id", sa.Integer()))
    """


def _migration(revision: str, before: str, body: str = "pass") -> str:
    return f"""
        import sqlalchemy as sa
        from alembic import op

        revision: str = "{revision}"
        down_revision: str | None = "{before}"

        def upgrade():
            {body}
        """


CASES = (
    Case(
        "a column and a table are missing",
        {
            "app/models.py": _MODELS.replace("MISSING", "  # <-").replace("TABLE", "  # <-"),
            "alembic/versions/a1.py": _FIRST,
            "alembic/versions/a2.py": _migration(
                "a2", "a1", 'op.add_column("users", sa.Column("age", sa.Integer()))'
            ),
        },
    ),
    Case(
        "two heads",
        {
            "alembic/versions/a1.py": _FIRST,
            "alembic/versions/a2.py": _migration("a2", "a1"),
            "alembic/versions/a3.py": _migration("a3", "a1").replace('"a3"', '"a3"  # <-'),
        },
    ),
    Case(
        "created in raw SQL, by a helper, merged heads",
        {
            "app/models.py": _MODELS.replace("MISSING", "").replace("TABLE", ""),
            "alembic/versions/a1.py": _FIRST,
            "alembic/versions/a2.py": _migration(
                "a2", "a1", 'op.execute("ALTER TABLE users ADD COLUMN nickname TEXT, ADD age INT")'
            ),
            "alembic/versions/a3.py": _migration(
                "a3", "a1", 'create_if_missing("invoices", [sa.Column("id", sa.Integer())])'
            ),
            "alembic/versions/a4.py": _migration("a4", "").replace('= ""', '= ("a2", "a3")'),
        },
    ),
    Case(
        "created from the models",
        {
            "app/models.py": _MODELS.replace("MISSING", "").replace("TABLE", ""),
            "alembic/versions/a1.py": _FIRST,
            "alembic/versions/a2.py": _migration(
                "a2", "a1", "Base.metadata.create_all(op.get_bind())"
            ),
        },
    ),
    case("no migrations here", _MODELS.replace("MISSING", "").replace("TABLE", "")),
)
