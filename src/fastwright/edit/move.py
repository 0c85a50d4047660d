"""Move what stands at the top of a file to other files, and rewrite every reference to it.

References are imports (`from a import b`, also late ones), attributes of the imported module (`a.b`), `__all__`, what tests patch
(`monkeypatch.setattr("a.b", ...)`, `mock.patch.object(a, "b")`) and texts that name it (`"a:b"`, also in pyproject.toml).
A name that is patched is patched where it is looked up afterwards. What cannot be followed for certain raises Unmovable.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property

import msgspec

from fastwright.edit import source as at
from fastwright.edit.apply import edited
from fastwright.edit.builders import behind_imports, first_byte
from fastwright.edit.fix import Edit, Import
from fastwright.edit.imports import add_imports, relative
from fastwright.edit.names import bring, is_taken, module_level_imports
from fastwright.edit.reads import Read, binds, reads, rebinds
from fastwright.read import syntax as s
from fastwright.read.module import Module

_WIDTH = 100
_PATCHES = frozenset({"setattr", "delattr", "patch", "object", "multiple", "setitem"})
_HEADING = re.compile(rb"^(?:#.*\r?\n)*#[^\n]*[-=#*~]{8,}[^\n]*\r?\n(?:#.*\r?\n)*", re.MULTILINE)
"""Comments that part a file."""
_LOGGER = "logging.getLogger(__name__)"


class Unmovable(Exception):  # noqa: N818 - what stands in the way is no error
    """Something that cannot be moved, or followed: ``file:line``, and why."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place = place
        self.reason = reason


class Part(msgspec.Struct, frozen=True):
    """A file that takes something over."""

    path: str
    name: str
    """Its dotted name."""
    doc: str
    """The docstring of a new file."""
    head: str = ""
    """Code that stands behind the imports of a new file."""
    imports: tuple[tuple[str, str], ...] = ()
    """What the head needs: module and name."""
    binds: frozenset[str] = frozenset()
    """The names that the head binds."""


class Moved(msgspec.Struct, frozen=True):
    """The changes that move something."""

    edits: tuple[Edit, ...]
    imports: tuple[Import, ...]
    new: Mapping[str, str]


