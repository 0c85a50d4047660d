"""Names: what a thing is called in a file, and the import that it needs there."""

from __future__ import annotations

from typing import NamedTuple

from fastwright.edit.fix import Import
from fastwright.edit.reads import binds, reads, rebinds
from fastwright.read import syntax as s
from fastwright.read.module import Module


class Brought(NamedTuple):
    """How a thing is written in a file, and the import for it where there is none yet."""

    name: str
    imports: tuple[Import, ...]


def bring(module: Module, origin: str, name: str | None = None) -> Brought | None:
    """Return how ``name`` of the module ``origin`` (or ``origin`` itself) is written in a file.

    What the file imports already is used as it is. None where the name stands for something else
    in that file.
    """
    wanted = f"{origin}.{name}" if name else origin
    bound = module_level_imports(module)
    if origin == "builtins" and name is not None:
        is_bound = any(name in binds(statement) for statement in module.facts.body)
        return None if is_bound else Brought(name, ())
    for local, stands_for in bound.items():
        if stands_for == wanted:
            return Brought(local, ())
    parent = _module_name(bound, origin)
    if name and parent is not None:
        return Brought(f"{parent}.{name}", ())
    written = name or origin
    first = origin.partition(".")[0]
    if name is None and bound.get(first) == first:  # `import a.b` beside `import a.c`
        return Brought(origin, (Import(module.path, origin),))
    if is_taken(module, written.partition(".")[0]):
        return None
    return Brought(written, (Import(module.path, origin, name),))


def _module_name(bound: dict[str, str], origin: str) -> str | None:
    return next((local for local, stands_for in bound.items() if stands_for == origin), None)


def module_level_imports(module: Module) -> dict[str, str]:
    """Return the names that imports at module level bind, and what each stands for.

    Imports under ``TYPE_CHECKING`` are left out: they are not there when the code runs.
    """
    starts = {fact.start for fact in module.header.imports if fact.when == "import"}
    bound: dict[str, str] = {}
    for statement in module.import_statements:
        if statement.start not in starts:
            continue
        for alias in statement.names:
            if isinstance(statement, s.ImportFrom):
                origin = module.absolute(statement.module, statement.level)
                bound[alias.asname or alias.name] = f"{origin}.{alias.name}"
            elif alias.asname:
                bound[alias.asname] = alias.name
            else:
                first = alias.name.partition(".")[0]
                bound.setdefault(first, first)
    return bound


def is_taken(module: Module, name: str) -> bool:
    """Whether a name means something somewhere in a file."""
    return name.encode() in module.source and name in _names_in(module)


def is_of_file(module: Module, name: str) -> bool:
    """Whether a file binds a name at its top, or reads it from there: what functions call their own does not count."""
    return name.encode() in module.source and any(
        name in binds(statement)
        or name in rebinds(statement)
        or any(read.name == name for read in reads(statement))
        for statement in module.facts.body
    )


def _names_in(module: Module) -> set[str]:
    """Return every name that means something somewhere in a file."""
    found = set(module.imported)
    for node in module.walk():
        if isinstance(node, s.Name):
            found.add(node.id)
        elif isinstance(node, (s.FunctionDef, s.ClassDef, s.Parameter)):
            found.add(node.name)
        elif isinstance(node, (s.Import, s.ImportFrom)):
            found.update(alias.asname or alias.name for alias in node.names)
    return found
