"""Endpoints answer with a public schema instead of a table, rows or dictionaries.

For each table that goes out a schema is written (`class CustomerPublic(SQLModel)`, on the table's own base class where that
holds no secret; `BaseModel` with `from_attributes` for SQLAlchemy), beside the other schemas of the application. It has the table's columns but for
secrets: passwords, tokens, hashes, keys. It takes the place of the table in return annotations and `response_model`; endpoints that return rows or
dictionaries of columns and declare nothing get it as return annotation. A schema that is there already and has the same fields is used as it is; where
one of the wanted name has other fields, the new one is called `CustomerDetailPublic`.

A schema that goes out with a secret of its own, or of its base (`class UserPublic(UserInDB)`), loses it, where it is only an answer: it is derived from
what that base is derived from, and has the other fields itself.

What the values of a dictionary are is followed through columns, arithmetic, conditions, texts, lists, loops and functions of the project. A field gets a
type only where the answer stays the same byte for byte: a number that may be whole is `int | float`, a Decimal (which goes out as a number where no
schema says otherwise) counts only with places behind the point and where the route only reads. Only floats below 0.0001 are spelled in another way.

The contract changes by what is left out, and by schemas that were not declared before. Left alone, with the line: dictionaries whose values have no
known type, several forms of answers, times that may have a zone (their text would change), and routes whose `response_model_*` would begin to count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname, join

import msgspec

from fastwright.app.model import App
from fastwright.app.models import Column, Schema, Table
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import (
    UNKNOWN,
    ClassObject,
    Instance,
    NoneType,
    Sequence,
    Type,
    alternatives,
)
from fastwright.edit.builders import insert, insert_after, insert_before, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring, is_taken, module_level_imports
from fastwright.edit.source import next_sign, text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Case, Kept, Planned, Proposal, Recipe, Stopped, Target
from fastwright.recipes.schemas.json_types import NONE, JsonTypes, Many, Shape, of_column
from fastwright.recipes.schemas.secrets import is_secret, without_secrets
from fastwright.recipes.schemas.shapes import annotation, shape_classes
from fastwright.recipes.shared.from_rules import hits_of
from fastwright.verify.model import may_be_null

_SHOWN_ONCE = re.compile(r"Token|Key|Secret|Webhook|Credential")
_SUFFIXES = ("Public", "Read", "Out", "Response", "Schema", "View", "DetailPublic")
_KEPT = ("max_digits", "decimal_places", "max_length", "min_length", "gt", "ge", "lt", "le",
         "multiple_of", "title", "description", "regex", "pattern", "alias")  # fmt: skip
_CHANGING = frozenset(
    {"validator", "root_validator", "field_validator", "model_validator", "field_serializer",
     "model_serializer", "computed_field"}
)  # fmt: skip
_MAKING = frozenset(
    {"add", "add_all", "commit", "flush", "merge", "model_validate", "setattr", "sqlmodel_update"}
)
_OTHERWISE = frozenset(
    {"datetime", "DateTime", "time", "Time", "timedelta", "Interval", "Decimal", "Numeric", "float"}
)
"""What a schema writes otherwise than FastAPI does without one."""


class _Field(msgspec.Struct, frozen=True):
    """A line of a schema, and what it needs: module and name."""

    name: str
    written: str
    needed: tuple[tuple[str, str], ...] = ()


class _Public(msgspec.Struct, frozen=True):
    """A schema: one that is there, or the code and needs of a new one."""

    name: str
    module: str
    """Its dotted name."""
    path: str
    code: str = ""
    needed: tuple[tuple[str, str], ...] = ()


class _Use(msgspec.Struct, frozen=True, eq=False):
    """A place where a table stands as an answer: a name in it, or an endpoint without any."""

    module: Module
    name: s.Node | None
    endpoint: Function
    many: bool = False
    optional: bool = False
    """Whether there may be no row."""


def plan(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each schema with secrets, each table that goes out, and each dictionary."""
    _ = app.reached  # who calls whom says what parameters without a type are: ask that first
    yield from without_secrets(app, target)
    uses: dict[int, tuple[Table, list[_Use]]] = {}
    for table, use in [*_declared(app), *_undeclared(app)]:
        if target.holds(use.module.path, use.endpoint.qualname):
            uses.setdefault(id(table.cls.node), (table, []))[1].append(use)
    for table, found in uses.values():
        try:
            yield _for_table(app, table, found)
        except Kept as stop:
            yield Stopped(stop.place, stop.reason)
    for endpoint, nodes in _dictionaries(app):
        if target.takes(endpoint):
            try:
                yield _for_dictionary(app, endpoint, nodes)
            except Kept as stop:
                yield Stopped(stop.place, stop.reason)


# ------------------------------------------------------------------- what goes out


