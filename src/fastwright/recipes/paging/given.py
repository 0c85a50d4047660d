"""Which rows a function gives: all that it read, one item for each, whatever is made of them one by one."""

from __future__ import annotations

import msgspec

from fastwright.app.model import App
from fastwright.app.origins import is_empty, origins
from fastwright.app.scopes import Bound, Where
from fastwright.app.symbols import Class, Function
from fastwright.app.types import Instance, alternatives
from fastwright.read import syntax as s
from fastwright.recipes.shared.columns import is_filled
from fastwright.rules.data._answers import lists

_RESULTS = frozenset({"all", "scalars", "unique"})
_SIFTING = frozenset({"sorted", "reversed", "filter", "set", "enumerate", "zip", "len", "sum"})
_TOUCHING = (s.Name, s.Attribute, s.Constant)


class SiftedError(Exception):
    """A function does not give the rows as they were read: why, and at which node."""

    def __init__(self, reason: str, node: s.Node) -> None:
        super().__init__(reason)
        self.reason = reason
        self.node = node


class Given(msgspec.Struct, frozen=True, eq=False):
    """Rows that a function gives, each of them as one item."""

    call: s.Call
    """What reads them, or asks another function for them."""
    rows: s.Expr
    """The expression that holds all of them: ``(await db.scalars(...)).all()``."""


def rows_given(app: App, function: Function) -> tuple[list[Given], list[SiftedError]]:
    """Return what may be the rows of a function's answer, and what is made of other rows, or of no row.

    Raises SiftedError where that cannot be said of anything.
    """
    returned = [node for node, _ in app.calls.of_kind(function, s.Return)]
    if len(returned) != 1 or returned[0].value is None or function.node.is_generator:
        raise SiftedError("several ways to return", function.node)
    found, sifted = list[Given](), list[SiftedError]()
    for part in lists(app, returned[0].value, function):
        try:
            found.append(_Rows(app, function).of(part))
        except SiftedError as error:
            sifted.append(error)
    if not found:
        raise sifted[0] if sifted else SiftedError("no list of rows", returned[0])
    return found, sifted


