"""Imports of one file: add what is needed, take away what nothing uses any more."""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Collection, Iterable
from typing import TypeAlias

import msgspec

from fastwright.edit import source as at
from fastwright.edit.fix import Import
from fastwright.read import syntax as s
from fastwright.read.facts import Facts, Header
from fastwright.read.reader import read

Statement: TypeAlias = "s.Import | s.ImportFrom"
_WORD = re.compile(r"\w+")
_PROSE = re.compile(r"\w\s+(?!(?:and|or|if|else|in|is)\b)\w")
"""Two words side by side, as no annotation in a string has them."""


def add_imports(
    source: bytes, wanted: Iterable[Import], own: Collection[str], package: str | None = None
) -> bytes:
    """Return a source with the imports that it needs, each where such imports stand.

    ``own`` are the names of the project's own top-level packages: their imports come last.
    ``package`` is that of a file which imports its neighbours relatively; None where it does not.
    """
    for each in sorted(set(wanted), key=lambda one: (one.module, one.name or "")):
        needed = each
        if package is not None and each.name is not None:
            needed = msgspec.structs.replace(each, module=relative(each.module, package))
        header, facts = read(source)
        source = _with(source, _at_module_level(header, facts), facts, needed, own)
    return source


def relative(module: str, package: str) -> str:
    """Return a module as files of a package import it: ``..schemas.user``; as it is where they share nothing."""
    parts, own = module.split("."), package.split(".")
    shared = 0
    while shared < min(len(parts), len(own)) and parts[shared] == own[shared]:
        shared += 1
    if shared == 0:
        return module
    return "." * (len(own) - shared + 1) + ".".join(parts[shared:])


def relative_imports(source: bytes, package: str, own: Collection[str]) -> bytes:
    """Return a new file of a package with its imports of the same project relative, in order."""
    header, facts = read(source)
    wanted: list[Import] = []
    for statement in reversed(_at_module_level(header, facts)):
        if not isinstance(statement, s.ImportFrom) or statement.level:
            continue
        written = relative(statement.module, package)
        if written != statement.module:
            wanted += [Import("", written, alias.name, alias.asname) for alias in statement.names]
            end = at.next_line(source, statement.end - 1)
            source = source[: at.line_start(source, statement.start)] + source[end:]
    return add_imports(source, wanted, own)


def prune_imports(before: bytes, after: bytes) -> bytes:
    """Return ``after`` without the imports that ``before`` used and that nothing uses any more."""
    used, still = _used(read(before)[1]), _used(read(after)[1])
    gone = used - still
    if not gone:
        return after
    header, facts = read(after)
    for statement in reversed(_at_module_level(header, facts)):
        kept = [alias for alias in statement.names if _bound(statement, alias) not in gone]
        if len(kept) == len(statement.names):
            continue
        if kept:
            after = _without(after, statement.names, kept)
        elif at.is_alone(after, statement.start, statement.end):
            start = at.line_start(after, statement.start)
            end = at.next_line(after, statement.end - 1)
            if _is_blank_before(after, start) and not after[end : at.next_line(after, end)].strip():
                end = at.next_line(after, end)  # one of two blank lines, or the first of the file
            after = after[:start] + after[end:]
    return after


def _is_blank_before(source: bytes, start: int) -> bool:
    return start == 0 or not source[at.line_start(source, start - 1) : start].strip()


# ---------------------------------------------------------------------- reading


def _at_module_level(header: Header, facts: Facts) -> list[Statement]:
    """Return the imports that run when the file is imported, outside of any block."""
    starts = {fact.start for fact in header.imports if fact.when == "import"}
    return [
        node
        for node in facts.body
        if isinstance(node, (s.Import, s.ImportFrom)) and node.start in starts
    ]


def _bound(statement: Statement, alias: s.Alias) -> str:
    if alias.asname or isinstance(statement, s.ImportFrom):
        return alias.asname or alias.name
    return alias.name.partition(".")[0]


def _used(facts: Facts) -> set[str]:
    """Return the names that a file reads, those in strings (annotations, ``__all__``) included."""
    found: set[str] = set()
    nodes = list(s.walk(*facts.body))
    parameters = {
        id(inner)
        for node in nodes
        if isinstance(node, s.FunctionDef)
        for names in [{parameter.name for parameter in node.params}]
        for inner in s.walk(*node.body)
        if isinstance(inner, s.Name) and inner.id in names
    }
    for node in nodes:
        if isinstance(node, s.Name):
            if id(node) not in parameters:
                found.add(node.id)
        elif isinstance(node, s.Constant) and node.kind == "str" and isinstance(node.value, str):
            if not _PROSE.search(node.value):
                found.update(_WORD.findall(node.value))
    return found


# ----------------------------------------------------------------------- adding