def _declared(app: App) -> Iterator[tuple[Table, _Use]]:
    """Yield each name of a table in a declared answer."""
    places = {(hit.place.file, hit.place.line) for hit in hits_of(app, "orm-leak")}
    seen: set[int] = set()
    for route in app.routes:
        node, where = route.response.node, route.response.where
        if node is None or where is None or route.endpoint is None:
            continue
        for name in s.walk(node):
            if id(name) in seen or not isinstance(name, (s.Name, s.Attribute)):
                continue
            seen.add(id(name))
            symbol = app.linker.expression(name, where.module, where.function)
            table = app.models.table(symbol) if isinstance(symbol, Class) else None
            if table is not None and (where.module.path, where.module.line(node)) in places:
                yield table, _Use(where.module, name, route.endpoint)


def _undeclared(app: App) -> Iterator[tuple[Table, _Use]]:
    """Yield each endpoint that returns rows and declares nothing."""
    for endpoint, returned in _bare(app):
        kinds = [_rows(app, app.types.of(node, _where(endpoint))) for node in returned]
        tables = {id(kind[0].cls.node): kind for kind in kinds if kind is not None}
        if len(tables) == 1 and all(kind is not None for kind in kinds):
            table, many = next(iter(tables.values()))
            if {kind[1] for kind in kinds if kind is not None} == {many}:
                sure = many or all(_is_sure(app, endpoint, node) for node in returned)
                yield table, _Use(endpoint.module, None, endpoint, many, not sure)


def _dictionaries(app: App) -> Iterator[tuple[Function, list[s.Expr]]]:
    """Yield each endpoint that returns dictionaries of columns, or lists of such, and declares nothing."""
    for endpoint, returned in _bare(app):
        inner = [node.elt if isinstance(node, s.Comp) else node for node in returned]
        if any(isinstance(node, s.Dict) for node in inner):
            yield endpoint, returned


def _bare(app: App) -> Iterator[tuple[Function, list[s.Expr]]]:
    wanted = {(hit.place.file, hit.place.line) for hit in hits_of(app, "missing-response-schema")}
    for endpoint in app.endpoints:
        line = endpoint.module.facts.line(endpoint.node.name_start)
        if (endpoint.module.path, line) in wanted:
            returns = [node.value for node, _ in app.calls.of_kind(endpoint, s.Return)]
            yield endpoint, [value for value in returns if value is not None]


def _rows(app: App, kind: Type) -> tuple[Table, bool] | None:
    """Return the table whose row a value is, and whether it is a list of rows."""
    options = [option for option in alternatives(kind) if not isinstance(option, NoneType)]
    if len(options) != 1:
        return None
    many = isinstance(options[0], Sequence)
    if isinstance(options[0], Sequence) and options[0].kind in {"dict", "tuple"}:
        return None
    row = options[0].element if isinstance(options[0], Sequence) else options[0]
    if not isinstance(row, Instance) or not isinstance(row.cls, Class):
        return None
    table = app.models.table(row.cls)
    return (table, many) if table is not None else None


def _is_sure(app: App, endpoint: Function, node: s.Expr) -> bool:
    """Whether a value is a row, and never None: made here, checked, or said to be one by what gives it."""
    if isinstance(node, s.Await):
        return _is_sure(app, endpoint, node.value)
    if isinstance(node, s.Name):
        bounds = app.types.locals.of(endpoint).get(node.id, [])
        values = [bound.value for bound in bounds if bound.how == "assign" and not bound.path]
        made = len(values) == len(bounds) and all(
            value is not None and _is_sure(app, endpoint, value) for value in values
        )
        depends = any(bound.how == "parameter" for bound in bounds)
        return (bool(bounds) and made) or depends or _is_checked(endpoint, node.id)
    if not isinstance(node, s.Call):
        return False
    if isinstance(app.types.of(node.func, _where(endpoint)), ClassObject):
        return True
    if s.last_name(node.func) in {"model_validate", "one", "scalar_one", "get_one"}:
        return True
    site = next((each for each in app.calls.sites(endpoint) if each.node is node), None)
    declared = [each.node.returns for each in site.targets] if site is not None else []
    return bool(declared) and all(each is not None and not may_be_null(each) for each in declared)


def _is_checked(endpoint: Function, name: str) -> bool:
    """``if row is None: raise ...``, ``if not row: return ...``."""
    for statement in endpoint.node.body:
        if isinstance(statement, s.If) and isinstance(
            statement.branches[0].body[-1], (s.Raise, s.Return)
        ):
            for test in _either(statement.branches[0].test):
                if isinstance(test, s.Compare) and test.ops == ["is"]:
                    if isinstance(test.left, s.Name) and test.left.id == name:
                        return True
                elif isinstance(test, s.UnaryOp) and test.op == "not":
                    if isinstance(test.operand, s.Name) and test.operand.id == name:
                        return True
    return False


def _either(test: s.Expr) -> list[s.Expr]:
    """Return the tests of which one being true is enough."""
    return test.values if isinstance(test, s.BoolOp) and test.op == "or" else [test]