class Move:
    """Statements of one file that go to other files.

    ``taken``: which statement (its place among the statements of the file) goes to which path.
    ``inner``: edits of moved statements. ``registered``: statements whose names in quotes a registry looks
    up (the relationships of tables). ``modules``: every module of the project by path.
    """

    def __init__(
        self,
        modules: Mapping[str, Module],
        origin: Module,
        parts: Iterable[Part],
        taken: Mapping[int, str],
        inner: Iterable[Edit] = (),
        registered: Collection[int] = (),
    ) -> None:
        self.modules = modules
        self.origin = origin
        self.parts = {part.path: part for part in parts}
        self.taken = dict(taken)
        self._inner = tuple(inner)
        self._registered = frozenset(registered)
        self._body = origin.facts.body
        self._imported = module_level_imports(origin)

    # ------------------------------------------------------------------ asking

    @cached_property
    def home(self) -> dict[str, str]:
        """Each name that moves, and the path that it moves to."""
        return {
            name: path for number, path in self.taken.items() for name in binds(self._body[number])
        }

    @cached_property
    def loggers(self) -> dict[str, s.Stmt]:
        """``logger = logging.getLogger(__name__)``: each file that writes to it has its own."""
        found: dict[str, s.Stmt] = {}
        for statement in self._body:
            if isinstance(statement, s.Assign) and isinstance(statement.targets[0], s.Name):
                if at.text(self.origin, statement.value) == _LOGGER:
                    found[statement.targets[0].id] = statement
        return found

    @cached_property
    def reading(self) -> dict[str, dict[str, Read]]:
        """What the statements read that go to each path; those that stay: under the origin's path."""
        found: dict[str, dict[str, Read]] = {path: {} for path in [*self.parts, self.origin.path]}
        for number, statement in enumerate(self._body):
            into = found[self.taken.get(number, self.origin.path)]
            for read in self._reads_of(statement):
                if read.name not in into or not read.in_text:
                    into[read.name] = read
        return found

    def _reads_of(self, statement: s.Stmt) -> Iterator[Read]:
        gone = [edit for edit in self._inner if edit.start >= first_byte(statement)]
        for read in reads(statement):
            if not any(edit.start <= read.node.start < edit.end for edit in gone) or any(
                node.id == read.name
                and not any(edit.start <= node.start < edit.end for edit in gone)
                for node in s.walk(statement)
                if isinstance(node, s.Name)
            ):
                yield read

    def needs(self) -> dict[str, set[str]]:
        """Return which of the paths each path would import from."""
        found: dict[str, set[str]] = {}
        for path, names in self.reading.items():
            part = self.parts.get(path)
            found[path] = {
                self.home[name]
                for name, read in names.items()
                if self.home.get(name, path) != path
                and not (part is not None and self._is_late(part, read))
            }
        return found

    # ------------------------------------------------------------------ making

    def made(self, others: Mapping[str, str] | None = None) -> Moved:
        """Return the changes. Raises Unmovable.

        ``others``: files that are no modules (pyproject.toml), by path, whose texts may name what moves.
        """
        self._check()
        edits: list[Edit] = []
        imports: list[Import] = []
        new: dict[str, str] = {}
        for part in self.parts.values():
            if part.path in self.modules:
                added = self._appended(part)
                edits += added[0]
                imports += added[1]
            else:
                new[part.path] = self._written(part)
        edits += self._left(imports)
        for module in self.modules.values():
            if module.path != self.origin.path:
                found = self._followed(module)
                edits += found[0]
                imports += found[1]
        for path, text in (others or {}).items():
            edits += self._named_in(path, text)
        return Moved(tuple(edits), tuple(imports), new)

    def _stop(self, node: s.Node, reason: str, module: Module | None = None) -> Unmovable:
        module = module or self.origin
        return Unmovable(f"{module.path}:{module.line(node)}", reason)

    def _check(self) -> None:
        """Raise Unmovable where moved code would not find what it reads, or bind what others read."""
        stays = {
            name: statement
            for number, statement in enumerate(self._body)
            if number not in self.taken and not isinstance(statement, (s.Import, s.ImportFrom))
            for name in binds(statement) - self._typing_imports
        }
        for statement in self._body:
            if isinstance(statement, s.ImportFrom) and any(a.name == "*" for a in statement.names):
                raise self._stop(statement, "it is not known what `*` imports")
        for path in self.parts:
            for read in self.reading[path].values():
                if read.name in stays and read.name not in self.loggers:
                    if read.name in self.parts[path].binds:
                        continue
                    raise self._stop(read.node, f"{read.name} stays in {self.origin.path}")
        for number, statement in enumerate(self._body):
            where = self.taken.get(number, self.origin.path)
            for name in rebinds(statement):
                users = {path for path, names in self.reading.items() if name in names}
                if self.home.get(name, self.origin.path) != where or users - {where}:
                    raise self._stop(statement, f"binds {name} anew, which other files would read")
        cycle = _cycle(self.needs())
        if cycle:
            raise Unmovable(self.origin.path, f"{' and '.join(cycle)} would import each other")

    # -------------------------------------------------------------- the new files

    def _chunks(self, path: str, without: Collection[int] = ()) -> str:
        """Return the code that goes to a path, in the order in which it stands, parted as it was."""
        numbers = [n for n, where in self.taken.items() if where == path and n not in without]
        return self._code(numbers)

    def _code(self, numbers: Iterable[int]) -> str:
        source, text, last = self.origin.source, "", -2
        for number in sorted(numbers):
            start, end = self._range(number)
            inside = [edit for edit in self._inner if start <= edit.start and edit.end <= end]
            moved = [Edit(e.file, e.start - start, e.end - start, e.text) for e in inside]
            chunk = edited(source[start:end], moved).decode().rstrip() + "\n"
            text += self._between(last, number) + chunk if text else chunk
            last = number
        return text

    def _between(self, last: int, number: int) -> str:
        """Return the blank lines between two statements that move."""
        if number == last + 1:
            end, start = self._range(last)[1], self._range(number)[0]
            return self.origin.source[end:start].decode().replace("\r", "")
        definitions = (s.FunctionDef, s.ClassDef)
        near = isinstance(self._body[number], definitions) or isinstance(
            self._body[last], definitions
        )
        return "\n\n" if near else "\n"

    def _range(self, number: int) -> tuple[int, int]:
        """Return where a statement begins, the comments right above it included, and ends."""
        source, statement = self.origin.source, self._body[number]
        start = at.line_start(source, first_byte(statement))
        floor = self._body[number - 1].end if number else 0
        while start > floor:
            above = at.line_start(source, start - 1)
            if above < floor or not source[above:start].strip().startswith(b"#"):
                break
            start = above
        return start, at.next_line(source, max(statement.end - 1, statement.start))

    def _written(self, part: Part) -> str:
        lines = [f'"""{part.doc}"""\n']
        head = part.head
        loggers = [
            f"{name} = {_LOGGER}" for name in self.loggers if name in self.reading[part.path]
        ]
        head = "\n".join([*loggers, *([head] if head else [])])
        wanted = [Import("", module, name) for module, name in part.imports]
        wanted += [Import("", "logging")] if loggers else []
        wanted += self._imports(part)
        late = self._late(part)
        chunks = self._chunks(part.path)
        if late:
            wanted.append(Import("", "typing", "TYPE_CHECKING"))
            lines.append("\nif TYPE_CHECKING:\n" + "".join(f"    {line}\n" for line in late))
        if head:
            lines.append("\n" + head + "\n")
        defined = re.match(r"(#|@|def |class |async )", chunks)
        lines.append(("\n\n" if defined else "\n") + chunks)
        source = "".join(lines).encode()
        if self._is_lazy:
            wanted.append(Import("", "__future__", "annotations"))
        own = {part.name.partition(".")[0] for part in self.parts.values()}
        own.add(self.origin.name.partition(".")[0])
        return add_imports(source, wanted, own).decode()

    @property
    def _is_lazy(self) -> bool:
        return "annotations" in self._imported and self._imported["annotations"].startswith(
            "__future__."
        )

    def _imports(self, part: Part) -> list[Import]:
        """Return what the moved code of a part needs when it runs."""
        found = []
        for read in self.reading[part.path].values():
            needed = self._import(part, read)
            if needed is not None and not self._is_late(part, read):
                found.append(needed)
        return found

    def _import(self, part: Part, read: Read) -> Import | None:
        name = read.name
        if name in part.binds or name in self.loggers or self.home.get(name) == part.path:
            return None
        if name in self.home:
            return Import(part.path, self.parts[self.home[name]].name, name)
        if name in self._imported:
            return _import(part.path, name, self._plain_import(name))
        if name in self._typing_imports:
            if part.path in self.modules:
                raise self._stop(read.node, f"{name} is only imported for annotations")
            return _import(part.path, name, self.origin.imported[name])
        return None

    def _plain_import(self, name: str) -> str:
        """Return what an imported name stands for; ``import a.b`` is wanted whole."""
        for statement in self.origin.import_statements:
            if isinstance(statement, s.Import):
                for alias in statement.names:
                    if not alias.asname and "." in alias.name:
                        if alias.name.partition(".")[0] == name:
                            raise self._stop(statement, "imports a module by its full name")
        return self._imported[name]

    @cached_property
    def _typing_imports(self) -> frozenset[str]:
        return frozenset(self.origin.imported) - frozenset(self._imported)

    def _is_late(self, part: Part, read: Read) -> bool:
        """Whether a name is only there for annotations, or in quotes, where a registry looks it up."""
        if read.name in self._typing_imports and read.name not in self.home:
            return True
        if not read.in_text or self.home.get(read.name, part.path) == part.path:
            return False
        return any(
            first_byte(self._body[number]) <= read.node.start < self._body[number].end
            for number in self._registered
        )

    def _late(self, part: Part) -> list[str]:
        by_module: dict[str, list[str]] = {}
        for read in self.reading[part.path].values():
            needed = self._import(part, read)
            if needed is not None and needed.name and self._is_late(part, read):
                by_module.setdefault(needed.module, []).append(needed.name)
        return [
            f"from {module} import {', '.join(sorted(names))}"
            for module, names in sorted(by_module.items())
        ]

    def _appended(self, part: Part) -> tuple[list[Edit], list[Import]]:
        """Return the changes that put moved code behind that of a file that is there."""
        module = self.modules[part.path]
        for name, path in self.home.items():
            if path == part.path and name in _top_names(module):
                raise Unmovable(part.path, f"has a {name} already")
        imports = []
        for needed in self._imports(part):
            local = needed.alias or needed.name or needed.module.partition(".")[0]
            stands_for = f"{needed.module}.{needed.name}" if needed.name else needed.module
            bound = module_level_imports(module).get(local)
            if bound == stands_for:
                continue
            if is_taken(module, local):
                raise Unmovable(part.path, f"{local} stands for something else there")
            imports.append(needed)
        for name in self.loggers:
            if name in self.reading[part.path] and name not in _top_names(module):
                raise Unmovable(part.path, f"has no {name}")
        edits, first = [], self._constants(part, module)
        above = behind_imports(module, self._code(first)) if first else None
        if above is not None:
            edits.append(above)
        text = self._chunks(part.path, first if above is not None else ())
        if text:
            text = f"\n\n{text}" if module.source.endswith(b"\n") else f"\n\n\n{text}"
            end = len(module.source)
            edits.append(Edit(part.path, end, end, text.replace("\n", at.newline(module.source))))
        return edits, imports

    def _constants(self, part: Part, module: Module) -> list[int]:
        """Return the statements for a file that is there which can stand at its head: they read nothing of it."""
        own = {*self.home, *_top_names(module)} - set(module_level_imports(module))
        return [
            number
            for number, path in self.taken.items()
            if path == part.path
            and isinstance(self._body[number], (s.Assign, s.AnnAssign))
            and own.isdisjoint(read.name for read in self._reads_of(self._body[number]))
        ]

    # ------------------------------------------------------------------ the origin

    def _left(self, imports: list[Import]) -> list[Edit]:
        """Return the edits that take what moves out of the file, and add the imports it then needs."""
        source = self.origin.source
        wanted = {*self.reading[self.origin.path], *_offered(self.origin)}
        imports += [
            Import(self.origin.path, self.parts[self.home[name]].name, name)
            for name in sorted(wanted & set(self.home))
        ]
        edits = []
        for number in self.taken:
            start, end = self._range(number)
            parted = not source[at.line_start(source, start - 1) : start].strip() if start else True
            kept = end if not parted else at.blank_lines(source, end)
            edits.append(Edit(self.origin.path, start, kept, ""))
        edits += self._headings()
        edits += self._typing_blocks()
        for name, statement in self.loggers.items():
            if name not in self.reading[self.origin.path]:
                end = at.next_line(source, statement.end - 1)
                start = at.line_start(source, statement.start)
                edits.append(Edit(self.origin.path, start, at.blank_lines(source, end), ""))
        return edits

    def _typing_blocks(self) -> Iterator[Edit]:
        """Yield the edits that take imports for annotations away of which nothing is left to read."""
        still = self.reading[self.origin.path]
        for number, statement in enumerate(self._body):
            names = binds(statement)
            if isinstance(statement, s.If) and names and names <= self._typing_imports - set(still):
                start, end = self._range(number)
                yield Edit(self.origin.path, start, at.blank_lines(self.origin.source, end), "")

    def _headings(self) -> Iterator[Edit]:
        """Yield the edits that take headings away (`# ---- tables ----`) under which little is left."""
        source, found = self.origin.source, []
        for number in range(len(self._body)):
            start = self._range(number)[0]
            floor = at.next_line(source, self._body[number - 1].end - 1) if number else 0
            block = _HEADING.search(source, floor, start)
            if block is not None:
                found.append((number, block.start(), block.end()))
        for place, (number, start, end) in enumerate(found):
            last = found[place + 1][0] if place + 1 < len(found) else len(self._body)
            if number in self.taken and 2 * sum(n in self.taken for n in range(number, last)) >= (
                last - number
            ):
                yield Edit(self.origin.path, start, at.blank_lines(source, end), "")

    # -------------------------------------------------------------- the references

    def _followed(self, module: Module) -> tuple[list[Edit], list[Import]]:
        """Return the changes to another file that names what moves."""
        last = self.origin.name.rpartition(".")[2].encode()
        if last not in module.source:
            return [], []
        edits: list[Edit] = []
        imports: list[Import] = []
        for statement in module.import_statements:
            if isinstance(statement, s.ImportFrom):
                edits += self._import_followed(module, statement)
                if any(alias.name == "*" for alias in statement.names):
                    imports += self._everything_followed(module, statement)
        for node in module.walk():
            if isinstance(node, s.Attribute):
                self._attribute_followed(module, node, edits, imports)
            elif isinstance(node, s.Call):
                self._patch_followed(module, node, edits, imports)
            elif isinstance(node, s.Constant):
                edits += self._text_followed(module, node)
        return edits, imports

    def _import_followed(self, module: Module, statement: s.ImportFrom) -> list[Edit]:
        if module.absolute(statement.module, statement.level) != self.origin.name:
            return []
        homes: dict[str, list[s.Alias]] = {}
        for alias in statement.names:
            homes.setdefault(self._gone_to(module, alias, alias.name), []).append(alias)
        if set(homes) == {""}:
            return []
        indentation = at.indentation(module.source, statement.start)
        own = f"from {'.' * statement.level}{statement.module} import"
        lines = []
        for home, aliases in sorted(homes.items()):
            there = relative(home, module.package) if statement.level else home
            head = f"from {there} import" if home else own
            lines.append(_import_line(head, aliases, indentation))
        rest = module.source[statement.end : at.next_line(module.source, statement.end)].decode()
        noqa = rest.rstrip() if "# noqa" in rest else ""  # each of the lines is what it was for
        end = f"{noqa}{at.newline(module.source)}{indentation}"
        return [Edit(module.path, statement.start, statement.end, end.join(lines))]

    def _gone_to(self, module: Module, node: s.Node, name: str) -> str:
        """Return the module that has a name now, "" where the file that it was in still has it.

        A name that the file only imported goes with the last that read it: it is had from where it was imported.
        """
        if name in self.home:
            return self.parts[self.home[name]].name
        if name not in self._imported or name in self.reading[self.origin.path]:
            return ""
        if name in _offered(self.origin) or not any(name in read for read in self.reading.values()):
            return ""
        origin, _, last = self._imported[name].rpartition(".")
        if not origin or last != name:
            raise self._stop(node, f"{name} is imported from {self.origin.path}", module)
        return origin

    def _everything_followed(self, module: Module, statement: s.ImportFrom) -> Iterator[Import]:
        """Yield the imports of what a file reads by ``from main import *`` and `main` has no more."""
        if module.absolute(statement.module, statement.level) != self.origin.name:
            return
        if module.path.endswith("__init__.py"):
            raise self._stop(statement, "it is not known what `*` offers", module)
        offered = _offered(self.origin)
        names = {read.name for each in module.facts.body for read in reads(each)}
        names -= _top_names(module)
        for name in sorted(names):
            if name not in offered and (offered or name.startswith("_")):
                continue
            gone_to = self._gone_to(module, statement, name)
            if gone_to:
                yield Import(module.path, gone_to, name)

    def _is_origin(self, module: Module, node: s.Node | None) -> bool:
        return isinstance(node, (s.Name, s.Attribute)) and module.qualify(node) == self.origin.name

    def _attribute_followed(
        self, module: Module, node: s.Attribute, edits: list[Edit], imports: list[Import]
    ) -> None:
        """``main.total(...)``: the name from where it is now."""
        if not self._is_origin(module, node.value):
            return
        gone_to = self._gone_to(module, node, node.attr)
        if not gone_to:
            return
        if _is_written(module, node):
            raise self._stop(node, f"{node.attr} is set from outside of its file", module)
        brought = bring(module, gone_to, node.attr) or bring(module, gone_to)
        if brought is None:
            raise self._stop(node, f"{node.attr} stands for something else there", module)
        written = brought.name
        if brought.name.rpartition(".")[2] != node.attr:
            written = f"{brought.name}.{node.attr}"
        edits.append(Edit(module.path, node.start, node.end, written))
        imports += brought.imports

    def _patch_followed(
        self, module: Module, node: s.Call, edits: list[Edit], imports: list[Import]
    ) -> None:
        """``monkeypatch.setattr(main, "send", ...)``: the module that looks the name up now."""
        if s.last_name(node.func) not in _PATCHES or len(node.args) < 2:
            return
        name = s.string(node.args[1])
        if name is None or not self._is_origin(module, node.args[0]):
            return
        looked_up = self._where_looked_up(module, node, name)
        if looked_up is None:
            return
        brought = bring(module, looked_up)
        if brought is None:
            raise self._stop(node, f"{looked_up} stands for something else there", module)
        edits.append(Edit(module.path, node.args[0].start, node.args[0].end, brought.name))
        imports += brought.imports

    def _text_followed(self, module: Module, node: s.Constant) -> list[Edit]:
        value = s.string(node)
        if value is None or not value.startswith(self.origin.name):
            return []
        match = re.fullmatch(rf"{re.escape(self.origin.name)}([.:])(\w+)((?:\.\w+)*)", value)
        raw = module.source[node.start : node.end].decode()
        if match is None or value not in raw:
            return []
        if match[1] == ":":
            path = self.home.get(match[2])
            where = self.parts[path].name if path else None
        else:
            where = self._where_looked_up(module, node, match[2])
        if where is None:
            return []
        text = raw.replace(value, f"{where}{match[1]}{match[2]}{match[3]}")
        return [Edit(module.path, node.start, node.end, text)]

    def _where_looked_up(self, module: Module, node: s.Node, name: str) -> str | None:
        """Return the module in which a name is to be patched now, None where that stays the same."""
        users = {path for path, names in self.reading.items() if name in names}
        if name not in self.home and users <= {self.origin.path}:
            return None
        if len(users) > 1:
            files = ", ".join(sorted(users))
            raise self._stop(node, f"{name} is patched here, and would be read in {files}", module)
        path = next(iter(users), self.home.get(name, self.origin.path))
        return None if path == self.origin.path else self.parts[path].name

    def _named_in(self, path: str, text: str) -> list[Edit]:
        """Return the edits of a file that is no module: ``name = "package.main:run"``."""
        edits = []
        raw = text.encode()
        for match in re.finditer(rf"\b{re.escape(self.origin.name)}:(\w+)".encode(), raw):
            home = self.home.get(match[1].decode())
            if home is not None:
                written = f"{self.parts[home].name}:{match[1].decode()}"
                edits.append(Edit(path, match.start(), match.end(), written))
        return edits


