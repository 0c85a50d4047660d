"""Models of a bare value: ``__root__`` of Pydantic 1 as ``RootModel``."""

from __future__ import annotations

from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, External
from fastwright.edit.builders import delete_statements, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.edit.source import blank_lines, line_start, text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Planned, Proposal, Stopped, Target
from fastwright.rules.schema._pydantic import model_classes, models_in, serves_both

_ROOT = "__root__"
_PLAIN = frozenset({"pydantic.BaseModel", "pydantic.generics.GenericModel"})
_OF_A_DICTIONARY = frozenset({"dict", "copy", "construct", "model_dump", "model_construct"})
"""Methods that show a root model as a dictionary with the key ``__root__``, or make it from one."""
_DECORATORS = frozenset({"validator", "field_validator"})


def root_models(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for all models of a bare value, with everything that looks into them.

    ``value.__root__`` says nothing of whose it is: either all are changed, or none.
    """
    found = [
        (cls, node)
        for cls in model_classes(app)
        if (node := cls.own_attributes.get(_ROOT)) is not None and not serves_both(cls.module)
    ]
    if not any(target.holds(cls.module.path) for cls, _ in found):
        return
    reasons = [reason for cls, node in found if (reason := _reason(app, cls, node))]
    looked = list(_looked_into(app, [cls for cls, _ in found]))
    reasons += [each for each in looked if isinstance(each, Stopped)]
    if reasons:
        told = {each.place for each in reasons}
        yield from reasons
        for cls, node in found:
            place = f"{cls.module.path}:{cls.module.line(node)}"
            if place not in told:
                yield Stopped(place, f"{cls.name} is changed together with the other root models")
        return
    edits = [each for each in looked if isinstance(each, Edit)]
    imports: list[Import] = []
    for cls, node in found:
        own, needed = _derived(app, cls, node)
        edits += own
        imports += needed
    places = tuple(f"{cls.module.path}:{cls.module.line(node)}" for cls, node in found)
    title = f"models of a bare value are RootModel: {', '.join(places)}"
    yield Proposal(title, tuple(edits), tuple(imports), places=places)


def _reason(app: App, cls: Class, node: s.AnnAssign | s.Assign) -> Stopped | None:
    """Return why a model cannot become a ``RootModel``."""
    place = f"{cls.module.path}:{cls.module.line(node)}"
    plain = [base for base in cls.node.bases if _is_plain(app, cls, base)]
    if len(plain) != 1 or bring(cls.module, "pydantic", "RootModel") is None:
        return Stopped(place, f"{cls.name} is not derived from BaseModel itself")
    if any(cls in app.linker.mro(each) and each is not cls for each in model_classes(app)):
        return Stopped(place, f"other models are derived from {cls.name}")
    if isinstance(node, s.Assign) and not _is_type(app, cls, node.value):
        return Stopped(place, "its root is a value that has no type")
    config = cls.own_classes.get("Config")
    if config is not None and "extra" in config.own_attributes:
        return Stopped(place, "a RootModel does not take the setting extra")
    return None


def _is_plain(app: App, cls: Class, base: s.Expr) -> bool:
    return app.linker.external(base, cls.module, cls.outer) in _PLAIN


def _is_type(app: App, cls: Class, value: s.Expr) -> bool:
    """Whether ``__root__ = List[str]`` says a type: what stands there is no value of the project."""
    if isinstance(value, s.Subscript):
        return app.linker.external(value.value, cls.module, cls.outer) is not None
    found = app.linker.expression(value, cls.module, cls.outer)
    return isinstance(found, (Class, External))


def _derived(
    app: App, cls: Class, node: s.AnnAssign | s.Assign
) -> tuple[list[Edit], tuple[Import, ...]]:
    """Return the edits that derive a model from ``RootModel``.

    The field itself stays where it says more than its type, or a type that is not known yet where the
    class begins.
    """
    module = cls.module
    brought = bring(module, "pydantic", "RootModel")
    base = next(base for base in cls.node.bases if _is_plain(app, cls, base))
    if brought is None:
        return [], ()
    annotation = node.annotation if isinstance(node, s.AnnAssign) else node.value
    value = node.value if isinstance(node, s.AnnAssign) else None
    if value is not None or _is_of_later(module, annotation):
        kept = f"root: {text(module, annotation)}"
        kept += f" = {text(module, value)}" if value is not None else ""
        edits = [replace(module, base, brought.name), replace(module, node, kept)]
    else:
        written = f"{brought.name}[{text(module, annotation)}]"
        edits = [replace(module, base, written), *_without(module, cls.node, node)]
    return edits, brought.imports


def _without(module: Module, cls: s.ClassDef, node: s.Stmt) -> list[Edit]:
    """Return the edits that take a field out of a class, with one of two blank lines around it."""
    source = module.source
    gone = delete_statements(module, cls.body, [node])
    start = line_start(source, node.start)
    parted = cls.body[0] is node or not source[line_start(source, start - 1) : start].strip()
    if len(cls.body) > 1 and parted:
        gone = [Edit(module.path, each.start, blank_lines(source, each.end), "") for each in gone]
    return gone


def _is_of_later(module: Module, annotation: s.Expr) -> bool:
    """Whether a type names something that may not be there yet when its class is made."""
    if module.imported.get("annotations") == "__future__.annotations":
        return True
    return any(isinstance(node, s.Constant) and node.kind == "str" for node in s.walk(annotation))


def _looked_into(app: App, found: list[Class]) -> Iterator[Edit | Stopped]:
    """Yield the edits of everything that names the root, and what cannot be changed."""
    own = {id(cls.own_attributes[_ROOT]) for cls in found}
    nodes = {id(cls.node) for cls in found}
    for module in app.modules.values():
        if _ROOT.encode() in module.source:
            yield from _named_in(module, own)
        yield from _shown_in(app, module, nodes)


def _named_in(module: Module, own: set[int]) -> Iterator[Edit | Stopped]:
    validated = {
        id(argument)
        for node in module.walk()
        if isinstance(node, s.Call) and s.last_name(node.func) in _DECORATORS
        for argument in node.args
    }
    fields = {
        id(part)
        for node in module.walk()
        if id(node) in own and isinstance(node, (s.Assign, s.AnnAssign))
        for part in (node.targets if isinstance(node, s.Assign) else [node.target])
    }
    for node in module.walk():
        if isinstance(node, s.Attribute) and node.attr == _ROOT:
            yield Edit(module.path, node.end - len(_ROOT), node.end, "root")
        elif isinstance(node, s.Keyword) and node.arg == _ROOT:
            yield Edit(module.path, node.start, node.start + len(_ROOT), "root")
        elif isinstance(node, s.Constant) and _ROOT in str(node.value):
            if id(node) not in validated or node.value != _ROOT:
                place = f"{module.path}:{module.line(node)}"
                yield Stopped(place, f"a text names {_ROOT}")
                continue
            yield replace(module, node, text(module, node).replace(_ROOT, "root"))
        elif isinstance(node, s.Name) and node.id == _ROOT and id(node) not in fields:
            yield Stopped(f"{module.path}:{module.line(node)}", f"{_ROOT} is not that of a model")


def _shown_in(app: App, module: Module, roots: set[int]) -> Iterator[Stopped]:
    """Yield the calls that show a root model as a dictionary, which version 2 does otherwise."""
    for function in app.every_function(module, _OF_A_DICTIONARY):
        where = Where(module, function)
        for node, _ in app.calls.nodes(function):
            if not isinstance(node, s.Call) or not isinstance(node.func, s.Attribute):
                continue
            if node.func.attr not in _OF_A_DICTIONARY:
                continue
            models = models_in(app, app.types.of(node.func.value, where)) or []
            if any(id(cls.node) in roots for cls, _ in models):
                place = f"{module.path}:{module.line(node)}"
                yield Stopped(place, f"{node.func.attr} shows a root model otherwise in version 2")