def _where(function: Function) -> Where:
    return Where(function.module, function)


# ---------------------------------------------------------------------- for tables


def _for_table(app: App, table: Table, uses: list[_Use]) -> Proposal:
    public = _public(app, table, uses)
    edits, imports, new = _written(app, table.cls, public)
    places = []
    for use in uses:
        place = use.name if use.name is not None else use.endpoint.node
        places.append(f"{use.module.path}:{use.module.line(place)}")
        brought = _bring(use.module, place, public)
        imports += brought[1]
        if use.name is not None:
            edits.append(replace(use.module, use.name, brought[0]))
        else:
            written = f"list[{brought[0]}]" if use.many else brought[0]
            written = f"{written} | None" if use.optional else written
            edits.append(_returning(use.module, use.endpoint.node, written))
    title = f"{public.name} goes out instead of {table.cls.name}"
    return Proposal(title, tuple(edits), tuple(imports), new, places=tuple(places))


def _public(app: App, table: Table, uses: list[_Use]) -> _Public:
    cls, columns = table.cls, _public_columns(table)
    if _SHOWN_ONCE.search(cls.name) and len(columns) < len(table.columns):
        raise Kept(cls.module, cls.node, f"{cls.name} may be meant to be shown once")
    names = {column.name for column in columns}
    for schema in app.schemas:
        if schema.cls.name in {f"{cls.name}{suffix}" for suffix in _SUFFIXES}:
            if set(schema.fields) == names and _shows_as_is(app, schema, table):
                return _Public(schema.cls.name, schema.cls.module.name, schema.cls.module.path)
    path = _path(app, cls)
    name = _free_name(app, cls, path)
    is_sqlmodel = app.models.is_schema(cls)
    base = _base(app, table, columns) if is_sqlmodel else None
    inherited = set(base.fields) if base is not None else set()
    fields = [
        _field(app, c) if is_sqlmodel else _row_field(app, c, uses)
        for c in columns
        if c.name not in inherited
    ]
    needed = [need for each in fields for need in each.needed]
    if base is not None:
        head, above = base.cls.name, (base.cls.module.name, base.cls.name)
    elif is_sqlmodel:
        head, above = "SQLModel", ("sqlmodel", "SQLModel")
    else:
        head, above = "BaseModel", ("pydantic", "BaseModel")
        needed.append(("pydantic", "ConfigDict"))
    lines = [each.written for each in fields] or ["pass"]
    if not is_sqlmodel:
        lines = ["model_config = ConfigDict(from_attributes=True)", "", *lines]
    body = "".join(f"    {line}\n" if line else "\n" for line in lines)
    code = f"class {name}({head}):\n{body}"
    return _Public(name, app.index.name(path), path, code, (above, *needed))


def _public_columns(table: Table) -> list[Column]:
    """Return the columns of a table that are no secrets."""
    return [column for column in table.columns.values() if not is_secret(column.name)]


def _shows_as_is(app: App, schema: Schema, table: Table) -> bool:
    """Whether a schema shows the columns of a row as they are: nothing validates or writes them anew."""
    if _changes_values(app, schema.cls):
        return False
    for name, field in schema.fields.items():
        declared = table.columns[name].type
        if field.excluded or declared not in (UNKNOWN, field.type):
            return False
        if isinstance(field.default, s.Call) and any(
            "alias" in (k.arg or "") for k in field.default.keywords
        ):
            return False
    return True


def _changes_values(app: App, cls: Class) -> bool:
    return any(
        not method.decorator_names.isdisjoint(_CHANGING)
        for each in app.linker.mro(cls)
        if isinstance(each, Class)
        for method in each.own_methods.values()
    )


def _free_name(app: App, cls: Class, path: str) -> str:
    """Return how a new schema is called: one with the short name and other fields is for something else."""
    taken = {schema.cls.name for schema in app.schemas}
    for suffix in ("Public", "DetailPublic"):
        name = f"{cls.name}{suffix}"
        if name not in taken and not is_taken(app.modules[path], name):
            return name
    raise Kept(
        cls.module, cls.node, f"there is a {cls.name}DetailPublic already, with other fields"
    )


def _row_field(app: App, column: Column, uses: list[_Use]) -> _Field:
    """Return a column of SQLAlchemy as a line of a schema, which writes it as it was written without one."""
    only_read = all(_only_reads(app, use.endpoint) for use in uses)
    use = uses[0]
    values = of_column(app, column, only_read=only_read)
    if isinstance(values, str):
        words = {s.last_name(node) for node in s.walk(column.node)}
        if (
            isinstance(column.node, s.AnnAssign)
            and not words & _OTHERWISE
            and not _has_type(column)
        ):
            return _field(app, column)
        raise Kept(use.module, use.endpoint.node, f"{column.owner.name}: {values}")
    found = annotation(values, column.name, "BaseModel")
    if isinstance(found, str):
        raise Kept(use.module, use.endpoint.node, f"the type of {column.name} is not known")
    return _Field(column.name, f"{column.name}: {found.text}", found.needed)


