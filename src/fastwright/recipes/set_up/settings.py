"""Settings are asked for: `get_settings()` makes them once, endpoints and dependencies take them by `Depends`.

Whatever else needs them (what runs on import, what requests reach below the endpoints, tasks) calls the function; a module that needs them often on
import keeps them under their name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastwright.app.model import App
from fastwright.app.setup.result import Application
from fastwright.app.symbols import Class, Variable
from fastwright.edit.builders import insert_after, insert_before, replace
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring, is_taken
from fastwright.edit.source import text
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Kept, Planned, Proposal, Stopped, Target
from fastwright.recipes.shared.application import assignment
from fastwright.recipes.shared.handed import (
    Takers,
    Use,
    hand_down,
    is_wrapped,
    outermost,
    refuse_names,
    roots,
    uses,
    written_in,
)
from fastwright.recipes.shared.provided import keeper_of, provided, refuse_cycles

_OFTEN = 3
"""From so many uses on import on, a module keeps its settings under their name."""
_NAMED = re.compile(r"(Settings|Config|Configuration)$")


def settings(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each object of settings at the top of a module."""
    known = {id(schema.cls.node) for schema in app.settings}
    imported = app.imports.reached(each.module.path for each in app.applications)
    for module in app.sources:
        if not target.holds(module.path) or module.path not in imported:
            continue
        for statement in module.facts.body:
            if not isinstance(statement, (s.Assign, s.AnnAssign)):
                continue
            cls = _class(app, module, statement, known)
            if cls is not None:
                try:
                    proposal = _proposal(app, module, statement, cls)
                except Kept as kept:
                    yield Stopped(kept.place, f"{_name(statement)}: {kept.reason}")
                else:
                    yield proposal


def _name(statement: s.Assign | s.AnnAssign) -> str:
    target = statement.targets[0] if isinstance(statement, s.Assign) else statement.target
    return s.last_name(target) or ""


def _class(
    app: App, module: Module, statement: s.Assign | s.AnnAssign, known: set[int]
) -> Class | None:
    """Return the class of ``settings = Settings()``."""
    made = statement.value
    if not isinstance(made, s.Call) or (
        isinstance(statement, s.Assign) and len(statement.targets) > 1
    ):
        return None
    cls = app.linker.expression(made.func, module)
    if not isinstance(cls, Class) or not isinstance(made.func, s.Name):
        return None
    is_it = id(cls.node) in known or (
        _NAMED.search(cls.name) and not made.args and not made.keywords
    )
    return cls if is_it and "settings" in _name(statement).lower() else None


def _proposal(app: App, module: Module, statement: s.Assign | s.AnnAssign, cls: Class) -> Proposal:
    name = _name(statement)
    variable = app.linker.scope(module).names.get(name)
    if not isinstance(variable, Variable) or len(variable.values) != 1 or statement.value is None:
        raise Kept(module, statement, "is bound more than once")
    applications = [
        each for each in app.applications if each.fastapi and each.module.kind == "source"
    ]
    if not applications:
        raise Kept(module, statement, "there is no application")
    refuse_names(app, variable)
    places = uses(app, variable)
    for use in places:
        if use.module.kind not in {"source", "migration"}:
            raise Kept(use.module, use.node, "is named by what is not the application")
    getter = f"get_{name.strip('_').lower()}"
    if is_taken(module, getter):
        raise Kept(module, statement, f"{getter} is there already")
    made_at = {use.node.start for use in places if use.module is module and use.function is None}
    if any(start < statement.start for start in made_at):
        raise Kept(module, statement, "is used above where it is made")
    edits, imports = _getter(module, statement, cls, getter)
    given = [use for use in places if _takes(app, use)]
    takers = Takers(app, roots(app), {id(f.node): f for use in given if (f := use.function)})
    new: dict[str, str] = {}
    keeper = keeper_of(app, applications[0], takers)
    if given:
        alias = "".join(word.capitalize() for word in name.strip("_").lower().split("_")) + "Dep"
        provider = provided(
            app,
            keeper,
            (alias,),
            {"cls": (cls.module.name, cls.name), "getter": (module.name, getter),
             "annotated": ("typing", "Annotated"), "depends": ("fastapi", "Depends")},
            f"{alias} = {{annotated}}[{{cls}}, {{depends}}({{getter}})]\n",
        )  # fmt: skip
        handed, wanted = hand_down(
            takers, given, name, (cls.module.name, cls.name), (keeper.name, alias)
        )
        edits += [*provider.edits, *handed]
        imports += [*provider.imports, *wanted]
        new = provider.new
    asked = [use for use in places if use not in given]
    for found in _asked(app, asked, variable, name, getter):
        edits += found[0]
        imports += found[1]
    if id(cls.node) in {id(schema.cls.node) for schema in app.settings}:
        checked = _checked(applications[0], asked, module, getter)
        edits += checked[0]
        imports += checked[1]
    refuse_cycles(app, imports, keeper)
    title = f"{name} of {module.path} are given by {getter}"
    place = f"{module.path}:{module.line(statement)}"
    return Proposal(title, tuple(dict.fromkeys(edits)), tuple(imports), new, places=(place,))


