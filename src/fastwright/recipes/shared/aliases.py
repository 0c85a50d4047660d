"""One name for a dependency that is used more than once: ``SessionDep = Annotated[Session, Depends(get_session)]``."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import basename

import msgspec

from fastwright.app.model import App
from fastwright.app.symbols import Class, External, Function, Variable
from fastwright.edit.builders import behind_imports, insert_after, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring, is_taken
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Proposal, Target
from fastwright.recipes.shared.keepers import KEEPERS, keepers

_DEPENDING = frozenset({"fastapi.Depends", "fastapi.param_functions.Depends"})
_OFTEN = 2


class _Use(msgspec.Struct, frozen=True, eq=False):
    """``Annotated[T, Depends(f)]`` as it stands somewhere."""

    module: Module
    node: s.Subscript
    kind: Class | External
    """T."""
    function: Function


def shared(app: App, target: Target) -> Iterator[Proposal]:
    """Yield one change for each dependency that is written out more than once."""
    uses: dict[tuple[str, str], list[_Use]] = {}
    for module in app.sources:
        if "fastapi" in module.header.marks and b"Annotated[" in module.source:
            for use in _uses(app, module):
                uses.setdefault((_id(use.kind), use.function.id), []).append(use)
    proposals: list[Proposal] = []
    for found in uses.values():
        there = _alias(app, found[0])
        if target.name is None and any(target.holds(use.module.path) for use in found):
            if there is not None or len(found) >= _OFTEN:
                proposal = _proposal(app, found, there)
                if proposal is not None:
                    proposals.append(proposal)
    together = _together(proposals)
    if together is not None:
        yield together
    yield from proposals


def _together(proposals: list[Proposal]) -> Proposal | None:
    """Return one change of those that do not stand in each other's way: the application is read again once.

    Two aliases of one name do: which of them has it, the next one must see.
    """
    chosen: dict[str, Proposal] = {}
    for proposal in proposals:
        chosen.setdefault(proposal.title.partition(" ")[0], proposal)
    if len(chosen) < _OFTEN:
        return None
    return Proposal(
        "dependencies that are written out more than once have names",
        tuple(dict.fromkeys(edit for each in chosen.values() for edit in each.edits)),
        tuple(dict.fromkeys(needed for each in chosen.values() for needed in each.imports)),
        places=tuple(place for each in chosen.values() for place in each.places),
    )


def _id(kind: Class | External) -> str:
    return kind.id if isinstance(kind, Class) else kind.name


def _uses(app: App, module: Module) -> Iterator[_Use]:
    for function in module.functions:
        for parameter in function.params:
            node = parameter.annotation
            if isinstance(node, s.Subscript):
                use = _use(app, module, node)
                if use is not None:
                    yield use


def _use(app: App, module: Module, node: s.Subscript) -> _Use | None:
    """Return ``Annotated[T, Depends(f)]`` where T and f are known, and nothing else is said."""
    inner = node.slice
    if s.last_name(node.value) != "Annotated" or not isinstance(inner, s.Tuple):
        return None
    if len(inner.elts) != 2 or not isinstance(inner.elts[1], s.Call):
        return None
    kind, call = app.linker.expression(inner.elts[0], module, None), inner.elts[1]
    if app.linker.external(call.func, module) not in _DEPENDING:
        return None
    if len(call.args) != 1 or call.keywords or not isinstance(kind, (Class, External)):
        return None
    function = app.linker.expression(call.args[0], module, None)
    if not isinstance(function, Function) or function.owner or function.outer:
        return None
    if not isinstance(inner.elts[0], (s.Name, s.Attribute)):
        return None
    return _Use(module, node, kind, function)


def _alias(app: App, use: _Use) -> tuple[Module, str] | None:
    """Return the alias for a dependency that is there already."""
    for module in app.sources:
        if b"Annotated[" not in module.source:
            continue
        for name, symbol in app.linker.scope(module).names.items():
            if isinstance(symbol, Variable) and isinstance(symbol.value, s.Subscript):
                same = _use(app, module, symbol.value)
                if same is not None and (_id(same.kind), same.function.id) == (
                    _id(use.kind),
                    use.function.id,
                ):
                    return module, name
    return None


def _proposal(app: App, uses: list[_Use], there: tuple[Module, str] | None) -> Proposal | None:
    first = uses[0]
    edits: list[Edit] = []
    imports: list[Import] = []
    home, name = there or (_keeper(app, first.function), _name(app, first))
    if there is None:
        made = _made(home, name, first)
        if made is None:
            return None
        edits, imports = made
    places = []
    for use in uses:
        if use.module.path == home.path:
            if there is not None and not _is_above(app, home, name, use):
                continue
            written: str | None = name
        else:
            brought = bring(use.module, home.name, name)
            written = brought.name if brought is not None else None
            imports += brought.imports if brought is not None else ()
        if written is not None:
            edits.append(replace(use.module, use.node, written))
            places.append(f"{use.module.path}:{use.module.line(use.node)}")
    if not places:
        return None
    title = f"{name} stands for {first.function.name} in {len(places)} places"
    return Proposal(title, tuple(edits), tuple(imports), places=tuple(places))


def _is_above(app: App, home: Module, name: str, use: _Use) -> bool:
    symbol = app.linker.scope(home).names[name]
    value = symbol.value if isinstance(symbol, Variable) else None
    return value is not None and value.end < use.node.start


def _keeper(app: App, function: Function) -> Module:
    """Return the module where the project keeps its dependencies: one of that name, or the function's own."""
    if basename(function.module.path) in KEEPERS:
        return function.module
    below = app.imports.reached([function.module.path])
    found = (each for each in keepers(app, function.module) if each.path not in below)
    return next(found, function.module)


def _name(app: App, use: _Use) -> str:
    """Return the name of an alias, as FastAPI's own documentation writes them: ``SessionDep``.

    Where another alias has that name it is told from it by its function: ``DbDep`` of ``get_db``.
    """
    words = use.function.name.strip("_").removeprefix("get_").removeprefix("require_")
    own = "".join(word.capitalize() for word in words.split("_")) + "Dep"
    if _id(use.kind).rpartition(".")[2].rpartition(":")[2] not in {"Session", "AsyncSession"}:
        return own
    named = (app.linker.scope(module).names.get("SessionDep") for module in app.sources)
    return own if any(isinstance(symbol, Variable) for symbol in named) else "SessionDep"


def _made(home: Module, name: str, use: _Use) -> tuple[list[Edit], list[Import]] | None:
    """Return what brings a new alias into a module."""
    if is_taken(home, name):
        return None
    annotated = bring(home, "typing", "Annotated")
    depends = bring(home, "fastapi", "Depends")
    origin, _, last = _id(use.kind).replace(":", ".").rpartition(".")
    own = isinstance(use.kind, Class) and use.kind.module is home
    kind = None if own else bring(home, origin, last)
    is_here = use.function.module is home
    function = None if is_here else bring(home, use.function.module.name, use.function.name)
    if annotated is None or depends is None:
        return None
    if (kind is None and not own) or (function is None and not is_here):
        return None
    given = function.name if function is not None else use.function.name
    line = f"{name} = {annotated.name}[{kind.name if kind else last}, {depends.name}({given})]"
    imports = [*annotated.imports, *depends.imports]
    imports += [each for brought in (kind, function) if brought for each in brought.imports]
    if is_here:
        return [insert_after(home, use.function.node, f"\n\n{line}")], imports
    edit = behind_imports(home, line)
    return ([edit], imports) if edit is not None else None