def _has_type(column: Column) -> bool:
    """Whether a column says its type in the database, which is not known here."""
    return column.call is not None and bool(column.call.args or column.call.keyword("type_"))


def _base(app: App, table: Table, columns: list[Column]) -> Schema | None:
    """Return the class without secrets that a table has most of its fields from."""
    names = {column.name for column in columns}
    for cls in app.linker.mro(table.cls)[1:]:
        schema = app.models.schema(cls) if isinstance(cls, Class) else None
        if schema is not None and schema.fields and app.models.table(schema.cls) is None:
            plain = set(schema.fields) <= names and not _changes_values(app, schema.cls)
            return schema if plain else None
    return None


def _field(app: App, column: Column) -> _Field:
    """Return a column as a line of a schema."""
    module = column.owner.module
    if isinstance(column.node, s.Assign):
        raise Kept(module, column.node, f"the type of {column.name} is not known")
    annotation_: s.Expr = column.node.annotation
    if isinstance(annotation_, s.Subscript) and s.last_name(annotation_.value) == "Mapped":
        annotation_ = annotation_.slice
    if any(isinstance(n, s.Constant) and n.kind == "str" for n in s.walk(annotation_)):
        raise Kept(module, column.node, f"the type of {column.name} stands in quotes")
    written = text(module, annotation_)
    if column.primary_key:
        written = re.sub(r"^Optional\[(.*)\]$|^(.*?)\s*\|\s*None$", r"\1\2", written)
    kept = [
        text(module, keyword)
        for keyword in (column.call.keywords if column.call is not None else [])
        if keyword.arg in _KEPT and app.models.is_schema(column.owner)
    ]
    needed = [_need(app, module, name) for name in _names_in(annotation_, written)]
    if kept:
        needed.append(("sqlmodel", "Field"))
    value = f" = Field({', '.join(kept)})" if kept else ""
    return _Field(
        column.name,
        f"{column.name}: {written}{value}",
        tuple(need for need in needed if need is not None),
    )


def _names_in(annotation: s.Expr, written: str) -> list[s.Name]:
    """Return the names of an annotation that are still written."""
    words = set(re.findall(r"\w+", written))
    return [n for n in s.walk(annotation) if isinstance(n, s.Name) and n.id in words]


def _need(app: App, module: Module, name: s.Name) -> tuple[str, str] | None:
    """Return what a name of a module stands for: where it is imported from, None for builtins."""
    bound = module_level_imports(module).get(name.id)
    if bound is not None:
        origin, _, what = bound.rpartition(".")
        if what != name.id or not origin:
            raise Kept(module, name, f"{name.id} is imported in a way that is not copied")
        return origin, what
    if name.id in app.linker.scope(module).names:
        return module.name, name.id
    return None


def _path(app: App, cls: Class) -> str:
    """Return the file where the schemas of a table stand, or would."""
    near = [
        schema.cls.module.path
        for schema in app.schemas
        if schema.cls.name.startswith(cls.name) and schema.cls.module.kind == "source"
    ]
    if near:
        return max(near, key=lambda path: (near.count(path), path))
    folder = dirname(cls.module.path)
    for parent in (folder, dirname(folder)):
        if join(parent, "schemas.py") in app.modules:
            return join(parent, "schemas.py")
        package = join(parent, "schemas", cls.module.path.rpartition("/")[2])
        if package in app.modules:
            return package
    return cls.module.path


# ------------------------------------------------------------------ for dictionaries


def _for_dictionary(app: App, endpoint: Function, nodes: list[s.Expr]) -> Proposal:
    """Return the change that gives a dictionary its schema."""
    module = endpoint.module
    _refuse_settings(app, endpoint)
    values = JsonTypes(app, _only_reads(app, endpoint)).answered(endpoint)
    rest = [value for value in values if value != NONE]
    many = [value for value in rest if isinstance(value, Many) and value.key is None]
    shapes = many[0].element if many else tuple(rest)
    if len(rest) != 1 or len(shapes) != 1 or not isinstance(shapes[0], Shape):
        raise Kept(module, endpoint.node, "it returns several forms of answers")
    row = _row_of(app, endpoint, nodes)
    path = _path(app, row) if row is not None else module.path
    is_sqlmodel = row is not None and app.models.is_schema(row)
    head = ("sqlmodel", "SQLModel") if is_sqlmodel else ("pydantic", "BaseModel")
    words = "".join(word.capitalize() for word in endpoint.name.strip("_").split("_"))
    wanted = [f"{words}Item"] if many else [f"{words}Response", f"{words}Result"]
    if row is not None and all(_is_column_of(row, name, node) for name, node in _entries(nodes)):
        wanted = [f"{row.name}Public", *wanted]
    free = [name for name in wanted if not is_taken(app.modules[path], name)]
    if not free:
        raise Kept(module, endpoint.node, f"{wanted[-1]} means something else there")
    classes = shape_classes(free[0], words, shapes[0], head[1])
    if isinstance(classes, str):
        raise Kept(module, endpoint.node, classes)
    there = _same(app, classes.code, endpoint)
    public = _Public(free[0], app.index.name(path), path, classes.code, (head, *classes.needed))
    if there is not None:
        public = _Public(there.name, there.module.name, there.module.path)
    edits, imports, new = _written(app, row if row is not None else endpoint, public)
    brought = _bring(module, endpoint.node, public)
    written = f"list[{brought[0]}]" if many else brought[0]
    written += " | None" if NONE in values else ""
    edits.append(_returning(module, endpoint.node, written))
    place = f"{module.path}:{module.line(endpoint.node)}"
    title = f"{endpoint.name} answers with {public.name}"
    return Proposal(title, tuple(edits), (*imports, *brought[1]), new, places=(place,))