class _Rows:
    """Goes back from a list to what it was read by, as long as each row becomes one item."""

    def __init__(self, app: App, function: Function) -> None:
        self.app = app
        self.function = function
        self.rows: s.Expr | None = None

    def of(self, node: s.Expr) -> Given:
        """Return the call that gives the rows that ``node`` holds."""
        while True:
            if isinstance(node, s.Await):
                self.rows = self.rows or node
                node = node.value
            elif isinstance(node, s.Comp) and len(node.generators) == 1:
                generator = node.generators[0]
                if node.kind not in {"list", "generator"} or generator.ifs or generator.is_async:
                    raise SiftedError("the rows are sifted after they were read", node)
                node = generator.iter
                self.rows = None
            elif isinstance(node, s.Name):
                node = self._bound(node)
            elif isinstance(node, s.Call) and _is_list(node):
                node = node.args[0]
                self.rows = None
            elif isinstance(node, s.Call) and _is_map(node):
                node = node.args[1]
                self.rows = None
            elif isinstance(node, s.Call) and _is_sifting(node):
                raise SiftedError(
                    "the rows are sorted, numbered or sifted after they were read", node
                )
            elif isinstance(node, s.Call) and self._takes_rows(node):
                assert isinstance(node.func, s.Attribute)  # noqa: S101 - a method of a result
                self.rows = self.rows or node
                node = node.func.value
            elif isinstance(node, s.Call):
                return Given(node, self.rows or node)
            else:
                raise SiftedError("more than a list is made of the rows", node)

    def _takes_rows(self, node: s.Call) -> bool:
        """Whether a call takes the rows from a result: ``result.scalars().all()``."""
        if not isinstance(node.func, s.Attribute) or node.func.attr not in _RESULTS or node.args:
            return False
        site = origins(self.app).site(self.function, node)
        execution = origins(self.app).execution(self.function, node)
        external = (site.external or "") if site is not None else ""
        return execution is None and external.startswith("Result.")

    def _bound(self, name: s.Name) -> s.Expr:
        """Return what a name stands for: bound once, or a list that a loop fills, row by row."""
        bounds = self._bounds(name.id)
        if len(bounds) != 1 or bounds[0].how != "assign" or bounds[0].path:
            sifting = next((b.value for b in bounds[1:] if isinstance(b.value, s.Comp)), None)
            if sifting is not None and sifting.generators[0].ifs:
                raise SiftedError("the rows are sifted after they were read", sifting)
            raise SiftedError(f"{name.id} is used for more than the answer", name)
        value = bounds[0].value
        if value is None:
            raise SiftedError(f"it is not known what {name.id} is", name)
        if is_empty(value):
            self.rows = None
            return self._filled(name)
        known = {name.start}
        for node in self._named(name.id):
            if node.start in known or bounds[0].offset >= node.end:
                continue
            if not self._is_beside(node):
                raise SiftedError(f"{name.id} is used for more than the answer", node)
        return value

    def _bounds(self, name: str) -> list[Bound]:
        """Return what binds a name of the function; names of comprehensions are their own."""
        bounds = self.app.types.locals.of(self.function).get(name, [])
        return [bound for bound in bounds if bound.inside is None]

    def _named(self, name: str) -> list[s.Name]:
        """Return where a name of the function stands."""
        bounds = self.app.types.locals.of(self.function).get(name, [])
        own = [bound.inside for bound in bounds if bound.inside is not None]
        return [
            node
            for node, _ in self.app.calls.of_kind(self.function, s.Name)
            if node.id == name and not any(start <= node.start < end for start, end in own)
        ]

    # ------------------------------------------------------------------- loops

    def _filled(self, name: s.Name) -> s.Expr:
        """Return what the loop goes over that puts one item for each row into a list."""
        filling = self._named(name.id)[1:-1]
        loops = [
            loop
            for loop, around in self.app.calls.of_kind(self.function, s.For)
            if any(loop.start < each.start < loop.end for each in filling)
        ]
        if len(loops) != 1 or len(filling) != 1:
            raise SiftedError(f"{name.id} is filled in several places", name)
        loop = loops[0]
        if loop.orelse or loop.is_async:
            raise SiftedError("a loop of several parts", loop)
        appended = self._one_by_one(loop, loop.body, name.id)
        if appended is None:
            raise SiftedError("the rows are sifted after they were read", loop)
        return loop.iter

    def _one_by_one(self, loop: s.For, body: list[s.Stmt], name: str) -> s.Call | None:
        """Return the one call that appends to a list in each turn of a loop, in its last statement."""
        *before, last = body
        for statement in before:
            self._check_own(loop, statement)
        if isinstance(last, s.If) and len(last.branches) == 1 and not last.orelse:
            test = last.branches[0].test
            if not _is_negative(test) and self._is_found(loop, test):
                return self._one_by_one(loop, last.branches[0].body, name)
        call = last.value if isinstance(last, s.ExprStmt) else None
        if not isinstance(call, s.Call) or not isinstance(call.func, s.Attribute):
            return None
        appends = call.func.attr == "append" and s.dotted(call.func.value) == name
        return call if appends else None

    def _check_own(self, loop: s.For, statement: s.Stmt) -> None:
        """Refuse what a turn of a loop leaves behind for the next one, or for what comes later."""
        if isinstance(statement, s.If):
            if _is_skip(statement):
                if not self._is_found(loop, statement.branches[0].test):
                    raise SiftedError("the rows are sifted after they were read", statement)
                return
            for block in (*(branch.body for branch in statement.branches), statement.orelse):
                for inner in block:
                    self._check_own(loop, inner)
            return
        if not isinstance(statement, s.Assign):
            raise SiftedError("more than a list is made of the rows", statement)
        for target in statement.targets:
            names = [*target.elts] if isinstance(target, s.Tuple) else [target]
            for each in names:
                if not isinstance(each, s.Name) or not self._is_of_turn(loop, each.id):
                    raise SiftedError("more than a list is made of the rows", statement)

    def _is_of_turn(self, loop: s.For, name: str) -> bool:
        """Whether a name is bound and read within one turn of a loop: set first, gone after it."""
        named = self._named(name)
        first = min(node.start for node in named)
        bounds = self._bounds(name)
        outside = any(not loop.start <= node.start < loop.end for node in named)
        return (
            not outside
            and bool(bounds)
            and bounds[0].how != "parameter"
            and self._is_set(loop.body, name, first)
        )

    def _is_set(self, body: list[s.Stmt], name: str, first: int) -> bool:
        """Whether the first mention of a name is where every turn sets it, or a branch that also reads it."""
        for statement in body:
            if not statement.start <= first < statement.end:
                continue
            if isinstance(statement, s.If):
                blocks = [*(branch.body for branch in statement.branches), statement.orelse]
                return all(_sets(block, name) for block in blocks)
            return _sets([statement], name)
        return False

    # ------------------------------------------------------------- looked up by key

    def _is_found(self, loop: s.For, test: s.Expr) -> bool:
        """``other is not None``, where ``other`` was looked up by a foreign key of the row: it is there."""
        name = test.operand if isinstance(test, s.UnaryOp) else test
        if isinstance(name, s.Compare) and name.ops[0] in {"is", "is not"}:
            other = name.comparators[0]
            if not isinstance(other, s.Constant) or other.kind != "none":
                return False
            name = name.left
        if not isinstance(name, s.Name):
            return False
        bounds = self._bounds(name.id)
        value = bounds[0].value if len(bounds) == 1 else None
        value = value.value if isinstance(value, s.Await) else value
        if not isinstance(value, s.Call) or not self._finds_all(value):
            return False
        keys = [arg for arg in value.args if isinstance(arg, s.Attribute)]
        row = loop.target.id if isinstance(loop.target, s.Name) else None
        return len(keys) == 1 and s.dotted(keys[0].value) == row and self._is_foreign(keys[0])

    def _finds_all(self, call: s.Call) -> bool:
        """Whether a call finds every row of a table by its key: ``session.get``, or a dictionary of all asked for."""
        execution = origins(self.app).execution(self.function, call)
        if execution is not None:
            return execution.by_key
        table = call.func.value if isinstance(call.func, s.Attribute) else None
        if s.last_name(call.func) != "get" or not isinstance(table, s.Name):
            return False
        bounds = self._bounds(table.id)
        made = bounds[0].value if len(bounds) == 1 else None
        if not isinstance(made, s.Comp) or made.kind != "dict" or made.generators[0].ifs:
            return False
        found = origins(self.app).of(made.generators[0].iter, self.function)
        return bool(found) and all(
            origin.query is not None
            and len(origin.query.filters) == 1
            and s.last_name(getattr(origin.query.filters[0], "func", None)) == "in_"
            for origin in found
        )

    def _is_foreign(self, node: s.Attribute) -> bool:
        where = Where(self.function.module, self.function)
        for option in alternatives(self.app.types.of(node.value, where)):
            cls = option.cls if isinstance(option, Instance) else None
            table = self.app.models.table(cls) if isinstance(cls, Class) else None
            column = table.columns.get(node.attr) if table is not None else None
            if column is None or column.foreign_key is None or not is_filled(column):
                return False
        return True

    def _is_beside(self, name: s.Name) -> bool:
        """Whether rows are named where the answer does not depend on how many they are.

        Their attributes are touched, or collected for what is looked up by them: ``{row.id for row in rows}``.
        """
        for loop, _ in self.app.calls.of_kind(self.function, s.For):
            if loop.iter is name:
                return all(_touches(statement) for statement in loop.body)
        for comp, _ in self.app.calls.of_kind(self.function, s.Comp):
            if comp.generators[0].iter is name:
                return len(comp.generators) == 1 and self._is_looked_up(comp)
        return False

    def _is_looked_up(self, keys: s.Expr) -> bool:
        """Whether keys of rows only serve to look up what belongs to each row."""
        for execution in self.app.calls.executions(self.function):
            query = execution.query
            if query is None or not any(_holds(step, keys) for step in query.steps):
                continue
            return not query.limited and any(_is_in(step, keys) for step in query.steps)
        assigned = self._assigned(keys)
        if assigned is None:
            return self._is_asked_for(keys)
        name, value = assigned
        if value is keys or isinstance(value, s.Call):
            uses = [node for node in self._named(name) if node.start > value.end]
            return bool(uses) and all(self._is_looked_up(node) for node in uses)
        return False

    def _assigned(self, node: s.Expr) -> tuple[str, s.Expr] | None:
        """Return the name that an expression is bound to, and the value: itself, or ``list(...)`` of it."""
        for statement, _ in self.app.calls.of_kind(self.function, s.Assign):
            target, value = statement.targets[0], statement.value
            if isinstance(target, s.Name) and _unwrapped(value) is node:
                bounds = self._bounds(target.id)
                return (target.id, value) if len(bounds) == 1 else None
        return None

    def _is_asked_for(self, keys: s.Expr) -> bool:
        """Whether keys are given to a function that reads the rows with those keys, and nothing else."""
        for site in self.app.calls.sites(self.function):
            for position, given in enumerate(site.node.args):
                if _unwrapped(given) is not keys or len(site.targets) != 1:
                    continue
                target = site.targets[0]
                name = target.parameters[position].name
                return any(
                    execution.query is not None
                    and not execution.query.limited
                    and any(_is_in_named(step, name) for step in execution.query.steps)
                    for execution in self.app.calls.executions(target)
                )
        return False


