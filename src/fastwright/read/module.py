"""Module: one Python file, parsed, with its place in the project and its names resolved locally."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TypeAlias

import msgspec

from fastwright.read import syntax as s
from fastwright.read.facts import Facts, Header


class Module(msgspec.Struct, frozen=True, eq=False, dict=True):
    """One parsed file.

    ``path`` is relative to the project's root with forward slashes; ``name`` is the dotted name
    under which the project imports it; ``kind`` is source, test, migration or vendored. The
    header is always at hand; facts and source are loaded when somebody asks for them.
    """

    path: str
    name: str
    kind: str
    header: Header
    load: Callable[[], Facts]
    load_source: Callable[[], bytes]

    @cached_property
    def facts(self) -> Facts:
        """The syntax of the file."""
        return self.load()

    @cached_property
    def source(self) -> bytes:
        """The text of the file as UTF-8, without a byte order mark: what byte ranges count in."""
        return self.load_source()

    @property
    def is_package(self) -> bool:
        """Whether this is an ``__init__`` file."""
        return self.path.rsplit("/", 1)[-1] in {"__init__.py", "__init__.pyi"}

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    def line(self, node: s.Node) -> int:
        """Return the line (from 1) on which ``node`` starts."""
        return self.facts.line(node.start)

    @cached_property
    def imported(self) -> dict[str, str]:
        """Name bound by an import anywhere in the file -> what it stands for, dotted.

        ``import a.b`` binds ``a`` to ``a``; ``import a.b as c`` binds ``c`` to ``a.b``;
        ``from .x import y`` binds ``y`` to ``package.x.y``. Imports inside functions count as
        well: a name that means two things in one file is too rare to lose the others over.
        """
        bound: dict[str, str] = {}
        for statement in self.import_statements:
            if isinstance(statement, s.Import):
                for alias in statement.names:
                    first = alias.name.partition(".")[0]
                    bound.setdefault(alias.asname or first, alias.name if alias.asname else first)
            else:
                origin = self.absolute(statement.module, statement.level)
                for alias in statement.names:
                    bound.setdefault(alias.asname or alias.name, f"{origin}.{alias.name}")
        return bound

    @cached_property
    def import_statements(self) -> list[s.Import | s.ImportFrom]:
        """Every import statement of the file, module level first."""
        found = list(_imports(self.facts.body))
        late = [fact.start for fact in self.header.imports if fact.when == "call"]
        if late:
            for function in self.functions:
                if any(function.start < start < function.end for start in late):
                    found.extend(_imports(function.body))
        return found

    def absolute(self, module: str, level: int) -> str:
        """Return the absolute dotted name of ``from <level dots><module>`` in this file."""
        if level == 0:
            return module
        base = self.package.split(".") if self.package else []
        base = base[: len(base) - (level - 1)] if level > 1 else base
        return ".".join([*base, module] if module else base)

    def qualify(self, node: s.Node | None) -> str | None:
        """Return the dotted name that a name or attribute chain stands for, imports resolved.

        A chain that starts with a name this file does not import is returned as written;
        anything that is no chain of names gives None.
        """
        written = s.dotted(node)
        if written is None:
            return None
        first, _, rest = written.partition(".")
        origin = self.imported.get(first, first)
        return f"{origin}.{rest}" if rest else origin

    @cached_property
    def functions(self) -> list[s.FunctionDef]:
        """Every function of the file, methods and nested ones included, in source order."""
        return [node for node in self._definitions if isinstance(node, s.FunctionDef)]

    @cached_property
    def classes(self) -> list[s.ClassDef]:
        """Every class of the file, nested ones included, in source order."""
        return [node for node in self._definitions if isinstance(node, s.ClassDef)]

    @cached_property
    def _definitions(self) -> list[s.FunctionDef | s.ClassDef]:
        return list(_all_definitions(s.definitions(self.facts.body)))

    def walk(self) -> Iterator[s.Node]:
        """Yield every node of the file."""
        return s.walk(*self.facts.body)

    @cached_property
    def _owners(self) -> list[tuple[int, int, str]]:
        return list(_qualnames(s.definitions(self.facts.body), ""))

    def function_at(self, offset: int) -> str | None:
        """Return the qualified name of the innermost function or class that holds ``offset``."""
        found = None
        for start, end, name in self._owners:
            if start <= offset < end:
                found = name
        return found


def _imports(body: list[s.Stmt]) -> Iterator[s.Import | s.ImportFrom]:
    for node in s.statements(body):
        if isinstance(node, (s.Import, s.ImportFrom)):
            yield node


_Definitions: TypeAlias = "Iterable[s.FunctionDef | s.ClassDef]"


def _all_definitions(found: _Definitions) -> Iterator[s.FunctionDef | s.ClassDef]:
    for node in found:
        yield node
        yield from _all_definitions(s.inner_definitions(node))


def _qualnames(found: _Definitions, prefix: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and qualified name of each definition, outer ones first."""
    for node in found:
        name = f"{prefix}{node.name}"
        yield node.start, node.end, name
        yield from _qualnames(s.inner_definitions(node), f"{name}.")