def _entries(nodes: list[s.Expr]) -> Iterator[tuple[str | None, s.Expr]]:
    """Yield keys and values of the dictionaries that are returned."""
    for node in nodes:
        inner = node.elt if isinstance(node, s.Comp) else node
        if isinstance(inner, s.Dict):
            yield from zip(map(s.string, inner.keys), inner.values, strict=True)


def _is_column_of(row: Class, name: str | None, value: s.Expr) -> bool:
    """``"name": user.name``, the names being those of a table."""
    return isinstance(value, s.Attribute) and value.attr == name and name in row.own_attributes


def _same(app: App, code: str, endpoint: Function) -> Class | None:
    """Return a plain schema that is there already and says the same, in the same order."""
    wanted = code.strip().split("\n")
    if sum(line.startswith("class ") for line in wanted) != 1:
        return None
    for schema in app.schemas:
        cls = schema.cls
        plain = not cls.node.keywords and [s.dotted(base) for base in cls.node.bases] in (
            ["BaseModel"],
            ["SQLModel"],
        )
        below = cls.module is endpoint.module and cls.node.start > endpoint.node.start
        if plain and not below and cls.module.kind == "source":
            lines = [text(cls.module, statement) for statement in cls.node.body]
            if lines == [line.strip() for line in wanted[1:]]:
                return cls
    return None


def _refuse_settings(app: App, endpoint: Function) -> None:
    """What a route says of a response model counts only where there is one."""
    for route in app.routes_for(endpoint):
        if any(keyword.startswith("response_model_") for keyword in route.record.keywords):
            raise Kept(route.module, route.node, "its response_model_* would begin to count")


def _only_reads(app: App, endpoint: Function) -> bool:
    """Whether nobody makes or changes a row on the way, so that rows are as the database gives them."""
    if not all({*route.methods} <= {"GET", "HEAD"} for route in app.routes_for(endpoint)):
        return False
    making = _MAKING | {table.cls.name for table in app.tables}
    for step in app.calls.reach([endpoint]):
        if not making.isdisjoint(step.function.node.called):
            return False
        for node, _ in app.calls.of_kind(step.function, s.Assign):
            if any(isinstance(target, s.Attribute) for target in node.targets):
                return False
    return True


def _row_of(app: App, endpoint: Function, nodes: list[s.Expr]) -> Class | None:
    """Return the table that most of an answer is about: that of the first column in it."""
    for node in s.walk(*nodes):
        if isinstance(node, s.Attribute):
            found = _rows(app, app.types.of(node.value, _where(endpoint)))
            if found is not None:
                return found[0].cls
    return None


# --------------------------------------------------------------------------- edits


def _written(
    app: App, beside: Class | Function | None, public: _Public
) -> tuple[list[Edit], list[Import], dict[str, str]]:
    """Return what brings a new schema into its file: behind its table, or before its endpoint."""
    if not public.code:
        return [], [], {}
    module = app.modules[public.path]
    first = module.facts.body[0]
    for name in re.findall(r"^class (\w+)", public.code, re.MULTILINE):
        if is_taken(module, name):
            raise Kept(module, first, f"{name} means something else there")
    imports: list[Import] = []
    code = public.code.rstrip("\n")
    for origin, name in dict.fromkeys(public.needed):
        if origin == module.name:
            continue
        brought = bring(module, origin, name)
        if brought is None:
            raise Kept(module, first, f"{name} means something else there")
        if _comes_back(app, origin, module):
            raise Kept(module, first, f"{origin}, which has {name}, imports this module")
        imports += brought.imports
        code = re.sub(rf"\b{name}\b(?!\s*:)", brought.name, code) if brought.name != name else code
    if isinstance(beside, Function) and beside.module is module:
        top = next(each for each in module.facts.body if each.end >= beside.node.end)
        return [insert_before(module, top, f"{code}\n\n")], imports, {}
    last = module.facts.body[-1]
    if beside is not None and beside.module is module:
        last = beside.node
    return [insert_after(module, last, f"\n\n{code}")], imports, {}