def _getter(
    module: Module, statement: s.Assign | s.AnnAssign, cls: Class, getter: str
) -> tuple[list[Edit], list[Import]]:
    assert statement.value is not None  # noqa: S101 - the caller has seen it
    cached = bring(module, "functools", "lru_cache")
    if cached is None:
        raise Kept(module, statement, "lru_cache means something else here")
    made = text(module, statement.value)
    kind = text(module, statement.value.func) if isinstance(statement.value, s.Call) else cls.name
    code = f"@{cached.name}\ndef {getter}() -> {kind}:\n    return {made}"
    return [replace(module, statement, code)], list(cached.imports)


def _takes(app: App, use: Use) -> bool:
    """Whether a place is in an endpoint or a dependency, which nothing but FastAPI calls."""
    function = use.function
    if function is None or use.module.kind != "source" or function.owner or function.outer:
        return False
    if (
        is_wrapped(app, function)
        or id(function.node) not in roots(app)
        or any(p.kind not in {"plain", "keyword"} for p in function.node.params)
    ):
        return False
    named = uses(app, function)
    calls = {id(n.func) for m in app.modules.values() if function.name.encode() in m.source
             for n in m.walk() if isinstance(n, s.Call)}  # fmt: skip
    return not any(id(each.node) in calls for each in named)


def _asked(
    app: App, asked: list[Use], variable: Variable, name: str, getter: str
) -> Iterator[tuple[list[Edit], tuple[Import, ...]]]:
    """Yield, for each function and module that asks for settings, its edits."""
    groups: dict[tuple[str, int], list[Use]] = {}
    for use in asked:
        top = outermost(use.function) if use.function is not None else None
        groups.setdefault((use.module.path, id(top.node) if top else 0), []).append(use)
    often = {
        path
        for (path, key), found in groups.items()
        if key == 0 and len(found) >= _OFTEN and found[0].module is not variable.module
    }
    for found in groups.values():
        module, function = found[0].module, found[0].function
        imported = _import(app, module, variable)
        if imported is None:
            brought = written_in(module, module.path, variable.module.name, getter)
            edits, written, imports = [], brought.name, brought.imports
        elif is_taken(module, getter):
            raise Kept(module, imported, f"{getter} means something else here")
        else:
            edits, written, imports = [replace(module, imported, getter)], getter, ()
        if module.path in often and all(text(module, use.node) == name for use in found):
            if function is None:
                first = next(each for each in module.facts.body if each.end > found[0].node.start)
                edits.append(insert_before(module, first, f"{name} = {written}()"))
        elif function is None or len(found) == 1:
            edits += [replace(module, use.node, f"{written}()") for use in found]
        else:
            edits += [
                replace(module, use.node, name) for use in found if text(module, use.node) != name
            ]
            node = outermost(function).node
            edits.append(_local(module, node, f"{name} = {written}()", name, found))
        yield edits, imports


def _import(app: App, module: Module, variable: Variable) -> s.Alias | None:
    """Return what imports a variable by its name."""
    for statement in module.import_statements:
        if isinstance(statement, s.ImportFrom):
            origin = module.absolute(statement.module, statement.level)
            for alias in statement.names:
                found = app.linker.dotted(f"{origin}.{alias.name}", module.path)
                if isinstance(found, Variable) and found.module is variable.module:
                    if found.name == variable.name:
                        return alias
    return None


def _local(module: Module, node: s.FunctionDef, line: str, name: str, found: list[Use]) -> Edit:
    own = {id(use.node) for use in found}
    for each in s.walk(node):
        is_named = isinstance(each, s.Name) and each.id == name and id(each) not in own
        if is_named or (isinstance(each, s.Parameter) and each.name == name):
            raise Kept(module, each, f"{name} means something else here")
    first = node.body[0]
    is_doc = isinstance(first, s.ExprStmt) and s.string(first.value) is not None
    if is_doc:
        return insert_after(module, first, line)
    return insert_before(module, first, line)


def _checked(
    application: Application, asked: list[Use], home: Module, getter: str
) -> tuple[list[Edit], list[Import]]:
    """Return what makes settings when the application is made, where nothing else does on import."""
    around = application.function
    setting_up = outermost(around).node if around is not None else None
    if any(u.function is None or outermost(u.function).node is setting_up for u in asked):
        return [], []
    made, module = assignment(application), application.module
    if made is None:
        raise Kept(module, application.node, "the application has no name there")
    brought = written_in(module, module.path, home.name, getter)
    line = f"{brought.name}()  # what is missing is said here, not by a request"
    return [insert_after(module, made[0], line)], list(brought.imports)