def _is_list(node: s.Call) -> bool:
    name = node.func.id if isinstance(node.func, s.Name) else None
    return name in {"list", "tuple"} and len(node.args) == 1 and not node.keywords


def _is_map(node: s.Call) -> bool:
    """``map(public, rows)``."""
    return isinstance(node.func, s.Name) and node.func.id == "map" and len(node.args) == 2


def _is_sifting(node: s.Call) -> bool:
    return isinstance(node.func, s.Name) and node.func.id in _SIFTING


def _unwrapped(node: s.Expr) -> s.Expr:
    """Return what ``list(...)`` or ``set(...)`` is made of."""
    while isinstance(node, s.Call) and isinstance(node.func, s.Name) and len(node.args) == 1:
        if node.func.id not in {"list", "set", "sorted", "tuple"}:
            break
        node = node.args[0]
    return node


def _is_skip(statement: s.If) -> bool:
    """``if other is None: continue``."""
    body = statement.branches[0].body
    skips = len(body) == 1 and isinstance(body[0], s.Flow) and body[0].keyword == "continue"
    return (
        skips
        and len(statement.branches) == 1
        and not statement.orelse
        and _is_negative(statement.branches[0].test)
    )


def _is_negative(test: s.Expr) -> bool:
    """``other is None``, ``not other``."""
    if isinstance(test, s.Compare):
        return test.ops == ["is"]
    return isinstance(test, s.UnaryOp) and test.op == "not"


