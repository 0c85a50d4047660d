"""Statements of a coroutine that block: a plain function of their own, which runs in a thread."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastwright.app.calls import CallSite, Execution
from fastwright.app.model import App
from fastwright.app.on_loop import stays_on_loop
from fastwright.app.scopes import Where
from fastwright.app.symbols import Class, External, Function
from fastwright.app.types import UNKNOWN, Instance, Type
from fastwright.edit.builders import blocks, first_byte
from fastwright.edit.fix import Edit, Import
from fastwright.edit.names import bring, is_taken, module_level_imports
from fastwright.edit.source import (
    indentation,
    is_alone,
    is_first,
    line_start,
    newline,
    next_line,
    step,
    text,
)
from fastwright.read import syntax as s
from fastwright.read.module import Module
from fastwright.recipes.recipe import Proposal
from fastwright.recipes.threads.bound import (
    Unfit,
    check_below,
    check_between,
    check_sequence,
    check_sessions,
    plain_below,
)
from fastwright.recipes.threads.files import path_operation
from fastwright.recipes.threads.plain import Blocked
from fastwright.recipes.threads.threads import handed_over

_MAIL = ("smtplib.", "imaplib.", "poplib.")
_OPENING = frozenset({"builtins.open", "pathlib.Path.open"})


def blocks_in_threads(
    app: App, blocked: Blocked, fixed: frozenset[tuple[str, int]]
) -> tuple[list[Proposal], dict[str, str]]:
    """Return one change for each coroutine with statements that block, and why others stay, by place.

    ``fixed``: calls, by file and offset, that need nothing but another call.
    """
    proposals: list[Proposal] = []
    reasons: dict[str, str] = {}
    for function, places in blocked.values():
        blocking = [
            site
            for site in _blocking(app, function)
            if (site.module.path, site.node.start) not in fixed
        ]
        for region in _regions(app, function, blocking):
            about = region.about(places)
            try:
                proposals.append(_moved(app, region, about))
                break  # the next one is found when it is asked again
            except Unfit as unfit:
                reasons |= dict.fromkeys(about, str(unfit))
    return proposals, reasons


@dataclass(frozen=True, eq=False)
class _Region:
    """Statements in a row that wait for nothing."""

    function: Function
    statements: Sequence[s.Stmt]
    sites: tuple[CallSite, ...]
    """What blocks in them."""
    after: Sequence[s.Stmt]
    """What follows them in their block."""
    is_tail: bool
    """Whether the function ends with them."""

    def holds(self, node: s.Node) -> bool:
        return self.statements[0].start <= node.start and node.end <= self.statements[-1].end

    def about(self, places: list[str]) -> list[str]:
        """Return the places that are those of the statements, or of all of the function."""
        module = self.function.module
        lines = {module.line(site.node) for site in self.sites} | {module.line(self.function.node)}
        return [each for each in places if each in {f"{module.path}:{n}" for n in lines}] or places


def _blocking(app: App, function: Function) -> Iterator[CallSite]:
    """Yield the calls of a coroutine that block, or that ask the database with a session."""
    direct = {id(each.site.node) for each in app.calls.executions(function) if _waits(each)}
    for site in app.calls.sites(function):
        if site.around.awaited or site.around.deferred:
            continue
        blocks_itself = site.external is not None and app.library.blocks(site.external) is not None
        if id(site.node) in direct or blocks_itself or _asks_below(app, site):
            yield site


def _waits(execution: Execution) -> bool:
    adds = execution.site.method in {"add", "add_all", "delete"}
    return execution.session == "sync" and not adds


def _asks_below(app: App, site: CallSite) -> bool:
    """Whether a call runs plain functions that ask the database with a session."""
    return len(site.targets) == 1 and any(
        _waits(execution)
        for target in site.targets
        if not target.is_async and stays_on_loop(app, site, target)
        for each in plain_below(app, target)
        for execution in app.calls.executions(each)
    )


# ------------------------------------------------------------------------- what is moved


def _regions(app: App, function: Function, sites: list[CallSite]) -> Iterator[_Region]:
    """Yield the rows of statements that block, in source order."""
    body = function.node.body
    done: set[int] = set()
    for block in blocks(body):
        for run, is_last in _runs(block):
            inside = [
                site
                for site in sites
                if id(site.node) not in done and run[0].start <= site.node.start < run[-1].end
            ]
            if not inside:
                continue
            numbers = [
                number
                for number, each in enumerate(run)
                if any(each.start <= site.node.start < each.end for site in inside)
            ]
            asks = _asks(app, function, inside)
            is_tail = block is body and is_last and asks
            last = len(run) - 1 if is_tail else numbers[-1]
            if asks and not is_tail:
                last = _last(app, function, run, last)
            first = _first(run, numbers[0], last) if asks else numbers[0]
            statements = run[first : last + 1]
            if len(statements) == 1 and _is_inside(statements[0], inside):
                continue
            done |= {id(site.node) for site in inside}
            after = [each for each in block if each.start > statements[-1].start]
            yield _Region(function, statements, tuple(inside), after, is_tail)


def _is_inside(statement: s.Stmt, sites: list[CallSite]) -> bool:
    """Whether what blocks is done in a branch, and can go to a thread there."""
    if not isinstance(statement, s.If) or any(
        isinstance(each, s.Return) for each in s.walk_scope(statement)
    ):
        return False
    return not any(
        branch.test.start <= site.node.start < branch.test.end
        for branch in statement.branches
        for site in sites
    )


def _last(app: App, function: Function, run: list[s.Stmt], last: int) -> int:
    """Return where statements end that read rows: after a commit, that asks the database again."""
    where = Where(function.module, function)
    for number in range(len(run) - 1, last, -1):
        for each in s.walk_scope(run[number]):
            if isinstance(each, s.Attribute) and app.is_table_type(app.types.of(each.value, where)):
                return number
    return last


def _first(run: list[s.Stmt], first: int, last: int) -> int:
    """Return where statements begin that prepare what the database is asked: `session.add(order)`.

    What they read is read by the others as well.
    """
    read = _read(run[first : last + 1])
    while first > 0:
        before = run[first - 1]
        targets = before.targets if isinstance(before, s.Assign) else []
        prepares = isinstance(before, s.ExprStmt) or (
            bool(targets) and all(isinstance(each, s.Attribute) for each in targets)
        )
        if not prepares or not _read([before]) <= read:
            break
        first -= 1
    return first


def _read(nodes: Sequence[s.Node]) -> set[str]:
    return {each.id for each in s.walk(*nodes) if isinstance(each, s.Name)}


def _asks(app: App, function: Function, sites: list[CallSite]) -> bool:
    """Whether any of the calls asks the database."""
    asking = {id(each.site.node) for each in app.calls.executions(function)}
    return any(id(site.node) in asking or _asks_below(app, site) for site in sites)


def _runs(block: list[s.Stmt]) -> Iterator[tuple[list[s.Stmt], bool]]:
    """Yield the longest rows of statements that wait for nothing, and whether the block ends with each."""
    run: list[s.Stmt] = []
    for number, statement in enumerate(block):
        if any(_waits_inside(each) for each in s.walk_scope(statement)):
            if run:
                yield run, False
            run = []
            continue
        leaves = any(isinstance(each, s.Return) for each in s.walk_scope(statement))
        if leaves and any(
            _waits_inside(each) for later in block[number:] for each in s.walk_scope(later)
        ):
            if run:
                yield run, False
            run = []
            continue
        run.append(statement)
    if run:
        yield run, True


def _waits_inside(node: s.Node) -> bool:
    if isinstance(node, (s.For, s.With)):
        return node.is_async
    if isinstance(node, s.Comp):
        return any(part.is_async for part in node.generators)
    return isinstance(node, (s.Await, s.Yield))


# ------------------------------------------------------------------------- the new function


def _moved(app: App, region: _Region, places: list[str]) -> Proposal:
    """Return the change that moves statements to a function. Raises Unfit."""
    function, module = region.function, region.function.module
    _check(app, region)
    if len(region.statements) == 1:
        operation = path_operation(app, region.statements[0], region.sites[0])
        if operation is not None:
            title = f"{function.qualname} of {module.path} uses a file in a thread"
            return Proposal(title, (operation[0],), operation[1], places=tuple(places))
    brought = bring(module, "fastapi.concurrency", "run_in_threadpool")
    if brought is None:
        raise Unfit("run_in_threadpool means something else here")
    call = _one_call(region)
    if call is not None:
        title = f"{function.qualname} of {module.path} calls {s.last_name(call)} in a thread"
        edits, imports = handed_over(module, call, brought), brought.imports
        return Proposal(title, tuple(edits), imports, places=tuple(places))
    given, results = _given(app, region), _results(app, region)
    name = _name(app, region, results)
    if is_taken(module, name):
        raise Unfit(f"{name} means something else here")
    needed: list[Import] = [*brought.imports]
    own = function.owner is not None and any(each == "self" for each in given)
    parameters = ["self"] if own else []
    given = [each for each in given if each != "self"]
    for each in given:
        annotation, more = _annotation(app, region, each)
        parameters.append(f"{each}: {annotation}" if annotation else each)
        needed += more
    returned, more = _returned(app, region, results)
    needed += more
    head = f"def {name}({', '.join(parameters)}){returned}:"
    edits = [_definition(region, head, results, is_method=own)]
    called = ", ".join([f"self.{name}" if own else name, *given])
    written = f"await {brought.name}({called})"
    if results:
        written = f"{', '.join(results)} = {written}"
    elif region.is_tail and any(
        isinstance(each, s.Return) for each in s.walk_scope(*region.statements)
    ):
        written = f"return {written}"
    first, last = region.statements[0], region.statements[-1]
    edits.append(Edit(module.path, first_byte(first), last.end, written))
    title = f"{function.qualname} of {module.path} runs {name} in a thread"
    return Proposal(title, tuple(edits), tuple(needed), places=tuple(places))


def _one_call(region: _Region) -> s.Call | None:
    """Return the call that is all that the statements do, besides binding its result."""
    statement = region.statements[0]
    if len(region.statements) > 1 or not isinstance(statement, (s.ExprStmt, s.Assign, s.Return)):
        return None
    value = statement.value
    return value if isinstance(value, s.Call) and value is region.sites[0].node else None


def _check(app: App, region: _Region) -> None:
    """Raise Unfit where statements cannot run in a function of their own, or not in a thread."""
    function, module = region.function, region.function.module
    node = function.node
    if node.is_generator or node.defines or function.outer is not None:
        raise Unfit(f"{function.qualname} is a generator, or defines functions")
    if function.decorator_names & {"staticmethod", "classmethod"}:
        raise Unfit(f"{function.qualname} is bound to its class")
    first, last = region.statements[0], region.statements[-1]
    if not is_first(module.source, first_byte(first)) or not is_alone(
        module.source, last.start, last.end
    ):
        raise Unfit(f"several statements share a line ({module.path}:{module.line(first)})")
    loops = [
        each for each in s.walk_scope(*region.statements) if isinstance(each, (s.For, s.While))
    ]
    for each in s.walk_scope(*region.statements):
        inside = any(loop.start <= each.start < loop.end for loop in loops)
        if isinstance(each, s.Flow) and (
            each.keyword in {"global", "nonlocal"}
            or (each.keyword in {"break", "continue"} and not inside)
        ):
            raise Unfit(f"{each.keyword} leaves the statements that block")
        if isinstance(each, s.Return) and not region.is_tail:
            raise Unfit("the statements that block return from the middle of the function")
        if isinstance(each, s.Raise) and each.exc is None and _handled(app, function, region):
            raise Unfit("the statements that block raise what is handled outside of them")
        if (
            isinstance(each, (s.Constant, s.JoinedStr))
            and b"\n" in module.source[each.start : each.end]
        ):
            raise Unfit("a text goes over several lines")
        if isinstance(each, s.Delete) or (
            isinstance(each, s.Call) and s.last_name(each) in {"locals", "super"}
        ):
            raise Unfit("the statements that block look at their own names")
        if isinstance(each, (s.Import, s.ImportFrom)):
            raise Unfit("the statements that block import")
    _check_names(app, region)
    check_below(app, function, part=region.holds)
    for site in region.sites:
        check_between(app, site, region.holds)
    check_sequence(app, function)
    if any(each.session == "sync" for each in _asked(app, region)):
        check_sessions(app)


def _check_names(app: App, region: _Region) -> None:
    """Raise Unfit where an error in the midst of the statements would leave other values than today."""
    function, bound = region.function, _bound(region.statements)
    for flow, _ in app.calls.of_kind(function, s.Flow):
        if flow.keyword in {"global", "nonlocal"} and bound & set(flow.names):
            raise Unfit(f"the statements that block bind {', '.join(flow.names)} for others")
    tries = next(
        around.tries for node, around in app.calls.nodes(function) if node is region.statements[0]
    )
    for each in tries:
        stays = not all(_leaves(handler.body) for handler in each.handlers)
        caught = [*each.handlers, *each.finalbody]
        for node, _ in app.calls.of_kind(function, s.Name):
            read = any(part.start <= node.start < part.end for part in caught)
            if node.id in bound and (read or (stays and node.start > each.end)):
                raise Unfit(f"{node.id} is read after an error, too")


def _handled(app: App, function: Function, region: _Region) -> bool:
    return any(
        around.handled and node is region.statements[0]
        for node, around in app.calls.nodes(function)
    )


def _bound(nodes: Sequence[s.Node]) -> set[str]:
    """Return the names that are bound by statements, those of comprehensions left out."""
    found: set[str] = set()
    for node in s.walk_scope(*nodes):
        targets: list[s.Expr] = []
        if isinstance(node, s.Assign):
            targets = node.targets
        elif isinstance(node, (s.AnnAssign, s.AugAssign, s.For, s.NamedExpr)):
            targets = [node.target]
        elif isinstance(node, s.With):
            targets = [item.optional_vars for item in node.items if item.optional_vars is not None]
        elif isinstance(node, s.ExceptHandler) and node.name is not None:
            found.add(node.name)
        elif isinstance(node, s.MatchCase):
            found.update(node.names)
        found.update(name for target in targets for name in _names(target))
    return found


def _names(target: s.Expr) -> Iterator[str]:
    """Yield the names that an assignment binds: not those of what it changes (``order.status``)."""
    if isinstance(target, s.Name):
        yield target.id
    elif isinstance(target, (s.Tuple, s.List)):
        for each in target.elts:
            yield from _names(each)
    elif isinstance(target, s.Starred):
        yield from _names(target.value)


def _before(region: _Region) -> set[str]:
    """Return the names that are there before the statements, in each case."""
    first = region.statements[0]
    found = {each.name for each in region.function.node.params}
    block: Sequence[s.Stmt] = region.function.node.body
    while block:
        inner: Sequence[s.Stmt] = ()
        for statement in block:
            if statement.start >= first.start:
                return found
            if statement.end > first.start:
                inner = next(
                    each
                    for each in list(blocks([statement]))[1:]
                    if each[0].start <= first.start <= each[-1].end
                )
                if isinstance(statement, s.For):
                    found |= set(_names(statement.target))
                if isinstance(statement, s.With):
                    found |= _entered(statement)
                break
            found |= _surely([statement])
        block = inner
    return found


def _entered(statement: s.With) -> set[str]:
    variables = [item.optional_vars for item in statement.items if item.optional_vars is not None]
    return {name for each in variables for name in _names(each)}


def _surely(statements: Sequence[s.Stmt]) -> set[str]:
    """Return the names that statements bind whatever happens, where they do not leave the function."""
    found: set[str] = set()
    for each in statements:
        if isinstance(each, (s.Assign, s.AugAssign)) or (
            isinstance(each, s.AnnAssign) and each.value is not None
        ):
            found |= _bound([each])
        elif isinstance(each, s.With):
            found |= _entered(each) | _surely(each.body)
        elif isinstance(each, s.If):
            arms = [branch.body for branch in each.branches] + [each.orelse]
            staying = [_surely(arm) for arm in arms if not _leaves(arm)]
            found |= set.intersection(*staying) if staying else set()
        elif isinstance(each, s.Try) and all(_leaves(handler.body) for handler in each.handlers):
            found |= _surely([*each.body, *each.orelse, *each.finalbody])
    return found


def _leaves(block: Sequence[s.Stmt]) -> bool:
    return bool(block) and isinstance(block[-1], (s.Return, s.Raise))


def _given(app: App, region: _Region) -> list[str]:
    """Return the names that the statements read and that the function has. Raises Unfit."""
    own = {*app.types.locals.of(region.function), *(p.name for p in region.function.node.params)}
    before, bound = _before(region), _bound(region.statements)
    inner = {
        name
        for node in s.walk(*region.statements)
        if isinstance(node, s.Comp)
        for part in node.generators
        for name in _names(part.target)
    }
    read = [each.id for each in s.walk(*region.statements) if isinstance(each, s.Name)]
    found = []
    for name in dict.fromkeys(read):
        if name not in own or (name in inner and name not in before):
            continue
        if name in before:
            if name in bound and not _is_read_first(region.statements, name):
                continue
            found.append(name)
        elif name not in bound:
            raise Unfit(f"{name} may not be there before the statements that block")
    return found


def _is_read_first(statements: Sequence[s.Stmt], name: str) -> bool:
    """Whether statements in a row need what a name stands for before they bind it anew."""
    for statement in statements:
        if name not in _read([statement]):
            continue
        values: list[s.Expr] = []
        bound: set[str] = set()
        if isinstance(statement, s.Assign):
            values, bound = [statement.value], _bound([statement])
        elif isinstance(statement, s.With):
            values = [item.context_expr for item in statement.items]
            bound = _entered(statement)
        elif isinstance(statement, s.For):
            values, bound = [statement.iter], set(_names(statement.target))
        return name not in bound or name in _read(values)
    return False


def _results(app: App, region: _Region) -> list[str]:
    """Return the names that the statements bind and that the function reads afterwards. Raises Unfit."""
    if region.is_tail:
        return []
    bound = _bound(region.statements)
    surely = _surely(region.statements)
    loops = {
        id(loop)
        for node, around in app.calls.nodes(region.function)
        if node is region.statements[0]
        for loop in around.loops
    }
    found: dict[str, None] = {}
    for node, around in app.calls.nodes(region.function):
        if not isinstance(node, s.Name) or node.id not in bound or region.holds(node):
            continue
        again = any(id(loop) in loops for loop in around.loops)
        if again or (
            node.start > region.statements[-1].end
            and (not _follows(region, node) or _is_read_first(region.after, node.id))
        ):
            found[node.id] = None
        elif around.deferred:
            raise Unfit(f"{node.id} is read by a lambda")
    for name in found:
        if name not in surely and name not in _before(region):
            raise Unfit(f"{name} may not be there after the statements that block")
    return sorted(found, key=lambda name: _bound_at(region, name))


def _follows(region: _Region, node: s.Node) -> bool:
    """Whether a node stands in what follows the statements in their block."""
    return any(each.start <= node.start < each.end for each in region.after)


def _bound_at(region: _Region, name: str) -> int:
    """Return where the statements bind a name for the first time."""
    return next(
        n.start for n in s.walk(*region.statements) if isinstance(n, s.Name) and n.id == name
    )


def _name(app: App, region: _Region, results: list[str]) -> str:
    """Return a name for what the statements do."""
    externals = [site.external or "" for site in region.sites]
    stem = region.function.name.strip("_")
    what = results[0] if len(results) == 1 else stem
    kinds = {each.kind for each in _asked(app, region)}
    if kinds and region.is_tail:
        return f"_finish_{stem}"
    if kinds:
        return f"_load_{what}" if kinds == {"read"} and results else f"_save_{what}"
    if externals and all(name.startswith(_MAIL) for name in externals):
        return "_send_mail"
    if externals and all(name in _OPENING for name in externals):
        several = isinstance(region.statements[0], s.For)
        return f"_read_{what}" if results else "_write_files" if several else "_write_file"
    return f"_{stem}_sync"


def _asked(app: App, region: _Region) -> Iterator[Execution]:
    """Yield what the database is asked by the statements, and by what they call."""
    for each in plain_below(app, region.function, region.holds):
        for execution in app.calls.executions(each):
            if each is not region.function or region.holds(execution.site.node):
                yield execution


def _annotation(app: App, region: _Region, name: str) -> tuple[str, list[Import]]:
    """Return the type of what is given, as it is written here; empty where it is not known."""
    function, module = region.function, region.function.module
    parameter = next((each for each in function.node.params if each.name == name), None)
    annotation = parameter.annotation if parameter is not None else None
    if isinstance(annotation, s.Subscript) and s.last_name(annotation.value) == "Annotated":
        parts = (
            annotation.slice.elts if isinstance(annotation.slice, s.Tuple) else [annotation.slice]
        )
        return text(module, _narrowed(region, name, parts[0])), []
    kind = UNKNOWN if parameter is None else app.types.parameter(parameter, function)
    if parameter is None:
        used = next(
            (n for n in s.walk(*region.statements) if isinstance(n, s.Name) and n.id == name), None
        )
        kind = app.types.of(used, Where(module, function)) if used is not None else UNKNOWN
    if annotation is None and parameter is None:
        annotation = _declared(app, function, name)
    if annotation is not None and not _is_alias(app, annotation, region):
        return text(module, _narrowed(region, name, annotation)), []
    return _written(app, module, kind)


def _declared(app: App, function: Function, name: str) -> s.Expr | None:
    """Return the annotation of ``found: list[Path] = []``, where names of the file are all that it reads."""
    for node, _ in app.calls.of_kind(function, s.AnnAssign):
        if isinstance(node.target, s.Name) and node.target.id == name:
            own = app.types.locals.of(function)
            read = (each for each in s.walk(node.annotation) if isinstance(each, s.Name))
            return None if any(each.id in own for each in read) else node.annotation
    return None


def _narrowed(region: _Region, name: str, annotation: s.Expr) -> s.Expr:
    """Return ``UploadFile`` of ``UploadFile | None``, where the statements stand in ``if image:``."""
    if not isinstance(annotation, s.BinOp) or not _is_none(annotation.right):
        return annotation
    first = region.statements[0]
    for node in s.walk_scope(*region.function.node.body):
        for branch in node.branches if isinstance(node, s.If) else ():
            inside = any(each.start <= first.start < each.end for each in branch.body)
            before = [each for each in branch.body if each.start < first.start]
            if inside and _is_there(branch.test, name) and name not in _bound(before):
                return annotation.left
    return annotation


def _is_there(test: s.Expr, name: str) -> bool:
    """Whether a test holds only where a name stands for something: ``image``, ``image is not None``."""
    if isinstance(test, s.BoolOp) and test.op == "and":
        return any(_is_there(each, name) for each in test.values)
    if isinstance(test, s.Compare) and test.ops == ["is not"] and _is_none(test.comparators[0]):
        test = test.left
    return isinstance(test, s.Name) and test.id == name


def _is_none(node: s.Expr) -> bool:
    return isinstance(node, s.Constant) and node.kind == "none"


def _returned(app: App, region: _Region, results: list[str]) -> tuple[str, list[Import]]:
    """Return what the statements give, as an annotation; empty where that is not known."""
    function, module = region.function, region.function.module
    if region.is_tail and any(isinstance(x, s.Return) for x in s.walk_scope(*region.statements)):
        returns = function.node.returns
        return (f" -> {text(module, returns)}", []) if returns is not None else ("", [])
    if not results:
        return " -> None", []
    if len(results) > 1:
        return "", []
    read = [
        node
        for node, _ in app.calls.of_kind(function, s.Name)
        if node.id == results[0] and node.start > region.statements[-1].end
    ]
    kind = app.types.of(read[0], Where(module, function)) if read else UNKNOWN
    written, needed = _written(app, module, kind)
    return (f" -> {written}", needed) if written else ("", [])


def _written(app: App, module: Module, kind: Type) -> tuple[str, list[Import]]:
    """Return how a type is written in a file; empty where it is not known."""
    if not isinstance(kind, Instance) or kind.args:
        return "", []
    origin, _, last = (
        (kind.cls.module.name, "", kind.cls.name)
        if isinstance(kind.cls, Class)
        else kind.cls.rpartition(".")
    )
    if isinstance(kind.cls, Class) and kind.cls.module is module:
        return kind.cls.name, []
    if origin == "builtins":
        return last, []
    if origin == "io":
        return "", []  # what a file is depends on how it was opened
    for local in module_level_imports(module):
        symbol = app.linker.name(local, module)
        if isinstance(symbol, External) and symbol.name == kind.cls:
            return local, []
        if isinstance(symbol, Class) and isinstance(kind.cls, Class) and symbol.id == kind.cls.id:
            return local, []
    brought = bring(module, origin, last) if origin and last.isidentifier() else None
    return (brought.name, list(brought.imports)) if brought is not None else ("", [])


def _is_alias(app: App, annotation: s.Expr, region: _Region) -> bool:
    """Whether an annotation is a name for `Annotated[..., Depends(...)]`."""
    if not isinstance(annotation, (s.Name, s.Attribute)):
        return False
    where = Where(region.function.module, region.function.outer)
    return bool(app.types.metadata(annotation, where))


def _definition(region: _Region, head: str, results: list[str], *, is_method: bool) -> Edit:
    """Return the edit that puts the new function before the coroutine, or before its class."""
    function, module = region.function, region.function.module
    source = module.source
    anchor: s.Node = function.node
    if function.owner is not None and not is_method:
        anchor = function.owner.node
    outer = indentation(source, first_byte(anchor))
    inner = outer + step(module)
    start = line_start(source, first_byte(region.statements[0]))
    end = next_line(source, region.statements[-1].end - 1)
    before = indentation(source, first_byte(region.statements[0]))
    lines = source[start:end].decode().splitlines()
    body = [inner + line.removeprefix(before) if line.strip() else "" for line in lines]
    final = region.statements[-1]
    if (
        len(results) == 1
        and isinstance(final, s.Assign)
        and [s.dotted(each) for each in final.targets] == results
    ):
        number = module.line(final) - module.line(region.statements[0])
        body[number] = re.sub(rf"^(\s*){results[0]}\s*=\s*", r"\1return ", body[number])
    elif results:
        body.append(f"{inner}return {', '.join(results)}")
    end_of_line = newline(source)
    code = end_of_line.join([outer + head, *body])
    gap = end_of_line * (2 if outer else 3)
    place = line_start(source, first_byte(anchor))
    return Edit(module.path, place, place, f"{code}{gap}")
