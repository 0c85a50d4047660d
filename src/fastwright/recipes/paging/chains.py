"""A list in pages: from the statement that reads it up to the endpoint, what each function on the way needs."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from fastwright.app.model import App
from fastwright.app.models import Column
from fastwright.app.scopes import Where
from fastwright.app.symbols import Function, is_abstract
from fastwright.app.types import FunctionValue, Instance, Query, Unknown, alternatives
from fastwright.edit.builders import (
    add_argument,
    add_parameter,
    block_of,
    delete_statements,
    first_byte,
    insert,
    insert_before,
    replace,
)
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring
from fastwright.edit.source import (
    behind_parentheses,
    indentation,
    is_first,
    newline,
    step,
    text,
)
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.paging.adapters import adapters
from fastwright.recipes.paging.pagination import COUNT_OF, Pagination, pagination
from fastwright.recipes.paging.ways import PAGE, Hop, Refused, Way, takes_page, way
from fastwright.recipes.recipe import Planned, Proposal, Stopped, Target
from fastwright.recipes.shared.columns import is_filled
from fastwright.recipes.shared.from_rules import hits_of

_RULE = "missing-pagination"
_PLAIN = frozenset(
    {"builtins.int", "builtins.str", "datetime.datetime", "datetime.date", "uuid.UUID"}
)
"""Types whose values a cursor can hold."""
_PLAIN_COLUMNS = frozenset(
    {
        "Integer",
        "BigInteger",
        "SmallInteger",
        "String",
        "Text",
        "Unicode",
        "DateTime",
        "Date",
        "Uuid",
    }
)


def chains(app: App, target: Target) -> Iterator[Planned]:
    """Yield one change for each list that endpoints answer without a limit."""
    endpoints = {
        (each.module.path, each.module.source.count(b"\n", 0, each.node.name_start) + 1): each
        for each in app.endpoints
    }
    lists: dict[int, list[_Asked]] = {}
    for hit in hits_of(app, _RULE):
        if not target.holds(hit.place.file, hit.place.function):
            continue
        place = f"{hit.place.file}:{hit.place.line}"
        endpoint = endpoints.get((hit.place.file, hit.place.line))
        if endpoint is None:
            yield Stopped(place, hit.message)
            continue
        try:
            found = way(app, endpoint)
            _check(app, found)
        except Refused as refused:
            yield Stopped(place, f"{hit.message}; {refused.reason}")
        else:
            lists.setdefault(id(found.reader.node), []).append(_Asked(found, place, hit.message))
    for asked in lists.values():
        try:
            yield _Pages(app, tuple(each.way for each in asked), target).proposal(
                tuple(each.place for each in asked)
            )
        except Refused as refused:
            for each in asked:
                yield Stopped(each.place, f"{each.message}; {refused.reason}")


class _Asked(msgspec.Struct, frozen=True, eq=False):
    """A list without a limit: how its rows come, where it is answered, what is said of it."""

    way: Way
    place: str
    message: str


def _check(app: App, found: Way) -> None:
    """Refuse where a name is taken, or where somebody else stands for a function on the way."""
    functions = [found.endpoint, *(hop.function for hop in found.chain)]
    if len({id(each.node) for each in functions}) != len(functions):
        raise Refused("calls itself", found.endpoint)
    for function in functions:
        if takes_page(function):
            continue
        names = {node.id for node, _ in app.calls.of_kind(function, s.Name)}
        if PAGE in names | {each.name for each in function.parameters}:
            raise Refused(f"the name {PAGE} is taken", function)
    for hop in found.chain:
        _check_only(app, hop)
    if _callers(app, found.endpoint):
        raise Refused("the endpoint is called by others", found.endpoint)


# ------------------------------------------------------------------------- making


class _Pages:
    """Makes the edits that page the rows of one statement, for all endpoints that answer them."""

    def __init__(self, app: App, ways: tuple[Way, ...], target: Target) -> None:
        self.app = app
        self.ways = ways
        self.way = ways[0]
        """One of them: they all lead to the same statement."""
        self.imports: list[Import] = []
        self.keys = self._keys()
        self.optional = self._optional_functions()
        found = pagination(app, self.way.endpoint, target.paging, legacy=self.way.query.legacy)
        if found is None:
            raise Refused("other lists are paged in another style", self.way.endpoint)
        self.pagination: Pagination = found

    def _keys(self) -> list[str]:
        """Return the primary key of the rows, as it is written in an ``order_by(...)``."""
        query = self.way.query
        made = query.node.args[0] if isinstance(query.node, s.Call) and query.node.args else None
        if made is None or query.grouped or len(query.node.args) != 1:  # type: ignore[union-attr]
            raise Refused("more than one table is read", self.way.reader, query.node)
        selected = text(query.module, made)
        table = self.app.models.table(query.entity) if query.entity is not None else None
        if table is not None and s.last_name(made) == table.cls.name:
            keys = [name for name, column in table.columns.items() if column.primary_key]
            if keys:
                return [f"{selected}.{name}" for name in keys]
        inspect = bring(query.module, "sqlalchemy", "inspect")
        if query.entity is None and isinstance(made, s.Attribute) and inspect is not None:
            self.imports += inspect.imports
            return [f"*{inspect.name}({selected}).primary_key"]  # of a table that subclasses name
        raise Refused("the key of the rows is not known", self.way.reader, query.node)

    def _optional_functions(self) -> frozenset[int]:
        """Return the functions that are also called for no page: by others, or by one of these for none."""
        hops = {id(hop.site.node): hop for each in self.ways for hop in each.chain}
        asked = Counter(id(hop.function.node) for hop in hops.values())
        found = set[int]()
        for each in self.ways:
            for hop in each.chain:
                function = hop.function
                others = _named(self.app, hop) > asked[id(function.node)]
                if others or any(one.default is not None for one in function.parameters):
                    found.add(id(function.node))
        for each in (*self.ways, *self.ways):
            for above, below in pairwise(each.chain):
                if id(above.function.node) in found:
                    found.add(id(below.function.node))
        return frozenset(found)

    def proposal(self, answered: tuple[str, ...]) -> Proposal:
        """Return the change: parameters and arguments on the way, and the page of the statement."""
        module = self.way.query.module
        is_optional = id(self.way.reader.node) in self.optional
        if takes_page(self.way.reader):
            if self.pagination.new is not None:
                raise Refused(f"the name {PAGE} is taken", self.way.reader)
            edits = list[Edit]()
        elif self.pagination.paging == "cursor":
            edits = self._from_cursor(is_optional=is_optional)
        else:
            edits = self._counted(is_optional=is_optional)
        for each in self.ways:
            for hop in each.chain:
                edits.append(self._handed_on(hop))
                if takes_page(hop.function):
                    break
                edits += [self._taken(one, hop) for one in (hop.function, *hop.declared)]
            edits.append(self._of_request(each.endpoint))
        new = {} if self.pagination.new is None else {self.pagination.path: self.pagination.new}
        places = (*answered, f"{module.path}:{module.line(self.way.query.node)}")
        names = ", ".join(f"{e.endpoint.qualname} of {e.endpoint.module.path}" for e in self.ways)
        title = f"pages for {names}"
        return Proposal(title, tuple(dict.fromkeys(edits)), tuple(self.imports), new, places=places)

    # ------------------------------------------------------------ the statement

    def _counted(self, *, is_optional: bool) -> list[Edit]:
        """Return the edits that count the rows of a statement, and read those of the page."""
        way, module = self.way, self.way.query.module
        asked = self._asked()
        name, order, lines = self._bound(asked, is_optional=is_optional)
        edits: list[Edit] = []
        if way.query.legacy:
            total = f"{name}.order_by(None).count()"
        else:
            counting, edits = self._count_of()
            session = way.execution.site.node.func
            assert isinstance(session, s.Attribute)  # noqa: S101 - a method of a session
            awaited = "await " if way.execution.session == "async" else ""
            asks = f"{text(module, session.value)}.scalar({counting}({name}))"
            total = f"{awaited}{asks} or 0"
        paged = f"{name}{order}.offset({PAGE}.offset).limit({PAGE}.limit)"
        if is_optional:
            inner = step(module)
            lines += [
                f"if {PAGE} is not None:",
                f"{inner}{PAGE}.set_total({total})",
                f"{inner}{name} = {paged}",
            ]
            paged = name
        else:
            lines.append(f"{PAGE}.set_total({total})")
        edits.append(replace(module, asked, paged))
        return [*edits, self._before(asked, lines)]

    def _from_cursor(self, *, is_optional: bool) -> list[Edit]:
        """Return the edits that read the rows behind a cursor, and note where the page ends."""
        way, module = self.way, self.way.query.module
        if is_optional:
            raise Refused("others ask for all rows", way.reader)
        if self.app.versions.at_least("pydantic", "2") is False:
            raise Refused("cursors need Pydantic 2", way.reader)
        if way.execution.site.method == "execute" and ".scalars(" not in text(module, way.rows):
            raise Refused("rows that are tuples", way.reader, way.rows)
        asked = self._asked()
        keys, descending = self._order()
        given = ", ".join([*keys, *(["descending=True"] if descending else [])])
        taking, ordering = f"{PAGE}.take(", f"{PAGE}.of("
        if way.rows.start == asked.start:
            edits = [insert(module, asked.start, taking + ordering)]
        else:
            edits = [insert(module, way.rows.start, taking), insert(module, asked.start, ordering)]
        edits += [insert(module, asked.end, f", {given})"), insert(module, way.rows.end, ")")]
        return [*edits, *self._unordered()]

    def _unordered(self) -> list[Edit]:
        """Return the edits that take the order out of a statement: the page gives it."""
        module, reader = self.way.query.module, self.way.reader
        edits = []
        for each in self.way.query.steps:
            if s.last_name(each) != "order_by" or not isinstance(each, s.Call):
                continue
            found = block_of(reader.node.body, each)
            if found is None or found[0] is not _block(reader, self.way.query.node):
                raise Refused("the order is not always the same", reader, each)
            value = each.func.value if isinstance(each.func, s.Attribute) else each.func
            block, statement = found
            if isinstance(value, s.Name) and isinstance(statement, s.Assign):
                if statement.value is each and s.dotted(statement.targets[0]) == value.id:
                    edits += delete_statements(module, block, [statement])
                    continue
            before = behind_parentheses(module.source, value.end, each.end)
            edits.append(Edit(module.path, before, each.end, ""))
        return edits

    def _order(self) -> tuple[list[str], bool]:
        """Return the columns that order the rows, the last of them unique, and whether they descend."""
        query, reader = self.way.query, self.way.reader
        table = self.app.models.table(query.entity) if query.entity is not None else None
        keys, directions, is_unique = list[str](), set[bool](), False
        columns = table.columns if table is not None else {}
        for argument in _ordering(query):
            node, descends = _direction(argument)
            column = columns.get(node.attr) if isinstance(node, s.Attribute) else None
            if column is None or not _is_sortable(column):
                raise Refused(
                    "ordered by more than columns that always hold a plain value", reader, argument
                )
            keys.append(text(query.module, node))
            directions.add(descends)
            is_unique = is_unique or column.primary_key or column.unique
        if len(directions) > 1:
            raise Refused("ordered up and down at once", reader, query.node)
        if not is_unique:
            named = [columns.get(key.rpartition(".")[2]) for key in self.keys]
            if not all(column is not None and _is_sortable(column) for column in named):
                raise Refused("the key is no plain value", reader, query.node)
            keys += [key for key in self.keys if key not in keys]
        return keys, directions == {True}

    def _asked(self) -> s.Expr:
        """Return the statement, as it stands where it runs."""
        call = self.way.execution.site.node
        if self.way.query.legacy:
            assert isinstance(call.func, s.Attribute)  # noqa: S101 - query.all()
            return call.func.value
        asked = call.argument(0, "statement")
        if asked is None:
            raise Refused("a statement that is given otherwise", self.way.reader, call)
        return asked

    def _bound(self, asked: s.Expr, *, is_optional: bool) -> tuple[str, str, list[str]]:
        """Return the name of a statement, the order that it lacks, and what binds it where it has none yet.

        Rows of which no column is unique come in any order: the key is added, since pages would overlap.
        """
        order = "" if self._is_unique() else f".order_by({', '.join(self.keys)})"
        module, reader = self.way.query.module, self.way.reader
        if isinstance(asked, s.Name):
            return asked.id, order, []
        name = self._name(asked)
        texts = (s.Constant, s.JoinedStr)
        if any(isinstance(n, texts) and "\n" in text(module, n) for n in s.walk(asked)):
            raise Refused("a text of several lines in the statement", reader, asked)
        written = text(module, asked)
        ordering = self._last_order(asked)
        if order and ordering is not None:
            added = add_argument(module, ordering, ", ".join(self.keys))
            source = module.source
            before, behind = source[asked.start : added.start], source[added.end : asked.end]
            written, order = f"{before.decode()}{added.text}{behind.decode()}", ""
        late = order if is_optional else ""
        return name, late, _binding(module, name, written, "" if is_optional else order)

    def _name(self, asked: s.Expr) -> str:
        """Return a name for a statement: that of what it is made of, where nobody else needs it, or a new one."""
        reader = self.way.reader
        named = [node for node, _ in self.app.calls.of_kind(reader, s.Name)]
        root = next((node for node in named if node.start == asked.start), None)
        if root is not None and not any(
            node.id == root.id and node.start > asked.start for node in named
        ):
            if any(each.start <= root.start < each.end for each in self.way.query.steps):
                bounds = self.app.types.locals.of(reader).get(root.id, [])
                if any(bound.how == "assign" for bound in bounds):
                    return root.id
        names = {node.id for node in named} | set(reader.module.imported)
        names |= {each.name for each in reader.node.params}
        wanted = ("query", "statement") if self.way.query.legacy else ("statement", "query")
        free = [name for name in wanted if name not in names]
        if not free:
            raise Refused(f"the name {wanted[0]} is taken", reader)
        return free[0]

    def _is_unique(self) -> bool:
        """Whether a column by which the rows are ordered is unique."""
        table = self.app.models.table(self.way.query.entity) if self.way.query.entity else None
        columns = table.columns if table is not None else {}
        found = (_direction(argument)[0] for argument in _ordering(self.way.query))
        named = (columns.get(node.attr) for node in found if isinstance(node, s.Attribute))
        return any(column and (column.primary_key or column.unique) for column in named)

    def _last_order(self, asked: s.Expr) -> s.Call | None:
        """Return the ``order_by(...)`` in a statement that counts last."""
        steps = [
            each
            for each in self.way.query.steps
            if s.last_name(each) == "order_by" and isinstance(each, s.Call) and each.args
        ]
        last = steps[-1] if steps else None
        return last if last is not None and asked.start <= last.start < asked.end else None

    def _before(self, node: s.Expr, lines: list[str]) -> Edit:
        """Return the edit that puts lines before the statement that holds a node."""
        found = block_of(self.way.reader.node.body, node)
        if found is None or not is_first(self.way.reader.module.source, first_byte(found[1])):
            raise Refused("more than one statement on a line", self.way.reader, node)
        return insert_before(self.way.query.module, found[1], "\n".join(lines))

    def _count_of(self) -> tuple[str, list[Edit]]:
        """Return how ``count_of`` is written where the rows are read, and the edit that makes it."""
        name = self._brought(self.way.reader, "count_of")
        there = self.app.modules.get(self.pagination.path)
        if there is None or self.pagination.counts:
            return name, []
        self.imports.append(Import(there.path, "typing", "Any"))
        self.imports += [
            Import(there.path, "sqlalchemy", each) for each in ("Select", "func", "select")
        ]
        return name, [insert(there, len(there.source), COUNT_OF)]

    def _brought(self, function: Function, name: str) -> str:
        brought = bring(function.module, self.pagination.module, name)
        if brought is None:
            raise Refused(f"the name {name} is taken", function)
        self.imports += brought.imports
        return brought.name

    # ------------------------------------------------------------------ the way

    def _handed_on(self, hop: Hop) -> Edit:
        """Return the edit that hands the page on, by its place where all is given by place."""
        site, call, function = hop.site, hop.site.node, hop.function
        if any(isinstance(each, (s.Comp, s.Starred)) for each in call.args):
            raise Refused("arguments of several kinds", site.caller, call)
        before = [each for each in function.parameters if each.name != PAGE]
        by_place = not call.keywords and len(call.args) == len(before)
        return add_argument(site.module, call, PAGE if by_place else f"{PAGE}={PAGE}")

    def _taken(self, function: Function, hop: Hop) -> Edit:
        """Return the edit that lets a function take a page; who asks for none gets all, as before."""
        name = self._brought(function, "Page")
        if id(hop.function.node) in self.optional:
            optional = self._optional(function, name)
            return _parameter(function, f"{PAGE}: {optional} = None", last=True)
        return _parameter(function, f"{PAGE}: {name}", last=True)

    def _optional(self, function: Function, name: str) -> str:
        """Return ``Page | None`` as the project writes it."""
        if any(b"| None" in each.source for each in self.app.sources):
            return f"{name} | None"
        optional = bring(function.module, "typing", "Optional")
        if optional is None:
            raise Refused("the name Optional is taken", function)
        self.imports += optional.imports
        return f"{optional.name}[{name}]"

    def _of_request(self, endpoint: Function) -> Edit:
        """Return the edit that takes the page from the request."""
        return _parameter(endpoint, f"{PAGE}: {self._brought(endpoint, 'PageDep')}", last=False)


# ----------------------------------------------------------------- what is asked


def _check_only(app: App, hop: Hop) -> None:
    """Refuse a method that others override, implement or stand in for."""
    function = hop.function
    if is_abstract(function) or function.node.decorators:
        raise Refused(f"{function.qualname} is more than a plain function", function)
    for port in hop.declared:
        if port.owner is None or len(adapters(app, port.owner)) > 1:
            raise Refused(f"{port.qualname} has several adapters", port)
    if function.owner is not None:
        for cls in (*app.linker.mro(function.owner), *app.subclasses(function.owner)):
            own = getattr(cls, "own_methods", {}).get(function.name)
            if own is not None and own.node not in [
                each.node for each in (function, *hop.declared)
            ]:
                raise Refused(f"{function.qualname} is overridden", function)
    name = function.name.encode()
    for module in app.tests:
        if name in module.source and any(
            (isinstance(node, s.FunctionDef) and node.name == function.name)
            or (isinstance(node, s.Constant) and node.value == function.name)
            for node in module.walk()
        ):
            raise Refused(f"{module.path} may stand in for {function.qualname}", function)


def _callers(app: App, function: Function) -> int:
    """Return how many calls in the project may call a function."""
    name = function.name.encode()
    return sum(
        any(target.node is function.node for target in site.targets)
        for module in app.sources
        if name in module.source
        for caller in app.every_function(module)
        for site in app.calls.sites(caller)
        if site.method == function.name
    )


def _named(app: App, hop: Hop) -> int:
    """Return how often the project, its tests included, names what may be the function that a call runs."""
    functions = [hop.function, *hop.declared]
    name = functions[0].name
    found = 0
    for module in app.sources:
        if name.encode() not in module.source:
            continue
        known = set[int]()
        for caller in app.every_function(module):
            for node in (*_of_kind(app, caller, s.Name), *_of_kind(app, caller, s.Attribute)):
                if _names(node, functions[0]):
                    known.add(node.start)
                    found += _may_be(app, node, caller, functions)
        found += sum(_names(n, functions[0]) and n.start not in known for n in module.walk())
    return found + sum(
        _names(node, functions[0])
        for module in app.tests
        if name.encode() in module.source
        for node in module.walk()
    )


def _of_kind(app: App, function: Function, kind: type[s.Name | s.Attribute]) -> Iterator[s.Expr]:
    return (node for node, _ in app.calls.of_kind(function, kind))


def _names(node: s.Node, function: Function) -> bool:
    """Whether a node has the name of a function; that of a method is always behind a dot."""
    if isinstance(node, s.Name):
        return node.id == function.name and function.owner is None
    return isinstance(node, s.Attribute) and node.attr == function.name


def _may_be(app: App, node: s.Expr, caller: Function, functions: list[Function]) -> bool:
    """Whether a name may stand for one of some functions: it does, or it is not known for what."""
    options = alternatives(app.types.of(node, Where(caller.module, caller)))
    return any(
        isinstance(each, Unknown)
        or (isinstance(each, FunctionValue) and each.function.node in [f.node for f in functions])
        for each in options
    )


def _binding(module: Module, name: str, written: str, order: str) -> list[str]:
    """Return the lines that bind a statement to a name."""
    if "\n" not in written:
        return [f"{name} = {written}{order}"]
    inner = step(module)
    first, _, rest = written.replace("\r\n", "\n").partition("\n")
    behind = textwrap.indent(textwrap.dedent(rest), inner).split("\n")
    return [
        f"{name} = (",
        f"{inner}{first}",
        *behind,
        *([f"{inner}{order}"] if order else []),
        ")",
    ]


def _parameter(function: Function, taken: str, *, last: bool) -> Edit:
    """Return the edit that adds a parameter: behind all, or before those that need not be given."""
    module, node = function.module, function.node
    first = next((each for each in node.params if each.default is not None), None)
    edit = add_parameter(module, node, taken)
    if edit is None:
        raise Refused("parameters of several kinds", function)
    if last or first is None:
        return edit
    if is_first(module.source, first.start):
        end = newline(module.source) + indentation(module.source, first.start)
        return insert(module, first.start, f"{taken},{end}")
    return insert(module, first.start, f"{taken}, ")


# ---------------------------------------------------------------------- the order


def _block(function: Function, node: s.Node) -> list[s.Stmt] | None:
    found = block_of(function.node.body, node)
    return found[0] if found is not None else None


def _ordering(query: Query) -> Iterator[s.Expr]:
    """Yield what a statement is ordered by."""
    for each in query.steps:
        if s.last_name(each) == "order_by" and isinstance(each, s.Call):
            yield from each.args


def _direction(node: s.Expr) -> tuple[s.Expr, bool]:
    """Return the column that something orders by, and whether it descends."""
    if not isinstance(node, s.Call) or s.last_name(node.func) not in {"desc", "asc", "col"}:
        return node, False
    given = node.args[0] if node.args else None
    if given is None and isinstance(node.func, s.Attribute):
        given = node.func.value
    if given is None:
        return node, False
    column, _ = _direction(given)
    return column, s.last_name(node.func) == "desc" or _direction(given)[1]


def _is_sortable(column: Column) -> bool:
    """Whether a column surely holds a value that a cursor can hold, in every row."""
    kinds = {each.name for each in alternatives(column.type) if isinstance(each, Instance)}
    types = {s.last_name(arg) for arg in column.call.args} if column.call is not None else set()
    if not (kinds and kinds <= _PLAIN) and not types & _PLAIN_COLUMNS:
        return False
    return is_filled(column)
