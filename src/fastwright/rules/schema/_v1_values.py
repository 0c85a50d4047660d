"""``values`` of a validator of Pydantic 1: what its function does with them, and how version 2 says it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastwright.app.model import App
from fastwright.app.symbols import Class
from fastwright.edit.builders import replace
from fastwright.edit.fix import Edit
from fastwright.read import syntax as s
from fastwright.read.module import Module

_READING = frozenset({"get", "items", "keys", "values", "copy"})
_ASKING = frozenset({"isinstance", "dict", "len", "list", "set", "sorted", "tuple"})


def is_only_handed_back(function: s.FunctionDef, values: str) -> bool:
    """Whether a function asks nothing of its values, or asks first what they are."""
    body = function.body[1:] if function.doc is not None else function.body
    if body and isinstance(body[0], s.If):
        for node in s.walk(body[0].branches[0].test):
            if isinstance(node, s.Call) and s.last_name(node.func) == "isinstance" and node.args:
                return s.dotted(node.args[0]) == values
    returned = {
        id(node.value)
        for node in s.walk_scope(*function.body)
        if isinstance(node, s.Return) and node.value is not None
    }
    return all(id(node) in returned for node in _named(function, values))


def changes(function: s.FunctionDef, values: str) -> bool:
    """Whether a function may change the values that it is given, rather than only read them."""
    read: set[int] = set()
    for node in s.walk(*function.body):
        if (
            (isinstance(node, s.Return) and node.value is not None)
            or (isinstance(node, s.Attribute) and node.attr in _READING)
            or isinstance(node, s.Subscript)
        ):
            read.add(id(node.value))
        elif isinstance(node, s.Compare):
            read.update(id(each) for each in node.comparators)
        elif isinstance(node, s.Call) and s.last_name(node.func) in _ASKING:
            read.update(id(each) for each in node.args)
    if any(id(node) not in read for node in _named(function, values)):
        return True
    return any(s.dotted(target.value) == values for target in _put(function))


def of_validation(
    module: Module, function: s.FunctionDef, names: Sequence[str], info: str
) -> list[Edit] | str:
    """Return the edits that write ``values`` as ``info.data`` and ``field.name`` as its field's name."""
    if "values" in names and _changes_in_place(function, "values"):
        return "it changes the values"
    named_by = {
        id(node.value): node
        for node in s.walk(*function.body)
        if isinstance(node, s.Attribute) and node.attr == "name"
    }
    edits: list[Edit] = []
    for name in names:
        if _is_bound_inside(function, name):
            return f"{name} is also the name of something else in it"
        for node in _named(function, name):
            if name == "values":
                edits.append(replace(module, node, f"{info}.data"))
            elif name == "field" and id(node) in named_by:
                edits.append(replace(module, named_by[id(node)], f"{info}.field_name"))
            else:
                return f"it asks for {name}, which version 2 does not have"
    return edits


def _changes_in_place(function: s.FunctionDef, values: str) -> bool:
    """Whether a function changes its values, or may: by a method that does more than read."""
    if any(s.dotted(target.value) == values for target in _put(function)):
        return True
    return any(
        (isinstance(node, s.Attribute) and s.dotted(node.value) == values)
        and node.attr not in _READING
        for node in s.walk(*function.body)
    )


def of_instance(
    app: App, cls: Class, function: s.FunctionDef, *, may_assign: bool
) -> list[Edit] | str:
    """Return the edits by which a function of class and values reads its fields from ``self``."""
    module = cls.module
    own, values = (p.name for p in function.params)
    schema = app.models.schema(cls)
    if schema is None:
        return "the fields of the model are not known"
    for name in (own, values, "self"):
        if _is_bound_inside(function, name) or (name == "self" and any(_named(function, name))):
            return f"{name} is also the name of something else in it"
    put = {id(target) for target in _put(function)}
    seen: set[int] = set()
    edits: list[Edit] = []
    for node in s.walk(*function.body):
        read = _read(node, values)
        if read is None:
            continue
        holder, name = read
        if name not in schema.fields:
            return f"{values}[{name!r}] is no field of {cls.name}"
        if id(node) in put and not may_assign:
            return f"it sets {name}, which version 2 counts as sent, checks or forbids"
        seen.add(id(holder))
        edits.append(replace(module, node, f"self.{name}"))
    if not any(isinstance(node, s.Return) for node in s.walk_scope(*function.body)):
        return "it does not return the values"
    for node in s.walk_scope(*function.body):
        if isinstance(node, s.Return):
            if s.dotted(node.value) != values or node.value is None:
                return "it returns something else than the values"
            seen.add(id(node.value))
            edits.append(replace(module, node.value, "self"))
    whole = [node for node in _named(function, values) if id(node) not in seen]
    if whole and _is_rebound(module, "dict"):
        return "dict is the name of something else"
    looked_at = _looked_at(function)
    for node in whole:
        if id(node) not in looked_at:
            return "it may change the values, or hand them on"
        edits.append(replace(module, node, "dict(self)"))
    edits += _of_class(app, cls, function, own)
    return edits


