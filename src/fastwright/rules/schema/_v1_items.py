"""``each_item=True`` of Pydantic 1: the function becomes one of the items' type, ``List[Annotated[str, AfterValidator(f)]]``."""

from __future__ import annotations

from fastwright.app.symbols import Class
from fastwright.edit import source as at
from fastwright.edit.builders import delete_member, insert, insert_before, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring, is_taken
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.rules.schema._pydantic import from_typing

_HOLDING = frozenset({"List", "list", "Set", "set", "FrozenSet", "frozenset", "Sequence"})
_KEYED = frozenset({"Dict", "dict", "Mapping"})


def of_items(
    cls: Class, function: s.FunctionDef, fields: tuple[str, ...], *, before: bool
) -> tuple[list[Edit], list[Import]] | str:
    """Return the edits that move a validator out of its class, to the type of the items; or why not."""
    module = cls.module
    if cls.node not in module.facts.body or len(function.decorators) > 2:
        return "each_item, and its class or its decorators are not plain ones"
    if any(s.last_name(each) not in {"validator", "classmethod"} for each in function.decorators):
        return "each_item, and it has another decorator"
    if [p.kind for p in function.params] != ["plain", "plain"] or _names(function, "cls"):
        return "each_item, and it asks for more than the value"
    source = module.source[function.start : function.end].decode()
    name, own = f"_{function.name.strip('_')}", function.params[0].name
    if _is_taken(module, function, name) or _names(function, own) or function.is_async:
        return f"each_item, and {name} is taken or its class is asked for"
    if '"""' in source or "'''" in source or "\\\n" in source:
        return "each_item, and a text in it goes over several lines"
    holder = bring(module, "pydantic", "BeforeValidator" if before else "AfterValidator")
    annotated = from_typing(module, "Annotated")
    if holder is None or annotated is None:
        return "each_item, and the names that it would need are taken"
    edits = []
    for field in fields:
        node = cls.own_attributes.get(field)
        item = _item(node.annotation) if isinstance(node, s.AnnAssign) else None
        if item is None:
            return f"each_item, and what {field} holds is not plain to see"
        if isinstance(item, s.Subscript):
            if before:
                return "several run before, which version 2 does in the opposite order"
            edits.append(insert(module, item.end - 1, f", {holder.name}({name})"))
        else:
            kind = f"{annotated.name}[{at.text(module, item)}, {holder.name}({name})]"
            edits.append(replace(module, item, kind))
    edits += delete_member(module, cls.node.body, function)
    edits.append(insert_before(module, cls.node, _moved(module.source, function, name)))
    return edits, [*holder.imports, *annotated.imports]


def _item(annotation: s.Expr) -> s.Expr | None:
    """Return the type of the items of a list, a set, or the values of a dictionary."""
    if not isinstance(annotation, s.Subscript):
        return None
    name, inner = s.last_name(annotation.value), annotation.slice
    if name == "Optional":
        return _item(inner)
    if name in _KEYED and isinstance(inner, s.Tuple) and len(inner.elts) == 2:
        inner = inner.elts[1]
    elif name not in _HOLDING:
        return None
    if isinstance(inner, s.Subscript):
        return inner if s.last_name(inner.value) == "Annotated" else None
    return inner if isinstance(inner, (s.Name, s.Attribute)) else None


def _is_taken(module: Module, function: s.FunctionDef, name: str) -> bool:
    if name == function.name:
        return any(
            (isinstance(node, s.Name) and node.id == name)
            or (isinstance(node, s.FunctionDef) and node.name == name and node is not function)
            for node in module.walk()
        )
    return is_taken(module, name)


def _names(function: s.FunctionDef, name: str) -> bool:
    return any(
        isinstance(node, s.Name) and node.id in {name, "super", "__class__"}
        for node in s.walk(*function.body)
    )


def _moved(source: bytes, function: s.FunctionDef, name: str) -> str:
    """Return a method as a function of the value alone, as far to the left as its class."""
    margin = at.indentation(source, function.start)
    first, second = function.params
    head = source[function.start : function.name_start].decode()
    between = source[function.name_start + len(function.name.encode()) : first.start].decode()
    rest = source[second.start : function.end].decode()
    lines = f"{head}{name}{between}{rest}".split("\n")
    moved = [lines[0], *(line.removeprefix(margin) for line in lines[1:])]
    return "\n".join(line.rstrip("\r") for line in moved) + "\n\n\n"