def _with(
    source: bytes, statements: list[Statement], facts: Facts, needed: Import, own: Collection[str]
) -> bytes:
    if any(_has(statement, needed) for statement in statements):
        return source
    if needed.name is not None and needed.alias is None:
        for statement in statements:
            if _takes(statement, needed):
                return _merged(source, statement, needed.name)
    end = at.newline(source)
    line = (
        f"from {needed.module} import {needed.name}" if needed.name else f"import {needed.module}"
    )
    line += f" as {needed.alias}" if needed.alias else ""
    key = (*_key(needed.module, own, is_from=needed.name is not None), needed.name or "")
    keys = [_statement_key(statement, own) for statement in statements]
    before = [number for number, other in enumerate(keys) if other <= key]
    first = statements[before[-1] + 1 : before[-1] + 2] if before else []
    if first and keys[before[-1]][0] != key[0] == keys[before[-1] + 1][0]:
        offset = at.line_start(source, first[0].start)  # the first of a group that is there
        return source[:offset] + (line + end).encode() + source[offset:]
    if before:
        previous = statements[before[-1]]
        offset = at.next_line(source, previous.end - 1)
        text = line + end if keys[before[-1]][0] == key[0] else end + line + end
        following = statements[before[-1] + 1 : before[-1] + 2]
        if following and keys[before[-1]][0] != key[0]:
            blank = source[offset : following[0].start].startswith((b"\n", b"\r\n"))
            text = text if blank else text + end
        if offset == len(source) and not source.endswith(b"\n"):
            text = end + text
    elif statements:
        offset = at.line_start(source, statements[0].start)
        text = line + end if keys[0][0] == key[0] else line + end + end
    else:
        offset = _behind_docstring(source, facts)
        is_definition = facts.body and isinstance(facts.body[0], (s.FunctionDef, s.ClassDef))
        text = end + line + end if offset else line + end * (3 if is_definition else 2)
    return source[:offset] + text.encode() + source[offset:]


def _written(statement: s.ImportFrom) -> str:
    return "." * statement.level + statement.module


def _has(statement: Statement, needed: Import) -> bool:
    """Whether a statement imports it already, under that name."""
    origin: str | None
    if isinstance(statement, s.ImportFrom):
        wanted, origin = needed.name, _written(statement)
    else:
        wanted, origin = needed.module, None if needed.name else needed.module
    return origin == needed.module and any(
        alias.name == wanted and alias.asname == needed.alias for alias in statement.names
    )


def _takes(statement: Statement, needed: Import) -> bool:
    return (
        isinstance(statement, s.ImportFrom)
        and _written(statement) == needed.module
        and statement.names[0].name != "*"
    )


def _merged(source: bytes, statement: Statement, name: str) -> bytes:
    """Return a source with one more name in ``from x import a, b``: in order, where they are."""
    names = [alias.name for alias in statement.names]
    order = [_name_key(one) for one in names]
    number = bisect_right(order, _name_key(name)) if order == sorted(order) else len(names)
    if number == len(names):
        offset = statement.names[-1].end
        return source[:offset] + _separator(source, statement) + name.encode() + source[offset:]
    offset = statement.names[number].start
    return source[:offset] + name.encode() + _separator(source, statement) + source[offset:]


def _separator(source: bytes, statement: Statement) -> bytes:
    """Return what stands between two names of a statement: a comma, and maybe a new line."""
    names = statement.names
    if at.line_start(source, names[-1].start) == at.line_start(source, statement.start):
        return b", "
    indentation = at.indentation(source, names[-1].start)
    if len(names) > 1 and at.line_start(source, names[-1].start) == at.line_start(
        source, names[-2].start
    ):
        return b", "
    return b"," + at.newline(source).encode() + indentation.encode()


def _behind_docstring(source: bytes, facts: Facts) -> int:
    first = facts.body[0] if facts.body else None
    if isinstance(first, s.ExprStmt) and s.string(first.value) is not None:
        return at.next_line(source, first.end - 1)
    return at.line_start(source, first.start) if first is not None else len(source)


# --------------------------------------------------------------------- in order


def _key(module: str, own: Collection[str], *, is_from: bool) -> tuple[int, bool, str]:
    """Return where an import stands: its section, plain imports first, by module."""
    top = module.partition(".")[0]
    if not top:  # relative: those from further up first
        return 4, is_from, module
    if top == "__future__":
        return 0, is_from, module
    if top in sys.stdlib_module_names:
        return 1, is_from, module
    return (3 if top in own else 2), is_from, module


def _statement_key(statement: Statement, own: Collection[str]) -> tuple[int, bool, str, str]:
    """Return where an import stands, and the first name that it brings."""
    if isinstance(statement, s.Import):
        return (*_key(statement.names[0].name, own, is_from=False), "")
    return (*_key(_written(statement), own, is_from=True), statement.names[0].name)


def _name_key(name: str) -> tuple[int, str, str]:
    """Constants, classes, functions: the order that isort and Ruff keep."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name.lower(), name


# ----------------------------------------------------------------------- taking


def _without(source: bytes, names: list[s.Alias], kept: list[s.Alias]) -> bytes:
    """Return a source in which an import keeps some of its names; each goes with its comma."""
    last = max(names.index(alias) for alias in kept)
    if last + 1 < len(names):
        source = source[: names[last].end] + source[names[-1].end :]
    for number in range(last - 1, -1, -1):
        if names[number] not in kept:
            source = source[: names[number].start] + source[names[number + 1].start :]
    return source