def _import(path: str, local: str, origin: str) -> Import:
    """Return the import that binds ``local`` to what it is in the file that it comes from."""
    module, _, name = origin.rpartition(".")
    if not module:
        return Import(path, name, None, local if local != name else None)
    return Import(path, module, name, local if local != name else None)


def _import_line(head: str, aliases: Iterable[s.Alias], indentation: str) -> str:
    names = [f"{a.name} as {a.asname}" if a.asname else a.name for a in aliases]
    line = f"{head} {', '.join(names)}"
    if len(indentation) + len(line) <= _WIDTH:
        return line
    rows = "".join(f"{indentation}    {name},\n" for name in names)
    return f"{head} (\n{rows}{indentation})"


def _is_written(module: Module, node: s.Attribute) -> bool:
    for each in module.walk():
        targets: list[s.Expr] = []
        if isinstance(each, (s.Assign, s.Delete)):
            targets = each.targets
        elif isinstance(each, (s.AugAssign, s.AnnAssign)):
            targets = [each.target]
        if any(target is node for target in targets):
            return True
    return False


def _top_names(module: Module) -> set[str]:
    return {name for statement in module.facts.body for name in binds(statement)}


def _offered(module: Module) -> set[str]:
    """Return the names in ``__all__``."""
    for statement in module.facts.body:
        if isinstance(statement, s.Assign) and "__all__" in binds(statement):
            values = s.walk(statement.value)
            return {value for node in values if (value := s.string(node)) is not None}
    return set()


def _cycle(needs: Mapping[str, set[str]]) -> list[str]:
    """Return paths that need each other, in a ring; none where there is no ring."""
    done: set[str] = set()

    def visit(path: str, way: list[str]) -> list[str]:
        if path in way:
            return way[way.index(path) :]
        if path in done:
            return []
        for other in sorted(needs.get(path, ())):
            found = visit(other, [*way, path])
            if found:
                return found
        done.add(path)
        return []

    for path in sorted(needs):
        if found := visit(path, []):
            return found
    return []
