"""Relationships: where rows are asked for them, and whether they were loaded with the rows.

A relationship that nobody loads eagerly costs a statement each time it is touched (and fails on an
async session). It is lazy for sure when the query that loaded the row is known and names no option
for it, or when no option in the whole project ever names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import msgspec

from fastwright.app.calls import CallSite
from fastwright.app.model import App
from fastwright.app.models import Relationship, Schema, Table
from fastwright.app.origins import Origin
from fastwright.app.scopes import Where
from fastwright.app.surroundings import Surroundings
from fastwright.app.symbols import Class, Function
from fastwright.app.types import (
    ClassObject,
    Instance,
    Query,
    Sequence,
    Type,
    alternatives,
)
from fastwright.read import syntax as s
from fastwright.read.module import Module

_LOADERS = frozenset(
    {"selectinload", "joinedload", "subqueryload", "contains_eager", "immediateload", "raiseload",
     "lazyload", "noload", "defaultload", "Load", "load_only"}
)  # fmt: skip
EAGER = frozenset(
    {"selectinload", "joinedload", "subqueryload", "contains_eager", "immediateload", "raiseload",
     "noload"}
)  # fmt: skip
_NAMING = _LOADERS | {"refresh", "options"}
_DEPTH = 3


class Touch(msgspec.Struct, frozen=True, eq=False):
    """A relationship that a function reads from a row."""

    function: Function
    node: s.Attribute
    row: Instance
    relationship: Relationship
    around: Surroundings


class ParameterTouch(msgspec.Struct, frozen=True, eq=False):
    """A relationship that a function reads from a row which a parameter (or ``self``) gives it."""

    parameter: str
    touch: Touch
    chain: tuple[CallSite, ...]


class Serialised(msgspec.Struct, frozen=True, eq=False):
    """A relationship that a schema reads from a row. ``path`` names what leads to it."""

    path: tuple[Relationship, ...]
    schema: Schema
    field: str

    @property
    def relationship(self) -> Relationship:
        """The relationship itself."""
        return self.path[-1]

    @property
    def names(self) -> str:
        """``items.product``."""
        return ".".join(relationship.name for relationship in self.path)


@dataclass(eq=False)
class Loading:
    """What is loaded when, for one application."""

    app: App
    _touches: dict[int, tuple[Touch, ...]] = field(default_factory=dict)
    _parameters: dict[int, tuple[ParameterTouch, ...]] = field(default_factory=dict)
    _named: tuple[frozenset[str], bool] | None = None

    # ------------------------------------------------------------------ laziness

    def is_lazy(self, relationship: Relationship, query: Query | None) -> bool:
        """Whether touching a relationship of a row that ``query`` loaded surely asks the database."""
        return self.is_lazy_path((relationship,), query)

    def is_lazy_path(
        self,
        path: tuple[Relationship, ...],
        query: Query | None,
        came_from: Iterable[Origin] = (),
    ) -> bool:
        """The same for the last of several relationships, each of the rows of the one before.

        Where ``query`` is not known, ``came_from`` may say from which statements the rows come.
        """
        last = path[-1]
        if not by_default(last):
            return False
        names = tuple(relationship.name for relationship in path)
        if query is not None and query.kind == "select" and not query.legacy:
            if not query.options_known:
                return False
            if any(
                option.strategy in EAGER and option.path[: len(names)] == names
                for option in query.options
            ):
                return False
            if len(path) == 1:
                return True
        known = list(came_from)
        if query is None and known and all(_names_no_option(origin) for origin in known):
            return True
        named, opaque = self.named
        return not opaque and last.name not in named

    @property
    def named(self) -> tuple[frozenset[str], bool]:
        """Names that loading options mention anywhere; whether some option could not be read."""
        if self._named is None:
            names: set[str] = set()
            opaque = False
            for module in self.app.model_modules:
                for node in self._calls(module):
                    found = _names_in(node)
                    opaque = opaque or found is None
                    names |= found or set()
            self._named = (frozenset(names), opaque)
        return self._named

    def _calls(self, module: Module) -> Iterator[s.Call]:
        roots: list[s.Node] = list(module.facts.body)
        for function in self.app.every_function(module, _NAMING):
            roots.extend(function.node.body)
        for cls in self.app.linker.scope(module).names.values():
            if isinstance(cls, Class):
                roots.extend(node for node in cls.node.body if not isinstance(node, s.FunctionDef))
        for node in s.walk_scope(*roots):
            if isinstance(node, s.Call) and s.last_name(node.func) in _LOADERS | {"refresh"}:
                yield node

    # ------------------------------------------------------------------- touches

    def touches(self, function: Function) -> tuple[Touch, ...]:
        """Return the relationships that a function reads from rows."""
        key = id(function.node)
        found = self._touches.get(key)
        if found is None:
            found = self._touches[key] = tuple(self._find(function))
        return found

    def _find(self, function: Function) -> Iterator[Touch]:
        names = self._relationship_names
        if not names:
            return
        nodes = self.app.calls.nodes(function)
        written: set[int] | None = None
        where = Where(function.module, function)
        for node, around in nodes:
            if not isinstance(node, s.Attribute) or node.attr not in names:
                continue
            if written is None:
                written = _written(nodes)
            if id(node) in written:
                continue
            for option in alternatives(self.app.types.of(node.value, where)):
                table = self.table_of(option)
                if table is None or not isinstance(option, Instance):
                    continue
                relationship = table.relationships.get(node.attr)
                if relationship is not None:
                    yield Touch(function, node, option, relationship, around)

    @property
    def _relationship_names(self) -> frozenset[str]:
        found = self.__dict__.get("_all_names")
        if found is None:
            found = frozenset(name for table in self.app.tables for name in table.relationships)
            self.__dict__["_all_names"] = found
        return found

    def table_of(self, found: Type) -> Table | None:
        """Return the table of which a value is a row, or None."""
        if isinstance(found, Instance) and isinstance(found.cls, Class):
            return self.app.models.table(found.cls)
        return None

    def of_parameters(self, function: Function, depth: int = 0) -> tuple[ParameterTouch, ...]:
        """Return the relationships that a function, or what it calls, reads from its parameters."""
        key = id(function.node)
        found = self._parameters.get(key)
        if found is None:
            self._parameters[key] = ()
            found = self._parameters[key] = tuple(self._of_parameters(function, depth))
        return found

    def _of_parameters(self, function: Function, depth: int) -> Iterator[ParameterTouch]:
        if not self._relationship_names:
            return
        params = {parameter.name for parameter in function.node.params}
        for touch in self.touches(function):
            base = touch.node.value
            if isinstance(base, s.Name) and base.id in params and not _in_branch(touch.around):
                yield ParameterTouch(base.id, touch, ())
        if depth >= _DEPTH:
            return
        for site in self.app.calls.sites(function):
            if _in_branch(site.around):
                continue
            for target in site.targets[:1]:
                for inner in self.of_parameters(target, depth + 1):
                    given = given_for(site, target, inner.parameter)
                    if isinstance(given, s.Name) and given.id in params:
                        yield ParameterTouch(given.id, inner.touch, (site, *inner.chain))

    # ---------------------------------------------------------------- serialising

    def serialised(
        self, schema: Class, table: Table, before: tuple[Relationship, ...] = ()
    ) -> Iterator[Serialised]:
        """Yield the relationships that ``schema`` reads when it is made from a row of ``table``."""
        described = self.app.models.schema(schema)
        if described is None or self.app.models.table(schema) is not None or len(before) >= _DEPTH:
            return
        for name, found in described.fields.items():
            relationship = table.relationships.get(name)
            if relationship is None or found.excluded:
                continue
            nested = nested_schema(found.type)
            if nested is None:
                continue
            path = (*before, relationship)
            yield Serialised(path, described, name)
            if relationship.target is not None:
                below = self.app.models.table(relationship.target)
                if below is not None:
                    yield from self.serialised(nested, below, path)


_LOADING: WeakKeyDictionary[App, Loading] = WeakKeyDictionary()


def loading(app: App) -> Loading:
    """Return what is known of loading in an application; made once."""
    found = _LOADING.get(app)
    if found is None:
        found = _LOADING[app] = Loading(app)
    return found


def given_for(site: CallSite, target: Function, parameter: str) -> s.Expr | None:
    """Return what a call gives for a parameter; for ``self`` what the method is called on."""
    params = target.node.params
    if target.owner is not None and not target.is_static and params:
        if params[0].name == parameter:
            func = site.node.func
            return func.value if isinstance(func, s.Attribute) else None
    names = [p.name for p in target.parameters]
    if parameter not in names:
        return None
    return site.node.argument(names.index(parameter), parameter)


def nested_schema(found: Type) -> Class | None:
    """Return the class that a field holds, alone, optional or in a list."""
    for option in alternatives(found):
        inner = option.element if isinstance(option, Sequence) and option.kind != "dict" else option
        for single in alternatives(inner):
            if isinstance(single, Instance) and isinstance(single.cls, Class):
                return single.cls
    return None


def rows_of(found: Type) -> tuple[Instance, bool] | None:
    """Return the row that a value is or holds, and whether it may be many."""
    for option in alternatives(found):
        if isinstance(option, Sequence) and option.kind != "dict":
            for single in alternatives(option.element):
                if isinstance(single, Instance) and isinstance(single.cls, Class):
                    return single, True
        elif isinstance(option, Instance) and isinstance(option.cls, Class):
            return option, False
    return None


def schema_class(found: Type) -> Class | None:
    """Return the project class that a value is, or is an instance of."""
    if isinstance(found, (ClassObject, Instance)) and isinstance(found.cls, Class):
        return found.cls
    return None


def _names_no_option(origin: Origin) -> bool:
    """Whether rows were surely loaded without any option."""
    execution = origin.execution
    if execution is None or execution.kind != "read":
        return False
    if execution.by_key:
        return execution.site.node.keyword("options") is None
    query = execution.query
    return query is not None and query.options_known and not query.options


def by_default(relationship: Relationship) -> bool:
    """Whether a relationship is loaded when it is touched, as far as its declaration says."""
    if relationship.lazy not in {None, "select", "True"}:
        return False
    call = relationship.node.value
    if not isinstance(call, s.Call):
        return False
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in {
            "sa_relationship",
            "collection_class",
            "viewonly",
        }:
            return False
        if keyword.arg == "lazy" and s.string(keyword.value) is None:
            return False
        if keyword.arg == "uselist" and getattr(keyword.value, "value", None) is False:
            return False  # one to one: most rows may have none, and then nothing is asked
        if keyword.arg == "sa_relationship_kwargs" and not isinstance(keyword.value, s.Dict):
            return False
    annotation = (
        relationship.node.annotation if isinstance(relationship.node, s.AnnAssign) else None
    )
    wrapper = s.last_name(annotation.value) if isinstance(annotation, s.Subscript) else None
    return wrapper not in {"DynamicMapped", "WriteOnlyMapped"}


def _names_in(call: s.Call) -> set[str] | None:
    """Return the relationships that an option names; None where that cannot be read."""
    names: set[str] = set()
    if s.last_name(call.func) == "refresh":
        for node in s.walk(*call.args[1:], *(k.value for k in call.keywords)):
            text = s.string(node)
            if text is not None:
                names.add(text)
        return names
    if s.last_name(call.func) in {"Load", "load_only"}:
        return names
    for arg in call.args:
        text = s.string(arg)
        if isinstance(arg, s.Attribute):
            names.add(arg.attr)
        elif text is not None:
            if text == "*":
                return None
            names.update(text.split("."))
        elif isinstance(arg, s.Call) and isinstance(arg.func, s.Attribute):
            base = arg.func.value  # Order.items.and_(...), Order.items.of_type(...)
            if not isinstance(base, s.Attribute):
                return None
            names.add(base.attr)
        else:
            return None
    return names


def _written(nodes: list[tuple[s.Node, Surroundings]]) -> set[int]:
    """Return the attributes that are assigned rather than read."""
    found: set[int] = set()
    for node, _ in nodes:
        if isinstance(node, s.Assign):
            found.update(id(target) for target in node.targets)
        elif isinstance(node, s.AnnAssign):
            found.add(id(node.target))
        elif isinstance(node, s.Delete):
            found.update(id(target) for target in node.targets)
    return found


def _in_branch(around: Surroundings) -> bool:
    return around.handled or around.deferred