def _comes_back(app: App, origin: str, module: Module) -> bool:
    """Whether a module of the project imports another one, on whatever way."""
    origins = [each.path for each in app.modules.values() if each.name == origin]
    return module.path in app.imports.reached(origins)


def _bring(module: Module, node: s.Node, public: _Public) -> tuple[str, tuple[Import, ...]]:
    if module.path == public.path:
        return public.name, ()
    brought = bring(module, public.module, public.name)
    if brought is None:
        raise Kept(module, node, f"{public.name} means something else here")
    return brought.name, brought.imports


def _returning(module: Module, node: s.FunctionDef, written: str) -> Edit:
    """Return the edit that says what a function returns."""
    source = module.source
    place = node.params[-1].end if node.params else source.index(b"(", node.name_start) + 1
    while source[place : place + 1] != b")":
        place = next_sign(source, place, node.end)
        if source[place : place + 1] == b",":
            place += 1
    return insert(module, place + 1, f" -> {written}")


RECIPE = Recipe(
    summary="public schemas instead of tables, rows and dictionaries",
    why="A table as answer sends every column to the client, also the one that is added next year.",
    plan=plan,
    contract=True,
    references=(
        "https://fastapi.tiangolo.com/tutorial/response-model/",
        "https://sqlmodel.tiangolo.com/tutorial/fastapi/multiple-models/",
    ),
)
CASES = (
    Case(
        "a table as answer, rows without any: one schema without secrets",
        {
            "models.py": """\
from decimal import Decimal

from sqlmodel import Field, Session, SQLModel


class UserBase(SQLModel):
    name: str
    email: str = Field(max_length=200)


class User(UserBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    credit: Decimal = Field(default=0, max_digits=8, decimal_places=2)
    password_hash: str
    api_token: str = Field(index=True)


def get_session() -> Session: ...
""",
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import User, get_session

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.get("/users", response_model=list[User])
def users(session: SessionDep):
    return session.exec(select(User).limit(10)).all()


@app.get("/users/{user_id}")
def user(user_id: int, session: SessionDep) -> User | None:
    return session.get(User, user_id)


@app.get("/last")
def last(
    session: SessionDep,
):
    return session.exec(select(User)).first()
""",
        },
        {
            "models.py": """\
from decimal import Decimal

from sqlmodel import Field, Session, SQLModel


class UserBase(SQLModel):
    name: str
    email: str = Field(max_length=200)


class User(UserBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    credit: Decimal = Field(default=0, max_digits=8, decimal_places=2)
    password_hash: str
    api_token: str = Field(index=True)


class UserPublic(UserBase):
    id: int
    credit: Decimal = Field(max_digits=8, decimal_places=2)


def get_session() -> Session: ...
""",
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Session, select

from models import User, UserPublic, get_session

app = FastAPI()
SessionDep = Annotated[Session, Depends(get_session)]


@app.get("/users", response_model=list[UserPublic])
def users(session: SessionDep):
    return session.exec(select(User).limit(10)).all()


@app.get("/users/{user_id}")
def user(user_id: int, session: SessionDep) -> UserPublic | None:
    return session.get(User, user_id)


@app.get("/last")
def last(
    session: SessionDep,
) -> UserPublic | None:
    return session.exec(select(User)).first()
""",
        },
    ),
    Case(
        "SQLAlchemy",
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase): ...


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(50))
    hashed_password: Mapped[str]


def get_session() -> Session: ...


app = FastAPI()


@app.get("/authors")
def authors(session: Annotated[Session, Depends(get_session)]):
    return session.scalars(select(Author).limit(10)).all()
""",
        },
        {
            "main.py": """\
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase): ...


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(50))
    hashed_password: Mapped[str]


class AuthorPublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str | None


def get_session() -> Session: ...


app = FastAPI()


@app.get("/authors")
def authors(session: Annotated[Session, Depends(get_session)]) -> list[AuthorPublic]:
    return session.scalars(select(Author).limit(10)).all()