def _touches(statement: s.Stmt) -> bool:
    """``order.lines``, or ``session.refresh(order)``: read, so that it is there later."""
    if not isinstance(statement, s.ExprStmt):
        return False
    value = statement.value.value if isinstance(statement.value, s.Await) else statement.value
    if isinstance(value, s.Call):
        return s.last_name(value.func) in {"refresh", "expunge"}
    return all(isinstance(node, _TOUCHING) for node in s.walk(value))


def _sets(block: list[s.Stmt], name: str) -> bool:
    """Whether the first statement of a block that mentions a name binds it, and does not read it."""
    for statement in block:
        if any(isinstance(node, s.Name) and node.id == name for node in s.walk(statement)):
            return isinstance(statement, s.Assign) and not any(
                isinstance(node, s.Name) and node.id == name for node in s.walk(statement.value)
            )
    return False


def _holds(step: s.Expr, node: s.Expr) -> bool:
    return (
        step.start <= node.start and node.end <= step.end and any(n is node for n in s.walk(step))
    )


def _is_in(step: s.Expr, keys: s.Expr) -> bool:
    """``column.in_(keys)``."""
    return any(
        isinstance(node, s.Call)
        and s.last_name(node.func) == "in_"
        and len(node.args) == 1
        and _unwrapped(node.args[0]) is keys
        for node in s.walk(step)
    )


def _is_in_named(step: s.Expr, name: str) -> bool:
    return any(
        isinstance(node, s.Call)
        and s.last_name(node.func) == "in_"
        and len(node.args) == 1
        and s.dotted(_unwrapped(node.args[0])) == name
        for node in s.walk(step)
    )