def _is_rebound(module: Module, name: str) -> bool:
    """Whether a builtin means something else in a file."""
    return name in module.imported or any(name in _bound(node) for node in module.walk())


def _looked_at(function: s.FunctionDef) -> set[int]:
    """Return what is looked at as a whole and stays as it is: ``values.items()``, ``"a" in values``."""
    found: set[int] = set()
    for node in s.walk(*function.body):
        if isinstance(node, s.Attribute) and node.attr in _READING:
            found.add(id(node.value))
        elif isinstance(node, s.Compare):
            found.update(id(each) for each in node.comparators)
        elif isinstance(node, s.Call) and s.last_name(node.func) in _ASKING:
            found.update(id(each) for each in node.args)
        elif isinstance(node, (s.For, s.Generator)):
            found.add(id(node.iter))
    return found


def _of_class(app: App, cls: Class, function: s.FunctionDef, own: str) -> Iterator[Edit]:
    methods = {
        id(node.value)
        for node in s.walk(*function.body)
        if isinstance(node, s.Attribute) and app.linker.method(cls, node.attr) is not None
    }
    for node in _named(function, own):
        yield replace(cls.module, node, "self" if id(node) in methods else "type(self)")


def _read(node: s.Node, values: str) -> tuple[s.Expr, str] | None:
    """Return the name, and the key, of ``values["key"]`` and ``values.get("key")``."""
    if isinstance(node, s.Subscript):
        holder, key = node.value, s.string(node.slice)
    elif (
        isinstance(node, s.Call) and isinstance(node.func, s.Attribute) and node.func.attr == "get"
    ):
        if not node.args or node.keywords:
            return None
        holder, key = node.func.value, s.string(node.args[0])
    else:
        return None
    return (holder, key) if key is not None and s.dotted(holder) == values else None


def _named(function: s.FunctionDef, name: str) -> Iterator[s.Name]:
    for node in s.walk(*function.body):
        if isinstance(node, s.Name) and node.id == name:
            yield node


def _put(function: s.FunctionDef) -> Iterator[s.Subscript]:
    """Yield what is subscripted where something is assigned or deleted."""
    for node in s.walk(*function.body):
        targets: Sequence[s.Node] = ()
        if isinstance(node, (s.Assign, s.Delete)):
            targets = node.targets
        elif isinstance(node, (s.AugAssign, s.AnnAssign, s.For)):
            targets = [node.target]
        for target in s.walk(*targets):
            if isinstance(target, s.Subscript):
                yield target


def _is_bound_inside(function: s.FunctionDef, name: str) -> bool:
    """Whether a name stands for something else somewhere in a function."""
    return any(name in _bound(node) for node in s.walk(*function.body))


def _bound(node: s.Node) -> set[str]:
    """Return the names that a statement, a comprehension or a parameter binds."""
    if isinstance(node, (s.Parameter, s.FunctionDef, s.ClassDef)):
        return {node.name}
    if isinstance(node, s.ExceptHandler):
        return {node.name or ""}
    if isinstance(node, s.MatchCase):
        return set(node.names)
    targets: Sequence[s.Node | None] = ()
    if isinstance(node, (s.Assign, s.Delete)):
        targets = node.targets
    elif isinstance(node, (s.AugAssign, s.AnnAssign, s.For, s.Generator, s.NamedExpr)):
        targets = [node.target]
    elif isinstance(node, s.WithItem):
        targets = [node.optional_vars]
    elements = [e for t in targets for e in (t.elts if isinstance(t, (s.Tuple, s.List)) else [t])]
    return {each.id for each in elements if isinstance(each, s.Name)}
