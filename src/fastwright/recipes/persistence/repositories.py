"""Where what is asked of the rows of a table goes: the repository class that is there, or a new one."""

from __future__ import annotations

import re
from posixpath import basename, dirname, join

import msgspec

from fastwright.app.model import App
from fastwright.app.models import Table
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance
from fastwright.edit.builders import insert_after
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring, is_taken, module_level_imports
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.persistence.built import StaysError
from fastwright.recipes.shared.words import snake, together

UNIT = "UnitOfWork"
"""The class that stands for the transaction of a use case."""
_FOLDERS = frozenset(
    {"routers", "router", "routes", "api", "endpoints", "views", "services", "service", "v1", "v2",
     "controllers", "usecases", "use_cases"}
)  # fmt: skip


class Repository(msgspec.Struct, frozen=True):
    """Where the statements on a table go: a class that is there, or a new one."""

    name: str
    path: str
    about: str
    """The docstring of a new module."""
    does: str
    """The docstring of a new class."""
    cls: Class | None = None
    attribute: str = "session"


def repository(app: App, function: Function, table: Table) -> Repository:
    """Return the repository of a table, for a function that uses it. Raises StaysError."""
    name = table.cls.name
    about, does = f"The statements on {name}.", f"Rows of {name} in the database."
    return _class(app, function, f"{name}Repository", f"{together(name)}.py", (about, does))


def unit_of_work(app: App, function: Function) -> Repository:
    """Return the class for transactions, for a function that makes one. Raises StaysError."""
    about, does = "The transaction of a use case.", "The transaction of a session."
    return _class(app, function, UNIT, f"{snake(UNIT)}.py", (about, does))


def _class(
    app: App, function: Function, name: str, file: str, texts: tuple[str, str]
) -> Repository:
    for module in app.sources:
        cls = app.linker.scope(module).names.get(name)
        if isinstance(cls, Class):
            attribute = _kept_session(app, cls)
            if attribute is None:
                raise StaysError(function.node, f"{name} does not keep a session")
            return Repository(name, module.path, *texts, cls, attribute)
    folder = dirname(function.module.path)
    while basename(folder) in _FOLDERS:
        folder = dirname(folder)
    return Repository(name, join(folder, "repositories", file), *texts)


def _kept_session(app: App, cls: Class) -> str | None:
    """Return the attribute in which a repository keeps the session that it is made with."""
    made = methods(app, cls).get("__init__")
    if made is None or len(made.parameters) != 1:
        return None
    for statement in made.node.body:
        if isinstance(statement, s.Assign) and isinstance(statement.value, s.Name):
            target = statement.targets[0]
            if statement.value.id == made.parameters[0].name and isinstance(target, s.Attribute):
                kind = app.types.parameter(made.parameters[0], made)
                return target.attr if app.types.session_kind(kind) else None
    return None


def methods(app: App, cls: Class) -> dict[str, Function]:
    """Return the methods of a class, inherited ones too."""
    found: dict[str, Function] = {}
    for each in app.linker.mro(cls):
        if isinstance(each, Class):
            found = {**each.own_methods, **found}
    return found


def plain_text(code: str, parameters: list[str]) -> str:
    """Return code without white space, and whatever its parameters are called."""
    for number, name in enumerate(parameters):
        code = re.sub(rf"(?<![\w.]){name}\b(?!\s*=[^=])", f"${number}", code)
    return "".join(code.split()).replace(",)", ")").replace("return(", "return").rstrip(")")


def free(app: App, cls: Class, name: str, function: Function) -> str:
    """Return a name for a method that the class has not yet."""
    there = methods(app, cls)
    if name not in there:
        return name
    name = f"{name}_for_{function.name}"
    number = 2
    found = name
    while found in there:
        found, number = f"{name}_{number}", number + 1
    return found


def added(
    app: App,
    repository: Repository,
    code: str,
    wanted: list[tuple[str, str]],
    session: tuple[str, str],
) -> tuple[list[Edit], list[Import], dict[str, str]]:
    """Return what brings methods, indented lines, into a repository; ``session`` is the class of sessions."""
    if repository.cls is not None:
        module = repository.cls.module
        imports: list[Import] = []
        for origin, name in dict.fromkeys(wanted):
            if origin != module.name:
                brought = bring(module, origin, name)
                if brought is None:
                    reason = f"{name} means something else in {module.path}"
                    raise StaysError(repository.cls.node, reason)
                code = re.sub(rf"(?<![\w.]){name}\b", brought.name, code)
                imports += brought.imports
        last = repository.cls.node.body[-1]
        lines = "\n".join(line[4:] for line in code.rstrip("\n").splitlines())
        return [insert_after(module, last, f"\n{lines}")], imports, {}
    names = [*dict.fromkeys([session, *wanted])]
    path = repository.path
    new = {
        path: f'"""{repository.about}"""\n\n\n'
        f'class {repository.name}:\n    """{repository.does}"""\n\n'
        f"    def __init__(self, session: {session[1]}) -> None:\n        self.session = session\n\n{code}"
    }
    init = join(dirname(path), "__init__.py")
    neighbour = join(dirname(dirname(path)), "__init__.py")
    if neighbour in app.modules and init not in app.modules:
        new[init] = ""
    return [], [Import(path, origin, name) for origin, name in names], new


def session_class(app: App, function: Function, session: s.Expr) -> tuple[str, str]:
    """Return the module and name of the class of a session, as the function that uses it knows it."""
    module = function.module
    kind = app.types.of(session, Where(module, function))
    if isinstance(kind, Instance) and isinstance(kind.cls, str):
        for local, stands_for in module_level_imports(module).items():
            if local == kind.cls.rpartition(".")[2] and stands_for.rpartition(".")[2] == local:
                return stands_for.rpartition(".")[0], local
        origin, _, name = kind.cls.rpartition(".")
        return origin, name
    raise StaysError(session, "the type of the session is not known")


def bring_repository(
    app: App, module: Module, repository: Repository
) -> tuple[str, tuple[Import, ...]]:
    """Return how a repository is written in a file, and the import for it."""
    if app.modules.get(repository.path) is module:
        return repository.name, ()
    brought = bring(module, app.index.name(repository.path), repository.name)
    if brought is None or is_taken(module, "self." + repository.name):
        raise StaysError(module.facts.body[0], f"{repository.name} means something else here")
    return brought.name, brought.imports
