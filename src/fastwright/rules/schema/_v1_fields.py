"""``fields`` in the configuration of Pydantic 1: what it says of a field becomes an argument of ``Field``."""

from __future__ import annotations

from fastwright.app.model import App
from fastwright.app.models import SETTINGS
from fastwright.app.symbols import Class
from fastwright.edit.builders import add_argument, insert, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module

_SAME = frozenset({"alias", "title", "description"})


def of_fields(app: App, cls: Class, value: s.Expr) -> tuple[list[Edit], list[Import]] | None:
    """Return the edits that write ``{"url": {"env": "URL"}}`` at the fields; None where one is not plain."""
    if not isinstance(value, s.Dict):
        return None
    edits: list[Edit] = []
    imports: list[Import] = []
    for key, said in zip(value.keys, value.values, strict=True):
        name = s.string(key)
        node = cls.own_attributes.get(name or "")
        arguments = _arguments(app, cls, name or "", said)
        if not isinstance(node, s.AnnAssign) or arguments is None:
            return None
        made = _with(cls.module, node, arguments)
        if made is None:
            return None
        edits.append(made[0])
        imports += [*made[1], *(need for _, needs in arguments.values() for need in needs)]
    return edits, imports


_Arguments = dict[str, tuple[str, tuple[Import, ...]]]


def _arguments(app: App, cls: Class, name: str, said: s.Expr) -> _Arguments | None:
    module = cls.module
    if s.string(said) is not None:
        return {"alias": (text(module, said), ())}
    if not isinstance(said, s.Dict):
        return None
    found: _Arguments = {}
    for key, value in zip(said.keys, said.values, strict=True):
        argument = s.string(key) or ""
        if argument in _SAME and s.string(value) is not None:
            found[argument] = (text(module, value), ())
        elif argument == "env" and not app.linker.ancestors(cls).isdisjoint(SETTINGS):
            written = variables(module, value)
            if written is None or is_given(app, cls, name):
                return None
            found["validation_alias"] = written
        else:
            return None
    return found


def variables(module: Module, value: s.Expr) -> tuple[str, tuple[Import, ...]] | None:
    """Return how the variables of a setting are written as ``validation_alias``; None if they are not plain."""
    if s.string(value) is not None:
        return text(module, value), ()
    several = value.elts if isinstance(value, (s.List, s.Tuple)) else []
    brought = bring(module, "pydantic", "AliasChoices")
    if brought is None or not several or any(s.string(each) is None for each in several):
        return None
    choices = ", ".join(text(module, each) for each in several)
    return f"{brought.name}({choices})", brought.imports


def _with(
    module: Module, node: s.AnnAssign, arguments: _Arguments
) -> tuple[Edit, tuple[Import, ...]] | None:
    written = ", ".join(f"{name}={value}" for name, (value, _) in arguments.items())
    brought = bring(module, "pydantic", "Field")
    value = node.value
    if brought is None or not arguments:
        return None
    if value is None:
        return insert(module, node.annotation.end, f" = {brought.name}({written})"), brought.imports
    if not isinstance(value, s.Call):
        return replace(
            module, value, f"{brought.name}({text(module, value)}, {written})"
        ), brought.imports
    taken = {keyword.arg for keyword in value.keywords}
    if s.dotted(value.func) != brought.name or taken & {None, "alias", "env", *arguments}:
        return None
    return add_argument(module, value, written), ()


def is_given(app: App, cls: Class, name: str) -> bool:
    """Whether somebody makes such settings with a value for the field, by its name."""
    family = {each.name for each in app.model_classes if cls in app.linker.mro(each)} | {cls.name}
    return any(
        isinstance(node, s.Call)
        and s.last_name(node.func) in family
        and any(keyword.arg in {None, name} for keyword in node.keywords)
        for module in app.modules.values()
        if any(each.encode() in module.source for each in family)
        for node in module.walk()
    )
