"""The methods of a Pydantic 2 model begin with `model_`.

`dict()`, `json()`, `copy()`, `parse_obj()`, `from_orm()` and their like come from version 1:
version 2 keeps them with a warning on every call, version 3 drops them. `from_orm` also needs
`from_attributes=True` now, and `json()` no longer takes arguments for `json.dumps`.

Reported only where the value is known to be a Pydantic 2 model: from an annotation, a
constructor, a return type or what FastAPI injects. A model that defines the method itself, a
function that asks with `hasattr` which version it has, and a value that may be something else
(`httpx.Response.json()`, a plain dict's `copy()`) are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.surroundings import Placed, Surroundings
from fastwright.app.symbols import Class, Function
from fastwright.app.types import ClassObject
from fastwright.edit.builders import replace
from fastwright.edit.fix import Fix
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.evidence import place
from fastwright.rules.finding import Hit
from fastwright.rules.rule import Case, Rule, case
from fastwright.rules.schema._pydantic import is_model, is_v2, models_in, serves_both

_INSTANCE = {
    "copy": "model_copy",
    "dict": "model_dump",
    "json": "model_dump_json",
}
_CLASS = {
    "construct": "model_construct",
    "from_orm": "model_validate",
    "parse_obj": "model_validate",
    "parse_file": "model_validate_json",
    "parse_raw": "model_validate_json",
    "schema": "model_json_schema",
    "schema_json": "model_json_schema",
    "update_forward_refs": "model_rebuild",
    "validate": "model_validate",
}
_NEW = _INSTANCE | _CLASS
_ATTRIBUTES = {"__fields__": "model_fields", "__fields_set__": "model_fields_set"}
_NAMES = frozenset(_NEW)
_DUMPING = frozenset(
    {"include", "exclude", "by_alias", "exclude_unset", "exclude_defaults", "exclude_none"}
)
_SAME_ARGUMENTS: dict[str, frozenset[str]] = {
    "copy": frozenset({"update", "deep"}),
    "dict": _DUMPING,
    "from_orm": frozenset(),
    "json": _DUMPING | {"indent"},
    "parse_obj": frozenset(),
    "parse_raw": frozenset(),
    "schema": frozenset({"by_alias", "ref_template"}),
    "update_forward_refs": frozenset(),
    "validate": frozenset(),
}
"""Old name -> the keywords that the new method takes as well."""
_OF_ONE = frozenset({"from_orm", "parse_obj", "parse_raw", "validate"})
"""What takes one value by position, before and now."""


def check(app: App) -> Iterator[Hit]:
    """Report each method of Pydantic 1 that is called on a model."""
    if not is_v2(app):
        return
    for module in app.sources:
        hits: list[Hit] = []
        for function in app.every_function(module, _NAMES):
            hits.extend(_in_function(app, function))
        if any(name.encode() in module.source for name in _ATTRIBUTES):
            for function in app.every_function(module):
                hits.extend(_attributes(app, function))
        hits.extend(_at_import(app, module))
        if hits and not serves_both(module):
            yield from hits


def _in_function(app: App, function: Function) -> Iterator[Hit]:
    nodes = app.calls.nodes(function)
    if _asks_version(nodes):
        return
    where = Where(function.module, function)
    for node, around in nodes:
        if isinstance(node, s.Call) and isinstance(node.func, s.Attribute) and not around.handled:
            name = node.func.attr
            if name in _NEW and not (
                _overrides(node.func, function) or _narrowed(node.func, around)
            ):
                model = _model(app, node.func, where)
                if model is not None:
                    message = f"{model.name}.{name}() is of Pydantic 1: write {_NEW[name]}"
                    fix = _renamed(function.module, node, node.func)
                    yield Hit(place(function.module, node), message, (), fix)


def _at_import(app: App, module: Module) -> Iterator[Hit]:
    """``Order.update_forward_refs()`` and the like, as statements of a module."""
    for statement in module.facts.body:
        node = statement.value if isinstance(statement, (s.ExprStmt, s.Assign)) else None
        if not isinstance(node, s.Call) or not isinstance(node.func, s.Attribute):
            continue
        name = node.func.attr
        cls = app.linker.expression(node.func.value, module) if name in _CLASS else None
        if not isinstance(cls, Class) or not is_model(app, cls) or app.linker.method(cls, name):
            continue
        message = f"{cls.name}.{name}() is of Pydantic 1: write {_NEW[name]}"
        yield Hit(place(module, node), message, (), _renamed(module, node, node.func))


def _renamed(module: Module, call: s.Call, func: s.Attribute) -> Fix | None:
    """Return the fix that writes the new name, where the arguments mean the same to both."""
    name = s.Name(func.end - len(func.attr), func.end, func.attr)
    renamed = replace(module, name, _NEW[func.attr])
    if func.attr == "construct":  # takes the same, whatever it is
        return Fix("safe", (renamed,))
    if func.attr == "schema_json":
        return _as_text(module, call, func)
    if func.attr == "parse_file":
        return _from_file(module, call, func)
    known = _SAME_ARGUMENTS.get(func.attr)
    if known is None or len(call.args) > (1 if func.attr in _OF_ONE else 0):
        return None
    if any(keyword.arg not in known for keyword in call.keywords):
        return None
    return Fix("safe", (renamed,))


def _as_text(module: Module, call: s.Call, func: s.Attribute) -> Fix | None:
    """``Order.schema_json(indent=2)`` was ``json.dumps`` of the schema, with its arguments."""
    brought = bring(module, "json", "dumps") if _has_dumps(module) else bring(module, "json")
    if brought is None or call.args or any(keyword.arg is None for keyword in call.keywords):
        return None
    dumps = brought.name if _has_dumps(module) else f"{brought.name}.dumps"
    own = [text(module, k) for k in call.keywords if k.arg in _SAME_ARGUMENTS["schema"]]
    others = [text(module, k) for k in call.keywords if k.arg not in _SAME_ARGUMENTS["schema"]]
    schema = f"{text(module, func.value)}.model_json_schema({', '.join(own)})"
    written = f"{dumps}({', '.join([schema, *others])})"
    return Fix("safe", (replace(module, call, written),), brought.imports)


def _from_file(module: Module, call: s.Call, func: s.Attribute) -> Fix | None:
    """``Order.parse_file("order.json")`` reads the file itself."""
    brought = bring(module, "pathlib", "Path")
    if brought is None or len(call.args) != 1 or call.keywords:
        return None
    if isinstance(call.args[0], s.Starred):
        return None
    read = f"{brought.name}({text(module, call.args[0])}).read_bytes()"
    written = f"{text(module, func.value)}.model_validate_json({read})"
    return Fix("safe", (replace(module, call, written),), brought.imports)


def _attributes(app: App, function: Function) -> Iterator[Hit]:
    """``order.__fields_set__``, and ``Order.__fields__`` where only the names are asked for."""
    module, nodes = function.module, app.calls.nodes(function)
    if _asks_version(nodes):
        return
    where = Where(module, function)
    names_only = _names_only(nodes)
    for node, around in nodes:
        if not isinstance(node, s.Attribute) or node.attr not in _ATTRIBUTES or around.handled:
            continue
        models = models_in(app, app.types.of(node.value, where))
        if models is None:
            continue
        new = _ATTRIBUTES[node.attr]
        message = f"{models[0][0].name}.{node.attr} is of Pydantic 1: write {new}"
        fix = None
        if node.attr == "__fields_set__" or id(node) in names_only:
            holder = text(module, node.value)
            is_class = all(isinstance(found, ClassObject) for _, found in models)
            if node.attr == "__fields__" and not is_class:
                holder = f"type({holder})"
            fix = Fix("safe", (replace(module, node, f"{holder}.{new}"),))
        yield Hit(place(module, node), message, (), fix)


def _names_only(nodes: Placed) -> set[int]:
    """Return what is only iterated, counted, or asked whether it has a name: no field is looked at."""
    found: set[int] = set()
    for node, _ in nodes:
        if isinstance(node, s.Compare) and {*node.ops} <= {"in", "not in"}:
            found.update(id(each) for each in node.comparators)
        elif isinstance(node, (s.For, s.Generator)):
            found.add(id(node.iter))
        elif isinstance(node, s.Comp):
            found.update(id(each.iter) for each in node.generators)
        elif isinstance(node, s.Call) and s.last_name(node.func) in {
            "len",
            "list",
            "set",
            "sorted",
        }:
            found.update(id(each) for each in node.args)
        elif isinstance(node, s.Attribute) and node.attr == "keys":
            found.add(id(node.value))
    return found


def _has_dumps(module: Module) -> bool:
    return module.imported.get("dumps") == "json.dumps"


def _asks_version(nodes: Placed) -> bool:
    """Whether a function asks an object which methods it has."""
    return any(
        isinstance(node, s.Call)
        and s.last_name(node.func) in {"hasattr", "getattr"}
        and any((s.string(arg) or "").removeprefix("model_") in _ASKED for arg in node.args)
        for node, _ in nodes
    )


_ASKED = frozenset(
    {"dict", "dump", "json", "dump_json", "copy", "parse_obj", "validate", "rebuild", "fields",
     "fields_set", *_ATTRIBUTES}
)  # fmt: skip


def _overrides(func: s.Attribute, function: Function) -> bool:
    """``super().dict()`` in a method ``dict``: kept for those who still call it."""
    return func.attr == function.name and s.last_name(func.value) == "super"


def _narrowed(func: s.Attribute, around: Surroundings) -> bool:
    """Whether the call stands under ``isinstance(value, ...)``: its declared type says little."""
    value = s.dotted(func.value)
    return any(
        isinstance(node, s.Call)
        and s.last_name(node.func) in {"isinstance", "type"}
        and bool(node.args)
        and s.dotted(node.args[0]) == value
        and s.last_name(node.args[-1]) != "BaseModel"
        for branch in around.branches
        for node in s.walk(branch.test)
    )


def _model(app: App, func: s.Attribute, where: Where) -> Class | None:
    """Return the model whose own, inherited method of Pydantic 1 this is."""
    models = models_in(app, app.types.of(func.value, where))
    if models is None:
        return None
    for cls, found in models:
        if isinstance(found, ClassObject) and func.attr not in _CLASS:
            return None
        if app.linker.method(cls, func.attr) or app.linker.class_attribute(cls, func.attr):
            return None
    return models[0][0]


RULE = Rule(
    summary="a method of Pydantic 1",
    severity="warning",
    mend="Call the method of version 2: `model_dump`, `model_dump_json`, `model_copy`,"
    " `model_validate` (with `from_attributes=True` in the config for `from_orm`).",
    app=check,
    since={"pydantic": "2.0"},
    references=("https://docs.pydantic.dev/latest/migration/#changes-to-pydanticbasemodel",),
)

CASES = (
    case(
        "the body of an endpoint",
        """
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Order(BaseModel):
            name: str

        @app.post("/orders")
        def create(order: Order, raw: bool = False) -> dict:
            if isinstance(order, BaseModel) and raw:
                return order.json()  # <-
            return order.dict(exclude={"name"})  # <-
        """,
        after="""
        from fastapi import FastAPI
        from pydantic import BaseModel

        app = FastAPI()

        class Order(BaseModel):
            name: str

        @app.post("/orders")
        def create(order: Order, raw: bool = False) -> dict:
            if isinstance(order, BaseModel) and raw:
                return order.model_dump_json()
            return order.model_dump(exclude={"name"})
        """,
        pydantic="2.9.0",
    ),
    Case(
        "what another module's function returns",
        {
            "app/__init__.py": "",
            "app/schemas.py": """
            from pydantic import BaseModel

            class Base(BaseModel):
                id: int

            class Order(Base):
                name: str
            """,
            "app/service.py": """
            from app.schemas import Order

            def load(row) -> Order | None:
                return Order.from_orm(row)  # <-

            def text(row) -> str:
                order = load(row)
                return order.json() if order else ""  # <-
            """,
        },
        {"pydantic": "2.9.0"},
    ),
    case(
        "what a model says of its fields, and a file",
        """
        from pydantic import BaseModel

        class Order(BaseModel):
            name: str

            @classmethod
            def known(cls, name: str) -> bool:
                return name in cls.__fields__  # <-

        def load(path: str, order: Order) -> list[str]:
            Order.parse_file(path)  # <-
            names = [name for name in order.__fields__]  # <-
            kind = Order.__fields__["name"].annotation  # <-
            return [*order.__fields_set__, *names, str(kind)]  # <-
        """,
        after="""
        from pathlib import Path

        from pydantic import BaseModel

        class Order(BaseModel):
            name: str

            @classmethod
            def known(cls, name: str) -> bool:
                return name in cls.model_fields

        def load(path: str, order: Order) -> list[str]:
            Order.model_validate_json(Path(path).read_bytes())
            names = [name for name in type(order).model_fields]
            kind = Order.__fields__["name"].annotation  # <-
            return [*order.model_fields_set, *names, str(kind)]
        """,
        pydantic="2.9.0",
    ),
    case(
        "dicts, responses and mixtures",
        """
        import httpx
        from pydantic import BaseModel

        class Order(BaseModel):
            name: str

        def one(data: dict, response: httpx.Response):
            return data.copy(), response.json()

        def two(data: Order | dict):
            return data.copy()

        def three(data):
            return data.dict()

        def four(data: Order | None):
            if isinstance(data, dict):
                return data.copy()
            return data
        """,
        pydantic="2.9.0",
    ),
    case(
        "a model with a method of its own, and code for both versions",
        """
        from pydantic import BaseModel

        class Order(BaseModel):
            name: str

            def dict(self, **options):
                return super().dict(**options)

        class Line(BaseModel):
            name: str

        def one(order: Order):
            return order.dict()

        def two(line: Line):
            if hasattr(line, "model_dump"):
                return line.model_dump()
            return line.dict()

        def three(line: Line):
            try:
                return line.model_dump()
            except AttributeError:
                return line.dict()

        def four(line: Line):
            try:
                return line.model_fields_set
            except AttributeError:
                return line.__fields_set__

        def five(line: Line):
            return line.model_fields if hasattr(line, "model_fields") else line.__fields__
        """,
        pydantic="2.9.0",
    ),
    case(
        "a model of pydantic.v1, and one of an unknown base",
        """
        from elsewhere import Base
        from pydantic.v1 import BaseModel

        class Old(BaseModel):
            name: str

        class Foreign(Base):
            name: str

        def both(old: Old, foreign: Foreign):
            return old.dict(), foreign.dict()
        """,
        pydantic="2.9.0",
    ),
    case(
        "Pydantic 1 is installed",
        """
        from pydantic import BaseModel

        class Order(BaseModel):
            name: str

        def both(order: Order):
            return order.dict()
        """,
        pydantic="1.10.13",
    ),
)