""",
        },
    ),
    Case(
        "a schema with these fields is there",
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, select


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    secret: str


class TeamRead(SQLModel):
    id: int
    name: str


def get_session() -> Session: ...


app = FastAPI()


@app.get("/teams")
def teams(session: Session = Depends(get_session)) -> list[Team]:
    return session.exec(select(Team).limit(10)).all()
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, select


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    secret: str


class TeamRead(SQLModel):
    id: int
    name: str


def get_session() -> Session: ...


app = FastAPI()


@app.get("/teams")
def teams(session: Session = Depends(get_session)) -> list[TeamRead]:
    return session.exec(select(Team).limit(10)).all()
""",
        },
    ),
    Case(
        "a schema with these fields reads them in its own way",
        {
            "main.py": """\
from fastapi import FastAPI
from pydantic import field_validator
from sqlmodel import Field, SQLModel


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    secret: str


class TeamPublic(SQLModel):
    id: int
    name: str

    @field_validator("name")
    @classmethod
    def lower(cls, value: str) -> str:
        return value.lower()


app = FastAPI()


@app.get("/team")
def team() -> Team: ...
""",
        },
        {
            "main.py": """\
from fastapi import FastAPI
from pydantic import field_validator
from sqlmodel import Field, SQLModel


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    secret: str


class TeamDetailPublic(SQLModel):
    id: int
    name: str


class TeamPublic(SQLModel):
    id: int
    name: str

    @field_validator("name")
    @classmethod
    def lower(cls, value: str) -> str:
        return value.lower()


app = FastAPI()


@app.get("/team")
def team() -> TeamDetailPublic: ...
""",
        },
    ),
    Case(
        "a schema of that name has other fields, for something else",
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, select


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    secret: str


class TeamPublic(SQLModel):
    name: str


def get_session() -> Session: ...


app = FastAPI()


@app.get("/teams")
def teams(session: Session = Depends(get_session)) -> list[Team]:
    return session.exec(select(Team).limit(10)).all()
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, select


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    secret: str


class TeamDetailPublic(SQLModel):
    id: int
    name: str


class TeamPublic(SQLModel):
    name: str


def get_session() -> Session: ...


app = FastAPI()


@app.get("/teams")
def teams(session: Session = Depends(get_session)) -> list[TeamDetailPublic]:
    return session.exec(select(Team).limit(10)).all()
""",
        },
    ),
    Case(
        "a dictionary of columns",
        {
            "main.py": """\
from decimal import Decimal

from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Field, Session, SQLModel


class Product(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    price: Decimal = Field(decimal_places=2)
    stock: int


def get_session() -> Session: ...


app = FastAPI()


@app.get("/products/{product_id}")
def get_product(product_id: int, session: Session = Depends(get_session)):
    product = session.get(Product, product_id)
    if product is None:
        raise HTTPException(404)
    return {"name": product.name, "price": product.price, "stock": product.stock, "sale": False}
""",
        },
        {
            "main.py": """\
from decimal import Decimal

from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Field, Session, SQLModel


class Product(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    price: Decimal = Field(decimal_places=2)
    stock: int


class GetProductResponse(SQLModel):
    name: str
    price: float
    stock: int
    sale: bool


def get_session() -> Session: ...


app = FastAPI()


@app.get("/products/{product_id}")
def get_product(product_id: int, session: Session = Depends(get_session)) -> GetProductResponse:
    product = session.get(Product, product_id)
    if product is None:
        raise HTTPException(404)
    return {"name": product.name, "price": product.price, "stock": product.stock, "sale": False}
""",
        },
    ),
    Case(
        "a schema that goes out with secrets of its base; one that the application makes is left alone",
        {
            "main.py": """\
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class UserBase(BaseModel):
    email: str


class UserInDB(UserBase):
    password_hash: str
    api_token: str | None = None
    is_active: bool = True


class UserPublic(UserInDB):
    id: int


class Account(BaseModel):
    name: str
    password: str


@app.get("/me", response_model=UserPublic)
def me(): ...


@app.get("/all")
def everybody() -> list[UserPublic]: ...


@app.get("/account")
def account() -> Account:
    return Account(name="a", password="b")
""",
        },
        {
            "main.py": """\
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class UserBase(BaseModel):
    email: str


class UserInDB(UserBase):
    password_hash: str
    api_token: str | None = None
    is_active: bool = True


class UserPublic(UserBase):
    is_active: bool = True
    id: int


class Account(BaseModel):
    name: str
    password: str


@app.get("/me", response_model=UserPublic)
def me(): ...


@app.get("/all")
def everybody() -> list[UserPublic]: ...


@app.get("/account")
def account() -> Account:
    return Account(name="a", password="b")
""",
        },
        stopped=("main.py:22",),
    ),
    Case(
        "values that are calculated, and lists of dictionaries",
        {
            "shop/__init__.py": "",
            "shop/models.py": """\
from decimal import Decimal

from sqlmodel import Field, Relationship, SQLModel


class Product(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    note: str | None = None
    price: Decimal = Field(max_digits=8, decimal_places=2)
    stock: int
    reviews: list["Review"] = Relationship()


class Review(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    product_id: int = Field(foreign_key="product.id")
    stars: int
    text: str | None = None
""",
            "shop/schemas.py": """\
from sqlmodel import SQLModel


class Page(SQLModel):
    number: int
""",
            "shop/main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from shop.models import Product


def get_session() -> Session: ...


def label(product):
    return f"{product.id}: {product.name}"


app = FastAPI()


@app.get("/products/{product_id}")
def get_product(product_id: int, session: Session = Depends(get_session)):
    product = session.get_one(Product, product_id)
    stars = [review.stars for review in product.reviews]
    return {
        "name": product.name,
        "note": product.note,
        "price": product.price,
        "label": label(product),
        "available": product.stock > 0,
        "stars": round(sum(stars) / len(stars), 1) if stars else None,
        "reviews": [{"stars": review.stars, "text": review.text or ""} for review in product.reviews],
    }
""",
        },
        {
            "shop/schemas.py": """\
from sqlmodel import SQLModel


class Page(SQLModel):
    number: int


class GetProductReview(SQLModel):
    stars: int
    text: str


class GetProductResponse(SQLModel):
    name: str
    note: str | None
    price: float
    label: str
    available: bool
    stars: float | None
    reviews: list[GetProductReview]
""",
            "shop/main.py": """\
from fastapi import Depends, FastAPI
from sqlmodel import Session

from shop.models import Product
from shop.schemas import GetProductResponse


def get_session() -> Session: ...


def label(product):
    return f"{product.id}: {product.name}"


app = FastAPI()


@app.get("/products/{product_id}")
def get_product(product_id: int, session: Session = Depends(get_session)) -> GetProductResponse:
    product = session.get_one(Product, product_id)
    stars = [review.stars for review in product.reviews]
    return {
        "name": product.name,
        "note": product.note,
        "price": product.price,
        "label": label(product),
        "available": product.stock > 0,
        "stars": round(sum(stars) / len(stars), 1) if stars else None,
        "reviews": [{"stars": review.stars, "text": review.text or ""} for review in product.reviews],
    }
""",
        },
    ),
    Case(
        "columns of a table of the old style, the same ones in two endpoints",
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import Session, declarative_base

Base = declarative_base()
app = FastAPI()


class File(Base):
    __tablename__ = "file"
    id = Column(Integer, primary_key=True)
    name = Column(String(200), nullable=False)
    note = Column(String(200))
    path = Column(String(200))


def get_db() -> Session: ...


@app.post("/files")
def add(name: str, db: Session = Depends(get_db)):
    file = File(name=name)
    db.add(file)
    db.commit()
    return {"id": file.id, "name": file.name, "note": file.note}


@app.get("/files")
def files(db: Session = Depends(get_db)):
    return [{"id": row.id, "name": row.name, "note": row.note} for row in db.query(File).limit(9).all()]
""",
        },
        {
            "main.py": """\
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import Session, declarative_base

Base = declarative_base()
app = FastAPI()


class File(Base):
    __tablename__ = "file"
    id = Column(Integer, primary_key=True)
    name = Column(String(200), nullable=False)
    note = Column(String(200))
    path = Column(String(200))


class FilePublic(BaseModel):
    id: int
    name: str
    note: str | None


def get_db() -> Session: ...


@app.post("/files")
def add(name: str, db: Session = Depends(get_db)) -> FilePublic:
    file = File(name=name)
    db.add(file)
    db.commit()
    return {"id": file.id, "name": file.name, "note": file.note}


@app.get("/files")
def files(db: Session = Depends(get_db)) -> list[FilePublic]:
    return [{"id": row.id, "name": row.name, "note": row.note} for row in db.query(File).limit(9).all()]
""",
        },
    ),
    Case(
        "a Decimal that may be whole, a value of unknown type, settings of the route that would begin to count",
        {
            "main.py": """\
from decimal import Decimal

from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel

from elsewhere import rating


class Product(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    stock: int
    price: Decimal


def get_session() -> Session: ...


app = FastAPI()


@app.get("/prices/{product_id}")
def price(product_id: int, session: Session = Depends(get_session)):
    product = session.get_one(Product, product_id)
    return {"name": product.name, "stock": product.stock, "price": product.price}


@app.get("/ratings/{product_id}")
def rated(product_id: int, session: Session = Depends(get_session)):
    product = session.get_one(Product, product_id)
    return {"id": product.id, "name": product.name, "stock": product.stock, "stars": rating(product)}


@app.get("/names/{product_id}", response_model_exclude_none=True)
def name(product_id: int, session: Session = Depends(get_session)):
    product = session.get_one(Product, product_id)
    return {"id": product.id, "name": product.name, "stock": product.stock}
""",
        },
        stopped=("main.py:25", "main.py:31", "main.py:34"),
    ),
    Case(
        "a time that no schema wrote until now",
        {
            "main.py": """\
from datetime import datetime

from fastapi import Depends, FastAPI
from sqlalchemy import DateTime
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase): ...


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def get_session() -> Session: ...


app = FastAPI()


@app.get("/notes/{note_id}")
def note(note_id: int, session: Session = Depends(get_session)):
    return session.get(Note, note_id)
""",
        },
        stopped=("main.py:24",),
    ),
    Case(
        "public schemas, and a dictionary of constants",
        {
            "main.py": """\
from fastapi import FastAPI
from sqlmodel import Field, SQLModel

app = FastAPI()


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


class TeamPublic(SQLModel):
    name: str


@app.get("/teams", response_model=list[TeamPublic])
def teams() -> list[Team]: ...


@app.get("/health")
def health():
    return {"status": "ok"}
""",
        },
    ),
)
